"""The landmarks of two slides as the window edits them: selection, undo, what a click means."""

from collections.abc import Callable

from PySide6.QtCore import QObject, Signal

from stainapp.registration import pairs as edits
from stainapp.registration.pairs import Pair, Pairs, Place, Side

Guess = Callable[[Side, Place], Place | None]
"""Where a point of that side is expected on the other slide; None where nobody knows."""


class LandmarkSet(QObject):
    """Holds the pairs. Every edit but a drag's intermediate places can be undone."""

    changed = Signal()
    """The pairs or the selection are others."""
    edited = Signal()
    """The pairs are others for good: what is to be kept and fitted."""
    placed = Signal(object)  # Pair: it was just begun or completed by a click

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._pairs: Pairs = ()
        self._selected: int | None = None
        self._undo: list[Pairs] = []
        self._redo: list[Pairs] = []
        self._dragged: tuple[int, Side] | None = None
        self._before_drag: Pairs = ()
        self.guess: Guess = _unknown

    @property
    def pairs(self) -> Pairs:
        return self._pairs

    @property
    def selected(self) -> Pair | None:
        return edits.numbered(self._pairs, self._selected)

    @property
    def undoable(self) -> bool:
        return bool(self._undo)

    @property
    def redoable(self) -> bool:
        return bool(self._redo)

    def load(self, pairs: Pairs) -> None:
        """Begin with what was kept; there is nothing to undo."""
        self._pairs, self._selected = pairs, None
        self._undo, self._redo = [], []
        self.changed.emit()

    def select(self, number: int | None) -> None:
        if number != self._selected:
            self._selected = number
            self.changed.emit()

    def place(self, side: Side, place: Place) -> None:
        """Put a point where somebody clicked; see `stainapp.registration.pairs.placed`."""
        half = edits.half_placed(self._pairs)
        partner = self.guess(side, place) if half is None else None
        pairs = edits.placed(self._pairs, side, place, partner)
        if half is not None and half.missing == side:
            self._selected = half.number
        else:
            self._selected = pairs[-1].number
        self._edit(pairs)
        self.placed.emit(self.selected)

    def begin_drag(self, number: int, side: Side) -> None:
        """Take hold of a point; what was only proposed there is a person's from now on."""
        self._before_drag, self._dragged = self._pairs, (number, side)
        self._selected = number
        self.changed.emit()

    def drag_to(self, place: Place) -> None:
        pair = edits.numbered(self._pairs, self._dragged[0]) if self._dragged else None
        if pair is not None and self._dragged is not None:
            self._pairs = edits.changed(self._pairs, pair.put(self._dragged[1], place))
            self.changed.emit()

    def end_drag(self) -> None:
        """Let go; a click that moved nothing accepts a proposal."""
        if self._dragged is None:
            return
        number, side = self._dragged
        self._dragged = None
        pair = edits.numbered(self._pairs, number)
        if pair is not None and pair.proposed == side:
            self.accept()
        elif self._pairs != self._before_drag:
            after, self._pairs = self._pairs, self._before_drag
            self._edit(after)

    def accept(self) -> bool:
        """Take the selected proposal as it is; tell whether there was one."""
        pair = self.selected
        place = pair.at(pair.proposed) if pair and pair.proposed else None
        if pair is None or pair.proposed is None or place is None:
            return False
        self._edit(edits.changed(self._pairs, pair.put(pair.proposed, place)))
        return True

    def remove(self) -> None:
        """Remove the selected pair."""
        pair = self.selected
        if pair is not None:
            self._selected = None
            self._edit(edits.without(self._pairs, pair.number))

    def drop_half(self) -> bool:
        """Remove the pair that waits for its second point or for a look; tell whether one did."""
        pair = edits.half_placed(self._pairs) or next(
            (one for one in self._pairs if one.proposed), None
        )
        if pair is None:
            return False
        self._selected = None
        self._edit(edits.without(self._pairs, pair.number))
        return True

    def undo(self) -> None:
        if self._undo:
            self._redo.append(self._pairs)
            self._go_to(self._undo.pop())

    def redo(self) -> None:
        if self._redo:
            self._undo.append(self._pairs)
            self._go_to(self._redo.pop())

    def _edit(self, pairs: Pairs) -> None:
        self._undo.append(self._pairs)
        self._redo = []
        self._go_to(pairs)

    def _go_to(self, pairs: Pairs) -> None:
        self._pairs = pairs
        self.changed.emit()
        self.edited.emit()


def _unknown(_side: Side, _place: Place) -> None:
    return None
