"""`stainapp train` and `stainapp evaluate`, run as a user runs them."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest

from stainapp.cli import main
from stainapp.models.store import check
from stainapp.runs.folder import EventReader, RunFolder
from stainapp.runs.recipe import Recipe
from stainapp.runs.recipe_file import write_recipe
from stainapp.slides.phantom import PhantomSlide
from tests.models.factories import identity_model, network_model
from tests.training.recipes import SMALL_RESNET, small


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


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    """Train a small model once, by the command."""
    folder = tmp_path_factory.mktemp("trained")
    run = RunFolder(folder / "run")
    assert main(["train", str(written(small(), folder)), "-o", str(run.path)]) == 0
    return run


def test_training_leaves_a_model_that_opens_and_a_run_that_tells_its_story(run: RunFolder) -> None:
    card = check(run.model / "small")
    assert {"PSNR", "SSIM"} <= {row["measure"] for row in card.metrics}
    assert {"model", "untouched", "macenko"} <= {row["subject"] for row in card.metrics}
    events = [event["event"] for event in EventReader(run.events_file).new()]
    assert events[0] == "start"
    assert events[-1] == "done"
    assert {"step", "validation", "sample", "checkpoint", "evaluation"} <= set(events)
    assert not run.lock_file.exists()


def test_a_model_is_measured_on_what_its_run_held_out(
    run: RunFolder, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model, out, table = str(run.model / "small"), tmp_path / "m.json", tmp_path / "m.csv"
    where = ["--data", str(run.path), "-o", str(out), "--csv", str(table)]

    assert main(["evaluate", model, *where, "--figures", str(tmp_path / "worst")]) == 0

    said = capsys.readouterr().out
    rows = json.loads(out.read_text())["comparisons"][0]["rows"]
    ssim = next(r for r in rows if (r["subject"], r["measure"]) == ("small", "SSIM"))
    assert ssim["low"] <= ssim["estimate"] <= ssim["high"]
    assert f"{ssim['estimate']:.4g}" in said
    with table.open() as lines:
        assert {row["subject"] for row in csv.DictReader(lines)} >= {"small", "reinhard"}
    assert (tmp_path / "worst" / "small.png").stat().st_size > 0


def test_several_models_are_ranked_in_one_table_on_one_page(
    run: RunFolder, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    same = identity_model(tmp_path / "same", id="same", source_stain="H&E", target_stain="PAS")
    out, html = tmp_path / "m.json", tmp_path / "m.html"
    words = ["evaluate", str(run.model / "small"), str(same), "--data", str(run.path)]

    assert main([*words, "-o", str(out), "--page", str(html)]) == 0

    (comparison,) = json.loads(out.read_text())["comparisons"]
    standings = {one["subject"]: one for one in comparison["standings"]}
    assert standings.keys() >= {"small", "same", "untouched", "reinhard"}
    assert standings["same"]["ranks"]["PSNR"] == standings["untouched"]["ranks"]["PSNR"]
    assert any(value > 0 for value in standings["small"]["costs"].values())
    assert "Mean rank in" in capsys.readouterr().out
    assert html.read_text().count("<figcaption>same</figcaption>") == 3


def test_steps_are_for_bridges_alone(run: RunFolder, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["evaluate", str(run.model / "small"), "--data", str(run.path), "--steps", "1,0"]

    with pytest.raises(SystemExit):
        main(words)

    assert "'1,0' are no numbers of steps" in capsys.readouterr().err


def test_a_model_is_measured_the_same_twice(run: RunFolder, tmp_path: Path) -> None:
    model, where = str(run.model / "small"), ["--data", str(run.path)]
    tables = []
    for name in ("a.csv", "b.csv"):
        assert main(["evaluate", model, *where, "--csv", str(tmp_path / name)]) == 0
        tables.append((tmp_path / name).read_bytes())

    assert tables[0] == tables[1]


def test_a_model_is_measured_on_an_archive_of_pairs(
    run: RunFolder, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    slides = [PhantomSlide(stain, (1024, 1024), seed=9) for stain in ("H&E", "PAS")]
    places = [(x, y) for x in (200, 460) for y in (200, 460)]
    pairs = [np.stack([s.read(x, y, 0, 256, 256) for x, y in places]) for s in slides]
    np.savez_compressed(tmp_path / "stain.npz", *pairs)

    model = str(run.model / "small")
    assert main(["evaluate", model, "--data", str(tmp_path / "stain.npz"), "--json"]) == 0

    rows = json.loads(capsys.readouterr().out)["comparisons"][0]["rows"]
    assert {row["n"] for row in rows if row["measure"] == "PSNR"} == {4}


def test_the_report_names_what_the_figures_rest_on(run: RunFolder, tmp_path: Path) -> None:
    finder = identity_model(
        tmp_path / "finder", id="finder", kind="segmenter", target_stain="nuclei"
    )
    out = tmp_path / "m.json"
    words = ["evaluate", str(run.model / "small"), "--data", str(run.path), "-o", str(out)]

    assert main([*words, "--segmenter", str(finder), "--dab-thresholds", "0.1,0.3,0.5"]) == 0

    report = json.loads(out.read_text())
    assert report["segmenter"] == {"name": "finder 1.0.0", "accuracy": None}
    assert report["dab_thresholds"] == {"weak": 0.1, "moderate": 0.3, "strong": 0.5}
    assert report["inception"] is None
    rows = {row["measure"]: row for row in report["comparisons"][0]["rows"]}
    assert "finder 1.0.0, its accuracy was not measured" in rows["nuclei F1"]["note"]
    assert {"FD-OD", "KD-OD"} <= rows.keys()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--inception", "none.pth"], "no Inception weights at none.pth"),
        (["--segmenter", "macenko"], "finds no nuclei"),
        (["--dab-thresholds", "0.5,0.3,0.1"], "three that rise"),
    ],
)
def test_what_pictures_cannot_be_looked_at_with_is_said_before_anything_is_measured(
    words: list[str], said: str, run: RunFolder, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["evaluate", str(run.model / "small"), "--data", "nowhere", *words]) == 1

    assert said in capsys.readouterr().err


def test_a_model_of_other_stains_is_not_measured(
    run: RunFolder, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = network_model(
        tmp_path / "other", SMALL_RESNET, source_stain="DAB", target_stain="unstained", mpp=0.5
    )

    assert main(["evaluate", str(model), "--data", str(run.path)]) == 1

    assert "DAB" in capsys.readouterr().err


def test_data_that_is_none_is_named(
    run: RunFolder, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    missing = tmp_path / "nothing.csv"

    assert main(["evaluate", str(run.model / "small"), "--data", str(missing)]) == 1

    assert str(missing) in capsys.readouterr().err


def test_a_finished_run_is_not_trained_over(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    recipe, run = written(small(images=2), tmp_path), tmp_path / "run"
    (run / "model").mkdir(parents=True)

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


def test_where_the_figures_cannot_be_written_nothing_is_measured_first(
    run: RunFolder, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("")
    words = ["evaluate", str(run.model / "small"), "--data", "nowhere", "--figures"]

    assert main([*words, str(tmp_path / "file")]) == 1

    assert "file cannot be made (File exists)" in capsys.readouterr().err
