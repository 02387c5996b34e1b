"""The slide's stain: guessed until the user says it, which takes one click."""

from html import escape

from PySide6.QtCore import Signal
from PySide6.QtWidgets import (
    QButtonGroup,
    QGridLayout,
    QLabel,
    QSizePolicy,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from stainapp.models.card import STAINS, UNKNOWN_STAIN
from stainapp.ui.open_slide import OpenedSlide

COLUMNS = 3


class StainChoice(QWidget):
    """A button for each stain; the guessed one is marked with a question mark."""

    stain_set = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.words = QLabel(self)
        self.words.setWordWrap(True)
        self.buttons: dict[str, QToolButton] = {}
        self._group = QButtonGroup(self)
        grid = QGridLayout()
        grid.setSpacing(2)
        for index, name in enumerate(STAINS):
            button = QToolButton(self)
            button.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
            button.setCheckable(True)
            button.setToolTip(f"This slide is stained: {name}")
            self._group.addButton(button)
            self.buttons[name] = button
            grid.addWidget(button, index // COLUMNS, index % COLUMNS)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.words)
        layout.addLayout(grid)
        self._group.buttonClicked.connect(self._on_clicked)

    def show_slide(self, slide: OpenedSlide | None) -> None:
        """Show what the slide's stain is, and whether that is only a guess."""
        self.setEnabled(slide is not None)
        guess = slide is not None and slide.stain_is_guess
        for name, button in self.buttons.items():
            chosen = slide is not None and slide.stain == name
            self._group.setExclusive(False)
            button.setChecked(chosen)
            self._group.setExclusive(True)
            button.setText(_escaped(f"{name} ?" if chosen and guess else name))
        self.words.setText(_sentence(slide))

    def _on_clicked(self, clicked: QToolButton) -> None:
        self.stain_set.emit(next(n for n, button in self.buttons.items() if button is clicked))


def _escaped(name: str) -> str:
    """Keep Qt from taking the ampersand of H&E for a mnemonic."""
    return name.replace("&", "&&")


def _sentence(slide: OpenedSlide | None) -> str:
    if slide is None:
        return "No slide is open."
    if slide.stain == UNKNOWN_STAIN:
        return "This slide's stain could not be told. It is:"
    if slide.stain_is_guess:
        return f"This slide: <b>{escape(slide.stain)}</b>, guessed from its colours. It is:"
    return f"This slide: <b>{escape(slide.stain)}</b>"
