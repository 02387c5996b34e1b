"""A box for the size of a pixel, which may be unknown."""

from PySide6.QtWidgets import QDoubleSpinBox, QWidget

from stainapp.slides.scale import COARSEST_MPP, FINEST_MPP

DECIMALS = 4


class MppBox(QDoubleSpinBox):
    """Micrometres per pixel; 0 is shown as "unknown"."""

    def __init__(self, mpp: float | None, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setDecimals(DECIMALS)
        self.setRange(0.0, COARSEST_MPP)
        self.setSingleStep(0.05)
        self.setSuffix(" µm/px")
        self.setSpecialValueText("unknown")
        self.setValue(mpp or 0.0)

    @property
    def known(self) -> bool:
        return self.value() >= FINEST_MPP
