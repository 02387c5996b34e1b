"""Slides made in memory, for tests of what is painted, and plain ones on disk."""

from collections.abc import Callable
from pathlib import Path
from threading import Event

import numpy as np
import tifffile

from stainapp.cancel import CancelToken
from stainapp.errors import SlideError
from stainapp.geometry import Rect
from stainapp.slides.reader import Level, RgbImage, SlideInfo

ROSE = (200, 60, 120)
GREEN = (40, 160, 90)
BLUE = (30, 60, 200)
LEVELS = (Level(4096, 3072, 1.0), Level(1024, 768, 4.0), Level(256, 192, 16.0))


class PlainSlide:
    """One colour everywhere; can be held, can fail, and counts what was read."""

    def __init__(
        self,
        colour: tuple[int, int, int] = ROSE,
        identity: str = "plain",
        levels: tuple[Level, ...] = LEVELS,
        mpp: float | None = 0.5,
    ) -> None:
        self.info = SlideInfo(Path(f"{identity}.tiff"), "fake", levels, identity, mpp)
        self.colour = colour
        self.damaged: tuple[Rect, ...] = ()
        self.proceed = Event()
        self.proceed.set()
        self.begun = Event()
        self.reads: list[tuple[int, int, int, int, int]] = []
        self.fails: Callable[[int, int], bool] = _never
        self.live_levels = frozenset(range(len(levels)))
        self.closed = False

    def read(
        self,
        x: int,
        y: int,
        level: int,
        width_px: int,
        height_px: int,
        *,
        token: CancelToken | None = None,
    ) -> RgbImage:
        self.reads.append((x, y, level, width_px, height_px))
        self.begun.set()
        assert self.proceed.wait(10)
        if token is not None:
            token.check()
        if self.fails(x, y):
            raise SlideError(f"{self.info.path} is damaged; copy it again.")
        return self.pixels(x, y, level, width_px, height_px)

    def pixels(self, x: int, y: int, level: int, width_px: int, height_px: int) -> RgbImage:
        return np.full((height_px, width_px, 3), self.colour, np.uint8)

    def is_live(self, level: int) -> bool:
        return level in self.live_levels

    def at_strength(self, strength: float) -> "PlainSlide":
        return self

    def close(self) -> None:
        self.closed = True


class PositionSlide(PlainSlide):
    """Red tells x and green tells y, in 32nds of level-0 pixels' worth; blue is zero."""

    STEP = 32

    def pixels(self, x: int, y: int, level: int, width_px: int, height_px: int) -> RgbImage:
        scale = self.info.levels[level].downsample
        columns = ((x + np.arange(width_px) * scale) // self.STEP) % 256
        rows = ((y + np.arange(height_px) * scale) // self.STEP) % 256
        image = np.zeros((height_px, width_px, 3), np.uint8)
        image[..., 0] = columns[None, :]
        image[..., 1] = rows[:, None]
        return image


def write_plain(path: Path, shade: int, width_px: int, height_px: int) -> None:
    """Write a slide of one colour at 0.5 um/px, which opens in no time."""
    tifffile.imwrite(
        path,
        np.full((height_px, width_px, 3), (shade, 150, 190), np.uint8),
        photometric="rgb",
        tile=(512, 512),
        compression="zlib",
        resolution=(20_000, 20_000),
        resolutionunit="CENTIMETER",
    )


def _never(x: int, y: int) -> bool:
    return False
