"""What a run's log tells, how it is drawn, and how its models reach the picker."""

import json
import math
from pathlib import Path

import numpy as np
import pytest

from stainapp.errors import ModelError, RecipeError
from stainapp.models.card import ModelCard
from stainapp.models.store import Store
from stainapp.runs.folder import Events, RunFolder
from stainapp.runs.presets import preset
from stainapp.runs.recipe import Made
from stainapp.ui import run_models
from stainapp.ui.run_chart import LossAxis, smoothed, thinned
from stainapp.ui.run_command import Trainer, last_sentence, own_program, shown_command
from stainapp.ui.run_list import asked_of, find_runs, free_name, is_unused
from stainapp.ui.run_models import add_models, free_id, model_for
from stainapp.ui.run_result import grid_of
from stainapp.ui.run_story import Curve, Event, RunStory, state_of
from stainapp.ui.train_check import SILENT, read_check
from stainapp.ui.train_wish import OriginWish, Values, Wish, write_run
from tests.models.factories import classic_model

GONE = Wish(
    "pix2pix",
    "paired",
    Made(id="he-to-pas", name="H&E to PAS", source_stain="H&E", target_stain="PAS", mpp=0.5),
    Values.of(preset("pix2pix", "quick")),
    OriginWish("/unplugged/a.svs"),
    OriginWish("/unplugged/b.svs"),
)
START = {"event": "start", "step": 0, "images": 0, "total_images": 100}


def step(images: int, **losses: float) -> Event:
    return {"event": "step", "step": images, "images": images, "losses": losses}


def told(*events: Event) -> RunStory:
    story = RunStory()
    story.take(events)
    return story


def test_a_run_is_in_the_state_its_log_and_process_tell() -> None:
    assert state_of(told(), running=False) == "new"
    assert state_of(told(), running=True) == "starting"
    assert state_of(told(START), running=True) == "training"
    assert state_of(told(START), running=False) == "interrupted"
    assert state_of(told(START, {"event": "paused"}), running=True) == "paused"
    assert state_of(told(START, {"event": "paused"}), running=False) == "interrupted"
    going_on = told(START, {"event": "paused"}, {"event": "going-on"})
    assert state_of(going_on, running=True) == "training"
    assert state_of(told(START, {"event": "failed", "message": "no"}), running=False) == "failed"
    assert state_of(told(START, {"event": "done"}), running=False) == "done"


def test_a_resumed_run_is_neither_failed_nor_done_any_more() -> None:
    for ending in ({"event": "failed", "message": "no"}, {"event": "done", "why": "stopped"}):
        story = told(START, ending, START)

        assert state_of(story, running=True) == "training"


def test_what_was_computed_after_the_checkpoint_is_drawn_once() -> None:
    again = {**START, "images": 20, "resumed": True}
    story = told(
        START,
        step(10, a=1.0),
        step(20, a=0.9),
        step(30, a=0.8),
        {"event": "sample", "images": 30, "file": "x.png"},
        again,
        step(30, a=0.7),
    )

    assert story.curves["a"].images == [10, 20, 30]
    assert story.curves["a"].values == [1.0, 0.9, 0.7]
    assert story.samples == []


def test_a_loss_that_is_no_number_is_not_drawn() -> None:
    story = told(START, step(10, a=1.0, b=math.nan), step(20, a=math.inf, b=2.0))

    assert story.curves["a"].values == [1.0]
    assert story.curves["b"].values == [2.0]


def test_an_event_of_a_newer_trainer_is_passed_over() -> None:
    assert state_of(told(START, {"event": "teleported"}), running=True) == "training"


def test_long_curves_are_thinned_and_keep_their_mean() -> None:
    curve = Curve(list(range(10_000)), [float(n % 7) for n in range(10_000)])

    images, values = thinned(curve)

    assert len(values) <= 1500
    assert values.mean() == pytest.approx(np.mean(curve.values), rel=0.01)
    assert images[0] < images[-1] <= 9999


def test_a_smoothed_line_stays_within_its_values_and_keeps_a_constant() -> None:
    noisy = np.random.default_rng(0).random(500)

    assert smoothed(np.full(300, 0.4)) == pytest.approx(0.4)
    assert smoothed(noisy).std() < 0.4 * noisy.std()
    assert len(smoothed(np.array([1.0, 2.0]))) == 2


def test_a_logarithmic_axis_writes_few_numbers(qapp: object) -> None:
    axis = LossAxis("left")

    words = axis.logTickStrings([-1, -0.30103, -0.0458, 0, 0.30103, 0.4771], 1.0, 1)

    assert words == ["0.1", "0.5", "", "1", "2", ""]


def test_measures_stand_beside_parent_and_baselines() -> None:
    own = {"measure": "PSNR", "unit": "dB", "estimate": 24.31, "low": 23.9, "high": 24.8, "n": 8}
    own |= {"subject": "model", "better": "higher"}
    grid = grid_of(
        {
            "rows": [
                own,
                {"subject": "model", "measure": "odd", "estimate": None, "better": "lower"},
                {**own, "subject": "od-matching", "estimate": 25.0},
                {"subject": "reinhard", "measure": "odd", "estimate": 2},
                {**own, "subject": "parent", "low": None},
            ]
        }
    )

    assert grid.columns == ("This model", "Parent", "Reinhard", "Od matching")
    assert grid.measures == ("PSNR (dB)", "odd")
    assert grid.cells == (
        ("24.3\n[23.9, 24.8]", "24.3", "–", "25.0\n[23.9, 24.8]"),
        ("–", "–", "2.000", "–"),
    )
    assert grid.best == (3, 2)
    assert "8 tiles" in grid.notes[0]


def test_of_equals_the_first_is_called_the_best() -> None:
    rows = [
        {"subject": name, "measure": "SSIM", "estimate": 0.5, "better": "higher"}
        for name in ("model", "macenko")
    ]

    assert grid_of({"rows": rows}).best == (0,)


def test_an_answer_to_the_check_is_read_or_its_last_words_are() -> None:
    good: dict[str, object] = {
        "ok": True,
        "problem": None,
        "tiles": {"train": 3},
        "split": [],
        "estimate": {},
    }

    assert read_check(json.dumps(good), "").problem == ""
    assert read_check("Reading…\n" + json.dumps(good), "").tiles == {"train": 3}
    assert read_check('{"ok": false, "problem": "No tissue."}', "").problem == "No tissue."
    assert read_check("", "Traceback\nstainapp: No recipe.\n").problem == "No recipe."
    assert read_check("[1", "").problem == SILENT
    assert read_check("[]", "").problem == SILENT


def test_the_last_sentence_of_a_long_log_is_found(tmp_path: Path) -> None:
    log = tmp_path / "output.log"
    log.write_text("x\n" * 100_000 + "stainapp: The disk is full.\n\n")

    assert last_sentence(log) == "The disk is full."
    assert last_sentence(tmp_path / "none") == ""


def test_the_program_calls_itself_and_a_terminal_gets_a_line_to_paste(tmp_path: Path) -> None:
    run = RunFolder(tmp_path / "my run")

    assert Trainer().words("a")[-2:] == ["train", "a"]
    assert own_program()[1:] == ("-m", "stainapp")
    assert shown_command(run).startswith("stainapp train ")
    assert "'" in shown_command(run) or '"' in shown_command(run)


def make_run(root: Path, name: str, *events: Event) -> RunFolder:
    run = RunFolder(root / name)
    run.path.mkdir(parents=True)
    run.recipe_file.write_text("no recipe")
    if events:
        log = Events(run.events_file)
        for event in events:
            log.write(**event)
        log.close()
    return run


def test_runs_are_found_with_their_states(tmp_path: Path) -> None:
    make_run(tmp_path, "ended", START, step(100), {"event": "done", "why": "finished"})
    make_run(tmp_path, "broken", START, step(40))
    make_run(tmp_path, "written")
    going = make_run(tmp_path, "going", START, step(70))
    make_run(tmp_path, ".draft-1")
    (tmp_path / "stray").mkdir()
    lock = going.lock()

    found = {run.name: run for run in find_runs(tmp_path)}
    lock.release()

    assert {name: run.state for name, run in found.items()} == {
        "ended": "done",
        "broken": "interrupted",
        "written": "new",
        "going": "training",
    }
    assert found["broken"].words == "broken: interrupted, 40 %"
    assert found["going"].going
    assert found["broken"].unfinished
    assert find_runs(tmp_path / "nowhere") == ()


def test_a_run_is_known_though_its_slides_are_elsewhere(tmp_path: Path) -> None:
    run = write_run(GONE, tmp_path / "run")

    assert asked_of(run).data.source[0].slide == "/unplugged/a.svs"
    assert find_runs(tmp_path)[0].name == "H&E to PAS"


def test_a_recipe_that_is_damaged_is_told(tmp_path: Path) -> None:
    run = make_run(tmp_path, "run")

    with pytest.raises(RecipeError, match="damaged or missing"):
        asked_of(run)


def test_the_end_of_a_long_log_is_enough_to_know_a_run(tmp_path: Path) -> None:
    many = [step(n, a=1.0) for n in range(3000)]
    make_run(tmp_path, "long", START, *many, step(90), {"event": "failed", "message": "NaN"})

    (run,) = find_runs(tmp_path)

    assert run.state == "failed"
    assert run.share == pytest.approx(0.9)


def test_a_used_name_is_never_taken_again(tmp_path: Path) -> None:
    make_run(tmp_path, "a", START)
    unused = make_run(tmp_path, "b")

    assert free_name(tmp_path, "a") == "a-2"
    assert free_name(tmp_path, "b") == "b"
    assert is_unused(unused)


def two_models(folder: Path) -> Path:
    """Write two models that lead back to each other."""
    for name, inverse, source, target in (
        ("there", "back", "H&E", "PAS"),
        ("back", "there", "PAS", "H&E"),
    ):
        classic_model(
            folder / name,
            "reinhard",
            id=name,
            inverse=inverse,
            source_stain=source,
            target_stain=target,
        )
    return folder


def test_models_added_under_other_ids_still_name_each_other(tmp_path: Path) -> None:
    store = Store(tmp_path / "models")

    add_models(two_models(tmp_path / "run"), {"there": "new", "back": "old"}, store)

    cards = {found.card.id: found.card for found in store.list()}
    assert (cards["new"].inverse, cards["old"].inverse) == ("old", "new")
    assert store.problems == ()
    assert sorted(path.name for path in store.user.iterdir()) == ["new", "old"]


def test_a_model_never_takes_the_place_of_another(tmp_path: Path) -> None:
    store = Store(tmp_path / "models")
    classic_model(store.user / "old", "macenko", id="old")
    run = two_models(tmp_path / "run")

    with pytest.raises(ModelError, match="'old' is there already"):
        add_models(run, {"there": "new", "back": "old"}, store)
    with pytest.raises(ModelError, match="two ids"):
        add_models(run, {"there": "new", "back": "new"}, store)

    assert [found.card.id for found in store.list()] == ["old"]
    assert store.find("old").card.method == "macenko"
    assert free_id(store, "old") == "old-2"


@pytest.mark.parametrize("name", ["Not plain", "../up", ""])
def test_an_id_that_is_no_plain_name_changes_nothing(name: str, tmp_path: Path) -> None:
    store = Store(tmp_path / "models")
    classic_model(store.user / "old", "macenko", id="old")
    run = two_models(tmp_path / "run")
    before = sorted(tmp_path.rglob("*"))

    with pytest.raises(ModelError, match="is no id"):
        add_models(run, {"there": name}, store)

    assert sorted(tmp_path.rglob("*")) == before


def test_a_copy_that_fails_leaves_nothing_half_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = Store(tmp_path / "models")
    run = two_models(tmp_path / "run")

    def full(_card: ModelCard, folder: Path) -> None:
        if folder.name == "old":
            raise OSError(28, "No space left on device")

    monkeypatch.setattr(ModelCard, "write", full)
    monkeypatch.setattr(run_models, "check", lambda _folder: None)

    with pytest.raises(ModelError, match="No space left"):
        add_models(run, {"there": "new", "back": "old"}, store)

    assert list(store.user.iterdir()) == []


def test_the_way_that_begins_at_the_slides_stain_is_shown(tmp_path: Path) -> None:
    run = two_models(tmp_path / "run")

    assert model_for(run, "PAS", "there").name == "back"
    assert model_for(run, "H&E", "there").name == "there"
    assert model_for(run, "DAB", "there").name == "there"
    assert ModelCard.read(model_for(run / "back", "H&E", "there")).id == "back"
    with pytest.raises(ModelError, match="no model"):
        model_for(tmp_path / "none", "H&E", "there")
