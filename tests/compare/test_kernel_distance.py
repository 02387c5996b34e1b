import warnings

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from stainapp.compare import texture
from stainapp.compare.frechet import plain_frechet
from stainapp.compare.kernel_distance import kernel_distance, kernel_interval, standardised
from stainapp.compare.set_rows import inception_score
from stainapp.errors import StainAppError
from tests.compare.tissue import tiles


def normal(count: int, seed: int, width: int = 6) -> NDArray[np.float64]:
    return np.random.default_rng(seed).normal(0, 1, (count, width))


class AsItIs(torch.nn.Module):
    """Gives back the features that it is given as pictures."""

    num_features = 6

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x


def test_equal_populations_are_no_distance_apart_whatever_the_number_of_tiles() -> None:
    few = [kernel_distance(normal(12, n), normal(12, 1000 + n)) for n in range(200)]

    assert abs(float(np.mean(few))) < 3 * float(np.std(few)) / np.sqrt(200)
    assert min(few) < 0 < max(few)


def test_the_distance_grows_with_a_shift() -> None:
    rows, other = normal(100, 1), normal(100, 2)

    found = [kernel_distance(rows, other + shift) for shift in (0, 0.3, 0.6, 1.2)]

    assert found == sorted(found)
    assert found[1] > 5 * abs(found[0])


def test_two_by_two_is_what_a_hand_computes() -> None:
    # One feature: k(x, y) = (x y + 1) ** 3. Eight tiles, as no set may have fewer.
    first, second = np.tile([[1.0], [0.0]], (4, 1)), np.full((8, 1), 2.0)

    # Of 28 pairs in the first 6 are of ones (8), the rest 1. All of the second are 125.
    within, across = (6 * 8 + 22 * 1) / 28, (27 + 1) / 2
    assert kernel_distance(first, second) == pytest.approx(within + 125 - 2 * across)


def test_another_stain_is_farther_than_other_tissue() -> None:
    real, other, pas = (
        texture.features(tiles(stain, seed)) for stain, seed in (("H&E", 1), ("H&E", 2), ("PAS", 2))
    )

    near, far = (kernel_distance(*standardised(real, one)) for one in (other, pas))

    assert far > 10 * abs(near)


def test_the_interval_holds_the_distance_and_repeats() -> None:
    rows, other = normal(80, 1), normal(80, 2) + 0.5
    regions = [str(n // 8) for n in range(80)]

    found = kernel_interval(rows, other, regions, regions)

    assert found.low < found.estimate < found.high
    assert found.estimate == pytest.approx(kernel_distance(rows, other))
    assert (found.n, found.clusters, found.clustered) == (80, 10, True)
    assert found == kernel_interval(rows, other, regions, regions)


def test_a_region_of_one_tile_drawn_alone_leaves_the_interval_finite() -> None:
    regions = ["a"] + ["b"] * 9

    found = kernel_interval(normal(10, 1), normal(10, 2), regions, regions)

    assert np.isfinite([found.low, found.high]).all()


def test_too_few_tiles_are_refused() -> None:
    with pytest.raises(StainAppError, match="at least 8 tiles"):
        kernel_distance(normal(7, 0), normal(50, 0))


def test_fid_kid_and_is_are_those_of_torchmetrics() -> None:
    from torchmetrics.image.fid import FrechetInceptionDistance
    from torchmetrics.image.inception import InceptionScore
    from torchmetrics.image.kid import KernelInceptionDistance

    first, second = normal(40, 1), 1.5 * normal(40, 2) + 0.3
    real, made = torch.from_numpy(first), torch.from_numpy(second)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that all features are kept, and one split has no spread
        fid = FrechetInceptionDistance(AsItIs()).set_dtype(torch.float64)
        kid = KernelInceptionDistance(AsItIs(), subsets=1, subset_size=40)
        score = InceptionScore(AsItIs(), splits=1)
        for metric in (fid, kid):
            metric.update(real, real=True)
            metric.update(made, real=False)
        score.update(made)
        theirs = float(fid.compute()), float(kid.compute()[0]), float(score.compute()[0])

    probabilities = made.softmax(dim=1).numpy()
    ours = plain_frechet(first, second), kernel_distance(first, second)
    assert (*ours, inception_score(probabilities)) == pytest.approx(theirs)


def test_fid_is_the_same_of_more_tiles_than_features_and_of_fewer() -> None:
    # Features that never vary change nothing but which of both there are more of.
    few, other = normal(20, 1), normal(20, 2) + 1
    wide = np.zeros((20, 30))

    assert plain_frechet(few, other) == pytest.approx(
        plain_frechet(np.hstack([few, wide]), np.hstack([other, wide]))
    )


def test_the_inception_score_lies_between_one_and_the_number_of_classes() -> None:
    assert inception_score(np.full((8, 4), 0.25)) == pytest.approx(1)
    assert inception_score(np.tile(np.eye(4), (2, 1))) == pytest.approx(4)
