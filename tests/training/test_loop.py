"""The loop itself, with a stand-in for what validates: what it writes, refuses and survives."""

import errno
import signal
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from stainapp.errors import RecipeError, SlideError, TrainingError
from stainapp.runs.folder import EventReader, RunFolder
from stainapp.runs.recipe import Recipe
from stainapp.runs.recipe_file import write_recipe
from tests.training.lives import QuietWatch, last_checkpoint
from tests.training.recipes import small
from training import checkpoint, loop
from training.datasets import Batch, Dataset
from training.method import NotFiniteError
from training.processes import ALONE, Processes
from training.start import start


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("training.reporter.SAY_EVERY_S", 0.0)
    monkeypatch.setattr(loop, "Watch", QuietWatch)


def taught(
    recipe: Recipe, folder: Path, *, resume: bool = False
) -> tuple[RunFolder, str, list[dict[str, Any]]]:
    run = RunFolder(folder)
    why = start(recipe, run, ALONE, resume=resume, device="cpu")
    return run, why, list(EventReader(run.events_file).new())


def named(events: list[dict[str, Any]], name: str) -> list[dict[str, Any]]:
    return [event for event in events if event["event"] == name]


def test_every_step_says_its_losses_and_the_last_line_is_done(tmp_path: Path) -> None:
    run, why, events = taught(small(images=4), tmp_path)

    assert why == "finished"
    assert [event["step"] for event in named(events, "step")] == [1, 2, 3, 4]
    assert named(events, "step")[0]["losses"].keys() == {"adversarial target", "l1", "judge target"}
    assert [event["step"] for event in named(events, "checkpoint")] == [2, 4, 4]
    assert events[-1]["event"] == "done"
    assert last_checkpoint(run).keys() >= {
        "progress", "networks", "averages", "optimisers", "pools", "scaler",
    }  # fmt: skip


def test_the_rate_at_an_image_is_the_same_for_every_batch(tmp_path: Path) -> None:
    rates = {}
    for batch in (1, 4):
        recipe = small(images=16, batch=batch, checkpoint_every=99)
        events = taught(recipe, tmp_path / str(batch))[2]
        # a line stands after its step, whose rate is that of its first image
        rates[batch] = {e["images"] - batch: e["rate"] for e in named(events, "step")}

    assert {image: rates[1][image] for image in rates[4]} == rates[4]
    assert len(set(rates[4].values())) > 1


def test_a_run_that_gains_nothing_ends_early(tmp_path: Path) -> None:
    _, why, events = taught(small(images=50, validate_every=2, early_stop=2), tmp_path)

    assert why == "early"
    assert events[-1]["images"] == 6


def test_a_finished_run_that_is_resumed_is_still_finished(tmp_path: Path) -> None:
    run, _, _ = taught(small(images=2), tmp_path)
    before = last_checkpoint(run)["progress"]

    _, why, events = taught(small(images=2), tmp_path, resume=True)

    assert why == "finished"
    assert last_checkpoint(run)["progress"] == before
    assert len(named(events, "step")) == 2


@pytest.mark.parametrize("rate", [1e12, 1e30])  # far beyond what a recipe may ask for
def test_a_run_whose_losses_explode_stops_with_finite_checkpoints_and_one_sentence(
    rate: float, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = small(images=60, checkpoint_every=1)
    monkeypatch.setattr(loop, "rate_share", lambda *_: rate / recipe.training.rate)

    with pytest.raises(NotFiniteError):
        taught(recipe, tmp_path)

    events = list(EventReader(tmp_path / "events.jsonl").new())
    assert events[-1]["event"] == "failed"
    assert "lower training.rate" in events[-1]["message"]
    assert events[-1]["message"].count(". ") == 0
    for path in checkpoint.found(RunFolder(tmp_path).checkpoints):
        networks = torch.load(path, weights_only=True)["networks"]
        assert all(bool(v.isfinite().all()) for net in networks.values() for v in net.values())


def test_weights_that_became_no_numbers_are_never_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    step = loop.Lesson.learn

    def spoil(lesson: loop.Lesson) -> None:
        step(lesson)
        if lesson.progress.step == 4:
            with torch.no_grad():
                next(lesson.method.networks["forward"].parameters()).fill_(float("nan"))

    monkeypatch.setattr(loop.Lesson, "learn", spoil)

    with pytest.raises(NotFiniteError):
        taught(small(), tmp_path)

    assert last_checkpoint(RunFolder(tmp_path))["progress"]["step"] == 2


def test_a_run_goes_on_while_the_disk_is_full_and_says_what_was_not_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save, asked = torch.save, []

    def full_at_first(*arguments: Any) -> None:
        asked.append(1)
        if len(asked) < 3:
            raise OSError(errno.ENOSPC, "No space left on device")
        save(*arguments)

    monkeypatch.setattr(torch, "save", full_at_first)

    run, why, events = taught(small(images=6), tmp_path)

    assert why == "finished"
    assert [e["message"].count("the one before it is kept") for e in named(events, "notice")] == [
        1,
        1,
    ]
    assert last_checkpoint(run)["progress"]["step"] == 6


def test_a_damaged_checkpoint_is_passed_over_and_the_run_ends_alike(tmp_path: Path) -> None:
    recipe = small(images=6)
    run, _, _ = taught(recipe, tmp_path / "damaged")
    newest = sorted(run.checkpoints.glob("*.pt"))[-1]
    expected = last_checkpoint(run)["networks"]
    newest.write_bytes(newest.read_bytes()[:-1000])

    _, _, events = taught(recipe, run.path, resume=True)

    assert named(events, "notice")[0]["message"] == (
        "The checkpoint 000000006.pt is damaged; the one before it is used."
    )
    assert [e["step"] for e in named(events, "start")] == [0, 4]
    found = last_checkpoint(run)["networks"]["forward"]
    assert all(torch.equal(found[key], expected["forward"][key]) for key in found)


def test_a_batch_that_processes_cannot_share_is_refused_before_anything_is_made(
    tmp_path: Path,
) -> None:
    with pytest.raises(RecipeError, match="batch is 3, which 2 processes cannot share evenly"):
        start(small(batch=3), RunFolder(tmp_path / "run"), Processes(0, 2, 0), resume=False)

    assert not (tmp_path / "run").exists()


def test_a_run_that_has_learnt_nothing_is_begun_anew_by_a_corrected_recipe(tmp_path: Path) -> None:
    recipe = small(images=2)
    impossible = replace(recipe, data=replace(recipe.data, tile_px=1024))
    with pytest.raises(RecipeError, match="does not fit"):
        taught(impossible, tmp_path)

    run, why, events = taught(recipe, tmp_path)

    assert why == "finished"
    assert run.recipe() == recipe
    assert [event["event"] for event in events[:2]] == ["failed", "start"]


@pytest.mark.parametrize("name", ["thesis.odt", "recipe.toml"])
def test_a_folder_of_something_else_is_left_alone(name: str, tmp_path: Path) -> None:
    write_recipe(small(images=4), tmp_path / name)
    before = (tmp_path / name).read_bytes()

    with pytest.raises(TrainingError, match="holds other files; choose a new or empty folder"):
        taught(small(images=2), tmp_path)

    assert [path.name for path in tmp_path.iterdir()] == [name]
    assert (tmp_path / name).read_bytes() == before


def test_where_a_slide_goes_away_what_was_learnt_until_then_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe, batch = small(images=6, checkpoint_every=99), Dataset.batch

    def gone(data: Dataset, first: int, count: int) -> Batch:
        if first == 3:
            raise SlideError("The slide has gone away.")
        return batch(data, first, count)

    with monkeypatch.context() as patch:
        patch.setattr(Dataset, "batch", gone)
        with pytest.raises(SlideError):
            taught(recipe, tmp_path)
    kept = last_checkpoint(RunFolder(tmp_path))["progress"]["step"]
    _, why, _ = taught(recipe, tmp_path, resume=True)

    assert (kept, why) == (3, "finished")


def test_who_interrupts_the_last_figures_keeps_the_run_and_can_resume_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = small(images=2)
    # a process started in the background has been told to ignore it
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with monkeypatch.context() as patch:
            patch.setattr(QuietWatch, "conclude", lambda _: signal.raise_signal(signal.SIGINT))
            with pytest.raises(KeyboardInterrupt):
                taught(recipe, tmp_path)
    finally:
        signal.signal(signal.SIGINT, before)

    run, why, events = taught(recipe, tmp_path, resume=True)

    assert why == "finished"
    assert len(named(events, "step")) == 2
    assert not run.is_running()


def test_a_run_begun_with_another_recipe_is_not_gone_on_with(tmp_path: Path) -> None:
    taught(small(images=2), tmp_path)

    with pytest.raises(RecipeError, match="begun with another recipe"):
        taught(small(images=4), tmp_path, resume=True)
    with pytest.raises(TrainingError, match="already holds a run; add --resume"):
        taught(small(images=2), tmp_path)


def test_seeds_of_neighbouring_steps_have_nothing_in_common() -> None:
    seeds = {loop.seed_of(seed, step, rank) for seed in (0, 2**40) for step in range(9)
             for rank in range(3)}  # fmt: skip

    assert len(seeds) == 54
    torch.manual_seed(max(seeds))
