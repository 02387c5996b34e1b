import json
from pathlib import Path

import pytest
import torch

from stainapp.errors import ModelError
from stainapp.models import device
from stainapp.models.card import ModelCard
from stainapp.settings import home
from tests.models.factories import resnet_model


def test_auto_takes_the_processor_where_there_is_nothing_else(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)

    assert device.choose_device("auto") == "cpu"


def test_auto_prefers_an_accelerator(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)

    assert device.choose_device("auto") == "cuda"


@pytest.mark.parametrize("request_", ["cuda:7", "gpu", "cuda:x", "", "cpu:0"])
def test_a_device_that_is_not_there_is_named(request_: str) -> None:
    with pytest.raises(ModelError, match="choose auto"):
        device.choose_device(request_)


def test_precision_is_measured_once_and_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[str] = []

    def fastest(name: str) -> str:
        calls.append(name)
        return "bf16"

    monkeypatch.setattr(device, "_fastest", fastest)

    found = [device.choose_precision("cpu") for _ in range(2)]

    assert found == ["bf16", "bf16"]
    assert calls == ["cpu"]
    assert list(json.loads((home() / "devices.json").read_text()).values()) == ["bf16"]


def test_a_damaged_memory_of_devices_is_measured_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    home().mkdir(parents=True)
    (home() / "devices.json").write_text("{ broken")
    monkeypatch.setattr(device, "_fastest", lambda _: "fp32")

    assert device.choose_precision("cpu") == "fp32"


def test_measuring_gives_a_precision_this_processor_computes_in() -> None:
    assert device._fastest("cpu") in ("fp32", "bf16")


def test_a_precision_far_off_is_not_chosen_however_fast(monkeypatch: pytest.MonkeyPatch) -> None:
    exact = torch.ones(1, 1, 2, 2)

    def timed(_net: object, _x: object, _device: str, name: str) -> tuple[torch.Tensor, float]:
        return (exact, 1.0) if name == "fp32" else (exact * 1.2, 0.1)

    monkeypatch.setattr(device, "_timed", timed)

    assert device._fastest("cpu") == "fp32"


def test_an_unknown_precision_is_refused() -> None:
    with pytest.raises(ModelError, match="int8"):
        device.choose_precision("cpu", "int8")


@pytest.mark.parametrize(("tile", "count"), [(256, 4), (512, 1), (1024, 1)])
def test_a_processor_s_batch_stays_small(tile: int, count: int, tmp_path: Path) -> None:
    card = ModelCard.read(resnet_model(tmp_path / "m", tile=tile))

    assert device.batch_for("cpu", card) == count


def test_the_words_of_each_kind_of_device_for_no_memory_are_known() -> None:
    said = [
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB."),
        RuntimeError("MPS backend out of memory (MPS allocated: 9 GB)"),
        RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: 12 bytes"),
        MemoryError(),
    ]

    assert all(device.is_out_of_memory(error) for error in said)
    assert not device.is_out_of_memory(RuntimeError("sizes do not match"))
