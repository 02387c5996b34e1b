"""What a run came to: the measures beside the parent's and the baselines', the worst tiles."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from operator import itemgetter
from pathlib import Path
from typing import Any

from PySide6.QtCore import QSignalBlocker, Qt
from PySide6.QtGui import QFont
from PySide6.QtWidgets import (
    QAbstractItemView,
    QComboBox,
    QHBoxLayout,
    QHeaderView,
    QLabel,
    QScrollArea,
    QTableWidget,
    QTableWidgetItem,
    QVBoxLayout,
    QWidget,
)

from stainapp.runs.recipe import Made
from stainapp.ui.run_pictures import load_picture

MOST_TABLE_PX = 320
ROOM_PX = 6
"""Between the lines of one row and those of the next."""
OWN = "model"
REAL = "real"
"""Rows of the real stain against itself: what no model can better."""
NAMES = {
    OWN: "This model",
    "parent": "Parent",
    "reinhard": "Reinhard",
    "macenko": "Macenko",
    "untouched": "Untouched",
    "mean and deviation": "Mean and SD",
    REAL: "Real, elsewhere",
}
ORDER = (OWN, "parent", "reinhard", "macenko")
"""Columns in this order; whatever else there is stands behind them."""

Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Grid:
    """The table as text."""

    columns: tuple[str, ...]
    measures: tuple[str, ...]
    cells: tuple[tuple[str, ...], ...]
    """A row for each measure, a cell for each column."""
    notes: tuple[str, ...]
    """What is to be known of each measure."""
    best: tuple[int | None, ...]
    """The column with the best estimate of each measure."""


class RunResult(QWidget):
    """Table above, picture of the worst tiles below."""

    def __init__(self, folder: Path, made: Made, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._folder = folder
        there, back = made.source_stain, made.target_stain
        self._titles = {"forward": f"{there} → {back}", "inverse": f"{back} → {there}"}
        self._events: Sequence[Row] = ()
        self.direction = QComboBox(self)
        self.direction.setAccessibleName("Direction")
        self.direction.hide()
        self.words = QLabel(
            "Measured on the validation tiles, which the networks never saw; "
            "in brackets the 95 % interval, in bold the best.",
            self,
        )
        self.words.setObjectName("quiet")
        self.words.setWordWrap(True)
        self.table = QTableWidget(self)
        self.table.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.table.setSelectionMode(QAbstractItemView.SelectionMode.NoSelection)
        self.table.setShowGrid(False)
        self.table.setAlternatingRowColors(True)
        self.table.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.picture = QLabel("No picture of the worst tiles was made.", self)
        self.picture.setAlignment(Qt.AlignmentFlag.AlignCenter)
        scroll = QScrollArea(self)  # one row a tile: too tall to be fitted and still be seen
        scroll.setWidgetResizable(True)
        scroll.setWidget(self.picture)
        worst = QWidget(self)
        self.heading = QLabel("The worst tiles first", worst)
        self.heading.setObjectName("quiet")
        column = QVBoxLayout(worst)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(self.heading)
        column.addWidget(scroll, 1)
        row = QHBoxLayout()
        row.addWidget(self.words, 1)
        row.addWidget(self.direction)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addLayout(row)
        layout.addWidget(self.table)
        layout.addWidget(worst, 1)
        self.direction.currentIndexChanged.connect(self._show)

    def show_evaluations(self, events: Sequence[Row]) -> None:
        """Show the "evaluation" events of the run, one direction at a time."""
        if list(events) == list(self._events):
            return
        self._events = tuple(events)
        with QSignalBlocker(self.direction):
            self.direction.clear()
            for event in events:
                direction = str(event.get("direction", "forward"))
                self.direction.addItem(self._titles.get(direction, direction))
        self.direction.setVisible(len(events) > 1)
        self._show()

    def _show(self, *_: object) -> None:
        if not self._events:
            return
        event = self._events[max(0, self.direction.currentIndex())]
        self._fill(grid_of(event))
        figure = str(event.get("figure") or "")
        if figure:
            self.picture.setPixmap(load_picture(self._folder / figure))

    def _fill(self, grid: Grid) -> None:
        table = self.table
        table.setColumnCount(len(grid.columns))
        table.setRowCount(len(grid.measures))
        table.setHorizontalHeaderLabels(list(grid.columns))
        table.setVerticalHeaderLabels(list(grid.measures))
        table.verticalHeader().setDefaultAlignment(
            Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter
        )
        for row, cells in enumerate(grid.cells):
            for column, words in enumerate(cells):
                item = QTableWidgetItem(words)
                item.setTextAlignment(Qt.AlignmentFlag.AlignCenter)
                item.setToolTip(grid.notes[row])
                if column == grid.best[row]:
                    font = QFont(table.font())
                    font.setBold(True)
                    item.setFont(font)
                table.setItem(row, column, item)
        table.horizontalHeader().setSectionResizeMode(QHeaderView.ResizeMode.Stretch)
        table.resizeRowsToContents()
        for row in range(table.rowCount()):
            table.setRowHeight(row, table.rowHeight(row) + ROOM_PX)
        height = table.horizontalHeader().sizeHint().height() + 2 * table.frameWidth() + 2
        rows = sum(table.rowHeight(row) for row in range(table.rowCount()))
        table.setFixedHeight(min(height + rows, MOST_TABLE_PX))


def grid_of(event: Row) -> Grid:
    """Lay an "evaluation" event out as a table of text: a column for each subject of its rows."""
    subjects: dict[str, dict[str, Row]] = {OWN: {}}
    for row in event.get("rows") or ():
        subject = str(row.get("subject", OWN))
        subjects.setdefault(subject, {})[str(row.get("measure", ""))] = row
    known = [name for name in ORDER if name in subjects]
    names = [*known, *(name for name in subjects if name not in ORDER)]
    measures = subjects[OWN]
    lines = [[subjects[name].get(measure) for name in names] for measure in measures]
    return Grid(
        columns=tuple(NAMES.get(name, _words(name)) for name in names),
        measures=tuple(_title(name, row) for name, row in measures.items()),
        cells=tuple(tuple(map(_cell, line)) for line in lines),
        notes=tuple(map(_note, measures.values())),
        best=tuple(map(_best, lines)),
    )


def _words(name: str) -> str:
    words = name.replace("-", " ").replace("_", " ")
    return words[:1].upper() + words[1:]


def _best(line: Sequence[Row | None]) -> int | None:
    """Return the column of the best estimate but the real stain's, which is no contestant."""
    found = [
        (float(row["estimate"]), column)
        for column, row in enumerate(line)
        if row is not None and row.get("subject") != REAL and _is_number(row.get("estimate"))
    ]
    better = line[0].get("better") if line[0] is not None else None
    if not found or better not in ("higher", "lower"):
        return None
    return (max if better == "higher" else min)(found, key=itemgetter(0))[1]


def _title(measure: str, row: Row) -> str:
    unit = row.get("unit")
    return f"{measure} ({unit})" if unit else measure


def _cell(row: Row | None) -> str:
    if row is None or not _is_number(row.get("estimate")):
        return "–"
    estimate, low, high = (row.get(name) for name in ("estimate", "low", "high"))
    if not (_is_number(low) and _is_number(high)):
        return _number(estimate)
    return f"{_number(estimate)}\n[{_number(low)}, {_number(high)}]"


def _note(row: Row) -> str:
    parts: Sequence[str] = [
        f"{row['n']} tiles" if row.get("n") else "",
        f"{row['clusters']} regions" if row.get("clusters") else "",
        "" if row.get("clustered", True) else "the interval takes tiles as independent",
        str(row.get("note") or ""),
    ]
    return "; ".join(part for part in parts if part)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not math.isnan(value)


def _number(value: object) -> str:
    assert isinstance(value, int | float)
    if abs(value) >= 1000:
        return f"{value:,.0f}"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.3f}"
