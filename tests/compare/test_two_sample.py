from dataclasses import replace

import numpy as np
import pytest

from stainapp.compare.two_sample import Budget, Tiles, as_row, balanced, two_sample
from stainapp.errors import StainAppError
from stainapp.slides.reader import RgbImage
from tests.compare.tissue import tiles

QUICK = Budget(steps=40, batch=16)


def sets(virtual: RgbImage, real: RgbImage, name: str) -> Tiles:
    regions = [f"{name} {n // 4}" for n in range(len(virtual))]
    return Tiles(virtual, real, regions, [f"real {one}" for one in regions])


def tinted(images: RgbImage) -> RgbImage:
    pinker: RgbImage = (images * np.array([1.0, 0.75, 1.0])).astype(np.uint8)
    return pinker


def halves(seed: int) -> tuple[RgbImage, RgbImage]:
    """Every other tile of one tissue: two sets that nothing tells apart."""
    every = tiles("H&E", seed)
    return every[::2], every[1::2]


def test_tiles_of_one_kind_cannot_be_told_apart() -> None:
    verdict = two_sample(sets(*halves(1), "a"), sets(*halves(2), "b"), QUICK)

    assert 0.3 < verdict.accuracy.estimate < 0.7
    assert verdict.accuracy.n == 36
    assert verdict.accuracy.clustered


def test_a_tint_is_found_out() -> None:
    learned, unseen = ((tinted(tiles("H&E", seed)), tiles("H&E", seed)) for seed in (1, 2))

    verdict = two_sample(sets(*learned, "a"), sets(*unseen, "b"), replace(QUICK, steps=60))

    assert verdict.accuracy.estimate > 0.9
    assert verdict.scores[:36].mean() > verdict.scores[36:].mean()
    row = as_row("model", verdict)
    assert (row.estimate, row.better) == (verdict.accuracy.estimate, "lower")


def test_the_same_seed_gives_the_same_verdict() -> None:
    learned, unseen = ((first[:8], second[:8]) for first, second in (halves(1), halves(2)))
    arguments = sets(*learned, "a"), sets(*unseen, "b"), replace(QUICK, steps=4)

    first, second = two_sample(*arguments), two_sample(*arguments)

    assert first.accuracy == second.accuracy
    np.testing.assert_array_equal(first.scores, second.scores)


def test_larger_tiles_are_cut_rather_than_shrunk() -> None:
    large = np.concatenate([tiles("H&E", 1, side=256, count=8)] * 2)

    verdict = two_sample(
        sets(large[:8], large[8:], "a"), sets(*halves(2), "b"), replace(QUICK, steps=1)
    )

    assert verdict.trained_on == 4 * 16


def test_more_tiles_of_one_kind_do_not_make_guessing_pay() -> None:
    always_real = np.array([[False, True]] * 10 + [[True, False]] * 90)

    assert balanced(always_real) == 0.5


def test_a_region_that_was_learned_from_is_not_asked_about() -> None:
    with pytest.raises(StainAppError, match="Region a 0 is among"):
        two_sample(sets(*halves(1), "a"), sets(*halves(2), "a"), QUICK)


def test_tiles_that_are_too_small_are_refused() -> None:
    first, second = (half[:, :64, :64] for half in halves(1))

    with pytest.raises(StainAppError, match="at least 128 px"):
        two_sample(sets(first, second, "a"), sets(*halves(2), "b"), QUICK)
