"""The measures of a region, as functions of what its pieces sum up to.

Each says what it rests on. What is compared pixel by pixel or nucleus by nucleus means nothing
where the two pictures lie farther apart than a nucleus; what is summed up over a region means
something for as long as both sums are over nearly the same tissue.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from stainapp.compare.dab import GRADES, Thresholds
from stainapp.compare.metrics import decibels
from stainapp.compare.pair import Side
from stainapp.compare.piece_sums import BROWN, SIDES, Measurer
from stainapp.compare.registration_error import Rests
from stainapp.compare.segmenter import said_of

Array = NDArray[np.float64]
Sums = Mapping[str, Array]
"""By the names of `Measurer.sums`: ``(...)``, of one choice of pieces or of many at once."""
Value = Callable[[Sums], Array]


@dataclass(frozen=True, slots=True)
class Measure:
    """One measure of a region, or of several taken together."""

    name: str
    value: Value
    """How the two agree; of quantities, the other's less the reference's."""
    rests_on: Rests
    unit: str = ""
    better: str = ""
    """ "higher", "lower", or nothing where nearer to 0 is better."""
    reference: Value | None = None
    """Of a quantity that each picture has by itself, and `other` likewise."""
    other: Value | None = None
    note: str = ""


def measures_of(measurer: Measurer) -> tuple[Measure, ...]:
    """Return what a pair can be measured by, in the order of tables."""
    found = [
        Measure("PSNR", lambda s: decibels(s["squared"] / s["px"]), "place", "dB", "higher"),
        Measure("SSIM", lambda s: s["ssim"] / s["px"], "place", "", "higher"),
    ]
    found += [_dye_error(dye) for dye in measurer.dyes]
    found += [
        _quantity(f"mean {dye}", _per_pixel(dye), "OD", "mean optical density of the dye")
        for dye in measurer.dyes
    ]
    if measurer.marker is not None:
        said = f"share of the region with {measurer.marker} of {measurer.thresholds.weak:g} OD"
        found.append(_quantity("positive area", _per_pixel("positive"), "", f"{said} or more"))
    if measurer.finds_nuclei:
        found += _of_nuclei(measurer)
    if measurer.scores:
        found += _of_scores(measurer.thresholds, said_of(measurer.segmenter))
    if measurer.cycles:
        note = "mean absolute difference of optical density, the slide and what its way back gives"
        found.append(
            Measure("cycle error", _share("cycle", "px"), "nothing", "OD", "lower", note=note)
        )
    return tuple(found)


def unmeasured(measurer: Measurer) -> Mapping[str, str]:
    """Return what one might look for in a table and why it is not there."""
    pair, found = measurer.pair, {}
    stains = f"{pair.reference.stain} and {pair.other.stain}"
    if not measurer.same_stain:
        why = _other_dyes(pair.reference, pair.other)
        found["optical density of dyes"] = found["positive area"] = why
    elif measurer.marker is None:
        found["positive area"] = f"no dye of {pair.reference.stain} is a marker"
    if not measurer.finds_nuclei:
        why = f"{measurer.segmenter.name} cannot tell them in {stains} at {measurer.mpp:.3g} um/px"
        found["nuclei"] = why
    if not measurer.scores:
        why = "they are scored where both sides show DAB"
        if pair.reference.stain == BROWN and not measurer.same_stain:
            why = _other_dyes(pair.reference, pair.other)
        found["positive nuclei and H-score"] = why
    if not measurer.cycles:
        found["cycle error"] = "there is no model with an inverse"
    return found


def _other_dyes(reference: Side, other: Side) -> str:
    """Say why two slides have no dye in common to be measured."""
    if other.normalised:
        return (
            f"a normaliser changes colours and no dyes, so {other.name} still holds those of "
            f"{other.stain} and not those of {reference.stain}"
        )
    return f"{reference.stain} and {other.stain} hold different dyes"


def _dye_error(dye: str) -> Measure:
    note = "mean absolute difference of the dye's amount, pixel by pixel"
    return Measure(f"{dye} error", _share(f"{dye} apart", "px"), "place", "OD", "lower", note=note)


def _of_nuclei(measurer: Measurer) -> Sequence[Measure]:
    said, area_mm2 = said_of(measurer.segmenter), (measurer.mpp / 1000) ** 2

    def number(side: str) -> Value:
        return lambda s: s[f"nuclei {side}"]

    def density(side: str) -> Value:
        return lambda s: s[f"nuclei {side}"] / (s["px"] * area_mm2)

    def f1(sums: Sums) -> Array:
        met = sums["met reference"] + sums["met other"]
        return _quotient(met, sums["nuclei reference"] + sums["nuclei other"], empty=1.0)

    return [
        Measure("nuclei F1", f1, "place", "", "higher", note=said),
        _quantity("nuclei", number, "", said),
        _quantity("nuclei per area", density, "1/mm2", said),
    ]


def _of_scores(thresholds: Thresholds, said: str) -> Sequence[Measure]:
    note = f"thresholds {thresholds} OD, for nuclear markers; {said}"

    def graded(weights: Sequence[float]) -> Callable[[str], Value]:
        def of(side: str) -> Value:
            def value(sums: Sums) -> Array:
                grades = [sums[f"grade {n} {side}"] for n in range(GRADES)]
                weighed = sum(w * one for w, one in zip(weights, grades, strict=True))
                return _quotient(np.asarray(weighed), np.asarray(sum(grades)), empty=0.0)

            return value

        return of

    return [
        _quantity("positive nuclei", graded((0, 1, 1, 1)), "", note),
        _quantity("H-score", graded((0, 100, 200, 300)), "", note),
    ]


def _quantity(name: str, of: Callable[[str], Value], unit: str, note: str) -> Measure:
    """Return the measure of what each side has by itself: the other's less the reference's."""
    reference, other = (of(side) for side in SIDES)
    return Measure(
        name,
        lambda sums: other(sums) - reference(sums),
        "region",
        unit,
        reference=reference,
        other=other,
        note=note,
    )


def _per_pixel(what: str) -> Callable[[str], Value]:
    return lambda side: _share(f"{what} {side}", "px")


def _share(part: str, whole: str) -> Value:
    return lambda sums: sums[part] / sums[whole]


def _quotient(part: Array, whole: Array, empty: float) -> Array:
    """Divide, with a value of its own where there is nothing to divide by."""
    return np.where(whole > 0, part / np.maximum(whole, 1), empty)
