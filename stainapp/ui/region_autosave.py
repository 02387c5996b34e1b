"""Keeps the regions of the open slide on disk, written off the GUI thread after each change."""

import logging
from functools import partial

from PySide6.QtCore import QObject, Signal

from stainapp.errors import StainAppError
from stainapp.session import region_file
from stainapp.session.regions import Document, RegionSet
from stainapp.ui.background import Background
from stainapp.ui.field import single_shot
from stainapp.ui.region_editor import RegionEditor

log = logging.getLogger(__name__)

DELAY_MS = 300
"""How long after a change it is written, together with those that followed it."""


class RegionAutosave(QObject):
    """Loads and saves. What could not be written is kept and tried again with the next change."""

    noted = Signal(str)
    """How the regions stand, in a word or two for the status line."""
    failed = Signal(str)

    def __init__(
        self, editor: RegionEditor, background: Background, parent: QObject | None = None
    ) -> None:
        super().__init__(parent)
        self._editor = editor
        self._background = background
        self._identity = ""
        self._unsaved: dict[str, Document] = {}
        self._writing: dict[str, Document] = {}
        self._failing = False
        self._timer = single_shot(self, DELAY_MS, self.flush)
        editor.changed.connect(self._on_changed)

    @property
    def pending(self) -> bool:
        """Whether something has not been written yet."""
        return bool(self._unsaved)

    @property
    def failing(self) -> bool:
        """Whether what is pending could not be written when it was tried last."""
        return self._failing and self.pending

    def open(self, identity: str) -> None:
        """Take up the regions of the slide with this `SlideInfo.identity`."""
        if identity == self._identity and self._editor.ready:
            return  # the same slide once more, with another scale perhaps
        self.flush()
        self._identity = identity
        self._editor.leave()
        self.noted.emit("")
        if identity in self._unsaved:
            self._editor.show(RegionSet(self._unsaved[identity]))
            return
        # Behind the write that `flush` has asked for: one thread does both, in order.
        self._background.run(
            lambda: _load(identity), partial(self._on_loaded, identity), self.failed.emit
        )

    def flush(self) -> None:
        """Begin to write all that is not written."""
        self._timer.stop()
        for identity, document in self._unsaved.items():
            if self._writing.get(identity) is not document:
                self._writing[identity] = document
                self._background.run(
                    partial(region_file.save, identity, document),
                    partial(self._on_saved, identity, document),
                    partial(self._on_failed, identity),
                )

    def close(self) -> None:
        """Write what is left, here and now; the background has ended."""
        self._timer.stop()
        for identity, document in self._unsaved.items():
            try:
                region_file.save(identity, document)
            except StainAppError as error:
                log.error("%s", error)
        self._unsaved.clear()

    def _on_changed(self) -> None:
        self._unsaved[self._identity] = self._editor.regions.document
        self.noted.emit("Regions: saving…")
        if not self._timer.isActive():
            self._timer.start()

    def _on_loaded(self, identity: str, found: tuple[RegionSet, list[str]]) -> None:
        regions, warnings = found
        for sentence in warnings:
            self.failed.emit(sentence)
        if identity == self._identity and not self._editor.ready:
            self._editor.show(regions)

    def _on_saved(self, identity: str, document: Document, _: object) -> None:
        self._writing.pop(identity, None)
        self._failing = False
        if self._unsaved.get(identity) is document:
            del self._unsaved[identity]
        if not self._unsaved:
            self.noted.emit("Regions saved")

    def _on_failed(self, identity: str, sentence: str) -> None:
        self._writing.pop(identity, None)
        self._failing = True
        self.noted.emit("⚠ Regions not saved")
        self.failed.emit(sentence)


def _load(identity: str) -> tuple[RegionSet, list[str]]:
    """Return a slide's regions and what is to be said of their file."""
    warnings: list[str] = []
    return region_file.load(identity, warn=warnings.append) or RegionSet(), warnings
