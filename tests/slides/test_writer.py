"""Exports hold what the reader shows, and open everywhere."""

import json
import subprocess
import sys
import textwrap
from dataclasses import replace
from pathlib import Path

import numpy as np
import openslide
import pytest
import tifffile

from stainapp.geometry import Rect
from stainapp.slides.ome_tiff import Compression, Layout
from stainapp.slides.opening import open_slide
from stainapp.slides.phantom import PhantomSlide
from stainapp.slides.provenance import verify_slide
from stainapp.slides.reader import RgbImage
from stainapp.slides.writer import write_slide
from tests.slides.gradient import RECORD, Gradient


def halved(image: RgbImage) -> RgbImage:
    image = np.pad(image, ((0, image.shape[0] % 2), (0, image.shape[1] % 2), (0, 0)), mode="edge")
    height, width = image.shape[0] // 2, image.shape[1] // 2
    parts = image.reshape(height, 2, width, 2, 3).astype(np.uint16)
    mean: RgbImage = ((parts.sum(axis=(1, 3), dtype=np.uint16) + 2) // 4).astype(np.uint8)
    return mean


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
        from tests.slides.gradient import Gradient
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
