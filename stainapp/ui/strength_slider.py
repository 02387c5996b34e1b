"""How much of the virtual stain there is, from the slide itself to all of it."""

from PySide6.QtCore import QSignalBlocker, Qt, Signal
from PySide6.QtWidgets import QHBoxLayout, QLabel, QSlider, QWidget

from stainapp.ui.field import single_shot

SETTLE_MS = 60
"""How long the slider must rest before the picture follows: each place costs tiles."""
STEP = 10


class StrengthSlider(QWidget):
    """A slider of 0 to 100 % and its figure."""

    changed = Signal(float)
    """The strength, 0..1."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.slider = QSlider(Qt.Orientation.Horizontal, self)
        self.slider.setRange(0, 100)
        self.slider.setPageStep(STEP)
        self.slider.setAccessibleName("Strength of the virtual stain")
        self.slider.setToolTip(
            "How much of the virtual stain there is: 0 % is the slide itself. "
            "A bridge is walked that far; others are blended in optical density."
        )
        self.figure = QLabel(self)
        self.figure.setMinimumWidth(self.figure.fontMetrics().horizontalAdvance("100 % "))
        self.figure.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        self._rest = single_shot(self, SETTLE_MS, self._tell)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        label = QLabel("Strength", self)
        label.setBuddy(self.slider)
        row.addWidget(label)
        row.addWidget(self.slider, 1)
        row.addWidget(self.figure)
        self.slider.valueChanged.connect(self._on_moved)
        self.set_value(1.0)

    def value(self) -> float:
        return self.slider.value() / 100

    def set_value(self, strength: float) -> None:
        """Set it, and tell of it at once."""
        with QSignalBlocker(self.slider):
            self.slider.setValue(round(100 * strength))
        self._show()
        self._rest.stop()
        self._tell()

    def _on_moved(self, _percent: int) -> None:
        self._show()
        self._rest.start()

    def _show(self) -> None:
        self.figure.setText(f"{self.slider.value()} %")

    def _tell(self) -> None:
        self.changed.emit(self.value())
