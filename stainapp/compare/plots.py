"""How a quantity agrees over regions, as three pictures: scatter, Bland-Altman, histogram."""

import numpy as np

from stainapp.compare.axes import Axes, around, said
from stainapp.compare.bland_altman import (
    LEAST_PAIRS,
    Line,
    Paired,
    histogram,
    limits_of_agreement,
)


def plots_of(paired: Paired, reference: str, other: str) -> tuple[str, ...]:
    """Return three SVG pictures; none where there are fewer than `LEAST_PAIRS` regions.

    Args:
        paired: the quantity.
        reference: what the reference is called.
        other: what the other side is called.
    """
    if len(paired.regions) < LEAST_PAIRS:
        return ()
    return scatter(paired, reference, other), bland_altman(paired), differences(paired)


def scatter(paired: Paired, reference: str, other: str) -> str:
    """Draw the other side over the reference; on the diagonal both are the same."""
    span = around(*paired.reference, *paired.other)
    axes = Axes(span, span, paired.measure, _labelled(reference, paired), _labelled(other, paired))
    axes.diagonal()
    values = zip(paired.reference, paired.other, paired.regions, strict=True)
    axes.dots([(float(x), float(y), f"{name}: {said(x)}, {said(y)}") for x, y, name in values])
    return axes.svg()


def bland_altman(paired: Paired) -> str:
    """Draw the difference over the mean, with bias, limits of agreement and their intervals."""
    limits = limits_of_agreement(paired.difference)
    lines = (limits.upper, limits.bias, limits.lower)
    ends = [value for line in lines for value in (line.low, line.high)]
    axes = Axes(
        around(*paired.mean),
        around(*paired.difference, *ends),
        f"{paired.measure}: limits of agreement",
        _labelled("mean of both", paired),
        "other less reference",
    )
    for line, inset_px in zip(lines, (8, 20, 32), strict=True):
        axes.whisker(line.low, line.high, inset_px)
    axes.level(limits.bias.at, f"bias {said(limits.bias.at)}")
    for line, words in ((limits.upper, "+1.96 SD"), (limits.lower, "-1.96 SD")):
        axes.level(line.at, f"{words} {said(line.at)}", dashed=True)
    values = zip(paired.mean, paired.difference, paired.regions, strict=True)
    axes.dots([(float(x), float(y), f"{name}: {said(y)}") for x, y, name in values])
    return axes.svg()


def differences(paired: Paired) -> str:
    """Draw how many regions differ by how much."""
    found = histogram(paired.difference)
    span = around(*found.edges)
    most = float(np.max(found.counts))
    axes = Axes(
        span,
        (0.0, 1.1 * most),
        f"{paired.measure}: differences",
        _labelled("other less reference", paired),
        "regions",
        counts=True,
    )
    for count, left, right in zip(found.counts, found.edges[:-1], found.edges[1:], strict=True):
        if count:
            axes.bar(float(left), float(right), float(count))
    axes.upright(0.0)
    return axes.svg()


def agreement_in_words(paired: Paired) -> str:
    """Return bias and limits as a sentence; what is missing where there are too few regions."""
    if len(paired.regions) < LEAST_PAIRS:
        return (
            f"{paired.measure}: limits of agreement need {LEAST_PAIRS} regions that may be read; "
            f"here {len(paired.regions)} may."
        )
    limits = limits_of_agreement(paired.difference)
    unit = f" {paired.unit}" if paired.unit else ""

    def words(line: Line) -> str:
        return f"{said(line.at)} ({said(line.low)} to {said(line.high)})"

    return (
        f"{paired.measure}{unit}: bias {words(limits.bias)}, limits of agreement "
        f"{words(limits.lower)} and {words(limits.upper)}, of {limits.n} regions."
    )


def _labelled(name: str, paired: Paired) -> str:
    return f"{name} ({paired.unit})" if paired.unit else name
