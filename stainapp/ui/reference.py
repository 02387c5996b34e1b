"""The reference: another real slide, opened and registered, in the frame of the open one."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

from PySide6.QtCore import QObject, Signal

from stainapp.errors import RegistrationError, StainAppError
from stainapp.registration.grid import Points
from stainapp.registration.transform import Transform
from stainapp.registration.warped_slide import WarpedSlide
from stainapp.settings import save_note
from stainapp.slides.reader import SlideInfo
from stainapp.ui import reference_words as words
from stainapp.ui.laid_slide import LaidSlide, Loaded, ShowsReference, load_moving
from stainapp.ui.open_slide import OpenedSlide
from stainapp.ui.reference_work import ReferenceWork
from stainapp.ui.registrar import Registrar, Registration, Task


class Reference(QObject):
    """Opens one reference at a time, finds out where it lies, and remembers that."""

    changed = Signal()
    """Which reference is open, where it lies, or whether something is being done."""
    news = Signal(object)  # Notice, or None where there is nothing to say
    failed = Signal(str)
    scale_missing = Signal(object)  # OpenedSlide: the moving one, of unknown scale
    chosen = Signal(str)
    """The address of a reference that has been opened."""
    leaving = Signal()
    """The moving slide or the open one closes next: whoever reads from it must stop now."""

    def __init__(
        self, registrar: Registrar, view: ShowsReference, parent: QObject | None = None
    ) -> None:
        super().__init__(parent)
        self.work = ReferenceWork(registrar, self)
        self.last: str | None = None
        """The address of the open slide's newest reference, shown or not."""
        self._laid = LaidSlide(view)
        self._rejected: Transform | None = None

    @property
    def fixed(self) -> OpenedSlide | None:
        return self._laid.fixed

    @property
    def moving(self) -> OpenedSlide | None:
        return self._laid.moving

    @property
    def transform(self) -> Transform | None:
        """Where the moving slide lies; None until that is known."""
        return self._laid.transform

    @property
    def path(self) -> Path:
        """Where the transform is kept; there must be a moving slide."""
        return self._laid.path

    @property
    def warped(self) -> WarpedSlide | None:
        """The reference on show, in the open slide's frame."""
        return self._laid.warped

    @property
    def rejected(self) -> Transform | None:
        """What was rejected last, for as long as nothing else has taken its place."""
        return self._rejected

    @property
    def busy(self) -> bool:
        """Whether a reference is being opened or registered."""
        return self.work.busy

    @property
    def registration(self) -> Registration | None:
        """The process at work, where there is one."""
        return self.work.registration

    # which slides

    def show_slide(self, slide: OpenedSlide) -> None:
        """Go with another slide; the same one under another scale keeps its reference."""
        registering = self.registration is not None
        self.work.stop()
        self.leaving.emit()
        before, self._laid.fixed = self._laid.fixed, slide
        if before is not None and self.moving is not None and _same(before, slide):
            if self.transform is not None:
                self._show(self.transform)
            elif registering:
                self.register()
            return
        self._let_go()
        self.last = slide.note.reference
        self.news.emit(words.offered(self.last) if self.last else None)
        self.changed.emit()

    def open(self, address: str) -> None:
        """Open a reference and lay it over the open slide, as it lay last time if it did."""
        if self.fixed is None:
            self.failed.emit(words.NO_SLIDE)
            return
        self.work.stop()
        self.news.emit(words.opening(address))
        self.work.run(
            partial(load_moving, address, self.fixed.reader.info),
            self._on_loaded,
            self._on_not_loaded,
            awaited=True,
            dropped=_close,
        )
        self.changed.emit()

    def set_moving_mpp(self, mpp: float) -> None:
        """Keep the user's word on the reference's scale, and go on with it."""
        slide = self.moving
        if slide is not None:
            try:
                save_note(slide.reader.info.identity, replace(slide.note, mpp=mpp))
            except StainAppError as error:
                self.failed.emit(str(error))
            self.open(slide.address)

    def remove(self) -> None:
        """Show the open slide without a reference; where it lies stays known."""
        self.work.stop()
        self.leaving.emit()
        self._let_go()
        self.news.emit(None)
        self.changed.emit()

    # where it lies

    def register(self, landmarks: Path | None = None, *, mirrored: bool = False) -> None:
        """Find out where the reference lies, in another process.

        Args:
            landmarks: pairs of points to start from; without them every turn is tried.
            mirrored: whether the moving slide is known to lie upside down.
        """
        fixed, moving = self.fixed, self.moving
        if fixed is None or moving is None:
            self.failed.emit(words.NO_REFERENCE)
            return
        task = Task(
            fixed.address,
            moving.address,
            self._laid.path,
            fixed.reader.info.mpp,
            moving.reader.info.mpp,
            landmarks,
            mirrored,
        )
        self._on_progress("starting", 0.0)
        self.work.register(task, self._on_progress, self._on_registered, self._on_not_registered)
        self.changed.emit()

    def cancel(self) -> None:
        """Stop opening or registering; what was on show before stays."""
        self.work.stop()
        unregistered = self.moving is not None and self.transform is None
        self.news.emit(words.CANCELLED if unregistered else None)
        self.changed.emit()

    def use(self, transform: Transform) -> None:
        """Show the reference there, and remember it for these two slides.

        Raises:
            RegistrationError: the transform is not of these two slides.
        """
        self._laid.check(transform)
        self.work.stop()
        self._show(transform)
        self.news.emit(None)
        self.work.background.run(
            partial(transform.write, self._laid.path), _nothing, self.failed.emit
        )

    def refine(self, fixed: Points, moving: Points) -> None:
        """Correct the transform by landmarks."""
        if self.transform is not None:
            self._take(partial(_refined, self.transform, fixed, moving))

    def use_points(self, fixed: Points, moving: Points, *, mirrored: bool = False) -> None:
        """Lay the slides over each other by landmarks alone."""
        if self.fixed is not None and self.moving is not None:
            infos = self.fixed.reader.info, self.moving.reader.info
            self._take(partial(_from_points, *infos, fixed, moving, mirrored))

    def load(self, path: Path) -> None:
        """Read a transform from a file and use it."""
        self._take(partial(Transform.read, path))

    def save_as(self, path: Path) -> None:
        """Write the transform to a file of the user's choice."""
        if self.transform is not None:
            self.work.background.run(
                partial(self.transform.write, path), _nothing, self.failed.emit
            )

    def reject(self) -> None:
        """Take the reference off the slide and forget where it lay."""
        if self.transform is None:
            return
        self.work.stop()
        self._rejected = self.transform
        self._laid.take_off()
        self._on_disk(partial(self._laid.path.unlink, missing_ok=True))
        self.news.emit(words.REJECTED)
        self.changed.emit()

    def restore(self) -> None:
        """Take back the last rejection."""
        if self._rejected is not None:
            self.use(self._rejected)

    def error_words(self, x: float, y: float) -> str:
        """Say how far off the reference may be at a level-0 position; "" where there is none."""
        return (
            "" if self.transform is None else words.error_at(self.transform, x, y, self._laid.mpp)
        )

    def close(self) -> None:
        """End what is being done, write what is to be kept, and close the moving slide."""
        self.work.end()
        self.leaving.emit()
        self.work.background.close(finish=True)
        self._let_go()

    # parts

    def _on_disk(self, change: Callable[[], None]) -> None:
        self.work.background.run(change, _nothing, self.failed.emit)

    def _on_loaded(self, loaded: Loaded) -> None:
        self.leaving.emit()
        self._let_go()
        self._laid.moving, self.last = loaded.slide, loaded.slide.address
        self.chosen.emit(loaded.slide.address)
        if loaded.complaint:
            self.failed.emit(loaded.complaint)
        self.news.emit(None)
        if loaded.transform is not None:
            self._show(loaded.transform)
        elif loaded.slide.reader.info.mpp is None:
            self.changed.emit()
            self.scale_missing.emit(loaded.slide)
        else:
            self.register()

    def _on_not_loaded(self, sentence: str) -> None:
        self.news.emit(None)
        self.changed.emit()
        self.failed.emit(sentence)

    def _on_progress(self, phase: str, share: float) -> None:
        if self.moving is not None:
            self.news.emit(words.registering(self.moving.name, phase, share))

    def _on_registered(self) -> None:
        read = partial(Transform.read, self._laid.path)
        self.work.run(read, self._on_result, self._on_not_registered, awaited=True)

    def _on_result(self, transform: Transform) -> None:
        self._show(transform)
        self.news.emit(words.registered(transform, self._laid.mpp))

    def _on_not_registered(self, sentence: str) -> None:
        self.news.emit(words.refused(sentence))
        self.changed.emit()

    def _take(self, work: Callable[[], Transform]) -> None:
        """Get a transform in the background and use it."""
        if self.busy:
            self.work.stop()
            self.news.emit(None)
            self.changed.emit()
        self.work.run(work, self._on_taken, self.failed.emit)

    def _on_taken(self, transform: Transform) -> None:
        try:
            self.use(transform)
        except RegistrationError as error:
            self.failed.emit(str(error))

    def _show(self, transform: Transform) -> None:
        self._rejected = None
        self._laid.show(transform)
        self.changed.emit()

    def _let_go(self) -> None:
        self._rejected = None
        self._laid.let_go()


# scipy's interpolation takes as long to import as half the window: on the thread, when needed.


def _refined(transform: Transform, fixed: Points, moving: Points) -> Transform:
    from stainapp.registration.landmarks import refined

    return refined(transform, fixed, moving)


def _from_points(
    fixed_info: SlideInfo, moving_info: SlideInfo, fixed: Points, moving: Points, mirrored: bool
) -> Transform:
    from stainapp.registration.landmarks import from_points

    return from_points(fixed_info, moving_info, fixed, moving, mirrored=mirrored)


def _close(loaded: Loaded) -> None:
    loaded.slide.reader.close()


def _same(one: OpenedSlide, two: OpenedSlide) -> bool:
    return one.reader.info.identity == two.reader.info.identity


def _nothing(_: object) -> None:
    return None
