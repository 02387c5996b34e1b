"""Two exports to one file never meet in it."""

import errno
import hashlib
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event
from typing import Any

import pytest

from stainapp.errors import ExportError
from stainapp.slides import file_lock, writer
from stainapp.slides.file_lock import FileLock, HeldError
from stainapp.slides.part_file import PartFile, Tile
from stainapp.slides.provenance import verify_slide
from stainapp.slides.writer import write_slide
from tests.slides.gradient import RECORD, Gradient, export_elsewhere, left_behind

POSIX = pytest.mark.skipif(sys.platform == "win32", reason="Windows keeps the name of an open file")


def tile(content: bytes) -> Tile:
    return Tile(content, hashlib.sha256(content).hexdigest(), damaged=False)


@pytest.mark.parametrize("resume", [False, True])
def test_a_second_writer_of_a_file_is_refused_and_the_first_goes_on(
    target: Path, resume: bool
) -> None:
    first = PartFile(target, b"head", {}, resume=False)
    first.append(tile(b"one"))

    with pytest.raises(ExportError) as refusal:
        PartFile(target, b"other", {}, resume=resume)

    assert str(refusal.value) == (
        f"{target} is being written by another stainapp; wait for it, or choose another name."
    )
    first.append(tile(b"two"))
    first.complete(first.end, b"tail", b"HEAD")
    first.publish()
    assert target.read_bytes() == b"HEADonetwotail"
    assert left_behind(target) == [target.name]


@pytest.mark.parametrize("resume", [False, True])
def test_a_file_is_free_again_when_its_writer_gives_up(target: Path, resume: bool) -> None:
    PartFile(target, b"head", {}, resume=resume).discard()

    PartFile(target, b"head", {}, resume=False).discard()

    assert left_behind(target) == []


def test_an_export_begun_while_another_runs_is_refused_and_harms_nothing(target: Path) -> None:
    reading, refused = Event(), Event()

    def wait(reads: int) -> None:
        if reads == 2:
            reading.set()
            assert refused.wait(60)

    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(write_slide, Gradient(before=wait), target, provenance=RECORD)
        assert reading.wait(60)
        try:
            with pytest.raises(ExportError, match="being written by another stainapp"):
                write_slide(Gradient(600, 600), target, provenance=RECORD, overwrite=True)
        finally:
            refused.set()
        first.result()

    assert verify_slide(target)["levels"][0] == (2700, 2300)
    assert left_behind(target) == [target.name]


def test_another_process_is_kept_out_until_it_is_killed(target: Path) -> None:
    with export_elsewhere(target) as other:
        with pytest.raises(ExportError, match="being written by another stainapp"):
            write_slide(Gradient(600, 600), target, provenance=RECORD)
        other.kill()
        other.wait()

    write_slide(Gradient(600, 600), target, provenance=RECORD)

    assert verify_slide(target)["levels"][0] == (600, 600)
    assert left_behind(target) == [target.name]


def test_a_file_that_another_export_has_just_made_is_not_overwritten(
    target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def late(*args: Any, **options: Any) -> PartFile:
        target.write_bytes(b"made meanwhile")
        return PartFile(*args, **options)

    monkeypatch.setattr(writer, "PartFile", late)

    with pytest.raises(ExportError, match="exists"):
        write_slide(Gradient(), target, provenance=RECORD)

    assert target.read_bytes() == b"made meanwhile"
    assert left_behind(target) == [target.name]


@POSIX
def test_a_part_that_somebody_replaced_is_not_published(target: Path) -> None:
    part = PartFile(target, b"head", {}, resume=False)
    part.path.unlink()
    part.path.write_bytes(b"of somebody else")

    with pytest.raises(ExportError, match="deleted or replaced"):
        part.publish()
    part.discard()

    assert not target.exists()
    assert part.path.read_bytes() == b"of somebody else"


@POSIX
def test_a_lock_deleted_between_opening_and_locking_it_does_not_count(
    target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    holder = FileLock(target)
    honest = file_lock._try_to_lock

    def after_the_holder_left(file: int) -> None:
        holder.release()
        honest(file)

    monkeypatch.setattr(file_lock, "_try_to_lock", after_the_holder_left)

    lock = FileLock(target)

    with pytest.raises(HeldError):
        FileLock(target)
    lock.release()
    assert left_behind(target) == []


@pytest.mark.parametrize("code", [errno.ENOLCK, errno.EOPNOTSUPP])
def test_a_drive_without_locks_can_still_be_written(
    target: Path, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    def unknown(file: int) -> None:
        raise OSError(code, "no locks here")

    monkeypatch.setattr(file_lock, "_lock", unknown)

    write_slide(Gradient(600, 600), target, provenance=RECORD)

    assert left_behind(target) == [target.name]
