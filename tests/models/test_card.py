"""The card: strict when read, the same when read back."""

import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest

from stainapp.errors import ModelCardError
from stainapp.models.card import (
    CARD_FILE,
    Arch,
    Calibration,
    Classic,
    ModelCard,
    card_from_json,
    sha256_of,
)

CARD = ModelCard(
    id="he-to-pas",
    name="H&E to PAS",
    method="cyclegan",
    arch=Arch(family="resnet", blocks=6, padding="zero"),
    source_stain="H&E",
    target_stain="PAS",
    tissue=("colon",),
    mpp=0.5,
    halo=64,
    multiple=4,
    norm_mode="frozen",
    calibrate=Calibration(tiles=8),
    files={"weights.safetensors": "ab"},
    metrics=({"set": "held out", "ssim": 0.5},),
    training={"slides": 3},
    limits=("Färbt nur Kolon – µm",),
)


def changed(change: Callable[[dict[str, Any]], object]) -> dict[str, Any]:
    values: dict[str, Any] = json.loads(json.dumps(asdict(CARD)))
    change(values)
    return values


@pytest.mark.parametrize(
    "card",
    [
        CARD,
        replace(CARD, arch=None, files={}, mpp=None,
                classic=Classic(kind="macenko", reference={"io": 240})),
        replace(CARD, arch=Arch(family="pixel", norm="none"), mpp=None, halo=0),
    ],
)  # fmt: skip
def test_a_card_read_back_is_the_card_written(card: ModelCard, tmp_path: Path) -> None:
    card.write(tmp_path / "model")

    read = ModelCard.read(tmp_path / "model")

    assert read == card
    assert read.digest == card.digest


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda v: v.update(colour="red"), "unknown field 'colour'"),
        (lambda v: v["arch"].update(depth=3), "arch: unknown field 'depth'"),
        (lambda v: v["calibrate"].update(n=3), "calibrate: unknown field 'n'"),
        (lambda v: v.update(colour="red"), "a newer stainapp may have written it, or it is a typo"),
        (lambda v: v.pop("name"), "the field 'name' is missing"),
        (lambda v: v["arch"].pop("family"), "arch: the field 'family' is missing"),
        (lambda v: v.update(arch=3), "arch: must be a table of named values"),
        (lambda v: v.update(schema="stainapp.card/2"), "made by a newer stainapp; update it"),
        (lambda v: v.update(schema="stainapp.card/2", new=1), "made by a newer stainapp"),
        (lambda v: v.update(schema="other.card/2"), "its schema is 'other.card/2'"),
        (lambda v: v.update(schema=2), "schema cannot be 2"),
        (lambda v: v.update(id="../x"), "not a plain name"),
        (lambda v: v.update(arch=None), "either arch or classic"),
        (lambda v: v.update(classic={"kind": "macenko"}), "either arch or classic"),
        (lambda v: v.update(mpp=None), "needs mpp"),
        (lambda v: v.update(mpp=0), "mpp cannot be 0"),
        (lambda v: v.update(tile=8), "tile cannot be 8"),
        (lambda v: v.update(halo=256), "two halos must fit"),
        (lambda v: v.update(halo=-1), "two halos must fit"),
        (lambda v: v.update(multiple=5), "multiple of multiple"),
        (lambda v: v.update(files={}), "no sha256"),
        (lambda v: v.update(tissue=5), "tissue cannot be 5"),
        (lambda v: v.update(tissue=[5]), "tissue cannot be [5]"),
        (lambda v: v.update(mpp="0.5"), "mpp cannot be '0.5'"),
        (lambda v: v.update(tile=512.5), "tile cannot be 512.5"),
        (lambda v: v.update(grey_input=1), "grey_input cannot be 1"),
        (lambda v: v.update(norm_mode="thawed"), "norm_mode cannot be 'thawed'"),
        (lambda v: v.update(value_range=[0, 1, 2]), "value_range cannot be"),
        (lambda v: v.update(files=["x"]), "files cannot be"),
        (lambda v: v["arch"].update(family="vit"), "family cannot be 'vit'"),
        (lambda v: v["files"].update({"../x": "0"}), "not a plain file name"),
    ],
)
def test_a_card_with_an_impossible_field_is_refused_by_its_name(
    change: Callable[[dict[str, Any]], object], reason: str
) -> None:
    values = changed(change)

    with pytest.raises(ModelCardError) as refusal:
        card_from_json(values, "card.json")

    assert reason in str(refusal.value)


NO_CARD = r"card\.json is damaged or missing \(.+\); import the model again, or remove the folder"


@pytest.mark.parametrize("text", ["", "{", "\x00", "[" * 200_000])
def test_what_is_no_card_at_all_is_refused_with_its_path(text: str, tmp_path: Path) -> None:
    (tmp_path / CARD_FILE).write_text(text)

    with pytest.raises(ModelCardError, match=NO_CARD):
        ModelCard.read(tmp_path)


@pytest.mark.parametrize("text", ["[]", '"card"'])
def test_a_card_that_is_no_object_is_refused_with_its_path(text: str, tmp_path: Path) -> None:
    (tmp_path / CARD_FILE).write_text(text)

    with pytest.raises(ModelCardError, match=r"card\.json is damaged .+ import the model again"):
        ModelCard.read(tmp_path)


def test_a_folder_without_a_card_is_refused_with_its_path(tmp_path: Path) -> None:
    with pytest.raises(ModelCardError, match=f"nowhere.{NO_CARD}"):
        ModelCard.read(tmp_path / "nowhere")


@pytest.mark.parametrize(
    "other",
    [
        replace(CARD, files={"weights.safetensors": "ac"}),
        replace(CARD, version="1.0.1"),
        replace(CARD, norm_mode="batch"),
    ],
)
def test_the_digest_is_another_for_every_other_model(other: ModelCard) -> None:
    assert other.digest != CARD.digest


def test_only_methods_that_see_single_pixels_are_pixelwise() -> None:
    pixel = replace(CARD, arch=Arch(family="pixel"))

    assert pixel.pixelwise
    assert not CARD.pixelwise


def test_a_sha256_is_that_of_the_files_bytes(tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(b"abc")

    digest = sha256_of(tmp_path / "f")

    # FIPS 180-2, appendix B.1
    assert digest == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


def test_cards_store_and_compatibility_load_no_torch() -> None:
    program = (
        "import sys, stainapp.models.card, stainapp.models.store, stainapp.models.compatibility;"
        "sys.exit('torch' in sys.modules)"
    )

    result = subprocess.run([sys.executable, "-c", program], check=False)

    assert result.returncode == 0
