"""All that panes show of regions, frozen: it goes from the hand that draws to every pane."""

from dataclasses import dataclass, field

from stainapp.session.region_index import RegionIndex
from stainapp.session.regions import CLASSES, Classes, Point, Region


@dataclass(frozen=True, slots=True)
class RegionPicture:
    """The regions that stand still, those that are being changed, and what helps to draw them."""

    index: RegionIndex = field(default_factory=RegionIndex)
    classes: Classes = field(default_factory=lambda: CLASSES)
    drawn: tuple[Region, ...] = ()
    """Regions that are being changed, as they are now, or new ones; over those of the same ids."""
    hidden: frozenset[str] = frozenset()
    selected: frozenset[str] = frozenset()
    handled: Region | None = None
    """The region whose handles are shown."""
    line: tuple[Point, ...] = ()
    """The polygon or line that is being drawn, up to the pointer."""
    closing: bool = False
    """Whether a click now ends it."""
    measures: bool = False
    """Whether its length is written beside it."""
    brush_px: float = 0.0
    """The brush's radius on the screen; 0 without a brush."""
    pointer: Point = (0.0, 0.0)
    mpp: float | None = None
    """Micrometres per level-0 pixel, for lengths."""

    @property
    def regions(self) -> tuple[Region, ...]:
        """What is to be seen, an unfinished change included."""
        changed = {region.id: region for region in self.drawn}
        kept = [changed.pop(r.id, r) for r in self.index.regions if r.id not in self.hidden]
        return (*kept, *changed.values())

    @property
    def left_out(self) -> frozenset[str]:
        """Of the regions in the index, those that do not stand where the index has them."""
        return self.hidden.union(region.id for region in self.drawn)
