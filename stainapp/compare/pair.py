"""Two slides that show the same tissue in one frame, and how far apart they lie in it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from stainapp.errors import StainAppError, UnknownScaleError
from stainapp.slides.reader import SlideReader

Points: TypeAlias = NDArray[np.float64]
"""``(N, 2)``: x and y in level-0 pixels of the frame."""
ErrorAt: TypeAlias = Callable[[Points], NDArray[np.float64]]
"""The registration error in um, ``(N,)``, at points of the frame; NaN where it is not known."""


@dataclass(frozen=True, slots=True)
class Side:
    """One of the two. Its reader is closed by who opened it."""

    reader: SlideReader
    """In the frame of the pair, if need be moved there."""
    stain: str
    """What its pixels show; see `stainapp.models.card.STAINS`."""
    name: str
    """What tables and pictures call it."""
    mpp: float | None
    """The finest scale at which it holds anything: its own pixels, or its model's."""
    identity: str = ""
    """Of the slide that lies in its own frame; see `SlideInfo.identity`."""
    origin: Mapping[str, Any] = field(default_factory=dict)
    """Where its pixels come from, as plain values; of a virtual one `virtual_slide.provenance`."""
    source: SlideReader | None = None
    """Of one that is stained now the slide it is made from, in the same frame."""
    normalised: bool = False
    """Whether a normaliser has made it, which changes colours and no dyes."""
    back: SlideReader | None = None
    """What the model's inverse makes of it, in the same frame; None where there is no inverse."""

    @property
    def virtual(self) -> bool:
        return bool(self.origin.get("virtual"))

    @property
    def real(self) -> SlideReader:
        """What is quick to look over: the pixels of a file, from which its own may be made."""
        return self.source or self.reader


@dataclass(frozen=True, slots=True)
class Pair:
    """The reference, and what is set beside it."""

    reference: Side
    other: Side
    error_um: ErrorAt | None = None
    """None where the two are said to lie in one frame, and nobody has measured how well."""
    joined_by: Mapping[str, Any] = field(default_factory=dict)
    """What brought them into one frame, as plain values; empty where nothing had to."""

    @property
    def sides(self) -> tuple[Side, Side]:
        return self.reference, self.other

    @property
    def frame_mpp(self) -> float:
        """Micrometres per level-0 pixel of the frame.

        Raises:
            UnknownScaleError: nobody has said.
        """
        info = self.reference.reader.info
        if info.mpp is None:
            raise UnknownScaleError(
                f"{info.path.name} does not say how large its pixels are; state its "
                "micrometres per pixel (mpp), as nuclei are found and areas given by it."
            )
        return info.mpp

    def scale(self, wanted: float | None = None) -> float:
        """Return the micrometres per pixel to compare at: what is asked, or the finest fair one.

        Raises:
            UnknownScaleError: the frame's scale is not known.
            StainAppError: what is asked is finer than one side's own pixels.
        """
        finest = max(side.mpp or self.frame_mpp for side in self.sides)
        if wanted is None:
            return finest
        if wanted < finest * (1 - 1e-6):
            blurred = max(self.sides, key=lambda side: side.mpp or 0).name
            raise StainAppError(
                f"At {wanted:g} um/px {blurred} would have to be enlarged; "
                f"compare at {finest:.4g} um/px or coarser."
            )
        return wanted
