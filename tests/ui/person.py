"""A person at the window, who draws regions with mouse and keys."""

from collections.abc import Callable
from typing import Any

import pytest
from PySide6.QtCore import QPoint, Qt
from pytestqt.qtbot import QtBot

from stainapp.session.regions import Region
from stainapp.ui.app import App

WAIT_MS = 60_000
LEFT, NONE = Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier
SHIFT, ALT = Qt.KeyboardModifier.ShiftModifier, Qt.KeyboardModifier.AltModifier
Place = tuple[float, float]


class Person:
    """Works with regions in an open window; all places are level-0 pixels."""

    def __init__(self, app: App, qtbot: QtBot, pane: int = 0) -> None:
        self.app, self.qtbot = app, qtbot
        self.pane = app.view.panes[pane]
        self.editor = app.regions

    @property
    def regions(self) -> list[Region]:
        return list(self.editor.regions.regions)

    @property
    def drawn(self) -> Region:
        """The only region."""
        (region,) = self.regions
        return region

    @property
    def line(self) -> list[Place]:
        """The polygon being drawn, as the pane shows it; its last point is the pointer."""
        return list(self.pane.regions.picture.line)

    @property
    def selected(self) -> list[str]:
        return list(self.editor.selected)

    def screen(self, place: Place) -> QPoint:
        x, y = self.pane.viewpoint.camera.to_screen(*place, self.pane.size_px)
        return QPoint(round(x), round(y))

    def pick(self, tool: str) -> None:
        self.app.window.action(f"tool-{tool}").trigger()

    def click(self, *places: Place, modifier: Qt.KeyboardModifier = NONE) -> None:
        for place in places:
            self.qtbot.mouseClick(self.pane.viewport(), LEFT, modifier, self.screen(place))

    def double_click(self, place: Place) -> None:
        """As the system sends it: the first press is a click of its own."""
        self.click(place)
        self.qtbot.mouseDClick(self.pane.viewport(), LEFT, NONE, self.screen(place))

    def drag(self, start: Place, end: Place, *, let_go: bool = True) -> None:
        port = self.pane.viewport()
        self.qtbot.mousePress(port, LEFT, NONE, self.screen(start))
        half = (start[0] + end[0]) / 2, (start[1] + end[1]) / 2
        for place in (half, end):
            self.qtbot.mouseMove(port, self.screen(place))
        if let_go:
            self.qtbot.mouseRelease(port, LEFT, NONE, self.screen(end))

    def key(self, key: Qt.Key) -> None:
        self.qtbot.keyClick(self.pane, key)

    def do(self, action: str) -> None:
        self.app.window.action(action).trigger()

    def rectangle(self, start: Place = (1000, 1200), end: Place = (1800, 1600)) -> Region:
        self.pick("rectangle")
        self.drag(start, end)
        return self.regions[-1]

    def polygon(self, *places: Place) -> Region:
        self.pick("polygon")
        self.click(*(places or ((1000, 1000), (2000, 1100), (1900, 2000), (1100, 1900))))
        self.key(Qt.Key.Key_Return)
        return self.regions[-1]

    def saved(self) -> None:
        self.qtbot.waitUntil(lambda: not self.app.saving.pending, timeout=WAIT_MS)

    def leaves(self) -> None:
        """Close the window, and with it what it holds of the slide."""
        assert self.app.window.close()


Open = Callable[..., Person]


def near(person: Person, place: Place) -> Any:
    """Equal to within a screen pixel, which is as exact as a mouse is."""
    return pytest.approx(place, abs=1.5 / person.pane.viewpoint.camera.zoom)


def corners(region: Region) -> tuple[Place, Place]:
    return (region.bounds.x, region.bounds.y), (region.bounds.right, region.bounds.bottom)
