"""Published weights of I2SB, brought in on a network of the same shape and a hundredth its size."""

from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from stainapp.cli import main
from stainapp.errors import ImportRefusedError
from stainapp.models.bridge import Schedule
from stainapp.models.card import WEIGHTS_FILE, Bridge, ModelCard
from stainapp.models.checkpoints import import_checkpoint, read_checkpoint, suggest
from stainapp.models.networks import build
from stainapp.models.opening import open_stainer
from stainapp.models.slide_state import SlideState
from stainapp.settings import home
from tests.models import published
from tests.models.factories import draw_weights, tissue_image

SHAPES = {
    "seeing the source": {"channels": 6},
    "seeing the state alone": {"channels": 3, "mults": (1, 2), "attention": (2,)},
    "of several blocks": {"mults": (1, 1, 2), "each": 2},
}


def drawn(name: str = "seeing the source") -> nn.Module:
    net = published.adm(**SHAPES[name])  # type: ignore[arg-type] # as the table has them
    draw_weights(net)
    with torch.no_grad():
        net.get_parameter("out.2.weight").mul_(0.3)  # or the tile that is tried is no picture
    return net


def saved(net: nn.Module, folder: Path) -> Path:
    """Save a network whose averages are ``net`` and whose weights of the moment are others."""
    averages = [w.detach().clone() for w in net.parameters()]
    moment = published.i2sb_file(net, averages)
    moment["net"] = {name: w + 1 for name, w in moment["net"].items()}  # type: ignore[attr-defined]
    torch.save(moment, folder / "latest.pt")
    return folder / "latest.pt"


def bring_in(path: Path, root: Path, bridge: Bridge | None = None) -> ModelCard:
    return import_checkpoint(
        path, root, id="i2sb", name="I2SB", source_stain="H&E", target_stain="PAS", mpp=0.5,
        bridge=bridge,
    )  # fmt: skip


@pytest.mark.parametrize("name", SHAPES)
def test_its_averages_answer_as_they_did_where_they_come_from(name: str, tmp_path: Path) -> None:
    net = drawn(name)
    path = saved(net, tmp_path)
    suggestion = suggest(path)
    ours = build(suggestion.arch)
    ours.load_state_dict(read_checkpoint(path), strict=True)
    x, t = torch.randn(2, suggestion.arch.in_channels, 32, 32), torch.tensor([1000.0, 0.1])

    with torch.inference_mode():
        torch.testing.assert_close(ours(x, t), net(x, t), atol=2e-5, rtol=1e-4)
        assert (ours(x, t) - ours(x, t.flip(0))).abs().max() > 1e-4


def test_it_is_recognised_and_what_no_weights_tell_is_said(tmp_path: Path) -> None:
    suggestion = suggest(saved(drawn(), tmp_path))

    assert (suggestion.method, suggestion.norm_modes) == ("i2sb", ("none",))
    assert suggestion.arch.attention == (4,)
    assert suggestion.bridge == Bridge()
    assert "beta_max" in " ".join(suggestion.notes)


def test_an_imported_bridge_stains_as_its_mathematics_say(tmp_path: Path) -> None:
    net = drawn()
    bridge = Bridge(beta_max=1.0, ot_ode=True, nfe=2, cond="none")

    card = bring_in(saved(net, tmp_path), tmp_path / "models", bridge)

    assert card.bridge == Bridge(beta_max=1.0, ot_ode=True, nfe=2)  # the weights see the source
    assert (card.blend, card.norm_mode, card.method) == ("overlap", "none", "i2sb")
    tiles = tissue_image(600, 500)[None, 150:214, 200:264]
    stainer = open_stainer(tmp_path / "models" / "i2sb", device="cpu", precision="fp32")
    found = stainer.predict(tiles, SlideState())
    off = np.abs(found.astype(float) - by_hand(net, bridge, tiles)).max()
    assert off <= 1


def by_hand(net: nn.Module, bridge: Bridge, tiles: np.ndarray) -> np.ndarray:
    """Walk two steps of the mean's way, written out."""
    x1 = torch.from_numpy(tiles).permute(0, 3, 1, 2).float() / 127.5 - 1
    variance = Schedule(bridge).forward
    times = torch.linspace(1e-4, 1, 1000) * 1000
    last, middle = 999, 500
    with torch.inference_mode():
        guess = x1 - variance[last].sqrt() * net(torch.cat([x1, x1], 1), times[[last]])
        kept = variance[middle] / variance[last]
        x = kept * x1 + (1 - kept) * guess
        x0: Tensor = x - variance[middle].sqrt() * net(
            torch.cat([x, x1], 1).float(), times[[middle]]
        )
    return ((x0 + 1) * 127.5).clamp(0, 255).permute(0, 2, 3, 1).numpy()


def test_the_command_takes_what_its_options_said(tmp_path: Path) -> None:
    words = (
        "--source-stain H&E --target-stain PAS --mpp 0.5 --id mine --beta-max 1 --ot-ode --nfe 9"
    )

    assert main(["models", "import", str(saved(drawn(), tmp_path)), *words.split()]) == 0

    card = ModelCard.read(home() / "models" / "mine")
    assert card.bridge == Bridge(beta_max=1.0, ot_ode=True, nfe=9)
    assert "diffusion_model" not in " ".join(load_file(home() / "models" / "mine" / WEIGHTS_FILE))


def test_a_generator_takes_no_bridge(tmp_path: Path) -> None:
    torch.save(published.resnet(6).state_dict(), tmp_path / "g.pth")

    with pytest.raises(ImportRefusedError, match="no network of a bridge"):
        bring_in(tmp_path / "g.pth", tmp_path / "models", Bridge())


def test_a_network_that_is_told_no_time_is_refused(tmp_path: Path) -> None:
    weights = {n: w for n, w in drawn().state_dict().items() if not n.startswith("time_embed")}
    torch.save(weights, tmp_path / "g.pth")

    with pytest.raises(ImportRefusedError, match="time"):
        suggest(tmp_path / "g.pth")


def test_a_class_conditional_network_is_refused_by_what_it_has_too_much(tmp_path: Path) -> None:
    weights = drawn().state_dict() | {"label_emb.weight": torch.zeros(1000, 256)}
    torch.save(weights, tmp_path / "g.pth")

    with pytest.raises(ImportRefusedError, match="label_emb"):
        suggest(tmp_path / "g.pth")
