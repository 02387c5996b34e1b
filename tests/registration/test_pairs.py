"""Pairs of landmarks while they are placed, and what is measured of them."""

from pathlib import Path

import numpy as np
import pytest

from stainapp.errors import RegistrationError
from stainapp.registration.landmark_file import read_pairs, write_pairs
from stainapp.registration.pair_residuals import contradicted, misses_px, others_expect_px
from stainapp.registration.pairs import (
    Pair,
    Pairs,
    changed,
    half_placed,
    placed,
    whole,
    without,
)
from stainapp.registration.transform import Transform, mapped
from tests.registration.frames import info, scattered, turned


def made(count: int, degrees: float = 30.0, scale: float = 1.0) -> tuple[np.ndarray, np.ndarray]:
    """Return points of which one turn explains all."""
    fixed = scattered(info(), count, seed=4)
    zeros = np.zeros(count, np.int64)
    return fixed, mapped((turned(degrees, (300.0, 40.0), scale),), zeros, fixed)


def test_a_click_on_the_other_slide_completes_the_pair() -> None:
    pairs = placed((), "moving", (5.0, 6.0))
    assert half_placed(pairs) == Pair(1, None, (5.0, 6.0))

    pairs = placed(pairs, "fixed", (1.0, 2.0))

    assert pairs == (Pair(1, (1.0, 2.0), (5.0, 6.0)),)
    assert whole(pairs) == pairs


def test_a_second_click_on_the_same_slide_begins_another_pair() -> None:
    pairs = placed(placed((), "fixed", (1.0, 2.0)), "fixed", (3.0, 4.0))

    assert [pair.number for pair in pairs] == [1, 2]
    assert whole(pairs) == ()
    assert placed(pairs, "moving", (9.0, 9.0))[1].whole


def test_a_proposed_point_counts_once_a_person_has_put_it() -> None:
    pairs = placed((), "fixed", (1.0, 2.0), partner=(7.0, 8.0))
    assert pairs[0].proposed == "moving"
    assert whole(pairs) == ()

    pairs = changed(pairs, pairs[0].put("fixed", (1.5, 2.0)))
    assert whole(pairs) == ()
    pairs = changed(pairs, pairs[0].put("moving", (7.0, 8.0)))

    assert whole(pairs) == pairs


def test_numbers_stay_when_a_pair_is_removed() -> None:
    pairs: Pairs = ()
    for at in range(3):
        pairs = placed(placed(pairs, "fixed", (at, at)), "moving", (at, at))

    pairs = without(pairs, 2)

    assert [pair.number for pair in pairs] == [1, 3]
    assert placed(pairs, "fixed", (0.0, 0.0))[-1].number == 4


def test_landmarks_come_back_from_their_file_half_ones_too(tmp_path: Path) -> None:
    pairs = (
        Pair(1, (1.25, 2.5), (3.0, 4.0)),
        Pair(3, None, (5.0, 6.0)),
        Pair(4, (7.0, 8.0), (9.0, 9.5), "moving"),
    )
    path = tmp_path / "Schnitt ä.csv"

    write_pairs(pairs, path)

    assert read_pairs(path) == (*pairs[:2], Pair(4, (7.0, 8.0)))
    assert read_pairs(tmp_path / "none.csv") == ()


@pytest.mark.parametrize(
    "text",
    [
        "a,b\n1,2\n",
        "number,fixed_x,fixed_y,moving_x,moving_y\n1,2,three,4,5\n",
        "number,fixed_x,fixed_y,moving_x,moving_y\n1,,,,\n",
        "number,fixed_x,fixed_y,moving_x,moving_y\n1,2,3,4,inf\n",
        "number,fixed_x,fixed_y,moving_x,moving_y\n1,2\n",
    ],
)
def test_a_file_that_holds_no_landmarks_is_refused_by_name(tmp_path: Path, text: str) -> None:
    path = tmp_path / "bad.csv"
    path.write_text(text, encoding="utf-8")

    with pytest.raises(RegistrationError, match=r"bad\.csv"):
        read_pairs(path)


def test_a_transform_misses_landmarks_by_what_it_is_off() -> None:
    fixed, moving = made(6, scale=2.0)
    transform = Transform.identity(info(), info())
    moved = Transform(
        fixed=transform.fixed,
        moving=transform.moving,
        pieces=(turned(30.0, (300.0, 40.0), 2.0),),
    )

    off = misses_px(moved, fixed, moving + np.array([6.0, 8.0]))

    assert off == pytest.approx(np.full(6, 5.0))  # 10 px there are 5 px of the fixed slide


@pytest.mark.parametrize("count", [3, 4, 5, 7, 12])
def test_landmarks_that_agree_expect_each_other_where_they_are(count: int) -> None:
    fixed, moving = made(count)

    assert others_expect_px(fixed, moving) == pytest.approx(np.zeros(count), abs=1e-6)
    assert contradicted(fixed, moving) is None


def test_too_few_landmarks_expect_nothing() -> None:
    assert np.isnan(others_expect_px(*made(2))).all()
    assert len(others_expect_px(*made(0))) == 0


def test_a_mirrored_slide_is_expected_mirrored_where_that_is_said() -> None:
    fixed, _ = made(3)
    moving = fixed * [[-1.0, 1.0]] + [[2000.0, 0.0]]

    assert others_expect_px(fixed, moving).max() > 100
    assert others_expect_px(fixed, moving, mirrored=True) == pytest.approx(np.zeros(3), abs=1e-6)


@pytest.mark.parametrize("count", [4, 5, 6, 9])
@pytest.mark.parametrize("wrong", [0, 2])
def test_the_pair_that_the_others_contradict_is_named(count: int, wrong: int) -> None:
    fixed, moving = made(count)
    rng = np.random.default_rng(1)
    moving = moving + rng.normal(0, 3.0, moving.shape)
    moving[wrong] += [250.0, -180.0]

    assert contradicted(fixed, moving) == wrong


def test_landmarks_in_one_place_or_on_one_line_expect_what_they_can() -> None:
    fixed, moving = made(3)
    twice = np.array([0, 1, 1])
    assert np.isnan(others_expect_px(fixed[twice], moving[twice])[0])

    along = np.column_stack([np.arange(7.0) * 100, np.arange(7.0) * 50])
    assert others_expect_px(along, along + 5.0) == pytest.approx(np.zeros(7), abs=1e-6)
    assert contradicted(along, along + 5.0) is None
