"""The reference in the real window: opened, registered by a real process, kept, rejected."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from threading import Event

import numpy as np
import pytest
from pytestqt.qtbot import QtBot

from stainapp.registration import kept
from stainapp.registration.grid import Grid
from stainapp.registration.transform import Transform
from stainapp.settings import Settings, load_note, load_settings
from stainapp.slides.file_lock import FileLock, HeldError
from stainapp.slides.opening import open_slide
from stainapp.ui.app import App, ViewOptions
from stainapp.ui.registrar import Registrar
from stainapp.ui.scale_dialog import ScaleDialog
from tests.ui import fake_registrar
from tests.ui.moved_slides import MovedPair, turned_pair

WAIT_MS = 60_000
"""Generous: it only bounds a test that would hang."""

OTHER = "sample:ihc"
ROOT = Path(__file__).parents[2]
Start = Callable[[], App]


class Orders:
    """What the process that stands in for `stainapp register` is told."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir()

    @property
    def registrar(self) -> Registrar:
        return Registrar((sys.executable, fake_registrar.__file__, str(self.folder)))

    @property
    def asked(self) -> list[str]:
        words = (self.folder / fake_registrar.ASKED).read_text(encoding="utf-8")
        found: list[str] = json.loads(words)
        return found

    @property
    def nobody_obeys(self) -> bool:
        """Whether no process stands in for `stainapp register` any more."""
        try:
            FileLock(self.folder / fake_registrar.ALIVE).release()
        except HeldError:
            return False
        return True

    def give(self, line: str) -> None:
        with (self.folder / fake_registrar.ORDERS).open("a", encoding="utf-8") as file:
            file.write(f"{line}\n")

    def finish_with(self, transform: Transform) -> None:
        transform.write(self.folder / fake_registrar.TRANSFORM)
        self.give("finish")

    def forget(self) -> None:
        (self.folder / fake_registrar.ORDERS).unlink(missing_ok=True)


@pytest.fixture
def orders(tmp_path: Path) -> Orders:
    return Orders(tmp_path / "orders")


@pytest.fixture
def start(qtbot: QtBot, orders: Orders, pair: MovedPair) -> Iterator[Start]:
    """Open the window on a slide, and see that all its threads and processes end with the test."""
    apps: list[App] = []

    def start() -> App:
        app = App(
            ViewOptions(slide=pair.fixed, size=(1000, 700), registrar=orders.registrar),
            replace(Settings(), theme="light"),
        )
        apps.append(app)
        app.start()
        qtbot.waitUntil(lambda: app.reference.fixed is not None, timeout=WAIT_MS)
        return app

    yield start
    for app in apps:
        app.window.close()
        app.close()
        app.window.deleteLater()


@pytest.fixture
def pair(tmp_path: Path) -> MovedPair:
    return turned_pair(tmp_path)


def until(qtbot: QtBot, condition: Callable[[], object]) -> None:
    qtbot.waitUntil(lambda: bool(condition()), timeout=WAIT_MS)


def opened(app: App, pair: MovedPair, qtbot: QtBot) -> None:
    """Choose the reference and wait until it is being registered."""
    app.reference.open(str(pair.moving))
    until(qtbot, lambda: app.reference.registration is not None)


def registered(app: App, pair: MovedPair, orders: Orders, qtbot: QtBot) -> None:
    opened(app, pair, qtbot)
    orders.finish_with(pair.transform)
    until(qtbot, lambda: app.reference.transform is not None)
    orders.forget()


def answers(app: App) -> list[str]:
    """Return the buttons of the notice that is on show."""
    return [name for name, button in app.window.notices.buttons.items() if not button.isHidden()]


def test_a_reference_is_registered_and_shown_in_the_open_slides_frame(
    start: Start, pair: MovedPair, orders: Orders, qtbot: QtBot
) -> None:
    app = start()

    registered(app, pair, orders, qtbot)
    until(qtbot, lambda: app.view.is_settled)

    warped, slide = app.reference.warped, app.current.slide
    assert warped is not None
    assert slide is not None
    assert warped.info.levels == slide.reader.info.levels
    seen = warped.read(256, 256, 0, 512, 512).astype(int)
    straight = turned_pair(pair.moving.parent, 0.0, name="straight")
    x, y = straight.transform.to_moving(np.array([[256.0, 256.0]]))[0].round().astype(int)
    with closing(open_slide(straight.moving)) as reader:
        meant = reader.read(int(x), int(y), 0, 512, 512).astype(int)
    assert np.abs(seen - meant).mean() < np.abs(seen - np.rot90(meant)).mean() / 4
    assert any("moved.tif" in chip.words for pane in app.view.panes for chip in pane.chips)
    assert "Does it fit?" in app.window.notices.text.text()


def test_progress_is_shown_in_words_and_as_a_share(
    start: Start, pair: MovedPair, orders: Orders, qtbot: QtBot
) -> None:
    app = start()
    opened(app, pair, qtbot)

    orders.give("progress 0.25 finding the pieces")
    until(qtbot, lambda: "finding the pieces" in app.window.notices.text.text())

    assert app.window.notices.progress.value() == 250
    assert answers(app) == ["cancel-registration"]


def test_cancelling_ends_the_process_at_once(
    start: Start, pair: MovedPair, orders: Orders, qtbot: QtBot
) -> None:
    app = start()
    opened(app, pair, qtbot)
    run = app.reference.registration
    assert run is not None
    orders.give("progress 0.1 looking")
    until(qtbot, lambda: "looking" in app.window.notices.text.text())
    process = run.process_id
    assert process

    app.window.notices.buttons["cancel-registration"].click()

    assert app.reference.registration is None
    until(qtbot, lambda: not _lives(process))
    assert "not registered" in app.window.notices.text.text()
    assert app.reference.moving is not None
    assert not kept.transform_path(*_identities(app)).exists()


def test_a_registration_ends_with_a_window_that_was_killed(orders: Orders, qtbot: QtBot) -> None:
    orders.give("progress 0.1 looking")
    window = subprocess.Popen(
        [sys.executable, "-m", "tests.ui.killed_registration", str(orders.folder)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), *sys.path])},
        text=True,
    )
    assert window.stdout is not None
    try:
        assert window.stdout.readline() == "looking\n"
        assert not orders.nobody_obeys
    finally:
        window.kill()
        window.wait()
        window.stdout.close()

    until(qtbot, lambda: orders.nobody_obeys)


def test_what_was_registered_once_is_there_at_once_the_next_time(
    start: Start, pair: MovedPair, orders: Orders, qtbot: QtBot
) -> None:
    first = start()
    registered(first, pair, orders, qtbot)
    first.window.close()

    again = start()
    assert "moved.tif was the reference" in again.window.notices.text.text()
    again.window.notices.buttons["last-reference"].click()
    until(qtbot, lambda: again.reference.transform is not None)

    assert again.reference.registration is None
    assert again.reference.transform is not None
    assert again.reference.transform.digest == pair.transform.digest
    until(qtbot, lambda: load_settings().references == (str(pair.moving),))


def test_where_nothing_credible_was_found_the_sentence_leads_to_landmarks(
    start: Start, pair: MovedPair, orders: Orders, qtbot: QtBot
) -> None:
    app = start()
    opened(app, pair, qtbot)

    orders.give("fail moved.tif cannot be laid over the phantom; place landmarks.")
    until(qtbot, lambda: app.reference.registration is None)

    assert "cannot be laid over the phantom" in app.window.notices.text.text()
    assert answers(app) == ["landmarks", "register-again"]
    app.window.notices.buttons["landmarks"].click()
    assert app.requests.reference.landmarks is not None
    assert app.requests.reference.landmarks.isVisible()


def test_a_process_that_dies_is_told_of(
    start: Start, pair: MovedPair, orders: Orders, qtbot: QtBot
) -> None:
    app = start()
    opened(app, pair, qtbot)

    orders.give("die")
    until(qtbot, lambda: app.reference.registration is None)

    assert "ended without a word" in app.window.notices.text.text()


def test_a_program_that_cannot_be_started_is_told_of(
    start: Start, pair: MovedPair, tmp_path: Path, qtbot: QtBot
) -> None:
    app = start()
    app.reference.work.registrar = Registrar((str(tmp_path / "nothing"),))

    app.reference.open(str(pair.moving))

    until(qtbot, lambda: "cannot be started" in app.window.notices.text.text())
    assert app.reference.registration is None


def test_a_wrong_result_is_rejected_by_one_click_and_can_be_taken_back(
    start: Start, pair: MovedPair, orders: Orders, qtbot: QtBot
) -> None:
    app = start()
    registered(app, pair, orders, qtbot)
    path = kept.transform_path(*_identities(app))
    assert path.exists()

    app.window.notices.buttons["reject-registration"].click()

    assert app.reference.warped is None
    assert app.view.field.reference == ()
    until(qtbot, lambda: not path.exists())
    assert "restore-registration" in answers(app)
    app.window.notices.buttons["restore-registration"].click()
    assert app.reference.warped is not None
    until(qtbot, path.exists)


def test_another_slide_lets_go_of_the_reference(
    start: Start, pair: MovedPair, orders: Orders, qtbot: QtBot
) -> None:
    app = start()
    registered(app, pair, orders, qtbot)

    app.current.open(OTHER)
    until(qtbot, lambda: app.window.windowTitle().startswith("ihc"))

    assert app.reference.moving is None
    assert app.reference.warped is None
    assert app.view.field.reference == ()
    assert not app.window.action("reject-registration").isEnabled()


def test_the_same_slide_opened_again_keeps_its_reference(
    start: Start, pair: MovedPair, orders: Orders, qtbot: QtBot
) -> None:
    app = start()
    registered(app, pair, orders, qtbot)
    before = app.reference.warped

    app.window.action("reload").trigger()
    until(qtbot, lambda: app.reference.warped is not before)

    assert app.reference.warped is not None
    assert app.view.field.reference


def test_of_two_references_chosen_in_a_row_the_last_one_wins(
    start: Start, pair: MovedPair, orders: Orders, tmp_path: Path, qtbot: QtBot
) -> None:
    app = start()
    other = turned_pair(tmp_path, 70.0, name="other")

    app.reference.open(str(pair.moving))
    app.reference.open(str(other.moving))
    until(qtbot, lambda: app.reference.registration is not None)

    assert app.reference.moving is not None
    assert app.reference.moving.name == "other.tif"
    orders.finish_with(other.transform)
    until(qtbot, lambda: app.reference.transform is not None)
    assert orders.asked[1:3] == [pair.fixed, str(other.moving)]


def test_a_slide_changed_while_its_reference_opens_gets_none(
    start: Start, pair: MovedPair, qtbot: QtBot
) -> None:
    app = start()

    app.reference.open(str(pair.moving))
    app.current.open(OTHER)
    until(qtbot, lambda: app.window.windowTitle().startswith("ihc"))

    assert app.reference.moving is None or app.reference.fixed is app.current.slide
    assert app.reference.registration is None
    assert app.view.field.reference == ()


def test_a_reference_without_scale_is_asked_for_it_once(
    start: Start, tmp_path: Path, orders: Orders, qtbot: QtBot
) -> None:
    pair = turned_pair(tmp_path, with_scale=False)
    app = start()

    app.reference.open(str(pair.moving))
    until(qtbot, lambda: isinstance(app.requests.dialog, ScaleDialog))
    dialog = app.requests.dialog
    assert isinstance(dialog, ScaleDialog)
    assert "Laying it over the other slide" in dialog.words.text()
    dialog.mpp.setValue(0.5)
    dialog.accept()
    until(qtbot, lambda: app.reference.registration is not None)

    until(qtbot, (orders.folder / fake_registrar.ASKED).exists)
    assert app.reference.moving is not None
    assert load_note(app.reference.moving.reader.info.identity).mpp == 0.5
    app.reference.remove()
    app.reference.open(str(pair.moving))
    until(qtbot, lambda: app.reference.registration is not None)
    assert app.requests.dialog is None


def test_the_error_at_the_cursor_is_in_the_status_bar(
    start: Start, pair: MovedPair, orders: Orders, qtbot: QtBot
) -> None:
    app = start()
    error = np.full((3, 3), np.nan, np.float32)
    error[:, :2] = 12.0
    transform = pair.transform.with_error(Grid(error, 512.0))
    assert app.window.status.error.isHidden()
    opened(app, pair, qtbot)
    orders.finish_with(transform)
    until(qtbot, lambda: app.reference.transform is not None)
    slide = app.current.slide
    assert slide is not None
    assert slide.reader.info.mpp is not None

    app.view.cursor_moved.emit(100.0, 100.0)
    here = app.window.status.error.text()
    app.view.cursor_moved.emit(900.0, 100.0)
    there = app.window.status.error.text()
    app.reference.reject()

    assert here == f"± {12 * slide.reader.info.mpp:.1f} µm here"
    assert there == "no estimate here"
    assert app.window.status.error.isHidden()


def test_a_transform_of_other_slides_is_refused_by_name(
    start: Start, pair: MovedPair, orders: Orders, tmp_path: Path, qtbot: QtBot
) -> None:
    app = start()
    registered(app, pair, orders, qtbot)
    other = turned_pair(tmp_path, 70.0, name="other")
    other.transform.write(tmp_path / "other.json")

    app.reference.load(tmp_path / "other.json")
    until(qtbot, lambda: app.window.messages.messages)

    assert "lays other.tif over" in app.window.messages.messages[-1]
    assert app.reference.transform is not None
    assert app.reference.transform.digest == pair.transform.digest


def test_a_saved_transform_is_loaded_again(
    start: Start, pair: MovedPair, orders: Orders, tmp_path: Path, qtbot: QtBot
) -> None:
    app = start()
    registered(app, pair, orders, qtbot)
    path = tmp_path / "saved.json"

    app.reference.save_as(path)
    until(qtbot, path.exists)
    app.reference.reject()
    app.reference.load(path)
    until(qtbot, lambda: app.reference.transform is not None)

    assert app.reference.transform is not None
    assert app.reference.transform.digest == pair.transform.digest


def test_a_damaged_kept_transform_is_told_of_and_registered_anew(
    start: Start, pair: MovedPair, orders: Orders, qtbot: QtBot
) -> None:
    app = start()
    path = kept.transform_path(pair.transform.fixed.identity, pair.transform.moving.identity)
    path.parent.mkdir(parents=True)
    path.write_text("{ half", encoding="utf-8")

    registered(app, pair, orders, qtbot)

    assert str(path) in app.window.messages.messages[-1]


def test_closing_the_window_ends_the_registration(
    start: Start, pair: MovedPair, orders: Orders, qtbot: QtBot
) -> None:
    app = start()
    opened(app, pair, qtbot)
    until(qtbot, (orders.folder / fake_registrar.ASKED).exists)
    run = app.reference.registration
    assert run is not None
    process = run.process_id

    app.window.close()

    assert not _lives(process)


def test_what_was_decided_just_before_the_window_closes_is_kept(
    start: Start, pair: MovedPair, orders: Orders, qtbot: QtBot
) -> None:
    app = start()
    opened(app, pair, qtbot)
    path = kept.transform_path(*_identities(app))
    entered, go_on = Event(), Event()

    def held() -> None:
        entered.set()
        assert go_on.wait(WAIT_MS / 1000)

    app.reference.work.background.run(held, lambda _: None, pytest.fail)
    assert entered.wait(WAIT_MS / 1000)
    app.reference.use(pair.transform)
    assert not path.exists()
    go_on.set()
    app.window.close()

    assert Transform.read(path).digest == pair.transform.digest


def test_a_removed_reference_is_offered_in_the_menu(
    start: Start, pair: MovedPair, orders: Orders, qtbot: QtBot
) -> None:
    app = start()
    registered(app, pair, orders, qtbot)
    assert not app.window.action("last-reference").isEnabled()

    app.window.action("remove-reference").trigger()
    assert app.reference.moving is None
    app.window.action("last-reference").trigger()
    until(qtbot, lambda: app.reference.transform is not None)

    assert app.reference.registration is None


def _lives(process: int) -> bool:
    try:
        os.kill(process, 0)
    except OSError:
        return False
    return True


def _identities(app: App) -> tuple[str, str]:
    assert app.reference.fixed is not None
    assert app.reference.moving is not None
    return (
        app.reference.fixed.reader.info.identity,
        app.reference.moving.reader.info.identity,
    )
