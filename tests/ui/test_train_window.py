"""Dialog and run window in the real window, over a real process that does as the test orders."""

import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image
from PySide6.QtCore import QDeadlineTimer, QEventLoop, Qt
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QAbstractButton, QApplication, QMessageBox
from pytestqt.qtbot import QtBot

from stainapp.runs.folder import RunFolder
from stainapp.runs.methods import METHODS, NORMALISER
from stainapp.runs.presets import preset
from stainapp.runs.recipe import Made
from stainapp.runs.recipe_file import read_recipe
from stainapp.runs.recipe_losses import losses_of
from stainapp.session.geojson import read_geojson
from stainapp.session.regions import Region
from stainapp.settings import Settings, SlideNote, home, save_note
from stainapp.slides.opening import open_slide
from stainapp.ui import run_watch, staining, train_dialog, train_origin
from stainapp.ui.app import App, ViewOptions
from stainapp.ui.run_add import AddDialog
from stainapp.ui.run_command import Trainer
from stainapp.ui.run_list import find_runs
from stainapp.ui.run_window import RunWindow
from stainapp.ui.train_dialog import TrainDialog
from stainapp.ui.train_rows import ROWS
from stainapp.ui.train_wish import FileWish, OriginWish, RegisteredSlide, Values, Wish, write_run
from tests.models.factories import classic_model, resnet_model
from tests.ui import fake_trainer

SLIDE, TARGET = "phantom:he:600:1", "phantom:pas:600:1"
WAIT_MS = 60_000
"""Generous: it only bounds a test that would hang."""

WISH = Wish(
    "cyclegan",
    "unpaired",
    Made(
        id="he-to-pas",
        name="H&E to PAS",
        source_stain="H&E",
        target_stain="PAS",
        mpp=0.5,
        inverse_id="pas-to-he",
    ),
    Values.of(preset("cyclegan", "quick")),
    OriginWish(SLIDE),
    OriginWish(TARGET),
)

Start = Callable[..., App]
Wait = Callable[[Callable[[], object]], None]


@pytest.fixture
def wait(qtbot: QtBot) -> Wait:
    return lambda condition: qtbot.waitUntil(lambda: bool(condition()), timeout=WAIT_MS)


@pytest.fixture(autouse=True)
def _own_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """The process finds the packages of this checkout, and the window looks at it often."""
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[2]))
    monkeypatch.setattr(run_watch, "LOOK_MS", 10)
    monkeypatch.setattr(run_watch, "IDLE_MS", 10)
    monkeypatch.setattr(staining, "load_libraries", lambda: None)  # no network is shown here
    monkeypatch.setattr(train_dialog, "PAUSE_MS", 10)
    monkeypatch.setattr(train_origin, "TYPING_MS", 10)


@pytest.fixture
def start(qtbot: QtBot, wait: Wait) -> Iterator[Start]:
    """Open the window; at the end all runs are stopped and their processes gone."""
    apps: list[App] = []
    classic_model(home() / "runs" / fake_trainer.TEMPLATE, "reinhard")

    def start(slide: str | None = None, mpp: float | None = None) -> App:
        trainer = Trainer((sys.executable, str(Path(fake_trainer.__file__))))
        app = App(
            ViewOptions(slide=slide, mpp=mpp, size=(1000, 700), trainer=trainer),
            replace(Settings(), theme="light"),
        )
        apps.append(app)
        app.start()
        if slide:
            wait(lambda: app.current.slide is not None and app.regions.ready)
        return app

    yield start
    for app in apps:  # first, or a run that is still starting would be missed
        wait(lambda app=app: all(one.watch.state != "starting" for one in open_runs(app)))  # type: ignore[misc]
    for run in map(RunFolder, (home() / "runs").iterdir()):
        if run.is_running():
            run.say("stop")
            wait(lambda run=run: not run.is_running())  # type: ignore[misc]
    for app in apps:
        app.close()
        app.window.deleteLater()


def open_runs(app: App) -> list[RunWindow]:
    return list(app.train.windows.values())


def dialog_of(app: App) -> TrainDialog:
    """Ask for the dialog, and wait until the models that it offers are read."""
    app.requests.answer("train")
    deadline = QDeadlineTimer(WAIT_MS)
    while app.train.dialog is None:
        assert not deadline.hasExpired()
        QApplication.processEvents(QEventLoop.ProcessEventsFlag.WaitForMoreEvents, 100)
    return app.train.dialog


def begin(app: App, wait: Wait) -> RunWindow:
    """Start a training as the dialog does, without the dialog."""
    app.train.begin(write_run(WISH, home() / "runs" / WISH.model.id))
    wait(lambda: app.train.windows)
    window = next(iter(app.train.windows.values()))
    wait(lambda: window.watch.state == "training")
    return window


def order(window: RunWindow, *orders: str) -> None:
    with (window.watch.folder.path / fake_trainer.ORDERS).open("a") as file:
        file.write("".join(f"{one}\n" for one in orders))


def click(question: QMessageBox | None, words: str) -> None:
    assert question is not None
    buttons: list[QAbstractButton] = question.buttons()
    next(one for one in buttons if words in one.text().replace("&", "")).click()


def test_start_waits_for_data_and_a_good_check(start: Start, wait: Wait) -> None:
    app = start(SLIDE)
    dialog = dialog_of(app)

    assert not dialog.start_button.isEnabled()
    assert "target" in dialog.data.target.problem.text()

    dialog.data.target.path.setCurrentText(TARGET)
    assert not dialog.start_button.isEnabled()
    wait(lambda: not dialog.checking)

    assert dialog.start_button.isEnabled()
    assert "3 h 22 min" in dialog.words.text()
    assert "1,234 tiles" in dialog.words.text()
    wait(lambda: set(dialog.split.overviews) == {SLIDE, TARGET})
    assert {area.split for area in dialog.split.areas} == {"train", "validation"}


def test_what_the_check_finds_is_told_and_start_stays_shut(
    start: Start, wait: Wait, tmp_path: Path
) -> None:
    dialog = dialog_of(start(SLIDE))
    blank = tmp_path / "blank.svs"
    blank.touch()

    dialog.data.target.path.setCurrentText(str(blank))
    wait(dialog.problem.text)

    assert "No tissue" in dialog.problem.text()
    assert not dialog.start_button.isEnabled()


def test_a_change_makes_the_last_answer_worthless(start: Start, wait: Wait) -> None:
    dialog = dialog_of(start(SLIDE))
    dialog.data.target.path.setCurrentText(TARGET)
    wait(dialog.start_button.isEnabled)

    dialog.model.advanced.boxes["images"].setValue(77)  # type: ignore[union-attr] # a spin box

    assert not dialog.start_button.isEnabled()
    assert dialog.model.preset.currentText() == "Own values"
    wait(dialog.start_button.isEnabled)
    assert read_recipe(dialog.draft / "recipe.toml").training.images == 77


def test_an_id_that_a_model_has_is_refused(start: Start) -> None:
    dialog = dialog_of(start(SLIDE))
    dialog.data.target.path.setCurrentText(TARGET)

    dialog.model.model_id.setText("macenko")

    assert "'macenko' is there already" in dialog.model.problem.text()
    assert not dialog.checking


def test_selected_regions_go_into_the_recipe_and_follow_the_drawing(
    start: Start, wait: Wait
) -> None:
    app = start(SLIDE)
    dialog = dialog_of(app)
    dialog.data.target.path.setCurrentText(TARGET)
    first = Region.rectangle(100, 100, 500, 500, name="first")
    app.regions.put([first, Region.rectangle(300, 300, 200, 200, name="second")], "Draw")
    app.regions.select([first.id])

    parts = dialog.data.source.regions
    words = [parts.itemText(n) for n in range(parts.count())]
    assert words == ["The selected region", "All 2 regions", "All its tissue"]
    parts.setCurrentIndex(0)
    wait(dialog.start_button.isEnabled)

    origin = read_recipe(dialog.draft / "recipe.toml").data.source[0]
    assert [region.name for region in read_geojson(Path(origin.regions))] == ["first"]


def test_regions_drawn_earlier_on_the_other_slide_are_offered(start: Start, wait: Wait) -> None:
    app = start(TARGET)
    app.regions.put([Region.rectangle(100, 100, 500, 500, name="kept")], "Draw")
    wait(lambda: not app.saving.pending)
    dialog = dialog_of(start(SLIDE))

    dialog.data.target.path.setCurrentText(TARGET)
    wait(lambda: "drawn here" in dialog.data.target.regions.currentText())

    wish = dialog.data.target.wish()
    assert wish is not None
    assert [region.name for region in wish.regions] == ["kept"]


def test_the_open_slide_is_trained_on_at_the_scale_that_the_window_shows(
    start: Start, wait: Wait
) -> None:
    dialog = dialog_of(start(SLIDE, mpp=0.3))
    dialog.data.target.path.setCurrentText(TARGET)
    wait(dialog.start_button.isEnabled)

    assert read_recipe(dialog.draft / "recipe.toml").data.source[0].mpp == 0.3


def test_the_scale_told_of_another_slide_earlier_is_taken_over(
    start: Start, wait: Wait, tmp_path: Path
) -> None:
    target = dialog_of(start(SLIDE)).data.target
    image = tmp_path / "no scale.png"
    Image.effect_noise((64, 64), 40).convert("RGB").save(image)
    with closing(open_slide(image)) as reader:
        save_note(reader.info.identity, SlideNote(mpp=0.4))

    target.path.setCurrentText(str(image))
    wait(lambda: target.mpp.known)

    assert target.mpp.value() == 0.4
    target.path.setCurrentText(TARGET)
    assert not target.mpp.known  # another file has another scale


def test_a_missing_slide_is_told_before_the_trainer_is_asked(start: Start, wait: Wait) -> None:
    dialog = dialog_of(start(SLIDE))

    dialog.data.target.path.setCurrentText("/nowhere/a.svs")
    wait(dialog.problem.text)

    assert "/nowhere/a.svs does not exist" in dialog.problem.text()
    assert not dialog.start_button.isEnabled()


def test_pairs_are_not_sought_in_folders_that_hold_none(start: Start) -> None:
    data = dialog_of(start()).data
    assert data.kind.findData("root") >= 0

    data.method.setCurrentIndex(data.method.findData("pix2pix"))

    assert data.kind.findData("root") < 0
    assert data.kind.findData("manifest") >= 0


def test_volumes_are_asked_for_by_two_paths_and_bring_values_of_their_own(start: Start) -> None:
    dialog = dialog_of(start())
    dialog.model.disclosure.setChecked(True)
    data, chunks = dialog.data, dialog.model.advanced.boxes["chunks_held"]
    data.choose_method("unet")
    assert not chunks.isVisible()

    data.kind.setCurrentIndex(data.kind.findData("volumes"))
    data.files.path.setText("he.zarr")
    data.files.target.setText("all.h5::pas")

    assert chunks.isVisible()
    assert not data.files.swap.isVisible()
    assert dialog.wish().pairing == "paired"
    assert dialog.wish().files == FileWish("volumes", "he.zarr", target="all.h5::pas")
    data.kind.setCurrentIndex(data.kind.findData("volume"))
    assert not data.files.target.isVisible()
    assert dialog.wish().pairing == "self"


def test_regions_are_taught_as_pairs_where_a_slide_is_registered(start: Start, wait: Wait) -> None:
    app = start(SLIDE)
    reference = RegisteredSlide(TARGET, "the next section", "PAS", 0.5, "transform.json")
    app.train.reference = lambda: reference
    one, two = Region.rectangle(0, 0, 300, 300), Region.rectangle(300, 0, 200, 300)
    assert app.regions.put((one, two), "Draw")
    app.regions.select((two.id,))

    app.requests.answer("train-regions")
    wait(lambda: app.train.dialog)
    assert app.train.dialog is not None
    wish = app.train.dialog.wish()

    assert (wish.method, wish.pairing) == ("asp", "paired")
    assert (wish.model.source_stain, wish.model.target_stain) == ("H&E", "PAS")
    assert wish.source is not None
    assert [region.id for region in wish.source.regions] == [two.id]
    assert wish.target == OriginWish(TARGET, mpp=0.5, transform="transform.json")


def test_without_a_region_it_is_said_how_to_draw_one(start: Start) -> None:
    app = start(SLIDE)

    app.requests.answer("train-regions")

    assert app.train.dialog is None
    assert any("Draw regions" in words for words in app.window.messages.messages)


def test_each_method_offers_its_own_values_and_a_way_back_only_where_it_teaches_one(
    start: Start,
) -> None:
    dialog = dialog_of(start(SLIDE))
    dialog.model.disclosure.setChecked(True)

    for info in METHODS:
        dialog.data.method.setCurrentIndex(dialog.data.method.findData(info.method))
        wish = dialog.wish()
        assert dialog.data.when.text() == info.when
        assert dialog.model.inverse_id.isVisible() == info.both_ways
        assert bool(wish.model.inverse_id) == info.both_ways
        assert wish.values.losses == losses_of(info.method)
        shown = {name for name, box in dialog.model.advanced.boxes.items() if box.isVisible()}
        known = {row.name for row in ROWS if not row.methods or info.method in row.methods}
        assert shown <= known
        assert {row.name for row in ROWS if info.method in row.methods} <= shown


def test_grey_to_colour_asks_for_one_slide(start: Start, wait: Wait) -> None:
    dialog = dialog_of(start(SLIDE))
    dialog.data.method.setCurrentIndex(1)

    dialog.data.kind.setCurrentIndex(dialog.data.kind.findData("self"))
    wait(dialog.start_button.isEnabled)

    recipe = read_recipe(dialog.draft / "recipe.toml")
    assert (recipe.method, recipe.data.pairing) == ("pix2pix", "self")
    assert (recipe.model.source_stain, recipe.model.target_stain) == ("grey", "H&E")
    assert recipe.data.target[0].slide == SLIDE
    assert not dialog.data.source.isVisible()


def test_a_distillation_asks_for_a_teacher_and_a_slide_alone(start: Start, wait: Wait) -> None:
    resnet_model(home() / "models" / "old", id="old", source_stain="H&E", target_stain="DAB", mpp=1)
    dialog = dialog_of(start(SLIDE))
    data = dialog.data

    data.method.setCurrentIndex(data.method.findData("distil"))
    assert data.chosen_teacher is not None
    assert data.chosen_teacher.source_stain == "H&E"  # as the open slide
    data.teacher.setCurrentIndex(data.teacher.findData("old"))
    wait(dialog.start_button.isEnabled)

    recipe = read_recipe(dialog.draft / "recipe.toml")
    assert (recipe.method, recipe.data.pairing, recipe.model.teacher) == ("distil", "alone", "old")
    assert (recipe.model.source_stain, recipe.model.target_stain) == ("H&E", "DAB")
    assert (recipe.model.mpp, recipe.model.id) == (1.0, "old-fast")
    assert recipe.network is not None
    assert recipe.network.family == "pixel"
    assert [one.slide for one in recipe.data.source] == [SLIDE]
    assert recipe.data.target == ()
    assert not data.target.isVisible()
    assert not dialog.model.parent_model.isVisible()


def test_a_style_may_be_a_picture_and_other_methods_ask_for_no_teacher(
    start: Start, wait: Wait
) -> None:
    dialog = dialog_of(start(SLIDE))
    data = dialog.data
    dialog.show()

    data.method.setCurrentIndex(data.method.findData("distil"))
    assert data.teacher.isVisible()
    data.method.setCurrentIndex(data.method.findData("nst"))
    data.target.choose_other("phantom:pas")
    wait(dialog.start_button.isEnabled)

    assert data.target.title() == "Style"
    assert not data.teacher.isVisible()
    recipe = read_recipe(dialog.draft / "recipe.toml")
    assert (recipe.method, recipe.data.pairing, recipe.model.teacher) == ("nst", "unpaired", "")
    assert recipe.losses.style > 0


def test_a_parent_gives_stains_scale_and_a_slow_rate(start: Start) -> None:
    resnet_model(home() / "models" / "old", id="old", source_stain="PAS", target_stain="DAB")
    dialog = dialog_of(start(SLIDE))

    parents = dialog.model.parent_model
    parents.setCurrentIndex(parents.findData("old"))

    wish = dialog.wish()
    assert wish.model.parent == "old"
    assert (wish.model.source_stain, wish.model.target_stain) == ("PAS", "DAB")
    assert wish.values.training.early_stop > 0
    dialog.model.disclosure.setChecked(True)
    assert not dialog.model.advanced.boxes["ngf"].isVisible()


def test_the_command_is_copied_with_a_recipe_that_is_there(start: Start, wait: Wait) -> None:
    dialog = dialog_of(start(SLIDE))
    dialog.data.target.path.setCurrentText(TARGET)

    dialog.copy_command()
    wait(lambda: "Copied" in dialog.words.text())

    line, _, text = QGuiApplication.clipboard().text().partition("\n\n")
    recipe = Path(line.split()[2])
    assert line == f"stainapp train {recipe} -o {recipe.parent}"
    assert recipe.read_text() == text
    assert read_recipe(recipe).data.target[0].slide == TARGET


def test_a_closed_dialog_leaves_no_draft(start: Start, wait: Wait) -> None:
    dialog = dialog_of(start(SLIDE))
    draft = dialog.draft
    dialog.data.target.path.setCurrentText(TARGET)
    wait(draft.exists)

    dialog.reject()

    wait(lambda: not draft.exists())


def test_a_run_is_watched_while_it_goes(start: Start, wait: Wait) -> None:
    window = begin(start(), wait)

    order(window, "step", "step", "sample", "validate")
    wait(lambda: window.watch.story.validations)

    assert "image 10 of 100" in window.facts.text()
    assert "4.2 images/s" in window.facts.text()
    assert "1 h 30 min to go" in window.facts.text()
    assert window.progress.value() == 100
    assert not window.samples.picture.pixmap.isNull()
    assert set(window.watch.story.curves) == {"generator", "discriminator", "cycle"}
    assert not window.chart.plot.isHidden()


def test_a_run_that_has_seen_all_is_being_measured(start: Start, wait: Wait) -> None:
    window = begin(start(), wait)

    order(window, *["step"] * 20)
    wait(lambda: window.watch.story.images == 100)

    assert window.state_words.text() == "Measuring the result…"
    assert "to go" not in window.facts.text()


def test_the_slider_leads_back_to_earlier_pictures(start: Start, wait: Wait) -> None:
    window = begin(start(), wait)
    order(window, "step", "sample", "step", "sample")
    wait(lambda: len(window.watch.story.samples) == 2)
    newest = window.samples.picture.pixmap.toImage()
    assert "10 images" in window.samples.words.text()

    window.samples.slider.setValue(0)
    order(window, "step", "sample")
    wait(lambda: len(window.watch.story.samples) == 3)

    assert "after 5 images" in window.samples.words.text()
    assert window.samples.picture.pixmap.toImage() != newest


def test_a_run_pauses_and_goes_on(start: Start, wait: Wait) -> None:
    window = begin(start(), wait)

    window.pause.click()
    wait(lambda: window.watch.state == "paused")
    order(window, "step")
    assert window.pause.text() == "Go on"
    window.pause.click()
    wait(lambda: window.watch.story.step)

    assert window.watch.state == "training"
    assert window.pause.text() == "Pause"


def test_stopping_asks_and_keeps_the_best(start: Start, wait: Wait) -> None:
    window = begin(start(), wait)
    order(window, "step")

    window.stop.click()
    click(window.question, "Cancel")
    assert window.watch.folder.control()[0] == "run"
    window.stop.click()
    click(window.question, "Stop and keep")
    wait(lambda: window.watch.state == "done" and not window.watch.running)

    assert "as you asked" in window.words.text()
    assert window.add.isEnabled()
    window.pause.click()  # a run that was stopped can be resumed
    wait(lambda: window.watch.state == "training")


def test_a_failure_is_told_and_resumed_from_the_checkpoint(start: Start, wait: Wait) -> None:
    window = begin(start(), wait)
    order(window, "step", "step", "fail")
    wait(lambda: window.watch.state == "failed" and not window.watch.running)
    assert "became NaN" in window.message.text()
    assert window.pause.text() == "Resume"

    window.pause.click()
    wait(lambda: window.watch.state == "training")

    assert window.watch.story.start["resumed"]
    assert window.watch.story.start["step"] == 2
    assert window.message.isHidden()


def test_the_last_words_of_a_process_that_died_are_told(start: Start, wait: Wait) -> None:
    window = begin(start(), wait)

    order(window, "step", "die")
    wait(lambda: window.watch.state == "failed")

    assert window.message.text() == "The disk is full; free some space and resume."


def test_a_killed_process_can_be_resumed(start: Start, wait: Wait) -> None:
    window = begin(start(), wait)
    order(window, "step", "step")
    wait(lambda: window.watch.story.images == 10)

    kill(window)
    wait(lambda: window.watch.state == "interrupted")
    assert "can be resumed" in window.message.text()
    window.pause.click()
    wait(lambda: window.watch.state == "training")
    order(window, "step")
    wait(lambda: window.watch.story.images == 15)

    assert window.watch.story.curves["generator"].images == [5, 10, 15]


def test_the_view_is_stained_with_the_weights_of_this_moment(start: Start, wait: Wait) -> None:
    app = start(SLIDE)
    window = begin(app, wait)
    order(window, "step", "step", "step")
    wait(lambda: window.watch.story.images == 15)

    window.live.click()
    wait(lambda: app.virtual.reader is not None)

    entry = app.virtual.entry
    assert entry is not None
    assert entry.found.folder == window.watch.folder.live / "he-to-pas"
    assert any("training, step 3" in chip.words for chip in app.view.panes[1].chips)
    assert not (home() / "calibrations").exists()


def test_the_button_tells_that_weights_are_awaited(start: Start, wait: Wait) -> None:
    app = start(SLIDE)
    window = begin(app, wait)
    order(window, "step")
    wait(lambda: window.watch.story.images == 5)

    window.live.click()

    assert window.live.text() == "Staining with the next step…"
    wait(lambda: window.watch.story.live)
    wait(lambda: window.live.text() == "Stain this view now")


def test_newer_weights_follow_until_something_else_is_shown(start: Start, wait: Wait) -> None:
    app = start(SLIDE)
    window = begin(app, wait)
    order(window, "step")
    wait(lambda: window.watch.story.images == 5)
    app.train.live._rest.setInterval(1)

    window.follow.click()
    wait(lambda: app.virtual.reader is not None)
    order(window, "step")
    wait(lambda: (window.watch.story.live or {}).get("step") == 2)
    assert app.train.live.following
    app.virtual.dismiss()

    assert not app.train.live.following
    assert not window.follow.isChecked()


def test_a_finished_run_shows_its_measures_and_goes_into_the_picker(
    start: Start, wait: Wait
) -> None:
    app = start()
    classic_model(home() / "models" / "pas-to-he-2", "macenko", id="pas-to-he-2")
    window = begin(app, wait)
    order(window, "step", "sample", "validate", "evaluate", "finish")
    wait(lambda: window.watch.state == "done" and not window.watch.running)

    assert window.tabs.currentIndex() == 1
    headings = [
        window.outcome.table.horizontalHeaderItem(n).text()  # type: ignore[union-attr] # is set
        for n in range(4)
    ]
    assert headings == ["This model", "Parent", "Reinhard", "Macenko"]
    assert window.outcome.direction.itemText(1) == "PAS → H&E"
    assert not window.outcome.picture.pixmap().isNull()
    window.add.click()
    wait(lambda: window.findChild(AddDialog) is not None)
    dialog = window.findChild(AddDialog)
    assert isinstance(dialog, AddDialog)
    dialog.ids["pas-to-he"].setText("pas-to-he-2")
    dialog.add_button.click()
    wait(lambda: "is there already" in dialog.problem.text())
    dialog.ids["pas-to-he"].setText("pas-to-he-3")
    dialog.add_button.click()
    wait(lambda: app.window.stains.models.row_of("he-to-pas") is not None)

    chosen = app.window.stains.chosen()
    assert chosen is not None
    assert {chosen.found.card.id, chosen.found.card.inverse} == {"he-to-pas", "pas-to-he-3"}


def test_closing_asks_and_can_leave_the_run_to_be_found_again(start: Start, wait: Wait) -> None:
    app = start()
    window = begin(app, wait)
    run = window.watch.folder

    assert not app.window.close()
    click(app.train.question, "Cancel")
    assert app.window.isVisible()
    assert not app.window.close()
    click(app.train.question, "Leave it training")
    wait(lambda: not app.window.isVisible())
    assert run.is_running()

    again = start()
    wait(lambda: any("goes on" in words for words in again.window.messages.messages))
    again.window.runs.aboutToShow.emit()
    wait(lambda: "training" in again.window.runs.actions()[0].text())
    again.window.runs.actions()[0].trigger()
    wait(lambda: again.train.windows)
    found = again.train.windows[run.path]
    wait(lambda: found.watch.state == "training")
    order(found, "step")
    wait(lambda: found.watch.story.images == 5)
    assert again.window.close()  # it was not started here, so nothing is asked


def test_closing_can_stop_the_run_and_keep_its_best(start: Start, wait: Wait) -> None:
    app = start()
    run = begin(app, wait).watch.folder

    app.window.close()
    click(app.train.question, "Stop and keep")

    wait(lambda: not app.window.isVisible())
    wait(lambda: not run.is_running())
    assert (run.model / "he-to-pas" / "card.json").is_file()


def test_an_interrupted_run_is_offered_when_the_program_opens(start: Start, wait: Wait) -> None:
    app = start()
    window = begin(app, wait)
    order(window, "step")
    wait(lambda: window.watch.story.images == 5)
    kill(window)
    wait(lambda: window.watch.state == "interrupted")
    app.window.close()

    again = start(None)

    wait(lambda: any("Not finished" in words for words in again.window.messages.messages))


def test_a_run_that_failed_is_deleted_after_a_question(start: Start, wait: Wait) -> None:
    app = start()
    window = begin(app, wait)
    folder = window.watch.folder.path
    assert window.delete.isHidden()
    order(window, "step", "fail")
    wait(lambda: window.watch.state == "failed" and not window.watch.running)

    window.delete.click()
    click(window.question, "Cancel")
    assert folder.exists()
    window.delete.click()
    click(window.question, "Delete")
    wait(lambda: not app.train.windows)

    assert not [one for one in folder.parent.iterdir() if folder.name in one.name]
    assert folder not in [run.folder.path for run in find_runs(folder.parent)]


def test_closing_the_run_window_ends_nothing(start: Start, wait: Wait, qtbot: QtBot) -> None:
    app = start()
    window = begin(app, wait)
    order(window, "step")
    wait(lambda: window.watch.story.images == 5)

    qtbot.keyClick(window, Qt.Key.Key_Escape)
    assert not window.isVisible()
    app.train.show(window.watch.folder)

    assert window.isVisible()
    assert window.watch.state == "training"


def test_the_dialog_starts_a_run_and_a_second_one_gets_another_name(
    start: Start, wait: Wait
) -> None:
    app = start(SLIDE)
    for count in (1, 2):
        dialog = dialog_of(app)
        dialog.data.target.path.setCurrentText(TARGET)
        wait(dialog.start_button.isEnabled)
        dialog.start_button.click()
        wait(lambda count=count: len(app.train.windows) == count)  # type: ignore[misc]
        *_, newest = app.train.windows.values()
        wait(lambda newest=newest: newest.watch.state == "training")  # type: ignore[misc]

    assert {path.name for path in app.train.windows} == {"he-to-pas", "he-to-pas-2"}
    assert app.train.dialog is None


def test_a_run_that_never_got_started_tells_why(start: Start, wait: Wait) -> None:
    app = start()
    run = write_run(WISH, home() / "runs" / "refused")
    (run.path / "refuse.txt").touch()

    app.train.begin(run)
    wait(lambda: app.train.windows)
    window = app.train.windows[run.path]
    wait(lambda: window.watch.state == "failed")

    assert window.message.text() == "The recipe names no tiles; choose others."


def kill(window: RunWindow) -> None:
    process = window.watch._process
    assert process is not None
    if sys.platform == "win32":
        process.kill()
    else:
        os.kill(process.pid, signal.SIGKILL)


def test_a_normaliser_to_the_open_slide_is_two_clicks(start: Start, wait: Wait) -> None:
    app = start(TARGET)
    app.current.open(SLIDE, None)
    wait(lambda: app.current.slide is not None and app.current.slide.address == SLIDE)

    app.requests.answer("normalise")
    wait(lambda: app.train.dialog is not None)
    dialog = app.train.dialog
    assert dialog is not None
    wait(dialog.start_button.isEnabled)

    recipe = read_recipe(dialog.draft / "recipe.toml")
    assert recipe.method == NORMALISER
    assert recipe.network == preset(NORMALISER, "quick").network
    assert [one.slide for one in (*recipe.data.source, *recipe.data.target)] == [TARGET, SLIDE]
    assert recipe.model.source_stain == recipe.model.target_stain == "H&E"
    dialog.start_button.click()
    wait(lambda: app.train.windows)


def test_without_a_slide_there_is_nothing_to_normalise_to(start: Start) -> None:
    app = start()

    app.requests.answer("normalise")

    assert "Open the slide" in app.window.messages.text.text()
    assert app.train.dialog is None


def test_what_a_normaliser_has_not_is_not_asked(start: Start) -> None:
    dialog = dialog_of(start(SLIDE))
    dialog.model.disclosure.setChecked(True)
    boxes = dialog.model.advanced.boxes

    dialog.data.choose_method(NORMALISER)
    own = {name for name, box in boxes.items() if not box.isHidden()}
    dialog.data.choose_method("cyclegan")
    others = {name for name, box in boxes.items() if not box.isHidden()}

    assert own - others == {"classes"}
    assert {"gan", "adversarial", "blocks", "family", "diffaugment"} <= others - own
    wish = dialog.wish()
    assert wish.model.source_stain != wish.model.target_stain
    assert wish.values.network == preset("cyclegan", "quick").network
