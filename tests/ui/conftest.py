"""Windows on plain slides, for a person to work in."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from pytestqt.qtbot import QtBot

from stainapp.settings import Settings
from stainapp.ui.app import App, ViewOptions
from tests.ui.fakes import write_plain
from tests.ui.person import WAIT_MS, Open, Person

SIDE_PX = 3000


@pytest.fixture(scope="session")
def plain_slides(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str]:
    """Two slides of 0.5 um/px that open in no time."""
    folder = tmp_path_factory.mktemp("slides")
    paths = folder / "one.tif", folder / "two.tif"
    for shade, path in zip((200, 210), paths, strict=True):
        write_plain(path, shade, SIDE_PX, SIDE_PX)
    return str(paths[0]), str(paths[1])


@pytest.fixture
def window(qtbot: QtBot, plain_slides: tuple[str, str]) -> Iterator[Open]:
    """Open the window on a slide, and see that all its threads end with the test."""
    apps: list[App] = []

    def window(slide: str = "", *, pane: int = 0, waits: bool = True, **options: Any) -> Person:
        app = App(
            ViewOptions(
                slide=slide or plain_slides[0], size=(1200, 760), layout="side-by-side", **options
            ),
            replace(Settings(), theme="light"),
        )
        apps.append(app)
        app.start()
        qtbot.waitUntil(lambda: app.regions.ready or not waits, timeout=WAIT_MS)
        return Person(app, qtbot, pane)

    yield window
    for app in apps:
        app.window.close()
        app.close()
        app.window.deleteLater()
