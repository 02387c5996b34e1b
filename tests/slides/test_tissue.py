from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from stainapp.slides.opening import open_slide
from stainapp.slides.tissue import choose_tissue, mask_of, tissue_mask
from tests.slides.fakes import ArraySlide

HAEMATOXYLIN_EOSIN = (180, 120, 170)
GLASS = (240, 240, 242)


def field(width: int = 400, height: int = 300) -> np.ndarray:
    return np.full((height, width, 3), GLASS, np.uint8)


def tissue_at(picture: np.ndarray, x: int, y: int, side: int = 100) -> np.ndarray:
    picture[y : y + side, x : x + side] = HAEMATOXYLIN_EOSIN
    return picture


def test_tissue_is_found_to_the_pixel_row() -> None:
    mask = mask_of(tissue_at(field(), 60, 50))

    expected = np.zeros(mask.shape, bool)
    expected[50:150, 60:160] = True
    assert (mask ^ expected).sum() < 0.1 * expected.sum()


@pytest.mark.parametrize("glass", [0, 128, 240, 255])
def test_a_blank_slide_has_no_tissue(glass: int) -> None:
    blank = np.full((300, 400, 3), glass, np.uint8)
    speckled = blank ^ np.random.default_rng(0).integers(0, 2, blank.shape, np.uint8)

    if glass != 128:  # evenly grey is a field of tissue as much as it is dirty glass
        assert not mask_of(blank).any()
        assert not mask_of(speckled).any()
    assert choose_tissue(ArraySlide(np.full((300, 400, 3), 255, np.uint8)), 4, 64) == []


@pytest.mark.parametrize("ink", [(20, 110, 60), (200, 20, 30), (20, 80, 200)])
def test_marker_ink_is_no_tissue(ink: tuple[int, int, int]) -> None:
    picture = tissue_at(field(), 60, 50)
    picture[:, 300:330] = ink

    mask = mask_of(picture)

    assert not mask[:, 290:340].any()
    assert mask[60:140, 70:150].all()


def test_a_black_border_is_no_tissue() -> None:
    picture = tissue_at(field(), 150, 100)
    picture[:, :30] = picture[:20] = 5

    mask = mask_of(picture)

    assert not mask[:, :34].any()
    assert mask[110:190, 160:240].all()


def test_bright_tissue_is_found_on_a_dark_field() -> None:
    picture = np.full((300, 400, 3), 3, np.uint8)
    picture[50:150, 60:160] = (0, 0, 120)

    mask = mask_of(picture)

    assert mask[60:140, 70:150].all()
    assert mask.mean() < 0.12


def test_chosen_squares_lie_on_tissue_apart_and_are_always_the_same() -> None:
    slide = ArraySlide(tissue_at(tissue_at(field(), 20, 20), 280, 180))

    chosen = choose_tissue(slide, 6, 25)

    assert chosen == choose_tissue(slide, 6, 25)
    assert len(chosen) == 6
    pixels = [slide.read(int(r.x), int(r.y), 0, 25, 25) for r in chosen]
    assert all((p == HAEMATOXYLIN_EOSIN).all(axis=2).mean() >= 0.5 for p in pixels)
    assert {r.x > 200 for r in chosen} == {True, False}
    assert all(a == b or a.intersected(b).empty for a in chosen for b in chosen)


def test_sparse_tissue_is_chosen_where_there_is_none_better() -> None:
    slide = ArraySlide(tissue_at(field(), 100, 100, side=40))

    chosen = choose_tissue(slide, 4, 100, min_tissue=0.9)

    assert len(chosen) >= 1


def test_a_mask_knows_its_scale() -> None:
    slide = ArraySlide(
        np.asarray(Image.fromarray(tissue_at(field(), 100, 100)).resize((1600, 1200), 0))
    )

    mask, downsample = tissue_mask(slide, max_px=400)

    assert mask.shape == (300, 400)
    assert downsample == pytest.approx(4)


def test_real_tissue_is_found_and_the_pens_are_not(data: Path) -> None:
    shares = {
        name: tissue_mask(open_slide(data / folder / name))[0].mean()
        for folder, name in [
            ("slides", "BS25_HE.tiff"),
            ("slides", "melanosiscoli_PAS.tiff"),
            ("slides", "ndpi_test3-DAPI.ndpi"),
        ]
    }
    pen, _ = tissue_mask(open_slide(data / "fields" / "tcga-red-pen.png"))

    assert all(0.1 < share < 0.5 for share in shares.values())
    assert pen[:, :150].mean() < 0.4
    assert pen[150:300, 250:].mean() > 0.8


def test_sixteen_tissue_squares_are_found_on_every_real_slide(data: Path) -> None:
    for name in ("BS25_HE.tiff", "BS25_CHR.tiff", "melanosiscoli_HE.tiff"):
        assert len(choose_tissue(open_slide(data / "slides" / name), 16, 256)) == 16
