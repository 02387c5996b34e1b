from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from stainapp.slides.pyramid import with_levels
from tests.slides.fakes import ArraySlide, noise


def averaged(picture: np.ndarray, step: int) -> np.ndarray:
    height, width = (side // step * step for side in picture.shape[:2])
    blocks = picture[:height, :width].reshape(height // step, step, width // step, step, 3)
    return np.asarray(blocks.mean(axis=(1, 3)))


@pytest.mark.parametrize("in_bands", [False, True])
def test_each_added_level_is_the_area_average(in_bands: bool) -> None:
    picture = noise(9000, 700)

    slide = with_levels(ArraySlide(picture), in_bands=in_bands)
    levels = slide.info.levels

    assert [level.downsample for level in levels] == [1, 4, 16]
    for index in (1, 2):
        level = levels[index]
        got = slide.read(0, 0, index, level.width_px, level.height_px)
        expected = averaged(picture, int(level.downsample))
        inside = got[: expected.shape[0], : expected.shape[1]]
        assert np.abs(inside - expected).max() <= 1.01  # one rounding a level


def test_a_full_coarse_view_reads_each_pixel_once() -> None:
    source = ArraySlide(noise(9000, 700))
    slide = with_levels(source)
    level = slide.info.levels[-1]

    slide.read(0, 0, len(slide.info.levels) - 1, level.width_px, level.height_px)

    assert sum(width * height for *_, width, height in source.reads) == 9000 * 700


def test_pieces_read_by_many_threads_fit_together() -> None:
    slide = with_levels(ArraySlide(noise(5000, 3000)))
    level = slide.info.levels[1]
    whole = with_levels(ArraySlide(noise(5000, 3000))).read(
        0, 0, 1, level.width_px, level.height_px
    )
    corners = [
        (x, y) for y in range(0, level.height_px, 100) for x in range(0, level.width_px, 100)
    ]

    with ThreadPoolExecutor(8) as pool:
        pieces = list(pool.map(lambda at: slide.read(at[0] * 4, at[1] * 4, 1, 100, 100), corners))

    for (x, y), piece in zip(corners, pieces, strict=True):
        part = whole[y : y + 100, x : x + 100]
        assert np.array_equal(piece[: part.shape[0], : part.shape[1]], part)


def test_a_slide_with_an_overview_is_left_as_it_is() -> None:
    source = ArraySlide(noise(2048, 100))

    assert with_levels(source) is source
