"""Writing a small file so that a crash at any moment leaves the old one or the new one, whole."""

import os
import shutil
from contextlib import suppress
from pathlib import Path
from uuid import uuid4

from stainapp.errors import RegionError


def write_atomically(path: Path, data: bytes, *, backup: Path | None = None) -> None:
    """Write ``data`` as the file ``path``, which may exist; its folder is made.

    Args:
        path: the file.
        data: its new content.
        backup: keep the old content there, in place of what that file held.

    Raises:
        RegionError: it cannot be written; ``path`` is as it was.
    """
    # Names of their own: two threads or programs that save at once do not write into one draft.
    draft, copy = (path.with_name(f".stainapp-{uuid4().hex}.tmp") for _ in range(2))
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with draft.open("xb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        if backup is not None and path.exists():
            shutil.copyfile(path, copy)
            copy.replace(backup)
        draft.replace(path)
    except OSError as error:
        raise RegionError(
            f"{path} cannot be written ({error.strerror or error}); "
            "free some space or choose another folder."
        ) from error
    finally:
        for left in (draft, copy):
            with suppress(OSError):  # why writing failed matters more
                left.unlink(missing_ok=True)
