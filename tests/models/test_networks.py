"""The generators' shapes and reach, and norms that belong to the slide."""

from dataclasses import replace
from threading import Event, Thread

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from stainapp.cancel import CancelToken
from stainapp.errors import Cancelled, ModelError
from stainapp.models.card import Arch
from stainapp.models.networks import build, receptive_halo, tiling
from stainapp.models.slide_norm import (
    SlideNorm,
    calibrating,
    freeze_norms,
    set_statistics,
    statistics,
)

RESNET = Arch(family="resnet", ngf=4, blocks=2)
ANTIALIASED = replace(RESNET, downsampling="antialias", upsampling="antialias")
RESUNET = Arch(family="resunet", ngf=4, blocks=2)
UNET = Arch(family="unet", ngf=4, downs=5, norm="batch")
PIXEL = Arch(family="pixel", ngf=8, norm="none")
ARCHS = {
    "resnet": RESNET,
    "resnet batch dropout": replace(RESNET, norm="batch", dropout=True),
    "resnet zero": replace(RESNET, padding="zero"),
    "resnet replicate": replace(RESNET, padding="replicate"),
    "resnet resize": replace(RESNET, upsampling="resize"),
    "resnet antialias": ANTIALIASED,
    "resnet grey": replace(RESNET, in_channels=1),
    "resunet": RESUNET,
    "resunet no norm": replace(RESUNET, norm="none"),
    "unet": UNET,
    "unet instance dropout": replace(UNET, norm="instance", dropout=True, downs=7),
    "pixel": PIXEL,
    "pixel deep": replace(PIXEL, layers=5),
}


def seeded(arch: Arch) -> nn.Module:
    torch.manual_seed(3)
    return build(arch)


def tiles(count: int = 2, side: int = 64, channels: int = 3) -> Tensor:
    generator = torch.Generator().manual_seed(4)
    return torch.rand(count, channels, side, side, generator=generator) * 2 - 1


@pytest.mark.parametrize("name", ARCHS)
def test_a_generator_keeps_the_size_of_its_tile_and_the_value_range(name: str) -> None:
    arch = ARCHS[name]
    side = max(64, tiling(arch)[2])

    with torch.inference_mode():
        answer = build(arch)(tiles(side=side, channels=arch.in_channels))

    assert answer.shape == (2, 3, side, side)
    assert answer.abs().max() <= 1 or arch.family in ("pixel", "resunet")


@pytest.mark.parametrize(
    ("arch", "radius", "millions"),
    [
        (Arch(family="resnet", blocks=9), 84, 11.378),
        (Arch(family="resnet", blocks=6), 60, 7.838),
        (Arch(family="resnet", blocks=9, norm="batch"), 84, 11.383),
        (replace(ANTIALIASED, blocks=9, ngf=64), 93, 11.378),
        (replace(ANTIALIASED, blocks=6, ngf=64), 69, 7.838),
        (Arch(family="pixel", ngf=32), 0, 0.001),
        (Arch(family="unet", norm="batch"), 1020, 54.414),
        (Arch(family="unet", norm="batch", ngf=32), 1020, 13.608),
        (Arch(family="unet", norm="batch", downs=9), 2044, 66.999),
    ],
)
def test_reach_and_size_are_those_of_the_published_networks(
    arch: Arch, radius: int, millions: float
) -> None:
    with torch.device("meta"):
        parameters = sum(parameter.numel() for parameter in build(arch).parameters())

    assert receptive_halo(arch) == radius
    assert round(parameters / 1e6, 3) == millions


@pytest.mark.parametrize(
    ("arch", "exact"),
    [(RESNET, True), (ANTIALIASED, True), (replace(RESNET, upsampling="resize"), False),
     (RESUNET, True), (PIXEL, True), (UNET, False)],
)  # fmt: skip
def test_no_pixel_beyond_the_theoretical_radius_matters(arch: Arch, exact: bool) -> None:
    network = build(replace(arch, norm="none")).double()
    for parameter in network.parameters():  # all positive and small: nothing can cancel out
        weight = 1.0 / parameter[0].numel() if parameter.dim() > 1 else 0.0
        nn.init.constant_(parameter, weight)
    radius = receptive_halo(arch)
    side = 16 * (2 * radius // 16 + 4)
    side += -side % tiling(arch)[2]
    centre = side // 2
    reach = 0

    for pixel in range(centre, centre + 4):  # the reach differs with the pixel's phase
        picture = torch.full((1, 3, side, side), 0.01, dtype=torch.float64, requires_grad=True)
        network(picture)[0, :, pixel, pixel].sum().backward()
        assert picture.grad is not None
        seen = picture.grad.abs().sum(dim=(0, 1, 2)).nonzero().flatten()
        reach = max(reach, pixel - int(seen.min()), int(seen.max()) - pixel)

    assert reach <= radius
    assert not exact or reach == radius


@pytest.mark.parametrize("name", ["resnet", "resnet antialias", "resnet resize", "resunet"])
def test_a_resnet_tile_with_its_halo_equals_the_whole_within_a_grey_level(name: str) -> None:
    arch = replace(ARCHS[name], blocks=9)
    network = freeze_norms(seeded(arch))
    for module in network.modules():  # a gain at which the input is not drowned by the bias
        if isinstance(module, (nn.Conv2d, nn.ConvTranspose2d)):
            nn.init.kaiming_normal_(module.weight)
    picture = tiles(count=1, side=288)
    halo = tiling(arch)[1]
    low, high = 144 - halo - 32, 144 + halo + 32
    low, high = low - low % 4, high + -high % 4

    with torch.inference_mode():
        with calibrating(network):
            network(picture)
        whole = network(picture)[..., 112:176, 112:176]
        cut = network(picture[..., low:high, low:high])
    part = cut[..., 112 - low : 176 - low, 112 - low : 176 - low]

    assert whole.std() > 0.2
    assert (part - whole).abs().max() * 127.5 < 1


@pytest.mark.parametrize("name", ARCHS)
def test_the_tiling_fits_a_card(name: str) -> None:
    arch = ARCHS[name]

    tile, halo, multiple, blend = tiling(arch)

    assert tile % multiple == 0
    assert 2 * halo < tile
    assert (tile - 2 * halo) % 4 == 0
    assert blend == ("overlap" if arch.family == "unet" else "crop")


@pytest.mark.parametrize("norm", ["instance", "batch"])
def test_calibrated_norms_give_what_the_batch_itself_would(norm: str) -> None:
    arch = replace(RESNET, norm=norm)  # type: ignore[arg-type] # one of the two
    picture = tiles(count=4 if norm == "batch" else 1)
    plain = seeded(arch).train(norm == "batch")
    network = freeze_norms(seeded(arch))

    with torch.inference_mode():
        expected = plain(picture)
        with calibrating(network):
            while_calibrating = network(picture)
        afterwards = network(picture)

    torch.testing.assert_close(while_calibrating, expected, atol=1e-5, rtol=0)
    torch.testing.assert_close(afterwards, expected, atol=1e-5, rtol=0)


def test_calibration_pools_the_batch_as_one_picture() -> None:
    norm = freeze_norms(nn.Sequential(nn.InstanceNorm2d(3)))
    batch = torch.cat([tiles(count=3), 5 + 2 * tiles(count=1)])

    with calibrating(norm):
        norm(batch)

    pooled = batch.transpose(0, 1).flatten(1)
    kept = statistics(norm)
    np.testing.assert_allclose(kept["0.mean"], pooled.mean(1), rtol=1e-5)
    np.testing.assert_allclose(kept["0.var"], pooled.var(1, correction=0), rtol=1e-5)


def test_frozen_norms_treat_a_tile_alone_as_among_others() -> None:
    network = freeze_norms(seeded(RESNET))
    with torch.inference_mode():
        with calibrating(network):
            network(tiles(count=4))

        together, alone = network(tiles(count=4)), network(tiles(count=4)[:1])

    torch.testing.assert_close(together[:1], alone, atol=1e-5, rtol=0)


def test_batch_norms_start_with_their_running_statistics() -> None:
    source = seeded(UNET)
    for module in source.modules():
        if isinstance(module, nn.BatchNorm2d) and module.running_mean is not None:
            module.running_mean.uniform_(-1, 1)
    with torch.inference_mode():
        expected = source.eval()(tiles())

        answer = freeze_norms(source)(tiles())

    torch.testing.assert_close(answer, expected, atol=1e-5, rtol=0)


def test_statistics_moved_to_another_copy_give_the_same_pictures() -> None:
    first, second = freeze_norms(seeded(RESNET)), freeze_norms(seeded(RESNET))
    with torch.inference_mode():
        with calibrating(first):
            first(tiles(count=4))

        set_statistics(second, statistics(first))

        torch.testing.assert_close(second(tiles()), first(tiles()), atol=0, rtol=0)


def test_a_network_without_statistics_refuses_to_stain() -> None:
    network = freeze_norms(seeded(RESNET))

    with pytest.raises(ModelError, match="calibrate"):
        network(tiles())


@pytest.mark.parametrize("wrong", ["missing", "extra", "length", "nan", "negative"])
def test_statistics_that_do_not_fit_are_refused_and_change_nothing(wrong: str) -> None:
    network = freeze_norms(seeded(replace(RESNET, norm="batch")))
    before = statistics(network)
    arrays = statistics(network)
    match wrong:
        case "missing":
            del arrays["model.2.mean"]
        case "extra":
            arrays["model.99.mean"] = np.zeros(4, np.float32)
        case "length":
            arrays["model.2.mean"] = np.zeros(5, np.float32)
        case "nan":
            arrays["model.5.mean"][0] = np.nan
        case _:
            arrays["model.2.var"][0] = -1

    with pytest.raises(ModelError, match="model"):
        set_statistics(network, arrays)

    assert all((before[key] == value).all() for key, value in statistics(network).items())


def test_a_cancelled_calibration_stops_at_the_next_norm_and_changes_nothing() -> None:
    network = freeze_norms(seeded(RESNET))
    token, inside, cancelled = CancelToken(), Event(), Event()
    passed = []

    def hold(_module: nn.Module, _inputs: object, _output: object) -> None:
        passed.append(_module)
        inside.set()
        assert cancelled.wait(10)

    first = next(module for module in network.modules() if isinstance(module, SlideNorm))
    first.register_forward_hook(hold)
    for module in network.modules():
        if isinstance(module, SlideNorm) and module is not first:
            module.register_forward_hook(lambda module, *_: passed.append(module))

    def cancel() -> None:
        assert inside.wait(10)
        token.cancel()
        cancelled.set()

    canceller = Thread(target=cancel)
    canceller.start()
    with torch.inference_mode(), pytest.raises(Cancelled), calibrating(network, token):
        network(tiles())
    canceller.join()

    assert passed == [first]
    with pytest.raises(ModelError, match="calibrate"):
        network(tiles())


def test_a_u_net_of_too_few_halvings_cannot_be_built() -> None:
    with pytest.raises(ValueError, match="at least 5"):
        build(replace(UNET, downs=4))
