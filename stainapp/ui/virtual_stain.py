"""The virtual stain on show: which models fit the slide, and what becomes of a choice."""

from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Signal

from stainapp.models.card import ANY_STAIN
from stainapp.models.compatibility import compatibility, sorted_for
from stainapp.models.store import Found, Store
from stainapp.slides.reader import RgbImage, SlideReader
from stainapp.ui.model_list import Entry
from stainapp.ui.open_slide import OpenedSlide
from stainapp.ui.staining import StainService
from stainapp.ui.view_area import ViewArea

if TYPE_CHECKING:
    from stainapp.models.virtual_slide import VirtualSlide


class VirtualStain(QObject):
    """Connects the store of models, the staining thread and the panes."""

    entries_changed = Signal(object)  # tuple[Entry, ...]
    shown = Signal(object)  # Entry, or None once the virtual stain is gone
    device_known = Signal(str)
    idle = Signal()
    """Nothing is being opened or fitted any more."""
    progress = Signal(str)
    notice = Signal(str)
    failed = Signal(str)

    def __init__(
        self, store: Store, service: StainService, view: ViewArea, parent: QObject | None = None
    ) -> None:
        super().__init__(parent)
        self._store = store
        self._service = service
        self._view = view
        self._slide: OpenedSlide | None = None
        self._entry: Entry | None = None
        self._training_step: int | None = None
        self._reader: VirtualSlide | None = None
        self._template: Path | None = None
        self.device = "auto"
        service.preview_ready.connect(self._on_preview)
        service.ready.connect(self._on_ready)
        service.idle.connect(self.idle)
        service.progress.connect(self.progress)
        service.notice.connect(self.notice)
        service.failed.connect(self._on_failed)

    @property
    def busy(self) -> bool:
        """Whether a model is still being opened or fitted to the slide."""
        return self._service.busy

    @property
    def unfinished(self) -> bool:
        """Whether a part of the picture is still to come."""
        return self.busy or not self._view.is_settled

    @property
    def reader(self) -> "VirtualSlide | None":
        """The virtual slide on show, once it is exact."""
        return self._reader

    @property
    def entry(self) -> Entry | None:
        """The model whose picture is on show or on its way."""
        return self._entry

    @property
    def template(self) -> Path | None:
        """The image that the model on show normalises to, where one was chosen."""
        return self._template

    @property
    def shows_training(self) -> bool:
        """Whether the model on show is one that is still being taught, and not in the store."""
        return self._training_step is not None

    def show_slide(self, slide: OpenedSlide) -> None:
        """Go with another slide, or with the same one under another stain or scale."""
        moved = self._slide is None or self._slide.reader is not slide.reader
        self._slide = slide
        entries = self.refresh()
        if not moved:
            return
        kept = self._entry
        self.dismiss()
        for entry in entries:
            if kept and entry.found.card.id == kept.found.card.id and entry.compatibility.ok:
                self.start(entry)

    def refresh(self) -> tuple[Entry, ...]:
        """Read the store again and say which models fit the slide."""
        found = {one.card.id: one for one in self._store.stainers()}
        stain = self._slide.stain if self._slide else ""
        mpp = self._slide.reader.info.mpp if self._slide else None
        guessed = self._slide.stain_is_guess if self._slide else False
        cards = [one.card for one in found.values()]
        judged = sorted_for(cards, stain or ANY_STAIN, mpp, guessed=guessed)
        entries = tuple(Entry(found[card.id], verdict) for card, verdict in judged)
        self.entries_changed.emit(entries)
        return entries

    def start(
        self, entry: Entry, template: RgbImage | None = None, template_path: Path | None = None
    ) -> None:
        """Show a model's stain; the picture before it stays until there is something new."""
        self._training_step = None
        self._template = template_path
        self._start(entry, template)

    def start_training(self, found: Found, step: int) -> None:
        """Show weights of a training that goes on, which lie outside the store."""
        if self._slide is None:
            return
        slide = self._slide
        verdict = compatibility(
            found.card, slide.stain, slide.reader.info.mpp, guessed=slide.stain_is_guess
        )
        self._training_step = step
        self._start(Entry(found, verdict), None)

    def dismiss(self) -> None:
        """Show the real slide alone."""
        self._service.stop()
        self._view.clear_virtual()
        self._entry = None
        self._reader = None
        self.progress.emit("")
        self.shown.emit(None)

    def set_strength(self, strength: float) -> None:
        """Show more or less of the stain, 0..1, now and of every model chosen later."""
        self._service.set_strength(strength)

    def use_device(self, device: str) -> None:
        """Stain on another device from now on."""
        self.device = device
        if self._entry is not None:
            self._start(self._entry, None)

    def _start(self, entry: Entry, template: RgbImage | None) -> None:
        if self._slide is None:
            return
        self._entry = entry
        self._reader = None
        self.shown.emit(entry)
        folder: Path = entry.found.folder
        self._service.start(
            self._slide.reader,
            folder,
            device=self.device,
            template=template,
            remember=self._training_step is None,
        )

    def _on_preview(self, preview: SlideReader) -> None:
        self._view.show_preview(preview, self._title())

    def _on_ready(self, virtual: "VirtualSlide") -> None:
        self._reader = virtual
        self.device_known.emit(f"{virtual.stainer.device}   {virtual.stainer.precision}")
        self._view.show_virtual(virtual, self._service.feed, self._title())
        self.progress.emit("")

    def _on_failed(self, sentence: str) -> None:
        self.progress.emit("")
        self.failed.emit(sentence)

    def _title(self) -> str:
        if self._entry is None:
            return ""
        card = self._entry.found.card
        title = f"{card.target_stain}   {card.id}"
        if self._service.strength < 1:
            title += f"   strength {100 * self._service.strength:.0f} %"
        if self._training_step is None:
            return title
        return f"{title}   training, step {self._training_step:,}"
