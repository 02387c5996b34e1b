"""`stainapp train` and `stainapp evaluate`, run as a user runs them."""

import json
from pathlib import Path

import pytest

from stainapp.cli import main
from stainapp.models.store import check
from stainapp.runs.folder import EventReader, RunFolder
from stainapp.runs.recipe import Recipe, write_recipe
from tests.training.recipes import small


def written(recipe: Recipe, folder: Path) -> Path:
    path = folder / "asked.toml"
    write_recipe(recipe, path)
    return path


def test_the_methods_are_listed_with_when_to_use_each(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["train", "--methods", "--json"]) == 0

    methods = {one["method"]: one for one in json.loads(capsys.readouterr().out)}
    assert {"cyclegan", "pix2pix"} <= methods.keys()
    assert all(one["when"].endswith(".") for one in methods.values())


def test_train_without_a_recipe_is_misuse(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["train"]) == 2
    assert "RECIPE.toml" in capsys.readouterr().err


def test_a_check_tells_split_and_cost_and_writes_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    recipe = written(small(), tmp_path)

    code = main(["train", str(recipe), "-o", str(tmp_path / "run"), "--check", "--json"])

    found = json.loads(capsys.readouterr().out)
    assert (code, found["ok"]) == (0, True)
    assert {part["split"] for part in found["split"]} == {"train", "validation"}
    for part in found["split"]:
        x, y, width, height = part["area"]
        assert part["squares"]
        assert all(x <= a and a + side <= x + width + 1 for a, _, side in part["squares"])
        assert all(y <= b and b + side <= y + height + 1 for _, b, side in part["squares"])
    assert found["estimate"]["images_per_s"] > 0
    assert found["estimate"]["disk_bytes"] > 0
    assert not (tmp_path / "run").exists()


def test_a_recipe_that_will_not_do_is_answered_with_one_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    recipe = tmp_path / "wrong.toml"
    recipe.write_text('method = "cyclegan"\nimages = 3\n')

    code = main(["train", str(recipe), "--check", "--json"])

    found = json.loads(capsys.readouterr().out)
    assert (code, found["ok"]) == (1, False)
    assert "images" in found["problem"]
    assert str(recipe) in found["problem"]


def test_a_tile_the_network_cannot_take_is_refused_with_one_that_fits(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    recipe = written(small(), tmp_path)
    recipe.write_text(recipe.read_text().replace("tile_px = 48", "tile_px = 50"))

    assert main(["train", str(recipe), "--check"]) == 1

    said = capsys.readouterr().err
    assert "tile_px" in said
    assert "multiples of 4" in said or "multiple of 4" in said


def test_training_leaves_a_model_that_opens_and_a_run_that_tells_its_story(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    recipe, run = written(small(), tmp_path), RunFolder(tmp_path / "run")

    assert main(["train", str(recipe), "-o", str(run.path)]) == 0

    assert str(run.model) in capsys.readouterr().out
    card = check(run.model / "small")
    assert {"PSNR", "SSIM"} <= {row["measure"] for row in card.metrics}
    assert {"model", "untouched", "macenko"} <= {row["subject"] for row in card.metrics}
    events = [event["event"] for event in EventReader(run.events_file).new()]
    assert events[0] == "start"
    assert events[-1] == "done"
    assert {"step", "validation", "sample", "checkpoint", "evaluation"} <= set(events)
    assert not run.lock_file.exists()


def test_a_finished_run_is_not_trained_over(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    recipe, run = written(small(images=2), tmp_path), tmp_path / "run"
    run.mkdir()
    (run / "events.jsonl").write_text("")

    assert main(["train", str(recipe), "-o", str(run)]) == 1

    assert "--resume" in capsys.readouterr().err


def test_only_the_run_that_was_begun_is_resumed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = RunFolder(tmp_path / "run")
    run.path.mkdir()
    write_recipe(small(images=4), run.recipe_file)
    other = written(small(images=8), tmp_path)

    assert main(["train", str(other), "-o", str(run.path), "--resume"]) == 1

    assert "another recipe" in capsys.readouterr().err


def test_nothing_to_resume_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    recipe = written(small(), tmp_path)

    assert main(["train", str(recipe), "-o", str(tmp_path / "none"), "--resume"]) == 1

    assert "no run" in capsys.readouterr().err
