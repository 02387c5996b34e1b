"""Rectangles on a slide. Level-0 pixels unless a name says otherwise."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Rect:
    """An upright rectangle; its right and bottom edges are not part of it."""

    x: float
    y: float
    width: float
    height: float

    @property
    def right(self) -> float:
        return self.x + self.width

    @property
    def bottom(self) -> float:
        return self.y + self.height

    @property
    def centre(self) -> tuple[float, float]:
        return self.x + self.width / 2, self.y + self.height / 2

    @property
    def empty(self) -> bool:
        return self.width <= 0 or self.height <= 0

    def scaled(self, factor: float) -> "Rect":
        """Return the same rectangle in units ``factor`` times as fine."""
        return Rect(self.x * factor, self.y * factor, self.width * factor, self.height * factor)

    def intersected(self, other: "Rect") -> "Rect":
        """Return the common part, which is `empty` where there is none."""
        x, y = max(self.x, other.x), max(self.y, other.y)
        width, height = min(self.right, other.right) - x, min(self.bottom, other.bottom) - y
        return Rect(x, y, max(width, 0.0), max(height, 0.0))
