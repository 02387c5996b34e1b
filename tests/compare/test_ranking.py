"""Who is better in what, as far as the intervals tell."""

import json

from stainapp.compare.ranking import ranking
from stainapp.compare.table import Row, Table


def row(subject: str, measure: str, low: float, high: float, better: str = "higher") -> Row:
    middle = (low + high) / 2
    return Row(subject, measure, middle, low, high, 9, 3, True, "", better)


def test_only_intervals_that_lie_apart_tell_ranks_apart() -> None:
    table = Table(
        (
            row("clear", "SSIM", 0.90, 0.95),
            row("near", "SSIM", 0.80, 0.88),
            row("nearer", "SSIM", 0.84, 0.89),
            row("last", "SSIM", 0.10, 0.20),
        )
    )

    places = {one.subject: one.places["SSIM"] for one in ranking(table).standings}

    ranks = {name: (place.best, place.worst) for name, place in places.items()}
    assert ranks == {"clear": (1, 1), "near": (2, 3), "nearer": (2, 3), "last": (4, 4)}


def test_where_less_is_better_the_lower_interval_wins() -> None:
    table = Table((row("a", "error", 0.5, 0.6, "lower"), row("b", "error", 0.1, 0.2, "lower")))

    assert [one.subject for one in ranking(table).standings] == ["b", "a"]


def test_a_measure_that_one_lacks_decides_nothing() -> None:
    lacking = Row("b", "cycle error", None, None, None, 0, 0, False, "OD", "lower", "no way back")
    table = Table(
        (
            row("a", "SSIM", 0.1, 0.2),
            row("a", "cycle error", 0.0, 0.1, "lower"),
            row("b", "SSIM", 0.8, 0.9),
            lacking,
        )
    )

    found = ranking(table)

    assert found.ranked_by == ("SSIM",)
    assert [one.subject for one in found.standings] == ["b", "a"]
    assert "cycle error" not in found.standings[0].places


def test_what_competes_with_nobody_takes_no_rank() -> None:
    table = Table((row("real", "FD-OD", 0, 1, "lower"), row("a", "FD-OD", 5, 6, "lower")))

    found = ranking(table, leave_out=["real"])

    assert [one.subject for one in found.standings] == ["a"]
    assert found.standings[0].places["FD-OD"].best == 1


def test_a_measure_of_which_neither_more_nor_less_is_better_ranks_nobody() -> None:
    table = Table(
        (
            row("a", "SSIM", 0.1, 0.2),
            row("b", "SSIM", 0.8, 0.9),
            row("a", "H-score", 1, 2, ""),
            row("b", "H-score", 90, 99, ""),
        )
    )

    found = ranking(table)

    assert found.measures == found.ranked_by == ("SSIM",)
    assert [one.subject for one in found.standings] == ["b", "a"]


def test_a_ranking_is_plain_values_for_json() -> None:
    table = Table((row("a", "SSIM", 0.1, 0.2),))

    told = json.loads(json.dumps(ranking(table, costs={"a": {"s/Mpx": 2.0}}).as_dict()))

    assert told["standings"][0]["ranks"] == {"SSIM": [1, 1]}
    assert told["standings"][0]["costs"] == {"s/Mpx": 2.0}
