"""The training dialog: asks for all that a recipe needs, shows what it means, starts it."""

import itertools
import os
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from html import escape
from pathlib import Path
from typing import Any

from PySide6.QtCore import Qt, QTimer, Signal
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import (
    QDialog,
    QDialogButtonBox,
    QFrame,
    QHBoxLayout,
    QLabel,
    QScrollArea,
    QVBoxLayout,
    QWidget,
)

from stainapp.runs.folder import RunFolder
from stainapp.runs.methods import NORMALISER, ROUGH_PAIRS, method_info
from stainapp.ui.background import Background
from stainapp.ui.run_command import Trainer, shown_command
from stainapp.ui.run_list import free_name, runs_home
from stainapp.ui.run_models import Stock
from stainapp.ui.train_advanced import named_as_here
from stainapp.ui.train_check import Area, Checked, TrainCheck
from stainapp.ui.train_data import DataChooser
from stainapp.ui.train_files import VOLUMES
from stainapp.ui.train_model import ModelForm
from stainapp.ui.train_split import STAINS, Overview, SplitPicture, overviews_of, shown_slides
from stainapp.ui.train_wish import SlideFacts, Wish, check_paths, discard_draft, problems, write_run
from stainapp.ui.train_words import estimate_words

PAUSE_MS = 700
"""How long the user must have changed nothing before the recipe is checked anew."""
LEFT_PX = 530
CHECKING = "Checking the data and measuring a step…"
_numbers = itertools.count()


class TrainDialog(QDialog):
    """Not modal: regions may be drawn and slides opened while it is there."""

    start_asked = Signal(object)  # RunFolder, with its recipe written

    def __init__(
        self,
        stock: Stock,
        trainer: Trainer,
        background: Background,
        recent: Sequence[str] = (),
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self.setWindowTitle("New training")
        self._background, self._recent = background, recent
        self._one_stain = False
        self._taken = stock.taken
        self.draft = runs_home() / f".draft-{os.getpid()}-{next(_numbers)}"
        self._open = True
        self._asked = self._answered = 0
        self._overviews: dict[str, Overview] = {}
        self._slide: SlideFacts | None = None
        self.data = DataChooser(recent, background, stock.models, self)
        self.model = ModelForm(stock.models, sorted(stock.taken), self)
        self.split = SplitPicture(self)
        self.check = TrainCheck(trainer, self)
        self.words = QLabel(self)
        self.words.setWordWrap(True)
        self.problem = QLabel(self)
        self.problem.setObjectName("problem")
        self.problem.setWordWrap(True)
        self.problem.hide()
        self.buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Close, self)
        role = QDialogButtonBox.ButtonRole.ActionRole
        self.copy_button = self.buttons.addButton("Copy as command", role)
        self.start_button = self.buttons.addButton("Start", role)
        self.start_button.setDefault(True)
        self._pause = QTimer(self)
        self._pause.setSingleShot(True)
        self._pause.setInterval(PAUSE_MS)
        self._lay_out()
        self._pairing = self.data.pairing
        self._connect()
        self._on_method()
        self._on_changed()

    @property
    def checking(self) -> bool:
        """Whether the answer to what is asked now is still to come."""
        return self._pause.isActive() or self.check.busy or self._asked != self._answered

    def show_slide(self, slide: SlideFacts | None) -> None:
        """Follow the open slide and the regions drawn on it."""
        before, self._slide = self._slide, slide
        if slide is not None and (before is None or slide.stain != before.stain):
            self._suggest_stains()
        self.data.show_slide(slide)
        if before is None and slide is not None and self.data.pairing != "self":
            self.data.target.choose_other()
        self._on_changed()

    def ask_for_normaliser(self) -> None:
        """Ask for what shows the slide open before this one in this one's colours."""
        self.data.choose_method(NORMALISER)
        if self._slide is not None:
            here = self._slide.address
            self.data.target.choose_open()
            self.data.source.choose_other(next((a for a in self._recent if a != here), ""))

    def ask_for_regions(self) -> None:
        """Ask for a training on the open slide's regions, paired where it has a reference."""
        slide = self._slide
        if slide is not None and slide.reference is not None:
            self.data.choose_method(ROUGH_PAIRS)
            self.data.target.choose_registered()
            self.model.set_stains(slide.stain, slide.reference.stain)
        self.data.source.choose_open()
        self.data.source.choose_regions()

    def wish(self) -> Wish:
        """Return what is asked for now."""
        files = self.data.file_wish()
        slides, pairing = files is None, self.data.pairing
        teacher = self.data.chosen_teacher
        return Wish(
            method=self.data.chosen_method,
            pairing=pairing,
            model=replace(self.model.made(), teacher=teacher.id if teacher else ""),
            values=self.model.values(),
            source=self.data.source.wish() if slides and pairing != "self" else None,
            target=self.data.target.wish() if slides and pairing != "alone" else None,
            files=files,
        )

    def start(self) -> None:
        """Write the run folder and hand it over."""
        self.start_button.setEnabled(False)
        self._write(write_final, self._on_written)

    def copy_command(self) -> None:
        """Write the run folder, and put the line that trains it on the clipboard."""
        self._write(write_and_quote, self._on_copied)

    # parts

    def _lay_out(self) -> None:
        inside = QWidget(self)
        column = QVBoxLayout(inside)
        column.setContentsMargins(0, 0, 10, 0)
        column.setSpacing(10)
        column.addWidget(self.data)
        column.addWidget(self.model)
        column.addStretch(1)
        scroll = QScrollArea(self)
        scroll.setFrameShape(QFrame.Shape.NoFrame)
        scroll.setWidgetResizable(True)
        scroll.setWidget(inside)
        scroll.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        scroll.setMinimumWidth(LEFT_PX)
        right = QVBoxLayout()
        right.addWidget(self.split, 1)
        right.addWidget(self.problem)
        right.addWidget(self.words)
        halves = QHBoxLayout()
        halves.setSpacing(14)
        halves.addWidget(scroll, 1)
        halves.addLayout(right, 1)
        layout = QVBoxLayout(self)
        layout.addLayout(halves, 1)
        layout.addWidget(self.buttons)
        self.resize(1080, 740)

    def _connect(self) -> None:
        self.data.changed.connect(self._on_changed)
        self.data.method_changed.connect(self._on_method)
        self.data.teacher_changed.connect(self._suggest_stains)
        self.model.changed.connect(self._on_changed)
        self._pause.timeout.connect(self._check)
        self.check.done.connect(self._on_checked)
        self.start_button.clicked.connect(self.start)
        self.copy_button.clicked.connect(self.copy_command)
        self.buttons.rejected.connect(self.reject)
        self.finished.connect(self._on_finished)

    def _suggest_stains(self) -> None:
        """Name the stains after the open slide; where colour is learnt, grey is the source.

        A teacher knows its stains, whatever slide is open.
        """
        teacher = self.data.chosen_teacher
        if teacher is not None:
            self.model.follow_teacher(teacher)
            return
        if self.model.parent_card is not None or self._slide is None:
            return
        if self._one_stain:
            self.model.set_stains(self._slide.stain, self._slide.stain)
        elif self.data.pairing == "self":
            self.model.set_stains("grey", self._slide.stain)
        else:
            self.model.set_stains(self._slide.stain, None)

    def _on_method(self) -> None:
        method = self.data.chosen_method
        self.model.set_method(method)
        if self._one_stain != method_info(method).one_stain:
            self._one_stain = not self._one_stain
            self._suggest_stains()

    def _follow_pairing(self) -> None:
        """What is learnt from one slide needs it as target; two slides are two."""
        before, self._pairing = self._pairing, self.data.pairing
        if {"self", "alone"} & {before, self._pairing} and before != self._pairing:
            self._suggest_stains()
            if self._pairing == "self":
                self.data.target.choose_open()
            elif self._slide is not None:
                self.data.target.choose_other()

    def _on_changed(self) -> None:
        """What was checked is out of date: tell what is plainly wrong, else check anew."""
        self._follow_pairing()
        files = self.data.file_wish()
        self.model.set_volumes(on=files is not None and files.kind in VOLUMES)
        self._asked += 1
        self.check.stop()
        wrong = problems(self.wish(), self._taken)
        self.data.show_problems({str(place): words for place, words in wrong.items()})
        self.model.show_problem(wrong.get("model", ""))
        self._show_problem("")
        self.start_button.setEnabled(False)
        self.copy_button.setEnabled(not wrong)
        if wrong:
            self._answered = self._asked
            self._pause.stop()
            self.words.setText("")
            self.split.clear("The split is shown here once the data is chosen.")
        else:
            self.words.setText(CHECKING)
            if not self.split.areas:
                self.split.clear("The split is shown here once the data is checked.")
            self._pause.start()

    def _check(self) -> None:
        self._background.run(
            partial(self._prepare, self.wish()),
            partial(self._on_prepared, self._asked),
            partial(self._on_failed, self._asked),
        )

    def _prepare(self, wish: Wish) -> tuple[RunFolder, Path]:
        """Write the draft and find the run's name; on the thread."""
        check_paths(wish)
        root = runs_home()
        return write_run(wish, self.draft), root / free_name(root, wish.model.id)

    def _on_prepared(self, asked: int, where: tuple[RunFolder, Path]) -> None:
        if self._open and asked == self._asked:
            self.check.start(*where)

    def _on_checked(self, checked: Checked) -> None:
        self._answered = self._asked
        self._show_problem(named_as_here(checked.problem))
        self.words.setText(
            "" if checked.problem else estimate_words(checked.estimate, checked.tiles)
        )
        self.start_button.setEnabled(not checked.problem)
        if not checked.split:
            self.split.clear("There is no split to show.")
            return
        shown = {slide for stain in STAINS for slide in shown_slides(checked.split, stain)}
        missing = shown - set(self._overviews)
        if missing:
            self.split.clear("Looking at the slides…")
            self._background.run(
                partial(overviews_of, sorted(missing)),
                partial(self._on_overviews, self._asked, checked.split),
                self._show_problem,
            )
        else:
            self.split.show_split(checked.split, self._overviews)

    def _on_overviews(
        self, asked: int, split: tuple[Area, ...], found: dict[str, Overview]
    ) -> None:
        self._overviews.update(found)
        if self._open and asked == self._asked:
            self.split.show_split(split, self._overviews)

    def _show_problem(self, sentence: str) -> None:
        if self._open:
            self.problem.setText(sentence)
            self.problem.setVisible(bool(sentence))

    def _on_failed(self, asked: int, sentence: str) -> None:
        if self._open and asked == self._asked:
            self._answered = asked
            self.words.setText("")
            self._show_problem(sentence)

    def _write(self, write: Callable[[Wish], Any], done: Callable[[Any], None]) -> None:
        failed = partial(self._on_failed, self._asked)
        self._background.run(partial(write, self.wish()), done, failed)

    def _on_written(self, run: RunFolder) -> None:
        if self._open:
            self.start_asked.emit(run)
            self.accept()

    def _on_copied(self, copied: tuple[str, str]) -> None:
        if self._open:
            QGuiApplication.clipboard().setText("\n\n".join(copied))
            self.words.setText(f"Copied: <code>{escape(copied[0])}</code> and the recipe's text.")

    def _on_finished(self, *_: object) -> None:
        self._open = False
        self._pause.stop()
        self.check.close()
        self.data.close_down()
        self._background.run(partial(discard_draft, self.draft), _nothing, _nothing)


def write_final(wish: Wish) -> RunFolder:
    """Write a run folder under its final name; not for the GUI thread."""
    check_paths(wish)
    root = runs_home()
    return write_run(wish, root / free_name(root, wish.model.id))


def write_and_quote(wish: Wish) -> tuple[str, str]:
    """Write the run folder; return the line that trains it, and the recipe's text."""
    run = write_final(wish)
    return shown_command(run), run.recipe_file.read_text(encoding="utf-8")


def _nothing(*_: object) -> None:
    pass
