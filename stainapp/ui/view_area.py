"""The panes and how they are arranged: at all times the same field, in one picture or several."""

from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from typing import Any

from PySide6.QtCore import QEvent, Signal, Slot
from PySide6.QtGui import QImage, QResizeEvent
from PySide6.QtWidgets import QGridLayout, QWidget

from stainapp.geometry import Rect
from stainapp.slides.reader import SlideInfo, SlideReader
from stainapp.tiles.cache import TileCache
from stainapp.ui.arrangement import Arrangement, Layout, Titles
from stainapp.ui.camera import Camera, Viewpoint, zoom_for_magnification
from stainapp.ui.feeds import Tile, TileFeed
from stainapp.ui.field import Field, single_shot
from stainapp.ui.minimap import Minimap
from stainapp.ui.pane import MARGIN_PX, Pane
from stainapp.ui.picture import Picture
from stainapp.ui.region_picture import RegionPicture
from stainapp.ui.standing_regions import StandingRegions
from stainapp.ui.tile_layer import TileLayer, best_level

__all__ = ["Layout", "ViewArea"]

MINIMAP_SHARE = 0.4
"""Of the first pane's width; the scale bar is beside it."""
REST_MS = 120
"""How long the view must stand still before it is painted smoothly."""


class ViewArea(QWidget):
    """Shows a slide, and beside or over it its virtual stain and a reference."""

    cursor_moved = Signal(float, float)
    """Level-0 pixels under the cursor."""
    tiles_waiting = Signal(object)  # int: tiles of the view still to come
    damage_found = Signal(object)  # int: parts that could not be read and are hatched
    settled = Signal()
    """Nothing moves, nothing is waited for, and all that is here has been asked to paint."""
    failed = Signal(str)
    curtain_moved = Signal(float)

    def __init__(self, parent: QWidget | None = None, cache: TileCache[Tile] | None = None) -> None:
        """Begin without a slide; views that stand together best share one cache of tiles."""
        super().__init__(parent)
        self.viewpoint = Viewpoint(self)
        self.field = Field(self, cache)
        standing = StandingRegions()
        self.panes = tuple(Pane(self.viewpoint, self, standing) for _ in Picture)
        self.minimap = Minimap(self.field.pool, self)
        self._info: SlideInfo | None = None
        self._arrangement = Arrangement()
        self._real_title = self._virtual_title = self._reference_title = ""
        self._fit: Camera | None = None
        self._settled = False
        self._turn = single_shot(self, 0, self._look)
        self._rest = single_shot(self, REST_MS, self._on_rest)
        self._build()

    @property
    def arrangement(self) -> Layout:
        return self._arrangement.layout

    @property
    def curtain(self) -> float:
        """The divider's place, as a share of the pane's width from its left."""
        return self._arrangement.curtain

    @property
    def is_settled(self) -> bool:
        """Whether the picture is whole; see `settled`."""
        return self._settled

    def is_visible(self, picture: Picture) -> bool:
        """Whether a picture is to be seen where there is one."""
        return picture not in self._arrangement.hidden

    # what is shown

    def show_slide(self, reader: SlideReader, title: str) -> None:
        """Show another slide, whole; returns when the one before can be closed.

        Of the reader before, only the staining thread may still read: see
        `StainService.when_idle`.
        """
        self.minimap.forget()
        same_frame = self._info is not None and self._info.levels == reader.info.levels
        self._virtual_title = self._reference_title = ""
        self._real_title = title
        self.field.show_slide(reader)
        self._info = reader.info
        self._limit()
        self.minimap.show_slide(reader)
        self._place_minimap()
        if not same_frame:
            self.fit()
        self._arrange()

    def set_real_title(self, title: str) -> None:
        """Name the real slide's stain."""
        self._real_title = title
        self._show_chips()

    def show_preview(self, reader: SlideReader, title: str = "") -> None:
        """Show a model's instant approximation, marked "preview"."""
        self._virtual_title = title
        self.field.show_preview(reader)
        self._arrange()

    def show_virtual(self, virtual: SlideReader, feed: TileFeed | None, title: str = "") -> None:
        """Replace the preview tile by tile by what ``feed`` has of ``virtual``."""
        assert feed is not None
        assert feed.reader is virtual
        self._virtual_title = title or self._virtual_title
        self.field.show_virtual(feed)
        self._arrange()

    def show_reference(self, reader: SlideReader | None, title: str = "") -> None:
        """Show another slide in this one's frame as third picture; None takes it away.

        When this returns, the reader before can be closed.
        """
        self._reference_title = title
        self.field.show_reference(reader)
        self._arrange()

    def show_regions(self, picture: RegionPicture) -> None:
        """Show these regions in all panes."""
        for pane in self.panes:
            pane.regions.set_picture(picture)

    def clear_virtual(self) -> None:
        """Show the real slide alone."""
        self._virtual_title = ""
        self.field.clear_virtual()
        self._arrange()

    # how it is shown

    def set_layout(self, layout: Layout) -> None:
        self._on_cursor_left()
        self._arrange(layout=layout)

    def set_curtain(self, fraction: float) -> None:
        """Move the curtain's divider: the lower picture to its left, the upper to its right."""
        self._arrange(curtain=min(max(fraction, 0.0), 1.0))
        self.curtain_moved.emit(self.curtain)

    def set_fade(self, opacity: float) -> None:
        """Set how much of the upper picture shows over the lower one in the fade layout."""
        self._arrange(fade=min(max(opacity, 0.0), 1.0))

    def peek(self, on: bool) -> None:
        """Show the real slide everywhere for as long as a key is held."""
        self._arrange(peeking=on)

    def set_visible(self, picture: Picture, visible: bool) -> None:
        """Show or hide one of the pictures."""
        hidden = self._arrangement.hidden - {picture}
        self._arrange(hidden=hidden if visible else hidden | {picture})

    def set_minimap_visible(self, visible: bool) -> None:
        self.minimap.set_wished(visible)

    def set_scale_bar_visible(self, visible: bool) -> None:
        for pane in self.panes:
            pane.set_scale_bar_visible(visible)

    # where one is

    def fit(self) -> None:
        """Show the whole slide."""
        if self._info is not None:
            slide = Rect(0, 0, self._info.width_px, self._info.height_px)
            self.viewpoint.move(self.viewpoint.camera.fitted(slide, self.panes[0].size_px))
            self._fit = self.viewpoint.camera

    def go_to(self, x: float, y: float) -> None:
        """Bring a level-0 position to the centre."""
        camera = self.viewpoint.camera
        pane = self.panes[0].size_px
        at_x, at_y = camera.to_screen(x, y, pane)
        self.viewpoint.move(camera.panned(pane.width / 2 - at_x, pane.height / 2 - at_y))

    def show_rect(self, rect: Rect) -> None:
        """Bring a level-0 rectangle to the centre, from farther away if it does not fit."""
        pane = self.panes[0].size_px
        whole = self.viewpoint.camera.fitted(rect, pane)
        zoom = min(self.viewpoint.camera.zoom, whole.zoom)
        self.viewpoint.move(replace(whole, zoom=zoom))

    @property
    def scale_known(self) -> bool:
        return self._info is not None and self._info.mpp is not None

    def set_magnification(self, magnification: float) -> None:
        """Go to 1x .. 40x; without effect where the slide's scale is not known."""
        mpp = self._info.mpp if self._info else None
        if mpp is not None:
            zoom = zoom_for_magnification(magnification, mpp, self.devicePixelRatioF())
            self.zoom_by(zoom / self.viewpoint.camera.zoom)

    def zoom_by(self, factor: float) -> None:
        """Zoom about the centre."""
        pane = self.panes[0].size_px
        self.viewpoint.zoom_at(factor, pane.width / 2, pane.height / 2, pane)

    def rotate_by(self, degrees: float) -> None:
        """Turn the slide clockwise about the centre."""
        self.viewpoint.move(self.viewpoint.camera.turned(degrees))

    def visible_region(self) -> Rect:
        """The upright rectangle around what is in view, in level-0 pixels."""
        return self.panes[0].view.bounds

    def grab_picture(self) -> QImage:
        """Return what is to be seen, badges included, in device pixels."""
        return self.grab().toImage()

    def close_feeds(self) -> None:
        """Let go of the slide and end all threads; call it once, before readers close."""
        self._turn.stop()
        self._rest.stop()
        self.minimap.forget()
        self.field.close()

    # Qt's

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._place_minimap()

    def event(self, event: QEvent) -> bool:
        if event.type() == QEvent.Type.DevicePixelRatioChange:
            self._turn.start()
        return super().event(event)

    # parts

    def _build(self) -> None:
        self._grid = QGridLayout(self)
        self._grid.setContentsMargins(0, 0, 0, 0)
        self._grid.setSpacing(2)
        self._place_panes(1)
        for pane in self.panes:
            pane.cursor_left.connect(self._on_cursor_left)
            pane.curtain_dragged.connect(self.set_curtain)
            pane.resized.connect(self._on_resized)
            pane.cursor_moved.connect(partial(self._on_cursor, pane))
        for pane in self.panes[1:]:
            pane.hide()
        self.setFocusProxy(self.panes[0])
        self.minimap.place_chosen.connect(self.go_to)
        self.viewpoint.changed.connect(self._on_camera)
        self.field.changed.connect(self._on_changed)
        self.field.tiles_waiting.connect(self.tiles_waiting)
        self.field.damage_found.connect(self.damage_found)
        self.field.failed.connect(self.failed)

    def _limit(self) -> None:
        if self._info is not None:
            slide = Rect(0, 0, self._info.width_px, self._info.height_px)
            self.viewpoint.set_limits(slide, self._info.mpp, self.panes[0].size_px)
        for pane in self.panes:
            pane.set_scale(self._info.mpp if self._info else None)

    def _arrange(self, **changes: Any) -> None:
        """Bring panes and layers into line with the arrangement and what there is to show."""
        self._arrangement = replace(self._arrangement, **changes)
        there = self._titles().there
        self.field.look_at(self._arrangement.seen(there))
        self._place_panes(len(self._arrangement.slots(there)))
        self._arrangement.show_layers(self.panes, there)
        self._show_chips()
        self._settled = False
        self._turn.start()

    def _show_chips(self) -> None:
        if self._info is not None:
            self._arrangement.show_chips(self.panes, self._titles())

    def _titles(self) -> Titles:
        return Titles(
            self._real_title,
            self._virtual_title if self.field.virtual else None,
            self._reference_title if self.field.reference else None,
            self.field.differing,
            self.field.previews,
        )

    def _place_panes(self, seen: int) -> None:
        """Put panes side by side, but four of them two by two."""
        across = 2 if seen == 4 else max(seen, 1)
        for number, pane in enumerate(self.panes):
            self._grid.addWidget(pane, number // across, number % across)
        for number in range(len(self.panes)):
            self._grid.setColumnStretch(number, int(number < across))
            self._grid.setRowStretch(number, int(number * across < seen))

    def _place_minimap(self) -> None:
        margin = round(MARGIN_PX)
        self.minimap.set_room(MINIMAP_SHARE * self.panes[0].size_px.width)
        self.minimap.move(margin, self.height() - self.minimap.height() - margin)
        self.minimap.raise_()

    @Slot(object)
    def _on_camera(self, camera: object) -> None:
        self._settled = False
        self._set_smooth(False)
        self._look()
        self._rest.start()

    @Slot()
    def _on_resized(self) -> None:
        self._limit()
        self._place_minimap()
        if self.viewpoint.camera == self._fit:  # nobody has looked elsewhere yet
            self.fit()
        self._show_chips()
        self._turn.start()

    def _level(self) -> int:
        grid = self.field.grid
        if grid is None:
            return 0
        return best_level(grid, self.viewpoint.camera.zoom, self.devicePixelRatioF())

    @Slot()
    def _look(self) -> None:
        """Say what is in view to all who have to do with it."""
        view = self.panes[0].view
        self.field.look(view, self._level())
        for pane in self.panes:
            pane.set_tiles(self.field.visible)
        self.minimap.show_view(view)

    def _set_smooth(self, smooth: bool) -> None:
        for layer in self._layers():
            layer.set_smooth(smooth)
        for pane in self.panes:
            pane.regions.set_smooth(smooth)

    @Slot(bool)
    def _on_changed(self, tiles_came: bool) -> None:
        for pane in self.panes:
            for picture, layer in pane.layers.items():
                layer.set_feeds(self.field.stack(picture))
                layer.set_damage(self.field.damage_of(picture))
        if tiles_came:
            for layer in self._layers():
                layer.update()
        self._show_chips()
        if self.field.waiting:
            self._settled = False
        self._settle()

    @Slot()
    def _on_rest(self) -> None:
        self._set_smooth(True)
        self._settle()

    def _settle(self) -> None:
        """Tell once that the picture is whole."""
        moving = self._rest.isActive() or self._turn.isActive()
        if self._info and not self._settled and not moving and not self.field.busy:
            self._settled = True
            self.settled.emit()

    def _layers(self) -> Iterator[TileLayer]:
        for pane in self.panes:
            yield from pane.layers.values()

    def _on_cursor(self, over: Pane, x: float, y: float) -> None:
        """Mark in the other panes what the cursor is over in one."""
        for pane in self.panes:
            if pane is not over:
                pane.point_at(x, y)
        self.cursor_moved.emit(x, y)

    @Slot()
    def _on_cursor_left(self) -> None:
        for pane in self.panes:
            pane.point_nowhere()
