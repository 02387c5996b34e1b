"""How one quantity agrees over regions, drawn with pyqtgraph: scatter, Bland-Altman, histogram."""

from typing import Any

import numpy as np
import pyqtgraph as pg
from numpy.typing import NDArray
from PySide6.QtCore import QEvent, Qt, Signal
from PySide6.QtGui import QColor, QPalette
from PySide6.QtWidgets import QHBoxLayout, QWidget

from stainapp.compare.bland_altman import LEAST_PAIRS, Paired, histogram, limits_of_agreement

DOT_PX = 8
DOT_ALPHA = 190
BAND_ALPHA = 40
MOST_TICKS = 5
"""Of counts, which are whole numbers."""


class ComparePlots(QWidget):
    """Three plots of the same regions; a point that is clicked names its region."""

    region_chosen = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.scatter, self.limits, self.counts = (
            pg.PlotWidget(self, enableMenu=False) for _ in range(3)
        )
        self._paired: Paired | None = None
        self._names = ("reference", "other")
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        for plot in self._plots:
            item = plot.getPlotItem()
            item.hideButtons()
            item.showGrid(x=True, y=True, alpha=0.15)
            item.layout.setContentsMargins(0, 4, 8, 2)
            for side in ("left", "bottom"):
                item.getAxis(side).enableAutoSIPrefix(False)
            layout.addWidget(plot, 1)
        self.draw()

    @property
    def _plots(self) -> tuple[Any, Any, Any]:
        return self.scatter, self.limits, self.counts

    def show_pairs(self, paired: Paired | None, reference: str, other: str) -> None:
        """Draw a quantity of all regions where it may be read; nothing for None."""
        self._paired, self._names = paired, (reference, other)
        self.draw()

    def changeEvent(self, event: QEvent) -> None:
        if event.type() == QEvent.Type.PaletteChange:
            self.draw()
        super().changeEvent(event)

    def draw(self) -> None:
        """Draw all anew, in the colours of the theme."""
        self._recolour()
        paired = self._paired
        if paired is None or not len(paired.regions):
            return
        unit = f" ({paired.unit})" if paired.unit else ""
        self._label(self.scatter, self._names[0] + unit, self._names[1] + unit)
        self._label(self.limits, f"mean of both{unit}", "other less reference")
        self._label(self.counts, f"other less reference{unit}", "regions")
        self._dots(self.scatter, paired.reference, paired.other)
        ends = np.concatenate([paired.reference, paired.other])
        low, high = float(ends.min()), float(ends.max())
        self.scatter.plot([low, high], [low, high], pen=pg.mkPen(self._colour("line"), width=1))
        self._dots(self.limits, paired.mean, paired.difference)
        if len(paired.regions) >= LEAST_PAIRS:
            self._draw_limits(paired)
        self._draw_counts(paired)

    def _draw_limits(self, paired: Paired) -> None:
        found = limits_of_agreement(paired.difference)
        band = self._colour("accent")
        band.setAlpha(BAND_ALPHA)
        named = ((found.bias, "bias"), (found.lower, "-1.96 SD"), (found.upper, "+1.96 SD"))
        for line, name in named:
            style = Qt.PenStyle.SolidLine if line is found.bias else Qt.PenStyle.DashLine
            pen = pg.mkPen(self._colour("text"), width=1, style=style)
            label = {"position": 0.08, "anchors": [(0, 1), (0, 1)], "color": self._colour("text")}
            words = f"{name} {line.at:.4g}"
            self.limits.addItem(pg.InfiniteLine(line.at, 0, pen, label=words, labelOpts=label))
            region = pg.LinearRegionItem(
                (line.low, line.high), "horizontal", band, pen=pg.mkPen(None), movable=False
            )
            region.setZValue(-10)
            self.limits.addItem(region)

    def _draw_counts(self, paired: Paired) -> None:
        found = histogram(paired.difference)
        width = np.diff(found.edges)
        bars = pg.BarGraphItem(
            x0=found.edges[:-1],
            width=width,
            height=found.counts,
            brush=self._colour("accent"),
            pen=pg.mkPen(self._colour("base"), width=1),
        )
        self.counts.addItem(bars)
        step = max(1, -(-int(found.counts.max()) // MOST_TICKS))
        self.counts.getPlotItem().getAxis("left").setTickSpacing(levels=[(step, 0)])
        pen = pg.mkPen(self._colour("text"), width=1, style=Qt.PenStyle.DashLine)
        if found.edges[0] <= 0 <= found.edges[-1]:
            self.counts.addItem(pg.InfiniteLine(0.0, 90, pen))

    def _dots(self, plot: Any, x: NDArray[np.float64], y: NDArray[np.float64]) -> None:
        colour = self._colour("accent")
        colour.setAlpha(DOT_ALPHA)
        assert self._paired is not None
        dots = pg.ScatterPlotItem(
            x, y, size=DOT_PX, brush=colour, pen=pg.mkPen(None), data=list(self._paired.regions),
            hoverable=True, tip=lambda x, y, data: f"{data}: {x:.4g}, {y:.4g}",
        )  # fmt: skip
        dots.sigClicked.connect(self._on_clicked)
        plot.addItem(dots)

    def _on_clicked(self, _: object, points: list[Any], *__: object) -> None:
        if len(points):
            self.region_chosen.emit(str(points[0].data()))

    def _label(self, plot: Any, bottom: str, left: str) -> None:
        text = self._colour("text").name()
        plot.getPlotItem().setLabel("bottom", bottom, color=text)
        plot.getPlotItem().setLabel("left", left, color=text)

    def _recolour(self) -> None:
        for plot in self._plots:
            plot.clear()
            plot.setBackground(self._colour("base"))
            for name in ("left", "bottom"):
                axis = plot.getPlotItem().getAxis(name)
                axis.setPen(self._colour("line"))
                axis.setTextPen(self._colour("text"))

    def _colour(self, what: str) -> QColor:
        role = QPalette.ColorRole
        roles = {"text": role.Text, "line": role.Mid, "base": role.Base, "accent": role.Highlight}
        return QColor(self.palette().color(roles[what]))
