from pathlib import Path

import numpy as np
import pytest

from stainapp.slides.opening import open_slide
from stainapp.slides.stain_guess import guess_stain, stain_of

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
