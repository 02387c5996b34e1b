"""Windows on plain slides, for a person to work in."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import tifffile
from pytestqt.qtbot import QtBot

from stainapp.settings import Settings
from stainapp.ui.app import App, ViewOptions
from tests.ui.person import WAIT_MS, Open, Person

SIDE_PX = 3000


@pytest.fixture(scope="session")
def plain_slides(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str]:
    """Two slides of 0.5 um/px that open in no time."""
    folder = tmp_path_factory.mktemp("slides")
    paths = folder / "one.tif", folder / "two.tif"
    for shade, path in zip((200, 210), paths, strict=True):
        picture = np.full((SIDE_PX, SIDE_PX, 3), (shade, 150, 190), np.uint8)
        tifffile.imwrite(
            path,
            picture,
            photometric="rgb",
            tile=(512, 512),
            compression="zlib",
            resolution=(20_000, 20_000),
            resolutionunit="CENTIMETER",
        )
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
