"""Where regions lie, for all of them at once: which are in view, and which are near a place."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from stainapp.geometry import Rect
from stainapp.session.regions import Region

Boxes = NDArray[np.float64]
"""(N, 4): left, top, right, bottom; level-0 pixels."""


class RegionIndex:
    """Regions in their order, and their bounds as one array; frozen."""

    def __init__(self, regions: tuple[Region, ...] = ()) -> None:
        self.regions = regions
        flat = (
            value
            for b in (region.bounds for region in regions)
            for value in (b.x, b.y, b.x + b.width, b.y + b.height)
        )
        self.boxes: Boxes = np.fromiter(flat, np.float64, 4 * len(regions)).reshape(-1, 4)

    def within(self, rect: Rect) -> NDArray[np.intp]:
        """Return the places of the regions whose bounds a rectangle meets, in order."""
        left, top, right, bottom = self.boxes.T
        meets = (left <= rect.right) & (right >= rect.x) & (top <= rect.bottom) & (bottom >= rect.y)
        return np.flatnonzero(meets)

    def near(self, x: float, y: float, reach: float) -> Iterator[Region]:
        """Yield the regions whose bounds lie within a distance of a place, along either axis."""
        for place in self.within(Rect(x - reach, y - reach, 2 * reach, 2 * reach)):
            yield self.regions[place]
