import math
from itertools import pairwise

import pytest
import torch
from torch import nn

from training.losses import gan_loss, judge_loss, l1, pyramid_l1


def test_least_squares_are_the_mean_squared_distance_from_one_or_zero() -> None:
    scores = torch.tensor([[1.0, 0.5], [-1.0, 2.0]])

    assert gan_loss(scores, "lsgan", real=True).item() == pytest.approx((0 + 0.25 + 4 + 1) / 4)
    assert gan_loss(scores, "lsgan", real=False).item() == pytest.approx((1 + 0.25 + 1 + 4) / 4)


def test_cross_entropy_is_that_of_the_logistic_function() -> None:
    scores = torch.tensor([0.7, -1.2])

    real = sum(math.log(1 + math.exp(-x)) for x in (0.7, -1.2)) / 2
    made = sum(math.log(1 + math.exp(x)) for x in (0.7, -1.2)) / 2

    assert gan_loss(scores, "bce", real=True).item() == pytest.approx(real, rel=1e-5)
    assert gan_loss(scores, "bce", real=False).item() == pytest.approx(made, rel=1e-5)


def test_losses_of_halves_are_computed_in_full_precision() -> None:
    large = torch.full((4,), 300.0, dtype=torch.float16)

    assert gan_loss(large, "lsgan", real=False).item() == 90_000.0
    assert l1(large, -large).dtype == torch.float32


def test_l1_is_the_mean_absolute_difference() -> None:
    assert l1(torch.tensor([1.0, -1.0]), torch.tensor([0.0, 2.0])).item() == 2.0


def test_each_octave_of_even_images_costs_as_much_as_the_whole() -> None:
    a, b = torch.zeros(1, 3, 32, 32), torch.full((1, 3, 32, 32), 0.25)

    assert pyramid_l1(a, b, [1]).item() == pytest.approx(0.25)
    assert pyramid_l1(a, b, [1] * 5).item() == pytest.approx(5 * 0.25, rel=1e-5)


def test_a_small_shift_costs_less_from_octave_to_octave() -> None:
    chance = torch.Generator().manual_seed(0)
    image = torch.rand(1, 3, 64, 64, generator=chance)
    shifted = image.roll(1, dims=3)

    totals = [pyramid_l1(image, shifted, [1] * octaves).item() for octaves in range(1, 5)]
    added = [b - a for a, b in pairwise(totals)]

    assert totals[0] > added[0] > added[1] > added[2] > 0


@pytest.mark.parametrize("norm", [nn.Identity(), nn.BatchNorm2d(1)])
def test_a_judge_is_blamed_for_half_of_both_errors_with_kinds_never_mixed(norm: nn.Module) -> None:
    judge = nn.Sequential(nn.Conv2d(3, 1, 1), norm)
    real, made = torch.full((2, 3, 4, 4), 0.5), torch.full((2, 3, 4, 4), -0.5)

    loss = judge_loss(judge, real, made, "lsgan")

    apart = gan_loss(judge(real), "lsgan", real=True) + gan_loss(judge(made), "lsgan", real=False)
    assert loss.item() == pytest.approx(apart.item() / 2, rel=1e-5)
