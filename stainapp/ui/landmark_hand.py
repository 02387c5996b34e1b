"""The hand that places landmarks on one slide: click to place, drag to move, Delete to remove."""

from PySide6.QtCore import Qt

from stainapp.registration.pairs import Side
from stainapp.ui.landmark_set import LandmarkSet
from stainapp.ui.touch import Touch

NEAR_PX = 12.0
"""Screen pixels from a mark within which it is taken hold of."""


class LandmarkHand:
    """Works on one side of a `LandmarkSet`. Presses on no mark pan the slide."""

    def __init__(self, landmarks: LandmarkSet, side: Side) -> None:
        self._landmarks = landmarks
        self._side: Side = side
        self._dragging = False

    def press(self, touch: Touch) -> bool:
        number = self._under(touch)
        if number is None:
            return False
        self._landmarks.begin_drag(number, self._side)
        self._dragging = True
        return True

    def double_click(self, touch: Touch) -> bool:
        """Take it and do nothing: the first click has placed a point, where nobody wants a zoom."""
        return True

    def move(self, touch: Touch) -> None:
        if self._dragging:
            self._landmarks.drag_to((touch.x, touch.y))

    def release(self, touch: Touch) -> None:
        if self._dragging:
            self._dragging = False
            self._landmarks.end_drag()

    def click(self, touch: Touch) -> None:
        self._landmarks.place(self._side, (touch.x, touch.y))

    def key(self, key: Qt.Key) -> bool:
        if key in (Qt.Key.Key_Delete, Qt.Key.Key_Backspace):
            self._landmarks.remove()
        elif key in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            return self._landmarks.accept()
        elif key == Qt.Key.Key_Escape:
            return self._landmarks.drop_half()
        else:
            return False
        return True

    def cursor(self, touch: Touch) -> Qt.CursorShape | None:
        over = self._under(touch) is not None
        return Qt.CursorShape.SizeAllCursor if over else Qt.CursorShape.CrossCursor

    def _under(self, touch: Touch) -> int | None:
        """Return the number of the nearest mark within reach."""
        near = []
        for pair in self._landmarks.pairs:
            place = pair.at(self._side)
            if place is not None and touch.distance_px(*place) <= NEAR_PX:
                near.append((touch.distance_px(*place), pair.number))
        return min(near)[1] if near else None
