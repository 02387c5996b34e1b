"""An append-only file of JSON objects, one a line: what was written stays, whatever happens next.

Each addition is on the disk when `Journal.append` returns. A program that is killed while it
writes leaves a last line without an end, which is no line: it is ignored, and cut off before
anything is added. A journal grows shorter only by `Journal.rewrite`, which replaces it whole.
"""

import json
import os
import sys
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

from stainapp.errors import RegionError, SessionError
from stainapp.session.atomic_file import write_atomically

Record: TypeAlias = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Content:
    """What a journal held when it was read."""

    records: tuple[dict[str, Any], ...] = ()
    damaged: bool = False
    """Whether a line before the last was no JSON object; what follows it is left out."""


def read_journal(path: Path) -> Content | None:
    """Return the records of a journal; None where there is no such file.

    Raises:
        SessionError: it is there but cannot be read.
    """
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise SessionError(
            f"{path} cannot be read ({error.strerror or error}); "
            "make the file readable and try again."
        ) from error
    *lines, _torn = data.split(b"\n")
    records: list[dict[str, Any]] = []
    for line in lines:
        try:
            record = json.loads(line)
        except (ValueError, RecursionError):
            return Content(tuple(records), damaged=True)
        if not isinstance(record, dict):
            return Content(tuple(records), damaged=True)
        records.append(record)
    return Content(tuple(records))


class Journal:
    """A journal that is written to. One thread at a time, and one program at a time."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._size: int | None = None
        """Bytes up to the last whole line; None before that was looked for."""

    def append(self, records: Iterable[Record]) -> None:
        """Add records; all are on the disk on return, or none counts.

        Raises:
            SessionError: they cannot be written, for want of space maybe; try again later.
        """
        data = encoded(records)
        try:
            new = not self.path.exists()
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with self.path.open("ab") as file:
                file.truncate(self._whole_bytes())
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            if new:
                _sync_folder(self.path.parent)
        except OSError as error:
            raise self._refused(error) from error
        self._size = self._whole_bytes() + len(data)

    def rewrite(self, records: Iterable[Record]) -> None:
        """Replace all that the journal holds, at once: a crash leaves the old or the new.

        Raises:
            SessionError: it cannot be written; the journal is as it was.
        """
        data = encoded(records)
        try:
            write_atomically(self.path, data)
        except RegionError as error:
            raise self._refused(error.__cause__ or error) from error
        self._size = len(data)

    def _refused(self, error: BaseException) -> SessionError:
        reason = getattr(error, "strerror", None) or error
        return SessionError(
            f"{self.path.parent} cannot be written ({reason}); free some space or make it "
            "writable: what is not saved is kept and tried again."
        )

    def _whole_bytes(self) -> int:
        """Return where the last whole line ends. Anything behind it was never finished."""
        if self._size is None:
            data = self.path.read_bytes() if self.path.exists() else b""
            self._size = data.rfind(b"\n") + 1
        return self._size


def encoded(records: Iterable[Record]) -> bytes:
    """Return records as lines."""
    return b"".join(json.dumps(r, separators=(",", ":")).encode() + b"\n" for r in records)


def _sync_folder(folder: Path) -> None:
    """Have a new file's name on the disk too, where the system lets one ask for that."""
    if sys.platform == "win32":
        return
    with suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
