"""What training exports is what the viewer opens."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from torch import nn

from stainapp.models import networks, slide_norm
from stainapp.models.bridge import applied
from stainapp.models.card import WEIGHTS_FILE, Arch, Bridge, ModelCard
from stainapp.models.dcgmm import DcgmmNormaliser
from stainapp.models.mixture import take_template
from stainapp.models.network_stainer import STATISTICS
from stainapp.models.opening import open_stainer
from stainapp.models.stainer import Tiles
from stainapp.models.store import check
from stainapp.runs.recipe import Recipe
from stainapp.runs.recipe_file import recipe_from
from stainapp.slides.phantom import PhantomSlide
from training.export import Taught, export
from training.tensors import from_network, to_network

ARCHS = {
    "resnet": Arch(family="resnet", blocks=2, ngf=8, upsampling="resize"),
    "resnet batch": Arch(family="resnet", blocks=1, ngf=8, norm="batch"),
    "resnet antialiased": Arch(
        family="resnet", blocks=1, ngf=8, downsampling="antialias", upsampling="antialias"
    ),
    "resunet": Arch(family="resunet", blocks=1, ngf=8, norm="none"),
    "unet": Arch(family="unet", downs=5, ngf=8),
    "pixel": Arch(family="pixel", ngf=8),
    "dcgmm": Arch(family="dcgmm", ngf=8, norm="none"),
    "bridge": Arch(family="bridge", in_channels=6, mults=(1, 2), blocks=1, ngf=8, norm="none"),
}


def recipe(method: str = "cyclegan", **model: object) -> Recipe:
    made = {
        "id": "made",
        "name": "Made",
        "source_stain": "H&E",
        "target_stain": "PAS",
        "mpp": 0.5,
        **model,
    }
    pairing = "unpaired" if method == "cyclegan" else "self"
    slide = [{"slide": "/a patient/slide.svs"}]
    source = slide if pairing == "unpaired" else []
    data = {"pairing": pairing, "source": source, "target": slide}
    return recipe_from({"method": method, "model": made, "data": data}, "a test")


def generator(arch: Arch, gain: float = 1.0) -> nn.Module:
    with torch.random.fork_rng():
        torch.manual_seed(3)
        net = networks.build(arch)
    last = list(net.parameters())[-2]
    last.data.mul_(gain)  # a picture rather than grey
    return net


@pytest.fixture(scope="module")
def tiles() -> Tiles:
    slide = PhantomSlide("H&E", (1024, 1024), seed=5)
    places = ((128, 128), (448, 256), (640, 640), (256, 600))
    return np.stack([slide.read(x, y, 0, 64, 64) for x, y in places])


@pytest.mark.parametrize("name", ARCHS)
def test_the_viewer_shows_the_golden_tile_that_training_sees(
    name: str, tmp_path: Path, tiles: Tiles
) -> None:
    arch, net = ARCHS[name], generator(ARCHS[name], gain=8)
    weights = {k: w.clone() for k, w in net.state_dict().items()}

    taught = Taught("forward", weights, tiles, template=tiles // 2)
    export(tmp_path, recipe(half=False), arch, taught, {})

    if isinstance(net, DcgmmNormaliser):
        take_template(net, to_network(tiles // 2, "cpu"))
    with torch.inference_mode(), slide_norm.calibrating(slide_norm.freeze_norms(net)):
        bridge = Bridge() if arch.of_bridge else None
        seen = from_network(applied(net, to_network(tiles, "cpu"), bridge))
    stainer = open_stainer(tmp_path / "made", device="cpu", precision="fp32")
    assert np.ptp(seen) > 20
    shown = stainer.predict(tiles, stainer.calibrate(tiles))
    # the layouts in memory differ, and with them the last bit before rounding
    assert np.abs(shown.astype(int) - seen).max() <= 1
    assert np.mean(shown != seen) < 1e-3


def test_the_statistics_of_the_training_set_travel_with_the_weights(
    tmp_path: Path, tiles: Tiles
) -> None:
    arch = ARCHS["resnet"]

    export(tmp_path, recipe(), arch, Taught("forward", generator(arch).state_dict(), tiles), {})

    stainer = open_stainer(tmp_path / "made", device="cpu", precision="fp32")
    known = stainer.default_state
    assert known is not None
    fresh = stainer.calibrate(tiles)
    for layer, array in known.arrays.items():
        np.testing.assert_allclose(array, fresh.arrays[layer], rtol=0.05, atol=0.02)


def test_weights_are_stored_as_fp16_where_that_moves_no_pixel_by_two_levels(
    tmp_path: Path, tiles: Tiles
) -> None:
    arch, net = ARCHS["resnet"], generator(ARCHS["resnet"])
    exported = {}
    for half in (False, True):
        folder = tmp_path / str(half)
        card = export(
            folder, recipe(half=half), arch, Taught("forward", net.state_dict(), tiles), {}
        )
        stainer = open_stainer(folder / "made", device="cpu", precision="fp32")
        exported[half] = stainer.predict(tiles, stainer.calibrate(tiles)).astype(int)
        assert card.training["weights"] == ("fp16" if half else "fp32")

    assert np.abs(exported[True] - exported[False]).max() <= 1
    small, large = (
        (tmp_path / str(half) / "made" / WEIGHTS_FILE).stat().st_size for half in (True, False)
    )
    assert small < 0.6 * large


def test_weights_that_fp16_would_spoil_are_stored_in_full(tmp_path: Path, tiles: Tiles) -> None:
    arch = ARCHS["resnet"]
    weights = {k: w.clone() for k, w in generator(arch).state_dict().items()}
    weights["model.1.weight"] *= 1e6  # beyond what fp16 can hold; the norm takes it out again

    card = export(tmp_path, recipe(), arch, Taught("forward", weights, tiles), {})

    assert card.training["weights"] == "fp32"
    stored = load_file(tmp_path / "made" / WEIGHTS_FILE)
    assert torch.equal(stored["model.1.weight"], weights["model.1.weight"])


def test_two_directions_name_each_other(tmp_path: Path, tiles: Tiles) -> None:
    arch, asked = ARCHS["resnet"], recipe(inverse_id="back", inverse_name="Back again")
    for direction in ("forward", "inverse"):
        export(tmp_path, asked, arch, Taught(direction, generator(arch).state_dict(), tiles), {})

    forward, back = check(tmp_path / "made"), check(tmp_path / "back")

    assert (forward.inverse, back.inverse) == ("back", "made")
    assert (forward.source_stain, forward.target_stain) == ("H&E", "PAS")
    assert (back.source_stain, back.target_stain, back.name) == ("PAS", "H&E", "Back again")


def test_a_model_tells_its_recipe_but_not_where_the_files_lay(tmp_path: Path, tiles: Tiles) -> None:
    arch = ARCHS["resnet"]

    export(
        tmp_path,
        recipe("pix2pix"),
        arch,
        Taught("forward", generator(arch).state_dict(), tiles),
        {},
    )

    told = "".join((tmp_path / "made" / name).read_text() for name in ("recipe.toml", "card.json"))
    assert "slide.svs" in told
    assert "a patient" not in told


def test_a_grey_model_says_so_on_its_card(tmp_path: Path, tiles: Tiles) -> None:
    arch = ARCHS["resnet"]

    export(
        tmp_path,
        recipe("pix2pix"),
        arch,
        Taught("forward", generator(arch).state_dict(), tiles),
        {},
    )

    assert ModelCard.read(tmp_path / "made").grey_input


def test_a_model_that_cannot_be_written_leaves_the_earlier_one(
    tmp_path: Path, tiles: Tiles, monkeypatch: pytest.MonkeyPatch
) -> None:
    arch = ARCHS["resnet"]
    weights = generator(arch).state_dict()
    export(tmp_path, recipe(), arch, Taught("forward", weights, tiles), {"images": 1})

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("training.export.save_file", full)
    with pytest.raises(OSError, match="No space"):
        export(tmp_path, recipe(), arch, Taught("forward", weights, tiles), {"images": 2})

    assert check(tmp_path / "made").training["images"] == 1


def test_the_card_holds_what_is_needed_to_trust_it(tmp_path: Path, tiles: Tiles) -> None:
    arch = ARCHS["resnet"]
    asked = recipe(licence="MIT", limits=["One case."], tissue=["colon"])

    export(
        tmp_path, asked, arch, Taught("forward", generator(arch).state_dict(), tiles), {"images": 7}
    )

    card = json.loads((tmp_path / "made" / "card.json").read_text())
    assert card["licence"] == "MIT"
    assert card["limits"] == ["One case."]
    assert card["training"]["images"] == 7
    assert card["training"]["seed"] == 0
    assert any("CycleGAN" in one or "cycle-consistent" in one for one in card["citation"])
    names = load_file(tmp_path / "made" / WEIGHTS_FILE)
    assert any(name.startswith(STATISTICS) for name in names)


@pytest.mark.parametrize(
    ("method", "word"),
    [("cyclegan", "without pairs"), ("pix2pix", "from the grey"), ("i2sb", "samples")],
)
def test_a_card_whose_author_said_nothing_names_the_limits_of_how_it_was_taught(
    method: str, word: str, tmp_path: Path, tiles: Tiles
) -> None:
    arch = ARCHS["resnet"]

    card = export(
        tmp_path, recipe(method), arch, Taught("forward", generator(arch).state_dict(), tiles), {}
    )

    assert "one slide" in card.limits[0]
    assert word in " ".join(card.limits[1:])
