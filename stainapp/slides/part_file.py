"""An export that is being written: ``<name>.part``, its journal and its lock."""

import hashlib
import json
import os
from collections.abc import Mapping
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, TextIO

from stainapp.errors import ExportError
from stainapp.slides.file_lock import FileLock, HeldError, names
from stainapp.slides.ome_tiff import Span


@dataclass(frozen=True, slots=True)
class Tile:
    """A compressed tile on its way to the file."""

    data: bytes
    digest: str
    """Sha256 of ``data``, in hex."""
    damaged: bool
    """Whether the source could not be read everywhere in it."""


@dataclass(frozen=True, slots=True)
class StoredTile:
    span: Span
    digest: str
    damaged: bool


class PartFile:
    """Tiles appended one behind another; used by one thread, and by nobody else until its end.

    The journal is always kept, for a killed export cannot say beforehand that it will be resumed.

    Args:
        target: the file's final name.
        head: placeholder of the file's first bytes.
        origin: all that decides the file's bytes; an unfinished file of another origin is
            not resumed.
        resume: start from the unfinished file that is there, if any, and let `discard` keep it.

    Raises:
        ExportError: the unfinished file was made from something else, or is being written.
        OSError: the folder cannot be written.
    """

    def __init__(
        self, target: Path, head: bytes, origin: Mapping[str, Any], *, resume: bool
    ) -> None:
        self.target, self.path = target, target.with_name(target.name + ".part")
        self._journal_path = target.with_name(target.name + ".part.journal")
        self.tiles: list[StoredTile] = []
        self._keep = resume
        self.end = len(head)
        first = json.dumps(origin, sort_keys=True, default=str)
        with ExitStack() as undo:
            self._lock = self._own_lock()
            undo.callback(self._lock.release)
            if resume and self.path.is_file() and self._journal_path.is_file():
                self._find_finished(first)
            self._file = undo.enter_context(self._opened(head))
            self._journal = self._new_journal(first)
            undo.pop_all()

    def append(self, tile: Tile) -> None:
        stored = StoredTile((self.end, len(tile.data)), tile.digest, tile.damaged)
        self._file.seek(self.end)
        self._file.write(tile.data)
        self.end += len(tile.data)
        self.tiles.append(stored)
        # The tile before its line: a line without its tile is found out by the checksum.
        self._file.flush()
        self._journal.write(_line(stored))
        self._journal.flush()

    def read(self, number: int) -> bytes:
        offset, length = self.tiles[number].span
        self._file.seek(offset)
        return self._file.read(length)

    def complete(self, start: int, tail: bytes, head: bytes) -> None:
        """Write what follows the tiles, from ``start`` on, then the file's first bytes."""
        self._file.seek(self.end)
        self._file.write(b"\0" * (start - self.end) + tail)
        self._file.seek(0)
        self._file.write(head)
        self._file.flush()
        os.fsync(self._file.fileno())

    def publish(self) -> None:
        """Give the finished file its name.

        Raises:
            ExportError: somebody deleted or replaced the unfinished file.
        """
        if not names(self.path, self._file.fileno()):
            raise ExportError(
                f"{self.path} was deleted or replaced while it was being written; export again."
            )
        self._close()
        self.path.replace(self.target)
        with suppress(OSError):  # the export is complete without it
            self._journal_path.unlink()
        self._lock.release()

    def discard(self) -> None:
        """Leave nothing behind, or what can be resumed."""
        ours = self._file.closed or names(self.path, self._file.fileno())
        self._close()
        if ours and not self._keep:
            for path in (self.path, self._journal_path):
                with suppress(OSError):  # why the export failed matters more
                    path.unlink()
        self._lock.release()

    def _close(self) -> None:
        for file in (self._file, self._journal):
            with suppress(OSError):  # a full disk was reported when it was met
                file.close()

    def _own_lock(self) -> FileLock:
        try:
            return FileLock(self.target.with_name(self.target.name + ".part.lock"))
        except HeldError as error:
            raise ExportError(
                f"{self.target} is being written by another stainapp; "
                "wait for it, or choose another name."
            ) from error

    def _opened(self, head: bytes) -> BinaryIO:
        if not self.tiles:
            # Not truncated: whoever writes it without a lock must not write into ours.
            self.path.unlink(missing_ok=True)
        file: BinaryIO = self.path.open("r+b" if self.tiles else "x+b")
        file.truncate(self.end)
        if not self.tiles:
            file.write(head)
        file.seek(self.end)
        return file

    def _find_finished(self, first: str) -> None:
        """Take over the tiles of the journal whose bytes are in the file as they should be."""
        with (
            self._journal_path.open(encoding="utf-8", errors="replace") as journal,
            self.path.open("rb") as file,
        ):
            begun = journal.readline()
            if not begun.endswith("\n"):  # killed before the first tile
                return
            if begun.rstrip("\n") != first:
                raise ExportError(
                    f"{self.path} is an unfinished export of something else; "
                    "delete it, or export without resuming."
                )
            file.seek(self.end)
            for line in journal:
                length, digest, damaged = _parsed(line)
                data = file.read(length)
                if not data or hashlib.sha256(data).hexdigest() != digest:
                    break
                self.tiles.append(StoredTile((self.end, length), digest, damaged))
                self.end += length

    def _new_journal(self, first: str) -> TextIO:
        journal = self._journal_path.open("w", encoding="utf-8")
        journal.write(first + "\n")
        journal.writelines(_line(tile) for tile in self.tiles)
        journal.flush()
        return journal


def _line(tile: StoredTile) -> str:
    return f"{tile.span[1]} {tile.digest} {int(tile.damaged)}\n"


def _parsed(line: str) -> tuple[int, str, bool]:
    """Return length, digest and damage of a journal's line; length 0 if it is cut off."""
    try:
        length, digest, damaged = line.split()
        return max(int(length), 0), digest, damaged == "1"
    except ValueError:
        return 0, "", False
