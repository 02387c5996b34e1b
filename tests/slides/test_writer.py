"""Exports hold what the reader shows, open everywhere, and never lie about being done."""

import errno
import json
import subprocess
import sys
import textwrap
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import openslide
import pytest
import tifffile

from stainapp.cancel import CancelToken
from stainapp.errors import Cancelled, ExportError, SlideError
from stainapp.geometry import Rect
from stainapp.slides import writer
from stainapp.slides.ome_tiff import Compression, Layout
from stainapp.slides.opening import open_slide
from stainapp.slides.part_file import PartFile, Tile
from stainapp.slides.phantom import PhantomSlide
from stainapp.slides.provenance import read_provenance, verify_slide
from stainapp.slides.reader import Level, RgbImage, SlideInfo
from stainapp.slides.writer import write_slide

RECORD = {"virtual": True, "model": {"id": "identity", "sha256": "00"}, "source": "Ä & <b>.svs"}


class Gradient:
    """A cheap reader whose every pixel is known; calls ``before`` ahead of each read."""

    def __init__(
        self, width: int = 2700, height: int = 2300, before: Callable[[int], None] | None = None
    ) -> None:
        self.info = SlideInfo(
            Path("gradient"), "made", (Level(width, height, 1.0),), f"{width}x{height}", mpp=0.5
        )
        self.damaged: tuple[Rect, ...] = ()
        self.reads = 0
        self._before = before

    def read(self, x: int, y: int, level: int, width_px: int, height_px: int) -> RgbImage:
        self.reads += 1
        if self._before:
            self._before(self.reads)
        xs, ys = np.arange(x, x + width_px), np.arange(y, y + height_px)
        image = np.empty((height_px, width_px, 3), np.uint8)
        image[..., 0], image[..., 1] = xs % 256, (ys % 256)[:, None]
        image[..., 2] = xs // 7 % 256
        return image

    def close(self) -> None: ...


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return tmp_path / "Färbung 1.ome.tiff"


def left_behind(target: Path) -> list[str]:
    return sorted(path.name for path in target.parent.iterdir() if path.is_file())


def halved(image: RgbImage) -> RgbImage:
    image = np.pad(image, ((0, image.shape[0] % 2), (0, image.shape[1] % 2), (0, 0)), mode="edge")
    height, width = image.shape[0] // 2, image.shape[1] // 2
    parts = image.reshape(height, 2, width, 2, 3).astype(np.uint16)
    mean: RgbImage = ((parts.sum(axis=(1, 3), dtype=np.uint16) + 2) // 4).astype(np.uint8)
    return mean


def stop(message: str) -> Callable[[int], None]:
    """Raise on the third read."""

    def before(reads: int) -> None:
        if reads == 3:
            raise SlideError(message)

    return before


@pytest.mark.parametrize("compression", ["deflate", "zstd"])
def test_openslide_and_tifffile_show_every_bit_at_every_level(
    target: Path, compression: Compression
) -> None:
    reader = Gradient(1201, 1103)

    write_slide(reader, target, provenance=RECORD, compression=compression)

    expected = [reader.read(0, 0, 0, 1201, 1103)]
    while max(expected[-1].shape) > 512:
        expected.append(halved(expected[-1]))
    with openslide.OpenSlide(target) as slide, tifffile.TiffFile(target) as tiff:
        assert slide.level_dimensions == tuple((i.shape[1], i.shape[0]) for i in expected)
        assert [level.shape for level in tiff.series[0].levels] == [i.shape for i in expected]
        for level, image in enumerate(expected):
            size = slide.level_dimensions[level]
            shown = np.asarray(slide.read_region((0, 0), level, size))[..., :3]
            assert np.array_equal(shown, image)
            assert np.array_equal(tiff.series[0].levels[level].asarray(), image)


def test_the_scale_is_read_by_both_families_of_readers(target: Path) -> None:
    reader = Gradient(700, 600)
    reader.info = replace(reader.info, mpp=0.50564)

    write_slide(reader, target, provenance=RECORD)

    with openslide.OpenSlide(target) as slide, tifffile.TiffFile(target) as tiff:
        assert float(slide.properties["openslide.mpp-x"]) == pytest.approx(0.50564, rel=1e-6)
        assert float(slide.properties["openslide.mpp-y"]) == pytest.approx(0.50564, rel=1e-6)
        pixels = tifffile.xml2dict(tiff.ome_metadata)["OME"]["Image"]["Pixels"]
        assert pixels["PhysicalSizeX"] == pytest.approx(0.50564, rel=1e-6)
        assert tiff.is_ome
        assert len(tiff.series) == 1


def test_an_unknown_scale_stays_unknown(target: Path) -> None:
    reader = Gradient(600, 600)
    reader.info = replace(reader.info, mpp=None)

    write_slide(reader, target, provenance=RECORD)

    assert verify_slide(target)["mpp"] is None


def test_the_programs_own_reader_opens_the_export(target: Path) -> None:
    source = PhantomSlide(size_px=(1500, 1300))

    write_slide(source, target, provenance=RECORD)

    export = open_slide(target)
    assert np.array_equal(export.read(0, 0, 0, 1500, 1300), source.read(0, 0, 0, 1500, 1300))
    assert export.info.mpp == pytest.approx(0.5)
    assert len(export.info.levels) == 3
    export.close()


def test_a_region_of_a_real_slide_is_exported_bit_for_bit(data: Path, target: Path) -> None:
    source = open_slide(data / "slides" / "CMU-1-Small-Region.svs")

    write_slide(source, target, region=Rect(301, 407, 1000, 900), provenance=RECORD)

    with openslide.OpenSlide(target) as slide:
        shown = np.asarray(slide.read_region((0, 0), 0, slide.dimensions))[..., :3]
    assert np.array_equal(shown, source.read(301, 407, 0, 1000, 900))
    source.close()


def test_jpeg_is_close_and_much_smaller(target: Path, tmp_path: Path) -> None:
    source = PhantomSlide(size_px=(1500, 1500))

    write_slide(source, target, provenance=RECORD, compression="jpeg")
    write_slide(source, tmp_path / "exact.tiff", provenance=RECORD)

    with openslide.OpenSlide(target) as slide:
        shown = np.asarray(slide.read_region((0, 0), 0, slide.dimensions))[..., :3]
    difference = np.abs(shown.astype(int) - source.read(0, 0, 0, 1500, 1500))
    assert 0 < difference.mean() < 3
    assert target.stat().st_size < 0.5 * (tmp_path / "exact.tiff").stat().st_size
    assert verify_slide(target)["tiles"] == 14


def test_provenance_comes_back_as_it_was_given(target: Path) -> None:
    write_slide(Gradient(600, 600), target, provenance=RECORD)

    found = read_provenance(target)

    assert found is not None
    assert {key: found[key] for key in RECORD} == RECORD
    assert found["export"]["region"] == [0, 0, 600, 600]
    assert found["export"]["damaged_tiles"] == 0


def test_damage_in_the_source_is_counted(target: Path) -> None:
    reader = Gradient(1200, 600)
    reader.damaged = (Rect(600, 100, 50, 50),)

    write_slide(reader, target, provenance=RECORD)

    found = read_provenance(target)
    assert found is not None
    assert found["export"]["damaged_tiles"] == 1


def test_a_foreign_file_has_no_provenance(tmp_path: Path) -> None:
    path = tmp_path / "plain.tiff"
    tifffile.imwrite(path, np.zeros((32, 32, 3), np.uint8), photometric="rgb")

    assert read_provenance(path) is None
    with pytest.raises(ExportError, match="carries no checksums"):
        verify_slide(path)


def test_verify_names_what_is_wrong_with_other_people_s_files(tmp_path: Path) -> None:
    text, gone = tmp_path / "text.ome.tiff", tmp_path / "gone.ome.tiff"
    text.write_text("no picture")
    expected = {text: "no sound TIFF", gone: "does not exist", tmp_path: "folder"}

    for path, reason in expected.items():
        with pytest.raises(ExportError, match=reason) as caught:
            verify_slide(path)
        assert str(path) in str(caught.value)
        assert str(caught.value).count(". ") == 0


def test_verify_finds_a_single_changed_byte(target: Path) -> None:
    write_slide(Gradient(1100, 600), target, provenance=RECORD)
    with tifffile.TiffFile(target) as tiff:
        at = tiff.pages.first.dataoffsets[1] + tiff.pages.first.databytecounts[1] // 2
    content = bytearray(target.read_bytes())
    content[at] ^= 1
    target.write_bytes(content)

    with pytest.raises(ExportError, match=r"damaged|checksum differs"):
        verify_slide(target)


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
        (target, {}, "exists"),
        (target.parent, {}, "is a folder"),
        (target.parent / "none" / "x.tiff", {}, "make the folder"),
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


def test_progress_reaches_the_end(target: Path) -> None:
    seen: list[tuple[int, int]] = []

    write_slide(Gradient(), target, provenance=RECORD, progress=lambda *n: seen.append(n))

    assert [done for done, _ in seen] == list(range(1, len(seen) + 1))
    assert seen[-1][0] == seen[-1][1]


def test_large_files_get_64_bit_offsets() -> None:
    small = Layout.of(20000, 20000, "deflate", 90, 0.5)
    large = Layout.of(40000, 40000, "deflate", 90, 0.5)

    assert not small.big
    assert large.big


def test_a_bigtiff_opens_everywhere(target: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("stainapp.slides.ome_tiff._CLASSIC_LIMIT", 0)

    write_slide(Gradient(1100, 900), target, provenance=RECORD)

    with tifffile.TiffFile(target) as tiff:
        assert tiff.is_bigtiff
    assert verify_slide(target)["levels"] == [(1100, 900), (550, 450), (275, 225)]


def test_memory_does_not_grow_with_the_slide(tmp_path: Path) -> None:
    script = textwrap.dedent("""
        import json, resource, sys
        from pathlib import Path
        from tests.slides.test_writer import Gradient
        from stainapp.slides.writer import write_slide
        side = int(sys.argv[1])
        write_slide(Gradient(side, side), Path(sys.argv[2]), provenance={}, workers=2)
        print(json.dumps(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss))
    """)
    pytest.importorskip("resource", reason="peak memory is measured as POSIX does")

    peaks = []
    for side in (4000, 12000):
        command = [sys.executable, "-c", script, str(side), str(tmp_path / f"{side}.tiff")]
        done = subprocess.run(
            command, capture_output=True, text=True, check=True, cwd=Path(__file__).parents[2]
        )
        peaks.append(json.loads(done.stdout))

    assert peaks[1] < 1.1 * peaks[0]
