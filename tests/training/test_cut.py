"""One generator held to its source by patches: what CUT, FastCUT and ASP do in their steps."""

from contextlib import closing
from dataclasses import replace
from typing import Any

import pytest
import torch

from stainapp.models.card import Arch
from stainapp.runs.recipe_losses import losses_of
from tests.training.methods import images, method_of, weights
from tests.training.recipes import SMALL_RESNET, SMALL_RESUNET, small
from training.cut import falling
from training.datasets import Dataset
from training.method import Images
from training.patch_nce import patch_nce
from training.tensors import to_network

KINDS = ("cut", "fastcut", "asp")
TAUGHT_BY = {
    "cut": {"adversarial target", "nce", "identity nce", "judge target"},
    "fastcut": {"adversarial target", "nce", "judge target"},
    "asp": {"adversarial target", "nce", "supervised nce", "l1", "judge target"},
}
UNET = Arch(family="unet", ngf=4, downs=5)


@pytest.mark.parametrize("kind", KINDS)
def test_each_method_is_taught_by_its_papers_losses(kind: Any) -> None:
    losses = method_of(small(kind)).step(images())

    assert set(losses) == TAUGHT_BY[kind]


@pytest.mark.parametrize("network", [SMALL_RESNET, SMALL_RESUNET, replace(UNET, norm="batch")])
@pytest.mark.parametrize("kind", KINDS)
def test_every_family_with_an_encoder_can_be_taught(kind: Any, network: Arch) -> None:
    losses = method_of(small(kind, network=network)).step(images(count=2, side=64))

    assert all(bool(loss.isfinite()) for loss in losses.values())


@pytest.mark.parametrize("kind", KINDS)
def test_a_weight_doubled_doubles_its_loss(kind: Any) -> None:
    once = losses_of(kind)
    twice = replace(
        once,
        adversarial=2 * once.adversarial,
        nce=2 * once.nce,
        nce_identity=2 * once.nce_identity,
        supervised_nce=2 * once.supervised_nce,
        l1=2 * once.l1,
    )

    one, two = (method_of(small(kind, losses=one)).step(images()) for one in (once, twice))

    for name in TAUGHT_BY[kind] - {"judge target"}:
        assert two[name].item() == pytest.approx(2 * one[name].item(), rel=1e-4), name


def test_bf16_leaves_no_weight_untaught() -> None:
    """Autocast keeps weights it has cast, and to those cast where nothing learns none leads."""
    method = method_of(small("cut"), "bf16")
    before = weights(method)

    method.step(images())

    after = weights(method)
    same = [key for key in before if torch.equal(before[key], after[key])]
    assert all(key.endswith("bias") for key in same), same


def nce_of(images_: Images, *, flips: bool, symmetric: bool) -> float:
    losses = replace(losses_of("fastcut"), flip_equivariance=flips)
    method = method_of(small("fastcut", network=UNET, losses=losses))
    if symmetric:
        with torch.no_grad():
            for weight in method.generators["forward"].parameters():
                if weight.ndim == 4:
                    weight.copy_((weight + weight.flip(3)) / 2)
    return method.step(images_)["nce"].item()


def test_mirroring_costs_nothing_where_the_generator_knows_no_left_and_right() -> None:
    for number in range(6):
        picture = images(number, side=64)
        straight, either = (nce_of(picture, flips=f, symmetric=True) for f in (False, True))
        assert either == pytest.approx(straight, rel=1e-3)


def test_mirroring_costs_where_the_generator_treats_left_and_right_differently() -> None:
    pairs = [
        [nce_of(images(number, side=64), flips=f, symmetric=False) for f in (False, True)]
        for number in range(6)
    ]

    mirrored = [abs(either / straight - 1) > 1e-3 for straight, either in pairs]

    assert any(mirrored)
    assert not all(mirrored)  # about half are


def test_the_target_of_a_pair_counts_by_likeness_as_the_rate_falls(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    shares: list[float] = []

    def noting(queries: Any, keys: Any, temperature: float, *even: float) -> torch.Tensor:
        shares.extend(even)
        return patch_nce(queries, keys, temperature, *even)

    monkeypatch.setattr("training.cut.patch_nce", noting)
    method = method_of(small("asp", images=8, constant_images=4))

    for number in range(8):
        method.step(images(number))

    assert shares == [1, 1, 1, 1, 1, 0.75, 0.5, 0.25]


def test_coarser_octaves_of_pairs_that_do_not_meet_weigh_more() -> None:
    sixths = [1 / 64, 1 / 32, 1 / 16, 1 / 8, 1 / 4, 1]

    assert falling(5) == pytest.approx([one / 6 for one in sixths])
    assert falling(0) == [1.0]


@pytest.mark.parametrize(
    ("kind", "lower"), [("cut", ["nce"]), ("fastcut", ["nce"]), ("asp", ["nce", "supervised nce"])]
)
def test_a_few_steps_on_the_phantom_lower_the_loss(kind: Any, lower: list[str]) -> None:
    recipe = small(kind, images=400)
    with closing(Dataset(recipe)) as data:
        tiles = data.batch(0, 2)
    source, target = (to_network(side, "cpu") for side in (tiles.source, tiles.target))
    method = method_of(recipe)

    steps = [method.step(Images(source, target, first=2 * n, offset=0)) for n in range(25)]

    for name in lower:
        values = [step[name].item() for step in steps]
        assert sum(values[-4:]) < 0.9 * sum(values[:4]), name
