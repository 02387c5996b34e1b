"""Shows a run's weights of this moment on the open slide, once or again and again."""

from functools import partial
from pathlib import Path

from PySide6.QtCore import QObject, QTimer, Signal

from stainapp.errors import StainAppError
from stainapp.models.card import ModelCard
from stainapp.models.store import Found
from stainapp.ui.background import Background
from stainapp.ui.current_slide import CurrentSlide
from stainapp.ui.model_list import Entry
from stainapp.ui.run_models import model_for
from stainapp.ui.run_watch import RunWatch
from stainapp.ui.virtual_stain import VirtualStain

FOLLOW_MS = 20_000
"""Rest between two pictures: staining takes the processor from the training."""


class RunLive(QObject):
    """One run at a time is on show; another one, or another model, ends the following."""

    failed = Signal(str)
    ended = Signal()
    """Newer weights are not followed any more."""

    def __init__(
        self,
        virtual: VirtualStain,
        current: CurrentSlide,
        background: Background,
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._virtual = virtual
        self._current = current
        self._background = background
        self._watch: RunWatch | None = None
        self._wanted = ""
        self._folder: Path | None = None
        self._rest = QTimer(self)
        self._rest.setSingleShot(True)
        self._rest.setInterval(FOLLOW_MS)
        self._rest.timeout.connect(self._on_rested)
        self.following = False
        virtual.shown.connect(self._on_shown)

    def show(self, watch: RunWatch, wanted: str, *, follow: bool) -> None:
        """Stain the open slide with a run's weights.

        Args:
            watch: the run.
            wanted: id of the model to show, where the slide's stain does not decide.
            follow: whether newer weights are to follow.
        """
        if self._current.slide is None:
            self.failed.emit("Open a slide first; then the training can stain it.")
            self.stop()
            return
        self._leave()
        self._watch, self._wanted, self.following = watch, wanted, follow
        watch.live_ready.connect(self._on_live)
        if watch.going:
            self._ask_again()
        else:
            self._find(watch.folder.model, int(watch.story.step.get("step") or 0))

    def stop(self) -> None:
        """Follow no more; what is on show stays."""
        if self.following:
            self.following = False
            self.ended.emit()
        self._rest.stop()

    def _leave(self) -> None:
        if self._watch is not None:
            self._watch.live_ready.disconnect(self._on_live)
        self._watch = None
        self._rest.stop()

    def _on_rested(self) -> None:
        """Let the picture before be finished first, however long it takes beside a training."""
        if self._virtual.unfinished:
            self._rest.start()
        else:
            self._ask_again()

    def _ask_again(self) -> None:
        watch = self._watch
        if watch is None or not watch.going:
            self.stop()
            return
        try:
            watch.folder.ask_for_live()
        except StainAppError as error:
            self.failed.emit(str(error))

    def _on_live(self) -> None:
        watch = self._watch
        if watch is not None and watch.story.live is not None:
            live = watch.story.live
            self._find(watch.folder.live, int(live.get("step") or 0))

    def _find(self, folder: Path, step: int) -> None:
        slide = self._current.slide
        if slide is not None:
            self._background.run(
                partial(_find, folder, slide.stain, self._wanted),
                partial(self._on_found, step),
                self.failed.emit,
            )

    def _on_found(self, step: int, found: Found) -> None:
        self._folder = found.folder
        self._virtual.start_training(found, step)
        if self.following:
            self._rest.start()

    def _on_shown(self, entry: Entry | None) -> None:
        """End the following where the user looks at something else."""
        if self._folder is not None and (entry is None or entry.found.folder != self._folder):
            self._folder = None
            self.stop()


def _find(folder: Path, stain: str, wanted: str) -> Found:
    place = model_for(folder, stain, wanted)
    return Found(ModelCard.read(place), place, shipped=False)
