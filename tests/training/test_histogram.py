"""The densities of two images as a whole, and squares in which glass counts less."""

import numpy as np
import pytest
import torch
from torch import Tensor

from stainapp.models.optics import optical_density
from training.histogram import MOST_DENSITY, densities, histogram_divergence, soft_histogram
from training.losses import tissue_mse


def picture(seed: int = 0, side: int = 16) -> Tensor:
    chance = torch.Generator().manual_seed(seed)
    return torch.rand(2, 3, side, side, generator=chance) * 2 - 1


def test_densities_are_those_of_the_viewer_up_to_the_last_bin() -> None:
    levels = np.arange(255, dtype=np.uint8)  # 255 itself is a little brighter than white
    image = torch.from_numpy(levels / 127.5 - 1).float().view(1, 1, 1, -1)

    found = densities(image).flatten().numpy()

    expected = np.minimum(optical_density(levels), MOST_DENSITY)
    np.testing.assert_allclose(found, expected, atol=1e-4)


def test_a_narrow_soft_histogram_counts_as_a_hard_one() -> None:
    values = torch.rand(2, 3, 20, 20) * MOST_DENSITY
    bins = 16

    soft = soft_histogram(values, bins, bandwidth=0.002)

    half = MOST_DENSITY / (bins - 1) / 2
    edges = np.linspace(-half, MOST_DENSITY + half, bins + 1)
    hard = np.histogram(values[1, 2].numpy(), edges)[0] / 400
    np.testing.assert_allclose(soft[1, 2].numpy(), hard, atol=5e-3)


def test_all_shares_add_up_to_one() -> None:
    shares = soft_histogram(densities(picture()), 32, 0.1)

    torch.testing.assert_close(shares.sum(-1), torch.ones(2, 3))


def test_the_divergence_minds_which_densities_occur_and_not_where() -> None:
    target = picture()
    moved = target.flatten(2)[..., torch.randperm(256)].view_as(target)

    assert histogram_divergence(moved, target, 32, 0.1).item() == pytest.approx(0, abs=1e-5)
    assert histogram_divergence(target * 0.2, target, 32, 0.1).item() > 0.5


def test_going_down_the_divergence_brings_the_densities_of_the_target() -> None:
    target, made = picture(1), torch.zeros(2, 3, 16, 16).add_(picture(2) * 0.2).requires_grad_()
    optimiser = torch.optim.Adam([made], lr=0.02)
    before = histogram_divergence(made, target, 16, 0.2).item()

    for _ in range(100):
        optimiser.zero_grad()
        histogram_divergence(made, target, 16, 0.2).backward()
        optimiser.step()

    assert made.isfinite().all()
    assert histogram_divergence(made, target, 16, 0.2).item() < before / 5


def test_squares_on_glass_count_as_little_as_they_are_said_to() -> None:
    target = torch.ones(1, 3, 2, 2)
    target[..., 0] = -0.2  # the left half is tissue
    on_tissue, on_glass = target.clone(), target.clone()
    on_tissue[..., 0] += 0.5
    on_glass[..., 1] -= 0.5

    tissue, glass = (tissue_mse(one, target, 0.15, 0.1).item() for one in (on_tissue, on_glass))

    assert tissue == pytest.approx(0.25 * 2 / (2 + 2 * 0.1))
    assert glass == pytest.approx(0.1 * tissue)


def test_what_absorbs_in_one_channel_alone_is_tissue() -> None:
    target = torch.ones(1, 3, 1, 2)
    target[0, 1, 0, 0] = 0.0

    losses = [tissue_mse(target - step, target, 0.15, 0.1) for step in (0.1, 0.2)]

    assert losses[1].item() == pytest.approx(4 * losses[0].item(), rel=1e-5)
    made = target.clone()
    made[..., 0] -= 0.3
    assert tissue_mse(made, target, 0.15, 0.1).item() == pytest.approx(0.09 / 1.1, rel=1e-5)


def test_each_image_of_a_batch_counts_alike_however_much_glass_it_has() -> None:
    target = torch.ones(2, 3, 4, 4)
    target[1] = 0
    made = target - 0.5

    together = tissue_mse(made, target, 0.15, 0.1)

    apart = [tissue_mse(made[n : n + 1], target[n : n + 1], 0.15, 0.1) for n in range(2)]
    assert together.item() == pytest.approx(sum(map(float, apart)) / 2)
