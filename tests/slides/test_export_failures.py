"""An export that cannot be finished says why in one sentence, and leaves nothing."""

import errno
import zlib
from pathlib import Path
from typing import Any

import imagecodecs
import pytest

from stainapp.cancel import CancelToken
from stainapp.errors import Cancelled, ExportError, SlideError
from stainapp.geometry import Rect
from stainapp.slides import writer
from stainapp.slides.ome_tiff import Layout
from stainapp.slides.opening import open_slide
from stainapp.slides.part_file import PartFile, Tile
from stainapp.slides.reader import RgbImage
from stainapp.slides.writer import write_slide
from tests.slides.gradient import RECORD, Gradient, left_behind, stop


def test_a_failing_reader_leaves_nothing(target: Path) -> None:
    with pytest.raises(SlideError, match="torn cable"):
        write_slide(Gradient(before=stop("torn cable")), target, provenance=RECORD)

    assert left_behind(target) == []


def test_a_cancelled_export_leaves_nothing_and_keeps_the_old_file(target: Path) -> None:
    target.write_bytes(b"old")
    token = CancelToken()

    with pytest.raises(Cancelled):
        write_slide(
            Gradient(before=lambda reads: token.cancel() if reads == 2 else None), target,
            provenance=RECORD, overwrite=True, token=token,
        )  # fmt: skip

    assert left_behind(target) == [target.name]
    assert target.read_bytes() == b"old"


def test_a_full_disk_is_said_in_one_sentence(target: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(self: PartFile, tile: Tile) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(PartFile, "append", full)

    with pytest.raises(ExportError, match=r"could not be written \(No space left on device\)"):
        write_slide(Gradient(), target, provenance=RECORD)

    assert left_behind(target) == []


def test_a_file_that_does_not_read_back_gets_no_name(
    target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    honest = writer._encode

    def flip(layout: Layout, pixels: RgbImage, damaged: bool) -> Tile:
        return honest(layout, 255 - pixels, damaged)

    monkeypatch.setattr(writer, "_encode", flip)

    with pytest.raises(ExportError, match="did not read back"):
        write_slide(Gradient(600, 600), target, provenance=RECORD)

    assert left_behind(target) == []


def test_impossible_targets_are_refused_before_any_read(target: Path) -> None:
    reader = Gradient()
    target.write_bytes(b"old")
    cases: list[tuple[Path, dict[str, Any], str]] = [
        (target, {}, "exists; give --overwrite, or choose another name"),
        (target.parent, {}, "is a folder"),
        (target.parent / "none" / "x.tiff", {}, "make the folder"),
        (target.parent / "x.png", {}, r"as \.png, only as OME-TIFF; name it x\.ome\.tiff"),
        (target.parent / "x.SVS", {}, r"name it x\.ome\.tiff"),
        (target, {"region": Rect(9000, 0, 10, 10), "overwrite": True}, "does not lie on"),
    ]

    for path, options, reason in cases:
        with pytest.raises(ExportError, match=reason):
            write_slide(reader, path, provenance=RECORD, **options)

    assert reader.reads == 0
    assert target.read_bytes() == b"old"


def test_the_slide_that_is_read_is_never_overwritten(data: Path, tmp_path: Path) -> None:
    path = tmp_path / "slide.svs"
    path.write_bytes((data / "slides" / "CMU-1-Small-Region.svs").read_bytes())
    source = open_slide(path)

    with pytest.raises(ExportError, match="is the slide that is read"):
        write_slide(source, path, provenance=RECORD, overwrite=True)

    source.close()


@pytest.mark.parametrize("name", ["encode", "decode"])
@pytest.mark.parametrize("failure", [imagecodecs.DeflateError, zlib.error, ImportError])
def test_a_failing_codec_is_said_in_one_sentence(
    target: Path, monkeypatch: pytest.MonkeyPatch, name: str, failure: type[Exception]
) -> None:
    def broken(layout: Layout, data: object) -> bytes:
        raise failure("INSUFFICIENT_SPACE", 3)

    monkeypatch.setattr(Layout, name, broken)

    with pytest.raises(ExportError, match="compressing its tiles as deflate") as caught:
        write_slide(Gradient(), target, provenance=RECORD)

    assert isinstance(caught.value.__cause__, failure)
    assert "INSUFFICIENT_SPACE" not in str(caught.value)
    assert left_behind(target) == []


def test_a_file_that_does_not_open_again_gets_no_name(
    target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def nothing(layout: Layout, first_directory: int = 0) -> bytes:
        return bytes(8)

    monkeypatch.setattr(writer, "header", nothing)

    with pytest.raises(ExportError, match=r"did not read back .* \(it does not open\)"):
        write_slide(Gradient(600, 600), target, provenance=RECORD)

    assert left_behind(target) == []
