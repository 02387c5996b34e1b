"""What holds for a step of every method, and for the judges within."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from stainapp.models.card import Arch
from stainapp.runs.methods import METHODS
from tests.training.methods import images, method_of, weights
from tests.training.recipes import SMALL_RESNET, SMALL_RESUNET, small
from training.augment import diff_augment
from training.discriminators import PatchDiscriminator
from training.method import LEAST_SCALE, NotFiniteError, learn, rate_share

NAMES = [info.method for info in METHODS]
JUDGED = [info.method for info in METHODS if info.judged_channels]
UNET = Arch(family="unet", ngf=4, norm="batch", downs=5)


@pytest.mark.parametrize("kind", NAMES)
def test_a_step_changes_every_weight_that_learns(kind: Any) -> None:
    method = method_of(small(kind))
    before = weights(method)

    method.step(images())

    after = weights(method)
    # the shift before an instance norm is taken out again by it: nothing to learn from
    same = [key for key in before if torch.equal(before[key], after[key])]
    assert all(key.endswith("bias") for key in same), same


@pytest.mark.parametrize("network", [SMALL_RESNET, SMALL_RESUNET])
@pytest.mark.parametrize("kind", NAMES)
def test_a_step_depends_on_no_chance_but_its_own(kind: Any, network: Arch) -> None:
    results = []
    for seed in (1, 2):
        torch.manual_seed(seed)
        np.random.seed(seed)  # noqa: NPY002 - the state that must not matter
        method = method_of(small(kind, network=network, diffaugment=True))
        for number in range(5):
            method.step(images(number))
        results.append(weights(method))

    assert all(torch.equal(results[0][key], results[1][key]) for key in results[0])


@pytest.mark.parametrize("kind", NAMES)
@pytest.mark.parametrize("poisoned", ["source", "target"])
def test_an_image_of_no_numbers_stops_the_learning_before_a_weight_is_spoiled(
    kind: Any, poisoned: str
) -> None:
    method = method_of(small(kind))
    batch = images()
    getattr(batch, poisoned)[0, 0, 0, 0] = float("nan")

    with pytest.raises(NotFiniteError, match=r"lower training\.rate") as caught:
        method.step(batch)

    assert str(caught.value).count(". ") == 0
    assert all(bool(value.isfinite().all()) for value in weights(method).values())


@pytest.mark.parametrize("kind", JUDGED)
def test_a_batch_norm_learns_from_real_and_generated_images_apart(kind: Any) -> None:
    method = method_of(small(kind, network=UNET))

    losses = method.step(images(count=2, side=64))

    counted = [v.item() for k, v in weights(method).items() if k.startswith("judge-target")
               and k.endswith("num_batches_tracked")]  # fmt: skip
    assert set(counted) == {3}  # one look of the generator's, two of its own
    assert all(bool(loss.isfinite()) for loss in losses.values())


@pytest.mark.parametrize(("ends", "minded"), [(0, [0, 1, 2]), (2, [0, 1])])
def test_the_identity_loss_guides_the_beginning_or_all(ends: int, minded: list[int]) -> None:
    recipe = small("cyclegan")
    method = method_of(replace(recipe, losses=replace(recipe.losses, identity_images=ends)))

    losses = [method.step(images(number)) for number in range(3)]

    assert [number for number, one in enumerate(losses) if "identity target" in one] == minded


class OverflowingScaler:
    """Stands in for torch's: every step overflows, and is skipped."""

    def __init__(self, scale: float) -> None:
        self.held = scale

    def is_enabled(self) -> bool:
        return True

    def get_scale(self) -> float:
        return self.held

    def scale(self, loss: torch.Tensor) -> torch.Tensor:
        return loss * float("inf")

    def step(self, optimiser: torch.optim.Optimizer) -> None:
        """Skip it."""


def test_a_step_skipped_for_fp16_is_no_failure_until_no_scale_helps() -> None:
    weight = torch.nn.Parameter(torch.ones(1))
    optimiser = torch.optim.Adam([weight])
    scaler: Any = OverflowingScaler(LEAST_SCALE)

    learn((weight * 2).sum(), optimiser, scaler)
    scaler.held = LEAST_SCALE / 2
    with pytest.raises(NotFiniteError):
        learn((weight * 2).sum(), optimiser, scaler)

    assert weight.item() == 1.0


def test_the_rate_is_constant_and_then_falls_to_nothing_by_images() -> None:
    assert [rate_share(n, 100, None) for n in (0, 49, 50, 75, 100)] == [1, 1, 1, 0.5, 0]
    assert [rate_share(n, 100, 80) for n in (79, 90)] == [1, 0.5]
    assert [rate_share(n, 100, 100) for n in (0, 99)] == [1, 1]


def test_one_score_looks_at_seventy_pixels_across() -> None:
    judge = PatchDiscriminator(3, ndf=4, norm="none")
    picture = torch.rand(1, 3, 160, 160, requires_grad=True)

    judge(picture)[0, 0, 8, 9].backward()

    assert picture.grad is not None
    seen = picture.grad[0].abs().sum(0) > 0
    rows, columns = seen.any(1).nonzero().flatten(), seen.any(0).nonzero().flatten()
    assert rows[-1] - rows[0] + 1 == columns[-1] - columns[0] + 1 == 70


def test_real_and_generated_images_of_one_number_are_disturbed_alike() -> None:
    real = images(3, count=2).source

    pair = diff_augment(torch.cat([real, real], dim=1), 3, seed=1, stream=0)
    alone = diff_augment(real, 3, seed=1, stream=0)
    second = diff_augment(real[1:], 4, seed=1, stream=0)

    assert torch.equal(pair[:, 3:], pair[:, :3])
    assert torch.equal(alone[1:], second)
    assert not torch.equal(alone, diff_augment(real, 3, seed=1, stream=1))
    assert not torch.equal(alone, diff_augment(real, 5, seed=1, stream=0))


def test_a_disturbance_lets_gradients_through() -> None:
    picture = images().source.requires_grad_()

    diff_augment(picture, 0, seed=1, stream=0).square().sum().backward()

    assert picture.grad is not None
    assert (picture.grad.abs() > 0).float().mean() > 0.5
