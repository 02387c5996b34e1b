"""The picture does not depend on how the slide was cut, and the cuts do not show."""

from contextlib import closing
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from stainapp.models.calibration import calibrate_slide
from stainapp.models.card import ModelCard
from stainapp.models.opening import open_stainer
from stainapp.models.stainer import Stainer
from stainapp.slides.opening import open_slide
from stainapp.slides.reader import RgbImage, SlideReader
from tests.models.conftest import Made
from tests.models.factories import (
    MODELS,
    ArraySlide,
    opened,
    resnet_model,
    tissue_image,
)

EDGE_OF_TISSUE = (5000, 9000)
"""On BS25_HE: a field half tissue, half glass."""


def in_pieces(slide: SlideReader, x: int, y: int, side: int, edges: list[int]) -> RgbImage:
    """Read a square in pieces whose borders lie at ``edges``, last piece first."""
    result = np.zeros((side, side, 3), np.uint8)
    spans = list(zip(edges, [*edges[1:], side], strict=True))
    for top, bottom in reversed(spans):
        for left, right in reversed(spans):
            result[top:bottom, left:right] = slide.read(
                x + left, y + top, 0, right - left, bottom - top
            )
    return result


def difference(one: RgbImage, other: RgbImage) -> int:
    return int(np.abs(one.astype(int) - other).max())


def assert_cuts_do_not_matter(
    make: Made, source: SlideReader, stainer: Stainer, x: int, y: int, side: int
) -> None:
    state = calibrate_slide(source, stainer)
    whole = make(source, stainer, state).read(x, y, 0, side, side)
    part = min(side, 640)

    quarters = [0, side // 4, side // 2, side * 3 // 4]
    shifted = [0, 77, 77 + part // 3, 91 + part // 2]
    pieces = in_pieces(make(source, stainer, state), x, y, side, quarters)
    elsewhere = in_pieces(make(source, stainer, state), x, y, part, shifted)

    assert whole.std() > 10
    assert difference(whole, pieces) <= 1
    assert difference(whole[:part, :part], elsewhere) <= 1


@pytest.mark.parametrize("name", MODELS)
def test_a_region_is_the_same_however_it_is_cut(name: str, tmp_path: Path, virtual: Made) -> None:
    source = ArraySlide(tissue_image())

    assert_cuts_do_not_matter(virtual, source, opened(name, tmp_path), 101, 53, 800)


@pytest.mark.parametrize("name", MODELS)
def test_a_real_region_is_the_same_however_it_is_cut(
    name: str, tmp_path: Path, data: Path, virtual: Made
) -> None:
    with closing(open_slide(data / "slides" / "BS25_HE.tiff")) as source:
        assert_cuts_do_not_matter(
            virtual, source, opened(name, tmp_path), *EDGE_OF_TISSUE, side=2048
        )


def test_moving_the_network_s_own_grid_moves_nothing_in_the_picture(
    tmp_path: Path, virtual: Made
) -> None:
    source, folder = ArraySlide(tissue_image()), resnet_model(tmp_path / "m")
    stainer = open_stainer(folder, device="cpu", precision="fp32")
    replace(ModelCard.read(folder), tile=320).write(folder)
    wider = open_stainer(folder, device="cpu", precision="fp32")
    state = calibrate_slide(source, stainer)

    one = virtual(source, stainer, state).read(0, 0, 0, 700, 700)
    other = virtual(source, wider, state).read(0, 0, 0, 700, 700)

    assert difference(one, other) <= 1


def step_across(image: RgbImage, first: int, stride: int) -> float:
    """Return the mean step across the grid's borders over the mean of all steps."""
    steps = np.abs(np.diff(image.astype(float), axis=1)).mean(axis=(0, 2))
    borders = np.arange(first, len(steps), stride)
    inside = np.delete(steps, borders)
    return float(steps[borders].mean() / inside.mean())


@pytest.mark.parametrize("name", ["resnet", "unet"])
def test_the_network_s_grid_does_not_show(
    name: str, tmp_path: Path, data: Path, virtual: Made
) -> None:
    with closing(open_slide(data / "slides" / "BS25_HE.tiff")) as source:
        stainer = opened(name, tmp_path)
        slide = virtual(source, stainer, calibrate_slide(source, stainer))
        stride = stainer.card.tile - 2 * stainer.card.halo
        x, y = (value // stride * stride for value in EDGE_OF_TISSUE)

        stained, real = (reader.read(x, y, 0, 1024, 1024) for reader in (slide, source))

    offset = -stainer.card.halo % stride if stainer.card.blend == "overlap" else 0
    first = (offset - 1) % stride
    assert step_across(stained, first, stride) <= 1.05 * step_across(real, first, stride)
