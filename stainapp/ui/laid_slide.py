"""A second slide laid over the open one: both of them, the map between them, and the picture."""

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from stainapp.errors import RegistrationError
from stainapp.registration import kept
from stainapp.registration.transform import Transform
from stainapp.registration.warped_slide import WarpedSlide
from stainapp.slides.reader import SlideInfo, SlideReader
from stainapp.ui import reference_words as words
from stainapp.ui.open_slide import OpenedSlide, load_slide


class ShowsReference(Protocol):
    """Where the reference is seen."""

    def show_reference(self, reader: SlideReader | None, title: str = "") -> None:
        """Show it; returns when nothing reads from the one before."""
        ...


@dataclass(frozen=True, slots=True)
class Loaded:
    """A moving slide as it comes from the thread."""

    slide: OpenedSlide
    transform: Transform | None
    """Where it lay last time."""
    complaint: str = ""


def load_moving(address: str, fixed: SlideInfo) -> Loaded:
    """Open a slide with what is remembered of where it lies on another; on a thread."""
    slide = load_slide(address)
    path = kept.transform_path(fixed.identity, slide.reader.info.identity)
    try:
        return Loaded(slide, Transform.read(path) if path.exists() else None)
    except RegistrationError as error:
        return Loaded(slide, None, str(error))


class LaidSlide:
    """Owns the moving slide, and shows it as soon as it is known where it lies."""

    def __init__(self, view: ShowsReference) -> None:
        self._view = view
        self.fixed: OpenedSlide | None = None
        """The open slide; somebody else's."""
        self.moving: OpenedSlide | None = None
        self.transform: Transform | None = None
        self.warped: WarpedSlide | None = None
        """What is on show: the moving slide in the fixed one's frame."""

    @property
    def path(self) -> Path:
        """Where the transform of these two slides is kept."""
        assert self.fixed is not None
        assert self.moving is not None
        return kept.transform_path(
            self.fixed.reader.info.identity, self.moving.reader.info.identity
        )

    @property
    def mpp(self) -> float | None:
        """Micrometres per level-0 pixel of the open slide."""
        return None if self.fixed is None else self.fixed.reader.info.mpp

    def show(self, transform: Transform) -> None:
        """Show the moving slide where this transform puts it."""
        assert self.fixed is not None
        assert self.moving is not None
        before, self.transform = self.warped, transform
        self.warped = WarpedSlide(self.moving.reader, transform, self.fixed.reader.info)
        self._view.show_reference(self.warped, f"{self.moving.stain_words}   {self.moving.name}")
        if before is not None:
            before.close()

    def take_off(self) -> None:
        """Show the moving slide no more; it stays open."""
        self.transform = None
        if self.warped is not None:
            self._view.show_reference(None)
            self.warped.close()
            self.warped = None

    def let_go(self) -> None:
        """Close the moving slide. Nobody else may be reading from it any more."""
        self.take_off()
        if self.moving is not None:
            self.moving.reader.close()
            self.moving = None

    def check(self, transform: Transform) -> None:
        """See that a transform is of these two slides.

        Raises:
            RegistrationError: it is not, or there is no moving slide.
        """
        if self.fixed is None or self.moving is None:
            raise RegistrationError(words.NO_REFERENCE)
        transform.check(self.fixed.reader.info, self.moving.reader.info)
