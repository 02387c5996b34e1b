"""The tools for regions in the user's hand: select, move, reshape, draw."""

from collections.abc import Iterator
from dataclasses import replace

from PySide6.QtCore import QObject, Qt, Signal

from stainapp.session.regions import Point, Region
from stainapp.ui.region_drags import (
    SMALLEST_DRAG_PX,
    BrushDrag,
    Drag,
    LineDrag,
    MoveDrag,
    ReshapeDrag,
)
from stainapp.ui.region_editor import RegionEditor
from stainapp.ui.region_picture import RegionPicture
from stainapp.ui.region_shape import (
    GRAB_PX,
    Outlines,
    Vertex,
    handle_at,
    with_point,
    without_point,
)
from stainapp.ui.region_tools import (
    BRUSH_PX,
    LARGEST_BRUSH_PX,
    SMALLEST_BRUSH_PX,
    Tool,
    begun,
    with_place,
)
from stainapp.ui.touch import Touch

SHIFT, ALT = Qt.KeyboardModifier.ShiftModifier, Qt.KeyboardModifier.AltModifier
CONTROL = Qt.KeyboardModifier.ControlModifier
CLICKED = {Tool.POLYGON: "Draw polygon", Tool.RULER: "Measure a length"}
"""Tools whose corners can be clicked one after the other, and what they do."""
BRUSH_STEP = 1.25


class RegionHand(QObject):
    """Turns what the pointer does on a pane into changes of regions; serves all panes."""

    picture_changed = Signal(object)  # RegionPicture
    tool_changed = Signal(object)  # Tool

    def __init__(self, editor: RegionEditor, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._editor = editor
        self._outlines = Outlines()
        self._tool = Tool.MOVE
        self._drag: Drag | None = None
        self._at = Touch(0, 0)
        self._line: tuple[Point, ...] = ()
        self._just_selected = False
        self._brush_px = BRUSH_PX
        self._mpp: float | None = None
        editor.shown.connect(self._on_shown)
        editor.changed.connect(self._show)
        editor.selection_changed.connect(self._show)
        editor.visibility_changed.connect(self._show)

    @property
    def tool(self) -> Tool:
        return self._tool

    @property
    def picture(self) -> RegionPicture:
        """What is to be seen now, an unfinished gesture included."""
        editor = self._editor
        if not editor.visible:
            return RegionPicture()
        drawn = self._drag.regions(self._at) if self._drag else ()
        return RegionPicture(
            index=editor.index,
            classes=editor.regions.classes,
            drawn=drawn,
            hidden=self._erased(drawn),
            selected=frozenset(editor.selected),
            handled=None if self._drag or self._tool is not Tool.MOVE else self._shapely(),
            line=(*self._line, (self._at.x, self._at.y)) if self._line else (),
            closing=self._closes(self._at),
            measures=self._tool is Tool.RULER,
            brush_px=self._brush_px if self._tool is Tool.BRUSH else 0.0,
            pointer=(self._at.x, self._at.y),
            mpp=self._mpp,
        )

    def set_scale(self, mpp: float | None) -> None:
        """Set micrometres per level-0 pixel, in which lengths are written beside lines."""
        self._mpp = mpp
        self._show()

    def resize_brush(self, larger: bool) -> None:
        step = BRUSH_STEP if larger else 1 / BRUSH_STEP
        self._brush_px = min(max(self._brush_px * step, SMALLEST_BRUSH_PX), LARGEST_BRUSH_PX)
        self._show()

    def set_tool(self, tool: Tool) -> None:
        """Take another tool; what was begun with the one before is dropped."""
        self.drop()
        if tool is not self._tool:
            self._tool = tool
            if tool is not Tool.MOVE:
                self._editor.set_visible(True)
            self.tool_changed.emit(tool)
            self._show()

    def drop(self) -> bool:
        """Forget an unfinished gesture; False where there is none."""
        busy = self._drag is not None or bool(self._line)
        self._drag, self._line = None, ()
        if busy:
            self._show()
        return busy

    def take_back(self) -> bool:
        """Remove the last point of the polygon that is being drawn; False where there is none."""
        if not self._line:
            return False
        self._line = self._line[:-1]
        self._show()
        return True

    # as a pane's Hand

    def press(self, touch: Touch) -> bool:
        self._at = touch
        self._just_selected = False
        if not self._editor.ready:
            return False
        if self._tool is Tool.MOVE:
            return self._take_hold(touch)
        if self._tool is Tool.POINTS:
            self._set_place(touch)
        elif self._tool is Tool.POLYGON or self._line:
            self._add_point(touch)
        else:
            self._drag = begun(self._tool, touch, self._editor, self._brush_px)
            self._show()
        return True

    def double_click(self, touch: Touch) -> bool:
        self._at = touch
        if self._line:
            self._finish()
            return True
        if self._tool is not Tool.MOVE:
            return self.press(touch)
        region = self._shapely()
        if region is None or self._just_selected or handle_at(region, touch):
            return False
        more = with_point(region, touch)
        return more is not None and self._editor.put([more], "Add point")

    def move(self, touch: Touch) -> None:
        self._at = touch
        if self._drag is not None:
            self._drag = self._drag.moved(touch)
        if self._drag is not None or self._line or self._tool is Tool.BRUSH:
            self._show()

    def release(self, touch: Touch) -> None:
        self._at = touch
        drag, self._drag = self._drag, None
        if drag is None:
            return
        moved = touch.distance_px(drag.start.x, drag.start.y) >= SMALLEST_DRAG_PX
        if moved or drag.counts_as_click:
            self._commit(drag, touch if moved else drag.start)
        elif isinstance(drag, MoveDrag):
            self.click(touch)
        elif isinstance(drag, LineDrag):  # its corners are clicked, then, one by one
            self._line = ((drag.start.x, drag.start.y),)
        self._show()

    def click(self, touch: Touch) -> None:
        """Select the region under the pointer, or none; with Shift or Ctrl one more or less."""
        if self._tool is not Tool.MOVE:
            return
        hit = self._region_at(touch)
        before = self._editor.selected
        if touch.holds(SHIFT) or touch.holds(CONTROL):
            chosen = set(before) ^ {hit.id} if hit else set(before)
            self._editor.select(chosen)
        else:
            self._editor.select([hit.id] if hit else [])
        self._just_selected = self._editor.selected != before

    def key(self, key: Qt.Key) -> bool:
        if key in (Qt.Key.Key_Return, Qt.Key.Key_Enter) and self._line:
            self._finish()
        elif key in (Qt.Key.Key_Backspace, Qt.Key.Key_Delete):
            return self.take_back()
        elif key == Qt.Key.Key_Escape:
            return self._escape()
        else:
            return False
        return True

    def cursor(self, touch: Touch) -> Qt.CursorShape | None:
        if self._tool is not Tool.MOVE:
            return Qt.CursorShape.CrossCursor
        region = self._shapely()
        if region is not None and handle_at(region, touch):
            return Qt.CursorShape.PointingHandCursor
        if self._held(touch):
            return Qt.CursorShape.SizeAllCursor
        return Qt.CursorShape.PointingHandCursor if self._region_at(touch) else None

    # parts

    def _take_hold(self, touch: Touch) -> bool:
        region = self._shapely()
        handle = handle_at(region, touch) if region else None
        if region and handle:
            if touch.holds(ALT):
                self._remove_point(region, handle)
            else:
                self._drag = ReshapeDrag(touch, region, handle)
            return True
        held = self._held(touch)
        if held:
            self._drag = MoveDrag(touch, held)
        return bool(held)

    def _remove_point(self, region: Region, handle: object) -> None:
        if isinstance(handle, Vertex):
            less = without_point(region, handle.place)
            if less is not None:
                self._editor.put([less], "Remove point")

    def _add_point(self, touch: Touch) -> None:
        if self._closes(touch):
            self._finish()
        else:
            self._line = (*self._line, (touch.x, touch.y))
            self._show()

    def _set_place(self, touch: Touch) -> None:
        region, text = with_place(touch, self._editor)
        if region is not None:
            self._editor.put([region], text)

    def _closes(self, touch: Touch) -> bool:
        """Whether the pointer is back on the polygon's first point."""
        enough = self._tool is Tool.POLYGON and len(self._line) >= self._fewest
        return enough and touch.distance_px(*self._line[0]) <= GRAB_PX

    @property
    def _fewest(self) -> int:
        return 2 if self._tool is Tool.RULER else 3

    def _finish(self) -> None:
        """End what is clicked point by point; with too few it stays as it is."""
        if len(self._line) < self._fewest:
            return
        line, self._line = self._line, ()
        region = self._editor.fresh()
        if self._tool is Tool.RULER:
            region = replace(region, points=line, shape="line")
        else:
            region = replace(region, polygons=((line,),))
        if self._editor.put([region], CLICKED[self._tool]):
            self.set_tool(Tool.MOVE)
        self._show()

    def _commit(self, drag: Drag, touch: Touch) -> None:
        regions = drag.moved(touch).regions(touch)
        erased = self._erased(regions, drag)
        if erased:
            self._editor.remove(erased, drag.text)
        elif regions and self._editor.put(regions, drag.text) and not self._tool.stays:
            self.set_tool(Tool.MOVE)

    def _erased(self, drawn: tuple[Region, ...], drag: Drag | None = None) -> frozenset[str]:
        """Return the region of which a brush has left nothing."""
        drag = drag or self._drag
        if isinstance(drag, BrushDrag) and drag.erases and not drawn:
            return frozenset((drag.region.id,))
        return frozenset()

    def _escape(self) -> bool:
        """Drop the gesture, else the tool, else the selection."""
        if self.drop():
            return True
        if self._tool is not Tool.MOVE:
            self.set_tool(Tool.MOVE)
            return True
        had = bool(self._editor.selected)
        self._editor.select(())
        return had

    def _shapely(self) -> Region | None:
        """The region that can be reshaped: the only one selected, unless it is locked."""
        selected = self._editor.selected if self._editor.visible else ()
        region = self._editor.regions.get(selected[0]) if len(selected) == 1 else None
        return region if region is not None and not region.locked else None

    def _held(self, touch: Touch) -> tuple[Region, ...]:
        """Return what a drag from here takes along: the selected regions, if it starts on one."""
        if touch.modifiers & (SHIFT | CONTROL) or not self._editor.visible:
            return ()
        selected = set(self._editor.selected)
        held = (r for r in self._near(touch) if r.id in selected and not r.locked)
        if not any(self._outlines.inside(region, touch) for region in held):
            return ()
        return tuple(region for region in self._editor.selected_regions if not region.locked)

    def _region_at(self, touch: Touch) -> Region | None:
        return self._outlines.region_at(self._near(touch), touch)

    def _near(self, touch: Touch) -> Iterator[Region]:
        """Return the regions that may be under the pointer."""
        if not self._editor.visible:
            return iter(())
        return self._editor.index.near(touch.x, touch.y, GRAB_PX * touch.pixel)

    def _on_shown(self) -> None:
        self._outlines.forget()
        self._drag, self._line = None, ()
        self._show()

    def _show(self, *_: object) -> None:
        self.picture_changed.emit(self.picture)
