"""Patches: where they lie, how they are described, and how badly they are told apart."""

import math
from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F  # noqa: N812 - the name PyTorch's own documentation gives it
from torch import Tensor

from stainapp.errors import RecipeError
from stainapp.models.card import Arch
from stainapp.models.networks import build
from training.patch_nce import Encoder, Heads, Places, adaptive_weights, info_nce, patch_nce

RESNET = Arch(family="resnet", blocks=6, ngf=4)
FAMILIES = {
    "strided": RESNET,
    "antialiased": replace(RESNET, downsampling="antialias", upsampling="antialias"),
    "without norms": replace(RESNET, norm="none", blocks=2),
    "one block": replace(RESNET, blocks=1),
    "resunet": Arch(family="resunet", blocks=6, ngf=4, norm="none"),
    "unet": Arch(family="unet", downs=5, ngf=4),
}
SEEN = {
    "strided": [(3, 64), (8, 32), (16, 16), (16, 16), (16, 16)],
    "antialiased": [(3, 64), (8, 64), (16, 32), (16, 16), (16, 16)],
    "without norms": [(3, 64), (8, 32), (16, 16), (16, 16), (16, 16)],
    "one block": [(3, 64), (8, 32), (16, 16), (16, 16)],
    "resunet": [(3, 64), (8, 32), (16, 16), (16, 16), (16, 16)],
    "unet": [(3, 64), (4, 32), (8, 16), (16, 8), (32, 4)],
}
"""Channels and side of what is compared in a tile of 64 px."""


def drawn(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def descriptions(seed: int = 0) -> Tensor:
    return F.normalize(drawn(2, 8, 16, seed=seed), dim=-1)


def test_the_loss_of_two_patches_is_the_entropy_worked_out_by_hand() -> None:
    query = torch.tensor([[[1.0, 0.0], [0.6, 0.8]]])
    key = torch.tensor([[[0.8, 0.6], [0.0, 1.0]]])

    loss = info_nce(query, key, temperature=0.5)

    cosines = [[0.8, 0.0], [0.96, 0.8]]
    expected = [
        -math.log(math.exp(row[n] / 0.5) / sum(math.exp(one / 0.5) for one in row))
        for n, row in enumerate(cosines)
    ]
    assert loss.tolist() == [pytest.approx(expected, rel=1e-5)]


def test_no_keys_are_better_than_the_queries_themselves() -> None:
    query = descriptions()
    own = patch_nce([query], [query], 0.07)

    others = [descriptions(seed=1), query.roll(1, dims=1), F.normalize(query + 0.3, dim=-1)]

    assert all(patch_nce([query], [key], 0.07) > own for key in others)


def test_patches_that_cannot_be_told_apart_cost_as_much_as_guessing() -> None:
    same = F.normalize(torch.ones(1, 8, 4), dim=-1)

    assert patch_nce([same], [same], 0.07).item() == pytest.approx(math.log(8), rel=1e-5)


def test_layers_count_alike_however_many_patches_they_have() -> None:
    few, many = (F.normalize(drawn(1, n, 4, seed=n), dim=-1) for n in (3, 30))

    both = patch_nce([few, many], [few, many], 0.1)

    apart = [patch_nce([one], [one], 0.1).item() for one in (few, many)]
    assert both.item() == pytest.approx(sum(apart) / 2, rel=1e-5)


@pytest.mark.parametrize("even", [1.0, 0.4, 0.0])
def test_adaptive_weights_go_from_even_to_the_likeness_of_the_pair(even: float) -> None:
    alike = torch.tensor([[0.9, 0.3, -0.5, 0.0], [0.1, 0.1, 0.1, 0.1]])

    weights = adaptive_weights(alike, even)

    raw = [even + (1 - even) * max(one, 0) for one in (0.9, 0.3, -0.5, 0.0)]
    assert weights[0].tolist() == pytest.approx([one * 4 / sum(raw) for one in raw], rel=1e-5)
    assert weights[1].tolist() == pytest.approx([1, 1, 1, 1], rel=1e-5)


def test_pairs_of_which_no_patch_is_alike_teach_nothing_and_break_nothing() -> None:
    query = descriptions()

    assert patch_nce([query], [-query], 0.07, even=0.0).item() == 0.0


def test_a_patch_that_fits_weighs_more_in_the_loss() -> None:
    query, key = descriptions(0), descriptions(1)

    weighed = patch_nce([query], [key], 0.07, even=0.25)

    weights = adaptive_weights((query * key).sum(-1), 0.25)
    expected = (weights * info_nce(query, key, 0.07)).mean()
    assert weighed.item() == pytest.approx(expected.item(), rel=1e-6)
    assert weighed.item() != pytest.approx(patch_nce([query], [key], 0.07).item(), rel=1e-3)


def test_places_depend_on_the_seed_and_the_number_of_the_image_alone() -> None:
    together = Places(7, (4, 5), patches=20).at(2, 12, 16)

    alone = [Places(7, (number,), patches=20).at(2, 12, 16) for number in (4, 5)]
    others = [
        Places(8, (4,), patches=20).at(2, 12, 16),
        Places(7, (6,), patches=20).at(2, 12, 16),
        Places(7, (4,), patches=20).at(3, 12, 16),
    ]
    assert torch.equal(together, torch.cat(alone))
    assert not any(torch.equal(together[:1], other) for other in others)
    assert all(len(set(row.tolist())) == 20 for row in together)
    assert 0 <= together.min() <= together.max() < 12 * 16


def test_a_small_layer_gives_the_places_it_has() -> None:
    assert sorted(Places(0, (1,), patches=256).at(0, 2, 3)[0].tolist()) == [0, 1, 2, 3, 4, 5]


def test_mirrored_places_show_the_same_in_a_mirrored_image() -> None:
    image = drawn(2, 3, 6, 8).flatten(2)
    mirrored = drawn(2, 3, 6, 8).flip(3).flatten(2)

    straight = Places(0, (1, 2), patches=9).at(0, 6, 8)
    across = Places(0, (1, 2), patches=9, mirrored=(False, True)).at(0, 6, 8)

    assert torch.equal(straight[0], across[0])
    assert torch.equal(image[1][:, straight[1]], mirrored[1][:, across[1]])


@pytest.mark.parametrize("name", FAMILIES)
def test_what_is_compared_is_what_the_encoder_gives(name: str) -> None:
    net = build(FAMILIES[name])
    everywhere = Places(0, (0, 1), patches=10**6)
    images = drawn(2, 3, 64, 64)

    with torch.no_grad():
        found = Encoder(net)(images, everywhere)
        net(images)

    assert [(one.shape[2], math.isqrt(one.shape[1])) for one in found] == SEEN[name]
    assert Encoder(net).channels == [channels for channels, _ in SEEN[name]]
    order = everywhere.at(0, 64, 64)
    for n in range(2):
        assert torch.equal(found[0][n], images[n].flatten(1)[:, order[n]].T)


@pytest.mark.parametrize("name", ["without norms", "antialiased"])
def test_features_are_those_before_the_next_layer_changes_them(name: str) -> None:
    net = build(FAMILIES[name])
    places = Places(0, (0,), patches=50)
    images = drawn(1, 3, 64, 64)
    seen: list[Tensor] = []
    convolution = [m for m in net.modules() if isinstance(m, torch.nn.Conv2d)][1]
    convolution.register_forward_hook(lambda _m, _x, made: seen.append(made.detach().clone()))

    with torch.no_grad():
        found = Encoder(net)(images, places)[1]

    height, width = seen[0].shape[2:]
    assert torch.equal(found[0], seen[0][0].flatten(1)[:, places.at(1, height, width)[0]].T)
    assert found.min() < 0


def test_several_batches_are_looked_at_in_the_same_places() -> None:
    encoder, places = Encoder(build(FAMILIES["strided"])), Places(0, (3, 4), patches=5)
    images = drawn(2, 3, 64, 64)

    with torch.no_grad():
        once, twice = encoder(images, places), encoder(torch.cat([images, images]), places)

    for one, two in zip(once, twice, strict=True):
        torch.testing.assert_close(two, torch.cat([one, one]))


def test_descriptions_have_length_one_and_full_precision() -> None:
    heads = Heads([3, 8], torch.Generator().manual_seed(0))

    with torch.autocast("cpu", dtype=torch.bfloat16):
        given = heads([drawn(2, 5, 3).bfloat16(), drawn(2, 5, 8).bfloat16()])

    for one in given:
        assert one.dtype == torch.float32
        torch.testing.assert_close(one.norm(dim=-1), torch.ones(2, 5))


def test_a_pixelwise_network_is_refused_in_one_sentence() -> None:
    with pytest.raises(RecipeError, match=r'set network\.family to "resnet"') as refused:
        Encoder(build(Arch(family="pixel")))

    assert str(refused.value).count(". ") == 0
