"""What was done to a slide's regions, step by step, so that each step can be taken back.

A step holds only what it changed. Thousands of steps over thousands of regions so take little
room, in memory and in the journal, and none is ever dropped.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

from stainapp.session.regions import BLANK, Classes, Document, Region

Ids: TypeAlias = tuple[str, ...]
Placed: TypeAlias = tuple[int, Region]
"""A region and its place among all of them."""


@dataclass(frozen=True, slots=True)
class Side:
    """How a step left, or found, what it changed."""

    regions: tuple[Placed, ...] = ()
    """Those that are only on this side, or otherwise on the other one, by rising place."""
    selected: Ids = ()
    classes: Classes | None = None
    """None where the step left them alone; as `others`."""
    others: tuple[Mapping[str, Any], ...] | None = None


@dataclass(frozen=True, slots=True)
class Step:
    """One change."""

    text: str
    """What was done, as undo names it."""
    before: Side
    after: Side


class History:
    """The regions of one slide and every step to them. Owned by one thread.

    Args:
        start: the regions before the first step.
    """

    def __init__(self, start: Document = BLANK) -> None:
        self.start = start
        self._document = start
        self._selected: Ids = ()
        self._done: list[Step] = []
        self._undone: list[Step] = []

    @property
    def document(self) -> Document:
        """The regions as they are now; frozen."""
        return self._document

    @property
    def selected(self) -> Ids:
        """What the last step, or its undoing, left selected."""
        return self._selected

    @property
    def done(self) -> Sequence[Step]:
        """The steps that can be taken back, the newest last."""
        return self._done

    @property
    def undone(self) -> Sequence[Step]:
        """The steps that were taken back, the next to do again last."""
        return self._undone

    def copy(self) -> "History":
        """Return one that goes its own way from here; for another thread."""
        other = History(self.start)
        other._document, other._selected = self._document, self._selected
        other._done, other._undone = [*self._done], [*self._undone]
        return other

    def do(self, step: Step) -> None:
        """Go a step on; what was taken back before can be done again no more."""
        self._go(step.before, step.after)
        self._done.append(step)
        self._undone.clear()

    def undo(self) -> bool:
        """Take the last step back; False where there is none."""
        if not self._done:
            return False
        step = self._done.pop()
        self._go(step.after, step.before)
        self._undone.append(step)
        return True

    def redo(self) -> bool:
        """Do again what was taken back last; False where there is nothing."""
        if not self._undone:
            return False
        step = self._undone.pop()
        self._go(step.before, step.after)
        self._done.append(step)
        return True

    def _go(self, leave: Side, reach: Side) -> None:
        self._document = _changed(self._document, leave, reach)
        self._selected = reach.selected


def step_to(
    text: str, before: Document, after: Document, was_selected: Ids = (), selected: Ids = ()
) -> Step:
    """Return the step between two documents, in which what stays keeps its order."""
    old = {region.id: region for region in before.regions}
    new = {region.id: region for region in after.regions}
    gone = _unlike(before.regions, new)
    come = _unlike(after.regions, old)
    classes = before.classes != after.classes or list(before.classes) != list(after.classes)
    others = before.others != after.others
    return Step(
        text,
        Side(
            gone,
            was_selected,
            before.classes if classes else None,
            before.others if others else None,
        ),
        Side(come, selected, after.classes if classes else None, after.others if others else None),
    )


def _unlike(regions: Iterable[Region], known: Mapping[str, Region]) -> tuple[Placed, ...]:
    return tuple(
        (place, region)
        for place, region in enumerate(regions)
        if known.get(region.id) is not region
    )


def _changed(document: Document, leave: Side, reach: Side) -> Document:
    going = {region.id for _, region in leave.regions}
    regions = [r for r in document.regions if r.id not in going] if going else [*document.regions]
    for place, region in reach.regions:
        regions.insert(place, region)
    return replace(
        document,
        regions=tuple(regions),
        classes=document.classes if reach.classes is None else reach.classes,
        others=document.others if reach.others is None else reach.others,
    )
