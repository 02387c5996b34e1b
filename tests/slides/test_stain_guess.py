from pathlib import Path

import numpy as np
import pytest

from stainapp.geometry import Rect
from stainapp.slides.damage import DamageTolerant
from stainapp.slides.opening import open_slide
from stainapp.slides.stain_guess import UNKNOWN, guess_stain, stain_of
from tests.slides.fakes import ArraySlide

HAEMATOXYLIN, EOSIN, DAB, SCHIFF = (
    np.array(vector)
    for vector in ((0.65, 0.70, 0.29), (0.07, 0.99, 0.11), (0.27, 0.57, 0.78), (0.30, 0.80, 0.42))
)


def stained(cells: np.ndarray, ground: np.ndarray) -> np.ndarray:
    """Render a field by Beer-Lambert: a ground of one stain with dense cells of another."""
    density = np.zeros((200, 200, 3))
    density[40:160, 40:160] = 0.35 * ground
    for x in range(50, 150, 20):
        density[50:150, x : x + 8] = 0.9 * cells
    return np.clip(245 * 10**-density, 0, 255).astype(np.uint8)


@pytest.mark.parametrize(
    ("cells", "ground", "expected"),
    [
        (HAEMATOXYLIN, 0.5 * HAEMATOXYLIN + EOSIN, "H&E"),
        (HAEMATOXYLIN, HAEMATOXYLIN, "haematoxylin"),
        (DAB, HAEMATOXYLIN, "DAB"),
        (SCHIFF, 0.8 * SCHIFF + 0.4 * HAEMATOXYLIN, "PAS"),
        (np.ones(3), np.ones(3), "grey"),
    ],
)
def test_a_mixture_is_recognised_by_its_directions(
    cells: np.ndarray, ground: np.ndarray, expected: str
) -> None:
    assert stain_of(stained(cells, ground)) == expected


def test_a_field_without_stain_is_unstained() -> None:
    assert stain_of(np.full((100, 100, 3), 245, np.uint8)) == "unstained"


def test_bright_on_black_is_fluorescence() -> None:
    picture = np.zeros((100, 100, 3), np.uint8)
    picture[40:60, 40:60, 2] = 200

    assert stain_of(picture) == "fluorescence"


def damaged_from(row: int, *levels: np.ndarray) -> DamageTolerant:
    """Return a slide whose finest level can be read down to a row."""
    slide = ArraySlide(*levels)
    lost = Rect(0, row, 9999, 9999)
    slide.broken = lambda level, rect: level == 0 and not rect.intersected(lost).empty
    return DamageTolerant(slide)


def enlarged(picture: np.ndarray, times: int) -> np.ndarray:
    return np.kron(picture, np.ones((times, times, 1), np.uint8))


def test_a_slide_cut_short_is_judged_by_the_part_that_was_read() -> None:
    fine = enlarged(stained(HAEMATOXYLIN, 0.5 * HAEMATOXYLIN + EOSIN), 5)
    stand_in = stained(DAB, HAEMATOXYLIN)
    slide = damaged_from(512, fine, stand_in)

    assert guess_stain(slide) == "H&E"
    assert slide.damaged != ()


def test_stand_ins_are_no_part_of_the_guess() -> None:
    picture = np.zeros((512, 512, 3), np.uint8)
    picture[100:140, 100:140, 2] = 200  # a dark field whose larger part is shown by white

    assert guess_stain(damaged_from(256, picture)) == "fluorescence"


@pytest.mark.parametrize("row", [0, 256])
def test_a_slide_whose_tissue_could_not_be_read_is_unknown(row: int) -> None:
    picture = np.full((512, 512, 3), 245, np.uint8)
    picture[256:] = (200, 80, 160)

    assert guess_stain(damaged_from(row, picture)) == UNKNOWN


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("slides/BS25_HE.tiff", "H&E"),
        ("slides/melanosiscoli_HE.tiff", "H&E"),
        ("slides/CMU-1-Small-Region.svs", "H&E"),
        ("slides/TCGA-CR-7395-01A-01-TS1.svs", "H&E"),
        ("slides/melanosiscoli_PAS.tiff", "PAS"),
        ("slides/BS25_CHR.tiff", "DAB"),
        ("slides/BS25_SYN.tiff", "DAB"),
        ("same-slide-two-scanners/OS-2-ndpi.ome.tif", "DAB"),
        ("slides/ndpi_test3-DAPI.ndpi", "fluorescence"),
    ],
)
def test_real_slides_are_recognised(data: Path, name: str, expected: str) -> None:
    assert guess_stain(open_slide(data / name)) == expected
