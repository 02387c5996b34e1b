"""Nuclei by a network, and what is said of who found them."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from stainapp.compare.agreement import agreement
from stainapp.compare.annotated import Annotated, accuracy_on, annotated_fields
from stainapp.compare.network_segmenter import NetworkSegmenter
from stainapp.compare.segmenter import Accuracy, Classical, as_metrics, said_of
from stainapp.errors import ModelCardError, ModelError, StainAppError
from stainapp.models.card import WEIGHTS_FILE, Arch, ModelCard, sha256_of
from stainapp.models.opening import open_stainer
from stainapp.models.store import Store
from stainapp.slides.phantom import PhantomSlide
from stainapp.slides.reader import RgbImage
from tests.compare.tissue import CORNER, MPP, field
from tests.models.factories import identity_model, network_model, resnet_model

FOUND = Accuracy(f1=0.9, dice=0.8, aji=0.7, fields=3, nuclei=50)


def taught(folder: Path, **changes: object) -> Path:
    """Write a segmenter: what is red is nucleus, what is green is boundary."""
    return identity_model(folder, kind="segmenter", target_stain="nuclei", **changes)


def dark_is_nucleus(folder: Path, **changes: object) -> Path:
    """Write a segmenter of one channel that calls nucleus what is dark in red."""
    values = {"mpp": None, "kind": "segmenter", "target_stain": "nuclei"} | changes
    network_model(folder, Arch(family="pixel", layers=1, out_channels=1), **values)
    weight = torch.tensor([-8.0, 0.0, 0.0]).view(1, 3, 1, 1)
    save_file(
        {"rgb_trans.0.weight": weight, "rgb_trans.0.bias": torch.tensor([1.6])},
        folder / WEIGHTS_FILE,
    )
    card = ModelCard.read(folder)
    replace(card, files={WEIGHTS_FILE: sha256_of(folder / WEIGHTS_FILE)}).write(folder)
    return folder


def two_that_touch() -> RgbImage:
    """Return a map of two nuclei side by side, and the boundary between them in green."""
    image = np.zeros((1, 40, 60, 3), np.uint8)
    image[0, 10:30, 10:50, 0] = 255
    image[0, 10:30, 28:32, 1] = 255
    return image


def test_touching_nuclei_are_parted_by_the_boundary_that_the_network_sees(tmp_path: Path) -> None:
    segmenter = NetworkSegmenter(taught(tmp_path / "net"), "cpu")

    found = segmenter(two_that_touch(), MPP, "H&E")[0]

    assert found.max() == 2
    assert len(np.unique(found[20, [12, 48]])) == 2
    assert (found > 0).sum() == 20 * 40


def test_the_phantom_s_nuclei_are_found_by_a_network(tmp_path: Path) -> None:
    truth = PhantomSlide("H&E", (4000, 4000), 1).labels(CORNER, CORNER, 0, 384, 384)
    segmenter = NetworkSegmenter(dark_is_nucleus(tmp_path / "net"), "cpu")

    found = segmenter(field("H&E")[None, :384, :384], MPP, "H&E")[0]

    assert agreement(truth, found, MPP).f1 > 0.8


def test_a_network_is_shown_its_own_scale_and_answers_in_the_tile_s(tmp_path: Path) -> None:
    truth = PhantomSlide("H&E", (4000, 4000), 1).labels(CORNER, CORNER, 0, 250, 250)
    segmenter = NetworkSegmenter(dark_is_nucleus(tmp_path / "net", mpp=0.7, multiple=16), "cpu")

    found = segmenter(field("H&E")[None, :250, :250], MPP, "H&E")[0]

    assert found.shape == (250, 250)
    assert agreement(truth, found, MPP).f1 > 0.7


def test_a_network_whose_norms_are_of_the_slide_is_calibrated_on_the_tiles(tmp_path: Path) -> None:
    folder = resnet_model(tmp_path / "net", kind="segmenter", target_stain="nuclei")

    found = NetworkSegmenter(folder, "cpu")(np.stack([field("H&E")[:100, :90]] * 2), MPP, "H&E")

    assert [one.shape for one in found] == [(100, 90)] * 2


def test_a_segmenter_is_no_stain_and_a_stain_no_segmenter(tmp_path: Path) -> None:
    segmenter = taught(tmp_path / "user" / "finder", id="finder")
    stain = identity_model(tmp_path / "user" / "stain", id="stain")
    store = Store(tmp_path / "user")

    assert [one.card.id for one in store.list()] == ["finder", "stain"]
    assert [one.card.id for one in store.stainers()] == ["stain"]
    with pytest.raises(ModelError, match="finds nuclei and makes no stain"):
        open_stainer(segmenter)
    with pytest.raises(ModelError, match="finds no nuclei"):
        NetworkSegmenter(stain)


def test_a_segmenter_needs_channels_that_mean_something(tmp_path: Path) -> None:
    with pytest.raises(ModelCardError, match="one or three output channels"):
        network_model(
            tmp_path, Arch(family="pixel", layers=1, out_channels=2), mpp=None, kind="segmenter"
        )


def test_what_a_card_says_of_its_accuracy_is_said_beside_every_figure(tmp_path: Path) -> None:
    measured = taught(tmp_path / "a", id="a", metrics=as_metrics(FOUND), source_stain="H&E")
    unknown = taught(tmp_path / "b", id="b")

    segmenter = NetworkSegmenter(measured, "cpu")

    assert segmenter.accuracy == FOUND
    assert said_of(segmenter) == (
        "segmenter: a 1.0.0, F1 0.90, Dice 0.80, AJI 0.70 on 3 annotated fields"
    )
    assert "accuracy was not measured" in said_of(NetworkSegmenter(unknown, "cpu"))
    assert segmenter.knows("H&E")
    assert not segmenter.knows("DAB")


def test_accuracy_is_taken_over_all_fields_together() -> None:
    phantom = PhantomSlide("H&E", (4000, 4000), 1)
    fields = [
        Annotated(
            phantom.read(CORNER + x, CORNER, 0, 256, 256),
            phantom.labels(CORNER + x, CORNER, 0, 256, 256),
            MPP,
        )
        for x in (0, 256)
    ]

    found = accuracy_on(fields, Classical(), "H&E")

    assert found.nuclei == sum(len(np.unique(one.truth)) - 1 for one in fields)
    assert found.fields == 2
    assert found.f1 > 0.9
    assert found.aji > 0.7


def test_the_classical_segmenter_is_as_good_as_it_says(data: Path) -> None:
    found, said = (
        accuracy_on(list(annotated_fields(data / "nuclei")), Classical()),
        Classical().accuracy,
    )

    assert (found.fields, found.nuclei) == (said.fields, said.nuclei)
    for name in ("f1", "dice", "aji"):
        assert getattr(found, name) == pytest.approx(getattr(said, name), abs=0.01), name
    assert found.f1 > 0.78


def test_fields_that_are_none_are_named(tmp_path: Path) -> None:
    with pytest.raises(StainAppError, match="no annotated fields"):
        list(annotated_fields(tmp_path))
    (tmp_path / "a_labels.png").write_bytes(b"no picture")
    with pytest.raises(StainAppError, match=r"a\.png"):
        list(annotated_fields(tmp_path))
