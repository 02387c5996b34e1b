"""A window in a process of its own, worked with and left to be killed, for test_session_window.

Prints what it holds as one line of JSON once that is on the disk, and waits for its end. With
"torn" as the second word it stops while the journal is being written, half a line being there.
"""

import json
import os
import sys
from dataclasses import replace
from pathlib import Path
from threading import Event
from typing import Any
from unittest import mock

from PySide6.QtCore import QCoreApplication, QEventLoop
from PySide6.QtWidgets import QApplication

from stainapp.session.regions import Region
from stainapp.settings import Settings
from stainapp.ui.app import App, ViewOptions
from stainapp.ui.picture import Picture

FOREVER = Event()


def state(app: App) -> dict[str, Any]:
    """Return what must be the same again."""
    history = app.regions.history
    camera = app.view.viewpoint.camera
    return {
        "camera": [camera.x, camera.y, camera.zoom, camera.rotation],
        "layout": app.window.layout_name,
        "difference": app.window.action("difference").isChecked()
        and app.view.is_visible(Picture.DIFFERENCE),
        "minimap": app.window.action("minimap").isChecked(),
        "strength": app.window.stains.strength.value(),
        "model": app.virtual.entry.found.card.id if app.virtual.entry else "",
        "regions": [[r.id, r.shape, r.name, r.polygons] for r in app.regions.regions.regions],
        "selected": app.regions.selected,
        "undo": [step.text for step in history.done],
        "redo": [step.text for step in history.undone],
    }


def until(app: App, done: Any) -> None:
    while not done():
        QCoreApplication.processEvents(QEventLoop.ProcessEventsFlag.AllEvents, 20)


def work(app: App) -> None:
    """Draw, move, rename and undo; look elsewhere; choose a model."""
    until(app, lambda: app.regions.ready)
    editor = app.regions
    first = editor.fresh(polygons=Region.rectangle(100, 100, 300, 200).polygons, shape="rectangle")
    editor.put([first], "Draw rectangle")
    oval = editor.fresh(polygons=Region.ellipse(500, 500, 300, 200).polygons, shape="ellipse")
    editor.put([oval], "Draw ellipse")
    editor.put([first.moved(30.5, 7.25)], "Move region")
    editor.set_values([oval.id], "Rename region", name="Präparat")
    editor.undo()
    editor.select([first.id])
    app.window.show_layout("curtain")
    app.window.stains.strength.set_value(0.6)
    app.window.action("minimap").trigger()
    app.window.action("difference").trigger()
    app.requests.stain.start_model("macenko")
    app.view.go_to(700, 900)
    app.view.zoom_by(1.5)
    app.view.rotate_by(30)
    until(app, lambda: not app.virtual.busy)


def tear(app: App) -> None:
    """Begin one more change, and stop when half of its line is in the file."""

    def fsync(file: Any) -> None:
        size = os.fstat(file).st_size
        os.ftruncate(file, size - 20)
        told({"torn": True})
        FOREVER.wait()

    mock.patch.object(os, "fsync", fsync).start()
    app.regions.put([replace(app.regions.regions.regions[0], name="never seen")], "Rename")
    until(app, lambda: False)


def told(what: Any) -> None:
    sys.stdout.write(json.dumps(what) + "\n")
    sys.stdout.flush()


def main(slide: str, how: str) -> None:
    QApplication([])
    app = App(ViewOptions(slide=slide, size=(1000, 700)), replace(Settings(), theme="light"))
    app.start()
    work(app)
    session = app.session
    until(app, lambda: not app.saving.pending and not session.unwritten)
    told(state(app))
    if how == "torn":
        tear(app)
    FOREVER.wait()


if __name__ == "__main__":
    main(str(Path(sys.argv[1])) if Path(sys.argv[1]).exists() else sys.argv[1], sys.argv[2])
