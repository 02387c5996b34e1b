"""What a slide's content is recognised by, wherever the file lies."""

import hashlib
from pathlib import Path

ENDS_BYTES = 64 * 1024


def identity_of(path: Path, *, content_hash: str = "") -> str:
    """Return a sha256 over a file's size and its first and last 64 KiB, in hex.

    Args:
        path: the file that was opened.
        content_hash: the format's own hash of its pixels, where it has one; it covers
            the sibling files of formats that consist of several.
    """
    size = path.stat().st_size
    digest = hashlib.sha256(f"{size}:{content_hash}:".encode())
    with path.open("rb") as file:
        digest.update(file.read(ENDS_BYTES))
        file.seek(max(0, size - ENDS_BYTES))
        digest.update(file.read(ENDS_BYTES))
    return digest.hexdigest()
