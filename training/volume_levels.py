"""How a volume's numbers become grey levels of 0..255, from one pass over some of its chunks.

One straight line for the whole volume and all its channels: what a tile looks like never
depends on the tile, and hues stay what they are.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stainapp.errors import RecipeError
from stainapp.runs.recipe_data import Normalisation
from training.volume_file import KINDS, Raw

DEVIATIONS = 3.0
"""On either side of the mean that "zscore" makes 0 and 255."""
REMEMBERED = 65_536
"""Numbers of each part, evenly spread, that percentiles are taken from."""


@dataclass(frozen=True, slots=True)
class Statistics:
    """Of all finite numbers that were seen."""

    least: float
    most: float
    mean: float
    deviation: float
    remembered: NDArray[np.float64]

    def percentiles(self, low: float, high: float) -> tuple[float, float]:
        """Return two percentiles of what was remembered, exact where nothing was passed over."""
        found = np.percentile(self.remembered, (low, high))
        return float(found[0]), float(found[1])


def statistics_of(parts: Iterable[Raw]) -> Statistics | None:
    """Look at each part once; None where there is no finite number.

    Mean and deviation are merged part by part (Chan, Golub & LeVeque 1983, equations 1.5), so
    that no more than one part is in memory.
    """
    least, most = np.inf, -np.inf
    count, mean, squares = 0, 0.0, 0.0
    remembered = []
    for part in parts:
        values = part.ravel()
        if part.dtype.kind == "f":
            values = values[np.isfinite(values)]
        if not values.size:
            continue
        least, most = min(least, float(values.min())), max(most, float(values.max()))
        own, apart = float(values.mean(dtype=np.float64)), float(values.var(dtype=np.float64))
        total = count + values.size
        squares += apart * values.size + (own - mean) ** 2 * count * values.size / total
        mean += (own - mean) * values.size / total
        count = total
        remembered.append(values[:: max(1, values.size // REMEMBERED)].astype(np.float64))
    if not count:
        return None
    return Statistics(least, most, mean, (squares / count) ** 0.5, np.concatenate(remembered))


@dataclass(frozen=True, slots=True)
class Levels:
    """The line: ``low`` becomes 0 and ``high`` 255, and what lies beyond is cut off."""

    mode: str
    low: float
    high: float
    dtype: np.dtype[Any]

    def apply(self, values: Raw) -> NDArray[np.uint8]:
        """Return grey levels, rounded; what is no number becomes 0."""
        if self.mode == "none":
            return np.ascontiguousarray(values)
        if values.dtype.kind == "u":
            return self._line(np.arange(np.iinfo(values.dtype).max + 1))[values]
        return self._line(values)

    def said(self) -> str:
        """Return it in words, for a card."""
        if self.mode == "none":
            return f"{self.dtype} as it is"
        return f"{self.dtype}, {self.low:.6g} to {self.high:.6g} made 0 to 255 ({self.mode})"

    def _line(self, values: NDArray[Any]) -> NDArray[np.uint8]:
        share = (values.astype(np.float32) - np.float32(self.low)) * np.float32(
            255 / (self.high - self.low)
        )
        sound = np.nan_to_num(share, copy=False, nan=0.0, posinf=255.0, neginf=0.0)
        levels: NDArray[np.uint8] = np.rint(sound.clip(0, 255)).astype(np.uint8)
        return levels


def levels_of(
    mode: Normalisation,
    percentiles: tuple[float, float],
    dtype: np.dtype[Any],
    name: str,
    parts: Iterable[Raw],
) -> Levels:
    """Return the line of a volume.

    Args:
        mode: the recipe's; see `Volumes.source_normalisation`.
        percentiles: for "percentile".
        dtype: the volume's.
        name: the volume's, for messages.
        parts: some of its chunks, to look at once; not touched where nothing is to be estimated.

    Raises:
        RecipeError: the mode does not suit these numbers.
    """
    if mode == "auto":
        mode = "none" if dtype == np.uint8 else "percentile"
    if mode == "none":
        if dtype != np.uint8:
            raise RecipeError(
                f"{name} holds {dtype}, which are no grey levels of 0..255; set its normalisation "
                "in data.volumes to percentile, minmax or zscore."
            )
        return Levels(mode, 0, 255, dtype)
    found = statistics_of(parts)
    if found is None:
        raise RecipeError(f"{name} holds no finite number; save it again as {KINDS}.")
    reach = DEVIATIONS * found.deviation
    low, high = {
        "minmax": (found.least, found.most),
        "zscore": (found.mean - reach, found.mean + reach),
    }.get(mode) or found.percentiles(*percentiles)
    if not high > low:
        raise RecipeError(
            f"{name} holds nothing but {low:.6g} where it was looked at, which is no picture; "
            "choose other percentiles in data.volumes, or another dataset."
        )
    return Levels(mode, low, high, dtype)
