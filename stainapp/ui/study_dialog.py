"""Asks what a reader study needs: who reads, and the folder that holds it, new or begun before."""

from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import Signal
from PySide6.QtWidgets import (
    QComboBox,
    QDialog,
    QDialogButtonBox,
    QFileDialog,
    QFormLayout,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QProgressBar,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from stainapp.cancel import CancelToken
from stainapp.session.reader_study import STUDY_FILE, Study, StudyFolder, is_reader_name
from stainapp.ui.background import Background

if TYPE_CHECKING:
    from stainapp.compare.pair import Pair

NAME = "Letters, digits, hyphens"
OPENING = "Slides and model are being opened…"
WORDS = "Identities are hidden: real and virtual fields come in an order nobody knows."


@dataclass(frozen=True, slots=True)
class StudyPlan:
    """What the window offers for a new study."""

    folder: Path
    """Where it would lie; the same again for the same slides, so that it goes on."""
    open: Callable[[Study, ExitStack, CancelToken], "Pair"]
    """Opens a study's slides; on a thread."""
    make: Callable[[], Study] | None = None
    """Draws the order of a new study; None where something is missing."""
    words: str = ""
    """What a new study would be of, or what is missing for one."""


@dataclass(frozen=True, slots=True)
class Held:
    """What lies in a folder."""

    study: StudyFolder | None = None
    answered: Mapping[str, int] = field(default_factory=dict)
    """Fields that each reader has answered."""
    damaged: bool = False
    """Whether there is a study that cannot be read: it is not to be written over."""

    @classmethod
    def by(cls, path: Path) -> "Held":
        """Look into a folder; not for the GUI thread.

        Raises:
            StudyError: it holds a study that cannot be read.
        """
        if not (path / STUDY_FILE).is_file():
            return cls()
        study = StudyFolder.open(path)
        return cls(study, {reader: len(study.answers(reader)) for reader in study.readers()})


class StudyDialog(QDialog):
    """Begins a study or goes on with one; `opened` brings what is to be read."""

    opened = Signal(object, str, object, object)  # StudyFolder, reader, Pair, ExitStack
    results_asked = Signal(object)  # StudyFolder

    def __init__(self, plan: StudyPlan, reader: str = "", parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle("Reader study")
        self._plan = plan
        self._held = Held()
        self._ticket = 0
        self._token, self._slides = CancelToken(), ExitStack()
        self._background = Background(self)
        self.reader = QComboBox(self)
        self.folder = QLineEdit(str(plan.folder), self)
        self.browse = QPushButton("Choose…", self)
        self.words, self.problem = QLabel(self), QLabel(self)
        self.progress = QProgressBar(self)
        self.buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Close, self)
        role = QDialogButtonBox.ButtonRole.ActionRole
        self.begin = self.buttons.addButton("Begin", role)
        self.results = self.buttons.addButton("Results…", role)
        self.reader.setEditable(True)
        self.reader.setEditText(reader)
        self._lay_out()
        self._connect()
        self._look()

    def start(self) -> None:
        """Begin the study, or go on with it."""
        path, make, held = self._path(), self._plan.make, self._held.study
        self._show_working(True)
        opened, token = self._slides, self._token

        def work() -> tuple[StudyFolder, "Pair"]:
            study = held
            if study is None:
                assert make is not None
                study = StudyFolder.create(path, make())
            return study, self._plan.open(study.study, opened, token)

        self._background.run(work, self._on_opened, self._on_failed)

    def done(self, result: int) -> None:
        """Close, and with it what was opened for nobody."""
        self._token.cancel()
        self._background.close()
        self._slides.close()
        super().done(result)

    def _lay_out(self) -> None:
        line = self.reader.lineEdit()
        assert line is not None
        line.setPlaceholderText(NAME)
        self.reader.setInsertPolicy(QComboBox.InsertPolicy.NoInsert)
        self.begin.setDefault(True)
        self.results.setToolTip(
            "How often readers were right and how far they agree. For the study's owner: the "
            "answers are written beside it with the truth."
        )
        said = QLabel(WORDS, self)
        said.setObjectName("quiet")
        self.problem.setObjectName("problem")
        for label in (said, self.words, self.problem):
            label.setWordWrap(True)
        self.progress.setRange(0, 0)
        row = QHBoxLayout()
        row.addWidget(self.folder, 1)
        row.addWidget(self.browse)
        form = QFormLayout()
        form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        form.addRow("Reader", self.reader)
        form.addRow("Folder", row)
        layout = QVBoxLayout(self)
        layout.addWidget(said)
        layout.addLayout(form)
        for widget in (self.words, self.problem, self.progress, self.buttons):
            layout.addWidget(widget)
        self.setMinimumWidth(520)
        self.problem.hide()
        self._show_working(False)

    def _connect(self) -> None:
        self.reader.editTextChanged.connect(self._show_state)
        self.folder.textChanged.connect(self._look)
        self.browse.clicked.connect(self._on_browse)
        self.begin.clicked.connect(self.start)
        self.results.clicked.connect(lambda: self.results_asked.emit(self._held.study))
        self.buttons.rejected.connect(self.reject)

    def _path(self) -> Path:
        return Path(self.folder.text().strip()).expanduser()

    def _on_browse(self) -> None:
        path = QFileDialog.getExistingDirectory(self, "The study's folder", self.folder.text())
        if path:
            self.folder.setText(path)

    def _look(self) -> None:
        self._see("")

    def _see(self, problem: str) -> None:
        """See what the folder holds, and say what went wrong; of several, the last one counts."""
        self._ticket += 1
        ticket, path = self._ticket, self._path()
        self._held = Held()
        self._show_state()

        def found(held: Held) -> None:
            if ticket == self._ticket:
                self._show_held(held)
                self._say(problem)

        def failed(sentence: str) -> None:
            if ticket == self._ticket:
                self._show_held(Held(damaged=True))
                self._say(sentence)

        self._background.run(lambda: Held.by(path), found, failed)

    def _show_held(self, held: Held) -> None:
        self._held = held
        name = self.reader.currentText()
        self.reader.clear()
        self.reader.addItems(list(held.answered))
        self.reader.setEditText(name)
        self.begin.setText("Begin" if held.study is None else "Go on")
        self.words.setText(self._plan.words if held.study is None else in_words(held))
        self.adjustSize()
        self._show_state()

    def _show_state(self, *_: object) -> None:
        named = is_reader_name(self.reader.currentText().strip())
        new = self._plan.make is not None and not self._held.damaged
        some = self._held.study is not None or new
        self.begin.setEnabled(named and some and not self.progress.isVisibleTo(self))
        self.results.setEnabled(bool(self._held.answered))

    def _show_working(self, working: bool) -> None:
        self.progress.setVisible(working)
        for widget in (self.reader, self.folder, self.browse):
            widget.setEnabled(not working)
        if working:
            self._say("")
            self.words.setText(OPENING)
        self._show_state()

    def _say(self, sentence: str) -> None:
        self.problem.setText(sentence)
        self.problem.setVisible(bool(sentence))
        self.adjustSize()

    def _on_opened(self, what: tuple[StudyFolder, "Pair"]) -> None:
        slides, self._slides = self._slides, ExitStack()
        self.accept()
        self.opened.emit(what[0], self.reader.currentText().strip(), what[1], slides)

    def _on_failed(self, sentence: str) -> None:
        self._slides.close()
        self._show_working(False)
        self._see(sentence)


def in_words(held: Held) -> str:
    """Say which study lies in a folder, and how far its readers are."""
    assert held.study is not None
    fields = len(held.study.study.fields)
    slides = held.study.study.slides
    names = (Path(str(slides.get(one, ""))).name for one in ("reference", "other"))
    said = f"It holds a study of {fields} fields, of {' and '.join(names)}"
    said += f" by {slides['model']}. " if slides.get("model") else ". "
    if not held.answered:
        return said + "Nobody has answered yet."
    told = (f"{reader} {number}" for reader, number in held.answered.items())
    return f"{said}Answered so far: {', '.join(told)}. Each reader goes on where they stopped."
