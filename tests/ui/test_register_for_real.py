"""A reference registered from the window by the real command in a process of its own."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from pytestqt.qtbot import QtBot

from stainapp.registration.transform import Transform
from stainapp.settings import Settings
from stainapp.ui.app import App, ViewOptions
from tests.ui.moved_slides import turned_pair

WAIT_MS = 240_000
"""Generous: it only bounds a test that would hang."""


def test_a_turned_slide_is_registered_by_the_real_process_and_followed_in_words(
    qtbot: QtBot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[2]))
    pair = turned_pair(tmp_path, 110.0)
    app = App(ViewOptions(slide=pair.fixed, size=(1000, 700)), replace(Settings(), theme="light"))
    said: list[str] = []
    app.reference.news.connect(lambda notice: said.append(notice.words if notice else ""))
    try:
        app.start()
        qtbot.waitUntil(lambda: app.reference.fixed is not None, timeout=WAIT_MS)
        app.reference.open(str(pair.moving))
        qtbot.waitUntil(
            lambda: app.reference.moving is not None and not app.reference.busy, timeout=WAIT_MS
        )
        qtbot.waitUntil(
            lambda: "Does it fit?" in said[-1] or app.window.messages.isVisible(), timeout=WAIT_MS
        )

        found = app.reference.transform
        assert found is not None
        assert off_px(found, pair.transform) < 5
        assert any("finding where the pieces lie" in words for words in said)
        app.view.cursor_moved.emit(512.0, 512.0)
        assert "µm here" in app.window.status.error.text()
    finally:
        app.window.close()
        app.close()
        app.window.deleteLater()


def off_px(found: Transform, truth: Transform) -> float:
    """Return how far two transforms are apart, on average over the middle of the slide."""
    x, y = np.meshgrid(np.linspace(300, 724, 9), np.linspace(300, 724, 9))
    points = np.stack([x.ravel(), y.ravel()], axis=1)
    away = np.linalg.norm(found.to_moving(points) - truth.to_moving(points), axis=1)
    return float(away.mean())
