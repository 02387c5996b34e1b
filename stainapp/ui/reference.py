"""The reference: another real slide, opened and registered, in the frame of the open one."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Protocol

import numpy as np
from PySide6.QtCore import QObject, Signal

from stainapp.errors import RegistrationError, StainAppError
from stainapp.registration import kept
from stainapp.registration.grid import Points
from stainapp.registration.landmarks import from_points, refined
from stainapp.registration.transform import Transform
from stainapp.registration.warped_slide import WarpedSlide
from stainapp.settings import save_note
from stainapp.slides.reader import SlideInfo, SlideReader
from stainapp.ui.background import Background
from stainapp.ui.notice_bar import Notice
from stainapp.ui.open_slide import OpenedSlide, load_slide
from stainapp.ui.registrar import Registrar, Registration, Task

CANCEL, REJECT, RESTORE = "cancel-registration", "reject-registration", "restore-registration"
AGAIN, LANDMARKS, LAST = "register-again", "landmarks", "last-reference"


class ShowsReference(Protocol):
    """Where the reference is seen."""

    def show_reference(self, reader: SlideReader | None, title: str = "") -> None:
        """Show it; returns when nothing reads from the one before."""
        ...


@dataclass(frozen=True, slots=True)
class _Loaded:
    """A reference as it comes from the thread."""

    slide: OpenedSlide
    transform: Transform | None
    complaint: str = ""


class Reference(QObject):
    """Owns the moving slide and its transform. The open slide belongs to `CurrentSlide`."""

    changed = Signal()
    """Which reference is open, where it lies, or whether it is being registered."""
    news = Signal(object)  # Notice, or None where there is nothing to say
    failed = Signal(str)
    scale_missing = Signal(object)  # OpenedSlide: the moving one, of unknown scale
    chosen = Signal(str)
    """The address of a reference that has been opened."""
    leaving = Signal()
    """The moving slide or the fixed one closes next: whoever reads from it must stop now."""

    def __init__(
        self,
        background: Background,
        registrar: Registrar,
        view: ShowsReference,
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._background = background
        self._registrar = registrar
        self._view = view
        self._fixed: OpenedSlide | None = None
        self._moving: OpenedSlide | None = None
        self._transform: Transform | None = None
        self._rejected: Transform | None = None
        self._warped: WarpedSlide | None = None
        self._registration: Registration | None = None
        self._opening = False
        self._ticket = 0
        """Of the newest wish: answers to older ones are dropped."""

    @property
    def fixed(self) -> OpenedSlide | None:
        return self._fixed

    @property
    def moving(self) -> OpenedSlide | None:
        return self._moving

    @property
    def transform(self) -> Transform | None:
        """Where the moving slide lies; None until that is known."""
        return self._transform

    @property
    def warped(self) -> WarpedSlide | None:
        """The reference on show, in the open slide's frame."""
        return self._warped

    @property
    def rejected(self) -> Transform | None:
        """The transform that was rejected last, for as long as nothing else has taken its place."""
        return self._rejected

    @property
    def busy(self) -> bool:
        """Whether a reference is being opened or registered."""
        return self._opening or self._registration is not None

    @property
    def registration(self) -> Registration | None:
        """The process at work, where there is one."""
        return self._registration

    # the open slide

    def show_slide(self, slide: OpenedSlide) -> None:
        """Go with another slide; the same one under another scale keeps its reference."""
        registering = self._registration is not None
        self._stop_work()
        self.leaving.emit()
        before, self._fixed = self._fixed, slide
        if before is not None and self._moving is not None and _same(before, slide):
            if self._transform is not None:
                self._show(self._transform)
            elif registering:
                self.register()
            return
        self._let_go()
        last = slide.note.reference
        if last:
            name = Path(last).name
            self.news.emit(Notice(f"{name} was the reference of this slide last time.", (LAST,)))
        else:
            self.news.emit(None)
        self.changed.emit()

    # the reference

    def open(self, address: str) -> None:
        """Open a reference and lay it over the open slide, as it lay last time if it did."""
        if self._fixed is None:
            self.failed.emit("Open a slide first; then choose the reference that belongs to it.")
            return
        self._stop_work()
        self._opening = True
        self.news.emit(_working(f"Opening {Path(address).name}…"))
        self._run(
            partial(_load, address, self._fixed.reader.info), self._on_loaded, self._on_not_loaded
        )
        self.changed.emit()

    def set_moving_mpp(self, mpp: float) -> None:
        """Keep the user's word on the reference's scale, and go on with it."""
        if self._moving is not None:
            slide = self._moving
            try:
                save_note(slide.reader.info.identity, replace(slide.note, mpp=mpp))
            except StainAppError as error:
                self.failed.emit(str(error))
            self.open(slide.address)

    def register(self, landmarks: Path | None = None, *, mirrored: bool = False) -> None:
        """Find out where the reference lies, in another process.

        Args:
            landmarks: pairs of points to start from; without them every turn is tried.
            mirrored: whether the moving slide is known to lie upside down.
        """
        if self._fixed is None or self._moving is None:
            self.failed.emit("Open a reference slide first (Compare menu).")
            return
        self._stop_work()
        fixed, moving = self._fixed, self._moving
        task = Task(
            fixed.address,
            moving.address,
            self._path(),
            fixed.reader.info.mpp,
            moving.reader.info.mpp,
            landmarks,
            mirrored,
        )
        run = Registration(self._registrar.words(task), self)
        run.progress.connect(self._on_progress)
        run.done.connect(self._on_registered)
        run.failed.connect(self._on_not_registered)
        self._registration = run
        self._on_progress("starting", 0.0)
        run.start()
        self.changed.emit()

    def cancel(self) -> None:
        """Stop opening or registering; what was on show before stays."""
        self._stop_work()
        if self._moving is not None and self._transform is None:
            self.news.emit(Notice("Not registered.", (AGAIN, LANDMARKS)))
        else:
            self.news.emit(None)
        self.changed.emit()

    def remove(self) -> None:
        """Show the open slide without a reference; where it lies stays known."""
        self._stop_work()
        self.leaving.emit()
        self._let_go()
        self.news.emit(None)
        self.changed.emit()

    # where it lies

    def use(self, transform: Transform) -> None:
        """Show the reference there, and remember it for these two slides.

        Raises:
            RegistrationError: the transform is not of these two slides.
        """
        self._check(transform)
        self._stop_work()
        self._show(transform)
        self.news.emit(None)
        self._keep(transform)

    def refine(self, fixed: Points, moving: Points) -> None:
        """Correct the transform by landmarks."""
        if self._transform is not None:
            self._fit(partial(refined, self._transform, fixed, moving))

    def use_points(self, fixed: Points, moving: Points, *, mirrored: bool = False) -> None:
        """Lay the slides over each other by landmarks alone."""
        if self._fixed is not None and self._moving is not None:
            infos = self._fixed.reader.info, self._moving.reader.info
            self._fit(partial(from_points, *infos, fixed, moving, mirrored=mirrored))

    def reject(self) -> None:
        """Take the reference off the slide and forget where it lay."""
        if self._transform is None:
            return
        self._stop_work()
        self._rejected, self._transform = self._transform, None
        self._unshow()
        path = self._path()
        self._background.run(partial(path.unlink, missing_ok=True), _nothing, self.failed.emit)
        words = "Rejected. Place landmarks, and register from two of them, or use them alone."
        self.news.emit(Notice(words, (LANDMARKS, AGAIN, RESTORE)))
        self.changed.emit()

    def restore(self) -> None:
        """Take back the last rejection."""
        if self._rejected is not None:
            self.use(self._rejected)

    def save_as(self, path: Path) -> None:
        """Write the transform to a file of the user's choice."""
        if self._transform is not None:
            self._background.run(partial(self._transform.write, path), _nothing, self.failed.emit)

    def load(self, path: Path) -> None:
        """Read a transform from a file and use it."""
        self._stop_work()
        self._run(partial(Transform.read, path), self._on_read, self.failed.emit)

    def error_words(self, x: float, y: float) -> str:
        """Say how far off the reference may be at a level-0 position; "" where there is none."""
        if self._transform is None or self._fixed is None:
            return ""
        error = float(self._transform.error_px(np.array([[x, y]]))[0])
        return error_words(error, self._fixed.reader.info.mpp)

    def close(self) -> None:
        """End what is being done and close the moving slide; nothing reads from it any more."""
        if self._registration is not None:
            self._registration.close()
            self._registration = None
        self._ticket += 1
        self.leaving.emit()
        self._let_go()

    # parts

    def _run(
        self,
        work: Callable[[], object],
        done: Callable[..., None],
        failed: Callable[[str], None],
    ) -> None:
        """Work in the background; of several wishes in a row, the last one is answered."""
        self._ticket += 1
        ticket = self._ticket
        self._background.run(
            work,
            lambda found: done(found, ticket),
            lambda sentence: failed(sentence) if ticket == self._ticket else None,
        )

    def _stop_work(self) -> None:
        self._ticket += 1
        self._opening = False
        if self._registration is not None:
            self._registration.cancel()
            self._registration = None

    def _on_loaded(self, loaded: _Loaded, ticket: int) -> None:
        if ticket != self._ticket or self._fixed is None:
            loaded.slide.reader.close()
            return
        self._opening = False
        self.leaving.emit()
        self._let_go()
        self._moving = loaded.slide
        self.chosen.emit(loaded.slide.address)
        if loaded.complaint:
            self.failed.emit(loaded.complaint)
        if loaded.transform is not None:
            self._show(loaded.transform)
            self.news.emit(None)
        elif loaded.slide.reader.info.mpp is None:
            self.news.emit(None)
            self.changed.emit()
            self.scale_missing.emit(loaded.slide)
        else:
            self.register()

    def _on_not_loaded(self, sentence: str) -> None:
        self._opening = False
        self.news.emit(None)
        self.changed.emit()
        self.failed.emit(sentence)

    def _on_progress(self, phase: str, share: float) -> None:
        if self._moving is not None:
            self.news.emit(_working(f"Registering {self._moving.name}: {phase}", share))

    def _on_registered(self) -> None:
        self._registration = None
        self._run(partial(Transform.read, self._path()), self._on_result, self._on_not_registered)

    def _on_result(self, transform: Transform, ticket: int) -> None:
        if ticket == self._ticket:
            self._show(transform)
            self.news.emit(Notice(self._verdict(transform), (REJECT, LANDMARKS)))

    def _on_not_registered(self, sentence: str) -> None:
        self._registration = None
        self.news.emit(Notice(sentence, (LANDMARKS, AGAIN)))
        self.changed.emit()

    def _on_read(self, transform: Transform, ticket: int) -> None:
        if ticket != self._ticket:
            return
        try:
            self.use(transform)
        except RegistrationError as error:
            self.failed.emit(str(error))

    def _fit(self, work: Callable[[], Transform]) -> None:
        self._stop_work()
        self._run(work, self._on_read, self.failed.emit)

    def _keep(self, transform: Transform) -> None:
        self._background.run(partial(transform.write, self._path()), _nothing, self.failed.emit)

    def _check(self, transform: Transform) -> None:
        assert self._fixed is not None
        if self._moving is None:
            raise RegistrationError("Open a reference slide first (Compare menu).")
        for frame, slide in ((transform.fixed, self._fixed), (transform.moving, self._moving)):
            if frame.identity != slide.reader.info.identity:
                raise RegistrationError(
                    f"That transform lays {transform.moving.name} over {transform.fixed.name}, "
                    f"and not {self._moving.name} over {self._fixed.name}; choose another file."
                )

    def _path(self) -> Path:
        assert self._fixed is not None
        assert self._moving is not None
        return kept.transform_path(
            self._fixed.reader.info.identity, self._moving.reader.info.identity
        )

    def _show(self, transform: Transform) -> None:
        assert self._fixed is not None
        assert self._moving is not None
        before = self._warped
        self._transform, self._rejected = transform, None
        self._warped = WarpedSlide(self._moving.reader, transform, self._fixed.reader.info)
        title = f"{self._moving.stain_words}   {self._moving.name}"
        self._view.show_reference(self._warped, title)
        if before is not None:
            before.close()
        self.changed.emit()

    def _unshow(self) -> None:
        if self._warped is not None:
            self._view.show_reference(None)
            self._warped.close()
            self._warped = None

    def _let_go(self) -> None:
        self._unshow()
        self._transform = self._rejected = None
        if self._moving is not None:
            self._moving.reader.close()
            self._moving = None

    def _verdict(self, transform: Transform) -> str:
        assert self._fixed is not None
        known = transform.error.values if transform.error is not None else np.array([np.nan])
        words = f"{transform.moving.name} is registered."
        if np.isfinite(known).any():
            typical = error_words(float(np.nanmedian(known)), self._fixed.reader.info.mpp)
            words = f"{words[:-1]}, {typical.removesuffix(' here')} in the middle of all places."
        return f"{words} Does it fit?"


def error_words(error_px: float, mpp: float | None) -> str:
    """Say an expected error: in micrometres where the scale is known."""
    if not np.isfinite(error_px):
        return "no estimate here"
    value, unit = (error_px, "px") if mpp is None else (error_px * mpp, "µm")
    return f"± {value:.1f} {unit} here" if value < 9.95 else f"± {value:.0f} {unit} here"


def _load(address: str, fixed: SlideInfo) -> _Loaded:
    """Open a reference with what is remembered of where it lies; on a thread."""
    slide = load_slide(address)
    path = kept.transform_path(fixed.identity, slide.reader.info.identity)
    try:
        return _Loaded(slide, Transform.read(path) if path.exists() else None)
    except RegistrationError as error:
        return _Loaded(slide, None, str(error))


def _same(one: OpenedSlide, two: OpenedSlide) -> bool:
    return one.reader.info.identity == two.reader.info.identity


def _working(words: str, share: float = 0.0) -> Notice:
    return Notice(words, (CANCEL,), share, lasting=True)


def _nothing(_: object) -> None:
    return None
