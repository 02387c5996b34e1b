"""How much denser one slide is than another, place by place, as a slide of colours."""

import hashlib
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from stainapp.cancel import CancelToken
from stainapp.compare.density import amounts, density, dyes_of
from stainapp.errors import StainAppError
from stainapp.geometry import Rect
from stainapp.models.working_scale import WorkingScale
from stainapp.slides.reader import RgbImage, SlideInfo, SlideReader

FULL_OD = 0.5
"""Difference of optical density that has the strongest colour."""
LESS, SAME, MORE = (33, 102, 172), (255, 255, 255), (178, 24, 43)
"""Blue and red from ColorBrewer's RdBu (Harrower & Brewer, Cartographic Journal 40:27-37, 2003),
told apart by those who cannot tell red from green, and white, as is what lies beyond a slide."""

Of = Literal["all"] | str
"""A dye of the stain, or "all" for the mean of the three channels."""


@dataclass(frozen=True, slots=True)
class Legend:
    """What the colours say."""

    title: str
    ends: tuple[str, str, str]
    """At `full_od` less, at none, and at as much more."""
    full_od: float
    bar: RgbImage
    """``(1, N, 3)``, from less to more."""


class DifferenceSlide:
    """The optical density of one reader less that of another, in the frame of both.

    Red where the other is denser, blue where the reference is. The readers stay their owner's.
    """

    def __init__(
        self,
        reference: SlideReader,
        other: SlideReader,
        *,
        stain: str = "",
        of: Of = "all",
        full_od: float = FULL_OD,
    ) -> None:
        """Set one reader beside another.

        Args:
            reference: what is taken off; its levels are this slide's.
            other: in the same frame.
            stain: what both show, where the difference of one dye is asked for.
            of: that dye, or "all".
            full_od: difference of optical density that has the strongest colour.

        Raises:
            StainAppError: the stain has no such dye, or the readers have no common frame.
        """
        if of != "all" and of not in dyes_of(stain):
            raise StainAppError(
                f"{stain or 'A stain that is not known'} holds no dye {of!r}; "
                f"choose one of {', '.join(('all', *dyes_of(stain)))}."
            )
        sizes = [(one.info.width_px, one.info.height_px) for one in (reference, other)]
        if sizes[0] != sizes[1]:
            raise StainAppError(
                f"{reference.info.path.name} and {other.info.path.name} lie in no common frame; "
                "register them first."
            )
        self.reference, self.other = reference, other
        self._stain, self._of, self._full = stain, of, full_od
        self._scales = [
            WorkingScale(other, level.downsample, near=0) for level in reference.info.levels
        ]
        self._info = _info_of(reference, other, f"{stain} {of} {full_od!r}")

    @property
    def info(self) -> SlideInfo:
        return self._info

    @property
    def damaged(self) -> tuple[Rect, ...]:
        return (*self.reference.damaged, *self.other.damaged)

    @property
    def legend(self) -> Legend:
        return legend_of(self._of, self._full)

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
        """Return the coloured difference of a region, as `SlideReader.read`.

        Raises:
            Cancelled: the token was cancelled, which is looked at between the two readers.
        """
        step = self._info.levels[level].downsample
        i, j = round(x / step), round(y / step)
        ours = self.reference.read(x, y, level, width_px, height_px)
        if token is not None:
            token.check()
        theirs = self._scales[level].read(i, j, width_px, height_px)
        return coloured(self._apart(ours, theirs), self._full)

    def close(self) -> None:
        """Do nothing: the readers are closed by who opened them."""

    def _apart(self, reference: RgbImage, other: RgbImage) -> NDArray[np.float32]:
        if self._of == "all":
            return np.asarray((density(other) - density(reference)).mean(axis=-1))
        ours, theirs = (amounts(image, self._stain)[self._of] for image in (reference, other))
        return np.asarray(theirs - ours)


def legend_of(of: Of = "all", full_od: float = FULL_OD) -> Legend:
    """Return what the colours of a difference say, whichever two readers it is of."""
    what = "optical density" if of == "all" else f"optical density of {of}"
    ends = (f"-{full_od:g}", "0", f"+{full_od:g}")
    steps = np.linspace(-full_od, full_od, 256)
    return Legend(f"difference of {what}", ends, full_od, coloured(steps[None], full_od))


def coloured(apart: NDArray[np.floating], full_od: float = FULL_OD) -> RgbImage:
    """Return the colour of each difference ``(H, W)``, ``(H, W, 3)`` uint8."""
    share = np.clip(np.asarray(apart, np.float32) / np.float32(full_od), -1, 1)[..., None]
    ends = np.where(share < 0, np.array(LESS, np.float32), np.array(MORE, np.float32))
    middle = np.array(SAME, np.float32)
    colours: RgbImage = np.rint(middle + np.abs(share) * (ends - middle)).astype(np.uint8)
    return colours


def _info_of(reference: SlideReader, other: SlideReader, how: str) -> SlideInfo:
    parts = (reference.info.identity, other.info.identity, how)
    identity = hashlib.sha256("\n".join(parts).encode()).hexdigest()
    return replace(
        reference.info,
        format="difference",
        identity=f"difference-{identity}",
        associated=(),
        properties={},
    )
