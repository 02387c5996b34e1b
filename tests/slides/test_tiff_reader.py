import tracemalloc
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile

from stainapp.errors import SlideError
from stainapp.slides.opening import open_slide
from stainapp.slides.tiff_reader import TiffReader
from tests.slides.fakes import noise, smooth

UM = {"PhysicalSizeX": 0.25, "PhysicalSizeXUnit": "µm", "PhysicalSizeY": 0.25}


def whole(path: Path) -> np.ndarray:
    info = (reader := TiffReader(path)).info
    return reader.read(0, 0, 0, info.width_px, info.height_px)


@pytest.mark.parametrize("compression", [None, "deflate", "lzw", "zstd"])
@pytest.mark.parametrize("layout", [{"tile": (64, 48)}, {"rowsperstrip": 7}])
@pytest.mark.parametrize("planar", ["contig", "separate"])
def test_lossless_pixels_come_back_exactly(
    tmp_path: Path, compression: str | None, layout: dict[str, Any], planar: str
) -> None:
    picture, path = noise(150, 101), tmp_path / "a.tif"
    pixels = picture if planar == "contig" else np.moveaxis(picture, 2, 0)
    tifffile.imwrite(
        path, pixels, photometric="rgb", planarconfig=planar, compression=compression, **layout
    )

    assert np.array_equal(whole(path), picture)


@pytest.mark.parametrize("compression", ["jpeg", "jpeg2000"])
def test_lossy_pixels_come_back_in_the_right_colours(tmp_path: Path, compression: str) -> None:
    picture, path = smooth(256, 256), tmp_path / "a.tif"
    tifffile.imwrite(path, picture, photometric="rgb", compression=compression, tile=(128, 128))

    assert np.abs(whole(path).astype(int) - picture).mean() < 3


def test_jpeg_tiles_in_ycbcr_have_the_right_colours(tmp_path: Path) -> None:
    picture, path = smooth(256, 256), tmp_path / "a.tif"
    options = {"compressionargs": {"level": 95, "outcolorspace": "ycbcr"}}
    tifffile.imwrite(
        path, picture, photometric="rgb", compression="jpeg", tile=(128, 128), **options
    )

    assert np.abs(whole(path).astype(int) - picture).mean() < 3


def test_grey_and_sixteen_bits_become_rgb(tmp_path: Path) -> None:
    grey, deep = tmp_path / "grey.tif", tmp_path / "deep.tif"
    tifffile.imwrite(grey, np.full((20, 30), 77, np.uint8))
    tifffile.imwrite(deep, np.full((20, 30, 3), 77 * 257, np.uint16), photometric="rgb")

    assert (whole(grey) == 77).all()
    assert whole(grey).shape == (20, 30, 3)
    assert (whole(deep) == 77).all()


@pytest.mark.parametrize(("kind", "expected"), [("unassalpha", 178), ("assocalpha", 228)])
def test_half_transparent_pixels_are_laid_on_white(
    tmp_path: Path, kind: str, expected: int
) -> None:
    path = tmp_path / "a.tif"
    pixels = np.full((16, 16, 4), (100, 100, 100, 127), np.uint8)
    tifffile.imwrite(path, pixels, photometric="rgb", extrasamples=[kind])

    assert np.abs(whole(path).astype(int) - expected).max() <= 1


def write_ome(path: Path, picture: np.ndarray, **metadata: Any) -> None:
    with tifffile.TiffWriter(path, ome=True) as writer:
        options = {"photometric": "rgb", "tile": (64, 64)}
        writer.write(picture, subifds=2, metadata=metadata, **options)
        writer.write(picture[::2, ::2], subfiletype=1, **options)
        writer.write(picture[::4, ::4], subfiletype=1, **options)


def test_an_ome_pyramid_in_subifds_shows_all_its_levels(tmp_path: Path) -> None:
    picture, path = noise(501, 399), tmp_path / "a.ome.tif"
    write_ome(path, picture, **UM)

    reader = open_slide(path)

    assert reader.info.format == "ome-tiff"
    assert [level.downsample for level in reader.info.levels] == [1, 2, 4]
    assert reader.info.mpp == 0.25
    assert np.array_equal(reader.read(100, 80, 1, 30, 20), picture[80:120:2, 100:160:2])


@pytest.mark.parametrize(
    ("size", "unit", "expected"), [(250, "nm", 0.25), (0.00025, "mm", 0.25), (1, "pixel", None)]
)
def test_the_unit_of_an_ome_size_counts(
    tmp_path: Path, size: float, unit: str, expected: float | None
) -> None:
    path = tmp_path / "a.ome.tif"
    sizes = {f"PhysicalSize{axis}": size for axis in "XY"}
    write_ome(path, noise(64, 64), **sizes, PhysicalSizeXUnit=unit, PhysicalSizeYUnit=unit)

    assert open_slide(path).info.mpp == (pytest.approx(expected) if expected else None)


@pytest.mark.parametrize(
    ("resolution", "unit", "expected"),
    [
        ((20_000, 20_000), "CENTIMETER", 0.5),
        ((50_800, 50_800), "INCH", 0.5),
        ((72, 72), "INCH", None),
        ((96, 96), "INCH", None),
        ((20_000, 20_000), "NONE", None),
        ((20_000, 10_000), "CENTIMETER", None),
        ((20_000, 19_900), "CENTIMETER", 0.50125),
    ],
)
def test_resolution_tags_count_where_a_microscope_can_have_written_them(
    tmp_path: Path, resolution: tuple[int, int], unit: str, expected: float | None
) -> None:
    path = tmp_path / "a.tif"
    tifffile.imwrite(
        path, noise(64, 64), photometric="rgb", resolution=resolution, resolutionunit=unit
    )

    info = open_slide(path).info

    assert info.mpp == (pytest.approx(expected, rel=1e-4) if expected else None)


def test_a_flat_giant_is_read_in_little_memory(tmp_path: Path) -> None:
    path = tmp_path / "giant.tif"
    blank = (np.zeros((512, 512, 3), np.uint8) for _ in range(79 * 79))
    shape = {"shape": (40_000, 40_000, 3), "dtype": np.uint8, "tile": (512, 512)}
    tifffile.imwrite(path, blank, photometric="rgb", compression="zstd", **shape)

    tracemalloc.start()
    with_levels = open_slide(path)
    region = with_levels.read(30_000, 30_000, 0, 512, 512)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert not region.any()
    assert [level.downsample for level in with_levels.info.levels] == [1, 4, 16, 64]
    assert peak < 64 * 2**20


@pytest.mark.parametrize("compression", [None, "deflate"])
def test_strips_are_read_where_they_are_wanted(tmp_path: Path, compression: str | None) -> None:
    path = tmp_path / "strips.tif"
    picture = np.zeros((12_000, 3000, 3), np.uint8)
    picture[11_000:] = 9
    tifffile.imwrite(path, picture, photometric="rgb", rowsperstrip=16, compression=compression)

    tracemalloc.start()
    region = TiffReader(path).read(0, 10_900, 0, 200, 200)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert np.array_equal(region, picture[10_900:11_100, :200])
    assert peak < picture.nbytes / 10


def test_tiles_never_written_are_white(tmp_path: Path) -> None:
    path = tmp_path / "sparse.tif"
    tiles = iter([np.zeros((64, 64, 3), np.uint8), None])
    shape = {"shape": (64, 128, 3), "dtype": np.uint8, "tile": (64, 64)}
    tifffile.imwrite(path, tiles, photometric="rgb", compression="deflate", **shape)

    pixels = whole(path)

    assert not pixels[:, :64].any()
    assert (pixels[:, 64:] == 255).all()


def test_many_threads_read_what_one_would(tmp_path: Path) -> None:
    picture, path = noise(600, 600), tmp_path / "a.tif"
    tifffile.imwrite(path, picture, photometric="rgb", tile=(64, 64), compression="deflate")
    reader = TiffReader(path)
    corners = [(x, y) for x in range(0, 500, 50) for y in range(0, 500, 50)]

    with ThreadPoolExecutor(8) as pool:
        pieces = list(pool.map(lambda at: reader.read(at[0], at[1], 0, 100, 100), corners))

    for (x, y), piece in zip(corners, pieces, strict=True):
        assert np.array_equal(piece, picture[y : y + 100, x : x + 100])


def test_a_damaged_tile_names_the_file_and_spares_the_others(tmp_path: Path) -> None:
    picture, path = noise(128, 64), tmp_path / "a.tif"
    tifffile.imwrite(path, picture, photometric="rgb", tile=(64, 64), compression="deflate")
    with tifffile.TiffFile(path) as file:
        offset = file.pages[0].dataoffsets[1]
    with path.open("r+b") as raw:
        raw.seek(offset)
        raw.write(b"\xff" * 200)

    reader = TiffReader(path)

    with pytest.raises(SlideError, match=r"a\.tif is damaged or cut off at tile 1"):
        reader.read(64, 0, 0, 64, 64)
    assert np.array_equal(reader.read(0, 0, 0, 64, 64), picture[:, :64])


def test_samples_that_are_no_colours_are_declined(tmp_path: Path) -> None:
    path = tmp_path / "depth.tif"
    tifffile.imwrite(path, np.zeros((8, 8), np.float32))

    with pytest.raises(SlideError, match=r"depth\.tif holds float32 samples; convert"):
        TiffReader(path)


def test_both_scanners_fields_open_with_their_scale(data: Path) -> None:
    folder = data / "same-slide-two-scanners"

    sizes = [open_slide(path).info.mpp for path in sorted(folder.glob("*.tif"))]

    assert sizes == [pytest.approx(0.2271, abs=1e-4), pytest.approx(0.3461, abs=1e-4)]


def write_plain_pyramid(path: Path, width: int = 1022, height: int = 1100) -> Path:
    """Write levels as successive pages, the way generic TIFF slides have them."""
    picture = smooth(width, height)
    picture[::7, ::5] = noise(width, height)[::7, ::5]
    options: dict[str, Any] = {"photometric": "rgb", "tile": (256, 256), "compression": "deflate"}
    with tifffile.TiffWriter(path) as writer:
        for step in (1, 4):
            writer.write(picture[::step, ::step], subfiletype=int(step > 1), **options)
    return path
