"""What to do next while placing landmarks, in one sentence."""

from dataclasses import dataclass

import numpy as np

from stainapp.registration.pair_residuals import contradicted, misses_px, others_expect_px
from stainapp.registration.pairs import Pair, Pairs, half_placed, points_of, whole
from stainapp.registration.transform import Transform

FEWEST_TO_REGISTER, FEWEST_TO_REFINE = 2, 3
SIDE_WORDS = {"fixed": "left", "moving": "right"}


@dataclass(frozen=True, slots=True)
class Residual:
    """How far a pair is off, in level-0 pixels of the fixed slide; NaN where nobody can tell."""

    number: int
    transform_px: float
    """From where the transform puts it."""
    used: bool
    """Whether the transform was made to fit it, so that this says nothing."""
    others_px: float
    """From where the other pairs expect it."""


def residuals_of(
    pairs: Pairs, transform: Transform | None, *, mirrored: bool = False
) -> tuple[Residual, ...]:
    """Measure all pairs that count."""
    fixed, moving = points_of(pairs)
    now = np.full(len(fixed), np.nan) if transform is None else misses_px(transform, fixed, moving)
    others = others_expect_px(fixed, moving, mirrored=mirrored)
    rows = np.column_stack([fixed, moving]).tolist()
    used = set() if transform is None else set(transform.landmarks)
    return tuple(
        Residual(pair.number, float(one), tuple(row) in used, float(two))
        for pair, one, row, two in zip(whole(pairs), now, rows, others, strict=True)
    )


def next_step(pairs: Pairs, transform: Transform | None, *, mirrored: bool = False) -> str:
    """Say what to do next."""
    waiting = _waiting(pairs)
    if waiting:
        return waiting
    found = whole(pairs)
    doubtful = contradicted(*points_of(found), mirrored=mirrored)
    if doubtful is not None:
        return (
            f"Look at pair {found[doubtful].number} again: the others expect it elsewhere. "
            "Drag it where it belongs, or delete it."
        )
    return _by_count(len(found), placed=transform is not None)


def _by_count(count: int, *, placed: bool) -> str:
    if count == 0:
        proposes = " Its place on the other one is then proposed." if placed else ""
        return f"Click a place that you recognise on both slides.{proposes}"
    if count < FEWEST_TO_REGISTER:
        return "Place a second pair, far from the first."
    if count < FEWEST_TO_REFINE:
        return "Register from these two, or place a third pair for more certainty."
    first = "Refine with" if placed else "Register from"
    return f"{first} these, or use these alone; more pairs make it better."


def _waiting(pairs: Pairs) -> str:
    half = half_placed(pairs)
    if half is not None and half.missing is not None:
        side = SIDE_WORDS[half.missing]
        return f"Click the place of {half.number} on the {side} slide; Esc drops it."
    proposed = next((pair for pair in pairs if pair.proposed), None)
    return "" if proposed is None else _proposal(proposed)


def _proposal(pair: Pair) -> str:
    assert pair.proposed is not None
    return (
        f"Drag {pair.number} on the {SIDE_WORDS[pair.proposed]} slide to where it belongs, "
        "or press Enter if it is there already."
    )
