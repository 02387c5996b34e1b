"""One graphics item that paints the tiles of a slide: the best that is here, and no seams."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import hypot

from PySide6.QtCore import QRectF, Qt
from PySide6.QtGui import QBrush, QColor, QImage, QPainter, QPixmap, QTransform
from PySide6.QtWidgets import QGraphicsItem, QStyleOptionGraphicsItem, QWidget

from stainapp.geometry import Rect
from stainapp.tiles.grid import TileGrid, TileKey, View
from stainapp.ui.feeds import TileFeed

HALF_BELOW = 0.71
"""Device pixels per tile pixel below which halves are painted: they grow by 1.42 at most."""
HATCH = QColor(200, 30, 60)
HATCH_GROUND = QColor(255, 255, 255, 110)


@dataclass(frozen=True, slots=True)
class Piece:
    """A tile to paint for a part of the slide, in level-0 pixels."""

    pixmap: QPixmap
    place: Rect
    """Where all of the tile lies."""
    part: Rect
    """What of it is to be seen."""


class TileLayer(QGraphicsItem):
    """Paints one picture of a slide, in slide coordinates, from a stack of feeds.

    The first feed has what should be seen. Where it has nothing yet, its own coarser and
    finer tiles stand in, and then the feeds below: the preview, the model before.
    """

    def __init__(self) -> None:
        super().__init__()
        self._feeds: tuple[TileFeed, ...] = ()
        self._view = View(0, 0, 0, 0)
        self._keys: tuple[TileKey, ...] = ()
        self._smooth = True
        self._clip = 0.0
        self._opacity = 1.0
        self._damage: tuple[Rect, ...] = ()
        self.setFlag(self.GraphicsItemFlag.ItemUsesExtendedStyleOption, False)

    @property
    def feeds(self) -> tuple[TileFeed, ...]:
        return self._feeds

    def set_feeds(self, feeds: Sequence[TileFeed]) -> None:
        """Paint from these feeds, the best first; all of one slide's frame."""
        if tuple(feeds) != self._feeds:
            self.prepareGeometryChange()
            self._feeds = tuple(feeds)
            self.update()

    def set_view(self, view: View, keys: Sequence[TileKey]) -> None:
        """Paint these tiles, which are all that is in view."""
        if (view, tuple(keys)) != (self._view, self._keys):
            self._view, self._keys = view, tuple(keys)
            self.update()

    def set_smooth(self, smooth: bool) -> None:
        """Interpolate between pixels (at rest), or not (while moving, in half the time)."""
        if smooth != self._smooth:
            self._smooth = smooth
            self.update()

    def set_clip(self, fraction: float) -> None:
        """Leave out this share of the pane, from its left: the curtain's open part."""
        if fraction != self._clip:
            self._clip = fraction
            self.update()

    def set_opacity(self, opacity: float) -> None:
        if opacity != self._opacity:
            self._opacity = opacity
            self.update()

    def set_damage(self, damage: Sequence[Rect]) -> None:
        """Hatch what could not be read, in level-0 pixels."""
        if tuple(damage) != self._damage:
            self._damage = tuple(damage)
            self.update()

    @property
    def incomplete(self) -> bool:
        """Whether something in view is painted by a stand-in."""
        return bool(self._feeds) and any(self._feeds[0].tile(key) is None for key in self._keys)

    def boundingRect(self) -> QRectF:
        return _qrect(self._feeds[0].grid.slide) if self._feeds else QRectF()

    def paint(
        self,
        painter: QPainter,
        option: QStyleOptionGraphicsItem,
        widget: QWidget | None = None,
    ) -> None:
        if not self._feeds or self._opacity <= 0:
            return
        painter.save()
        if self._clip > 0 and widget is not None:
            _clip_left(painter, self._clip, widget)
        if self._opacity < 1 and widget is not None:
            self._paint_through_buffer(painter, widget)
        else:
            self._paint_tiles(painter)
        if self._damage:
            self._paint_damage(painter)
        painter.restore()

    def _paint_tiles(self, painter: QPainter) -> None:
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform, self._smooth)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing, False)
        device = painter.deviceTransform()
        exact, small = self._feeds[0], self._paints_small(device)
        whole = []
        for key in self._keys:
            pixmap = _look_up(exact, key, small)
            if pixmap is None:
                for piece in stand_ins(self._feeds, key, small=small):
                    _paint_piece(painter, piece, device)
            else:
                whole.append((pixmap, exact.grid.rect(key)))
        for pixmap, place in whole:
            painter.drawPixmap(_snapped(place, device), pixmap, QRectF(pixmap.rect()))

    def _paints_small(self, device: QTransform) -> bool:
        """Tell whether tiles move and are shown so small that their halves do as well."""
        if self._smooth or not self._keys:
            return False
        downsample = self._feeds[0].grid.steps[self._keys[0].level].downsample
        return hypot(device.m11(), device.m12()) * downsample < HALF_BELOW

    def _paint_through_buffer(self, painter: QPainter, widget: QWidget) -> None:
        """Paint translucent tiles as one picture: where they overlap, none shows through."""
        ratio = widget.devicePixelRatioF()
        buffer = QImage(widget.size() * ratio, QImage.Format.Format_ARGB32_Premultiplied)
        buffer.setDevicePixelRatio(ratio)
        buffer.fill(Qt.GlobalColor.transparent)
        inner = QPainter(buffer)
        inner.setWorldTransform(painter.worldTransform())
        self._paint_tiles(inner)
        inner.end()
        world = painter.worldTransform()
        painter.setWorldTransform(QTransform())
        painter.setOpacity(self._opacity)
        painter.drawImage(0, 0, buffer)
        painter.setOpacity(1.0)
        painter.setWorldTransform(world)

    def _paint_damage(self, painter: QPainter) -> None:
        """Hatch in screen coordinates, so that the lines are as wide at every zoom."""
        world = painter.worldTransform()
        painter.setWorldTransform(QTransform())
        for rect in self._damage:
            if not self._view.touches(rect):
                continue
            shape = world.mapToPolygon(_qrect(rect).toAlignedRect())
            painter.setPen(HATCH)
            painter.setBrush(HATCH_GROUND)
            painter.drawPolygon(shape)
            painter.setBrush(QBrush(HATCH, Qt.BrushStyle.BDiagPattern))
            painter.drawPolygon(shape)
        painter.setWorldTransform(world)


def stand_ins(feeds: Sequence[TileFeed], key: TileKey, *, small: bool = False) -> Iterator[Piece]:
    """Yield what to paint, in this order, for a tile that the first feed does not have.

    Args:
        feeds: the best first.
        key: of the missing tile.
        small: whether halves do for tiles of the same or a finer step.
    """
    place = feeds[0].grid.rect(key)
    for position, feed in enumerate(feeds):
        below = None if position == 0 else _look_up(feed, key, small)
        if below is not None:
            yield Piece(below, place, place)
            break
        coarser = _coarser(feed, key, place)
        if coarser:
            yield from coarser
            break
    yield from _finer(feeds[0], key, place, small)


def _coarser(feed: TileFeed, key: TileKey, place: Rect) -> list[Piece]:
    """Return the finest coarser tiles that cover a place, or nothing."""
    grid = feed.grid
    for level in range(key.level + 1, len(grid.steps)):
        pieces = _pieces(feed, grid.tiles_over(place, level), place)
        if pieces is not None:
            return pieces
    return []


def _look_up(feed: TileFeed, key: TileKey, small: bool) -> QPixmap | None:
    return feed.half(key) if small else feed.tile(key)


def _finer(feed: TileFeed, key: TileKey, place: Rect, small: bool) -> Iterator[Piece]:
    """Yield what there is of the next finer tiles: after zooming out they are all there."""
    if key.level == 0 or not feed.is_live(key.level):
        return
    for child in feed.grid.tiles_over(place, key.level - 1):
        pixmap = _look_up(feed, child, small)
        if pixmap is not None:
            lies = feed.grid.rect(child)
            yield Piece(pixmap, lies, lies.intersected(place))


def _pieces(feed: TileFeed, keys: Sequence[TileKey], place: Rect) -> list[Piece] | None:
    found = [(feed.tile(key), feed.grid.rect(key)) for key in keys]
    pieces = [Piece(pixmap, lies, lies.intersected(place)) for pixmap, lies in found if pixmap]
    return pieces if len(pieces) == len(found) else None


def best_level(grid: TileGrid, zoom: float, device_pixel_ratio: float) -> int:
    """Return the step to show at a zoom: one with a pixel for each *device* pixel."""
    return grid.level_for_zoom(zoom * device_pixel_ratio)


def _paint_piece(painter: QPainter, piece: Piece, device: QTransform) -> None:
    if piece.part.empty:
        return
    across = piece.pixmap.width() / piece.place.width
    down = piece.pixmap.height() / piece.place.height
    source = QRectF(
        (piece.part.x - piece.place.x) * across,
        (piece.part.y - piece.place.y) * down,
        piece.part.width * across,
        piece.part.height * down,
    )
    painter.drawPixmap(_snapped(piece.part, device), piece.pixmap, source)


def _snapped(rect: Rect, device: QTransform) -> QRectF:
    """Return the rectangle whose edges lie so on the screen that neighbours leave no gap.

    Upright, edges move to the nearest device pixel, and neighbours share them. Turned,
    each tile reaches half a device pixel over its neighbours.
    """
    across, down = device.m11(), device.m22()
    if abs(device.m12()) > 1e-9 * abs(across) or across <= 0 or down <= 0:
        scale = abs(device.determinant()) ** 0.5
        over = 0.5 / scale
        return QRectF(rect.x - over, rect.y - over, rect.width + 2 * over, rect.height + 2 * over)
    left = (round(rect.x * across + device.dx()) - device.dx()) / across
    right = (round(rect.right * across + device.dx()) - device.dx()) / across
    top = (round(rect.y * down + device.dy()) - device.dy()) / down
    bottom = (round(rect.bottom * down + device.dy()) - device.dy()) / down
    return QRectF(left, top, right - left, bottom - top)


def _clip_left(painter: QPainter, fraction: float, widget: QWidget) -> None:
    world = painter.worldTransform()
    painter.setWorldTransform(QTransform())
    left = round(fraction * widget.width())
    painter.setClipRect(left, 0, widget.width() - left, widget.height())
    painter.setWorldTransform(world)


def _qrect(rect: Rect) -> QRectF:
    return QRectF(rect.x, rect.y, rect.width, rect.height)
