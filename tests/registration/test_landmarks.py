from dataclasses import replace

import numpy as np
import pytest

from stainapp.errors import RegistrationError
from stainapp.registration.landmarks import from_points, refined
from stainapp.registration.transform import Transform
from tests.registration.frames import bent, info, scattered, turned


def test_two_pairs_give_a_turn_a_scale_and_a_shift() -> None:
    truth = replace(Transform.identity(info(), info()), pieces=(turned(296, (50.0, 900.0), 1.1),))
    clicked = np.array([[300.0, 400.0], [1500.0, 900.0]])

    found = from_points(info(), info(), clicked, truth.to_moving(clicked))

    points = scattered(info())
    assert np.allclose(found.to_moving(points), truth.to_moving(points))


def test_two_pairs_on_a_mirrored_slide_need_only_be_said_to_be_so() -> None:
    mirror = turned(30, (900.0, 100.0)) @ np.diag([-1.0, 1.0, 1.0])
    truth = replace(Transform.identity(info(), info()), pieces=(mirror,))
    clicked = np.array([[300.0, 400.0], [1500.0, 900.0]])

    found = from_points(info(), info(), clicked, truth.to_moving(clicked), mirrored=True)

    points = scattered(info())
    assert np.allclose(found.to_moving(points), truth.to_moving(points))


def test_one_pair_shifts_at_true_scale() -> None:
    found = from_points(
        info(mpp=0.5), info(mpp=0.25), np.array([[100.0, 100.0]]), np.array([[250.0, 300.0]])
    )

    assert found.to_moving(np.array([[110.0, 100.0]])).tolist() == [[270.0, 300.0]]


def test_many_pairs_follow_a_bend_between_them() -> None:
    truth = bent(replace(Transform.identity(info(), info()), pieces=(turned(20, (400.0, 0.0)),)))
    a = scattered(info(), 400, seed=1)

    found = from_points(info(), info(), a, truth.to_moving(a))

    inner = scattered(info(), seed=2) * 0.9 + 0.05 * np.array([2000, 1500])
    error = np.linalg.norm(found.to_moving(inner) - truth.to_moving(inner), axis=1)
    assert np.median(error) < 2.0


def test_a_landmark_corrects_its_surroundings_and_leaves_the_far_side_alone() -> None:
    wrong = bent(Transform.identity(info(), info()))
    here, there = np.array([[400.0, 400.0]]), np.array([[1900.0, 1400.0]])
    true = wrong.to_moving(here) + np.array([[25.0, -10.0]])

    better = refined(wrong, here, true)

    assert np.abs(better.to_moving(here) - true).max() < 1.0
    assert np.abs(better.to_moving(there) - wrong.to_moving(there)).max() < 1.0
    assert better.landmarks == ((400.0, 400.0, true[0, 0], true[0, 1]),)
    assert np.abs(better.to_fixed(better.to_moving(here)) - here).max() < 0.5


def test_landmarks_that_contradict_each_other_are_refused() -> None:
    a = np.array([[500.0, 500.0], [600.0, 500.0]])

    with pytest.raises(RegistrationError, match="fold"):
        refined(Transform.identity(info(), info()), a, a[::-1])


@pytest.mark.parametrize(
    ("a", "b", "words"),
    [
        ([], [], "make no pairs"),
        ([[1.0, 2.0]], [[1.0, 2.0], [3.0, 4.0]], "make no pairs"),
        ([[np.nan, 2.0]], [[1.0, 2.0]], "has no place"),
        ([[1.0, 2.0], [1.0, 2.0]], [[1.0, 2.0], [9.0, 2.0]], "same point"),
    ],
)
def test_points_that_make_no_map_are_refused(
    a: list[list[float]], b: list[list[float]], words: str
) -> None:
    with pytest.raises(RegistrationError, match=words):
        from_points(info(), info(), np.array(a), np.array(b))
