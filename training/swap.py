"""One folder takes another's place; a crash in between leaves one or the other whole."""

import shutil
from contextlib import suppress
from pathlib import Path


def swap(draft: Path, folder: Path) -> None:
    """Put a folder into another's place, whether there is one or not.

    Raises:
        OSError: it cannot be written.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    old = _old(folder)
    shutil.rmtree(old, ignore_errors=True)
    with suppress(FileNotFoundError):
        folder.rename(old)
    draft.rename(folder)
    shutil.rmtree(old, ignore_errors=True)


def mend(folder: Path) -> None:
    """Put a folder back if a kill came between the two steps of `swap`."""
    if _old(folder).is_dir() and not folder.exists():
        _old(folder).rename(folder)


def _old(folder: Path) -> Path:
    return folder.with_name(f".{folder.name}.old")
