"""What a drag with the button held makes of regions, for as long as it lasts and at its end."""

from dataclasses import dataclass, replace
from typing import Protocol

from PySide6.QtCore import Qt

from stainapp.session.regions import Region
from stainapp.ui.region_shape import Handle, Middle, box
from stainapp.ui.touch import Touch

SMALLEST_DRAG_PX = 3.0
"""A drag shorter than this, in screen pixels, was a click."""


class Drag(Protocol):
    """One gesture from press to release."""

    @property
    def start(self) -> Touch: ...

    @property
    def text(self) -> str:
        """What the gesture does, as undo names it."""
        ...

    @property
    def counts_as_click(self) -> bool:
        """Whether the gesture does something without being dragged."""
        ...

    def regions(self, touch: Touch) -> tuple[Region, ...]:
        """Return the regions as they are with the pointer here."""
        ...


@dataclass(frozen=True, slots=True)
class MoveDrag:
    """Takes regions along."""

    start: Touch
    moved: tuple[Region, ...]
    counts_as_click: bool = False

    @property
    def text(self) -> str:
        return "Move region" if len(self.moved) == 1 else f"Move {len(self.moved)} regions"

    def regions(self, touch: Touch) -> tuple[Region, ...]:
        dx, dy = touch.x - self.start.x, touch.y - self.start.y
        return tuple(region.moved(dx, dy) for region in self.moved)


@dataclass(frozen=True, slots=True)
class ReshapeDrag:
    """Pulls at one handle of a region."""

    start: Touch
    region: Region
    handle: Handle

    @property
    def text(self) -> str:
        return "Add point" if isinstance(self.handle, Middle) else "Reshape region"

    @property
    def counts_as_click(self) -> bool:
        return isinstance(self.handle, Middle)

    def regions(self, touch: Touch) -> tuple[Region, ...]:
        x = self.handle.x + touch.x - self.start.x
        y = self.handle.y + touch.y - self.start.y
        return (self.handle.moved_to(self.region, x, y),)


@dataclass(frozen=True, slots=True)
class RectangleDrag:
    """Draws a rectangle, upright on the slide; a square while Shift is held."""

    start: Touch
    region: Region
    """Of any shape; lends the new one its id and name."""
    text: str = "Draw rectangle"
    counts_as_click: bool = False

    def regions(self, touch: Touch) -> tuple[Region, ...]:
        dx, dy = touch.x - self.start.x, touch.y - self.start.y
        if touch.holds(Qt.KeyboardModifier.ShiftModifier):
            side = max(abs(dx), abs(dy))
            dx, dy = side if dx >= 0 else -side, side if dy >= 0 else -side
        ring = box((self.start.x, self.start.y), (self.start.x + dx, self.start.y + dy))
        return (replace(self.region, polygons=((ring,),), shape="rectangle"),)
