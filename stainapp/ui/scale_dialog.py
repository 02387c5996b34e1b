"""Asks how large a pixel is, where the file does not say. A guess is shown as a guess."""

from PySide6.QtCore import Signal
from PySide6.QtWidgets import (
    QDialog,
    QDialogButtonBox,
    QFormLayout,
    QLabel,
    QVBoxLayout,
    QWidget,
)

from stainapp.ui.mpp_box import MppBox
from stainapp.ui.open_slide import OpenedSlide

TYPICAL = "Typical values: 0.25 µm/px for a 40x scan, 0.50 for 20x, 1.0 for 10x."

NEEDED_BY_MODELS = "Models need it, and so do the scale bar and all lengths."
NEEDED_BY_REGISTRATION = "Laying it over the other slide goes faster and safer with it."


class ScaleDialog(QDialog):
    """One number, with what is known about it."""

    scale_set = Signal(float)  # micrometres per level-0 pixel

    def __init__(
        self,
        slide: OpenedSlide,
        parent: QWidget | None = None,
        *,
        needed_by: str = NEEDED_BY_MODELS,
    ) -> None:
        super().__init__(parent)
        self.setWindowTitle("Scale of the slide")
        self.mpp = MppBox(slide.reader.info.mpp or slide.guessed_mpp, self)
        self.mpp.valueChanged.connect(self._on_value)

        self.words = QLabel(explanation(slide, needed_by), self)
        self.words.setWordWrap(True)
        self.buttons = QDialogButtonBox(self)
        self.accept_button = self.buttons.addButton(
            "Use this scale", QDialogButtonBox.ButtonRole.AcceptRole
        )
        self.buttons.addButton("Go on without scale", QDialogButtonBox.ButtonRole.RejectRole)
        self.buttons.accepted.connect(self.accept)
        self.buttons.rejected.connect(self.reject)
        self.accepted.connect(self._on_accepted)

        form = QFormLayout()
        form.addRow("Size of a pixel", self.mpp)
        layout = QVBoxLayout(self)
        layout.addWidget(self.words)
        layout.addLayout(form)
        layout.addWidget(self.buttons)
        self.setMinimumWidth(440)
        self._on_value()

    def _on_value(self, *_: float) -> None:
        self.accept_button.setEnabled(self.mpp.known)

    def _on_accepted(self) -> None:
        self.scale_set.emit(self.mpp.value())


def explanation(slide: OpenedSlide, needed_by: str = NEEDED_BY_MODELS) -> str:
    """Say why the program asks, and where the number in the box comes from."""
    info = slide.reader.info
    if info.mpp is not None:
        return f"{slide.name} is shown at {info.mpp:.4g} µm/px. {TYPICAL}"
    reason = (
        f"{slide.name} does not record how large its pixels are. {needed_by} "
        "It is remembered for this slide."
    )
    if slide.guessed_mpp is not None:
        guess = f"The value below is only a guess, from the recorded {info.objective:g}x objective."
        return f"{reason}\n\n{guess} {TYPICAL}"
    return f"{reason}\n\nThe file gives no hint. {TYPICAL}"
