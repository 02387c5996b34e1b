"""An interrupted export goes on where it was, and ends as if nothing had happened."""

from pathlib import Path

import pytest

from stainapp.cancel import CancelToken
from stainapp.errors import Cancelled, ExportError, SlideError
from stainapp.slides.provenance import verify_slide
from stainapp.slides.writer import write_slide
from tests.slides.gradient import RECORD, Gradient, export_elsewhere, left_behind, stop


def test_an_interrupted_export_resumed_is_the_same_file(target: Path, tmp_path: Path) -> None:
    whole = tmp_path / "whole" / target.name
    whole.parent.mkdir()
    write_slide(Gradient(), whole, provenance=RECORD)
    with pytest.raises(SlideError):
        write_slide(Gradient(before=stop("gone")), target, provenance=RECORD, resume=True)
    kept = Gradient()

    write_slide(kept, target, provenance=RECORD, resume=True)

    assert target.read_bytes() == whole.read_bytes()
    assert left_behind(target) == [target.name]


@pytest.mark.parametrize("lost", [1, 5000, 200_000])
def test_a_resumed_export_repeats_what_the_disk_lost(target: Path, lost: int) -> None:
    token = CancelToken()

    def cancel_late(done: int, total: int) -> None:
        if done == total - 2:
            token.cancel()

    with pytest.raises(Cancelled):
        write_slide(
            Gradient(), target, provenance=RECORD, resume=True, token=token, progress=cancel_late
        )
    part = target.with_name(target.name + ".part")
    size = part.stat().st_size
    with part.open("r+b") as file:
        file.seek(max(size - lost, 100))
        file.write(b"\0" * min(lost, size - 100))

    write_slide(Gradient(), target, provenance=RECORD, resume=True)

    assert verify_slide(target)["levels"][0] == (2700, 2300)


def test_finished_tiles_are_not_read_again(target: Path) -> None:
    token = CancelToken()

    def cancel_at_coarse_levels(done: int, total: int) -> None:
        if done == 31:
            token.cancel()

    with pytest.raises(Cancelled):
        write_slide(
            Gradient(), target, provenance=RECORD, resume=True, token=token,
            progress=cancel_at_coarse_levels,
        )  # fmt: skip
    resumed = Gradient()

    def reads_before_finish(done: int, total: int) -> None:
        assert resumed.reads == 0

    write_slide(resumed, target, provenance=RECORD, resume=True, progress=reads_before_finish)


def test_an_unfinished_export_of_something_else_is_not_continued(target: Path) -> None:
    with pytest.raises(SlideError):
        write_slide(Gradient(before=stop("gone")), target, provenance=RECORD, resume=True)

    with pytest.raises(ExportError, match="something else"):
        write_slide(Gradient(2701, 2300), target, provenance=RECORD, resume=True)


def test_a_killed_export_that_did_not_foresee_it_can_be_resumed(
    target: Path, tmp_path: Path
) -> None:
    whole = tmp_path / "whole" / target.name
    whole.parent.mkdir()
    write_slide(Gradient(), whole, provenance=RECORD)
    with export_elsewhere(target) as process:
        process.kill()
        process.wait()
    seen: list[int] = []

    write_slide(
        Gradient(), target, provenance=RECORD, resume=True,
        progress=lambda done, total: seen.append(done),
    )  # fmt: skip

    assert seen[0] == 9
    assert target.read_bytes() == whole.read_bytes()
    assert left_behind(target) == [target.name]


@pytest.mark.parametrize("begun", [None, b"", b'{"identity": "270', b"\xff\xfe"])
def test_resuming_begins_anew_where_nothing_can_be_resumed(
    target: Path, begun: bytes | None
) -> None:
    target.with_name(target.name + ".part").write_bytes(b"of a killed export")
    if begun is not None:
        target.with_name(target.name + ".part.journal").write_bytes(begun)

    write_slide(Gradient(600, 600), target, provenance=RECORD, resume=True)

    assert verify_slide(target)["levels"][0] == (600, 600)
    assert left_behind(target) == [target.name]
