from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from PySide6.QtCore import QPoint, Qt
from pytestqt.qtbot import QtBot

from stainapp.slides.reader import RgbImage
from stainapp.tiles.grid import View
from stainapp.ui.minimap import Minimap
from tests.ui.fakes import LEVELS, PlainSlide


class TissueSlide(PlainSlide):
    """White, with a purple square over its left half."""

    def pixels(self, x: int, y: int, level: int, width_px: int, height_px: int) -> RgbImage:
        scale = LEVELS[level].downsample
        image = np.full((height_px, width_px, 3), 244, np.uint8)
        columns = x + np.arange(width_px) * scale
        rows = y + np.arange(height_px) * scale
        inside = ((rows > 500) & (rows < 2500))[:, None] & ((columns > 300) & (columns < 1800))
        image[inside] = (140, 70, 150)
        return image


@pytest.fixture
def minimap(qtbot: QtBot) -> Iterator[Minimap]:
    with ThreadPoolExecutor(1) as pool:
        minimap = Minimap(pool)
        qtbot.addWidget(minimap)
        yield minimap
        minimap.forget()


def count_red(minimap: Minimap) -> int:
    image = minimap.grab().toImage()
    colours = (image.pixelColor(x, y) for x in range(image.width()) for y in range(image.height()))
    return sum(
        abs(colour.red() - 214) + abs(colour.green() - 40) + abs(colour.blue() - 40) < 90
        for colour in colours
    )


def test_the_map_has_the_slides_shape(qtbot: QtBot, minimap: Minimap) -> None:
    minimap.show_slide(PlainSlide())

    assert minimap.width() / minimap.height() == pytest.approx(4096 / 3072, rel=0.02)


def test_the_outline_of_the_tissue_is_found_on_a_thread(qtbot: QtBot, minimap: Minimap) -> None:
    minimap.show_slide(TissueSlide())

    qtbot.waitUntil(lambda: minimap.overview is not None and bool(minimap.overview.outlines))

    assert minimap.overview is not None
    box = minimap.overview.outlines[0].boundingRect()
    assert box.left() == pytest.approx(300, abs=80)
    assert box.right() == pytest.approx(1800, abs=80)


def test_a_click_asks_to_go_to_the_place_under_it(qtbot: QtBot, minimap: Minimap) -> None:
    minimap.show_slide(PlainSlide())
    centre = QPoint(minimap.width() // 2, minimap.height() // 2)

    with qtbot.waitSignal(minimap.place_chosen) as chosen:
        qtbot.mouseClick(minimap, Qt.MouseButton.LeftButton, pos=centre)

    assert chosen.args == pytest.approx([2048, 1536], abs=40)


def test_the_frame_follows_the_view(qtbot: QtBot, minimap: Minimap) -> None:
    minimap.show_slide(PlainSlide((240, 240, 240)))
    minimap.show_view(View(2048, 1536, 1000, 800))
    framed = count_red(minimap)

    minimap.show_view(View(-90_000, 0, 1000, 800))

    assert framed > 40
    assert count_red(minimap) == 0


def test_a_hidden_map_stays_hidden_for_the_next_slide(qtbot: QtBot, minimap: Minimap) -> None:
    minimap.show_slide(PlainSlide())
    minimap.set_wished(False)

    minimap.show_slide(PlainSlide(identity="next"))

    assert minimap.isHidden()


def test_forgetting_a_slide_waits_until_it_is_not_read_any_more(
    qtbot: QtBot, minimap: Minimap
) -> None:
    slide = PlainSlide()
    slide.proceed.clear()
    minimap.show_slide(slide)
    assert slide.begun.wait(5)
    with ThreadPoolExecutor(1) as other:
        other.submit(slide.proceed.set)
        minimap.forget()

    reads = len(slide.reads)
    assert minimap.overview is None
    assert len(slide.reads) == reads
