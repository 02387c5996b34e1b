"""What the rest of stainapp may ask of a slide: whatever has pixels is a `SlideReader`."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from stainapp.geometry import Rect

RgbImage: TypeAlias = NDArray[np.uint8]
"""Height x width x 3, sRGB, 0..255."""


@dataclass(frozen=True, slots=True)
class Level:
    """One resolution of the pyramid; level 0 is the finest."""

    width_px: int
    height_px: int
    downsample: float
    """Level-0 pixels per pixel of this level: 1.0, 4.0, 16.0, ..."""


@dataclass(frozen=True, slots=True)
class SlideInfo:
    """Facts about a slide that hold for as long as it is open."""

    path: Path
    """The file; for made-up slides their address, such as ``phantom:he:20000:7``."""
    format: str
    """Short and readable: "aperio", "hamamatsu", "ome-tiff", "png", "phantom", "virtual"."""
    levels: tuple[Level, ...]
    """Finest first; at least one."""
    identity: str
    """The same for the same content wherever it lies; keys caches and what is remembered."""
    mpp: float | None = None
    """Micrometres per level-0 pixel; None where neither the file nor the user says."""
    objective: float | None = None
    """Magnification of the scanner's objective, where the file records it."""
    icc: str = "none"
    """Colour management: "none" (no profile), "sRGB" or "applied: <profile name>"."""
    associated: tuple[str, ...] = ()
    """Names of further images such as "label" and "macro", which may show a patient's name."""
    properties: Mapping[str, str] = field(default_factory=dict)
    """What else the file says of itself, by the names of its own format."""

    @property
    def width_px(self) -> int:
        return self.levels[0].width_px

    @property
    def height_px(self) -> int:
        return self.levels[0].height_px

    def level_for_downsample(self, downsample: float) -> int:
        """Return the coarsest level that is at least as fine as ``downsample``."""
        fits = [i for i, level in enumerate(self.levels) if level.downsample <= downsample * 1.001]
        return fits[-1] if fits else 0


class SlideReader(Protocol):
    """Pixels of one open slide.

    Use it in ``with contextlib.closing(reader):``. `read` is called from several threads
    at once, so an implementation either is thread-safe or takes its own lock. `close` is
    called once, when no read is running. Readers wrap readers: what a wrapper does not
    change it hands through.
    """

    @property
    def info(self) -> SlideInfo: ...

    @property
    def damaged(self) -> tuple[Rect, ...]:
        """What could not be read so far and is shown by a stand-in, in level-0 pixels."""
        ...

    def read(self, x: int, y: int, level: int, width_px: int, height_px: int) -> RgbImage:
        """Return a region of ``level``; parts outside the slide are white.

        Args:
            x: left edge, in level-0 pixels.
            y: top edge, in level-0 pixels.
            level: index into ``info.levels``.
            width_px: width of the result, in pixels of ``level``.
            height_px: height of the result, in pixels of ``level``.

        Returns:
            Exactly ``(height_px, width_px, 3)``, contiguous, not shared with anyone.

        Raises:
            SlideError: the file is damaged there or has gone away.
        """
        ...

    def close(self) -> None: ...
