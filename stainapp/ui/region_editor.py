"""The open slide's regions, which of them are selected, and every change, undoable."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

from PySide6.QtCore import QObject, Signal

from stainapp.errors import StainAppError
from stainapp.session.history import History, step_to
from stainapp.session.region_index import RegionIndex
from stainapp.session.regions import Classes, Document, Region, with_told


class RegionEditor(QObject):
    """Owns what the window knows of regions. Whoever changes one asks here."""

    shown = Signal()
    """Another slide's regions were taken up."""
    changed = Signal()
    """Regions of this slide, or their classes, were added, replaced or removed."""
    stepped = Signal(str)
    """The history went a step: "do", "undo" or "redo"."""
    selection_changed = Signal()
    visibility_changed = Signal(bool)
    refused = Signal(str)
    """Why a change was not made."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._history = History()
        self._index = RegionIndex()
        self._selected: tuple[str, ...] = ()
        self._visible = True
        self._ready = False

    @property
    def history(self) -> History:
        """What was done; to be read only. Changes are asked of the editor."""
        return self._history

    @property
    def regions(self) -> Document:
        """The regions as they are now; frozen."""
        return self._history.document

    @property
    def index(self) -> RegionIndex:
        """Where the regions lie."""
        if self._index.regions is not self.regions.regions:
            self._index = RegionIndex(self.regions.regions)
        return self._index

    @property
    def ready(self) -> bool:
        """Whether a slide is open and its regions are here; before that nothing can be drawn."""
        return self._ready

    @property
    def selected(self) -> tuple[str, ...]:
        """The ids of the selected regions, in the order of the regions."""
        return self._selected

    @property
    def selected_regions(self) -> tuple[Region, ...]:
        return self.regions.those(self._selected) if self._selected else ()

    @property
    def visible(self) -> bool:
        return self._visible

    def show(self, history: History, *, may_change: bool = True) -> None:
        """Take up another slide's regions, with what was done to them."""
        self._take_up(history, ready=may_change)

    def leave(self) -> None:
        """Let go of the regions: another slide is open, and its own are not here yet."""
        self._take_up(History(), ready=False)

    def set_visible(self, visible: bool) -> None:
        if visible != self._visible:
            self._visible = visible
            self.visibility_changed.emit(visible)

    def select(self, ids: Iterable[str]) -> None:
        """Select these regions and no others; ids that are not there are passed over."""
        wished = set(ids)
        chosen = tuple(r.id for r in self.regions.regions if r.id in wished) if wished else ()
        if chosen != self._selected:
            self._selected = chosen
            self.selection_changed.emit()

    # changes

    def fresh(self, **values: Any) -> Region:
        """Return a new region, named but not added yet."""
        names = {region.name for region in self.regions.regions}
        number = len(self.regions.regions) + 1
        while f"Region {number}" in names:
            number += 1
        return Region(name=f"Region {number}", **values)

    def put(self, regions: Sequence[Region], text: str, others: Sequence[Any] = ()) -> bool:
        """Add regions, or put them in the place of those with the same ids, and select them.

        Args:
            regions: as they shall be.
            text: names the change for undo.
            others: GeoJSON features that cannot be shown, to be kept.

        Returns:
            False where nothing is changed: there is nothing new, or, as `refused` then says,
            one of the regions cannot be.
        """
        try:
            document = self.regions.put(regions)
        except StainAppError as error:
            self.refused.emit(str(error))
            return False
        classes = with_told(document.classes, regions)
        document = replace(document, others=(*document.others, *others), classes=classes)
        return self.become(document, text, tuple(region.id for region in regions))

    def become(self, document: Document, text: str, selected: Iterable[str] = ()) -> bool:
        """Change to any other document, in one step; False where that would change nothing."""
        before = self.regions
        if not self._ready or document == before:
            return False
        wished = set(selected)
        chosen = tuple(region.id for region in document.regions if region.id in wished)
        self._history.do(step_to(text, before, document, self._selected, chosen))
        self._follow("do")
        return True

    def set_values(self, ids: Iterable[str], text: str, **values: Any) -> None:
        """Give regions a name, a classification, a colour or a lock."""
        regions = [replace(region, **values) for region in self.regions.those(ids)]
        document = self.regions.put(regions)
        classes = with_told(document.classes, regions)
        self.become(replace(document, classes=classes), text, self._selected)

    def set_classes(self, classes: Classes, text: str, renamed: dict[str, str]) -> None:
        """Change the classes there are.

        Args:
            classes: all of them, with their colours.
            text: names the change for undo.
            renamed: new names of classes by their old ones, for the regions that are of them; ""
                takes the class from them.
        """
        regions = tuple(
            replace(region, classification=renamed[region.classification])
            if region.classification in renamed
            else region
            for region in self.regions.regions
        )
        self.become(replace(self.regions, regions=regions, classes=classes), text, self._selected)

    def remove(self, ids: Iterable[str], text: str = "Delete region") -> None:
        """Remove regions, except those that are locked."""
        asked = self.regions.those(ids)
        going = {region.id for region in asked if not region.locked}
        if len(going) < len(asked):
            self.refused.emit("A locked region is not deleted; unlock it first.")
        if going:
            several = text if len(going) == 1 else f"Delete {len(going)} regions"
            self.become(self.regions.without(going), several)

    def remove_selected(self) -> None:
        """Remove the selected regions, except those that are locked."""
        self.remove(self._selected)

    def undo(self) -> None:
        if self._ready and self._history.undo():
            self._follow("undo")

    def redo(self) -> None:
        if self._ready and self._history.redo():
            self._follow("redo")

    # parts

    def _follow(self, what: str) -> None:
        """Go with the history after a step of it."""
        there = self._history.selected
        moved = there != self._selected
        self._selected = there
        self.stepped.emit(what)
        self.changed.emit()
        if moved:
            self.selection_changed.emit()

    def _take_up(self, history: History, *, ready: bool) -> None:
        self.select(())
        self._history, self._ready = history, ready
        self._selected = history.selected
        self.shown.emit()
        if self._selected:
            self.selection_changed.emit()
