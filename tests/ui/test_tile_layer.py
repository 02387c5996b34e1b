from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from numpy.typing import NDArray
from PySide6.QtGui import QColor, QImage, QPainter, QPixmap, QTransform
from PySide6.QtWidgets import QStyleOptionGraphicsItem
from pytestqt.qtbot import QtBot

from stainapp.geometry import Rect
from stainapp.tiles.cache import TileCache
from stainapp.tiles.grid import TileGrid, TileKey, View
from stainapp.ui.feeds import Tile, TileFeed
from stainapp.ui.tile_layer import TileLayer, best_level
from tests.ui.fakes import BLUE, GREEN, ROSE, PlainSlide, PositionSlide

SIDE = 240


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(2) as pool:
        yield pool


def feed_with(
    qtbot: QtBot, slide: PlainSlide, pool: ThreadPoolExecutor, keys: list[TileKey]
) -> TileFeed:
    feed = TileFeed(slide, TileCache[Tile](256 << 20), pool)
    feed.want(keys)
    qtbot.waitUntil(lambda: all(feed.tile(key) is not None for key in keys))
    return feed


def tiles_of(slide: PlainSlide, view: View, level: int) -> list[TileKey]:
    return TileGrid(slide.info).tiles_in_view(view, level)


def paint(
    layer: TileLayer, zoom: float, turn: float = 0.0, ratio: float = 1.0
) -> NDArray[np.uint8]:
    """Paint around slide position 1000, 1000 on a green ground; return height x width x 3."""
    image = QImage(round(SIDE * ratio), round(SIDE * ratio), QImage.Format.Format_RGB32)
    image.setDevicePixelRatio(ratio)
    image.fill(QColor(*GREEN))
    painter = QPainter(image)
    world = QTransform.fromTranslate(SIDE / 2, SIDE / 2)
    world.rotate(turn)
    world.scale(zoom, zoom)
    world.translate(-1000, -1000)
    painter.setWorldTransform(world)
    layer.paint(painter, QStyleOptionGraphicsItem())
    painter.end()
    rows = np.frombuffer(image.constBits(), np.uint8).reshape(image.height(), -1, 4)
    return rows[..., 2::-1].copy()


@pytest.mark.parametrize("ratio", [1.0, 1.25, 1.5, 2.0])
@pytest.mark.parametrize("turn", [0, 90, 20, 37.3, 301])
@pytest.mark.parametrize("smooth", [True, False])
def test_no_seam_shows_between_tiles(
    qtbot: QtBot, pool: ThreadPoolExecutor, ratio: float, turn: float, smooth: bool
) -> None:
    slide = PlainSlide(ROSE)
    for zoom in (0.2137, 0.5, 0.731, 1.3):
        view = View(1000, 1000, SIDE / zoom, SIDE / zoom, turn)
        keys = tiles_of(slide, view, 0)
        layer = TileLayer()
        layer.set_feeds([feed_with(qtbot, slide, pool, keys)])
        layer.set_view(view, keys)
        layer.set_smooth(smooth)

        picture = paint(layer, zoom, turn, ratio)

        assert (picture == ROSE).all()


def test_a_missing_tile_is_painted_from_a_coarser_one(
    qtbot: QtBot, pool: ThreadPoolExecutor
) -> None:
    slide = PlainSlide(ROSE)
    view = View(1000, 1000, SIDE, SIDE)
    layer = TileLayer()
    layer.set_feeds([feed_with(qtbot, slide, pool, [TileKey(3, 0, 0)])])
    layer.set_view(view, tiles_of(slide, view, 0))

    assert (paint(layer, 1.0) == ROSE).all()
    assert layer.incomplete


@pytest.mark.parametrize("turn", [0, 20])
@pytest.mark.parametrize("zoom", [0.55, 0.7])
def test_tiles_shown_small_are_painted_from_their_halves_while_the_view_moves(
    qtbot: QtBot,
    pool: ThreadPoolExecutor,
    monkeypatch: pytest.MonkeyPatch,
    zoom: float,
    turn: float,
) -> None:
    slide = PositionSlide()
    view = View(1000, 1000, SIDE / zoom, SIDE / zoom, turn)
    keys = tiles_of(slide, view, 0)
    feed = feed_with(qtbot, slide, pool, keys)
    layer = TileLayer()
    layer.set_feeds([feed])
    layer.set_view(view, keys)
    asked = []
    half = feed.half

    def watched(key: TileKey) -> QPixmap | None:
        asked.append(key)
        return half(key)

    monkeypatch.setattr(feed, "half", watched)

    smooth = paint(layer, zoom, turn).astype(int)
    at_rest = list(asked)
    layer.set_smooth(False)
    moving = paint(layer, zoom, turn).astype(int)

    assert at_rest == []
    assert asked == keys
    # Red and green tell the place: both pictures lie where the other does.
    assert abs(moving - smooth).max() <= 1


def test_after_zooming_out_finer_tiles_stand_in(qtbot: QtBot, pool: ThreadPoolExecutor) -> None:
    slide = PlainSlide(ROSE)
    view = View(1000, 1000, SIDE, SIDE)
    layer = TileLayer()
    layer.set_feeds([feed_with(qtbot, slide, pool, tiles_of(slide, view, 0))])
    layer.set_view(view, tiles_of(slide, view, 1))

    assert (paint(layer, 1.0) == ROSE).all()


def test_exact_tiles_cover_the_preview_and_the_preview_covers_the_model_before(
    qtbot: QtBot, pool: ThreadPoolExecutor
) -> None:
    view = View(1024, 1000, SIDE, SIDE)
    exact, preview, before = (
        PlainSlide(colour, name)
        for colour, name in ((ROSE, "exact"), (BLUE, "preview"), ((9, 9, 9), "before"))
    )
    keys = tiles_of(exact, view, 0)
    left = [key for key in keys if key.column == 1]
    layer = TileLayer()
    layer.set_feeds(
        [
            feed_with(qtbot, exact, pool, [left[0]]),
            feed_with(qtbot, preview, pool, left),
            feed_with(qtbot, before, pool, keys),
        ]
    )
    layer.set_view(view, keys)

    picture = paint(layer, 1.0)

    shown = {tuple(colour) for colour in picture.reshape(-1, 3).tolist()}
    assert shown == {ROSE, BLUE, (9, 9, 9)}
    assert tuple(picture[-1, -1]) == (9, 9, 9)


def test_where_nothing_is_here_yet_nothing_is_painted(
    qtbot: QtBot, pool: ThreadPoolExecutor
) -> None:
    slide = PlainSlide(ROSE)
    view = View(1000, 1000, SIDE, SIDE)
    layer = TileLayer()
    layer.set_feeds([feed_with(qtbot, slide, pool, [])])
    layer.set_view(view, tiles_of(slide, view, 0))

    assert (paint(layer, 1.0) == GREEN).all()


@pytest.mark.parametrize("colour", [(245, 245, 245), (12, 12, 12)])
def test_damage_is_hatched_on_light_and_on_dark_and_nowhere_else(
    qtbot: QtBot, pool: ThreadPoolExecutor, colour: tuple[int, int, int]
) -> None:
    slide = PlainSlide(colour)
    view = View(1000, 1000, SIDE, SIDE)
    keys = tiles_of(slide, view, 0)
    layer = TileLayer()
    layer.set_feeds([feed_with(qtbot, slide, pool, keys)])
    layer.set_view(view, keys)
    layer.set_damage([Rect(1000, 1000, 100, 100)])

    picture = paint(layer, 1.0).astype(int)

    hatched = picture[125:215, 125:215]
    assert (abs(hatched - colour).max(axis=-1) > 40).mean() > 0.1
    assert (picture[:100] == colour).all()


def test_the_level_is_chosen_by_device_pixels() -> None:
    grid = TileGrid(PlainSlide().info)

    levels = [best_level(grid, 0.25, ratio) for ratio in (1.0, 1.25, 1.5, 2.0)]

    assert [grid.steps[level].downsample for level in levels] == [4.0, 2.0, 2.0, 2.0]
