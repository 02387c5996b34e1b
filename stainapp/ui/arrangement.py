"""How panes share the pictures of a field: which layers each shows, and what is written over it."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from enum import Enum
from typing import TypeAlias

from stainapp.compare.difference_slide import legend_of
from stainapp.ui.pane import Pane
from stainapp.ui.pane_marks import (
    GROUND,
    Chip,
    difference_chips,
    real_chips,
    reference_chips,
    virtual_chips,
)
from stainapp.ui.picture import Picture

Slots: TypeAlias = tuple[tuple[Picture, ...], ...]
"""What each pane shows, the lowest picture first; a pane with nothing is empty."""

LEGEND = legend_of()
UPPERMOST = (Picture.DIFFERENCE, Picture.VIRTUAL)
"""What a single pane shows before all else."""


class Layout(Enum):
    """How panes are arranged."""

    SINGLE = "single"
    SIDE_BY_SIDE = "side-by-side"
    CURTAIN = "curtain"
    FADE = "fade"


@dataclass(frozen=True, slots=True)
class Titles:
    """What is written over the pictures that there are."""

    real: str
    virtual: str | None = None
    """The virtual stain and its model; None where there is none."""
    reference: str | None = None
    """The registered slide; None where there is none."""
    differing: tuple[Picture, Picture] | None = None
    """What the difference is of, the first less the second; None where there is none."""
    previews: frozenset[Picture] = frozenset()
    """The pictures of which a part of the view shows no exact virtual tile."""

    @property
    def there(self) -> frozenset[Picture]:
        found = {Picture.REAL: self.real, Picture.VIRTUAL: self.virtual}
        found[Picture.REFERENCE] = self.reference
        there = {picture for picture, title in found.items() if title is not None}
        return frozenset(there if self.differing is None else {*there, Picture.DIFFERENCE})

    def chips(self, picture: Picture, share: str = "") -> tuple[Chip, ...]:
        """Name a picture; a virtual one is never without its badge."""
        preview = picture in self.previews
        match picture:
            case Picture.REAL:
                return real_chips(self.real)
            case Picture.VIRTUAL:
                return virtual_chips((self.virtual or "") + share, preview)
            case Picture.REFERENCE:
                return reference_chips((self.reference or "") + share)
            case Picture.DIFFERENCE:
                assert self.differing is not None
                other, base = self.differing
                virtual = other is Picture.VIRTUAL
                return difference_chips(other.value, base.value + share, virtual, preview)


@dataclass(frozen=True, slots=True)
class Arrangement:
    """What the user has chosen to see of the pictures there are."""

    layout: Layout = Layout.SINGLE
    curtain: float = 0.5
    """The divider's place, as a share of the pane's width from its left."""
    fade: float = 1.0
    """How much of the upper picture shows over the lower one in the fade layout."""
    hidden: frozenset[Picture] = frozenset({Picture.DIFFERENCE})
    """What the user does not want to see at the moment."""
    peeking: bool = False
    """Whether the real slide shows everywhere, for as long as a key is held."""

    def seen(self, there: Collection[Picture]) -> tuple[Picture, ...]:
        """Return the pictures that are on show, in their order; the real one if no other is."""
        found = tuple(one for one in Picture if one in there and one not in self.hidden)
        return (Picture.REAL,) if self.peeking or not found else found

    def slots(self, there: Collection[Picture]) -> Slots:
        """Return what each pane shows."""
        seen = self.seen(there)
        match self.layout:
            case Layout.SIDE_BY_SIDE:
                if self.peeking:  # as many panes as without
                    return ((Picture.REAL,),) * len(replace(self, peeking=False).slots(there))
                return tuple((one,) for one in seen) + ((),) * (2 - len(seen))
            case Layout.SINGLE:
                return ((next((one for one in UPPERMOST if one in seen), seen[-1]),),)
            case Layout.CURTAIN | Layout.FADE:
                return (seen[-2:],)

    def show_layers(self, panes: Sequence[Pane], there: Collection[Picture]) -> None:
        """Bring layers, divider and panes into line with what there is."""
        slots = self.slots(there)
        for pane, slot in zip(panes, self._for_all(panes, slots), strict=True):
            upper = slot[-1] if len(slot) == 2 else None
            divided = upper is not None and self.layout is Layout.CURTAIN
            for picture, layer in pane.layers.items():
                above = picture is upper
                layer.setVisible(picture in slot)
                layer.set_opacity(self.fade if above and self.layout is Layout.FADE else 1.0)
                layer.set_clip(self.curtain if above and divided else 0.0)
            pane.set_curtain(self.curtain if divided else None)
            pane.set_legend(LEGEND if Picture.DIFFERENCE in slot else None)
        for number, pane in enumerate(panes):
            pane.setVisible(number < len(slots))

    def show_chips(self, panes: Sequence[Pane], titles: Titles) -> None:
        """Name what each pane shows."""
        slots = self.slots(titles.there)
        share = f"  {100 * self.fade:.0f} %" if self.layout is Layout.FADE else ""
        none = "no virtual stain yet" if titles.virtual is None else "nothing else is shown"
        for pane, slot in zip(panes, self._for_all(panes, slots), strict=True):
            if len(slot) == 2:
                pane.set_chips(titles.chips(slot[0]), titles.chips(slot[1], share))
            elif slot:
                pane.set_chips(titles.chips(slot[0]))
            else:
                pane.set_chips((Chip(none, GROUND),))

    @staticmethod
    def _for_all(panes: Sequence[Pane], slots: Slots) -> Slots:
        return slots + ((),) * (len(panes) - len(slots))
