"""A slim line above the slide: what goes on with the reference, and what can be done about it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

from PySide6.QtGui import QAction
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QProgressBar, QPushButton, QWidget

STEPS = 1000


@dataclass(frozen=True, slots=True)
class Notice:
    """One sentence, and the names of the actions that answer it."""

    words: str
    answers: tuple[str, ...] = ()
    share: float | None = None
    """How much of the work is done, 0..1; None where nothing is being done."""
    lasting: bool = False
    """Whether it goes by itself, and not by a click on it."""


class NoticeBar(QFrame):
    """Shows a notice; each of its buttons triggers an action of the window. Hidden without one."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("notice")
        self.text = QLabel(self)
        self.text.setWordWrap(True)
        self.progress = QProgressBar(self)
        self.progress.setTextVisible(False)
        self.progress.setFixedSize(160, 8)
        self.progress.setRange(0, STEPS)
        self.progress.setAccessibleName("Share of the work that is done")
        self.buttons: dict[str, QPushButton] = {}
        self.dismiss = QPushButton("Close", self)
        self.dismiss.clicked.connect(self.hide)
        self._row = QHBoxLayout(self)
        self._row.setContentsMargins(12, 5, 8, 5)
        self._row.addWidget(self.text, 1)
        self._row.addWidget(self.progress)
        self._row.addWidget(self.dismiss)
        self.hide()

    def offer(self, actions: Mapping[str, QAction], words: Mapping[str, str]) -> None:
        """Make a button with these words for each action; a notice shows those that answer it."""
        for name, text in words.items():
            button = QPushButton(text, self)
            button.setToolTip(actions[name].toolTip())
            button.clicked.connect(partial(_trigger, actions[name].trigger))
            button.hide()
            self.buttons[name] = button
            self._row.insertWidget(self._row.count() - 1, button)

    def show_notice(self, notice: Notice | None) -> None:
        if notice is not None:
            self.text.setText(notice.words)
            self.progress.setVisible(notice.share is not None)
            self.progress.setValue(round(STEPS * (notice.share or 0.0)))
            for name, button in self.buttons.items():
                button.setVisible(name in notice.answers)
            self.dismiss.setVisible(not notice.lasting)
        self.setVisible(notice is not None)


def _trigger(trigger: Callable[[], None], *_: object) -> None:
    trigger()
