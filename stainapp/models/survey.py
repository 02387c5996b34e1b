"""What one look over a slide tells every model: where its tissue is, and how its glass looks."""

from dataclasses import dataclass
from weakref import WeakKeyDictionary

import numpy as np

from stainapp.geometry import Rect
from stainapp.models.slide_state import GLASS
from stainapp.slides.reader import RgbImage, SlideReader
from stainapp.slides.tissue import Mask, choose_squares, mask_of, overview

BRIGHT = 200
"""Glass is at least this bright; what is darker is something else, such as a black border."""
LEAST_GLASS = 0.01
"""Share of the slide below which nothing can be said of its glass."""


@dataclass(frozen=True, slots=True)
class Survey:
    """A slide's tissue and glass."""

    mask: Mask
    downsample: float
    """Level-0 pixels per pixel of the mask."""
    glass: tuple[int, int, int]
    """Median colour of what is bright and no tissue, in sRGB; white where there is little."""
    size_px: tuple[int, int]
    """Of the slide, at level 0."""

    def tissue(self, count: int, side: float, min_tissue: float) -> list[Rect]:
        """Return squares of tissue; see `stainapp.slides.tissue.choose_tissue`."""
        return choose_squares(self.mask, self.downsample, self.size_px, count, side, min_tissue)


def survey(reader: SlideReader) -> Survey:
    """Look over a slide, once for as long as it is open: what is found suits all models."""
    known = _surveys.get(reader)
    if known is None:
        image, downsample = overview(reader)
        mask = mask_of(image)
        size = reader.info.width_px, reader.info.height_px
        known = _surveys[reader] = Survey(mask, downsample, _glass(image, mask), size)
    return known


def adopt(made: SlideReader, source: SlideReader) -> None:
    """Let what one look over a slide tells hold for what is made from it, in the same frame.

    To look over a virtual slide would be to stain all of it.
    """
    _surveys[made] = survey(source)


_surveys: WeakKeyDictionary[SlideReader, Survey] = WeakKeyDictionary()
"""By reader and not by identity: it goes when the slide does. Two threads find the same."""


def _glass(image: RgbImage, mask: Mask) -> tuple[int, int, int]:
    bare = image[~mask]
    bare = bare[bare.min(axis=-1) >= BRIGHT]
    if len(bare) < LEAST_GLASS * mask.size:
        return GLASS
    red, green, blue = (int(value) for value in np.median(bare, axis=0))
    return red, green, blue
