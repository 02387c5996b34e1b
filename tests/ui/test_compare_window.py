"""Comparing in the real window: what stands beside what, the figures, the report."""

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from threading import Event

import pytest
from pytestqt.qtbot import QtBot

from stainapp.cancel import CancelToken
from stainapp.session.regions import Region
from stainapp.settings import Settings
from stainapp.ui.app import App, ViewOptions
from stainapp.ui.compare_requests import NO_REGIONS, NOTHING_BESIDE

SLIDE = "phantom:he:600:1"
WAIT_MS = 60_000
"""Generous: it only bounds a test that would hang."""
Start = Callable[[], App]


@pytest.fixture
def start(qtbot: QtBot) -> Iterator[Start]:
    apps: list[App] = []

    def begin() -> App:
        options = ViewOptions(slide=SLIDE, size=(1100, 800))
        app = App(options, replace(Settings(), theme="light"))
        apps.append(app)
        app.start()
        qtbot.waitUntil(lambda: app.current.slide is not None, timeout=WAIT_MS)
        qtbot.waitUntil(lambda: app.regions.ready, timeout=WAIT_MS)
        return app

    yield begin
    for app in apps:
        app.close()
        app.window.deleteLater()


def drawn(app: App) -> None:
    regions = [Region.rectangle(x, 100, 200, 300, name=f"at {x}") for x in (50, 250, 350)]
    assert app.regions.put(regions, "Draw")


def stained(app: App, qtbot: QtBot) -> None:
    app.requests.stain.start_model("macenko", None)
    qtbot.waitUntil(lambda: app.virtual.reader is not None, timeout=WAIT_MS)


def test_what_is_missing_for_a_comparison_is_said(start: Start, qtbot: QtBot) -> None:
    app = start()

    app.requests.answer("compare-regions")
    stained(app, qtbot)
    app.requests.answer("compare-regions")

    assert app.window.messages.messages[-2:] == (NOTHING_BESIDE, NO_REGIONS)
    assert not app.compare.dock.isVisible()


def test_virtual_and_real_are_measured_shown_and_reported(
    start: Start, qtbot: QtBot, tmp_path: Path
) -> None:
    app = start()
    stained(app, qtbot)
    drawn(app)

    with qtbot.waitSignal(app.compare.comparing.finished, timeout=WAIT_MS):
        app.requests.answer("compare-regions")
    panel = app.compare.panel
    assert app.compare.dock.isVisible()
    assert panel.figures.rowCount() == 1 + 3

    with qtbot.waitSignal(app.compare.comparing.reported, timeout=WAIT_MS):
        app.compare.report(tmp_path / "report.html")
    told = json.loads((tmp_path / "report.json").read_text(encoding="utf-8"))
    assert {one["name"] for one in told["regions"]} >= {"at 50", "at 250", "at 350"}
    assert "VIRTUAL" in (tmp_path / "report.html").read_text(encoding="utf-8")

    before = app.view.viewpoint.camera
    panel.gone_to.emit("at 350")
    assert app.view.viewpoint.camera != before


def test_a_window_closed_while_it_compares_ends_that_and_says_nothing(
    start: Start, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = start()
    stained(app, qtbot)
    drawn(app)
    begun, told = Event(), list[object]()

    def opened(_asked: object, _opened: object, token: CancelToken) -> None:
        begun.set()
        while True:
            token.check()

    monkeypatch.setattr(app.compare, "_opened", opened)
    for signal in (app.compare.comparing.finished, app.compare.comparing.failed):
        signal.connect(told.append)
    app.requests.answer("compare-regions")
    assert begun.wait(WAIT_MS / 1000)

    assert app.window.close()

    assert told == []


def test_only_the_selected_regions_are_compared(start: Start, qtbot: QtBot) -> None:
    app = start()
    stained(app, qtbot)
    drawn(app)
    app.regions.select((app.regions.regions.areas[1].id,))

    with qtbot.waitSignal(app.compare.comparing.finished, timeout=WAIT_MS):
        app.requests.answer("compare-regions")

    assert app.compare.panel.figures.rowCount() == 1 + 1
