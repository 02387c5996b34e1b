"""What a pane tells the tool in the user's hand: where the pointer is, and what it does there."""

from dataclasses import dataclass
from math import hypot
from typing import Protocol

from PySide6.QtCore import Qt


@dataclass(frozen=True, slots=True)
class Touch:
    """The pointer over the slide."""

    x: float
    """Level-0 pixels; as `y`."""
    y: float
    pixel: float = 1.0
    """Level-0 pixels that one screen pixel covers."""
    modifiers: Qt.KeyboardModifier = Qt.KeyboardModifier.NoModifier

    def distance_px(self, x: float, y: float) -> float:
        """Return how far a level-0 position is from the pointer, in screen pixels."""
        return hypot(x - self.x, y - self.y) / self.pixel

    def holds(self, modifier: Qt.KeyboardModifier) -> bool:
        return bool(self.modifiers & modifier)


class Hand(Protocol):
    """A tool. What it does not take, the pane uses to pan and zoom."""

    def press(self, touch: Touch) -> bool:
        """Whether the tool takes the left button until it is let go."""
        ...

    def double_click(self, touch: Touch) -> bool:
        """As `press`, for the second press of a double click."""
        ...

    def move(self, touch: Touch) -> None:
        """The pointer moves, with the button held only if `press` took it."""
        ...

    def release(self, touch: Touch) -> None:
        """The button that `press` took is let go."""
        ...

    def click(self, touch: Touch) -> None:
        """A press that was not taken was let go where it was made."""
        ...

    def key(self, key: Qt.Key) -> bool:
        """Whether the tool has a use for the key."""
        ...

    def cursor(self, touch: Touch) -> Qt.CursorShape | None:
        """The pointer's shape; None where the tool has nothing to do."""
        ...
