"""A run that is killed, paused, stopped or interrupted ends as one that was left alone."""

import os
import signal
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from stainapp.errors import TrainingError
from stainapp.models.card import ModelCard
from stainapp.runs.folder import RunFolder
from stainapp.runs.methods import METHODS
from stainapp.runs.recipe import Recipe
from tests.training.lives import Life, differences, is_step, last_checkpoint
from tests.training.recipes import SMALL_RESUNET, small
from training.processes import ALONE
from training.start import start

DROPPING = replace(SMALL_RESUNET, dropout=True)
KILLS = 10
LONG = 48


@pytest.fixture(scope="module")
def recipe() -> Recipe:
    return small("cyclegan", network=DROPPING, images=LONG, diffaugment=True)


@pytest.fixture(scope="module")
def untouched(recipe: Recipe, tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    """A run that nothing happened to."""
    run = RunFolder(tmp_path_factory.mktemp("untouched"))
    assert Life(recipe, run).end() == 0
    return run


def test_ten_times_killed_and_resumed_ends_with_the_same_bits(
    recipe: Recipe, untouched: RunFolder, tmp_path: Path
) -> None:
    rng = np.random.default_rng(11)
    run = RunFolder(tmp_path / "run")

    for number in range(KILLS):
        life = Life(recipe, run, resume=number > 0)
        for _ in range(int(rng.integers(1, 4))):
            life.wait_for(is_step)
        life.process.kill()
        assert life.end() == -signal.SIGKILL if sys.platform != "win32" else life.end()
    last = Life(recipe, run, resume=True, quiet=False)

    assert last.end() == 0
    assert last.events[0]["resumed"]
    learnt, expected = last_checkpoint(run), last_checkpoint(untouched)
    assert learnt.pop("progress")["images"] == expected.pop("progress")["images"] == LONG
    assert differences(learnt, expected) == []
    assert ModelCard.read(run.model / "small").id == "small"


@pytest.mark.parametrize("kind", [info.method for info in METHODS])
def test_a_run_of_each_method_killed_once_ends_with_the_same_bits(
    kind: Any, tmp_path: Path
) -> None:
    recipe = small(kind, images=8, diffaugment=True)
    alone, run = (RunFolder(tmp_path / name) for name in ("alone", "killed"))
    assert Life(recipe, alone).end() == 0

    life = Life(recipe, run)
    for _ in range(3):
        life.wait_for(is_step)
    life.process.kill()
    life.end()

    assert Life(recipe, run, resume=True).end() == 0
    assert differences(last_checkpoint(run), last_checkpoint(alone)) == []


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such signals")
def test_a_signal_ends_a_run_at_a_checkpoint_of_that_very_step(
    recipe: Recipe, untouched: RunFolder, tmp_path: Path
) -> None:
    run = RunFolder(tmp_path / "run")
    life = Life(recipe, run)
    life.wait_for(is_step)
    assert life.process.pid is not None

    os.kill(life.process.pid, signal.SIGTERM)

    assert life.end() == 0
    seen = [event for event in life.events if is_step(event)]
    assert last_checkpoint(run)["progress"]["step"] == seen[-1]["step"] < LONG
    assert "done" not in {event["event"] for event in life.events}
    assert Life(recipe, run, resume=True).end() == 0
    assert differences(last_checkpoint(run), last_checkpoint(untouched)) == []


def test_a_paused_run_keeps_a_checkpoint_and_goes_on_as_if_it_had_not_paused(
    recipe: Recipe, untouched: RunFolder, tmp_path: Path
) -> None:
    run = RunFolder(tmp_path / "run")
    life = Life(recipe, run, quiet=False)
    life.wait_for(is_step)

    run.say("pause")
    paused = life.wait_for(lambda event: event["event"] == "paused")
    kept = last_checkpoint(run)["progress"]["step"]
    run.ask_for_live()
    live = life.wait_for(lambda event: event["event"] == "live")
    run.say("run")
    resumed = life.wait_for(lambda event: event["event"] == "going-on")

    assert paused["step"] == kept == live["step"] == resumed["step"]
    assert ModelCard.read(run.live / "small").target_stain == "PAS"
    assert life.end() == 0
    learnt, expected = (last_checkpoint(r) for r in (run, untouched))
    assert learnt.pop("progress")["step"] == expected.pop("progress")["step"]
    assert differences(learnt, expected) == []


def test_a_stopped_run_leaves_its_best_model_and_can_still_be_gone_on_with(
    recipe: Recipe, untouched: RunFolder, tmp_path: Path
) -> None:
    run = RunFolder(tmp_path / "run")
    life = Life(recipe, run, quiet=False)
    life.wait_for(is_step)

    run.say("stop")

    assert life.end() == 0
    assert (life.events[-1]["event"], life.events[-1]["why"]) == ("done", "stopped")
    assert (run.path / life.events[-1]["model"] / "card.json").is_file()
    assert Life(recipe, run, resume=True).end() == 0
    weights, expected = (last_checkpoint(r)["networks"] for r in (run, untouched))
    assert differences(weights, expected) == []


def test_a_second_process_on_the_same_run_is_refused_in_one_sentence(
    recipe: Recipe, tmp_path: Path
) -> None:
    run = RunFolder(tmp_path / "run")
    life = Life(recipe, run)
    life.wait_for(is_step)
    before = run.recipe_file.read_bytes()

    with pytest.raises(TrainingError, match="is being worked on by another process; stop"):
        start(recipe, run, ALONE, resume=True)

    assert run.is_running()
    assert run.recipe_file.read_bytes() == before
    life.process.kill()
    life.end()
    assert not run.is_running()
