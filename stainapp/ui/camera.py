"""Where the eye is on the slide: one camera, shared by all panes.

Screen coordinates are device-independent pixels from a pane's top left corner; slide
coordinates are level-0 pixels. Both have y pointing down; rotation turns the slide
clockwise on the screen.
"""

from dataclasses import dataclass, replace
from math import cos, radians, sin

from PySide6.QtCore import QObject, Signal
from PySide6.QtGui import QTransform

from stainapp.geometry import Rect
from stainapp.tiles.grid import View

CLOSEST_ZOOM = 4.0
CLOSEST_MAGNIFICATION = 40.0
FARTHEST_SHARE = 0.25
"""How small the whole slide may become, as a share of its size when it fits."""


@dataclass(frozen=True, slots=True)
class Size:
    """A pane's size, in device-independent pixels."""

    width: float
    height: float


@dataclass(frozen=True, slots=True)
class Camera:
    """What is at the centre of a pane, how large and how turned. Change it by its methods."""

    x: float = 0.0
    """Level-0 pixels; as `y`."""
    y: float = 0.0
    zoom: float = 1.0
    """Device-independent screen pixels per level-0 pixel."""
    rotation: float = 0.0
    """Degrees, clockwise on the screen."""

    def to_slide(self, screen_x: float, screen_y: float, pane: Size) -> tuple[float, float]:
        """Return the level-0 position under a point of the screen."""
        dx, dy = self.turned_back(screen_x - pane.width / 2, screen_y - pane.height / 2)
        return self.x + dx, self.y + dy

    def to_screen(self, x: float, y: float, pane: Size) -> tuple[float, float]:
        """Return where on the screen a level-0 position is seen."""
        cosine, sine = cos(radians(self.rotation)), sin(radians(self.rotation))
        dx, dy = (x - self.x) * self.zoom, (y - self.y) * self.zoom
        return (
            pane.width / 2 + cosine * dx - sine * dy,
            pane.height / 2 + sine * dx + cosine * dy,
        )

    def transform(self, pane: Size) -> QTransform:
        """Return `to_screen` for whole pictures."""
        to_screen = QTransform.fromTranslate(pane.width / 2, pane.height / 2)
        to_screen.rotate(self.rotation)
        to_screen.scale(self.zoom, self.zoom)
        return to_screen.translate(-self.x, -self.y)

    def turned_back(self, dx: float, dy: float) -> tuple[float, float]:
        """Return a distance on the screen as a distance on the slide."""
        cosine, sine = cos(radians(self.rotation)), sin(radians(self.rotation))
        return (cosine * dx + sine * dy) / self.zoom, (cosine * dy - sine * dx) / self.zoom

    def panned(self, dx: float, dy: float) -> "Camera":
        """Return the camera after the slide was dragged by a distance on the screen."""
        moved_x, moved_y = self.turned_back(dx, dy)
        return replace(self, x=self.x - moved_x, y=self.y - moved_y)

    def zoomed(self, zoom: float, screen_x: float, screen_y: float, pane: Size) -> "Camera":
        """Return the camera at another zoom that keeps what is under a point under it."""
        x, y = self.to_slide(screen_x, screen_y, pane)
        closer = replace(self, zoom=zoom)
        now_x, now_y = closer.to_slide(screen_x, screen_y, pane)
        return replace(closer, x=closer.x + x - now_x, y=closer.y + y - now_y)

    def turned(self, degrees: float) -> "Camera":
        return replace(self, rotation=(self.rotation + degrees) % 360)

    def fitted(self, rect: Rect, pane: Size) -> "Camera":
        """Return the camera that shows all of a rectangle, with a little room around it."""
        bounds = View(0, 0, rect.width, rect.height, self.rotation).bounds
        zoom = 0.96 * min(
            pane.width / max(bounds.width, 1.0), pane.height / max(bounds.height, 1.0)
        )
        x, y = rect.centre
        return replace(self, x=x, y=y, zoom=max(zoom, 1e-6))

    def view(self, pane: Size) -> View:
        """Return what a pane of this size shows."""
        return View(self.x, self.y, pane.width / self.zoom, pane.height / self.zoom, self.rotation)


def magnification(camera: Camera, mpp: float, device_pixel_ratio: float = 1.0) -> float:
    """Return the objective that shows as much: 40x is 0.25 um per device pixel, 20x 0.5."""
    return 10 * camera.zoom * device_pixel_ratio / mpp


def zoom_for_magnification(seen: float, mpp: float, device_pixel_ratio: float = 1.0) -> float:
    """Return the `Camera.zoom` of a magnification; the inverse of `magnification`."""
    return seen * mpp / (10 * device_pixel_ratio)


class Viewpoint(QObject):
    """Holds the camera. Panes that share a viewpoint show the same field at all times."""

    changed = Signal(object)  # Camera

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._camera = Camera()
        self._slide = Rect(0, 0, 0, 0)
        self._closest = CLOSEST_ZOOM
        self._farthest = 1e-6

    @property
    def camera(self) -> Camera:
        return self._camera

    def set_limits(self, slide: Rect, mpp: float | None, pane: Size) -> None:
        """Bound the zoom: from the slide being small in a pane to 40x, or 4 pixels a pixel."""
        needed = zoom_for_magnification(CLOSEST_MAGNIFICATION, mpp) if mpp else 0.0
        self._slide = slide
        self._closest = max(CLOSEST_ZOOM, needed)
        fit = Camera().fitted(slide, pane).zoom
        self._farthest = min(fit * FARTHEST_SHARE, self._closest)

    def move(self, camera: Camera) -> None:
        """Go to a camera, as far as the limits allow, and tell everybody."""
        camera = self._within_limits(camera)
        if camera != self._camera:
            self._camera = camera
            self.changed.emit(camera)

    def zoom_at(self, factor: float, screen_x: float, screen_y: float, pane: Size) -> None:
        """Zoom by a factor about a point of the screen."""
        zoom = min(max(self._camera.zoom * factor, self._farthest), self._closest)
        self.move(self._camera.zoomed(zoom, screen_x, screen_y, pane))

    def _within_limits(self, camera: Camera) -> Camera:
        """Keep the zoom in its bounds and the centre on the slide, which so is never lost."""
        zoom = min(max(camera.zoom, self._farthest), self._closest)
        if self._slide.empty:
            return replace(camera, zoom=zoom)
        return replace(
            camera,
            zoom=zoom,
            x=min(max(camera.x, self._slide.x), self._slide.right),
            y=min(max(camera.y, self._slide.y), self._slide.bottom),
        )
