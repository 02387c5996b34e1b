"""The regions that stand still, as all panes of a view paint them: more finely the fewer there are.

While the view moves, all but a few are hairlines with fewer corners; at rest they are whole again.
"""

from collections.abc import Mapping, Sequence

import numpy as np
from PySide6.QtGui import QPainter

from stainapp.geometry import Rect
from stainapp.session.feature_properties import Colour
from stainapp.session.regions import Region, colour_of
from stainapp.ui.region_batches import RegionBatches
from stainapp.ui.region_picture import RegionPicture
from stainapp.ui.region_shape import Outlines
from stainapp.ui.region_strokes import (
    SELECTED_DOT_PX,
    SMALL_DOT_PX,
    Dots,
    four_hairlines,
    hairlines,
    one_hairline,
    paint_dots,
    paint_region,
)

MANY_REGIONS, MANY_MOVING = 40, 12
"""More regions in view, at rest and while it moves, are drawn thin and in batches."""
TWICE, TWICE_MOVING = 400, 120
"""With more regions in view, at rest and while it moves, each line is a single hairline."""
FAR_CELLS, NEAR_CELLS = 4, 14
NEAR_SHARE = 0.4
"""With less than this share of the regions in view, small cells are painted."""
THIN_PX, MOVING_THIN_PX = 2.0, 5.0
"""Among many, corners closer than so many screen pixels fall together; nobody misses them."""


class StandingRegions:
    """Paints the regions of a picture, but for those that are being changed."""

    def __init__(self) -> None:
        self._picture = RegionPicture()
        self._colours: Mapping[str, Colour] = {}
        self._outlines = Outlines()
        self._far, self._near = RegionBatches(FAR_CELLS), RegionBatches(NEAR_CELLS)

    def show(self, picture: RegionPicture) -> None:
        before, self._picture = self._picture, picture
        if picture.index is not before.index or picture.classes is not before.classes:
            self._colours = {r.id: colour_of(r, picture.classes) for r in picture.index.regions}

    def paint(
        self, painter: QPainter, seen: Rect, pixel: float, *, moving: bool
    ) -> Sequence[Region]:
        """Paint what is in view, what is selected on top; return what was painted one by one.

        Args:
            painter: takes level-0 pixels.
            seen: what is in view, in level-0 pixels.
            pixel: level-0 pixels that one screen pixel covers.
            moving: whether time matters more than looks.
        """
        picture = self._picture
        places = picture.index.within(seen)
        if len(places) > (MANY_MOVING if moving else MANY_REGIONS):
            self._paint_many(painter, seen, pixel, len(places), moving=moving)
            return ()
        left_out = picture.left_out
        regions = [picture.index.regions[place] for place in places]
        regions = [region for region in regions if region.id not in left_out]
        regions.sort(key=lambda region: region.id in picture.selected)
        for region in regions:
            path, colour = self._outlines.path(region, pixel), self._colours[region.id]
            selected = region.id in picture.selected
            paint_region(painter, region, path, colour, pixel, selected=selected)
        return regions

    def _paint_many(
        self, painter: QPainter, seen: Rect, pixel: float, count: int, *, moving: bool
    ) -> None:
        """Paint them at once, from large cells or from small ones."""
        picture = self._picture
        batches = self._near if count < NEAR_SHARE * len(picture.index.regions) else self._far
        batches.show(picture.index, self._colours, picture.selected, picture.left_out)
        dots: dict[tuple[Colour, bool], list[Dots]] = {}
        for batch in batches.within(seen, pixel * (MOVING_THIN_PX if moving else THIN_PX)):
            if batch.selected:
                four_hairlines(painter, batch.path, batch.colour, pixel)
            elif count > (TWICE_MOVING if moving else TWICE):
                one_hairline(painter, batch.path, batch.colour)
            else:
                hairlines(painter, batch.path, batch.colour, pixel)
            if len(batch.points):
                dots.setdefault((batch.colour, batch.selected), []).append(batch.points)
        for (colour, selected), points in dots.items():
            width_px = SMALL_DOT_PX + SELECTED_DOT_PX * selected
            paint_dots(painter, np.concatenate(points), colour, width_px)
