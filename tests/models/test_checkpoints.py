"""Published checkpoints: recognised, converted exactly, and what may go wrong when kept."""

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from stainapp.errors import ImportRefusedError, ModelCardError, ModelError
from stainapp.models import pickle_outline, store
from stainapp.models.card import WEIGHTS_FILE, ModelCard, sha256_of
from stainapp.models.checkpoints import (
    NormMode,
    detect,
    import_checkpoint,
    read_checkpoint,
    suggest,
)
from stainapp.models.networks import build
from stainapp.models.store import Store
from tests.models import published

FAMILIES: dict[str, tuple[Callable[[], nn.Module], dict[str, object]]] = {
    "cyclegan": (lambda: published.resnet(9), {"family": "resnet", "blocks": 9, "ngf": 4}),
    "cyclegan-6": (lambda: published.resnet(6, ngf=6), {"blocks": 6, "ngf": 6, "dropout": False}),
    "staingan": (lambda: published.resnet(9, dropout=True), {"dropout": True, "norm": "instance"}),
    "pyramid": (
        lambda: published.resnet(9, batch=True, dropout=True),
        {"norm": "batch", "dropout": True, "padding": "reflect"},
    ),
    "deepliif": (lambda: published.resnet(9, batch=True, zero=True), {"padding": "zero"}),
    "zero-dropout": (
        lambda: published.resnet(6, zero=True, dropout=True),
        {"padding": "zero", "dropout": True},
    ),
    "resize": (lambda: published.resnet(6, resize=True), {"upsampling": "resize"}),
    "cut": (
        lambda: published.antialiased_resnet(9),
        {"blocks": 9, "downsampling": "antialias", "upsampling": "antialias"},
    ),
    "asp": (
        lambda: published.with_spectral_norm(published.antialiased_resnet(6)),
        {"blocks": 6, "downsampling": "antialias"},
    ),
    "spectral-transposed": (
        lambda: published.with_spectral_norm(published.resnet(6)),
        {"upsampling": "transpose"},
    ),
    "spectral-parametrised": (
        lambda: published.with_spectral_norm(published.antialiased_resnet(6), parametrised=True),
        {"blocks": 6},
    ),
    "unet-256": (lambda: published.unet(8), {"family": "unet", "downs": 8, "norm": "batch"}),
    "unet-128": (lambda: published.unet(7, ngf=6), {"downs": 7, "ngf": 6}),
    "unet-512-instance": (
        lambda: published.unet(9, ngf=2, batch=False),
        {"downs": 9, "norm": "instance"},
    ),
    "stainnet": (published.stainnet, {"family": "pixel", "ngf": 32, "layers": 3}),
}


def seeded(make: Callable[[], nn.Module]) -> nn.Module:
    torch.manual_seed(7)
    return published.with_trained_statistics(make())


def save(weights: Any, path: Path, **options: Any) -> Path:
    torch.save(weights, path, **options)
    return path


def bring_in(path: Path, root: Path, **changes: Any) -> ModelCard:
    values: dict[str, Any] = {
        "id": "new-model",
        "name": "New model",
        "source_stain": "H&E",
        "target_stain": "PAS",
        "mpp": 0.5,
    }
    return import_checkpoint(path, root, **(values | changes))


def pictures(net: nn.Module, side: int = 64) -> Tensor:
    tile = torch.rand(1, 3, side, side, generator=torch.Generator().manual_seed(1)) * 2 - 1
    with torch.inference_mode():
        return net(tile)  # type: ignore[no-any-return]


def test_a_network_can_be_brought_in_as_a_segmenter(tmp_path: Path) -> None:
    path = save(seeded(published.stainnet).state_dict(), tmp_path / "net.pth")

    card = bring_in(path, tmp_path / "models", kind="segmenter", target_stain="nuclei")

    assert card.kind == "segmenter"
    assert not Store(tmp_path / "models").stainers()


@pytest.mark.parametrize("family", FAMILIES)
def test_an_imported_network_makes_the_same_pictures_as_its_source(
    family: str, tmp_path: Path
) -> None:
    make, expected = FAMILIES[family]
    source = seeded(make)
    path = save(source.state_dict(), tmp_path / "latest_net_G.pth")

    card = bring_in(path, tmp_path / "models", mpp=None if family == "stainnet" else 0.5)

    assert card.arch is not None
    assert {name: getattr(card.arch, name) for name in expected} == expected
    network = build(card.arch)
    network.load_state_dict(load_file(tmp_path / "models" / "new-model" / WEIGHTS_FILE))
    side = max(64, card.multiple)
    torch.testing.assert_close(pictures(network, side), pictures(source, side), atol=1e-5, rtol=0)
    assert store.check(tmp_path / "models" / "new-model") == card


@pytest.mark.parametrize("family", FAMILIES)
def test_the_tensors_names_alone_tell_the_architecture(family: str, tmp_path: Path) -> None:
    source = seeded(FAMILIES[family][0])
    path = save(source.state_dict(), tmp_path / "g.pth")

    suggestion = suggest(path)

    assert suggestion.arch == detect(source.state_dict()) == detect(read_checkpoint(path))


@pytest.mark.parametrize(
    "wrap",
    [
        lambda w: {"state_dict": w, "epoch": 3, "loss": 0.5, "names": ["a", None, (1, 2)]},
        lambda w: {"netG": w, "netD": {"model.0.weight": torch.zeros(2, 3, 4, 4)}},
        lambda w: {f"module.{name}": value for name, value in w.items()},
        lambda w: {f"_orig_mod.module.{name}": value for name, value in w.items()},
        lambda w: {"state_dict": {f"netG.{n}": v for n, v in w.items()}
                   | {"netD.model.0.weight": torch.zeros(2, 3, 4, 4)}},
        lambda w: {name: nn.Parameter(value) for name, value in w.items()},
        lambda w: {n: v.to(memory_format=torch.channels_last) if v.dim() == 4 else v
                   for n, v in w.items()},
    ],
)  # fmt: skip
def test_wrappings_and_prefixes_of_training_frameworks_come_off(
    wrap: Callable[[dict[str, Tensor]], object], tmp_path: Path
) -> None:
    weights = seeded(lambda: published.resnet(6)).state_dict()
    path = save(wrap(weights), tmp_path / "epoch_3.ckpt")

    read = read_checkpoint(path)

    assert read.keys() == weights.keys()
    assert all(torch.equal(read[name], weights[name]) for name in weights)


@pytest.mark.parametrize("kind", ["zip", "legacy", "safetensors", "half"])
def test_every_format_of_a_state_dict_is_read(kind: str, tmp_path: Path) -> None:
    weights = dict(seeded(lambda: published.resnet(6)).state_dict())
    path = tmp_path / "latest_net_G"
    if kind == "safetensors":
        save_file(weights, path)
    elif kind == "half":
        weights = {name: value.half() for name, value in weights.items()}
        save(weights, path)
    else:
        save(weights, path, _use_new_zipfile_serialization=kind == "zip")

    read = read_checkpoint(path)

    assert all(value.dtype == torch.float32 for value in read.values())
    assert all(torch.equal(read[name], weights[name].float()) for name in weights)


def test_a_dictionary_as_python_2_pickled_it_is_read(tmp_path: Path) -> None:
    program = b"\x80\x02ccollections\nOrderedDict\n](](U\x05epochK\x03ee\x85R."

    assert pickle_outline.outline(io.BytesIO(program), "g.pth") == {"epoch": 3}


def test_running_statistics_of_old_instance_norms_are_left_out(tmp_path: Path) -> None:
    source = seeded(lambda: published.resnet(6))
    weights = dict(source.state_dict())
    for name in [n for n in weights if n.endswith(".bias") and n != "model.23.bias"]:
        stem, _, position = name.removesuffix(".bias").rpartition(".")
        norm = f"{stem}.{int(position) + 1}"
        channels = len(weights[name])
        weights[f"{norm}.running_mean"] = torch.full((channels,), 9.0)
        weights[f"{norm}.running_var"] = torch.full((channels,), 9.0)
        weights[f"{norm}.num_batches_tracked"] = torch.tensor(5)
    path = save(weights, tmp_path / "old.pth")

    read = read_checkpoint(path)

    assert read.keys() == source.state_dict().keys()
    assert suggest(path).norm_modes == ("frozen",)


@pytest.mark.parametrize(
    ("make", "stripped", "expected"),
    [
        (lambda: published.resnet(6), False, ("frozen",)),
        (lambda: published.resnet(6, batch=True), False, ("running", "batch")),
        (lambda: published.resnet(6, batch=True), True, ("batch",)),
        (lambda: published.unet(7), False, ("batch", "running")),
        (published.stainnet, False, ("none",)),
    ],
)
def test_only_norm_modes_that_the_weights_allow_are_offered_best_first(
    make: Callable[[], nn.Module], stripped: bool, expected: tuple[NormMode, ...], tmp_path: Path
) -> None:
    weights = seeded(make).state_dict()
    kept = {n: v for n, v in weights.items() if not (stripped and "running" in n)}
    path = save(kept, tmp_path / "g.pth")

    suggestion = suggest(path)

    assert suggestion.norm_modes == expected
    assert suggestion.norm_mode == expected[0]


def test_batch_norms_without_statistics_are_staffed_by_the_batch(tmp_path: Path) -> None:
    source = seeded(lambda: published.resnet(6, batch=True))
    weights = {n: v for n, v in source.state_dict().items() if "running" not in n}
    path = save(weights, tmp_path / "g.pth")

    card = bring_in(path, tmp_path / "models")

    assert card.norm_mode == "batch"
    assert card.arch is not None
    network = build(card.arch)
    network.load_state_dict(load_file(tmp_path / "models" / card.id / WEIGHTS_FILE))
    torch.testing.assert_close(
        pictures(network.train()), pictures(source.train()), atol=1e-5, rtol=0
    )


def test_the_card_says_where_the_weights_came_from(tmp_path: Path) -> None:
    path = save(seeded(lambda: published.unet(7)).state_dict(), tmp_path / "latest_net_G.pth")

    card = bring_in(path, tmp_path / "models", tissue=("colon",), licence="BSD-2-Clause")

    assert card.imported_from["sha256"] == sha256_of(path)
    assert card.imported_from["file"] == "latest_net_G.pth"
    assert (card.blend, card.tile, card.multiple) == ("overlap", 256, 128)
    assert card.parameters == sum(p.numel() for p in published.unet(7).parameters())
    assert (card.licence, card.tissue) == ("BSD-2-Clause", ("colon",))
    assert ModelCard.read(tmp_path / "models" / "new-model") == card


def test_a_model_that_is_there_is_never_written_over(tmp_path: Path) -> None:
    first = save(seeded(lambda: published.resnet(6)).state_dict(), tmp_path / "a.pth")
    second = save(seeded(lambda: published.unet(7)).state_dict(), tmp_path / "b.pth")
    card = bring_in(first, tmp_path / "models")

    with pytest.raises(ModelError, match="there already"):
        bring_in(second, tmp_path / "models")

    assert store.check(tmp_path / "models" / "new-model") == card
    assert [entry.name for entry in (tmp_path / "models").iterdir()] == ["new-model"]


@pytest.mark.parametrize("id", ["../outside", "a/b", "", "Capital", ".."])
def test_an_id_cannot_lead_out_of_the_folder_of_models(id: str, tmp_path: Path) -> None:  # noqa: A002
    path = save(seeded(published.stainnet).state_dict(), tmp_path / "g.pth")

    with pytest.raises(ModelCardError, match="plain name"):
        bring_in(path, tmp_path / "models", id=id)

    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["g.pth"]


def test_a_network_that_sees_neighbours_needs_mpp(tmp_path: Path) -> None:
    path = save(seeded(lambda: published.resnet(6)).state_dict(), tmp_path / "g.pth")

    with pytest.raises(ModelCardError, match="needs mpp"):
        bring_in(path, tmp_path / "models", mpp=None)


def test_a_norm_mode_that_the_weights_lack_is_refused(tmp_path: Path) -> None:
    path = save(seeded(lambda: published.resnet(6)).state_dict(), tmp_path / "g.pth")

    with pytest.raises(ImportRefusedError, match="choose frozen"):
        bring_in(path, tmp_path / "models", norm_mode="running")


@pytest.mark.parametrize(
    ("layer", "value", "reason"),
    [("model.1.weight", torch.nan, "not finite"), ("model.23.weight", 0.0, "same colour")],
)
def test_a_network_that_makes_no_picture_is_refused_and_leaves_nothing(
    layer: str, value: float, reason: str, tmp_path: Path
) -> None:
    weights = seeded(lambda: published.resnet(6)).state_dict()
    weights[layer].fill_(value)
    path = save(weights, tmp_path / "g.pth")

    with pytest.raises(ImportRefusedError, match=reason):
        bring_in(path, tmp_path / "models")

    assert not (tmp_path / "models").exists()


def test_reading_never_falls_back_to_unpickling(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = save(seeded(published.stainnet).state_dict(), tmp_path / "g.pth")
    calls: list[dict[str, object]] = []

    def refuse(*_: object, **options: object) -> object:
        calls.append(options)
        raise RuntimeError("weights only load failed")

    monkeypatch.setattr("torch.load", refuse)

    with pytest.raises(ImportRefusedError, match="state_dict"):
        read_checkpoint(path)

    assert calls == [{"map_location": "cpu", "weights_only": True, "mmap": True}]


def test_a_disk_that_is_full_leaves_no_half_model(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = save(seeded(published.stainnet).state_dict(), tmp_path / "g.pth")

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(ModelCard, "write", full)

    with pytest.raises(ModelError, match="No space left"):
        bring_in(path, tmp_path / "models")

    assert list((tmp_path / "models").iterdir()) == []
