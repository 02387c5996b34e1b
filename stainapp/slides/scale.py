"""Micrometres per pixel: what a file says of itself, and what may be guessed from it."""

import math
from collections.abc import Mapping
from dataclasses import replace

from stainapp.errors import SlideError
from stainapp.slides.reader import SlideInfo

UM_PER_INCH = 25_400.0

FINEST_MPP, COARSEST_MPP = 0.01, 20.0
"""What a microscope can have recorded. Printers' defaults (72, 96, 300 dpi: 353, 265, 85 um)
lie far outside, flatbed scanners at their finest just so."""

RECORDED_MPP = "stainapp.recorded_mpp"
"""The slide property that keeps the file's own pixel size where the user gave another."""

UM_PER_UNIT: Mapping[str, float] = {
    "µm": 1.0, "μm": 1.0, "um": 1.0, "micron": 1.0, "microns": 1.0, "micrometer": 1.0,
    "nm": 1e-3, "å": 1e-4, "mm": 1e3, "cm": 1e4, "m": 1e6, "in": UM_PER_INCH, "inch": UM_PER_INCH,
}  # fmt: skip
"""Units of OME's PhysicalSizeX and of ImageJ, lower case; both letters that look like a mu."""


def agreed_mpp(x_um: float | None, y_um: float | None) -> tuple[float | None, dict[str, str]]:
    """Settle on one pixel size where a file records one for each axis.

    Returns:
        Micrometres per pixel, or None where nothing usable is recorded, and the reason
        as a slide property when something was recorded and not used.
    """
    sizes = [size for size in (x_um, y_um) if size is not None]
    if not sizes:
        return None, {}
    recorded = " and ".join(f"{size:.5g}" for size in sizes)
    if not all(math.isfinite(size) and FINEST_MPP <= size <= COARSEST_MPP for size in sizes):
        return None, {"stainapp.mpp": f"recorded as {recorded} um, which no microscope has; unused"}
    mean = math.fsum(sizes) / len(sizes)
    if max(sizes) - min(sizes) > 0.01 * mean:
        return None, {"stainapp.mpp": f"x and y differ ({recorded} um); unused"}
    return mean, {}


def refuse_impossible(mpp: float) -> None:
    """Check a pixel size that somebody typed.

    Raises:
        SlideError: no microscope has that pixel size.
    """
    if not FINEST_MPP <= mpp <= COARSEST_MPP:
        raise SlideError(
            f"A pixel size of {mpp:g} um is not possible; "
            f"give one from {FINEST_MPP:g} to {COARSEST_MPP:g} um per pixel."
        )


def with_users_mpp(info: SlideInfo, mpp: float) -> SlideInfo:
    """Put the user's pixel size in place of the recorded one, which stays in the properties."""
    kept = {} if info.mpp in (None, mpp) else {RECORDED_MPP: str(info.mpp)}
    return replace(info, mpp=mpp, properties={**info.properties, **kept})


def guess_mpp(info: SlideInfo) -> float | None:
    """Guess the pixel size from the objective: a 40x scan has about 0.25 um per pixel.

    Only ever shown as a guess: scanners sold as "20x" lie between 0.23 and 0.55 um.
    """
    return 10.0 / info.objective if info.objective else None
