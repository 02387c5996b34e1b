"""The comparison in the window: measured off the GUI thread, shown as a table and plots."""

import json
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QBrush
from pytestqt.modeltest import ModelTester
from pytestqt.qtbot import QtBot

from stainapp.compare.comparison import Comparison, compare
from stainapp.compare.instruments import Instruments
from stainapp.compare.pair import Pair, Points
from stainapp.compare.region_figures import ALL
from stainapp.session.regions import Region
from stainapp.slides.reader import RgbImage
from stainapp.ui.compare_panel import OPENING, STOPPED, ComparePanel
from stainapp.ui.compare_table import ERROR, REGION, CompareTable
from stainapp.ui.comparing import CompareRequest, Comparing, OpenPair
from tests.compare.readers import ArraySlide, noise, side
from tests.compare.test_comparison import Blind

SEEN = Instruments(segmenter=Blind())
REGIONS = tuple(Region.rectangle(20 + 90 * n, 30, 70, 70, name=f"field {n}") for n in range(5))


def torn(points: Points) -> Points:
    """Well registered but for the last region."""
    return np.where(points[:, 0] < 370, 1.0, 9.0)


def noisy_pair() -> Pair:
    first, second = (ArraySlide(noise(200, 500, seed), f"slide {seed}") for seed in (1, 2))
    return Pair(side(first), side(second), torn)


@pytest.fixture(scope="module")
def found() -> Comparison:
    return compare(noisy_pair(), REGIONS, instruments=SEEN)


@pytest.fixture
def comparing() -> Iterator[Comparing]:
    made = Comparing()
    yield made
    made.close()


def column_of(model: CompareTable, measure: str) -> int:
    return next(n for n in range(model.columnCount()) if model.measure(n) == measure)


def test_the_table_is_a_sound_model(
    found: Comparison, qtmodeltester: ModelTester, qapp: object
) -> None:
    model = CompareTable()
    model.show_comparison(found)

    qtmodeltester.check(model)

    assert model.rowCount() == 1 + len(REGIONS)
    assert model.index(0, REGION).data() == "All regions"
    assert model.index(2, REGION).data() == "field 1"
    assert model.index(2, ERROR).data() == "1.0"


def test_what_is_not_to_be_read_is_quiet_and_says_why(found: Comparison, qapp: object) -> None:
    model = CompareTable()
    model.show_comparison(found)
    column = column_of(model, "SSIM")
    ink, said = Qt.ItemDataRole.ForegroundRole, Qt.ItemDataRole.ToolTipRole

    assert model.index(1, column).data(ink) is None
    assert isinstance(model.index(5, column).data(ink), QBrush)
    assert "9.0 um" in model.index(5, column).data(said)
    assert "95 % interval" in model.index(0, column).data(said)


def test_a_click_plots_the_measure_and_goes_to_the_region(found: Comparison, qtbot: QtBot) -> None:
    panel = ComparePanel()
    qtbot.addWidget(panel)
    panel.show_comparison(found, "real", "virtual")
    column = next(
        n for n in range(panel.figures.columnCount()) if panel.figures.measure(n) == "mean eosin"
    )

    with qtbot.waitSignal(panel.gone_to) as gone:
        panel.table.clicked.emit(panel.figures.index(3, column))

    assert gone.args == ["field 2"]
    assert panel.quantity.currentText() == "mean eosin"
    assert "limits of agreement" in panel.agreement.text()


def test_a_point_that_is_clicked_selects_its_row(found: Comparison, qtbot: QtBot) -> None:
    panel = ComparePanel()
    qtbot.addWidget(panel)
    panel.show_comparison(found, "real", "virtual")

    with qtbot.waitSignal(panel.gone_to) as gone:
        panel.plots.region_chosen.emit("field 3")

    assert gone.args == ["field 3"]
    rows = panel.table.selectionModel().selectedRows(REGION)
    assert [row.data() for row in rows] == ["field 3"]


def test_a_new_comparison_keeps_the_quantity_that_is_looked_at(
    found: Comparison, qtbot: QtBot
) -> None:
    panel = ComparePanel()
    qtbot.addWidget(panel)
    panel.show_comparison(found, "real", "virtual")
    panel.quantity.setCurrentText("mean DAB")

    panel.show_comparison(found, "real", "virtual")

    assert panel.quantity.currentText() == "mean DAB"


def test_figures_come_from_another_thread_with_progress_on_the_way(
    comparing: Comparing, found: Comparison, qtbot: QtBot
) -> None:
    told: list[tuple[int, int]] = []
    comparing.progressed.connect(lambda *at: told.append(at))

    with qtbot.waitSignal(comparing.finished) as finished:
        comparing.start(CompareRequest(opens(noisy_pair()), REGIONS, instruments=SEEN))

    assert finished.args is not None
    assert finished.args[0].as_csv() == found.as_csv()
    assert told[-1][0] == told[-1][1]


def opens(pair: Pair) -> OpenPair:
    return lambda _stack, _token: pair


class Held(ArraySlide):
    """Reads only once it is let go."""

    def __init__(self) -> None:
        super().__init__(noise(200, 500, 3), "held")
        self.asked, self.let_go = threading.Event(), threading.Event()

    def read(self, x: int, y: int, level: int, width_px: int, height_px: int) -> RgbImage:
        self.asked.set()
        self.let_go.wait(30)
        return super().read(x, y, level, width_px, height_px)


def test_a_new_request_stops_the_one_before(comparing: Comparing, qtbot: QtBot) -> None:
    held = Held()
    slow = replace(noisy_pair(), other=side(held))
    ended: list[Comparison] = []
    comparing.finished.connect(ended.append)
    comparing.start(CompareRequest(opens(slow), REGIONS, instruments=SEEN))
    assert held.asked.wait(30)

    with qtbot.waitSignal(comparing.finished):
        comparing.start(CompareRequest(opens(noisy_pair()), REGIONS[:3], instruments=SEEN))
        held.let_go.set()

    assert [len(one.places) for one in ended] == [3]


def test_what_goes_wrong_is_said_and_the_figures_stay(
    comparing: Comparing, found: Comparison, qtbot: QtBot
) -> None:
    panel = ComparePanel()
    qtbot.addWidget(panel)
    panel.show_comparison(found, "real", "virtual")
    comparing.failed.connect(panel.show_failed)

    with qtbot.waitSignal(comparing.failed):
        comparing.start(CompareRequest(opens(noisy_pair()), (), instruments=SEEN))

    assert "No region" in panel.words.text()
    assert panel.figures.rowCount() == 1 + len(REGIONS)


def test_the_report_of_what_was_compared_is_written(
    comparing: Comparing, tmp_path: Path, qtbot: QtBot
) -> None:
    with qtbot.waitSignal(comparing.failed):
        comparing.report(tmp_path / "early.html", pdf=False)
    with qtbot.waitSignal(comparing.finished):
        comparing.start(CompareRequest(opens(noisy_pair()), REGIONS, instruments=SEEN))

    with qtbot.waitSignal(comparing.reported, timeout=30_000) as reported:
        comparing.report(tmp_path / "report.html", pdf=True)

    assert reported.args is not None
    assert {path.suffix for path in reported.args[0]} == {".html", ".csv", ".json", ".pdf"}
    assert all(path.is_file() for path in reported.args[0])


def test_a_report_that_cannot_be_written_is_said_and_can_go_elsewhere(
    comparing: Comparing, tmp_path: Path, qtbot: QtBot
) -> None:
    with qtbot.waitSignal(comparing.finished):
        comparing.start(CompareRequest(opens(noisy_pair()), REGIONS, instruments=SEEN))
    (tmp_path / "file").write_text("no folder")

    with qtbot.waitSignal(comparing.failed) as failed:
        comparing.report(tmp_path / "file" / "report.html", pdf=False)
    assert failed.args is not None
    assert "choose another folder" in failed.args[0]

    with qtbot.waitSignal(comparing.reported, timeout=30_000):
        comparing.report(tmp_path / "report.html", pdf=False)
    assert (tmp_path / "report.html").is_file()


def test_the_last_comparison_is_reported_although_a_newer_one_was_stopped(
    comparing: Comparing, tmp_path: Path, qtbot: QtBot
) -> None:
    with qtbot.waitSignal(comparing.finished):
        comparing.start(CompareRequest(opens(noisy_pair()), REGIONS[:3], instruments=SEEN))
    held = Held()
    slow = replace(noisy_pair(), other=side(held))
    comparing.start(CompareRequest(opens(slow), REGIONS, instruments=SEEN))
    assert held.asked.wait(30)
    comparing.stop()
    held.let_go.set()

    with qtbot.waitSignal(comparing.reported, timeout=30_000):
        comparing.report(tmp_path / "report.html", pdf=False)

    told = json.loads((tmp_path / "report.json").read_text(encoding="utf-8"))
    assert len(told["regions"]) == 3


def test_what_is_not_in_the_table_is_said_below_it(found: Comparison, qtbot: QtBot) -> None:
    panel = ComparePanel()
    qtbot.addWidget(panel)

    panel.show_comparison(replace(found, notes=("One region left out.",)), "real", "virtual")

    assert panel.left_out.text().startswith("One region left out. Not measured: ")
    assert all(what in panel.left_out.text() for what in found.missing)
    panel.show_comparison(replace(found, missing={}), "real", "virtual")
    assert not panel.left_out.isVisibleTo(panel)


def test_the_panel_tells_opening_from_measuring_and_that_it_was_stopped(
    found: Comparison, qtbot: QtBot
) -> None:
    panel = ComparePanel()
    qtbot.addWidget(panel)
    panel.show_comparison(found, "real", "virtual")

    panel.show_progress(0, 0)
    assert (panel.progress.maximum(), panel.words.text()) == (0, OPENING)
    panel.show_progress(2, 9)
    assert (panel.progress.maximum(), panel.progress.value(), panel.words.text()) == (9, 2, "")
    panel.show_stopped()

    assert panel.words.text() == STOPPED
    assert panel.figures.rowCount() == 1 + len(REGIONS)
    assert panel.report.isEnabled()


def test_all_regions_is_no_place_to_go_to(found: Comparison, qtbot: QtBot) -> None:
    panel = ComparePanel()
    qtbot.addWidget(panel)
    panel.show_comparison(found, "real", "virtual")
    gone: list[str] = []
    panel.gone_to.connect(gone.append)

    panel.table.clicked.emit(panel.figures.index(0, REGION))

    assert panel.figures.region(0) == ALL
    assert gone == []
