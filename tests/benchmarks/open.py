"""How soon something is seen: a slide's first whole view, the window, the program's version.

The peer of the first view is OpenSlide reading the same pixels with no program around it; of
the window, a bare Qt window; of the version, a Python that does nothing.

    python tests/benchmarks/open.py [--json] [--quick]
"""

import argparse
import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
os.environ.setdefault("QT_QPA_UPDATE_IDLE_TIME", "0")  # paint at once: Qt's pause is no work

import numpy as np
import openslide
from PySide6.QtCore import QCoreApplication, QEventLoop
from PySide6.QtWidgets import QApplication

from stainapp.slides.opening import open_slide
from stainapp.slides.reader import SlideReader
from stainapp.tiles.grid import TileGrid
from stainapp.ui.picture import Picture
from stainapp.ui.view_area import Layout, ViewArea
from tests.benchmarks.measure import Figure, by_turns, median, p95, ratio, real_slide, run

SLIDES = ("BS25_HE.tiff", "melanosiscoli_PAS.tiff", "ndpi_test3-DAPI.ndpi")
WIDTH_PX, HEIGHT_PX = 950, 1060
RATIO_AIM, EXTRA_AIM_MS, VERSION_AIM_S, WINDOW_AIM_S = 1.15, 50.0, 0.3, 1.5

# A monotonic clock is the same for all processes of a machine.
SHOW_WINDOW = """
import time
from PySide6.QtCore import QEvent, QObject
from PySide6.QtWidgets import QApplication, QMainWindow

class FirstPaint(QObject):
    def eventFilter(self, watched, event):
        if event.type() == QEvent.Type.Paint:
            print(time.monotonic(), flush=True)
            application.quit()
        return False

application = QApplication([])
first = FirstPaint()
if {bare}:
    window = QMainWindow()
    show = window.show
else:
    from stainapp.settings import Settings
    from stainapp.ui.app import App, ViewOptions
    app = App(ViewOptions(), Settings())
    window, show = app.window, app.start
window.installEventFilter(first)
show()
application.exec()
if not {bare}:
    app.close()
"""


def measure(arguments: argparse.Namespace) -> list[Figure]:
    QApplication.instance() or QApplication(["open"])
    rounds = 2 if arguments.quick else 10
    figures = [*version(rounds), *shown(rounds)]
    paths = [path for path in map(real_slide, SLIDES) if path]
    for path in paths:
        figures += first_view(path, rounds)
    return figures


def first_view(path: Path, rounds: int) -> list[Figure]:
    def whole_view() -> float:
        start = time.perf_counter()
        reader = open_slide(path)
        view = ViewArea()
        view.resize(WIDTH_PX, HEIGHT_PX)
        view.set_layout(Layout.SINGLE)
        view.show()
        view.show_slide(reader, "")
        view.fit()
        pane = view.panes[0]
        real = pane.layers[Picture.REAL]
        while not real.feeds or not real._keys or real.incomplete:
            QCoreApplication.processEvents(QEventLoop.ProcessEventsFlag.WaitForMoreEvents)
        pane.viewport().repaint()
        taken = time.perf_counter() - start
        view.close_feeds()
        view.close()
        reader.close()
        return taken

    with contextlib.closing(open_slide(path)) as reader:
        downsample = downsample_shown(reader)
    times = by_turns({"ours": whole_view, "bare": lambda: bare_read(path, downsample)}, rounds)
    extra = [1000 * (a - b * RATIO_AIM) for a, b in zip(times["ours"], times["bare"], strict=True)]
    return [
        Figure(f"{path.name}: first whole view", 1000 * median(times["ours"]), "ms"),
        Figure(f"{path.name}: slowest 5 %", 1000 * p95(times["ours"]), "ms"),
        Figure(f"{path.name}: over OpenSlide", ratio(times["ours"], times["bare"]), ""),
        Figure(f"{path.name}: beyond {RATIO_AIM} of it", median(extra), "ms", EXTRA_AIM_MS),
    ]


def downsample_shown(reader: SlideReader) -> float:
    """Return the downsample of the level that a view of the whole slide is painted from."""
    info = reader.info
    zoom = 0.96 * min(WIDTH_PX / info.width_px, HEIGHT_PX / info.height_px)
    grid = TileGrid(info)
    return info.levels[grid.steps[grid.level_for_zoom(zoom)].level].downsample


def bare_read(path: Path, downsample: float) -> float:
    """Open a slide and read a whole level as RGB, with OpenSlide alone."""
    start = time.perf_counter()
    with openslide.OpenSlide(path) as slide:
        level = slide.get_best_level_for_downsample(1.001 * downsample)
        np.asarray(slide.read_region((0, 0), level, slide.level_dimensions[level]).convert("RGB"))
    return time.perf_counter() - start


def version(rounds: int) -> list[Figure]:
    things = {
        "ours": lambda: process(["-m", "stainapp", "--version"]),
        "bare": lambda: process(["-c", "pass"]),
    }
    times = by_turns(things, rounds)
    return [
        Figure("stainapp --version", median(times["ours"]), "s", VERSION_AIM_S),
        Figure("stainapp --version, over a bare Python", ratio(times["ours"], times["bare"]), ""),
    ]


def shown(rounds: int) -> list[Figure]:
    things: dict[str, Callable[[], float]] = {
        "ours": lambda: window(bare=False),
        "bare": lambda: window(bare=True),
    }
    times = by_turns(things, rounds)
    return [
        Figure("window shown", median(times["ours"]), "s", WINDOW_AIM_S),
        Figure("window shown, slowest 5 %", p95(times["ours"]), "s"),
        Figure("window shown, over a bare one", ratio(times["ours"], times["bare"]), ""),
    ]


def process(arguments: list[str]) -> float:
    start = time.perf_counter()
    subprocess.run([sys.executable, *arguments], check=True, capture_output=True)
    return time.perf_counter() - start


def window(*, bare: bool) -> float:
    start = time.monotonic()
    code = SHOW_WINDOW.format(bare=bare)
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    return float(done.stdout.split()[0]) - start


if __name__ == "__main__":
    run("open", measure)
