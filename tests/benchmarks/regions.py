"""How smoothly the window moves with thousands of regions, and how long a change to them takes.

Regions are of twelve to sixty corners, in six classes, as a nuclei or gland finder leaves them.
Frames are measured as in `pan`: from the camera's move until every pane is painted, on the same
walk, with no regions and with many by turns. A table of as many is sorted and filtered, and one of
them is moved, undone and found under the pointer.

    python tests/benchmarks/regions.py [--json] [--quick] [--count 10000] [--steps 200]
"""

import argparse
import contextlib
import math
import os
import random
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
os.environ.setdefault("QT_QPA_UPDATE_IDLE_TIME", "0")

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QApplication

from stainapp.session.history import History
from stainapp.session.history_records import history_in, records_of
from stainapp.session.journal import Journal, read_journal
from stainapp.session.regions import CLASSES, Document, Region
from stainapp.slides.opening import open_slide
from stainapp.slides.reader import SlideReader
from stainapp.ui.region_editor import RegionEditor
from stainapp.ui.region_hand import RegionHand
from stainapp.ui.region_list import NAME, SIZE
from stainapp.ui.region_panel import RegionPanel
from stainapp.ui.touch import Touch
from stainapp.ui.view_area import ViewArea
from tests.benchmarks.measure import Figure, median, p95, real_slide, run
from tests.benchmarks.pan import SWITCH_S, frame, script, settle, window

FRAME_AIM_MS, CHANGE_AIM_MS = 16.0, 100.0
ROUNDS = 20


def measure(arguments: argparse.Namespace) -> list[Figure]:
    QApplication.instance() or QApplication(["regions"])
    count = arguments.count[0]
    steps = 40 if arguments.quick else arguments.steps[0]
    sys.setswitchinterval(SWITCH_S)
    path = real_slide("BS25_HE.tiff") or "phantom:he:20000:7"
    with contextlib.closing(open_slide(path)) as slide:
        document = made(slide, count)
        figures = [figure for panes in (1, 2) for figure in frames(slide, document, panes, steps)]
    return [*figures, *changes(document), *on_disk(document)]


def made(slide: SlideReader, count: int) -> Document:
    """Return many regions all over a slide: most polygons, some ellipses, rectangles and points."""
    chance = random.Random(7)
    names = list(CLASSES)
    return Document(tuple(one(slide, chance, names, number) for number in range(count)))


def one(slide: SlideReader, chance: random.Random, names: list[str], number: int) -> Region:
    x, y = chance.uniform(0, slide.info.width_px), chance.uniform(0, slide.info.height_px)
    radius = chance.uniform(10, 60)
    said: dict[str, Any] = {"name": f"Region {number + 1}", "classification": chance.choice(names)}
    kind = chance.random()
    if kind < 0.1:
        return Region.ellipse(x, y, 2 * radius, radius, **said)
    if kind < 0.2:
        return Region.rectangle(x, y, 2 * radius, radius, **said)
    if kind < 0.25:
        return Region(points=((x, y),), shape="points", **said)
    corners = chance.randint(12, 60)
    lobes, turned = chance.randint(2, 5), chance.uniform(0, 2 * math.pi)
    ring = []
    for k in range(corners):
        angle = 2 * math.pi * k / corners
        far = radius * (1 + 0.2 * math.sin(lobes * angle + turned))
        ring.append((x + far * math.cos(angle), y + far * math.sin(angle)))
    return Region(polygons=((tuple(ring),),), **said)


def frames(slide: SlideReader, document: Document, panes: int, steps: int) -> list[Figure]:
    """Walk with and without regions, by turns, once every tile is there."""
    with window(slide, panes) as view:
        editor, hand = shown(view)
        cameras = script(slide, steps)
        for camera in cameras:
            view.viewpoint.move(camera)
            settle(view)
        lasted: dict[int, list[float]] = {0: [], 1: []}
        busy: dict[int, list[float]] = {0: [], 1: []}
        editor.show(History(document))
        most = 0
        for camera in cameras:
            for many in (0, 1):
                editor.set_visible(bool(many))
                frame(view, view.viewpoint.camera.turned(0.01))
                took, own = frame(view, camera)
                lasted[many].append(took)
                busy[many].append(own)
            seen = view.visible_region()
            most = max(most, len(editor.index.within(seen)))
        hand.deleteLater()
    name = f"{panes} pane" + "s" * (panes > 1)
    return [
        Figure(f"{name}, without regions: 95 % of frames", p95(lasted[0]), "ms"),
        Figure(f"{name}, {len(document.regions):,} regions: median frame", median(lasted[1]), "ms"),
        Figure(
            f"{name}, {len(document.regions):,} regions: 95 % of frames",
            p95(lasted[1]),
            "ms",
            FRAME_AIM_MS,
        ),
        # The thread's own time tells what other programs on the machine do not change.
        Figure(f"{name}: 95 % of frames, processor time", p95(busy[1]), "ms"),
        Figure(f"{name}: 95 % of frames without, processor time", p95(busy[0]), "ms"),
        Figure(f"{name}: most regions in view", most, ""),
    ]


def shown(view: ViewArea) -> tuple[RegionEditor, RegionHand]:
    editor = RegionEditor(view)
    hand = RegionHand(editor, view)
    hand.picture_changed.connect(view.show_regions)
    return editor, hand


def changes(document: Document) -> list[Figure]:
    """Measure what the user waits for with a table of so many rows."""
    editor, panel = RegionEditor(), RegionPanel()
    panel.resize(320, 400)
    panel.show()
    hand = RegionHand(editor)

    def follow() -> None:
        panel.show_regions(editor.regions, 0.5)
        panel.show_selected(editor.selected)

    editor.shown.connect(follow)
    editor.changed.connect(follow)
    editor.selection_changed.connect(lambda: panel.show_selected(editor.selected))
    editor.show(History(document))
    middle = document.regions[len(document.regions) // 2]
    x, y = middle.bounds.centre
    order = iter(range(10**6))

    def select_all() -> None:
        editor.select(())
        editor.select(region.id for region in document.regions)

    def by(column: int) -> Callable[[], None]:
        return lambda: panel.regions.sort(column, panel_order(next(order)))

    things: dict[str, Callable[[], object]] = {
        "sort by name": by(NAME),
        "sort by size": by(SIZE),
        "filter": lambda: panel.filter.setText(f"tumour {next(order) % 10}"),
        "move one": lambda: editor.put([middle.moved(next(order) + 1, 1)], "Move"),
        "undo": editor.undo,
        "select all": select_all,
        "find what is under the pointer": lambda: hand.cursor(Touch(x, y, 4.0)),
    }
    figures = []
    for name, thing in things.items():
        own = [1000 * lasts(thing, time.thread_time) for _ in range(ROUNDS)]
        aim = FRAME_AIM_MS if "pointer" in name else CHANGE_AIM_MS
        figures.append(Figure(f"{name}: median, processor time", median(own), "ms", aim))
    panel.close()
    return figures


def on_disk(document: Document) -> list[Figure]:
    """Measure what happens off the GUI thread: one step written, the whole journal read."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "j.jsonl")
        journal = Journal(path)
        journal.rewrite(records_of(History(document), "slide"))
        size = path.stat().st_size / 2**20
        append = [1000 * lasts(lambda: journal.append([{"undo": 1}])) for _ in range(ROUNDS)]

        def read() -> None:
            content = read_journal(path)
            assert content is not None
            history_in(content.records)

        reading = [lasts(read, time.thread_time) for _ in range(3)]
    return [
        Figure("one step on the disk: median", median(append), "ms"),
        Figure("journal of all read again, processor time", median(reading), "s"),
        Figure("size of that journal", size, "MiB"),
    ]


def panel_order(number: int) -> Qt.SortOrder:
    return Qt.SortOrder.AscendingOrder if number % 2 else Qt.SortOrder.DescendingOrder


def lasts(thing: Callable[[], object], clock: Callable[[], float] = time.perf_counter) -> float:
    start = clock()
    thing()
    return clock() - start


if __name__ == "__main__":
    run("regions", measure, count=[10_000], steps=[200])
