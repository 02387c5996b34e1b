"""The split as a picture, of a few slides and of a folder's many images."""

from pytestqt.qtbot import QtBot

from stainapp.ui.train_advanced import named_as_here
from stainapp.ui.train_check import Area
from stainapp.ui.train_split import COLOURS, MOST_SHOWN, SplitPicture, shown_slides


def area(number: int, split: str = "train") -> Area:
    whole = (0.0, 0.0, 128.0, 128.0)
    return Area("source", f"/tiles/{number}.png", split, "", whole, ((0.0, 0.0, 128.0),))


def test_of_many_images_a_part_is_shown_and_both_splits_are_in_it() -> None:
    areas = [area(n, "train" if n < 4000 else "validation") for n in range(5000)]

    shown = shown_slides(areas, "source")

    assert MOST_SHOWN / 2 < len(shown) <= MOST_SHOWN
    assert areas[0].slide in shown
    assert any(one.slide in shown for one in areas if one.split == "validation")
    assert shown_slides(areas, "target") == []


def test_many_images_fill_the_picture_with_their_tiles(qtbot: QtBot) -> None:
    picture = SplitPicture()
    qtbot.addWidget(picture)
    picture.resize(400, 500)
    picture.show_split(tuple(area(n) for n in range(500)), {})

    image = picture.grab().toImage()

    blue = COLOURS["train"]
    rows = {
        y
        for y in range(image.height())
        for x in range(0, image.width(), 2)
        if image.pixelColor(x, y) == blue
    }
    assert max(rows) - min(rows) > image.height() / 2


def test_a_sentence_on_a_recipe_names_the_boxes_of_the_dialog() -> None:
    assert named_as_here("Draw a larger region or lower data.tile_px.") == (
        "Draw a larger region or lower “Crop (px)” under Advanced values."
    )
    assert named_as_here("a.tiff has no scale; add mpp to it in the recipe.") == (
        "a.tiff has no scale; give its scale."
    )
