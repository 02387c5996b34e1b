"""A model from the dialog to the picture: taught by the real trainer, killed, resumed, picked."""

import os
import signal
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PySide6.QtWidgets import QComboBox, QSpinBox
from pytestqt.qtbot import QtBot

from stainapp.models.store import check
from stainapp.runs.folder import EventReader
from stainapp.settings import Settings, home
from stainapp.ui import run_watch
from stainapp.ui.app import App, ViewOptions
from stainapp.ui.run_add import AddDialog
from stainapp.ui.run_window import RunWindow
from stainapp.ui.train_dialog import TrainDialog

SLIDE, TARGET = "phantom:he:1024:1", "phantom:pas:1024:2"
WAIT_MS = 240_000
"""Generous: it only bounds a test that would hang."""
FEW = {"images": 30, "tile_px": 64, "ngf": 4, "blocks": 1, "validate_every": 10}


def set_few(dialog: TrainDialog) -> None:
    """Ask for a training of seconds."""
    boxes = dialog.model.advanced.boxes
    for name, value in {**FEW, "validation_px": 64}.items():
        box = boxes[name]
        assert isinstance(box, QSpinBox)
        box.setValue(value)
    precision = boxes["precision"]
    assert isinstance(precision, QComboBox)
    precision.setCurrentText("fp32")


def test_a_model_is_taught_from_the_dialog_killed_resumed_picked_and_shown(
    qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[2]))
    monkeypatch.setattr(run_watch, "LOOK_MS", 20)
    app = App(ViewOptions(slide=SLIDE, size=(1000, 700)), replace(Settings(), theme="light"))
    try:
        app.start()
        qtbot.waitUntil(lambda: app.current.slide is not None, timeout=WAIT_MS)
        window = started(app, qtbot)

        kept = window.watch.folder.checkpoints
        qtbot.waitUntil(lambda: any(kept.glob("*.pt")), timeout=WAIT_MS)
        kill(window, qtbot)
        window.pause.click()  # which says "Resume" now
        qtbot.waitUntil(lambda: window.watch.state == "done", timeout=WAIT_MS)

        events = list(EventReader(window.watch.folder.events_file).new())
        assert [e["resumed"] for e in events if e["event"] == "start"] == [False, True]
        assert events[-1]["images"] == FEW["images"]
        add(window, qtbot)
        qtbot.waitUntil(
            lambda: app.window.stains.models.row_of("he-to-pas") is not None, timeout=WAIT_MS
        )
        assert check(home() / "models" / "he-to-pas").inverse == "pas-to-he"
        picked = app.window.stains.chosen()
        assert picked is not None
        app.virtual.start(picked)
        qtbot.waitUntil(lambda: app.virtual.reader is not None, timeout=WAIT_MS)
        reader, slide = app.virtual.reader, app.current.slide
        assert reader is not None
        assert slide is not None
        shown, real = (one.read(400, 400, 0, 128, 128) for one in (reader, slide.reader))
        assert np.abs(shown.astype(int) - real).mean() > 5
    finally:
        app.close()
        app.window.deleteLater()


def started(app: App, qtbot: QtBot) -> RunWindow:
    app.requests.answer("train")
    qtbot.waitUntil(lambda: app.train.dialog is not None, timeout=WAIT_MS)
    dialog = app.train.dialog
    assert dialog is not None
    dialog.data.target.path.setCurrentText(TARGET)
    set_few(dialog)
    qtbot.waitUntil(
        lambda: dialog.start_button.isEnabled() or bool(dialog.problem.text()), timeout=WAIT_MS
    )
    assert dialog.problem.text() == ""
    dialog.start_button.click()
    qtbot.waitUntil(lambda: bool(app.train.windows), timeout=WAIT_MS)
    window = next(iter(app.train.windows.values()))
    assert isinstance(window, RunWindow)
    return window


def kill(window: RunWindow, qtbot: QtBot) -> None:
    process = window.watch._process
    assert process is not None
    os.kill(process.pid, signal.SIGTERM if os.name == "nt" else signal.SIGKILL)
    qtbot.waitUntil(lambda: window.watch.state in ("interrupted", "done"), timeout=WAIT_MS)
    assert window.watch.state == "interrupted"


def add(window: RunWindow, qtbot: QtBot) -> None:
    window.add.click()
    qtbot.waitUntil(lambda: window.findChild(AddDialog) is not None, timeout=WAIT_MS)
    dialog = window.findChild(AddDialog)
    assert isinstance(dialog, AddDialog)
    dialog.add_button.click()
