"""The losses of a run over the images seen: raw and thin behind, smoothed in front."""

from typing import Any

import numpy as np
import pyqtgraph as pg
from numpy.typing import NDArray
from PySide6.QtCore import QEvent, Qt
from PySide6.QtGui import QColor, QPalette
from PySide6.QtWidgets import QCheckBox, QHBoxLayout, QLabel, QVBoxLayout, QWidget

from stainapp.ui.run_story import Curve, RunStory

MOST_POINTS = 1500
"""Points drawn of a curve; more are averaged first."""
SMOOTHED_OVER = 25
"""One part in so many of the curve is averaged for the line in front."""
RAW_ALPHA = 70
HEADING_PX = 22
HUES = ("#3b82f6", "#f59e0b", "#10b981", "#ef4444", "#8b5cf6", "#64748b", "#ec4899", "#84861c")

Numbers = NDArray[np.float64]


class LossAxis(pg.AxisItem):
    """On a logarithmic scale only 1, 2 and 5 of each decade are written, so that none overlap."""

    def logTickStrings(self, values: Any, scale: float, spacing: Any) -> list[str]:
        words = [f"{10**value * scale:.3g}" for value in values]
        return [word if word.strip("0.")[:1] in ("1", "2", "5") else "" for word in words]


class LossChart(QWidget):
    """Curves that come and go with the names of the losses."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.plot = pg.PlotWidget(self, enableMenu=False, axisItems={"left": LossAxis("left")})
        self.log = QCheckBox("Logarithmic", self)
        self.empty = QLabel("The first losses come once the networks are warm.", self)
        self.empty.setObjectName("empty")
        self.empty.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self._curves: dict[str, Curve] = {}
        self._raw: dict[str, pg.PlotDataItem] = {}
        self._smooth: dict[str, pg.PlotDataItem] = {}
        item = self.plot.getPlotItem()
        item.setLabel("bottom", "images seen")
        item.hideButtons()
        item.showGrid(x=True, y=True, alpha=0.15)
        item.getAxis("bottom").enableAutoSIPrefix(False)
        item.getAxis("left").setWidth(52)
        item.layout.setContentsMargins(0, 8, 10, 6)
        self.legend = item.addLegend(offset=(-12, 8), verSpacing=-4)
        self._lay_out()
        self._recolour()
        self.log.toggled.connect(self._on_log)

    def show_story(self, story: RunStory) -> None:
        """Draw the curves as they are now."""
        self._curves = story.curves
        self._draw()

    def changeEvent(self, event: QEvent) -> None:
        if event.type() == QEvent.Type.PaletteChange:
            self._recolour()
        super().changeEvent(event)

    def _lay_out(self) -> None:
        heading = QLabel("Losses", self)
        heading.setObjectName("quiet")
        row = QHBoxLayout()
        heading.setFixedHeight(HEADING_PX)
        row.addWidget(heading, 1)
        row.addWidget(self.log)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addLayout(row)
        layout.addWidget(self.plot, 1)
        layout.addWidget(self.empty, 1)
        self.plot.hide()

    def _recolour(self) -> None:
        palette = self.palette()
        text = palette.color(QPalette.ColorRole.Text)
        self.plot.setBackground(palette.color(QPalette.ColorRole.Base))
        for name in ("left", "bottom"):
            axis = self.plot.getPlotItem().getAxis(name)
            axis.setPen(palette.color(QPalette.ColorRole.Mid))
            axis.setTextPen(text)
        self.legend.setLabelTextColor(text)
        behind = QColor(palette.color(QPalette.ColorRole.Base))
        behind.setAlpha(200)
        self.legend.setBrush(behind)

    def _draw(self) -> None:
        drawn = any(curve.images for curve in self._curves.values())
        self.plot.setVisible(drawn)
        self.empty.setVisible(not drawn)
        for name, curve in self._curves.items():
            if name not in self._raw:
                self._add(name)
            images, values = thinned(curve)
            if self.log.isChecked():
                above = values > 0
                images, values = images[above], values[above]
            self._raw[name].setData(images, values)
            self._smooth[name].setData(images, smoothed(values))

    def _add(self, name: str) -> None:
        colour = QColor(HUES[len(self._raw) % len(HUES)])
        faint = QColor(colour)
        faint.setAlpha(RAW_ALPHA)
        self._raw[name] = self.plot.plot(pen=pg.mkPen(faint, width=1))
        self._smooth[name] = self.plot.plot(
            pen=pg.mkPen(colour, width=2), name=name.replace("_", " ")
        )
        self._smooth[name].setZValue(1)

    def _on_log(self, log: bool) -> None:
        self.plot.getPlotItem().setLogMode(y=log)
        self._draw()


def thinned(curve: Curve) -> tuple[Numbers, Numbers]:
    """Return images and values as arrays, averaged in runs where they are too many to draw."""
    images = np.asarray(curve.images, np.float64)
    values = np.asarray(curve.values, np.float64)
    run = -(-len(values) // MOST_POINTS)
    if run <= 1:
        return images, values
    starts = np.arange(0, len(values), run)
    counts = np.diff(np.append(starts, len(values)))
    return np.add.reduceat(images, starts) / counts, np.add.reduceat(values, starts) / counts


def smoothed(values: Numbers) -> Numbers:
    """Return the centred moving average; towards the ends it is over fewer values."""
    width = 2 * (len(values) // (2 * SMOOTHED_OVER)) + 1
    if width < 3:
        return values
    kernel = np.ones(width)
    over = np.convolve(np.ones(len(values)), kernel, "same")
    average: Numbers = np.convolve(values, kernel, "same") / over
    return average
