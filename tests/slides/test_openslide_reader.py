import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import openslide
import pytest
import tifffile
from PIL import Image

from stainapp.errors import SlideError
from stainapp.slides.openslide_reader import OpenSlideReader
from tests.slides.test_tiff_reader import write_plain_pyramid


@pytest.fixture
def pyramid(tmp_path: Path) -> Path:
    """A small tiled pyramid that OpenSlide reads; 1022 px over 256 px is a downsample of 4."""
    return write_plain_pyramid(tmp_path / "pyramid.tif")


def bare(path: Path, x: int, y: int, level: int, width: int, height: int) -> np.ndarray:
    with openslide.OpenSlide(path) as slide:
        region = slide.read_region((x, y), level, (width, height))
        canvas = Image.new("RGB", region.size, "white")
        canvas.paste(region, mask=region.getchannel("A"))
        return np.array(canvas)


@pytest.mark.parametrize("at", [(0, 0), (300, 200), (-50, -20), (900, 1000)])
def test_level_0_is_what_openslide_reads_on_white(pyramid: Path, at: tuple[int, int]) -> None:
    region = OpenSlideReader(pyramid).read(*at, 0, 200, 150)

    assert np.array_equal(region, bare(pyramid, *at, 0, 200, 150))


def test_a_piece_of_a_coarse_level_is_a_piece_of_the_whole(pyramid: Path) -> None:
    reader = OpenSlideReader(pyramid)
    level = reader.info.levels[1]
    whole = reader.read(0, 0, 1, level.width_px, level.height_px)

    piece = reader.read(4 * 180, 4 * 200, 1, 64, 50)

    assert level.downsample == 4
    # OpenSlide blends where its own, inexact downsample does not divide: an eighth at most.
    assert np.abs(piece.astype(int) - whole[200:250, 180:244]).mean() < 2


def test_a_latched_handle_is_replaced_and_sound_parts_stay_readable(
    data: Path, tmp_path: Path
) -> None:
    path = tmp_path / "flipped.svs"
    shutil.copy(data / "slides" / "CMU-1-Small-Region.svs", path)
    reader = OpenSlideReader(path)
    sound = reader.read(0, 0, 0, 200, 200)
    with path.open("r+b") as file:
        file.seek(path.stat().st_size // 2)
        file.write(bytes(200_000))

    messages = []
    for row in range(12):
        try:
            reader.read(0, 240 * row, 0, 2220, 240)
        except SlideError as error:
            messages.append(str(error))

    assert 0 < len(messages) < 12
    assert all("flipped.svs is damaged" in message for message in messages)
    assert np.array_equal(reader.read(0, 0, 0, 200, 200), sound)


def test_another_threads_damage_fails_no_sound_read(data: Path, tmp_path: Path) -> None:
    path = tmp_path / "flipped.svs"
    shutil.copy(data / "slides" / "CMU-1-Small-Region.svs", path)
    with path.open("r+b") as file:
        file.seek(path.stat().st_size // 2)
        file.write(bytes(200_000))
    reader = OpenSlideReader(path)
    expected = reader.read(0, 0, 0, 200, 200)

    def read(n: int) -> bool | None:
        if n % 2:
            return bool(np.array_equal(reader.read(0, 0, 0, 200, 200), expected))
        with pytest.raises(SlideError):
            reader.read(0, 0, 0, 2220, 2967)
        return None

    with ThreadPoolExecutor(4) as pool:
        assert set(pool.map(read, range(16))) == {True, None}


def test_a_file_that_has_gone_away_is_one_sentence(pyramid: Path, tmp_path: Path) -> None:
    pyramid.write_bytes(pyramid.read_bytes()[:100])

    with pytest.raises(SlideError, match=r"pyramid\.tif is damaged or incomplete"):
        OpenSlideReader(pyramid)


@pytest.mark.parametrize(
    ("name", "format_", "mpp", "objective", "icc"),
    [
        ("CMU-1-Small-Region.svs", "aperio", 0.499, 20, "none"),
        ("TCGA-CR-7395-01A-01-TS1.svs", "aperio", None, None, "sRGB"),
        ("ndpi_test3-DAPI.ndpi", "hamamatsu", 0.2282, 40, "none"),
        ("osp_boxes_0.dcm", "dicom", 0.499, 20, "sRGB"),
    ],
)
def test_real_formats_say_what_they_are(
    data: Path, name: str, format_: str, mpp: float | None, objective: float | None, icc: str
) -> None:
    path = data / "slides" / name

    reader = OpenSlideReader(path)
    info = reader.info

    assert (info.format, info.objective, info.icc) == (format_, objective, icc)
    assert info.mpp == (pytest.approx(mpp, abs=1e-4) if mpp else None)
    width, height = min(info.width_px, 300), min(info.height_px, 300)
    centre = (info.width_px - width) // 2, (info.height_px - height) // 2
    region = reader.read(*centre, 0, width, height)
    assert np.abs(region.astype(int) - bare(path, *centre, 0, width, height)).max() <= 1


@pytest.mark.parametrize("name", ["TCGA-CR-7395-01A-01-TS1.svs", "CMU-1-Small-Region.svs"])
def test_a_pixel_is_the_same_wherever_a_read_begins(data: Path, name: str) -> None:
    reader = OpenSlideReader(data / "slides" / name)

    for level, size in enumerate(reader.info.levels):
        whole = reader.read(0, 0, level, size.width_px, size.height_px)
        for i, j in ((1, 2), (500, 333), (901, 777)):
            x, y = round(i * size.downsample), round(j * size.downsample)
            part = reader.read(x, y, level, 150, 140)
            assert np.array_equal(part, whole[j : j + 140, i : i + 150])


def test_levels_of_no_whole_ratio_do_not_drift(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    coarse = np.asarray(
        Image.fromarray(rng.integers(0, 255, (90, 120, 3), np.uint8)).resize((1001, 751))
    )
    path = tmp_path / "odd.tif"
    with tifffile.TiffWriter(path) as file:
        for level, (width, height) in enumerate(((2005, 1505), (1001, 751))):
            pixels = np.asarray(Image.fromarray(coarse).resize((width, height)))
            file.write(pixels, tile=(256, 256), photometric="rgb", subfiletype=int(level > 0))
    reader = OpenSlideReader(path)
    downsample = reader.info.levels[1].downsample

    whole = reader.read(0, 0, 1, 1001, 751)
    part = reader.read(round(700 * downsample), round(500 * downsample), 1, 200, 200)

    assert abs(downsample - round(downsample)) > 1e-4
    assert np.array_equal(part, whole[500:700, 700:900])
    assert np.abs(whole.astype(int) - coarse).mean() < 3
