from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from stainapp.compare.figure import abreast, figure, grid
from stainapp.errors import ExportError, StainAppError
from stainapp.slides.reader import RgbImage
from tests.compare.tissue import MPP, tiles

HEADINGS = ["source", "generated", "target"]


def rows(count: int = 2) -> list[list[RgbImage]]:
    columns = [tiles(stain, count=count) for stain in ("H&E", "PAS", "PAS")]
    return [list(row) for row in zip(*columns, strict=True)]


def test_every_picture_is_in_the_file_to_the_pixel(tmp_path: Path) -> None:
    path = tmp_path / "step 100 \u00e4.png"

    figure(rows(), HEADINGS, path)

    found = np.array(Image.open(path))
    for row in rows():
        for picture in row:
            first = picture[0, 0]
            places = np.argwhere((found == first).all(axis=2))
            assert any(np.array_equal(found[y : y + 128, x : x + 128], picture) for y, x in places)
    assert [one.name for one in tmp_path.iterdir()] == [path.name]


def test_a_scale_bar_and_captions_are_drawn() -> None:
    plain, full = grid(rows(), HEADINGS), grid(rows(), HEADINGS, MPP, ["one", "two"])

    assert full.height > plain.height
    assert full.width == plain.width
    bare = grid(rows(), HEADINGS, None, ["one", "two"])
    changed = np.argwhere((np.array(full) != np.array(bare)).any(axis=2))
    assert changed.max(axis=0)[1] < 140  # the bar lies in the first picture alone


def test_two_rows_abreast_hold_the_same_pictures_in_half_the_height() -> None:
    four = rows(4)

    wide, headings = abreast(four, HEADINGS)

    assert headings == HEADINGS * 2
    assert [id(one) for row in wide for one in row] == [id(one) for row in four for one in row]
    assert grid(wide, headings).height < 0.6 * grid(four, HEADINGS).height
    assert abreast(rows(3), HEADINGS)[1] == HEADINGS


def test_a_long_heading_does_not_run_into_the_next() -> None:
    one, other = (
        np.array(grid(rows(), [text, "", ""])) for text in ("a very long heading" * 9, "")
    )

    changed = np.argwhere((one != other).any(axis=2))
    assert 0 < changed[:, 1].max() <= 6 + 128


def test_a_failed_write_leaves_the_old_figure(tmp_path: Path) -> None:
    path = tmp_path / "figure.png"
    path.mkdir()

    with pytest.raises(ExportError, match=r"figure\.png could not be written"):
        figure(rows(), HEADINGS, path)

    assert [one.name for one in tmp_path.iterdir()] == ["figure.png"]


@pytest.mark.parametrize("headings", [["source"], [*HEADINGS, "more"]])
def test_rows_that_do_not_fit_the_headings_are_refused(headings: list[str]) -> None:
    with pytest.raises(StainAppError, match="make no grid"):
        grid(rows(), headings)
