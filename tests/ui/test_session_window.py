"""A session is never lost: not by a kill, not by a move, not by a slide that is gone."""

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from PySide6.QtWidgets import QFileDialog, QMessageBox
from pytestqt.qtbot import QtBot

from stainapp.session.regions import Region
from stainapp.settings import Settings, home, load_settings
from stainapp.ui.app import App, ViewOptions
from tests.ui.fakes import write_plain
from tests.ui.killed_window import state

WAIT_MS = 120_000
ROOT = Path(__file__).parents[2]

Open = Callable[..., App]


@pytest.fixture
def window(qtbot: QtBot) -> Iterator[Open]:
    """Open the window, and see that all its threads end with the test."""
    apps: list[App] = []

    def window(slide: str | None = None, *, reopen: bool = True, **options: Any) -> App:
        app = App(
            ViewOptions(slide=slide, size=(1000, 700), **options),
            replace(Settings(), theme="light", reopen=reopen),
        )
        apps.append(app)
        app.start()
        if slide:
            qtbot.waitUntil(lambda: app.regions.ready, timeout=WAIT_MS)
        return app

    yield window
    for app in apps:
        app.window.close()
        app.close()
        app.window.deleteLater()


@pytest.fixture
def slide(tmp_path: Path) -> Path:
    """A slide that opens in no time."""
    return drawn(tmp_path / "slides" / "Schnitt ä.tif", 200)


def drawn(path: Path, shade: int) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    write_plain(path, shade, 1600, 1500)
    return path


def draw(app: App, x: float = 100, name: str = "") -> Region:
    region = replace(Region.rectangle(x, 200, 300, 200), name=name)
    assert app.regions.put([region], "Draw rectangle")
    return region


def settle(app: App, qtbot: QtBot) -> None:
    qtbot.waitUntil(lambda: not app.saving.pending and not app.session.unwritten, timeout=WAIT_MS)


def killed(slide: str, how: str) -> dict[str, Any]:
    """Work in a window of another process, kill that, and return what it had held."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.ui.killed_window", slide, how],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), *sys.path])},
        text=True,
    )
    assert process.stdout is not None
    try:
        held: dict[str, Any] = json.loads(process.stdout.readline())
        if how == "torn":
            assert json.loads(process.stdout.readline()) == {"torn": True}
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
        process.stdout.close()
    return held


def as_json(app: App) -> dict[str, Any]:
    told: dict[str, Any] = json.loads(json.dumps(state(app)))
    return told


posix = pytest.mark.skipif(sys.platform == "win32", reason="there is no SIGKILL on Windows")


@posix
@pytest.mark.parametrize("how", ["saved", "torn"])
def test_after_a_kill_the_window_opens_as_it_was(
    window: Open, qtbot: QtBot, slide: Path, how: str
) -> None:
    held = killed(str(slide), how)
    assert (len(held["regions"]), held["undo"][-1], held["redo"]) == (
        2,
        "Move region",
        ["Rename region"],
    )

    app = window()
    qtbot.waitUntil(lambda: app.regions.ready and app.virtual.entry is not None, timeout=WAIT_MS)

    assert as_json(app) == held
    assert held["difference"]
    app.regions.redo()
    assert app.regions.regions.regions[1].name == "Präparat"
    while app.regions.history.done:
        app.regions.undo()
    assert app.regions.regions.regions == ()


@posix
def test_after_a_kill_a_real_slide_is_shown_as_it_was(
    window: Open, qtbot: QtBot, data: Path
) -> None:
    slide = data / "slides" / "CMU-1-Small-Region.svs"
    held = killed(str(slide), "saved")

    app = window(str(slide))  # named again, as the user would
    qtbot.waitUntil(lambda: app.virtual.entry is not None, timeout=WAIT_MS)

    assert as_json(app) == held


def test_a_window_that_was_closed_opens_again_where_it_was(
    window: Open, qtbot: QtBot, slide: Path
) -> None:
    app = window(str(slide))
    region = draw(app)
    app.view.go_to(900, 800)
    app.view.zoom_by(3)
    camera = app.view.viewpoint.camera
    app.window.close()

    again = window()
    qtbot.waitUntil(lambda: again.regions.ready, timeout=WAIT_MS)

    assert again.view.viewpoint.camera == camera
    assert again.regions.regions.regions == (region,)
    assert again.regions.selected == (region.id,)


@pytest.mark.parametrize("how", [{"reopen": False}, {"fresh": True}], ids=["setting", "flag"])
def test_a_start_can_be_empty_and_forgets_nothing(
    window: Open, qtbot: QtBot, slide: Path, how: dict[str, bool]
) -> None:
    window(str(slide)).window.close()

    empty = window(**how)
    qtbot.waitUntil(lambda: "Ctrl+O" in empty.window.status.hint.text(), timeout=WAIT_MS)
    assert empty.current.slide is None
    empty.window.close()

    app = window()
    qtbot.waitUntil(lambda: app.regions.ready, timeout=WAIT_MS)


def test_a_slide_that_is_named_is_shown_whole_once_the_window_was_closed(
    window: Open, slide: Path
) -> None:
    app = window(str(slide))
    whole = app.view.viewpoint.camera
    app.view.zoom_by(4)
    app.window.close()

    assert window(str(slide)).view.viewpoint.camera == whole


def test_a_picture_leaves_the_user_s_session_alone(
    window: Open, qtbot: QtBot, slide: Path, tmp_path: Path
) -> None:
    app = window(str(slide))
    region = draw(app)
    app.window.close()
    before = {p: p.read_bytes() for p in home().rglob("*") if p.is_file()}

    picture = App(
        ViewOptions(slide=str(slide), screenshot=tmp_path / "a.png", zoom=20.0), Settings()
    )
    picture.start()
    qtbot.waitUntil(lambda: bool(picture.regions.regions.regions), timeout=WAIT_MS)
    assert picture.regions.regions.regions == (region,)
    picture.close()
    picture.window.deleteLater()

    assert {p: p.read_bytes() for p in home().rglob("*") if p.is_file()} == before


def test_a_slide_left_and_opened_again_at_once_has_its_regions(
    window: Open, qtbot: QtBot, slide: Path, tmp_path: Path
) -> None:
    app = window(str(slide))
    region = draw(app)
    other = drawn(tmp_path / "other.tif", 90)

    for path in (other, slide, other, slide):
        with qtbot.waitSignal(app.current.opened, timeout=WAIT_MS):
            app.current.open(str(path))
    qtbot.waitUntil(lambda: app.regions.ready, timeout=WAIT_MS)

    assert app.regions.regions.regions == (region,)
    assert app.window.messages.messages == ()


def test_a_setting_is_on_the_disk_before_the_window_closes(
    window: Open, qtbot: QtBot, slide: Path
) -> None:
    app = window(str(slide))

    app.window.action("theme-dark").trigger()
    qtbot.waitUntil(lambda: load_settings().theme == "dark", timeout=WAIT_MS)
    app.use_theme("light")


def test_saved_is_said_when_it_is(window: Open, qtbot: QtBot, slide: Path) -> None:
    app = window(str(slide))
    words = list[str]()
    app.saving.noted.connect(lambda text, _: words.append(text))

    draw(app)
    settle(app, qtbot)

    assert list(dict.fromkeys(words)) == ["Saving…", "Saved"]
    assert app.window.status.saving.text() == "Saved"


def test_two_windows_are_remembered_each(window: Open, qtbot: QtBot, tmp_path: Path) -> None:
    slides = [drawn(tmp_path / f"{n}.tif", 180 + n) for n in (1, 2)]
    for app in [window(str(path)) for path in slides]:
        app.window.close()

    again = [window(), window()]
    qtbot.waitUntil(lambda: all(app.current.slide for app in again), timeout=WAIT_MS)

    assert [app.window.windowTitle() for app in again] == ["1.tif - stainapp", "2.tif - stainapp"]


# in a file of its own


def saved(app: App, qtbot: QtBot, path: Path) -> Path:
    app.sessions.write(path)
    qtbot.waitUntil(lambda: path.exists() and not app.saving.pending, timeout=WAIT_MS)
    return path


def test_a_session_moved_with_its_slide_to_another_machine_opens_with_its_history(
    window: Open, qtbot: QtBot, slide: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = window(str(slide))
    draw(app, name="one")
    draw(app, 600, name="two")
    app.view.go_to(300, 400)
    app.view.zoom_by(2)
    held = as_json(app)
    saved(app, qtbot, slide.with_name("case.stainapp"))
    app.window.close()
    moved = tmp_path / "elsewhere" / "deep"
    shutil.move(slide.parent, moved)
    monkeypatch.setenv("STAINAPP_HOME", str(tmp_path / "another home"))

    other = window()
    other.sessions.read(moved / "case.stainapp")
    qtbot.waitUntil(lambda: len(other.regions.regions.regions) == 2, timeout=WAIT_MS)

    assert as_json(other) == held
    assert other.current.slide is not None
    assert Path(other.current.slide.address) == moved / slide.name
    other.regions.undo()
    settle(other, qtbot)
    other.window.close()
    again = window()
    qtbot.waitUntil(lambda: len(again.regions.regions.regions) == 1, timeout=WAIT_MS)


def test_a_session_opened_over_other_regions_can_be_undone(
    window: Open, qtbot: QtBot, slide: Path, tmp_path: Path
) -> None:
    app = window(str(slide))
    draw(app, name="in the file")
    path = saved(app, qtbot, tmp_path / "case.stainapp")
    app.regions.undo()
    mine = draw(app, name="drawn since")

    app.sessions.read(path)
    qtbot.waitUntil(lambda: app.regions.regions.regions != (mine,), timeout=WAIT_MS)

    assert [region.name for region in app.regions.regions.regions] == ["in the file"]
    app.regions.undo()
    assert app.regions.regions.regions == (mine,)


@pytest.mark.parametrize(
    ("content", "reason"),
    [(b"", "no session"), (b'{"type": "FeatureCollection"}\n', "no session"),
     (b'{"stainapp":"session","version":9}\n', "newer stainapp")],
)  # fmt: skip
def test_what_is_no_session_is_refused_in_one_sentence(
    window: Open, qtbot: QtBot, slide: Path, tmp_path: Path, content: bytes, reason: str
) -> None:
    app = window(str(slide))
    path = tmp_path / "odd.stainapp"
    path.write_bytes(content)

    app.sessions.read(path)
    qtbot.waitUntil(lambda: bool(app.window.messages.messages), timeout=WAIT_MS)

    (sentence,) = app.window.messages.messages
    assert reason in sentence
    assert "odd.stainapp" in sentence


# a slide that is gone


def gone(window: Open, qtbot: QtBot, slide: Path) -> Region:
    app = window(str(slide))
    region = draw(app)
    app.window.close()
    return region


def asked(app: App, qtbot: QtBot) -> QMessageBox:
    qtbot.waitUntil(lambda: app.requests.dialog is not None, timeout=WAIT_MS)
    assert isinstance(app.requests.dialog, QMessageBox)
    return app.requests.dialog


def test_a_slide_that_is_gone_is_asked_for_once(window: Open, qtbot: QtBot, slide: Path) -> None:
    gone(window, qtbot, slide)
    slide.unlink()

    app = window()
    box = asked(app, qtbot)
    assert slide.name in box.text()
    next(button for button in box.buttons() if "without" in button.text()).click()
    settle(app, qtbot)
    app.window.close()

    again = window()
    qtbot.waitUntil(lambda: "Ctrl+O" in again.window.status.hint.text(), timeout=WAIT_MS)
    settle(again, qtbot)
    assert again.requests.dialog is None


def test_a_slide_shown_where_it_is_now_has_its_field_and_regions(
    window: Open, qtbot: QtBot, slide: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    region = gone(window, qtbot, slide)
    moved = slide.rename(tmp_path / "renamed.tif")
    monkeypatch.setattr(QFileDialog, "getOpenFileName", lambda *_: (str(moved), ""))

    app = window()
    box = asked(app, qtbot)
    next(button for button in box.buttons() if "Find" in button.text()).click()
    qtbot.waitUntil(lambda: app.regions.ready, timeout=WAIT_MS)

    assert app.regions.regions.regions == (region,)


def test_a_slide_moved_to_a_folder_of_another_is_found_without_asking(
    window: Open, qtbot: QtBot, slide: Path, tmp_path: Path
) -> None:
    region = gone(window, qtbot, slide)
    other = drawn(tmp_path / "others" / "other.tif", 90)
    shutil.move(slide, other.parent / slide.name)
    drawn(slide, 80)  # a file of the same name lies where the slide was

    app = App(
        ViewOptions(size=(1000, 700)),
        replace(Settings(), theme="light", recent=(str(other),)),
    )
    app.start()
    qtbot.waitUntil(lambda: app.regions.ready, timeout=WAIT_MS)

    assert app.regions.regions.regions == (region,)
    app.window.close()
    app.close()
    app.window.deleteLater()
