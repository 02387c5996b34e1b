"""Rows on how far a set of pictures is from the real ones of the stain: FD and KD, FID, KID and IS.

Each is named by what looks at the pictures. "FD-OD" and "KD-OD" are of the features of `texture`,
which need nothing; "FID", "KID" and "IS" are of Inception alone, and name its weights.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from stainapp.compare import frechet, kernel_distance, texture
from stainapp.compare.intervals import SET_RESAMPLES, Interval, interval
from stainapp.compare.table import Row, measured, missing
from stainapp.slides.reader import RgbImage

Rows = NDArray[np.float64]

FEW_FOR_FID = 2048
"""Tiles below which FID is biased beyond use: a covariance of 2048 features has no rank."""


@dataclass(frozen=True, slots=True)
class Answers:
    """What a classifier makes of each tile."""

    features: Rows
    """``(N, F)``, averaged over the tile: what FID and KID are taken of."""
    probabilities: Rows
    """``(N, classes)``: what the Inception Score is taken of."""


class Looker(Protocol):
    """`stainapp.compare.inception.Inception`, which loads torch and is given where wanted."""

    @property
    def name(self) -> str: ...

    @property
    def layout(self) -> str: ...

    @property
    def sha256(self) -> str: ...

    def __call__(self, tiles: RgbImage) -> Answers: ...


@dataclass(frozen=True, slots=True)
class Seen:
    """A set of tiles, looked at once."""

    texture: Rows
    """``(N, 42)``: see `texture.features`."""
    answers: Answers | None

    @classmethod
    def by(cls, looker: Looker | None, tiles: RgbImage) -> "Seen":
        return cls(texture.features(tiles), looker(tiles) if looker else None)


def set_rows(
    name: str,
    looker: Looker | None,
    real: Seen,
    made: Seen,
    real_regions: Sequence[str],
    regions: Sequence[str],
    note: str = "",
) -> list[Row]:
    """Return FD-OD and KD-OD; and FID, KID and IS, where there is a network to look through.

    Args:
        name: whose pictures.
        looker: what both were looked at with.
        real: of the target, what distances are taken to.
        made: of the pictures.
        real_regions: the region of each target tile.
        regions: of each picture.
        note: what is to be said of all.
    """
    sets = _Sets(name, real_regions, regions, note)
    first, second = kernel_distance.standardised(real.texture, made.texture)
    rows = [
        sets.row(frechet.NAME, real.texture, made.texture, frechet.frechet_interval),
        sets.row(kernel_distance.NAME, first, second, kernel_distance.kernel_interval),
    ]
    if looker is None or real.answers is None or made.answers is None:
        return rows
    a, b = real.answers.features, made.answers.features
    few = "compare only sets of as many tiles" if min(len(a), len(b)) < FEW_FOR_FID else ""
    score = interval(made.answers.probabilities, regions, inception_score, SET_RESAMPLES)
    said = _said("over all tiles at once", note)
    return [
        *rows,
        sets.row(f"FID ({looker.name})", a, b, frechet.plain_frechet_interval, few),
        sets.row(f"KID ({looker.name})", a, b, kernel_distance.kernel_interval),
        measured(name, f"IS ({looker.name})", score, "", "higher", said),
    ]


Measure = Callable[[Rows, Rows, Sequence[str], Sequence[str]], Interval]


@dataclass(frozen=True, slots=True)
class _Sets:
    name: str
    real_regions: Sequence[str]
    regions: Sequence[str]
    note: str

    def row(self, measure: str, real: Rows, made: Rows, of: Measure, said: str = "") -> Row:
        if min(len(made), len(real)) < frechet.LEAST_TILES:
            why = f"needs at least {frechet.LEAST_TILES} tiles in each set"
            return missing(self.name, measure, "", "lower", why)
        found = of(real, made, self.real_regions, self.regions)
        return measured(self.name, measure, found, "", "lower", _said(said, self.note))


def _said(*parts: str) -> str:
    return "; ".join(part for part in parts if part)


def inception_score(probabilities: Rows) -> float:
    """Return ``exp(mean KL(p(y|x) || p(y)))``, 1 or more, over all tiles at once.

    Salimans et al., NeurIPS 2016, section 4. It never looks at real tiles, so a model that draws
    what no slide shows may score high.

    Args:
        probabilities: ``(N, classes)``, rows that sum up to 1.
    """
    held = np.maximum(probabilities, 1e-300)
    mean = np.maximum(probabilities.mean(axis=0), 1e-300)
    return float(np.exp((probabilities * (np.log(held) - np.log(mean))).sum(axis=1).mean()))
