"""Noise that belongs to a place: Gaussian, without pattern, and the same for every tile."""

import numpy as np
import pytest
import torch
from torch import Tensor

from stainapp.models.place_noise import place_noise


def noise(i: int, j: int, width: int, height: int, step: int = 3, seed: int = 0) -> Tensor:
    return place_noise(np.array([[i, j]]), height, width, step=step, seed=seed)[0]


def correlation(a: Tensor, b: Tensor) -> float:
    return float((a.double() * b.double()).mean())


def test_it_is_gaussian() -> None:
    values = noise(12_345, 67_890, 512, 512).double()

    count = values.numel()
    assert abs(float(values.mean())) < 4 / count**0.5
    assert abs(float(values.square().mean()) - 1) < 4 * (2 / count) ** 0.5
    assert abs(float(values.pow(3).mean())) < 4 * (15 / count) ** 0.5
    assert abs(float(values.pow(4).mean()) - 3) < 4 * (96 / count) ** 0.5


def test_neighbours_channels_steps_and_seeds_have_nothing_to_do_with_each_other() -> None:
    here = noise(-100, 5_000, 256, 256)
    most = 4 / here.numel() ** 0.5

    assert abs(correlation(here[:, :, 1:], here[:, :, :-1])) < most
    assert abs(correlation(here[:, 1:], here[:, :-1])) < most
    assert abs(correlation(here[:, 1:, 1:], here[:, :-1, :-1])) < most
    assert abs(correlation(here[0], here[1])) < 2 * most
    assert abs(correlation(here[1], here[2])) < 2 * most
    assert abs(correlation(here, noise(-100, 5_000, 256, 256, step=4))) < most
    assert abs(correlation(here, noise(-100, 5_000, 256, 256, seed=1))) < most
    assert abs(correlation(here, noise(5_000, -100, 256, 256).transpose(1, 2))) < most


def test_tiles_that_overlap_agree_to_the_bit() -> None:
    whole = noise(-40, -30, 200, 150)

    part = noise(10, 20, 64, 48)
    together = place_noise(np.array([[500, 0], [10, 20]]), 48, 64, step=3, seed=0)

    assert torch.equal(part, whole[:, 50:98, 50:114])
    assert torch.equal(part, together[1])


def test_no_two_rows_of_a_large_slide_repeat_each_other() -> None:
    columns = np.array([[i, j] for i in (0, 1 << 17) for j in (0, 1, 255, 256, 65_536, 1 << 17)])

    rows = place_noise(columns, 1, 64, step=0, seed=7)

    assert len({row.numpy().tobytes() for row in rows}) == len(columns)


@pytest.mark.parametrize("seed", [0, 2**62 + 1])
def test_it_repeats(seed: int) -> None:
    assert torch.equal(noise(3, 4, 9, 9, seed=seed), noise(3, 4, 9, 9, seed=seed))
