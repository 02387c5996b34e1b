"""The tools for regions, and what a press with each of them begins."""

from dataclasses import replace
from enum import Enum

from PySide6.QtCore import Qt

from stainapp.session.regions import Point, Region
from stainapp.ui.region_drags import BoxDrag, BrushDrag, Drag, FreehandDrag, LineDrag
from stainapp.ui.region_editor import RegionEditor
from stainapp.ui.region_shape import GRAB_PX, nearest_edge
from stainapp.ui.touch import Touch

SHIFT, ALT = Qt.KeyboardModifier.ShiftModifier, Qt.KeyboardModifier.AltModifier
BRUSH_PX, SMALLEST_BRUSH_PX, LARGEST_BRUSH_PX = 24.0, 3.0, 300.0
"""Radius of the brush, in screen pixels: it covers less tissue the closer one looks."""


class Tool(Enum):
    """What a press on the slide does."""

    MOVE = "move"
    RECTANGLE = "rectangle"
    ELLIPSE = "ellipse"
    POLYGON = "polygon"
    FREEHAND = "freehand"
    BRUSH = "brush"
    POINTS = "points"
    RULER = "ruler"

    @property
    def stays(self) -> bool:
        """Whether the tool stays in the hand after something was drawn with it."""
        return self in (Tool.BRUSH, Tool.POINTS)


def begun(tool: Tool, touch: Touch, editor: RegionEditor, brush_px: float) -> Drag | None:
    """Return the drag that a press begins; None where a click is all there is to the tool."""
    match tool:
        case Tool.RECTANGLE:
            return BoxDrag(touch, editor.fresh(), "rectangle")
        case Tool.ELLIPSE:
            return BoxDrag(touch, editor.fresh(), "ellipse")
        case Tool.FREEHAND:
            return FreehandDrag(touch, editor.fresh())
        case Tool.RULER:
            return LineDrag(touch, editor.fresh())
        case Tool.BRUSH:
            return _brushed(touch, editor, brush_px * touch.pixel)
        case _:
            return None


def with_place(touch: Touch, editor: RegionEditor) -> tuple[Region | None, str]:
    """Return the selected points and one more, or a new region with this one; names the change.

    With Alt, the nearest of the selected points goes. None where there is nothing to change.
    """
    chosen = _only_selected(editor)
    at: Point = (touch.x, touch.y)
    if chosen is None or chosen.shape != "points":
        return (None, "") if touch.holds(ALT) else (_new_points(editor, at), "Set point")
    if not touch.holds(ALT):
        return replace(chosen, points=(*chosen.points, at)), "Set point"
    away, place = nearest_edge(chosen, *at)
    if away > GRAB_PX * touch.pixel or len(chosen.points) == 1:
        return None, ""
    left = chosen.points[: place.point] + chosen.points[place.point + 1 :]
    return replace(chosen, points=left), "Remove point"


def paints(touch: Touch, editor: RegionEditor, radius: float) -> Region | None:
    """Return the region that a brush of this radius, in level-0 pixels, would change here.

    The selected one, where the brush reaches it, or anywhere with Shift or, to erase, with Alt.
    """
    chosen = _only_selected(editor)
    if chosen is None or not chosen.encloses:
        return None
    if touch.holds(SHIFT) or touch.holds(ALT):
        return chosen
    reached = nearest_edge(chosen, touch.x, touch.y)[0] <= radius
    inside = chosen.mask(touch.x - 0.5, touch.y - 0.5, 1.0, 1, 1)[0, 0]
    return chosen if reached or inside else None


def _brushed(touch: Touch, editor: RegionEditor, radius: float) -> Drag | None:
    target = paints(touch, editor, radius)
    if target is None and touch.holds(ALT):
        return None
    region = target or editor.fresh()
    return BrushDrag(touch, region, radius, erases=touch.holds(ALT))


def _only_selected(editor: RegionEditor) -> Region | None:
    selected = editor.selected_regions
    return selected[0] if len(selected) == 1 and not selected[0].locked else None


def _new_points(editor: RegionEditor, at: Point) -> Region:
    return replace(editor.fresh(), points=(at,), shape="points")
