import errno
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from stainapp.errors import TrainingError
from stainapp.runs.methods import METHODS
from tests.training.lives import differences
from tests.training.methods import images, method_of
from tests.training.recipes import small
from training import checkpoint

Damage = Callable[[bytes], bytes]


def saved(folder: Path, *steps: int) -> list[Path]:
    return [checkpoint.save(folder, {"weights": torch.full((999,), step)}, step) for step in steps]


def flipped(data: bytes) -> bytes:
    middle = data.index(torch.full((9,), 2).numpy().tobytes()) + 8
    return data[:middle] + bytes([data[middle] ^ 1]) + data[middle + 1 :]


@pytest.mark.parametrize(
    "damage",
    [lambda data: data[: len(data) // 2], lambda _: b"", lambda _: b"\x80garbage" * 99, flipped],
    ids=["cut in half", "empty", "garbage", "one bit flipped"],
)
def test_of_a_damaged_checkpoint_the_one_before_is_used_and_that_is_said(
    damage: Damage, tmp_path: Path
) -> None:
    _, newest = saved(tmp_path, 1, 2)
    newest.write_bytes(damage(newest.read_bytes()))
    said: list[str] = []

    values = checkpoint.newest(tmp_path, said.append)

    assert values is not None
    assert values["step"] == 1
    assert said == ["The checkpoint 000000002.pt is damaged; the one before it is used."]
    assert [path.name for path in checkpoint.found(tmp_path)] == ["000000001.pt"]


def test_where_every_checkpoint_is_damaged_the_run_starts_anew_and_says_so(tmp_path: Path) -> None:
    for path in saved(tmp_path, 1, 2):
        path.write_bytes(b"damaged")
    said: list[str] = []

    assert checkpoint.newest(tmp_path, said.append) is None
    assert said[-1] == (
        "The checkpoint 000000001.pt is damaged; none is left, so the run starts anew."
    )


def test_a_checkpoint_of_another_version_is_refused_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "000000001.pt"
    torch.save({"schema": "stainapp.checkpoint/99"}, path)

    with pytest.raises(TrainingError, match="another version of stainapp; go on with that one"):
        checkpoint.newest(tmp_path, print)

    assert path.is_file()


def test_the_last_two_are_kept_and_what_a_kill_cut_short_is_cleared_away(tmp_path: Path) -> None:
    (tmp_path / "000000007.tmp").write_bytes(b"half")

    saved(tmp_path, 8, 9, 10)

    assert sorted(path.name for path in tmp_path.iterdir()) == ["000000009.pt", "000000010.pt"]


def full(*_: Any) -> None:
    raise OSError(errno.ENOSPC, "No space left on device")


def torn(*_: Any) -> None:
    raise RuntimeError("[enforce fail at inline_container.cc:668] . unexpected pos 64 vs 0")


@pytest.mark.parametrize(
    ("where", "failure"), [("os.fsync", full), ("torch.save", full), ("torch.save", torn)]
)
def test_a_full_disk_leaves_the_earlier_checkpoints_whole_and_nothing_else(
    where: str, failure: Callable[..., None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    saved(tmp_path, 1, 2)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    monkeypatch.setattr(where, failure)

    with pytest.raises(OSError, match=r"space|unexpected"):
        saved(tmp_path, 3)

    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


@pytest.mark.parametrize("kind", [info.method for info in METHODS])
def test_what_is_restored_goes_on_to_the_same_bits(kind: Any, tmp_path: Path) -> None:
    recipe = small(kind, diffaugment=True)
    one, other = method_of(recipe), method_of(recipe)
    for number in range(5):
        one.step(images(number))
    checkpoint.save(tmp_path, checkpoint.state_of(one), 5)
    values = checkpoint.newest(tmp_path, print)
    assert values is not None

    checkpoint.restore(other, values, "cpu")
    one.step(images(5))
    other.step(images(5))

    assert differences(checkpoint.state_of(one), checkpoint.state_of(other)) == []


def test_a_checkpoint_of_other_networks_is_refused_in_one_sentence() -> None:
    values = checkpoint.state_of(method_of(small("pix2pix")))

    with pytest.raises(TrainingError, match="of another network than the recipe's; start anew"):
        checkpoint.restore(method_of(small("pix2pix", ndf=8)), values, "cpu")


@pytest.mark.parametrize("part", ["networks", "averages"])
def test_weights_that_are_no_numbers_are_noticed(part: str) -> None:
    method = method_of(small("pix2pix"))
    assert checkpoint.is_finite(method)

    with torch.no_grad():
        if part == "networks":
            next(method.networks["judge-target"].parameters())[0, 0, 0, 0] = float("nan")
        else:
            next(iter(method.averages["forward"].weights.values()))[0, 0, 0, 0] = float("inf")

    assert not checkpoint.is_finite(method)
