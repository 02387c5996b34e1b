"""A slide's pixels at the resolution a network was trained at, counted from its corner."""

import math

import numpy as np
from PIL import Image

from stainapp.errors import UnknownScaleError
from stainapp.slides.reader import RgbImage, SlideReader

NEAR = 0.05
"""A level this close to the model's mpp is used as it is: resampling twice costs sharpness."""


class WorkingScale:
    """Working pixels: those a network sees, ``step`` level-0 pixels wide.

    Working pixel ``(i, j)`` covers level-0 ``i * step .. (i + 1) * step``: areas, not points,
    so nothing shifts between resolutions.
    """

    def __init__(self, source: SlideReader, wanted: float, *, near: float = NEAR) -> None:
        """Choose the level to read.

        Args:
            source: the slide.
            wanted: level-0 pixels per working pixel.
            near: how far a level may lie from that and still be used as it is; 0 makes the
                step what is wanted, so that two slides in one frame have the same pixels.
        """
        info = source.info
        self.source = source
        off = [abs(level.downsample / wanted - 1) for level in info.levels]
        nearest = min(range(len(off)), key=off.__getitem__)
        self.own_pixels = off[nearest] <= near
        """Whether working pixels are those of a level, so that nothing is resampled."""
        self.level = nearest if self.own_pixels else info.level_for_downsample(wanted)
        downsample = info.levels[self.level].downsample
        self.step = downsample if self.own_pixels else wanted
        self._ratio = self.step / downsample
        self.mpp = None if info.mpp is None else self.step * info.mpp
        if self.own_pixels:
            level = info.levels[self.level]
            self.width_px, self.height_px = level.width_px, level.height_px
        else:
            self.width_px = math.ceil(info.width_px / self.step)
            self.height_px = math.ceil(info.height_px / self.step)

    @classmethod
    def at(cls, source: SlideReader, mpp: float) -> "WorkingScale":
        """Return the scale of a network that works at ``mpp``.

        Raises:
            UnknownScaleError: the slide's mpp is not known.
        """
        if source.info.mpp is None:
            raise UnknownScaleError(
                f"{source.info.path.name} does not say how large its pixels are; "
                "state its micrometres per pixel (mpp) to use this model."
            )
        return cls(source, mpp / source.info.mpp)

    def read(self, i: int, j: int, width_px: int, height_px: int) -> RgbImage:
        """Return working pixels from ``(i, j)``; outside the slide they are white."""
        if self.own_pixels:
            return self._read_level(i, j, width_px, height_px)
        ratio, margin = self._ratio, margin_px(self._ratio)
        left, top = math.floor(i * ratio) - margin, math.floor(j * ratio) - margin
        right = math.ceil((i + width_px) * ratio) + margin
        bottom = math.ceil((j + height_px) * ratio) + margin
        image = self._read_level(left, top, right - left, bottom - top)
        box = (i * ratio - left, j * ratio - top, width_px * ratio, height_px * ratio)
        return resample(image, box, (width_px, height_px))

    def _read_level(self, i: int, j: int, width_px: int, height_px: int) -> RgbImage:
        downsample = self.source.info.levels[self.level].downsample
        x, y = round(i * downsample), round(j * downsample)
        return self.source.read(x, y, self.level, width_px, height_px)


def margin_px(ratio: float) -> int:
    """Return how many pixels beyond its box `resample` looks at, at ``ratio`` pixels in one."""
    return math.ceil(2 * max(ratio, 1.0)) + 1


def resample(
    image: RgbImage, box: tuple[float, float, float, float], size: tuple[int, int]
) -> RgbImage:
    """Return ``size`` pixels that cover ``box`` of ``image`` exactly.

    Where a whole number of pixels becomes one, it is their mean; otherwise bicubic, widened
    for reduction. What lies beyond the box is used as far as the kernel reaches.

    Args:
        image: ``(H, W, 3)`` uint8.
        box: x, y, width, height in pixels of ``image``, fractions included.
        size: width and height of the result.
    """
    x, y, width, height = box
    ratio = width / size[0]
    whole = ratio > 1.5 and abs(ratio - round(ratio)) < 0.01
    kernel = Image.Resampling.BOX if whole else Image.Resampling.BICUBIC
    resized = Image.fromarray(image).resize(size, kernel, box=(x, y, x + width, y + height))
    return np.array(resized)
