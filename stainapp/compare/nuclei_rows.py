"""Rows on nuclei: whether they are where they were, where they should be, and how brown."""

from collections.abc import Callable, Sequence
from dataclasses import astuple, dataclass

import numpy as np
from numpy.typing import NDArray

from stainapp.compare.agreement import Agreement, agreement
from stainapp.compare.dab import (
    GRADES,
    Thresholds,
    grades,
    h_score,
    histogram,
    in_tiles,
    positive_share,
    shift,
)
from stainapp.compare.instruments import Instruments
from stainapp.compare.intervals import interval, interval_between
from stainapp.compare.nuclei import Labels
from stainapp.compare.question import Question, TileSet
from stainapp.compare.segmenter import said_of
from stainapp.compare.table import Row, measured, missing
from stainapp.slides.reader import RgbImage

Found = Sequence[Labels] | None
"""Nuclei of each tile; None where the segmenter cannot tell them in the stain."""
Counts = NDArray[np.int64]
Score = Callable[[Counts], float]

BROWN = "DAB"
MEASURES: dict[str, Callable[[Agreement], float]] = {
    "F1": lambda one: one.f1,
    "Dice": lambda one: one.dice,
    "AJI": lambda one: one.aji,
}
_SCORES: dict[str, Score] = {"positive nuclei": positive_share, "H-score": h_score}
_NUCLEAR = "for nuclear markers"


@dataclass(frozen=True, slots=True)
class Brown:
    """How brown the nuclei of each tile are."""

    graded: Counts
    """``(N, 4)``: see `grades`."""
    spread: Counts
    """``(N, bins)``: see `histogram`."""

    @classmethod
    def of(cls, tiles: RgbImage, found: Sequence[Labels], thresholds: Thresholds) -> "Brown":
        amounts = in_tiles(tiles, found)
        return cls(
            np.stack([grades(one, thresholds) for one in amounts]),
            np.stack([histogram(one) for one in amounts]),
        )


class NucleiRows:
    """Finds the nuclei of source and target once, and then sets each subject's beside them."""

    def __init__(self, question: Question, instruments: Instruments) -> None:
        self._question, self._segmenter = question, instruments.segmenter
        self._thresholds = instruments.thresholds
        self._before = self._found(question.source.images, question.source)
        self._scored = question.target.stain == BROWN
        self._there: Found = None
        if question.paired or self._scored:
            self._there = self._found(question.target.images, question.target)
        self._real: Brown | None = None
        if self._scored and self._there is not None:
            self._real = Brown.of(question.target.images, self._there, self._thresholds)
        self._said = said_of(self._segmenter)
        self._scale = f"thresholds {self._thresholds} OD, {_NUCLEAR}; {self._said}"

    def of(self, name: str, images: RgbImage) -> list[Row]:
        """Return the rows of one subject's pictures ``(N, H, W, 3)``."""
        question = self._question
        # Doing nothing leaves the source's stain, and must be read as such.
        untouched = images is question.source.images
        after = self._before if untouched else self._found(images, question.target)
        rows = self._agreement(name, "", self._before, after, "source against generated")
        if question.paired:
            rows += self._agreement(
                name, " to target", self._there, after, "target against generated"
            )
        if self._scored:
            in_dab = not untouched or question.source.stain == BROWN
            rows += self._brown(name, images, after if in_dab else None)
        return rows

    def of_real(self) -> list[Row]:
        """Return what the target itself scores, to be set beside; nothing where it is not DAB."""
        if self._real is None:
            return []
        return self._score_rows("real", self._real, self._question.target.regions)

    def _found(self, images: RgbImage, shown_as: TileSet) -> Found:
        if not self._segmenter.knows(shown_as.stain):
            return None
        return self._segmenter(images, shown_as.mpp, shown_as.stain)

    def _agreement(self, name: str, which: str, first: Found, after: Found, said: str) -> list[Row]:
        names = [f"nuclei {short}{which}" for short in MEASURES]
        question = self._question
        if first is None or after is None:
            stain = question.target.stain
            if first is None and not which:
                stain = question.source.stain
            why = f"{self._segmenter.name} cannot tell nuclei in {stain}"
            return [missing(name, one, "", "higher", why) for one in names]
        pairs = zip(first, after, strict=True)
        counts = [astuple(agreement(a, b, question.source.mpp)) for a, b in pairs]
        note = f"{said}; {self._said}"
        return [
            measured(
                name,
                one,
                interval(counts, question.source.regions, _pooled(share)),
                "",
                "higher",
                note,
            )
            for one, share in zip(names, MEASURES.values(), strict=True)
        ]

    def _brown(self, name: str, images: RgbImage, after: Found) -> list[Row]:
        regions, target = self._question.source.regions, self._question.target
        if after is None or self._real is None:
            why = "not in DAB, or no nuclei can be told"
            return [missing(name, one, "", "", why) for one in _SCORES]
        made = Brown.of(images, after, self._thresholds)
        rows = self._score_rows(name, made, regions)
        if self._question.paired:
            both = np.concatenate([made.graded, self._real.graded], axis=1)
            note = f"generated less target; {self._scale}"
            for one, score in _SCORES.items():
                found = interval(both, regions, _difference(score))
                rows.append(measured(name, f"{one} difference", found, "", "", note))
        ours, theirs = made.spread, self._real.spread
        found = interval_between(
            lambda a, b: shift(theirs[a], ours[b]), target.regions, regions, least=0.0
        )
        note = f"between the distributions of the nuclei's mean DAB, {_NUCLEAR}; {self._said}"
        rows.append(measured(name, "nuclear DAB distance", found, "OD", "lower", note))
        return rows

    def _score_rows(self, name: str, brown: Brown, regions: Sequence[str]) -> list[Row]:
        return [
            measured(name, one, interval(brown.graded, regions, score), "", "", self._scale)
            for one, score in _SCORES.items()
        ]


def _pooled(share: Callable[[Agreement], float]) -> Score:
    """Return a share of counts that are summed up over tiles first."""
    return lambda rows: share(Agreement(*(int(n) for n in rows.sum(axis=0))))


def _difference(score: Score) -> Score:
    return lambda rows: score(rows[:, :GRADES]) - score(rows[:, GRADES:])
