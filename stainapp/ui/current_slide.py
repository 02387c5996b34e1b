"""The slide that is open: opens it off the GUI thread and keeps what the user says of it."""

from dataclasses import replace

from PySide6.QtCore import QObject, Signal

from stainapp.errors import StainAppError
from stainapp.settings import save_note
from stainapp.ui.background import Background
from stainapp.ui.open_slide import OpenedSlide, load_slide


class CurrentSlide(QObject):
    """Owns the open reader. A slide that fails to open leaves the one before it open."""

    opening = Signal(str)
    """An address whose slide is being opened."""
    opened = Signal(object)  # OpenedSlide
    noted = Signal(object)  # OpenedSlide, after its stain was set
    retired = Signal(object)
    """A SlideReader that is no longer shown; whoever still reads from it says when to close it."""
    failed = Signal(str)

    def __init__(self, background: Background, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._background = background
        self._slide: OpenedSlide | None = None
        self._asked = 0

    @property
    def slide(self) -> OpenedSlide | None:
        return self._slide

    def open(self, address: str, mpp: float | None = None) -> None:
        """Open a slide; of several asked for in a row, the last one wins."""
        self._asked += 1
        ticket = self._asked
        self.opening.emit(address)
        self._background.run(
            lambda: load_slide(address, mpp),
            lambda slide: self._on_loaded(slide, ticket),
            self.failed.emit,
        )

    def set_stain(self, stain: str) -> None:
        """Keep the user's word on the stain."""
        if self._slide is not None:
            self._slide = self._slide.noted(replace(self._slide.note, stain=stain))
            self._save(self._slide)
            self.noted.emit(self._slide)

    def set_reference(self, address: str) -> None:
        """Keep which slide was laid over this one."""
        if self._slide is not None and self._slide.note.reference != address:
            self._slide = self._slide.noted(replace(self._slide.note, reference=address))
            self._save(self._slide)

    def set_mpp(self, mpp: float) -> None:
        """Keep the user's word on the scale, and show the slide with it."""
        if self._slide is not None:
            self._slide = self._slide.noted(replace(self._slide.note, mpp=mpp))
            self._save(self._slide)
            self.open(self._slide.address, mpp)

    def close(self) -> None:
        """Close the reader. Nobody may be reading from it any more."""
        if self._slide is not None:
            self._slide.reader.close()
            self._slide = None

    def _on_loaded(self, slide: OpenedSlide, ticket: int) -> None:
        if ticket != self._asked:
            slide.reader.close()
            return
        before, self._slide = self._slide, slide
        self.opened.emit(slide)
        if before is not None:
            self.retired.emit(before.reader)

    def _save(self, slide: OpenedSlide) -> None:
        try:
            save_note(slide.reader.info.identity, slide.note)
        except StainAppError as error:
            self.failed.emit(str(error))
