"""The open slide's regions, which of them are selected, and every change, undoable."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from PySide6.QtCore import QObject, Signal
from PySide6.QtGui import QUndoCommand, QUndoStack

from stainapp.errors import StainAppError
from stainapp.session.regions import Document, Region, RegionSet, check


@dataclass(frozen=True, slots=True)
class State:
    """What an edit changes and undo brings back."""

    document: Document
    selected: tuple[str, ...]


class RegionEditor(QObject):
    """Owns what the window knows of regions. Whoever changes one asks here."""

    shown = Signal()
    """Another slide's regions were taken up."""
    changed = Signal()
    """Regions of this slide were added, replaced or removed."""
    selection_changed = Signal()
    visibility_changed = Signal(bool)
    refused = Signal(str)
    """Why a change was not made."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.undo_stack = QUndoStack(self)
        self._regions = RegionSet()
        self._selected: tuple[str, ...] = ()
        self._visible = True
        self._ready = False

    @property
    def regions(self) -> RegionSet:
        return self._regions

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
        return self._those(self._selected)

    @property
    def visible(self) -> bool:
        return self._visible

    def show(self, regions: RegionSet) -> None:
        """Take up another slide's regions; what was done to those before is not undone any more."""
        self._take_up(regions, ready=True)

    def leave(self) -> None:
        """Let go of the regions: another slide is open, and its own are not here yet."""
        self._take_up(RegionSet(), ready=False)

    def set_visible(self, visible: bool) -> None:
        if visible != self._visible:
            self._visible = visible
            self.visibility_changed.emit(visible)

    def select(self, ids: Iterable[str]) -> None:
        """Select these regions and no others; ids that are not there are passed over."""
        wished = set(ids)
        chosen = tuple(region.id for region in self._regions.regions if region.id in wished)
        if chosen != self._selected:
            self._selected = chosen
            self.selection_changed.emit()

    # changes

    def fresh(self, **values: Any) -> Region:
        """Return a new region, named but not added yet."""
        names = {region.name for region in self._regions.regions}
        number = len(self._regions.regions) + 1
        while f"Region {number}" in names:
            number += 1
        return Region(name=f"Region {number}", **values)

    def put(self, regions: Sequence[Region], text: str, others: Sequence[Any] = ()) -> bool:
        """Add regions, or put them in the place of those with the same ids, and select them.

        Args:
            regions: as they shall be.
            text: names the change for undo.
            others: GeoJSON features that are no regions, to be kept.

        Returns:
            False where nothing is changed: there is nothing new, or, as `refused` then says,
            one of the regions cannot be.
        """
        new = {region.id: region for region in regions}
        before = self._regions.document
        after = [new.pop(region.id, region) for region in before.regions]
        document = replace(
            before, regions=(*after, *new.values()), others=(*before.others, *others)
        )
        if not self._ready or document == before:
            return False
        try:
            for region in regions:
                check(region)
        except StainAppError as error:
            self.refused.emit(str(error))
            return False
        self._push(text, document, tuple(region.id for region in regions))
        return True

    def set_values(self, ids: Iterable[str], text: str, **values: Any) -> None:
        """Give regions a name, a classification, a colour or a lock."""
        selected = self._selected
        if self.put([replace(region, **values) for region in self._those(ids)], text):
            self.select(selected)

    def remove_selected(self) -> None:
        """Remove the selected regions, except those that are locked."""
        going = {region.id for region in self.selected_regions if not region.locked}
        if len(going) < len(self._selected):
            self.refused.emit("A locked region is not deleted; unlock it first.")
        if going:
            text = "Delete region" if len(going) == 1 else f"Delete {len(going)} regions"
            left = [region for region in self._regions.regions if region.id not in going]
            self._push(text, replace(self._regions.document, regions=tuple(left)), ())

    # parts

    def _those(self, ids: Iterable[str]) -> tuple[Region, ...]:
        wished = set(ids)
        return tuple(region for region in self._regions.regions if region.id in wished)

    def _push(self, text: str, document: Document, selected: tuple[str, ...]) -> None:
        before = State(self._regions.document, self._selected)
        self.undo_stack.push(_Edit(text, self, before, State(document, selected)))

    def restore(self, state: State) -> None:
        """Bring back what an edit left or found."""
        self._regions.restore(state.document)
        self.select(state.selected)

    def _take_up(self, regions: RegionSet, *, ready: bool) -> None:
        self.undo_stack.clear()
        self.select(())
        self._regions, self._ready = regions, ready
        regions.subscribe(self._on_changed)
        self.shown.emit()

    def _on_changed(self) -> None:
        self.select(self._selected)
        self.changed.emit()


class _Edit(QUndoCommand):
    """One change, as what was before and after it; frozen and shared, both are cheap to keep."""

    def __init__(self, text: str, editor: RegionEditor, before: State, after: State) -> None:
        super().__init__(text)
        self._editor, self._before, self._after = editor, before, after

    def redo(self) -> None:
        self._editor.restore(self._after)

    def undo(self) -> None:
        self._editor.restore(self._before)
