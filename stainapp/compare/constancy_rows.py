"""The rows that tell how constant a normaliser makes colours."""

import numpy as np
from numpy.typing import NDArray

from stainapp.compare import constancy
from stainapp.compare.intervals import interval
from stainapp.compare.question import Question
from stainapp.compare.table import Row, measured, missing
from stainapp.slides.reader import RgbImage

Rows = NDArray[np.float64]


def constancy_rows(name: str, question: Question, images: RgbImage | None) -> list[Row]:
    """Return how alike pictures are in brightness, and how near to the target's.

    Args:
        name: whose pictures.
        question: source and target of one stain.
        images: made from the source; None for the target's own tiles.
    """
    target = question.target
    goal = _medians(target.images, target.images)
    shown = question.source if images is not None else target
    found = goal if images is None else _medians(images, shown.images)
    known = np.isfinite(found)
    regions = [region for region, sound in zip(shown.regions, known, strict=True) if sound]
    aim = float(np.nanmean(goal)) if np.isfinite(goal).any() else None

    def off(values: Rows) -> float:
        assert aim is not None
        return abs(float(values.mean()) - aim)

    measures = [
        ("NMI deviation", constancy.deviation),
        ("NMI variation", constancy.variation),
        *([("mean NMI error", off)] if images is not None and aim else []),
    ]
    if not known.any():
        why = "no tile shows enough tissue"
        return [missing(name, measure, "", "lower", why) for measure, _ in measures]
    note = "median over 95th percentile of the tissue's intensity, over tiles"
    return [
        measured(name, measure, interval(found[known], regions, statistic), "", "lower", note)
        for measure, statistic in measures
    ]


def _medians(images: RgbImage, real: RgbImage) -> Rows:
    return constancy.normalised_medians(images, constancy.tissue_of(real))
