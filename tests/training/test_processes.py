"""Several processes at one run: the same losses, and checkpoints that any number can go on from."""

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

from stainapp.errors import RecipeError
from stainapp.models.card import Arch
from stainapp.runs.folder import EventReader, RunFolder
from stainapp.runs.methods import METHODS
from stainapp.runs.recipe_file import write_recipe
from tests.training.lives import is_step, last_checkpoint, live_together
from tests.training.recipes import SMALL_RESUNET, networks_of, small
from training.build import build_method
from training.method import Setting
from training.processes import ALONE, Processes

CLOSE = 1e-4
ROOT = Path(__file__).parents[2]


def losses(run: RunFolder) -> list[dict[str, float]]:
    return [event["losses"] for event in EventReader(run.events_file).new() if is_step(event)]


def without_the_last_checkpoint(run: RunFolder, copy: Path) -> RunFolder:
    shutil.copytree(run.path, copy)
    sorted((copy / "checkpoints").glob("*.pt"))[-1].unlink()
    return RunFolder(copy)


def assert_same_networks(one: RunFolder, other: RunFolder) -> None:
    networks = last_checkpoint(one)["networks"]
    for name, expected in last_checkpoint(other)["networks"].items():
        for key, value in expected.items():
            if key.endswith("weight"):  # an instance norm leaves biases nothing but rounding errors
                off = (networks[name][key] - value).norm() / value.norm()
                assert off.item() < 5 * CLOSE, f"{name}.{key}"


@pytest.mark.parametrize(
    ("kind", "network"),
    [
        ("cyclegan", SMALL_RESUNET),
        *((info.method, networks_of(info.method)[0]) for info in METHODS),
    ],
)
def test_two_processes_learn_what_one_learns_from_the_same_batches(
    kind: Any, network: Arch, tmp_path: Path
) -> None:
    # Adam turns a rounding error in a gradient near 0 into a whole step: so steps are small
    slow: dict[str, Any] = {"rate": 1e-5, "diffaugment": True, "pool": 3}
    recipe = small(kind, network=network, images=12, batch=2, checkpoint_every=6, **slow)
    alone, both = RunFolder(tmp_path / "one"), RunFolder(tmp_path / "two")

    live_together(1, recipe, alone)
    live_together(2, recipe, both)

    assert len(losses(both)) == 6
    for one, two in zip(losses(alone), losses(both), strict=True):
        assert two == pytest.approx(one, abs=CLOSE, rel=CLOSE)
    assert_same_networks(both, alone)
    for begun, count in ((alone, 2), (both, 1)):
        resumed = without_the_last_checkpoint(begun, tmp_path / f"resumed by {count}")
        live_together(count, recipe, resumed, resume=True)
        assert losses(resumed)[-3:] == [
            pytest.approx(one, abs=CLOSE, rel=CLOSE) for one in losses(alone)[-3:]
        ]
        assert_same_networks(resumed, alone)


def test_torchrun_starts_the_processes_of_a_run(tmp_path: Path) -> None:
    recipe = small("pix2pix", images=4, batch=2)
    file, run = tmp_path / "wish.toml", RunFolder(tmp_path / "run")
    write_recipe(recipe, file)
    words = "-m torch.distributed.run --standalone --nproc-per-node 2 -m training"

    done = subprocess.run(
        [sys.executable, *words.split(), str(file), "-o", str(run.path), "--device", "cpu"],
        cwd=ROOT,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    events = list(EventReader(run.events_file).new())
    assert events[0]["processes"] == 2
    assert events[-1]["why"] == "finished"
    assert last_checkpoint(run)["progress"]["images"] == 4


@pytest.mark.parametrize("norm", ["batch", "instance"])
def test_batch_norm_is_refused_where_processes_cannot_share_it(norm: Any) -> None:
    arch = Arch(family="unet", ngf=4, norm=norm, downs=5)
    setting = Setting(small("pix2pix", network=arch), "cpu", "fp32", Processes(0, 2, 0))

    if norm == "batch":
        with pytest.raises(RecipeError, match='train in one process, or with norm = "instance"'):
            build_method(setting)
    else:  # as far as the process group, which is not there
        with pytest.raises(ValueError, match="process group"):
            build_method(setting)


def test_one_process_passes_everything_on_as_it_is() -> None:
    images, net = torch.rand(2, 3, 4, 4), torch.nn.Conv2d(3, 3, 1)

    assert ALONE.leads
    assert ALONE.gathered(images) is images
    assert ALONE.mean(images) is images
    assert ALONE.shared(net) is net
    assert ALONE.told("word") == "word"
