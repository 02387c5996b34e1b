"""A small network that learns what a model makes."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from stainapp.__main__ import main
from stainapp.models.card import Arch, ModelCard
from stainapp.runs.folder import EventReader, RunFolder
from stainapp.runs.presets import preset
from stainapp.runs.recipe import Recipe
from tests.training.methods import method_of
from tests.training.recipes import small
from training.distil import PARTS, is_pixelwise
from training.losses import density_l1
from training.method import Images
from training.processes import ALONE
from training.start import start

PIXEL = Arch(family="pixel", ngf=32, norm="none")


def quick(**training: Any) -> Recipe:
    """Return the quick preset's recipe over a small phantom, the teacher being Macenko's method."""
    chosen = preset("distil", "quick")
    recipe = small("distil", network=PIXEL, losses=chosen.losses)
    return replace(recipe, training=replace(chosen.training, precision="fp32", **training))


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    run = RunFolder(tmp_path_factory.mktemp("run"))
    start(quick(images=40, validate_every=20), run, ALONE, resume=False, device="cpu")
    return run


def test_a_colour_map_comes_close_to_a_teacher_that_maps_colours(run: RunFolder) -> None:
    card = ModelCard.read(run.model / "small")
    psnr = {row["subject"]: row["estimate"] for row in card.metrics if row["measure"] == "PSNR"}

    assert psnr["model"] > 30
    assert psnr["model"] > psnr["untouched"] + 5


def test_its_card_names_its_teacher_and_says_that_it_cannot_draw(run: RunFolder) -> None:
    card = ModelCard.read(run.model / "small")

    assert card.training["teacher"]["id"] == "macenko"
    assert card.mpp is None
    assert card.norm_mode == "none"
    words = " ".join(card.limits)
    assert "Distilled from Stain normalisation (Macenko) (macenko)" in words
    assert "with no real section" in words
    assert "can invent and draw nothing" in words
    assert "Of its teacher: Assumes exactly two stains" in words
    assert any("Macenko M" in one for one in card.citation)


def test_its_pictures_are_shown_beside_the_teachers(run: RunFolder) -> None:
    events = list(EventReader(run.events_file).new())

    assert {"validation", "sample", "evaluation", "done"} <= {event["event"] for event in events}
    assert list(run.samples.glob("*.png"))


def test_each_pixel_of_a_tile_is_learnt_from_once_a_step() -> None:
    method = method_of(small("distil", network=PIXEL))
    seen: list[torch.Tensor] = []
    method.generators["forward"].register_forward_pre_hook(lambda _, x: seen.append(x[0]))
    tile = torch.arange(2 * 3 * 16 * 16).reshape(2, 3, 16, 16) / 1536

    method.step(Images(tile, tile, first=0, offset=0))

    assert len(seen) == PARTS
    assert torch.equal(torch.cat(seen, dim=2).flatten().sort().values, tile.flatten())


def test_a_network_that_sees_neighbours_learns_from_whole_tiles() -> None:
    method = method_of(small("distil"))
    seen: list[torch.Size] = []
    method.generators["forward"].register_forward_pre_hook(lambda _, x: seen.append(x[0].shape))
    tile = torch.zeros(1, 3, 48, 48)

    method.step(Images(tile, tile, first=0, offset=0))

    assert seen == [tile.shape]
    assert not is_pixelwise(method.generators["forward"])


def test_differences_of_density_count_alike_in_pale_and_dark_stain() -> None:
    pale, dark = (torch.full((1, 3, 2, 2), value / 127.5 - 1) for value in (199.0, 49.0))
    paler, darker = (torch.full((1, 3, 2, 2), value / 127.5 - 1) for value in (99.0, 24.0))

    assert density_l1(pale, paler).item() == pytest.approx(np.log10(2), abs=1e-4)
    assert density_l1(dark, darker).item() == pytest.approx(np.log10(2), abs=1e-4)


def test_the_command_leaves_a_model_of_the_teachers_stains(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    short = replace(preset("distil", "quick").training, images=4, validate_every=4)
    chosen = replace(preset("distil", "quick"), training=short, tile_px=64)
    monkeypatch.setattr("stainapp.runs.distilling.preset", lambda *_: chosen)
    monkeypatch.setattr("stainapp.runs.distilling.JUDGED", 2)
    words = ["distil", "reinhard", "--on", "phantom:he:1000:3", "-o", str(tmp_path / "run")]

    assert main([*words, "--device", "cpu"]) == 0

    card = ModelCard.read(Path(capsys.readouterr().out.strip()))
    assert (card.id, card.training["teacher"]["id"]) == ("reinhard-fast", "reinhard")
    assert card.background == ModelCard.read(card_folder("reinhard")).background


def test_a_teacher_that_is_not_there_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["distil", "rheinhard", "--on", "a.svs", "-o", str(tmp_path / "run")]) == 1
    assert "did you mean reinhard" in capsys.readouterr().err


def card_folder(name: str) -> Path:
    from stainapp.models.store import default_store

    return default_store().find(name).folder
