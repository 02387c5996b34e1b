"""What a drag with the button held makes of regions, for as long as it lasts and at its end."""

from dataclasses import dataclass, replace
from math import atan2, cos, hypot, pi, sin
from typing import Protocol

import shapely
from PySide6.QtCore import Qt

from stainapp.session import region_algebra as algebra
from stainapp.session.regions import Point, Region, Shape
from stainapp.ui.region_shape import Handle, Middle
from stainapp.ui.touch import Touch

SMALLEST_DRAG_PX = 3.0
"""A drag shorter than this, in screen pixels, was a click."""
STEP_PX = 2.0
"""A hand-drawn line has a corner for each such step, in screen pixels."""
TOLERANCE_PX = 0.4
"""How far, in screen pixels, corners may be moved to do with fewer."""
SHIFT = Qt.KeyboardModifier.ShiftModifier


class Drag(Protocol):
    """One gesture from press to release; frozen, as the pointer moves the next takes its place."""

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

    def moved(self, touch: Touch) -> "Drag":
        """Return the gesture with the pointer having come here."""
        ...

    def regions(self, touch: Touch) -> tuple[Region, ...]:
        """Return the regions as they are with the pointer here; none where all was erased."""
        ...


@dataclass(frozen=True, slots=True)
class MoveDrag:
    """Takes regions along."""

    start: Touch
    taken: tuple[Region, ...]
    counts_as_click: bool = False

    @property
    def text(self) -> str:
        return "Move region" if len(self.taken) == 1 else f"Move {len(self.taken)} regions"

    def moved(self, touch: Touch) -> "MoveDrag":
        return self

    def regions(self, touch: Touch) -> tuple[Region, ...]:
        dx, dy = touch.x - self.start.x, touch.y - self.start.y
        return tuple(region.moved(dx, dy) for region in self.taken)


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

    def moved(self, touch: Touch) -> "ReshapeDrag":
        return self

    def regions(self, touch: Touch) -> tuple[Region, ...]:
        x = self.handle.x + touch.x - self.start.x
        y = self.handle.y + touch.y - self.start.y
        return (self.handle.moved_to(self.region, x, y),)


@dataclass(frozen=True, slots=True)
class BoxDrag:
    """Draws a rectangle or an ellipse, upright on the slide; a square or circle with Shift."""

    start: Touch
    region: Region
    """Of any shape; lends the new one its id and name, as in the drags below."""
    shape: Shape
    counts_as_click: bool = False

    @property
    def text(self) -> str:
        return f"Draw {self.shape}"

    def moved(self, touch: Touch) -> "BoxDrag":
        return self

    def regions(self, touch: Touch) -> tuple[Region, ...]:
        dx, dy = touch.x - self.start.x, touch.y - self.start.y
        if touch.holds(SHIFT):
            side = max(abs(dx), abs(dy))
            dx, dy = side if dx >= 0 else -side, side if dy >= 0 else -side
        new = Region.ellipse if self.shape == "ellipse" else Region.rectangle
        polygons = new(self.start.x, self.start.y, dx, dy).polygons
        return (replace(self.region, polygons=polygons, shape=self.shape),)


@dataclass(frozen=True, slots=True)
class FreehandDrag:
    """Draws an outline as the pointer goes."""

    start: Touch
    region: Region
    way: tuple[Point, ...] = ()
    text: str = "Draw by hand"

    @property
    def counts_as_click(self) -> bool:
        return len(self.way) > 2  # it may well end where it began

    def moved(self, touch: Touch) -> "FreehandDrag":
        way = self.way or ((self.start.x, self.start.y),)
        if touch.distance_px(*way[-1]) < STEP_PX:
            return self
        return replace(self, way=(*way, (touch.x, touch.y)))

    def regions(self, touch: Touch) -> tuple[Region, ...]:
        if len(self.way) < 3:
            return ()
        polygons = algebra.drawn(self.way, TOLERANCE_PX * touch.pixel)
        return (replace(self.region, polygons=polygons, shape="polygon"),) if polygons else ()


@dataclass(frozen=True, slots=True)
class BrushDrag:
    """Paints a region, or erases from it, with a round brush."""

    start: Touch
    region: Region
    """What is painted; without polygons, a new region."""
    radius: float
    """Level-0 pixels."""
    erases: bool = False
    way: tuple[Point, ...] = ()
    covered: shapely.Geometry | None = None
    counts_as_click: bool = True

    @property
    def text(self) -> str:
        if self.erases:
            return "Erase"
        return "Paint" if self.region.polygons else "Paint region"

    def moved(self, touch: Touch) -> "BrushDrag":
        at = (touch.x, touch.y)
        way = self.way or ((self.start.x, self.start.y),)
        if self.covered is not None and touch.distance_px(*way[-1]) < STEP_PX:
            return self
        new = algebra.stroke((way[-1], at), self.radius)
        covered = new if self.covered is None else self.covered.union(new)
        return replace(self, way=(at,), covered=covered)

    def regions(self, touch: Touch) -> tuple[Region, ...]:
        covered = self.moved(touch).covered
        tolerance = TOLERANCE_PX * touch.pixel
        if not self.erases:
            return (algebra.painted(self.region, covered, tolerance),)
        left = algebra.erased(self.region, covered, tolerance)
        return (left,) if left is not None else ()


@dataclass(frozen=True, slots=True)
class LineDrag:
    """Draws a straight line; with Shift at a multiple of 45 degrees."""

    start: Touch
    region: Region
    text: str = "Measure a length"
    counts_as_click: bool = False

    def moved(self, touch: Touch) -> "LineDrag":
        return self

    def regions(self, touch: Touch) -> tuple[Region, ...]:
        dx, dy = touch.x - self.start.x, touch.y - self.start.y
        if touch.holds(SHIFT):
            angle = round(atan2(dy, dx) / (pi / 4)) * pi / 4
            along = hypot(dx, dy)
            dx, dy = along * cos(angle), along * sin(angle)
        points = (self.start.x, self.start.y), (self.start.x + dx, self.start.y + dy)
        return (replace(self.region, points=points, shape="line"),)
