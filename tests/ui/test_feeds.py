from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import get_ident
from typing import Any

import pytest
from pytestqt.qtbot import QtBot

from stainapp.slides.reader import Level, RgbImage
from stainapp.tiles.cache import TileCache
from stainapp.tiles.grid import TileKey
from stainapp.ui.feeds import Tile, TileFeed
from tests.ui.fakes import GREEN, PlainSlide, PositionSlide

A, B = TileKey(0, 0, 0), TileKey(0, 1, 0)


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(2) as pool:
        yield pool


def make_feed(slide: PlainSlide, pool: ThreadPoolExecutor, **options: Any) -> TileFeed:
    return TileFeed(slide, TileCache(64 << 20), pool, **options)


def colour(feed: TileFeed, key: TileKey, x: int = 0, y: int = 0) -> tuple[int, int, int]:
    pixmap = feed.tile(key)
    assert pixmap is not None
    pixel = pixmap.toImage().pixelColor(x, y)
    return pixel.red(), pixel.green(), pixel.blue()


def test_a_wanted_tile_arrives_with_the_slides_pixels(
    qtbot: QtBot, pool: ThreadPoolExecutor
) -> None:
    feed = make_feed(PlainSlide(GREEN), pool)

    with qtbot.waitSignal(feed.arrived) as arrived:
        feed.want([A])

    assert arrived.args == [A]
    assert colour(feed, A) == GREEN


def test_tiles_are_read_off_the_gui_thread(qtbot: QtBot, pool: ThreadPoolExecutor) -> None:
    threads = []

    def read(*where: Any) -> RgbImage:
        threads.append(get_ident())
        return slide.read(*where[:-1])

    slide = PlainSlide()
    feed = make_feed(slide, pool, read=read)
    with qtbot.waitSignal(feed.arrived):
        feed.want([A])

    assert threads
    assert get_ident() not in threads


def test_a_step_between_levels_shows_the_mean_of_the_finer_one(
    qtbot: QtBot, pool: ThreadPoolExecutor
) -> None:
    slide = PositionSlide()
    feed = make_feed(slide, pool)
    key = TileKey(1, 1, 1)

    with qtbot.waitSignal(feed.arrived):
        feed.want([key])

    assert slide.reads == [(1024, 1024, 0, 1024, 1024)]
    assert colour(feed, key, 100, 40) == ((1024 + 200) // 32, (1024 + 80) // 32, 0)


def test_each_tile_comes_with_a_half_of_the_same_field(
    qtbot: QtBot, pool: ThreadPoolExecutor
) -> None:
    feed = make_feed(PositionSlide(levels=(Level(700, 600, 1.0),)), pool)
    edge = TileKey(0, 1, 1)

    with qtbot.waitSignal(feed.arrived):
        feed.want([edge])

    full, half = feed.tile(edge), feed.half(edge)
    assert full is not None
    assert half is not None
    assert (half.width(), half.height()) == (full.width() // 2, full.height() // 2)
    for x, y in ((10, 10), (80, 30)):
        assert half.toImage().pixelColor(x, y) == full.toImage().pixelColor(2 * x, 2 * y)


def test_an_edge_tile_holds_only_what_lies_on_the_slide(
    qtbot: QtBot, pool: ThreadPoolExecutor
) -> None:
    feed = make_feed(PlainSlide(levels=(Level(700, 600, 1.0),)), pool)
    with qtbot.waitSignal(feed.arrived):
        feed.want([TileKey(0, 1, 1)])

    pixmap = feed.tile(TileKey(0, 1, 1))

    assert pixmap is not None
    assert (pixmap.width(), pixmap.height()) == (188, 88)


def test_a_tile_scrolled_away_before_its_turn_is_never_read(
    qtbot: QtBot, pool: ThreadPoolExecutor
) -> None:
    slide = PlainSlide()
    slide.proceed.clear()
    feed = make_feed(slide, pool, threads=1)
    gone, wanted = TileKey(0, 2, 0), TileKey(0, 3, 0)
    feed.want([A, gone])
    assert slide.begun.wait(5)

    with qtbot.waitSignal(feed.arrived, check_params_cb=lambda key: key == wanted):
        feed.want([wanted])
        slide.proceed.set()

    assert [read[0] for read in slide.reads] == [0, 3 * 512]
    assert feed.tile(gone) is None


def test_a_revisited_tile_is_not_read_again(qtbot: QtBot, pool: ThreadPoolExecutor) -> None:
    slide = PlainSlide()
    feed = make_feed(slide, pool)
    with qtbot.waitSignal(feed.arrived):
        feed.want([A])
    feed.want([])

    with qtbot.waitSignal(feed.arrived):
        feed.want([A, B])

    assert sorted(read[0] for read in slide.reads) == [0, 512]


def test_failures_are_told_once_and_the_failed_tile_is_not_waited_for(
    qtbot: QtBot, pool: ThreadPoolExecutor
) -> None:
    slide = PlainSlide()
    slide.fails = lambda x, y: True
    feed = make_feed(slide, pool)
    told: list[str] = []
    feed.failed.connect(told.append)

    feed.want([A, B])
    qtbot.waitUntil(lambda: not feed.is_missing(A) and not feed.is_missing(B))

    assert told == ["plain.tiff is damaged; copy it again."]


def test_an_unforeseen_error_is_told_in_words_for_people(
    qtbot: QtBot, pool: ThreadPoolExecutor
) -> None:
    def read(*where: Any) -> RgbImage:
        raise ZeroDivisionError

    feed = make_feed(PlainSlide(), pool, read=read)

    with qtbot.waitSignal(feed.failed) as failed:
        feed.want([A])

    assert failed.args == ["A part of plain.tiff cannot be shown; the log says why."]


def test_closing_waits_for_the_read_under_way_and_starts_no_other(
    qtbot: QtBot, pool: ThreadPoolExecutor
) -> None:
    slide = PlainSlide()
    slide.proceed.clear()
    feed = make_feed(slide, pool, threads=1)
    feed.want([A, B])
    assert slide.begun.wait(5)
    pool.submit(slide.proceed.set)

    feed.close()

    assert slide.proceed.is_set()
    assert len(slide.reads) == 1
    feed.want([B])
    with qtbot.assertNotEmitted(feed.arrived, wait=20):
        pass


def test_steps_that_are_not_live_are_neither_read_nor_waited_for(
    qtbot: QtBot, pool: ThreadPoolExecutor
) -> None:
    slide = PlainSlide()
    feed = make_feed(slide, pool, is_live=lambda level: level == 0)
    coarse = TileKey(2, 0, 0)

    with qtbot.waitSignal(feed.arrived):
        feed.want([coarse, A])

    assert [read[2] for read in slide.reads] == [0]
    assert not feed.is_missing(coarse)


def test_two_feeds_of_one_cache_keep_their_pictures_apart(
    qtbot: QtBot, pool: ThreadPoolExecutor
) -> None:
    cache = TileCache[Tile](64 << 20)
    rose = TileFeed(PlainSlide(identity="rose"), cache, pool)
    green = TileFeed(PlainSlide(GREEN, identity="green"), cache, pool)

    with qtbot.waitSignals([rose.arrived, green.arrived]):
        rose.want([A])
        green.want([A])

    assert colour(rose, A) != colour(green, A) == GREEN
