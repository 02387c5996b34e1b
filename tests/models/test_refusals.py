"""What must never be imported, and the sentence that says so."""

import io
import os
import pickle
import stat
import struct
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from stainapp.errors import ImportRefusedError
from stainapp.models.checkpoints import read_checkpoint, suggest
from tests.models import published


class Evil:
    """Runs a command when it is unpickled."""

    def __init__(self, trace: Path) -> None:
        self.trace = trace

    def __reduce__(self) -> tuple[Callable[[str], int], tuple[str]]:
        return os.system, (f"echo ran > '{self.trace}'",)


def saved(contents: object, path: Path, **options: Any) -> Path:
    torch.save(contents, path, **options)
    return path


def written(data: bytes, path: Path) -> Path:
    path.write_bytes(data)
    return path


def zipped(members: dict[str, bytes], path: Path, compression: int = zipfile.ZIP_STORED) -> Path:
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return path


def generator() -> dict[str, Tensor]:
    return dict(published.resnet(6).state_dict())


def scripted(path: Path) -> Path:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it is deprecated, and still about
        torch.jit.save(torch.jit.script(nn.Conv2d(3, 3, 1)), path)
    return path


def with_link_inside(path: Path) -> Path:
    info = zipfile.ZipInfo("archive/data/0")
    info.external_attr = (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("archive/data.pkl", b"\x80\x02}.")
        archive.writestr(info, "/etc/passwd")
    return path


def linked(path: Path) -> Path:
    target = saved(generator(), path.with_name("real.pth"))
    path.symlink_to(target)
    return path


def folder(path: Path) -> Path:
    path.mkdir()
    return path


def cut_short(path: Path) -> Path:
    saved(generator(), path)
    return written(path.read_bytes()[:-2000], path)


def nearly_a_resnet() -> dict[str, Tensor]:
    return generator() | {"model.13.conv_block.1.weight": torch.zeros(16, 16, 5, 5)}


KINDS: dict[str, tuple[Callable[[Path], Path], str]] = {
    "a whole module": (lambda p: saved(published.resnet(6), p / "g.pth"), "pickled object"),
    "a legacy module": (
        lambda p: saved(nn.Conv2d(3, 3, 1), p / "g.pth", _use_new_zipfile_serialization=False),
        "pickled object",
    ),
    "an options object": (
        lambda p: saved({"net": generator(), "opt": Path("x")}, p / "g.pth"),
        "pickled object",
    ),
    "TorchScript": (lambda p: scripted(p / "g.pt"), "TorchScript"),
    "pt2": (lambda p: written(b"PK\3\4", p / "g.pt2"), "torch.export"),
    "pt2 in disguise": (
        lambda p: zipped({"g/archive_format": b"pt2", "g/models/m.json": b"{}"}, p / "g.pth"),
        "torch.export",
    ),
    "Keras": (lambda p: written(b"\x89HDF\r\n\x1a\n" + b"\0" * 99, p / "g.h5"), "Keras"),
    "Keras in disguise": (lambda p: written(b"\x89HDF\r\n\x1a\n" + b"\0", p / "g.pth"), "Keras"),
    "options.pkl": (lambda p: written(pickle.dumps({"a": 1}), p / "options.pkl"), "Python pickle"),
    "a bare pickle": (lambda p: written(pickle.dumps({"a": 1}), p / "g.pth"), "Python pickle"),
    "ONNX": (lambda p: written(b"\x08\x07", p / "g.onnx"), "ONNX"),
    "a zip of something": (lambda p: zipped({"a/readme.md": b"hi"}, p / "g.pth"), "without a"),
    "a zip bomb": (
        lambda p: zipped(
            {"archive/data.pkl": b"\x80\x02}.", "archive/data/0": bytes(50_000_000)},
            p / "g.pth", zipfile.ZIP_DEFLATED,
        ),
        "far more than it seems",
    ),
    "a way out of the archive": (
        lambda p: zipped({"archive/data.pkl": b"\x80\x02}.", "archive/../x": b""}, p / "g.pth"),
        "not an archive as torch.save",
    ),
    "a link inside": (lambda p: with_link_inside(p / "g.pth"), "not an archive as torch.save"),
    "a link": (lambda p: linked(p / "g.pth"), "choose the file it leads to"),
    "a folder": (lambda p: folder(p / "g.pth"), "not a file"),
    "nothing": (lambda p: p / "absent.pth", "cannot be read"),
    "an empty file": (lambda p: written(b"", p / "g.pth"), "empty"),
    "a web page": (lambda p: written(b"<!doctype html><html>", p / "g.pth"), "web page"),
    "a Git LFS pointer": (
        lambda p: written(b"version https://git-lfs.github.com/spec/v1\n", p / "g.pth"),
        "git lfs pull",
    ),
    "noise": (lambda p: written(b"\xff\x00" * 99, p / "g.pth"), "not a checkpoint"),
    "a truncated file": (lambda p: cut_short(p / "g.pth"), "damaged"),
    "no tensors": (lambda p: saved({"epoch": 3}, p / "g.pth"), "no state dict"),
    "numbers that are not floats": (
        lambda p: saved(generator() | {"model.1.weight": torch.zeros(4, 3, 7, 7).int()},
                        p / "g.pth"),
        "other numbers than floats",
    ),
    "a diffusion network of another kind": (
        lambda p: saved({"net": {"input_blocks.0.0.weight": torch.zeros(8, 3, 3, 3),
                                 "time_embed.0.weight": torch.zeros(8, 8)}}, p / "g.pt"),
        "variant that is not known",
    ),
    "averages of another network": (
        lambda p: saved({"net": {"time_embed.0.weight": torch.zeros(8, 8)},
                         "ema": {"shadow_params": [torch.zeros(8, 9)]}}, p / "g.pt"),
        "averages that do not fit",
    ),
    "an encoders/decoders U-Net": (
        lambda p: saved({"encoders.0.conv.weight": torch.zeros(8, 3, 4, 4),
                         "decoders.0.deconv.weight": torch.zeros(8, 3, 4, 4)}, p / "g.pt"),
        "not supported yet",
    ),
    "a discriminator": (
        lambda p: saved({"model.0.weight": torch.zeros(8, 3, 4, 4)}, p / "latest_net_D.pth"),
        "discriminator",
    ),
    "CUT's patch sampler": (
        lambda p: saved({"mlp_0.0.weight": torch.zeros(8, 3)}, p / "latest_net_F.pth"), "net_F",
    ),
    "another family": (
        lambda p: saved(nn.Linear(3, 3).state_dict(), p / "g.pth"),
        "unknown architecture; known are ResNet generators of CycleGAN",
    ),
    "a colouriser": (
        lambda p: saved(published.unet(7).state_dict()
                        | {"model.model.0.weight": torch.zeros(4, 1, 4, 4),
                           "model.model.3.weight": torch.zeros(8, 2, 4, 4)}, p / "g.pth"),
        "1 channels into 2",
    ),
    "a variant of a known family": (
        lambda p: saved(nearly_a_resnet(), p / "g.pth"), "model.13.conv_block.1.weight is",
    ),
    "a spectral norm without its vectors": (
        lambda p: saved({("model.1.weight_orig" if n == "model.1.weight" else n): v
                         for n, v in generator().items()}, p / "g.pth"),
        "incomplete spectral norm",
    ),
}  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_unsafe_or_foreign_is_refused_with_the_reason(kind: str, tmp_path: Path) -> None:
    make, reason = KINDS[kind]
    path = make(tmp_path)

    with pytest.raises(ImportRefusedError, match=reason) as refusal:
        read_checkpoint(path)

    message = str(refusal.value)
    assert path.name in message
    assert message.endswith(".")


@pytest.mark.parametrize("legacy", [False, True])
def test_a_pickle_that_would_run_code_does_not(legacy: bool, tmp_path: Path) -> None:
    trace = tmp_path / "trace"
    path = saved(
        {"state_dict": generator(), "x": Evil(trace)},
        tmp_path / "g.pth",
        _use_new_zipfile_serialization=not legacy,
    )

    with pytest.raises(ImportRefusedError, match=r"would run '(posix|nt)\.system'"):
        read_checkpoint(path)

    assert not trace.exists()


def test_a_newer_pickle_protocol_hides_no_name(tmp_path: Path) -> None:
    trace = tmp_path / "trace"
    program = pickle.dumps(Evil(trace), protocol=4)
    path = zipped({"archive/data.pkl": program}, tmp_path / "g.pth")

    with pytest.raises(ImportRefusedError, match="would run"):
        read_checkpoint(path)

    assert not trace.exists()


@pytest.fixture
def no_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fail the test as soon as anything reads numbers."""

    def never(*_: object, **__: object) -> None:
        pytest.fail("memory was taken for the tensors")

    monkeypatch.setattr("torch.load", never)
    monkeypatch.setattr("stainapp.models.checkpoint_file.load_file", never)


def expanded(path: Path) -> Path:
    return saved({"model.1.weight": torch.zeros(1).expand(300_000, 300_000)}, path)


def huge_legacy_storage(path: Path) -> Path:
    saved({"w": torch.zeros(1000)}, path, _use_new_zipfile_serialization=False)
    claimed = b"J" + struct.pack("<i", 2**31 - 1)
    return written(path.read_bytes().replace(b"M\xe8\x03", claimed), path)


def many_tensors(path: Path) -> Path:
    return saved({f"w{index}": torch.zeros(1) for index in range(10_001)}, path,
                 _use_new_zipfile_serialization=False)  # fmt: skip


def lying_safetensors(path: Path) -> Path:
    header = b'{"w":{"dtype":"F32","shape":[1000000000000],"data_offsets":[0,4000000000000]}}'
    return written(struct.pack("<Q", len(header)) + header + bytes(4), path)


def program(code: bytes) -> Callable[[Path], Path]:
    return lambda path: zipped({"archive/data.pkl": code}, path)


def wrong_record(path: Path) -> Path:
    buffer = io.BytesIO()
    torch.save({"w": torch.zeros(1000)}, buffer)
    with zipfile.ZipFile(buffer) as archive:
        members = {info.filename: archive.read(info) for info in archive.infolist()}
    name = next(name for name in members if name.endswith("data/0"))
    return zipped(members | {name: bytes(16), "archive/pad": bytes(9000)}, path)


def large_directory(path: Path) -> Path:
    return zipped({"archive/data.pkl": b"\x80\x02}."}
                  | {f"archive/{index:050d}": b"" for index in range(45_000)}, path)  # fmt: skip


@pytest.mark.usefixtures("no_memory")
@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (expanded, "more numbers than it holds"),
        (huge_legacy_storage, "more numbers than it holds"),
        (many_tensors, "more numbers than it holds"),
        (lying_safetensors, "no sound safetensors"),
        (wrong_record, "not its record's"),
        (large_directory, "damaged"),
        (program(b"\x80\x02" + b"]" * 1_000_100 + b"."), "damaged"),
        (program(b"\x80\x02" + b"]" * 5_000_000 + b"."), "far more than it seems"),
        (program(b"\x80\x02(U\x07storageccollections\nOrderedDict\nU\x010U\x03cpuK\x01tQ."),
         "damaged"),
        (
            program(b"\x80\x02(U\x07storagectorch\nFloatStorage\n)"
                    + b"q\x00h\x00\x86" * 40 + b"U\x03cpuK\x01tQ."),
            "damaged",
        ),
        # Forty levels of pairs of the same pair: as a dictionary's key it takes ages to hash.
        (program(b"\x80\x02})" + b"q\x00h\x00\x86" * 40 + b"Ns."), "damaged"),
        (program(b"\x80\x02}("), "damaged"),
    ],
)  # fmt: skip
def test_sizes_and_counts_are_bounded_before_memory_is_taken(
    make: Callable[[Path], Path], reason: str, tmp_path: Path
) -> None:
    path = make(tmp_path / "g.pth")

    with pytest.raises(ImportRefusedError, match=reason):
        read_checkpoint(path)


def test_a_file_above_the_limit_is_refused_by_its_size_alone(tmp_path: Path) -> None:
    path = tmp_path / "g.pth"
    with path.open("wb") as file:
        file.truncate(5_000_000_001)  # sparse: it takes no room

    with pytest.raises(ImportRefusedError, match=r"larger than 5\.0 GB"):
        read_checkpoint(path)


@pytest.mark.usefixtures("no_memory")
def test_recognising_a_checkpoint_reads_none_of_its_numbers(tmp_path: Path) -> None:
    path = saved(generator(), tmp_path / "g.pth")

    suggestion = suggest(path)

    assert suggestion.family == "ResNet generator, 6 blocks (CycleGAN)"
    assert suggestion.parameters == sum(value.numel() for value in generator().values())


def test_random_damage_is_refused_or_leaves_a_network_of_the_same_shape(tmp_path: Path) -> None:
    weights = published.stainnet(8).state_dict()
    data = np.frombuffer(saved(weights, tmp_path / "whole.pth").read_bytes(), dtype=np.uint8)
    random = np.random.default_rng(5)
    refused = 0

    for attempt in range(200):
        damaged = data.copy()
        damaged[random.integers(0, len(data), 6)] = random.integers(0, 256, 6)
        path = written(damaged.tobytes(), tmp_path / f"{attempt}.pth")
        try:
            read = read_checkpoint(path)
        except ImportRefusedError:
            refused += 1
        else:
            assert {n: v.shape for n, v in read.items()} == {n: v.shape for n, v in weights.items()}

    assert refused > 20
