"""All measures of a model, and of what it has to beat, in one table.

Paired: source, generated and target show the same pixels. Unpaired: source and generated do,
and the target is other tissue of the stain that is imitated. At the card's scale, never resized.
"""

from collections.abc import Callable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from stainapp.cancel import CancelToken
from stainapp.compare import metrics, texture
from stainapp.compare.blank import glass_of, new_structures
from stainapp.compare.constancy_rows import constancy_rows
from stainapp.compare.density import amounts, density, dyes_of
from stainapp.compare.instruments import Instruments
from stainapp.compare.intervals import interval
from stainapp.compare.nuclei_rows import NucleiRows
from stainapp.compare.question import Question, TileSet
from stainapp.compare.set_rows import Seen, set_rows
from stainapp.compare.table import Row, Table, Worst, measured, missing
from stainapp.errors import StainAppError
from stainapp.slides.reader import RgbImage

Rows = NDArray[np.float64]


def evaluate(
    question: Question,
    subjects: Mapping[str, RgbImage],
    cycled: Mapping[str, RgbImage] | None = None,
    token: CancelToken | None = None,
    instruments: Instruments | None = None,
) -> Table:
    """Measure pictures made from the source, one subject after another.

    Args:
        question: source, target, and whether they are pairs.
        subjects: name -> tiles of the source's shape; the first is the model, whose worst
            tiles are listed. Baselines: `baselines.fit_baselines`.
        cycled: name -> the source as the inverse model gives it back, where there is one.
        token: cancels between two measures.
        instruments: what the pictures are looked at with, where there is a choice.

    Raises:
        StainAppError: shapes differ, tiles are too small, or the target's dyes are not known.
        Cancelled: the token was cancelled.
    """
    token, cycled, instruments = token or CancelToken(), cycled or {}, instruments or Instruments()
    for tiles in (*subjects.values(), *cycled.values()):
        if tiles.shape != question.source.images.shape:
            raise StainAppError(
                f"Pictures of shape {tiles.shape} were not made from tiles of shape "
                f"{question.source.images.shape}; stain the same tiles."
            )
    looker = instruments.inception
    real = Seen.by(looker, question.target.images)
    nuclei = NucleiRows(question, instruments)
    rows: list[Row] = []
    worst: tuple[Worst, ...] = ()
    for number, (name, images) in enumerate(subjects.items()):
        looks = Seen.by(looker, images)
        token.check()
        scores: dict[str, Rows] = {}
        if question.paired:
            rows += _paired(name, question, images, scores)
        rows += set_rows(name, looker, real, looks, *_regions(question, question.source))
        rows += _dyes(name, question, images)
        token.check()
        if name in cycled:
            rows.append(_cycle(name, question.source, cycled[name], scores))
        rows += nuclei.of(name, images)
        rows.append(_blank(name, question.source, images))
        if question.normalises:
            rows += constancy_rows(name, question, images)
        token.check()
        if not number:
            worst = _worst(question.source.regions, scores, looks.texture, real.texture)
    another = question.another
    if another is not None:
        others = Seen.by(looker, another.images)
        said = "other real tissue of the stain"
        rows += set_rows("real", looker, real, others, *_regions(question, another), said)
    if question.normalises:
        rows += constancy_rows("real", question, None)
    return Table((*rows, *nuclei.of_real()), worst)


def _regions(question: Question, of: TileSet) -> tuple[Sequence[str], Sequence[str]]:
    return question.target.regions, of.regions


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


def _dyes(name: str, question: Question, images: RgbImage) -> list[Row]:
    """The error of mean dye amounts, to the whole target set."""
    target, regions, rows = question.target, list(question.source.regions), []
    goal, means = _mean_amounts(target.images, target.stain), _mean_amounts(images, target.stain)
    for n, dye in enumerate(dyes_of(target.stain)):
        found = interval(means[:, n], regions, _distance_to(float(goal[:, n].mean())))
        rows.append(measured(name, f"mean {dye} error", found, "OD", "lower"))
    return rows


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


def _blank(name: str, source: TileSet, images: RgbImage) -> Row:
    glass, theirs = glass_of(source.images), glass_of(images)
    pairs = zip(source.images, images, strict=True)
    counts = [new_structures(a, b, glass, theirs, source.mpp) for a, b in pairs]
    measure = "new structures on glass"
    if not sum(blank for _, blank in counts):
        return missing(name, measure, "", "lower", "no tile shows bare glass")
    found = interval(counts, list(source.regions), _share)
    return measured(name, measure, found, "", "lower", "share of the glass")


def _share(rows: Rows) -> float:
    """Return the quotient of the sums of two columns, 0 where the second is 0."""
    part, whole = rows.sum(axis=0)
    return float(part / whole) if whole else 0.0


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
