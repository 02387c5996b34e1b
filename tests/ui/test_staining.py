from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Event, get_ident
from typing import cast

import pytest
from PySide6.QtGui import QColor
from pytestqt.qtbot import QtBot

from stainapp.errors import ModelError
from stainapp.slides.reader import RgbImage
from stainapp.tiles.grid import TileKey
from stainapp.ui.staining import Prepare, StainRequest, StainService, Tell, VirtualReader
from tests.ui.fakes import BLUE, GREEN, PlainSlide

A, B = TileKey(0, 0, 0), TileKey(0, 1, 0)
FOLDER = Path("models/he-to-pas")
Start = Callable[[Prepare], StainService]


def virtual_slide(identity: str = "virtual") -> PlainSlide:
    return PlainSlide(BLUE, identity)


@pytest.fixture
def serve(qtbot: QtBot) -> Iterator[Start]:
    services: list[StainService] = []

    def serve(prepare: Prepare) -> StainService:
        services.append(StainService(prepare=prepare))
        return services[-1]

    yield serve
    for service in services:
        service.close()


def prepare(request: StainRequest, tell: Tell) -> VirtualReader:
    tell.preview(PlainSlide(GREEN, "preview"))
    return virtual_slide()


def test_the_preview_comes_first_and_then_the_virtual_slide(qtbot: QtBot, serve: Start) -> None:
    service = serve(prepare)

    with qtbot.waitSignals([service.preview_ready, service.ready], order="strict"):
        service.start(PlainSlide(), FOLDER)


def test_exact_tiles_come_through_the_feed(qtbot: QtBot, serve: Start) -> None:
    service = serve(prepare)
    with qtbot.waitSignal(service.ready):
        service.start(PlainSlide(), FOLDER)
    feed = service.feed
    assert feed is not None

    with qtbot.waitSignal(feed.arrived):
        feed.want([A])

    pixmap = feed.tile(A)
    assert pixmap is not None
    assert pixmap.toImage().pixelColor(9, 9) == QColor(*BLUE)


def test_opening_and_staining_share_one_thread_that_is_not_the_windows(
    qtbot: QtBot, serve: Start
) -> None:
    threads = set()

    class Watched(PlainSlide):
        def pixels(self, x: int, y: int, level: int, width_px: int, height_px: int) -> RgbImage:
            threads.add(get_ident())
            return super().pixels(x, y, level, width_px, height_px)

    def watched(request: StainRequest, tell: Tell) -> VirtualReader:
        threads.add(get_ident())
        return Watched()

    service = serve(watched)
    with qtbot.waitSignal(service.ready):
        service.start(PlainSlide(), FOLDER)
    feed = service.feed
    assert feed is not None
    feed.want([A, B])
    qtbot.waitUntil(lambda: not feed.is_missing(A) and not feed.is_missing(B))

    assert len(threads) == 1
    assert get_ident() not in threads


def test_a_failure_is_told_as_its_sentence(qtbot: QtBot, serve: Start) -> None:
    def broken(request: StainRequest, tell: Tell) -> VirtualReader:
        raise ModelError("The model needs 24 GB of memory; choose a smaller one.")

    service = serve(broken)

    with qtbot.waitSignal(service.failed) as failed:
        service.start(PlainSlide(), FOLDER)

    assert failed.args == ["The model needs 24 GB of memory; choose a smaller one."]
    assert not service.busy


def test_a_replaced_model_is_cancelled_and_never_heard_of(qtbot: QtBot, serve: Start) -> None:
    begun, proceed = Event(), Event()
    late = virtual_slide("late")

    def slow_first(request: StainRequest, tell: Tell) -> VirtualReader:
        if request.folder.name == "first":
            begun.set()
            assert proceed.wait(5)
            tell.preview(PlainSlide(identity="late preview"))
            return late
        assert request.token.cancelled is False
        return virtual_slide("second")

    service = serve(slow_first)
    heard: list[str] = []
    service.preview_ready.connect(lambda reader: heard.append(reader.info.identity))
    service.ready.connect(lambda reader: heard.append(reader.info.identity))
    service.start(PlainSlide(), Path("first"))
    assert begun.wait(5)

    with qtbot.waitSignal(service.ready):
        service.start(PlainSlide(), Path("second"))
        proceed.set()

    assert heard == ["second"]
    service.when_idle(lambda: None).result(5)
    assert late.closed


def test_the_token_tells_the_work_to_stop(qtbot: QtBot, serve: Start) -> None:
    begun, stopped = Event(), Event()

    def endless(request: StainRequest, tell: Tell) -> VirtualReader:
        begun.set()
        while not request.token.cancelled:
            stopped.wait(0.001)
        stopped.set()
        request.token.check()
        raise AssertionError("check does not raise")

    service = serve(endless)
    service.start(PlainSlide(), FOLDER)
    assert begun.wait(5)

    with qtbot.assertNotEmitted(service.failed, wait=20):
        service.stop()

    assert stopped.wait(5)


def test_when_idle_waits_for_the_tile_under_way(qtbot: QtBot, serve: Start) -> None:
    virtual = virtual_slide()
    service = serve(lambda request, tell: cast("VirtualReader", virtual))
    source = PlainSlide()
    with qtbot.waitSignal(service.ready):
        service.start(source, FOLDER)
    assert service.feed is not None
    virtual.proceed.clear()
    service.feed.want([A])
    assert virtual.begun.wait(5)
    service.stop()

    closing = service.when_idle(source.close)

    assert not source.closed
    virtual.proceed.set()
    closing.result(5)
    assert source.closed
    assert virtual.closed


def test_closing_in_the_midst_of_work_ends_the_thread(qtbot: QtBot, serve: Start) -> None:
    begun, ended = Event(), Event()

    def work(request: StainRequest, tell: Tell) -> VirtualReader:
        begun.set()
        try:
            while True:
                request.token.check()
        finally:
            ended.set()

    service = serve(work)
    service.start(PlainSlide(), FOLDER)
    assert begun.wait(5)

    service.close()

    assert ended.is_set()


def test_libraries_are_loaded_ahead_once_and_on_the_staining_thread(qtbot: QtBot) -> None:
    threads: list[int] = []
    service = StainService(prepare=prepare, load=lambda: threads.append(get_ident()))

    service.warm_up()
    service.warm_up()
    staining = service.when_idle(lambda: threads.append(get_ident()))
    staining.result(5)
    service.close()

    assert len(threads) == 2
    assert threads[0] == threads[1] != get_ident()


def test_what_fails_to_load_ahead_is_told_only_once_it_is_wanted(qtbot: QtBot) -> None:
    def broken() -> None:
        raise ImportError

    service = StainService(prepare=prepare, load=broken)
    with qtbot.assertNotEmitted(service.failed):
        service.warm_up()
        service.when_idle(lambda: None).result(5)

    with qtbot.waitSignal(service.ready):
        service.start(PlainSlide(), FOLDER)

    service.close()


class Graded(PlainSlide):
    """Knows strengths, and which reader another came from."""

    def __init__(self, identity: str, strength: float = 1.0) -> None:
        super().__init__(BLUE, f"{identity} {strength:g}")
        self.name, self.others = identity, [self]

    def at_strength(self, strength: float) -> "Graded":
        other = Graded(self.name, strength)
        self.others.append(other)
        return other


def test_a_strength_is_set_without_preparing_again_and_kept_for_the_next_model(
    qtbot: QtBot, serve: Start
) -> None:
    prepared: list[Graded] = []

    def graded(request: StainRequest, tell: Tell) -> VirtualReader:
        tell.preview(Graded("preview"))
        prepared.append(Graded(request.folder.name))
        return prepared[-1]

    service = serve(graded)
    heard: list[str] = []
    service.preview_ready.connect(lambda reader: heard.append(reader.info.identity))
    service.ready.connect(lambda reader: heard.append(reader.info.identity))
    with qtbot.waitSignal(service.ready):
        service.start(PlainSlide(), Path("first"))

    service.set_strength(0.5)
    service.set_strength(0.5)
    service.set_strength(1.0)
    service.set_strength(0.25)
    with qtbot.waitSignal(service.ready):
        service.start(PlainSlide(), Path("second"))

    assert heard[:6] == [
        "preview 1", "first 1", "preview 0.5", "first 0.5", "preview 1", "first 1",
    ]  # fmt: skip
    assert heard[6:] == ["preview 0.25", "first 0.25", "preview 0.25", "second 0.25"]
    assert service.feed is not None
    assert service.feed.reader is prepared[1].others[1]
    service.when_idle(lambda: None).result(5)
    assert all(one.closed for one in prepared[0].others)
    service.stop()
    service.when_idle(lambda: None).result(5)
    assert all(one.closed for one in prepared[1].others)


def test_levels_too_dear_to_stain_live_are_left_to_the_preview(qtbot: QtBot, serve: Start) -> None:
    virtual = virtual_slide()
    virtual.live_levels = frozenset({0})
    service = serve(lambda request, tell: cast("VirtualReader", virtual))

    with qtbot.waitSignal(service.ready):
        service.start(PlainSlide(), FOLDER)

    feed = service.feed
    assert feed is not None
    steps = feed.grid.steps
    assert [feed.is_live(i) for i in range(len(steps))] == [step.level == 0 for step in steps]
