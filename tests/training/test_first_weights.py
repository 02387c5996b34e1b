"""Where teaching begins: what networks give before they have learnt anything."""

from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import nn

from stainapp.models.card import Arch
from stainapp.models.networks import build
from stainapp.runs.methods import METHODS, method_info
from tests.training.methods import images, method_of
from tests.training.recipes import small
from training.first_weights import initialise

RESUNET = Arch(family="resunet", blocks=2, ngf=8, norm="none")
BRIDGE = Arch(family="bridge", in_channels=6, blocks=2, ngf=8, mults=(1, 2), norm="none")
ARCHS = {
    "resnet": Arch(family="resnet", blocks=2, ngf=8),
    "resnet without norms": Arch(family="resnet", blocks=2, ngf=8, norm="none"),
    "unet": Arch(family="unet", downs=5, ngf=8, norm="batch"),
    "resunet": RESUNET,
    "bridge": BRIDGE,
}


def drawn(arch: Arch, seed: int = 1) -> nn.Module:
    return initialise(build(arch), torch.Generator().manual_seed(seed))


def picture() -> torch.Tensor:
    return torch.rand(1, 3, 64, 64, generator=torch.Generator().manual_seed(2)) * 2 - 1


@pytest.mark.parametrize("name", ARCHS)
def test_the_same_chance_draws_the_same_weights(name: str) -> None:
    first, again, other = (drawn(ARCHS[name], seed).state_dict() for seed in (1, 1, 2))

    assert all(torch.equal(first[key], again[key]) for key in first)
    assert any(not torch.equal(first[key], other[key]) for key in first)


def test_a_resunet_begins_near_its_input_and_not_at_it() -> None:
    changed = drawn(RESUNET)(picture()) - picture()

    assert 1e-3 < changed.abs().mean() < 0.2


def test_a_bridge_begins_near_saying_that_nothing_is_off_and_not_at_it() -> None:
    answer = drawn(BRIDGE)(torch.cat([picture(), picture()], dim=1), torch.tensor([500.0]))

    assert 1e-3 < answer.abs().mean() < 0.5


@pytest.mark.parametrize("blocks", [1, 12])
def test_without_norms_no_depth_drowns_or_bursts_the_signal(blocks: int) -> None:
    net = drawn(replace(ARCHS["resnet without norms"], blocks=blocks))

    inside = net.model[:-1](picture())  # type: ignore[index, operator] # a Sequential, untyped

    assert 0.05 < inside.std() < 20


@pytest.mark.parametrize("kind", [info.method for info in METHODS if info.judged_channels])
def test_beside_a_generator_without_norms_no_layer_of_a_judge_answers_by_more_than_it_is_told(
    kind: Any,
) -> None:
    method = method_of(small(kind, network=RESUNET))
    for number in range(20):
        method.step(images(number))

    layers = [
        module
        for name, net in method.networks.items()
        if name.startswith("judge")
        for module in net.modules()
        if isinstance(module, nn.Conv2d)
    ]

    assert len(layers) == 5 * (2 if method_info(kind).both_ways else 1)
    for layer in layers:
        most = torch.linalg.matrix_norm(layer.weight.detach().flatten(1), ord=2)
        assert most.item() == pytest.approx(1, abs=0.1)
