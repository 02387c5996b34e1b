"""What the user asks of trainings: a new one, one of those there are, and to close the window."""

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

from PySide6.QtCore import QObject
from PySide6.QtWidgets import QMessageBox

from stainapp.models.card import ModelCard
from stainapp.models.store import Store
from stainapp.runs.folder import RunFolder
from stainapp.runs.recipe import Recipe
from stainapp.ui.background import Background
from stainapp.ui.current_slide import CurrentSlide
from stainapp.ui.main_window import MainWindow
from stainapp.ui.region_editor import RegionEditor
from stainapp.ui.run_add import AddDialog
from stainapp.ui.run_command import Trainer
from stainapp.ui.run_list import RunSummary, asked_of, find_runs, runs_home
from stainapp.ui.run_live import RunLive
from stainapp.ui.run_models import Stock, cards_in, free_id
from stainapp.ui.run_watch import RunWatch
from stainapp.ui.run_window import RunWindow
from stainapp.ui.train_dialog import TrainDialog
from stainapp.ui.train_wish import RegisteredSlide, SlideFacts, discard_draft
from stainapp.ui.virtual_stain import VirtualStain

NO_RUNS = "No training was started yet"
MOST_LISTED = 15


class TrainRequests(QObject):
    """Owns the dialog, the run windows and the thread that reads for them."""

    def __init__(
        self,
        window: MainWindow,
        current: CurrentSlide,
        virtual: VirtualStain,
        editor: RegionEditor,
        store: Store,
        trainer: Trainer | None = None,
    ) -> None:
        super().__init__(window)
        self._window = window
        self._current = current
        self._virtual = virtual
        self._editor = editor
        self._store = store
        self._trainer = trainer or Trainer()
        self._background = Background(self)
        self.recent: tuple[str, ...] = ()
        self.reference: Callable[[], RegisteredSlide | None] = lambda: None
        """Tells which slide is registered to the open one."""
        self.dialog: TrainDialog | None = None
        self.question: QMessageBox | None = None
        self.windows: dict[Path, RunWindow] = {}
        self.live = RunLive(virtual, current, self._background, self)
        self._leaving = False
        self.answers: Mapping[str, Callable[[], object]] = {
            "train": self.new,
            "normalise": self.normalise,
            "train-regions": self.on_regions,
        }
        window.runs.aboutToShow.connect(self.refresh)
        window.close_questions.append(self.may_close)
        current.opened.connect(self.follow_slide)
        current.noted.connect(self.follow_slide)
        for signal in (editor.shown, editor.changed, editor.selection_changed):
            signal.connect(self.follow_slide)
        self.live.failed.connect(window.messages.say)
        self.live.ended.connect(self._on_live_ended)
        self._fill(())

    def new(self) -> None:
        """Open the dialog once the models are known, or bring it to the front."""
        self._with_dialog(lambda _: None)

    def normalise(self) -> None:
        """Open the dialog, and ask in it for a normaliser to the open slide."""
        if self._current.slide is None:
            self._say("Open the slide whose colours others shall have; then normalise to it.")
        else:
            self._with_dialog(TrainDialog.ask_for_normaliser)

    def on_regions(self) -> None:
        """Open the dialog, and ask in it for a training on the regions of the open slide."""
        if not self._editor.regions.areas:
            self._say("Draw regions to learn from first: R draws a rectangle, P a polygon.")
        else:
            self._with_dialog(TrainDialog.ask_for_regions)

    def begin(self, run: RunFolder) -> None:
        """Start a run whose recipe is written, and show it."""
        self.show(run, begin=True)

    def show(self, run: RunFolder, *, begin: bool = False) -> None:
        """Open the window of a run, or bring it to the front."""
        window = self.windows.get(run.path)
        if window is None:
            self._background.run(
                partial(asked_of, run),
                partial(self._on_recipe, run, begin),
                self._window.messages.say,
            )
        else:
            window.show()
            window.activateWindow()

    def refresh(self) -> None:
        """Look for runs, and list them in the menu."""
        self._background.run(partial(find_runs, runs_home()), self._fill, self._say)

    def offer(self) -> None:
        """Look for runs that go on or were interrupted, and tell of them."""
        self._background.run(partial(find_runs, runs_home()), self._on_found, self._say)

    def may_close(self) -> bool:
        """Tell whether the window may close at once; ask where a run started here goes on."""
        going = [one for one in self.windows.values() if one.watch.going and one.watch.started_here]
        if self._leaving or not going:
            return True
        names = ", ".join(one.recipe.model.name for one in going)
        question = QMessageBox(self._window)
        question.setWindowTitle("A training goes on")
        question.setText(f"The training of {names} goes on.")
        question.setInformativeText(
            "It can go on without this window; you find it again under Train, Runs."
        )
        role = QMessageBox.ButtonRole
        leave = question.addButton("Leave it training", role.AcceptRole)
        stop = question.addButton("Stop and keep the best", role.DestructiveRole)
        question.addButton(QMessageBox.StandardButton.Cancel)
        question.setDefaultButton(leave)
        leave.clicked.connect(self._leave)
        stop.clicked.connect(partial(self._stop_and_leave, going))
        self.question = question
        question.open()
        return False

    def close(self) -> None:
        """Close dialog and run windows; processes go on."""
        draft = self.dialog.draft if self.dialog else None
        if self.dialog is not None:
            self.dialog.reject()
        for window in list(self.windows.values()):
            window.watch.close()
            window.close()
        self.windows.clear()
        self._background.close()
        if draft is not None:
            discard_draft(draft)

    # parts

    def _with_dialog(self, then: Callable[[TrainDialog], None]) -> None:
        if self.dialog is None:
            self._background.run(
                partial(Stock.of, self._store), partial(self._open_dialog, then), self._say
            )
        else:
            self.dialog.show()
            self.dialog.activateWindow()
            then(self.dialog)

    def _open_dialog(self, then: Callable[[TrainDialog], None], stock: Stock) -> None:
        if self.dialog is not None:  # asked for twice
            return
        self.dialog = TrainDialog(stock, self._trainer, self._background, self.recent, self._window)
        self.dialog.start_asked.connect(self.begin)
        self.dialog.finished.connect(self._on_dialog_finished)
        self.follow_slide()
        then(self.dialog)
        self.dialog.show()
        self.dialog.activateWindow()

    def _leave(self, *_: object) -> None:
        self._leaving = True
        self._window.close()

    def _stop_and_leave(self, going: list[RunWindow], *_: object) -> None:
        for one in going:
            one.stop_now()
        self._leave()

    def follow_slide(self, *_: object) -> None:
        """Tell an open dialog of the slide, its regions and its reference as they are now."""
        if self.dialog is not None:
            self.dialog.show_slide(self._facts())

    def _facts(self) -> SlideFacts | None:
        slide = self._current.slide
        if slide is None:
            return None
        info = slide.reader.info
        return SlideFacts(
            slide.address,
            slide.name,
            slide.stain,
            info.mpp,
            self._editor.regions.areas,
            self._editor.selected,
            self.reference(),
        )

    def _on_dialog_finished(self, *_: object) -> None:
        if self.dialog is not None:
            self.dialog.deleteLater()
        self.dialog = None

    def _on_recipe(self, run: RunFolder, begin: bool, recipe: Recipe) -> None:
        if run.path in self.windows:
            return
        watch = RunWatch(run, self._trainer, self._background, self)
        window = RunWindow(watch, recipe, self._window)
        window.live_asked.connect(partial(self._on_live_asked, window))
        window.add_asked.connect(partial(self._on_add_asked, window))
        window.delete_asked.connect(partial(self._on_delete_asked, window))
        window.follow.toggled.connect(self._on_follow)
        window.finished.connect(partial(self._on_window_finished, window))
        self.windows[run.path] = window
        window.show()
        if begin:
            watch.begin()
        watch.look()

    def _on_window_finished(self, window: RunWindow, *_: object) -> None:
        """A run that goes on is still followed, so that closing the program can ask."""
        if window.watch.going:
            self._window.status.show_hint("The training goes on; find it under Train, Runs.")
        elif self.windows.pop(window.watch.folder.path, None) is not None:
            window.watch.close()
            window.deleteLater()
            window.watch.deleteLater()

    def _on_delete_asked(self, window: RunWindow) -> None:
        self._background.run(
            window.watch.folder.delete, partial(self._on_deleted, window), window.say
        )

    def _on_deleted(self, window: RunWindow, *_: object) -> None:
        window.close()
        self._window.status.show_hint(f"The training of {window.recipe.model.name} is deleted.")

    def _on_live_asked(self, window: RunWindow, follow: bool) -> None:
        self.live.show(window.watch, window.recipe.model.id, follow=follow)

    def _on_follow(self, on: bool) -> None:
        if not on:
            self.live.stop()

    def _on_live_ended(self) -> None:
        for window in self.windows.values():
            window.follow.setChecked(False)

    def _on_add_asked(self, window: RunWindow) -> None:
        self._background.run(
            partial(_suggested, window.watch.folder.model, self._store),
            partial(self._ask_to_add, window),
            window.say,
        )

    def _ask_to_add(
        self, window: RunWindow, found: tuple[dict[str, ModelCard], dict[str, str]]
    ) -> None:
        cards, suggested = found
        if not cards:
            window.say("The run has no model yet; resume it until its first validation.")
            return
        dialog = AddDialog(
            window.watch.folder.model, cards, suggested, self._store, self._background, window
        )
        dialog.added.connect(self._on_added)
        dialog.finished.connect(dialog.deleteLater)
        dialog.open()

    def _on_added(self, ids: tuple[str, ...]) -> None:
        self._virtual.refresh()
        self._window.stains.select(ids[0])
        self._window.status.show_hint(f"{' and '.join(ids)} can be chosen under Stains.")

    def _fill(self, runs: tuple[RunSummary, ...]) -> None:
        menu = self._window.runs
        menu.clear()
        for run in runs[:MOST_LISTED]:
            words = run.words.replace("&", "&&")
            menu.addAction(words).triggered.connect(partial(self._on_run, run))
        if not runs:
            menu.addAction(NO_RUNS).setEnabled(False)

    def _on_run(self, run: RunSummary, *_: object) -> None:
        self.show(run.folder)

    def _on_found(self, runs: tuple[RunSummary, ...]) -> None:
        self._fill(runs)
        going = [run.name for run in runs if run.going]
        unfinished = [run.name for run in runs if run.unfinished]
        if unfinished:
            self._say(
                f"Not finished: the training of {_some(unfinished)}; resume it under Train, Runs."
            )
        if going:
            self._say(f"The training of {_some(going)} goes on; watch it under Train, Runs.")

    def _say(self, sentence: str) -> None:
        self._window.messages.say(sentence)


def _some(names: list[str]) -> str:
    return ", ".join(names[:3]) + (" and others" if len(names) > 3 else "")


def _suggested(folder: Path, store: Store) -> tuple[dict[str, ModelCard], dict[str, str]]:
    cards = {card.id: card for card in cards_in(folder).values()}
    return cards, {old: free_id(store, old) for old in cards}
