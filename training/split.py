"""Which candidates are learnt from and which are judged by: whole slides or regions, never tiles.

Tiles of the two splits never share a pixel. What is judged by keeps its place, and what is
learnt from keeps out of it.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import distance_transform_edt, minimum_filter

from stainapp.errors import RecipeError
from stainapp.runs.recipe_data import Split
from stainapp.slides.tissue import Mask
from training.candidates import Candidate
from training.fields import Field

ROUNDING = 1e-6
"""Of a raster cell: edges closer than this are one edge."""


def fields_of(
    source: Sequence[Candidate], target: Sequence[Candidate], validation_share: float
) -> tuple[list[Field], list[Field]]:
    """Assign every candidate to a split, and keep each split's tiles out of the other's.

    "auto" holds out whole slides, images or groups where there are several, else regions or
    pieces, else the end of the only one.

    Args:
        source: of the source stain, or of pairs.
        target: of the target stain; none for pairs.
        validation_share: of the tissue, for "auto".

    Raises:
        RecipeError: what is learnt from overlaps what is judged by, or is the same image.
    """
    decided = _decided(source, validation_share), _decided(target, validation_share)
    others = _of_other_split([*decided[0], *decided[1]])
    for one, found in others.items():
        _refuse_overlaps(one, found)
    kept: dict[Candidate, Mask] = {
        one: _judged_area(one, found) for one, found in others.items() if one.split != "train"
    }
    for one, found in others.items():
        if one.split == "train":
            kept[one] = _learnt_area(one, [(other, kept[other]) for other in found])
    first, second = ([_field(one, kept[one]) for one in part] for part in decided)
    return first, second


def whole_fields(target: Sequence[Candidate]) -> list[Field]:
    """Return what is a style: looked at whole, both to imitate it and to judge by."""
    splits: tuple[Split, ...] = ("train", "validation")
    return [
        _field(replace(one, split=split), _learnt_area(one, ()))
        for split in splits
        for one in target
    ]


def _decided(candidates: Sequence[Candidate], share: float) -> list[Candidate]:
    auto = [one for one in candidates if one.split == "auto"]
    fixed = [one for one in candidates if one.split != "auto"]
    if not auto:
        return fixed
    if any(one.split == "validation" for one in fixed):
        return fixed + [replace(one, split="train") for one in auto]
    if fixed:
        return fixed + [replace(one, split="validation") for one in auto]
    if len(auto) == 1:
        return _cut(auto[0], share)
    groups = _groups(auto)
    if len(groups) == 1:
        groups = [[one] for one in _separable(auto)]
    held = _held_out([sum(map(_tissue_px, group)) for group in groups], share)
    return [
        replace(one, split="validation" if n in held else "train")
        for n, group in enumerate(groups)
        for one in group
    ]


def _groups(candidates: Sequence[Candidate]) -> list[list[Candidate]]:
    """Put together what shares a slide, an image or a group, also by way of others."""
    above: dict[str, str] = {}

    def top(tie: str) -> str:
        while above.setdefault(tie, tie) != tie:
            tie = above[tie]
        return tie

    for one in candidates:
        first, *rest = sorted(one.ties)
        for tie in rest:
            above[top(tie)] = top(first)
    groups: dict[str, list[Candidate]] = {}
    for one in candidates:
        groups.setdefault(top(min(one.ties)), []).append(one)
    return list(groups.values())


def _separable(auto: Sequence[Candidate]) -> Sequence[Candidate]:
    images = [one for one in auto if one.kind == "image"]
    if images:
        raise RecipeError(
            f"{images[0].name} and all the others are one group or the same image, so that none "
            "can be held out to judge by; name groups that differ, or add images."
        )
    return auto


def _held_out(sizes: Sequence[float], share: float) -> set[int]:
    """Choose groups, the smallest first, until they reach the share; one stays on each side."""
    total, held, reached = sum(sizes), set[int](), 0.0
    for n in sorted(range(len(sizes)), key=lambda n: (sizes[n], n)):
        if held and (reached >= share * total or len(held) == len(sizes) - 1):
            break
        held.add(n)
        reached += sizes[n]
    return held


def _cut(one: Candidate, share: float) -> list[Candidate]:
    """Cut the only candidate across its longer side."""
    axis = int(one.inside.shape[1] >= one.inside.shape[0])
    tissue = one.tissue.sum(axis=1 - axis).cumsum()
    at = int(np.searchsorted(tissue, (1 - share) * tissue[-1]))
    before = np.arange(one.inside.shape[axis]) < at
    first = before if axis else before[:, None]
    parts: tuple[tuple[str, Mask, Split], ...] = (
        ("first", first, "train"),
        ("last", ~first, "validation"),
    )
    return [
        replace(
            one,
            name=f"{one.name}, {word} part",
            inside=one.inside & part,
            tissue=one.tissue & part,
            split=split,
        )
        for word, part, split in parts
    ]


def _tissue_px(one: Candidate) -> float:
    return float(np.count_nonzero(one.tissue) * one.cell**2)


def _of_other_split(decided: Sequence[Candidate]) -> dict[Candidate, list[Candidate]]:
    """Return for each candidate those of the other split that have something in common with it."""
    by_tie: dict[str, list[Candidate]] = {}
    for one in decided:
        for tie in one.ties:
            by_tie.setdefault(tie, []).append(one)
    return {
        one: list(
            dict.fromkeys(
                other
                for tie in sorted(one.ties)
                for other in by_tie[tie]
                if other.split != one.split
            )
        )
        for one in decided
    }


def _refuse_overlaps(one: Candidate, others: Iterable[Candidate]) -> None:
    if one.split != "train":
        return
    for other in others:
        if one.kind == "image" and other.kind == "image" and not _parts_of_one(one, other):
            raise RecipeError(
                f"{one.name} (to learn from) and {other.name} (to judge by) are the same image "
                "or of one group; take one of them out, or put both into the same split."
            )
        if _overlap(one, other):
            raise RecipeError(
                f"{one.name} (to learn from) overlaps {other.name} (to judge by); "
                "move one of them, or put both into the same split."
            )


def _parts_of_one(one: Candidate, other: Candidate) -> bool:
    """Tell whether two candidates are what `_cut` made of the only image."""
    return one.reader is other.reader and not _overlap(one, other)


def _overlap(one: Candidate, other: Candidate) -> bool:
    """Tell whether two regions share more than their rasters may by rounding."""
    fine, coarse = sorted((one, other), key=lambda candidate: candidate.cell)
    common = fine.inside & _seen_from(fine, coarse, coarse.inside)
    rounding = int(np.ceil(coarse.cell / fine.cell)) + 1
    thick = minimum_filter(common, 2 * rounding + 1, mode="constant", cval=False)
    return bool(thick.any())


def _judged_area(one: Candidate, others: Sequence[Candidate]) -> Mask:
    """A piece of tissue has the glass around it that is nearer to it than to what is learnt."""
    if one.kind != "piece":
        return one.inside
    seen = [_seen_from(one, other, other.inside) for other in others]
    theirs = np.logical_or.reduce([np.zeros_like(one.inside), *seen])
    if not theirs.any():
        return np.ones_like(one.inside)
    nearer: Mask = distance_transform_edt(~one.inside) < distance_transform_edt(~theirs)
    return nearer


def _learnt_area(one: Candidate, judged: Sequence[tuple[Candidate, Mask]]) -> Mask:
    allowed = one.inside if one.kind != "piece" else np.ones_like(one.inside)
    for other, mask in judged:
        allowed = allowed & ~_seen_from(one, other, mask)
    return allowed


def _field(one: Candidate, allowed: Mask) -> Field:
    return Field(
        name=one.name,
        split="train" if one.split == "train" else "validation",
        whole=one.kind == "image",
        reader=one.reader,
        scale=one.scale,
        partner=one.partner,
        area=one.area,
        allowed=allowed if one.far_off is None else allowed & ~one.far_off,
        tissue=one.tissue,
        far_off=one.far_off,
    )


def _seen_from(one: Candidate, other: Candidate, mask: Mask) -> Mask:
    """Return which raster cells of one have any part in the other's mask."""
    height, width = one.inside.shape
    top, bottom = _span(one.area.y, one.cell, height, other.area.y, other.cell, mask.shape[0])
    left, right = _span(one.area.x, one.cell, width, other.area.x, other.cell, mask.shape[1])
    sums = np.pad(mask.astype(np.int32).cumsum(0).cumsum(1), ((1, 0), (1, 0)))
    lower, upper = sums[bottom], sums[top]
    seen: Mask = lower[:, right] - lower[:, left] - upper[:, right] + upper[:, left] > 0
    return seen


def _span(
    start: float, cell: float, count: int, other_start: float, other_cell: float, other_count: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the first and the last but one of the other's cells that each cell touches."""
    edges = (start + np.arange(count + 1) * cell - other_start) / other_cell
    first = np.floor(edges[:-1] + ROUNDING).astype(np.int64).clip(0, other_count)
    last = np.ceil(edges[1:] - ROUNDING).astype(np.int64).clip(0, other_count)
    return first, last
