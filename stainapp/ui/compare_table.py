"""A comparison as a table that Qt views can show: regions down, measures across."""

from collections.abc import Callable

from PySide6.QtCore import QAbstractTableModel, QModelIndex, QPersistentModelIndex, Qt
from PySide6.QtGui import QBrush, QFont, QPalette
from PySide6.QtWidgets import QApplication

from stainapp.compare.comparison import Comparison
from stainapp.compare.region_figures import ALL, Figure

Index = QModelIndex | QPersistentModelIndex
ROOT = QModelIndex()
REGION, ERROR, FIRST_MEASURE = range(3)
HEADINGS = ("Region", "Registration\nerror, µm")
TO_THE_RIGHT = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
NOTHING = Comparison(1.0, (), ())


class CompareTable(QAbstractTableModel):
    """The first row is of all regions. What is not to be read is quiet, and says why."""

    def __init__(self) -> None:
        super().__init__()
        self._found = NOTHING
        self._rows: tuple[tuple[str, dict[str, Figure]], ...] = ()

    def show_comparison(self, found: Comparison) -> None:
        self.beginResetModel()
        self._found = found
        names = (ALL, *(place.name for place in found.places)) if found.places else ()
        self._rows = tuple((name, {one.measure: one for one in found.of(name)}) for name in names)
        self.endResetModel()

    def region(self, row: int) -> str:
        """Return the name of a row's region, or `ALL`."""
        return self._rows[row][0]

    def measure(self, column: int) -> str | None:
        """Return the measure of a column; None for those before them."""
        at = column - FIRST_MEASURE
        return self._found.measures[at] if at >= 0 else None

    def figure(self, index: Index) -> Figure | None:
        measure = self.measure(index.column())
        return None if measure is None else self._rows[index.row()][1][measure]

    # Qt's

    def rowCount(self, parent: Index = ROOT) -> int:
        return 0 if parent.isValid() else len(self._rows)

    def columnCount(self, parent: Index = ROOT) -> int:
        return 0 if parent.isValid() else FIRST_MEASURE + len(self._found.measures)

    def headerData(
        self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole
    ) -> object:
        if orientation != Qt.Orientation.Horizontal or role != Qt.ItemDataRole.DisplayRole:
            return None
        measure = self.measure(section)
        if measure is None:
            return HEADINGS[section]
        unit = next(one.unit for one in self._found.of(ALL) if one.measure == measure)
        return f"{measure}\n{unit}" if unit else measure

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> object:
        if not index.isValid():
            return None
        what = Qt.ItemDataRole
        answers: dict[int, Callable[[Index], object]] = {
            what.DisplayRole: self._words,
            what.TextAlignmentRole: lambda at: None if at.column() == REGION else TO_THE_RIGHT,
            what.FontRole: lambda at: _bold() if at.row() == 0 else None,
            what.ForegroundRole: self._ink,
            what.ToolTipRole: self._said,
        }
        answer = answers.get(role)
        return answer(index) if answer is not None else None

    def _words(self, index: Index) -> str:
        name, figures = self._rows[index.row()]
        figure = self.figure(index)
        if figure is not None:
            return f"{figure.estimate:.4g}"
        if index.column() == REGION:
            return name[:1].upper() + name[1:] if name == ALL else name
        errors = [one.error_um for one in figures.values() if one.error_um is not None]
        return f"{errors[0]:.1f}" if errors else ""

    def _ink(self, index: Index) -> QBrush | None:
        figure = self.figure(index)
        if figure is None or not figure.greyed:
            return None
        return QBrush(QApplication.palette().color(QPalette.ColorRole.PlaceholderText))

    def _said(self, index: Index) -> str | None:
        figure = self.figure(index)
        return None if figure is None else in_words(figure)


def _bold() -> QFont:
    font = QFont(QApplication.font())
    font.setBold(True)
    return font


def in_words(figure: Figure) -> str:
    """Return all that is known of a figure, a line each."""
    unit = f" {figure.unit}" if figure.unit else ""
    lines = [f"{figure.measure}: {figure.estimate:.4g}{unit}"]
    if figure.low is not None and figure.high is not None:
        lines.append(f"95 % interval: {figure.low:.4g} to {figure.high:.4g}")
    if figure.reference is not None and figure.other is not None:
        lines.append(f"reference {figure.reference:.4g}, other {figure.other:.4g}")
    if figure.greyed:
        lines.append(f"Not to be read: {figure.greyed}.")
    return "\n".join([*lines, *filter(None, figure.note.split("; "))])
