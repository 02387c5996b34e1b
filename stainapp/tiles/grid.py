"""Which tiles a view needs: the levels that are shown, their grid, nearest to the eye first."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from math import ceil, cos, hypot, radians, sin
from typing import NamedTuple

from stainapp.geometry import Rect
from stainapp.slides.reader import SlideInfo

TILE_PX = 512
MAX_REDUCTION = 8


class TileKey(NamedTuple):
    """One square of one step's grid; a tuple, as each frame looks up and compares hundreds."""

    level: int
    """Index into `TileGrid.steps`, the finest first."""
    column: int
    row: int


@dataclass(frozen=True, slots=True)
class Step:
    """One resolution that is shown: a level of the slide, averaged by a whole number.

    Slides store every fourth or sixteenth resolution; steps fill in the halvings between.
    A screen pixel then never covers more than two tile pixels across, so that a view
    costs a bounded number of tiles and bilinear scaling does not alias.
    """

    level: int
    """Index into ``SlideInfo.levels`` of what is read."""
    reduction: int
    """Pixels of that level, across, that become one pixel."""
    downsample: float
    """Level-0 pixels per pixel of the step."""
    width_px: int
    height_px: int


@dataclass(frozen=True, slots=True)
class View:
    """What a pane shows: a rectangle on the slide, turned about its centre."""

    x: float
    """The centre, in level-0 pixels; as `y`."""
    y: float
    width: float
    """In level-0 pixels, along the pane's own horizontal; as `height`."""
    height: float
    rotation: float = 0.0
    """Degrees by which the slide is turned clockwise on the screen."""

    def grown(self, factor: float) -> "View":
        """Return the view made larger about its centre."""
        return View(self.x, self.y, self.width * factor, self.height * factor, self.rotation)

    @property
    def bounds(self) -> Rect:
        """The upright rectangle around the view, in level-0 pixels."""
        width, height = _turned_size(self.width, self.height, self.rotation)
        return Rect(self.x - width / 2, self.y - height / 2, width, height)

    def touches(self, rect: Rect) -> bool:
        """Return whether an upright rectangle reaches into the view."""
        return self.touching([rect]) != []

    def touching(self, rects: Iterable[Rect]) -> list[tuple[float, int]]:
        """Say which upright rectangles reach into the view, and how far from its centre.

        Returns:
            Distance between the centres, in level-0 pixels, and index; in the given order.
        """
        cosine, sine = cos(radians(self.rotation)), sin(radians(self.rotation))
        found = []
        for index, rect in enumerate(rects):
            width, height = rect.width, rect.height
            dx, dy = rect.x + width / 2 - self.x, rect.y + height / 2 - self.y
            across, down = abs(cosine * dx - sine * dy), abs(sine * dx + cosine * dy)
            reach_across = abs(cosine) * width + abs(sine) * height + self.width
            reach_down = abs(sine) * width + abs(cosine) * height + self.height
            if across * 2 < reach_across and down * 2 < reach_down:
                found.append((hypot(dx, dy), index))
        return found


class TileGrid:
    """The steps of one slide and their squares, all anchored at the slide's origin."""

    def __init__(self, info: SlideInfo, tile_px: int = TILE_PX) -> None:
        self.tile_px = tile_px
        self.slide = Rect(0, 0, info.width_px, info.height_px)
        self.steps = tuple(_steps(info, tile_px))
        self._sides = tuple(tile_px * step.downsample for step in self.steps)

    def level_for_zoom(self, device_px_per_slide_px: float) -> int:
        """Return the coarsest step that still has a pixel for each device pixel."""
        wanted = 1.001 / device_px_per_slide_px
        fits = [i for i, step in enumerate(self.steps) if step.downsample <= wanted]
        return fits[-1] if fits else 0

    def rect(self, key: TileKey) -> Rect:
        """Return where a tile lies, in level-0 pixels; edge tiles end with the slide."""
        side = self._sides[key.level]
        x, y = key.column * side, key.row * side
        return Rect(x, y, min(side, self.slide.width - x), min(side, self.slide.height - y))

    def tiles_over(self, area: Rect, level: int) -> list[TileKey]:
        """List the tiles of one step that an upright area touches, row by row."""
        area = area.intersected(self.slide)
        if area.empty:
            return []
        side = self._sides[level]
        # A millionth of a tile of slack: downsamples of real files are no round numbers.
        columns = range(int(area.x / side + 1e-6), ceil(area.right / side - 1e-6))
        rows = range(int(area.y / side + 1e-6), ceil(area.bottom / side - 1e-6))
        return [TileKey(level, column, row) for row in rows for column in columns]

    def tiles_in_view(self, view: View, level: int) -> list[TileKey]:
        """List the tiles of one step that a view shows, the central one first."""
        keys = self.tiles_over(view.bounds, level)
        near = sorted(view.touching(map(self.rect, keys)))
        return [keys[index] for _, index in near]


def _turned_size(width: float, height: float, rotation: float) -> tuple[float, float]:
    cosine, sine = abs(cos(radians(rotation))), abs(sin(radians(rotation)))
    return width * cosine + height * sine, width * sine + height * cosine


def _steps(info: SlideInfo, tile_px: int) -> Iterator[Step]:
    for index, level in enumerate(info.levels):
        coarser = info.levels[index + 1].downsample if index + 1 < len(info.levels) else None
        reduction = 1
        while reduction <= MAX_REDUCTION:
            downsample = level.downsample * reduction
            yield Step(
                index,
                reduction,
                downsample,
                ceil(level.width_px / reduction),
                ceil(level.height_px / reduction),
            )
            reduction *= 2
            if coarser is None:
                done = max(level.width_px, level.height_px) * 2 <= tile_px * reduction
            else:
                done = level.downsample * reduction > coarser * 0.75
            if done:
                break
