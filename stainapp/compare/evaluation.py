"""All measures of a model, and of what it has to beat, in one table.

Paired: source, generated and target show the same pixels. Unpaired: source and generated do,
and the target is other tissue of the stain that is imitated. At the card's scale, never resized.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from stainapp.cancel import CancelToken
from stainapp.compare import constancy, frechet, metrics, nuclei, texture
from stainapp.compare.agreement import agreement
from stainapp.compare.blank import glass_of, new_structures
from stainapp.compare.density import amounts, density, dyes_of
from stainapp.compare.intervals import interval
from stainapp.compare.nuclei import Labels
from stainapp.compare.table import Row, Table, Worst, measured, missing
from stainapp.errors import StainAppError
from stainapp.slides.reader import RgbImage

Rows = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class TileSet:
    """Tiles of one stain at one scale."""

    images: RgbImage
    """``(N, H, W, 3)`` uint8."""
    regions: Sequence[str]
    """Where each comes from: what is resampled as a whole. A slide's name and its region's."""
    stain: str
    mpp: float

    def __post_init__(self) -> None:
        if self.images.ndim != 4 or not len(self.images) or len(self.images) != len(self.regions):
            raise StainAppError(
                f"{len(self.images)} tiles of {len(self.regions)} regions cannot be measured; "
                "name the region of each tile."
            )


@dataclass(frozen=True, slots=True)
class Question:
    """What is known beforehand; all but the pictures that are judged."""

    source: TileSet
    target: TileSet
    paired: bool
    """Whether target tile n shows the same pixels as source tile n."""
    another: TileSet | None = None
    """More real tiles of the target's stain, of other tissue: how far real is from real."""

    @property
    def normalises(self) -> bool:
        """Whether source and target are of one stain, so that what is asked is constancy."""
        return self.source.stain == self.target.stain

    def __post_init__(self) -> None:
        if self.paired and self.source.images.shape != self.target.images.shape:
            raise StainAppError(
                f"Source tiles of shape {self.source.images.shape} and target tiles of shape "
                f"{self.target.images.shape} are no pairs; cut both from the same places."
            )


def evaluate(
    question: Question,
    subjects: Mapping[str, RgbImage],
    cycled: Mapping[str, RgbImage] | None = None,
    token: CancelToken | None = None,
) -> Table:
    """Measure pictures made from the source, one subject after another.

    Args:
        question: source, target, and whether they are pairs.
        subjects: name -> tiles of the source's shape; the first is the model, whose worst
            tiles are listed. Baselines: `baselines.fit_baselines`.
        cycled: name -> the source as the inverse model gives it back, where there is one.
        token: cancels between two measures.

    Raises:
        StainAppError: shapes differ, tiles are too small, or the target's dyes are not known.
        Cancelled: the token was cancelled.
    """
    token, cycled = token or CancelToken(), cycled or {}
    for tiles in (*subjects.values(), *cycled.values()):
        if tiles.shape != question.source.images.shape:
            raise StainAppError(
                f"Pictures of shape {tiles.shape} were not made from tiles of shape "
                f"{question.source.images.shape}; stain the same tiles."
            )
    real = texture.features(question.target.images)
    before = _nuclei_of(question.source.images, question.source)
    rows: list[Row] = []
    worst: tuple[Worst, ...] = ()
    for number, (name, images) in enumerate(subjects.items()):
        looks = texture.features(images)
        token.check()
        scores: dict[str, Rows] = {}
        if question.paired:
            rows += _paired(name, question, images, scores)
        rows += _unpaired(name, question, images, looks, real)
        token.check()
        if name in cycled:
            rows.append(_cycle(name, question.source, cycled[name], scores))
        rows.append(_nuclei(name, question, images, before))
        rows.append(_blank(name, question.source, images))
        if question.normalises:
            rows += _constancy(name, question, images)
        token.check()
        if not number:
            worst = _worst(question.source.regions, scores, looks, real)
    if question.another is not None:
        rows.append(_real(question, real))
    if question.normalises:
        rows += _constancy("real", question, None)
    return Table(tuple(rows), worst)


def _paired(name: str, question: Question, images: RgbImage, scores: dict[str, Rows]) -> list[Row]:
    """PSNR, SSIM, MS-SSIM and the error of each dye, of pairs."""
    target, regions = question.target, list(question.source.regions)
    pairs = list(zip(target.images, images, strict=True))

    def row(measure: str, values: Sequence[float], unit: str, better: str) -> Row:
        scores[measure] = np.asarray(values)
        return measured(name, measure, interval(values, regions), unit, better)

    rows = [
        row("PSNR", [metrics.psnr(*pair) for pair in pairs], "dB", "higher"),
        row("SSIM", [metrics.ssim(*pair) for pair in pairs], "", "higher"),
    ]
    several = [metrics.ms_ssim(*pair) for pair in pairs]
    values = [value for value in several if value is not None]
    if values:
        rows.append(row("MS-SSIM", values, "", "higher"))
    else:
        why = f"needs tiles of at least {metrics.LEAST_MS_SSIM_PX} px"
        rows.append(missing(name, "MS-SSIM", "", "higher", why))
    errors = [metrics.density_error(*pair, target.stain) for pair in pairs]
    rows += [
        row(f"{dye} error", [error[dye] for error in errors], "OD", "lower")
        for dye in dyes_of(target.stain)
    ]
    return rows


def _unpaired(
    name: str, question: Question, images: RgbImage, looks: Rows, real: Rows
) -> list[Row]:
    """Fréchet distance and the error of mean dye amounts, to the whole target set."""
    target, regions = question.target, list(question.source.regions)
    rows = [_frechet(name, real, looks, target.regions, regions)]
    goal, means = _mean_amounts(target.images, target.stain), _mean_amounts(images, target.stain)
    for n, dye in enumerate(dyes_of(target.stain)):
        found = interval(means[:, n], regions, _distance_to(float(goal[:, n].mean())))
        rows.append(measured(name, f"mean {dye} error", found, "OD", "lower"))
    return rows


def _frechet(
    name: str,
    real: Rows,
    looks: Rows,
    real_regions: Sequence[str],
    regions: Sequence[str],
    note: str = "",
) -> Row:
    if min(len(looks), len(real)) < frechet.LEAST_TILES:
        why = f"needs at least {frechet.LEAST_TILES} tiles in each set"
        return missing(name, frechet.NAME, "", "lower", why)
    found = frechet.frechet_interval(real, looks, list(real_regions), list(regions))
    return measured(name, frechet.NAME, found, "", "lower", note)


def _distance_to(goal: float) -> Callable[[Rows], float]:
    return lambda values: abs(float(values.mean()) - goal)


def _mean_amounts(images: RgbImage, stain: str) -> Rows:
    """Return the mean of each dye in each tile, ``(N, dyes)``."""
    return np.array(
        [[float(one.mean()) for one in amounts(image, stain).values()] for image in images]
    )


def _cycle(name: str, source: TileSet, back: RgbImage, scores: dict[str, Rows]) -> Row:
    pairs = zip(source.images, back, strict=True)
    errors = [float(np.abs(density(a) - density(b)).mean()) for a, b in pairs]
    scores["cycle error"] = np.asarray(errors)
    note = "mean absolute difference of optical density, source and back again"
    found = interval(errors, list(source.regions))
    return measured(name, "cycle error", found, "OD", "lower", note)


def _nuclei_of(images: RgbImage, shown_as: TileSet) -> list[Labels]:
    """Return the nuclei of each tile; none at all where the stain shows none."""
    if shown_as.stain not in nuclei.STAINS:
        return []
    return [nuclei.nuclei(image, shown_as.mpp, shown_as.stain) for image in images]


def _nuclei(name: str, question: Question, images: RgbImage, before: list[Labels]) -> Row:
    """Whether the source's nuclei are still where they were."""
    source, target = question.source, question.target
    # Doing nothing leaves the source's stain, and must be read as such.
    after = before if images is source.images else _nuclei_of(images, target)
    if not before or not after:
        why = f"nuclei cannot be told in {source.stain if not before else target.stain}"
        return missing(name, "nuclei F1", "", "higher", why)
    kept = [agreement(a, b, source.mpp) for a, b in zip(before, after, strict=True)]
    counts = [(2 * one.matched, one.first + one.second) for one in kept]
    found = interval(counts, list(source.regions), _share_or(1.0))
    note = "source against generated, by a classical segmenter"
    return measured(name, "nuclei F1", found, "", "higher", note)


def _blank(name: str, source: TileSet, images: RgbImage) -> Row:
    glass, theirs = glass_of(source.images), glass_of(images)
    pairs = zip(source.images, images, strict=True)
    counts = [new_structures(a, b, glass, theirs, source.mpp) for a, b in pairs]
    measure = "new structures on glass"
    if not sum(blank for _, blank in counts):
        return missing(name, measure, "", "lower", "no tile shows bare glass")
    found = interval(counts, list(source.regions), _share_or(0.0))
    return measured(name, measure, found, "", "lower", "share of the glass")


def _constancy(name: str, question: Question, images: RgbImage | None) -> list[Row]:
    """How alike pictures are in brightness, and how near to the target's; None for the target."""
    target = question.target
    goal = _medians(target.images, target.images)
    shown = question.source if images is not None else target
    found = goal if images is None else _medians(images, shown.images)
    known = np.isfinite(found)
    regions = [region for region, sound in zip(shown.regions, known, strict=True) if sound]
    aim = float(np.nanmean(goal)) if np.isfinite(goal).any() else None
    measures = [
        ("NMI deviation", constancy.deviation),
        ("NMI variation", constancy.variation),
        *([("mean NMI error", _distance_to(aim))] if images is not None and aim else []),
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


def _share_or(nothing: float) -> Callable[[Rows], float]:
    """Return the quotient of the sums of two columns, or ``nothing`` where the second is 0."""

    def share(rows: Rows) -> float:
        part, whole = rows.sum(axis=0)
        return float(part / whole) if whole else nothing

    return share


def _real(question: Question, real: Rows) -> Row:
    assert question.another is not None
    others = texture.features(question.another.images)
    regions = question.target.regions, question.another.regions
    return _frechet("real", real, others, *regions, "other real tissue of the stain")


def _worst(
    regions: Sequence[str], scores: Mapping[str, Rows], looks: Rows, real: Rows
) -> tuple[Worst, ...]:
    """Rank by SSIM, else by cycle error, else by how unlike the target a tile looks."""
    if "SSIM" in scores:
        measure, values, sign = "SSIM", scores["SSIM"], 1
    elif "cycle error" in scores:
        measure, values, sign = "cycle error", scores["cycle error"], -1
    else:
        measure, values, sign = "unlikeness", texture.unlikeness(looks, real), -1
    order = np.argsort(sign * values, kind="stable")
    return tuple(Worst(int(n), str(regions[n]), float(values[n]), measure) for n in order)
