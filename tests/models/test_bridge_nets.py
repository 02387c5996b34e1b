"""The networks of bridges: their size, their reach, and what cutting the slide does to them."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from stainapp.errors import ModelCardError
from stainapp.models.bridge_nets import BridgeUnet
from stainapp.models.card import Arch, Bridge, ModelCard
from stainapp.models.networks import build, receptive_halo, tiling
from stainapp.models.opening import open_stainer
from stainapp.models.slide_state import SlideState
from tests.models.conftest import Made
from tests.models.factories import ArraySlide, adm_model, bridge_model, tissue_image

SMALL = Arch(family="bridge", in_channels=6, ngf=4, mults=(1, 2, 3), blocks=1, norm="none")
PUBLISHED = Arch(
    family="adm",
    in_channels=3,
    ngf=256,
    mults=(1, 1, 2, 2, 4, 4),
    blocks=2,
    attention=(8, 16, 32),
    norm="none",
)


def test_the_published_network_has_its_published_size() -> None:
    with torch.device("meta"):
        parameters = sum(weight.numel() for weight in build(PUBLISHED).parameters())

    assert round(parameters / 1e6, 1) == 552.8


def test_the_small_one_fits_many_times_into_what_a_model_may_take() -> None:
    with torch.device("meta"):
        net = build(replace(SMALL, ngf=32, mults=(1, 2, 4), blocks=4))

    assert 2 * sum(weight.numel() for weight in net.parameters()) < 12e6


@pytest.mark.parametrize("mults", [(1, 2), (1, 2, 3)])
@pytest.mark.parametrize("blocks", [1, 2])
def test_no_pixel_beyond_its_reach_matters_and_some_at_it_do(
    mults: tuple[int, ...], blocks: int
) -> None:
    arch = replace(SMALL, ngf=2, mults=mults, blocks=blocks)
    net = build(arch).double()
    for weight in net.parameters():  # all positive: nothing can cancel out
        nn.init.constant_(weight, 1.0 / weight[0].numel() if weight.dim() > 1 else 0.1)
    radius, phases = receptive_halo(arch), 1 << (len(mults) - 1)
    side = 2 * phases * (radius // phases + 2)
    reach = 0

    for pixel in range(side // 2, side // 2 + phases):
        x = torch.full((1, 6, side, side), 0.1, dtype=torch.float64, requires_grad=True)
        # the embedding of a time is float32 in all precisions
        net.time.register_forward_pre_hook(lambda _, given: (given[0].double(),))  # type: ignore[union-attr]
        net(x, torch.tensor([3.0]))[0, :, pixel, pixel].sum().backward()
        assert x.grad is not None
        seen = x.grad.abs().sum(dim=(0, 1, 2)).nonzero().flatten()
        reach = max(reach, pixel - int(seen.min()), int(seen.max()) - pixel)

    assert reach == radius == BridgeUnet.reach_px(arch)


def test_the_default_tiling_covers_a_whole_step_and_what_several_see() -> None:
    radius = receptive_halo(SMALL)

    for steps in (1, 4):
        tile, halo, multiple, blend = tiling(SMALL, steps)
        assert (tile % multiple, blend) == (0, "crop")
        assert halo >= radius
    assert tiling(PUBLISHED) == (256, 64, 32, "overlap")


@pytest.mark.parametrize("nfe", [1, 4])
def test_a_bridge_gives_the_same_pixels_however_the_slide_is_read(
    nfe: int, tmp_path: Path, virtual: Made
) -> None:
    source = ArraySlide(tissue_image())
    folder = bridge_model(tmp_path / "m", tile=128, halo=32, bridge=Bridge(nfe=nfe))
    stainer = open_stainer(folder, device="cpu", precision="fp32")
    stainer.batch = 1  # type: ignore[misc] # how many are summed at once may move the last bit
    x, y, side = 301, 403, 300

    whole = virtual(source, stainer).read(x, y, 0, side, side)

    pieces = np.zeros_like(whole)
    other = virtual(source, stainer)
    for top, bottom in ((170, side), (0, 33), (33, 170)):
        for left, right in ((211, side), (0, 211)):
            pieces[top:bottom, left:right] = other.read(
                x + left, y + top, 0, right - left, bottom - top
            )
    assert np.array_equal(whole, pieces)
    assert whole.std() > 10


@pytest.mark.parametrize("nfe", [1, 4])
def test_moving_the_grid_of_a_bridge_moves_nothing_in_the_picture(
    nfe: int, tmp_path: Path, virtual: Made
) -> None:
    source = ArraySlide(tissue_image())
    halo = nfe * receptive_halo(Arch(family="bridge", ngf=4, mults=(1, 2), blocks=1))
    halo += -halo % 4
    images = []
    for tile in (2 * halo + 96, 2 * halo + 120):
        folder = bridge_model(
            tmp_path / str(tile), tile=tile, halo=halo, bridge=Bridge(nfe=nfe, seed=3)
        )
        stainer = open_stainer(folder, device="cpu", precision="fp32")
        images.append(virtual(source, stainer).read(300, 560, 0, 260, 200).astype(int))

    off = np.abs(images[0] - images[1])
    assert off.max() <= 1  # a last bit that decides a rounding
    assert (off > 0).mean() < 1e-3


def test_another_seed_draws_another_picture_and_the_same_one_the_same(tmp_path: Path) -> None:
    tiles = tissue_image()[None, 560:624, 300:364]
    found = []
    for number, seed in enumerate((0, 0, 1)):
        folder = bridge_model(tmp_path / str(number), bridge=Bridge(nfe=2, seed=seed))
        found.append(open_stainer(folder, device="cpu", precision="fp32").predict(
            tiles, SlideState(), at=np.array([[300, 560]])
        ))  # fmt: skip

    assert np.array_equal(found[0], found[1])
    assert not np.array_equal(found[0], found[2])


def test_noise_belongs_to_where_a_tile_lies(tmp_path: Path) -> None:
    stainer = open_stainer(bridge_model(tmp_path / "m"), device="cpu", precision="fp32")
    tile = tissue_image()[560:624, 300:364]

    here, there, again = stainer.predict(
        np.stack([tile] * 3), SlideState(), at=np.array([[0, 0], [64, 0], [0, 0]])
    )

    assert np.array_equal(here, again)
    assert not np.array_equal(here, there)


def test_the_large_network_reads_alike_in_pieces_and_its_grid_is_blended(
    tmp_path: Path, virtual: Made
) -> None:
    source = ArraySlide(tissue_image())
    stainer = open_stainer(adm_model(tmp_path / "m"), device="cpu", precision="fp32")
    stainer.batch = 1  # type: ignore[misc] # how many are summed at once may move the last bit
    whole = virtual(source, stainer).read(300, 560, 0, 60, 40)

    other = virtual(source, stainer)
    pieces = [other.read(300 + left, 560, 0, 30, 40) for left in (30, 0)]

    assert np.array_equal(whole, np.concatenate(pieces[::-1], axis=1))


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"bridge": None}, "bridge is for"),
        ({"bridge": Bridge(cond="none")}, "needs 3 in_channels"),
        ({"bridge": Bridge(nfe=0)}, "bridge: nfe"),
    ],
)
def test_a_card_whose_bridge_cannot_be_is_refused(
    changes: dict[str, object], word: str, tmp_path: Path
) -> None:
    card = ModelCard.read(bridge_model(tmp_path / "m"))

    with pytest.raises(ModelCardError, match=word):
        replace(card, **changes)  # type: ignore[arg-type] # what is tried


def test_an_unknown_value_of_a_bridge_is_named(tmp_path: Path) -> None:
    folder = bridge_model(tmp_path / "m")
    text = (folder / "card.json").read_text().replace('"nfe"', '"steps"')
    (folder / "card.json").write_text(text)

    with pytest.raises(ModelCardError, match="steps"):
        ModelCard.read(folder)
