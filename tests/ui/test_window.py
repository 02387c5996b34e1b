"""The real window, driven off screen as a user would."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from PIL import Image
from PySide6.QtCore import QMimeData, QPoint, QPointF, Qt, QUrl
from PySide6.QtGui import QDropEvent
from PySide6.QtWidgets import QDialog
from pytestqt.qtbot import QtBot

from stainapp.settings import Settings, home, load_note, load_settings
from stainapp.ui.app import App, ViewOptions
from stainapp.ui.export_dialog import ExportDialog
from stainapp.ui.import_dialog import ImportDialog
from stainapp.ui.picture import Picture
from stainapp.ui.scale_dialog import ScaleDialog
from tests.models.factories import identity_model, resnet_model

SLIDE = "phantom:he:3000:1"
WAIT_MS = 120_000
"""Generous: it only bounds a test that would hang."""

Start = Callable[..., App]


@pytest.fixture
def start(qtbot: QtBot) -> Iterator[Start]:
    """Open the window, and see that all its threads end with the test."""
    apps: list[App] = []

    def start(slide: str | None = SLIDE, *, settled: bool = True, **options: object) -> App:
        app = App(
            ViewOptions(slide=slide, size=(1000, 700), **options),  # type: ignore[arg-type]
            replace(Settings(), theme="light"),
        )
        apps.append(app)
        app.start()
        if slide and settled:
            qtbot.waitUntil(lambda: app.view.is_settled and not app.virtual.busy, timeout=WAIT_MS)
        return app

    yield start
    for app in apps:
        app.window.close()
        app.close()
        app.window.deleteLater()


@pytest.fixture
def scaleless(tmp_path: Path) -> Path:
    """An image that does not say how large its pixels are, under an awkward name."""
    path = tmp_path / "Präparat ä ö 染色.png"
    Image.new("RGB", (640, 480), (200, 120, 180)).save(path)
    return path


def test_an_opened_slide_is_shown_with_its_guessed_stain(start: Start) -> None:
    app = start()

    assert app.window.windowTitle().startswith("phantom")
    assert "guess" in app.window.stains.stain.words.text()
    assert app.window.stains.stain.buttons["H&E"].isChecked()
    assert not app.view.viewpoint.camera.zoom <= 0


@pytest.mark.parametrize(
    ("action", "picture"),
    [
        ("virtual", Picture.VIRTUAL),
        ("show-real", Picture.REAL),
        ("reference", Picture.REFERENCE),
        ("difference", Picture.DIFFERENCE),
    ],
)
def test_each_picture_is_shown_and_hidden_from_the_menu(
    start: Start, action: str, picture: Picture
) -> None:
    app = start()
    before = app.view.is_visible(picture)

    app.window.action(action).trigger()
    assert app.view.is_visible(picture) is not before

    app.window.action(action).trigger()
    assert app.view.is_visible(picture) is before


def test_arrow_keys_pan_the_view(start: Start, qtbot: QtBot) -> None:
    app = start()
    app.view.set_magnification(20)
    before = app.view.viewpoint.camera

    pane = app.view.panes[0]
    pane.setFocus()
    qtbot.keyClick(pane, Qt.Key.Key_Right)

    assert app.view.viewpoint.camera.x > before.x
    assert app.view.viewpoint.camera.y == pytest.approx(before.y)


def test_a_chosen_model_shows_in_the_second_pane(start: Start) -> None:
    app = start(model="macenko", layout="side-by-side")

    assert app.virtual.reader is not None
    assert app.virtual.reader.info.format == "virtual"
    assert any("macenko" in chip.words for chip in app.view.panes[1].chips)


def test_what_finds_nuclei_is_not_offered_as_a_stain(start: Start) -> None:
    identity_model(home() / "models" / "finder", id="finder", kind="segmenter")
    identity_model(home() / "models" / "stain", id="stain")

    offered = [entry.found.card.id for entry in start(settled=False).virtual.refresh()]

    assert "stain" in offered
    assert "finder" not in offered


def test_switching_the_model_shows_another_picture(start: Start, qtbot: QtBot) -> None:
    app = start(model="macenko", layout="single")
    first = app.view.grab_picture()

    entry = app.window.stains.select("reinhard")
    assert entry is not None
    app.virtual.start(entry)
    qtbot.waitUntil(lambda: app.view.is_settled and not app.virtual.busy, timeout=WAIT_MS)

    assert app.view.grab_picture() != first


def test_the_curtain_divides_real_from_virtual(start: Start, qtbot: QtBot) -> None:
    app = start(model="dab-to-haematoxylin", layout="curtain", slide="phantom:dab:3000:1")
    app.view.set_curtain(0.0)
    qtbot.waitUntil(lambda: app.view.is_settled, timeout=WAIT_MS)
    one_end = app.view.grab_picture()

    app.view.set_curtain(1.0)
    qtbot.waitUntil(lambda: app.view.is_settled, timeout=WAIT_MS)

    assert app.view.grab_picture() != one_end


def test_holding_the_peek_key_shows_the_real_stain(start: Start, qtbot: QtBot) -> None:
    app = start(model="macenko", layout="single")
    virtual = app.view.grab_picture()

    qtbot.keyPress(app.view.panes[0], Qt.Key.Key_QuoteLeft)
    real = app.view.grab_picture()
    qtbot.keyRelease(app.view.panes[0], Qt.Key.Key_QuoteLeft)

    assert real != virtual
    assert app.view.grab_picture() == virtual


def test_a_missing_scale_is_asked_for_once_and_remembered(
    start: Start, qtbot: QtBot, scaleless: Path
) -> None:
    app = start(str(scaleless))
    dialog = app.requests.dialog
    assert isinstance(dialog, ScaleDialog)
    assert not dialog.accept_button.isEnabled()

    dialog.mpp.setValue(0.5)
    with qtbot.waitSignal(app.current.opened, timeout=WAIT_MS):
        dialog.accept()

    slide = app.current.slide
    assert slide is not None
    assert slide.reader.info.mpp == 0.5
    assert load_note(slide.reader.info.identity).mpp == 0.5
    again = start(str(scaleless))
    assert again.requests.dialog is None


def test_a_slide_without_scale_can_be_viewed_all_the_same(start: Start, scaleless: Path) -> None:
    app = start(str(scaleless))
    dialog = app.requests.dialog
    assert isinstance(dialog, ScaleDialog)

    dialog.reject()

    slide = app.current.slide
    assert slide is not None
    assert slide.reader.info.mpp is None
    assert "% of pixels" in app.window.status.scale.text()


def test_a_stain_set_by_the_user_is_no_guess_any_more(start: Start) -> None:
    app = start()

    app.window.stains.stain.buttons["PAS"].click()

    slide = app.current.slide
    assert slide is not None
    assert load_note(slide.reader.info.identity).stain == "PAS"
    assert "guess" not in app.window.stains.stain.words.text()
    macenko = app.window.stains.select("macenko")
    assert macenko is not None
    assert not macenko.compatibility.ok


def test_a_broken_slide_is_told_and_leaves_the_one_before_it_open(
    start: Start, qtbot: QtBot, tmp_path: Path
) -> None:
    app = start()
    before = app.current.slide
    broken = tmp_path / "broken.svs"
    broken.write_bytes(b"II*\0" + bytes(200))

    with qtbot.waitSignal(app.current.failed, timeout=WAIT_MS):
        app.window.take_file(str(broken))

    assert app.current.slide is before
    assert any("broken.svs" in sentence for sentence in app.window.messages.messages)


def test_a_dropped_checkpoint_is_imported_into_the_picker(
    start: Start, qtbot: QtBot, tmp_path: Path
) -> None:
    app = start()
    path = tmp_path / "stainnet.pth"
    torch.manual_seed(0)
    net = torch.nn.Sequential()
    for index, (inputs, outputs) in enumerate(((3, 32), (32, 32), (32, 3))):
        net.append(torch.nn.Conv2d(inputs, outputs, 1))
        if index < 2:
            net.append(torch.nn.ReLU())
    torch.save({f"rgb_trans.{key}": value for key, value in net.state_dict().items()}, path)

    drop(app, path)
    dialog = app.requests.dialog
    assert isinstance(dialog, ImportDialog)
    dialog.mpp.setValue(0.5)
    qtbot.waitUntil(dialog.import_button.isEnabled, timeout=WAIT_MS)
    with qtbot.waitSignal(dialog.imported, timeout=WAIT_MS) as imported:
        dialog.start()

    assert app.window.stains.models.row_of(imported.args[0]) is not None


def test_a_dropped_pickle_is_refused_with_the_reason(
    start: Start, qtbot: QtBot, tmp_path: Path
) -> None:
    app = start()
    path = tmp_path / "options.pkl"
    path.write_bytes(b"\x80\x04K\x01.")

    drop(app, path)
    dialog = app.requests.dialog
    assert isinstance(dialog, ImportDialog)
    qtbot.waitUntil(lambda: "pickle" in dialog.words.text(), timeout=WAIT_MS)

    assert not dialog.import_button.isEnabled()


def test_network_tiles_replace_the_preview(start: Start) -> None:
    resnet_model(home() / "models" / "resnet", source_stain="H&E", mpp=0.5)
    app = start(model="resnet", layout="side-by-side", zoom=20.0, at=(1500.0, 1500.0))

    words = [chip.words for chip in app.view.panes[1].chips]
    assert any("resnet" in word for word in words)
    assert "VIRTUAL - research use only" in words
    assert "preview" not in words


def test_the_strength_follows_the_slider_without_calibrating_again(
    start: Start, qtbot: QtBot
) -> None:
    app = start(model="macenko", layout="side-by-side")
    whole, stainer = app.virtual.reader, app.virtual.reader and app.virtual.reader.stainer
    before = app.view.grab_picture()

    app.window.stains.strength.slider.setValue(50)
    qtbot.waitUntil(lambda: app.virtual.reader is not whole, timeout=WAIT_MS)
    qtbot.waitUntil(lambda: app.view.is_settled, timeout=WAIT_MS)

    half = app.virtual.reader
    assert half is not None
    assert (half.strength, half.stainer) == (0.5, stainer)
    assert any("strength 50 %" in chip.words for chip in app.view.panes[1].chips)
    assert app.view.grab_picture() != before
    app.window.stains.strength.slider.setValue(100)
    qtbot.waitUntil(lambda: app.virtual.reader is whole, timeout=WAIT_MS)
    assert not any("strength" in chip.words for chip in app.view.panes[1].chips)


def test_a_window_opens_at_the_strength_that_was_asked_for(start: Start) -> None:
    app = start(model="macenko", strength=0.25)

    assert app.virtual.reader is not None
    assert app.virtual.reader.strength == 0.25
    assert app.window.stains.strength.figure.text() == "25 %"


def test_far_out_the_preview_stays_and_says_so(start: Start) -> None:
    resnet_model(home() / "models" / "resnet", source_stain="H&E", mpp=0.5)
    app = start("phantom:he:12000:1", model="resnet", layout="side-by-side")

    assert "preview" in [chip.words for chip in app.view.panes[1].chips]


def test_the_window_closes_while_a_network_is_staining(start: Start, qtbot: QtBot) -> None:
    resnet_model(home() / "models" / "resnet", source_stain="H&E", mpp=0.5)
    app = start(model="resnet", zoom=20.0, settled=False)
    with qtbot.waitSignal(app.service.preview_ready, timeout=WAIT_MS):
        pass

    app.window.close()
    app.close()

    assert not app.window.isVisible()
    assert app.current.slide is None


def test_the_view_on_show_can_be_exported(start: Start, qtbot: QtBot, tmp_path: Path) -> None:
    app = start(model="macenko")
    app.view.set_magnification(40)
    app.requests.answer("export")
    dialog = app.requests.dialog
    assert isinstance(dialog, ExportDialog)
    target = tmp_path / "view.ome.tiff"

    dialog.path.setText(str(target))
    dialog.start()
    qtbot.waitUntil(lambda: not dialog.writing, timeout=WAIT_MS)

    assert "checked" in dialog.words.text()
    assert target.is_file()
    dialog.reject()


def test_layout_and_recent_slides_are_remembered(start: Start) -> None:
    app = start()
    app.window.show_layout("curtain")

    app.window.close()

    assert load_settings().layout == "curtain"
    assert load_settings().recent == (SLIDE,)


@pytest.mark.parametrize("name", ["keys", "commands", "info", "go-to", "scale"])
def test_every_dialog_opens_and_closes(start: Start, name: str) -> None:
    app = start()

    app.requests.answer(name)

    dialog = app.requests.dialog
    assert isinstance(dialog, QDialog)
    assert dialog.isVisible()
    dialog.reject()


def test_the_theme_changes_while_a_slide_is_open(start: Start) -> None:
    app = start()
    light = app.window.palette().window().color()

    app.use_theme("dark")

    assert app.window.palette().window().color() != light


def drop(app: App, path: Path) -> None:
    """Let a file fall onto the window."""
    data = QMimeData()
    data.setUrls([QUrl.fromLocalFile(str(path))])
    event = QDropEvent(
        QPointF(QPoint(50, 50)),
        Qt.DropAction.CopyAction,
        data,
        Qt.MouseButton.LeftButton,
        Qt.KeyboardModifier.NoModifier,
    )
    app.window.dropEvent(event)
