"""One run as the user watches it: how it goes, what it looks like, what it came to."""

from PySide6.QtCore import Signal
from PySide6.QtWidgets import (
    QCheckBox,
    QDialog,
    QHBoxLayout,
    QLabel,
    QMessageBox,
    QProgressBar,
    QPushButton,
    QSplitter,
    QTabWidget,
    QVBoxLayout,
    QWidget,
)

from stainapp.errors import StainAppError
from stainapp.runs.folder import Word
from stainapp.runs.recipe import Recipe
from stainapp.ui.run_chart import LossChart
from stainapp.ui.run_pictures import SamplePictures
from stainapp.ui.run_result import RunResult
from stainapp.ui.run_story import STATE_WORDS, RunStory, State
from stainapp.ui.run_watch import RunWatch
from stainapp.ui.train_words import duration_words

WHY_DONE = {
    "finished": "All images were seen.",
    "stopped": "Stopped as you asked; the best model was kept.",
    "early": "Ended early: the validation figures gained no more; the best model was kept.",
}


class RunWindow(QDialog):
    """Shows a `RunWatch` and passes the user's words on. Closing it ends nothing."""

    live_asked = Signal(bool)
    """Stain the view with the newest weights; whether each newer ones are to follow."""
    add_asked = Signal()
    delete_asked = Signal()
    """The user has said so twice."""

    def __init__(self, watch: RunWatch, recipe: Recipe, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.watch = watch
        self.recipe = recipe
        self.question: QMessageBox | None = None
        self._said: Word = "run"
        self._awaited = False
        self.setWindowTitle(f"Training: {recipe.model.name or watch.folder.path.name}")
        self.state_words = QLabel(self)
        self.state_words.setObjectName("heading")
        self.facts = QLabel(self)
        self.facts.setObjectName("quiet")
        self.facts.setWordWrap(True)
        self.message = QLabel(self)
        self.message.setObjectName("notice")
        self.message.setWordWrap(True)
        self.words = QLabel(self)
        self.words.setWordWrap(True)
        self.progress = QProgressBar(self)
        self.progress.setRange(0, 1000)
        self.progress.setTextVisible(False)
        self.chart = LossChart(self)
        self.samples = SamplePictures(watch.folder.path, self)
        self.outcome = RunResult(watch.folder.path, recipe.model, self)
        self.tabs = QTabWidget(self)
        self.pause = QPushButton("Pause", self)
        self.stop = QPushButton("Stop and keep the best…", self)
        self.live = QPushButton("Stain this view now", self)
        self.follow = QCheckBox("Keep it up to date", self)
        self.follow.setToolTip("Stain the view anew with newer weights, as soon as it is done")
        self.add = QPushButton("Add to models…", self)
        self.delete = QPushButton("Delete run…", self)
        self._lay_out()
        self._connect()
        self._on_changed()

    def say(self, sentence: str) -> None:
        """Show a sentence below the heading; an empty one takes it away."""
        self.message.setText(sentence)
        self.message.setVisible(bool(sentence))

    def toggle_pause(self) -> None:
        """Pause, go on, or resume a run that ended before its time."""
        if not self.watch.running:
            self._said = "run"
            self.watch.begin()
        else:
            self._say_word("run" if self._paused() else "pause")

    def ask_to_stop(self) -> None:
        """Ask, then have the run stopped and its best model kept."""
        question = QMessageBox(self)
        question.setWindowTitle("Stop the training")
        question.setText("Stop the training and keep the best model so far?")
        question.setInformativeText("It can be resumed later from where it stopped.")
        stop = question.addButton("Stop and keep", QMessageBox.ButtonRole.AcceptRole)
        question.addButton(QMessageBox.StandardButton.Cancel)
        stop.clicked.connect(self.stop_now)
        self.question = question
        question.open()

    def stop_now(self, *_: object) -> None:
        self._say_word("stop")

    def ask_to_delete(self) -> None:
        """Ask, then have the run's folder deleted."""
        question = QMessageBox(self)
        question.setWindowTitle("Delete the run")
        question.setText(f"Delete the training of {self.recipe.model.name} and all it has learnt?")
        question.setInformativeText(
            f"The folder {self.watch.folder.path} goes. Models that were added to the picker stay."
        )
        delete = question.addButton("Delete", QMessageBox.ButtonRole.DestructiveRole)
        question.setDefaultButton(question.addButton(QMessageBox.StandardButton.Cancel))
        delete.clicked.connect(self.delete_asked)
        self.question = question
        question.open()

    def _paused(self) -> bool:
        return self._said == "pause" or (self._said == "run" and self.watch.state == "paused")

    def _say_word(self, word: Word) -> None:
        try:
            self.watch.folder.say(word)
        except StainAppError as error:
            self.say(str(error))
            return
        self._said = word
        self._show_state()

    def _lay_out(self) -> None:
        going = QSplitter(self)
        going.setChildrenCollapsible(False)
        going.setHandleWidth(14)
        going.addWidget(self.chart)
        going.addWidget(self.samples)
        going.setSizes([480, 520])
        self.tabs.addTab(padded(going), "Progress")
        self.tabs.addTab(padded(self.outcome), "Result")
        self.tabs.setTabEnabled(1, False)
        self.tabs.setTabToolTip(1, "Comes when the training ends")
        heading = QHBoxLayout()
        heading.addWidget(self.state_words, 1)
        buttons = QHBoxLayout()
        buttons.addWidget(self.live)
        buttons.addWidget(self.follow)
        buttons.addStretch(1)
        buttons.addWidget(self.delete)
        buttons.addWidget(self.add)
        buttons.addWidget(self.pause)
        buttons.addWidget(self.stop)
        layout = QVBoxLayout(self)
        layout.setSpacing(8)
        layout.addLayout(heading)
        layout.addWidget(self.facts)
        layout.addWidget(self.progress)
        layout.addWidget(self.message)
        layout.addWidget(self.words)
        layout.addWidget(self.tabs, 1)
        layout.addLayout(buttons)
        self.progress.setFixedHeight(8)
        for button in (self.pause, self.stop, self.live, self.add, self.delete):
            button.setAutoDefault(False)
        self.resize(1020, 640)

    def _connect(self) -> None:
        self.watch.changed.connect(self._on_changed)
        self.watch.live_ready.connect(self._on_live_ready)
        self.watch.failed.connect(self.say)
        self.pause.clicked.connect(self.toggle_pause)
        self.stop.clicked.connect(self.ask_to_stop)
        self.live.clicked.connect(self._on_live)
        self.follow.toggled.connect(self._on_follow)
        self.add.clicked.connect(self.add_asked)
        self.delete.clicked.connect(self.ask_to_delete)

    def _on_changed(self) -> None:
        story = self.watch.story
        self.chart.show_story(story)
        self.samples.show_story(story)
        self.progress.setValue(1000 if story.done else round(1000 * story.share))
        self.outcome.show_evaluations(story.evaluations)
        measured = bool(story.evaluations)
        if measured != self.tabs.isTabEnabled(1):
            self.tabs.setTabEnabled(1, measured)
            self.tabs.setCurrentIndex(int(measured))
        self._show_state()

    def _show_state(self) -> None:
        watch, story, state = self.watch, self.watch.story, self.watch.state
        going = watch.going
        self.state_words.setText(self._heading(state))
        self.facts.setText(facts_line(self.recipe, story, state))
        self.say(_trouble(story, state))
        ending = WHY_DONE.get(str((story.done or {}).get("why")), "") if state == "done" else ""
        self.words.setText(ending)
        self.words.setVisible(bool(ending))
        stopped = (story.done or {}).get("why") == "stopped"
        self.pause.setVisible(state != "done" or stopped)
        self.pause.setText(self._pause_words(state))
        self.pause.setEnabled(
            watch.known
            and (not going or state != "starting")
            and self._said != "stop"
            and story.share < 1
            if watch.running
            else watch.known
        )
        self.stop.setVisible(going)
        self.stop.setEnabled(
            state in ("training", "paused") and self._said != "stop" and story.share < 1
        )
        self.live.setEnabled(state in ("training", "paused") or bool(story.validations))
        self._awaited = self._awaited and going
        awaited = "Staining with the next step…" if self._awaited else "Stain this view now"
        self.live.setText(awaited if going else "Stain this view")
        self.follow.setVisible(going)
        self.delete.setVisible(watch.known and not watch.running)
        self.add.setVisible(not going)
        self.add.setEnabled(state == "done" or bool(story.validations))

    def _heading(self, state: State) -> str:
        if self.watch.going and self._said == "stop":
            return "Stopping and measuring the best…"
        if state == "training" and self._said == "pause":
            return "Pausing after the next step…"
        if state == "training" and self.watch.story.share >= 1:
            return "Measuring the result…"
        if not self.watch.known and not self.watch.running:
            return "Looking…"
        return STATE_WORDS[state][0].upper() + STATE_WORDS[state][1:]

    def _pause_words(self, state: State) -> str:
        if state == "new":
            return "Start"
        if not self.watch.running:
            return "Resume"
        return "Go on" if self._paused() else "Pause"

    def _on_live(self) -> None:
        self._ask_for_live(follow=self.follow.isChecked())

    def _on_follow(self, on: bool) -> None:
        if on:
            self._ask_for_live(follow=True)

    def _ask_for_live(self, *, follow: bool) -> None:
        """Ask for the view to be stained, and say until then that it will be."""
        self._awaited = self.watch.going
        self._show_state()
        self.live_asked.emit(follow)

    def _on_live_ready(self) -> None:
        self._awaited = False
        self._show_state()


def padded(inside: QWidget) -> QWidget:
    """Put a tab's contents a little off its edges."""
    page = QWidget()
    layout = QVBoxLayout(page)
    layout.setContentsMargins(10, 10, 10, 10)
    layout.addWidget(inside)
    return page


def facts_line(recipe: Recipe, story: RunStory, state: State) -> str:
    """Return what goes on in one line of words."""
    made = recipe.model
    parts = [f"{made.source_stain} → {made.target_stain}, {made.mpp:g} µm/px"]
    if story.start:
        parts.append(f"image {story.images:,} of {story.total_images:,}")
        parts.append(f"step {int(story.step.get('step') or story.start.get('step') or 0):,}")
    if state == "training" and story.step and story.share < 1:
        parts.append(f"{float(story.step.get('images_per_s') or 0):.3g} images/s")
        eta = story.step.get("eta_s")
        if isinstance(eta, int | float):
            parts.append(f"{duration_words(eta)} to go")
    if story.start:
        device = story.start.get("device", "")
        parts.append(f"{device} {story.start.get('precision', '')}".strip())
    return "   ·   ".join(part for part in parts if part)


def _trouble(story: RunStory, state: State) -> str:
    if state == "failed":
        return story.failure
    if state == "interrupted":
        return "The process ended before its time; it can be resumed from its last checkpoint."
    return story.notice if state in ("training", "paused") else ""
