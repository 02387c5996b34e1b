"""Limits of agreement, against Bland and Altman's own example."""

import numpy as np
import pytest

from stainapp.compare.bland_altman import (
    Paired,
    histogram,
    limits_of_agreement,
    paired_of,
    quantities,
)
from stainapp.compare.comparison import Comparison
from stainapp.compare.plots import agreement_in_words, plots_of
from stainapp.compare.region_figures import ALL, Figure
from stainapp.errors import StainAppError

WRIGHT = (494, 395, 516, 434, 476, 557, 413, 442, 650, 433, 417, 656, 267, 478, 178, 423, 427)
MINI = (512, 430, 520, 428, 500, 600, 364, 380, 658, 445, 432, 626, 260, 477, 259, 350, 451)
"""Peak flow of 17 people by two meters, l/min: Bland & Altman (1986), table 1."""


def flow() -> Paired:
    names = tuple(f"person {n}" for n in range(17))
    return Paired("flow", "l/min", names, np.array(MINI, float), np.array(WRIGHT, float))


def test_the_published_example_comes_out_as_published() -> None:
    found = limits_of_agreement(flow().difference)

    assert found.bias.at == pytest.approx(-2.1, abs=0.05)
    assert (found.bias.low, found.bias.high) == pytest.approx((-22.0, 17.8), abs=0.1)
    # They took two standard deviations of 38.8 for their -79.7 and 75.5.
    spread = (found.upper.at - found.lower.at) / 2 / 1.96
    assert spread == pytest.approx(38.8, abs=0.05)


def test_a_limit_is_less_certain_than_the_bias() -> None:
    found = limits_of_agreement(flow().difference)

    for line in (found.lower, found.upper):
        assert line.low < line.at < line.high
        # By the paper's approximation its standard error is sqrt(3 / n) deviations.
        half = 2.12 * 38.8 * np.sqrt(3 / 17)
        assert line.high - line.at == pytest.approx(half, rel=0.05)


def test_two_regions_have_no_limits() -> None:
    with pytest.raises(StainAppError, match="3 regions or more"):
        limits_of_agreement(np.array([1.0, 2.0]))


def test_every_difference_is_in_the_histogram() -> None:
    found = histogram(flow().difference)

    assert found.counts.sum() == 17
    assert len(found.edges) == len(found.counts) + 1
    assert found.edges[0] == flow().difference.min()


def figure(region: str, reference: float | None, other: float, greyed: str = "") -> Figure:
    none = (None, None)
    return Figure(region, "H-score", reference, other, 0.0, *none, "", "", 1.0, greyed, 4, 1, "")


def test_greyed_regions_are_no_points() -> None:
    found = Comparison(
        0.5,
        (),
        (figure(ALL, 9, 9), figure("a", 1, 2), figure("b", 3, 5, "too far"), figure("c", 4, 4)),
    )

    paired = paired_of(found, "H-score")

    assert quantities(found) == ("H-score",)
    assert paired.regions == ("a", "c")
    assert paired.difference.tolist() == [1, 0]
    assert plots_of(paired, "real", "virtual") == ()
    assert "need 3" in agreement_in_words(paired)


def test_each_point_of_a_plot_says_which_region_it_is() -> None:
    scatter, limits, counts = plots_of(flow(), "mini", "Wright <&>")

    for plot in (scatter, limits):
        assert plot.count("<circle") == 17
        assert "person 3" in plot
    assert "Wright &lt;&amp;&gt;" in scatter
    assert "bias -2.118" in limits
    assert "<circle" not in counts
    assert plots_of(flow(), "mini", "Wright <&>") == (scatter, limits, counts)


def test_equal_sides_can_be_drawn() -> None:
    same = np.full(4, 3.0)

    plots = plots_of(Paired("x", "", ("a", "b", "c", "d"), same, same), "r", "o")

    assert len(plots) == 3
    assert not any("nan" in plot for plot in plots)
