"""A reader study as it is read: one field at a time, answered by keyboard, identities hidden.

R or V says whether the field is real or virtual, 1 to 5 how well one could report on it; Enter
keeps both and goes on, Backspace goes back to the field before. Each answer is on the disk before
the next field shows.
"""

import time
from collections.abc import Callable

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QImage, QKeyEvent, QPixmap
from PySide6.QtWidgets import (
    QApplication,
    QDialog,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from stainapp.compare.pair import Pair
from stainapp.models.working_scale import WorkingScale
from stainapp.session.reader_study import SCORES, Answer, StudyField, StudyFolder
from stainapp.settings import load_settings
from stainapp.slides.reader import RgbImage
from stainapp.ui.background import Background
from stainapp.ui.run_pictures import FittedPicture
from stainapp.ui.theme import apply_theme, chosen_colours

LARGEST_PX = 1200
"""Side of a picture; of a larger field each pixel is then coarser, alike on both sides."""
CHOICES = {Qt.Key.Key_R: False, Qt.Key.Key_V: True}
KEYS = "R real, V virtual; 1 to 5; Enter goes on, Backspace goes back."
DONE = "All fields are answered. Thank you; the study's owner can now look at the results."


class StudyWindow(QDialog):
    """Shows the fields of a study to one reader, from the first without an answer on."""

    finished_study = Signal()

    def __init__(
        self,
        folder: StudyFolder,
        reader: str,
        pair: Pair,
        parent: QWidget | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Begin or go on.

        Args:
            folder: the study.
            reader: who reads, as in the names of files.
            pair: the real slide as reference and the virtual one as other, in the study's frame.
            parent: the window.
            clock: seconds, for how long a field is looked at.
        """
        super().__init__(parent)
        self._folder, self._reader, self._pair, self._clock = folder, reader, pair, clock
        self._background = Background(self)
        self._at: int | None = None
        self._says_virtual: bool | None = None
        self._score: int | None = None
        self._shown_at: float | None = None
        self._waiting = True
        """For the study's files, which another thread reads and writes."""
        self.picture = FittedPicture("The field is being read.", self)
        self.place, self.problem = QLabel(self), QLabel(self)
        self.choices = {
            False: QPushButton("Real (R)", self),
            True: QPushButton("Virtual (V)", self),
        }
        self.scores = {n: QPushButton(str(n), self) for n in SCORES}
        self.go_on = QPushButton("Go on (Enter)", self)
        self.setWindowTitle("Reader study - real and virtual fields, research use only")
        self._lay_out()
        self._connect()
        self._show_state()
        self._background.run(lambda: folder.next_field(reader), self._go_to, self._fail)

    @property
    def field(self) -> int | None:
        """The place in the order of the field that is shown; None before and at the end."""
        return self._at

    def keyPressEvent(self, event: QKeyEvent) -> None:
        key = Qt.Key(event.key())
        if key in CHOICES:
            self._choose(CHOICES[key])
        elif event.text().isdecimal() and int(event.text()) in SCORES:
            self._rate(int(event.text()))
        elif key in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            self._keep()
        elif key == Qt.Key.Key_Backspace:
            self._back()
        else:
            super().keyPressEvent(event)

    def done(self, result: int) -> None:
        """Close; what was answered is kept, and the study goes on from there."""
        self._background.close()
        super().done(result)

    def _lay_out(self) -> None:
        study = self._folder.study
        rows = []
        for question, buttons in (
            (study.choice, self.choices.values()),
            (study.question, self.scores.values()),
        ):
            row = QHBoxLayout()
            row.addWidget(QLabel(question, self), 1)
            for button in buttons:
                button.setCheckable(True)
                button.setFocusPolicy(Qt.FocusPolicy.NoFocus)  # keys are the window's
                row.addWidget(button)
            rows.append(row)
        keys = QLabel(KEYS, self)
        for label in (keys, self.place):
            label.setObjectName("quiet")
        self.problem.setObjectName("problem")
        self.problem.setWordWrap(True)
        self.go_on.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.go_on.setAutoDefault(False)
        bottom = QHBoxLayout()
        bottom.addWidget(self.place)
        bottom.addWidget(keys, 1)
        bottom.addWidget(self.go_on)
        layout = QVBoxLayout(self)
        layout.addWidget(self.picture, 1)
        layout.addWidget(self.problem)
        for row in rows:
            layout.addLayout(row)
        layout.addLayout(bottom)
        self.resize(900, 820)

    def _connect(self) -> None:
        for virtual, button in self.choices.items():
            button.clicked.connect(lambda _=False, says=virtual: self._choose(says))
        for score, button in self.scores.items():
            button.clicked.connect(lambda _=False, chosen=score: self._rate(chosen))
        self.go_on.clicked.connect(self._keep)

    def _choose(self, says_virtual: bool) -> None:
        if self._shown_at is not None and not self._waiting:
            self._says_virtual = says_virtual
            self._show_state()

    def _rate(self, score: int) -> None:
        if self._shown_at is not None and not self._waiting:
            self._score = score
            self._show_state()

    def _keep(self) -> None:
        """Keep the answer, once both questions have one, and show the next field."""
        if self._at is None or self._shown_at is None or self._waiting:
            return
        if self._says_virtual is None or self._score is None:
            return
        seconds = round(self._clock() - self._shown_at, 1)
        answer = Answer(
            field=self._at, says_virtual=self._says_virtual, score=self._score, seconds=seconds
        )

        def work() -> int | None:
            self._folder.answer(self._reader, answer)
            return self._folder.next_field(self._reader)

        self._waiting = True
        self._show_state()
        self._background.run(work, self._go_to, self._fail)

    def _back(self) -> None:
        """Show the field before again, to be answered anew."""
        fields = len(self._folder.study.fields)
        before = (fields if self._at is None else self._at) - 1
        if before >= 0 and not self._waiting:
            self._go_to(before)

    def _go_to(self, at: int | None) -> None:
        """Show a field, or at the end that it is one."""
        self._at, self._waiting = at, False
        self._says_virtual = self._score = self._shown_at = None
        self.problem.hide()
        self.picture.show_pixmap(QPixmap())
        self._show_state()
        if self._at is None:
            self.problem.setText(DONE)
            self.problem.show()
            self.finished_study.emit()
            return
        shown = self._folder.study.fields[self._at]
        self._background.run(
            lambda: field_image(self._pair, shown),
            lambda image: self._show_picture(shown, image),
            self._fail,
        )

    def _show_picture(self, shown: StudyField, image: RgbImage) -> None:
        if self._at is None or self._folder.study.fields[self._at] != shown:
            return  # the reader has gone elsewhere meanwhile
        height, width = image.shape[:2]
        drawn = QImage(image.data, width, height, 3 * width, QImage.Format.Format_RGB888)
        self.picture.show_pixmap(QPixmap.fromImage(drawn))
        self._shown_at = self._clock()
        self._show_state()

    def _show_state(self) -> None:
        fields = len(self._folder.study.fields)
        self.place.setText("" if self._at is None else f"Field {self._at + 1} of {fields}")
        for virtual, button in self.choices.items():
            button.setChecked(self._says_virtual is virtual)
        for score, button in self.scores.items():
            button.setChecked(self._score == score)
        ready = self._shown_at is not None and not self._waiting
        for button in (*self.choices.values(), *self.scores.values()):
            button.setEnabled(ready)
        self.go_on.setEnabled(ready and None not in (self._says_virtual, self._score))

    def _fail(self, sentence: str) -> None:
        self._waiting = False
        self._show_state()
        self.problem.setText(sentence)
        self.problem.show()


def read_study(folder: StudyFolder, reader: str, pair: Pair) -> None:
    """Show the study in a window of its own and return when it is closed."""
    app = QApplication.instance() or QApplication([])
    assert isinstance(app, QApplication)
    apply_theme(app, chosen_colours(load_settings().theme, app))
    StudyWindow(folder, reader, pair).exec()


def field_image(pair: Pair, shown: StudyField) -> RgbImage:
    """Read a field from its side, at a scale that is the same for both.

    Raises:
        SlideError: the slide cannot be read there.
    """
    side = pair.other if shown.virtual else pair.reference
    finest = pair.scale() / pair.frame_mpp
    step = max(finest, max(shown.width, shown.height) / LARGEST_PX)
    width, height = (max(1, round(extent / step)) for extent in (shown.width, shown.height))
    scale = WorkingScale(side.reader, step, near=0)
    return scale.read(round(shown.x / step), round(shown.y / step), width, height)
