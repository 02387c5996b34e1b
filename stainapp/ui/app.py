"""The composition root: builds the parts of the window, connects them, and closes them in order."""

import gc
import logging
import sys
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from pyqtgraph.util.garbage_collector import GarbageCollector
from PySide6.QtCore import QObject, QTimer, QtMsgType, qInstallMessageHandler
from PySide6.QtWidgets import QApplication, QMessageBox

from stainapp.errors import StainAppError
from stainapp.models.store import default_store
from stainapp.session.choices import Recalled
from stainapp.session.slide_place import SlidePlace
from stainapp.settings import (
    Settings,
    load_settings,
    save_settings,
    with_recent,
    with_reference,
)
from stainapp.slides.reader import SlideReader
from stainapp.ui.background import Background
from stainapp.ui.compare_requests import CompareRequests
from stainapp.ui.current_slide import CurrentSlide
from stainapp.ui.main_window import MainWindow
from stainapp.ui.model_list import Entry
from stainapp.ui.open_slide import OpenedSlide
from stainapp.ui.reference import Reference
from stainapp.ui.region_editor import RegionEditor
from stainapp.ui.region_hand import RegionHand
from stainapp.ui.region_keeper import RegionKeeper
from stainapp.ui.registrar import Registrar
from stainapp.ui.requests import Requests
from stainapp.ui.run_command import Trainer
from stainapp.ui.saving import Saving
from stainapp.ui.screenshot import Screenshot
from stainapp.ui.session_choices import SessionChoices
from stainapp.ui.session_requests import SessionRequests
from stainapp.ui.staining import StainService
from stainapp.ui.study_requests import StudyRequests
from stainapp.ui.theme import apply_theme, chosen_colours
from stainapp.ui.train_requests import TrainRequests
from stainapp.ui.train_wish import RegisteredSlide
from stainapp.ui.view_area import ViewArea
from stainapp.ui.virtual_stain import VirtualStain
from stainapp.ui.window_session import SLIDE, WindowSession

log = logging.getLogger(__name__)

SWITCH_INTERVAL_S = 0.001
"""How long another thread may keep the interpreter from the window; Python's own is 5 ms."""


@dataclass(frozen=True, slots=True)
class ViewOptions:
    """What the command line asks of the window."""

    slide: str | None = None
    mpp: float | None = None
    model: str | None = None
    reference: str | None = None
    """A slide to lay over the first."""
    difference: bool = False
    """Whether to show the difference of optical density."""
    template: Path | None = None
    layout: str | None = None
    at: tuple[float, float] | None = None
    """Centre of the view, in level-0 pixels."""
    zoom: float | None = None
    """Magnification, 1..40."""
    rotate: float = 0.0
    fade: float = 1.0
    """Share of the virtual stain in the fade layout."""
    strength: float = 1.0
    """How much of the virtual stain there is."""
    device: str | None = None
    theme: str | None = None
    size: tuple[int, int] | None = None
    trainer: Trainer = field(default_factory=Trainer)
    """The program that trains."""
    registrar: Registrar = field(default_factory=Registrar)
    """The program that registers."""
    fresh: bool = False
    """Whether to start with an empty window, whatever was open last."""
    screenshot: Path | None = None
    wait_s: float = 600.0
    """How long a screenshot may take before it is given up."""

    @property
    def decided(self) -> frozenset[str]:
        """The choices of a session that the command line has made."""
        made = {
            "window": self.size is not None,
            "layout": self.layout is not None,
            "camera": self.at is not None or self.zoom is not None or self.rotate != 0,
            "fade": self.fade != 1,
            "strength": self.strength != 1,
            "model": self.model is not None,
            "difference": self.difference,
        }
        return frozenset(name for name, is_made in made.items() if is_made)


class App(QObject):
    """All parts of one window. Nothing is global: who needs a part gets it here."""

    def __init__(self, options: ViewOptions, settings: Settings) -> None:
        super().__init__()
        self.options = options
        self.settings = settings
        application = QApplication.instance()
        assert isinstance(application, QApplication)
        self._application = application
        colours = chosen_colours(settings.theme, application)
        apply_theme(application, colours)

        # Python may collect on any thread, and Qt's objects must end on this one
        self._collector = GarbageCollector()
        self.background = Background(self)
        self.service = StainService(self)
        self.view = ViewArea()
        self.window = MainWindow(self.view, colours)
        self.current = CurrentSlide(self.background, self)
        store = default_store()
        self.virtual = VirtualStain(store, self.service, self.view, self)
        self.virtual.device = usable_device(settings.device)
        self.reference = Reference(options.registrar, self.view, self)
        self.regions = RegionEditor(self)
        self.hand = RegionHand(self.regions, self)
        remembers = options.screenshot is None  # a picture leaves the user's own work alone
        self.saving = Saving(self)
        self.keeper = RegionKeeper(self.regions, self.saving, self, writes=remembers)
        self.session = WindowSession(self.saving, self, writes=remembers)
        self.train = TrainRequests(
            self.window, self.current, self.virtual, self.regions, store, options.trainer
        )
        self.requests = Requests(
            self.window,
            self.current,
            self.virtual,
            self.background,
            self.regions,
            self.hand,
            self.train,
            self.reference,
        )
        self.compare = CompareRequests(
            self.window, self.current, self.virtual, self.reference, self.regions, store
        )
        self.requests.add(self.compare.answers)
        self.studies = StudyRequests(
            self.window, self.compare, self.regions, store, self.requests.dialogs
        )
        self.requests.add(self.studies.answers)
        self.requests.reference.asks_scale = options.screenshot is None
        self.sessions = SessionRequests(
            self.window,
            self.current,
            self.regions,
            self.session,
            self.keeper,
            self.saving,
            self.requests.dialogs,
        )
        self.requests.add(self.sessions.answers)
        self.choices = SessionChoices(
            self.session,
            self.window,
            self.current,
            self.virtual,
            self.requests.stain,
            self.regions,
        )
        self._closed = False
        self._connect()
        self._set_out()

    def start(self) -> None:
        """Show the window and begin what the command line asked for."""
        self.window.show()
        if self.options.screenshot is None:
            self.train.offer()
        self.session.begin()

    def close(self) -> None:
        """Remember the window, end all threads, close the slide; in reverse order of building."""
        if self._closed:
            return
        self._closed = True
        self._collector.timer.stop()
        gc.enable()
        self._remember()
        self.session.end()
        self.requests.close()
        self.studies.close()
        self.compare.close()
        self.train.close()
        self.service.close()
        self.view.close_feeds()
        self.reference.close()
        self.background.close()
        self.keeper.close()
        self.saving.close()
        self.current.close()

    def _registered(self) -> RegisteredSlide | None:
        """Return what is registered to the open slide, for trainings on pairs."""
        moving = self.reference.moving
        if moving is None or self.reference.transform is None:
            return None
        return RegisteredSlide(
            moving.address,
            moving.name,
            moving.stain,
            moving.reader.info.mpp,
            str(self.reference.path),
        )

    def _connect(self) -> None:
        window, current, virtual = self.window, self.current, self.virtual
        window.closing.connect(self.close)
        for pane in self.view.panes:
            pane.hand = self.hand
        self.saving.noted.connect(window.status.show_saving)
        self.saving.failed.connect(window.messages.say)
        self.keeper.failed.connect(window.messages.say)
        self.session.failed.connect(window.messages.say)
        self.session.recalled.connect(self._on_recalled)
        self.session.slide_found.connect(current.open)
        window.close_questions.append(self._may_lose_regions)
        window.slide_dropped.connect(self._on_open)
        window.slides.slide_chosen.connect(self._on_open)
        window.stains.stain_set.connect(current.set_stain)
        window.stains.model_chosen.connect(virtual.start)
        window.stains.virtual_dismissed.connect(virtual.dismiss)
        window.stains.strength.changed.connect(virtual.set_strength)
        self.requests.reopening_chosen.connect(self._on_reopening)
        self.requests.theme_chosen.connect(self.use_theme)
        self.requests.device_chosen.connect(self.use_device)
        current.opening.connect(self._on_opening)
        current.opened.connect(self._on_opened)
        current.retired.connect(self._on_retired)
        current.noted.connect(window.note_slide)
        current.noted.connect(virtual.show_slide)
        current.failed.connect(self._on_failed)
        self.reference.chosen.connect(self._on_reference_chosen)
        self.reference.changed.connect(self.train.follow_slide)
        self.train.reference = self._registered
        virtual.entries_changed.connect(window.stains.set_entries)
        virtual.shown.connect(self._on_shown)
        virtual.progress.connect(window.status.show_hint)
        virtual.notice.connect(window.messages.say)
        virtual.failed.connect(window.messages.say)
        virtual.device_known.connect(window.status.show_device)
        if self.options.screenshot is None:  # a picture must not wait for what it does not show
            self.view.settled.connect(self._on_settled)
        self.view.cursor_moved.connect(self._on_cursor)
        self.view.viewpoint.changed.connect(self._on_camera)

    def _set_out(self) -> None:
        """Bring the window into the state that is remembered or asked for."""
        options, settings, window = self.options, self.settings, self.window
        window.resize(*(options.size or (1440, 900)))
        if options.screenshot is None:
            window.restore_places(settings.geometry, settings.docks)
        window.show_layout(options.layout or settings.layout)
        window.fade.setValue(round(100 * options.fade))
        window.stains.strength.set_value(options.strength)
        window.action("virtual").setChecked(True)
        for name, on in (
            ("minimap", settings.show_minimap),
            ("scale-bar", settings.show_scale_bar),
            ("show-regions", True),
            ("show-real", True),
            ("reference", True),
            ("tool-move", True),
        ):
            window.action(name).setChecked(on)
        self.view.set_minimap_visible(settings.show_minimap)
        self.view.set_scale_bar_visible(settings.show_scale_bar)
        if options.difference:
            window.action("difference").trigger()
        window.action("reopen-session").setChecked(settings.reopen)
        window.action(f"theme-{settings.theme}").setChecked(True)
        window.action("device-mps").setEnabled(sys.platform == "darwin")
        window.action("device-cuda").setEnabled(sys.platform != "darwin")
        window.action(f"device-{self.virtual.device.partition(':')[0]}").setChecked(True)
        window.status.show_device(self.virtual.device)
        self._show_recent()
        self.requests.reference.show_recent(settings.references)

    def use_theme(self, theme: str) -> None:
        self._set(theme=theme)
        colours = chosen_colours(theme, self._application)
        apply_theme(self._application, colours)
        self.window.recolour(colours)

    def use_device(self, device: str) -> None:
        self._set(device=device)
        self.window.status.show_device(device)
        self.virtual.use_device(device)

    def _on_recalled(self, recalled: Recalled) -> None:
        """Open what the command line names, else the window as it was left.

        A slide that is named again after the program was killed is shown as it was, too.
        """
        options = self.options
        choices = {k: v for k, v in recalled.choices.items() if k not in options.decided}
        if options.slide:
            place = SlidePlace.of_json(choices.get(SLIDE))
            here = str(Path(options.slide).absolute()), options.slide
            if place is not None and place.address in here and not recalled.ended:
                self.session.await_slide(place, choices)
            self.current.open(options.slide, options.mpp)
            return
        if self.settings.reopen and not options.fresh and choices.get(SLIDE):
            self.session.restore(choices, self.sessions.folders)
        self.virtual.refresh()
        self.window.status.show_hint("Open a slide with Ctrl+O, or drop one here.")

    def _on_reopening(self, wished: bool) -> None:
        self._set(reopen=wished)

    def _set(self, **changes: Any) -> None:
        """Change settings, and have them on the disk at once."""
        self.settings = replace(self.settings, **changes)
        if self.options.screenshot is None:
            settings = self.settings
            self.saving.run(
                lambda: save_settings(settings), lambda _: None, self.window.messages.say
            )

    def _show_recent(self) -> None:
        recent = self.settings.recent
        self.requests.slide.show_recent(recent)
        self.sessions.folders = tuple(dict.fromkeys(Path(a).parent for a in recent))
        self.train.recent = recent

    def _on_open(self, address: str) -> None:
        self.current.open(address)

    def _on_opening(self, address: str) -> None:
        self.window.status.show_hint(f"Opening {Path(address).name}…")

    def _on_opened(self, slide: OpenedSlide) -> None:
        self._set(recent=with_recent(self.settings, slide.address).recent)
        self._show_recent()
        self.window.show_slide(slide)
        self.virtual.show_slide(slide)
        self.reference.show_slide(slide)
        self.keeper.open(slide.reader.info.identity, slide.name)
        self._on_camera()
        self._follow_options()
        self.session.slide_is_here(slide.reader.info.identity)
        if slide.reader.info.mpp is None and self.options.screenshot is None:
            self.requests.slide.ask_scale(slide)

    def _follow_options(self) -> None:
        """Take the command line's view and model, once, for its first slide."""
        options = self.options
        self.options = ViewOptions(screenshot=options.screenshot)
        if options.zoom is not None:
            self.window.magnify(options.zoom)
        if options.at is not None:
            self.view.go_to(*options.at)
        if options.rotate:
            self.view.rotate_by(options.rotate)
        if options.model is not None:
            self._start_model(options.model, options.template)
        if options.reference is not None:
            self.reference.open(options.reference)

    def _on_retired(self, reader: SlideReader) -> None:
        self.service.when_idle(reader.close)

    def _start_model(self, model_id: str, template: Path | None) -> None:
        slide = self.current.slide
        if slide is not None and slide.reader.info.mpp is None and self.options.screenshot:
            self.virtual.failed.emit(
                f"{slide.name} does not say how large its pixels are; give --mpp."
            )
        else:
            self.requests.stain.start_model(model_id, template)

    def _on_shown(self, entry: Entry | None) -> None:
        self.window.stains.show_active(entry.found.card.id if entry else "")

    def _on_reference_chosen(self, address: str) -> None:
        self.current.set_reference(address)
        self._set(references=with_reference(self.settings, address).references)
        self.requests.reference.show_recent(self.settings.references)

    def _on_failed(self, sentence: str) -> None:
        self.session.give_up_slide()
        self.window.status.show_hint("")
        self.window.messages.say(sentence)

    def _on_settled(self) -> None:
        if not self._closed:  # a view settles as well when its feeds are closed
            self.service.warm_up()

    def _on_cursor(self, x: float, y: float) -> None:
        slide = self.current.slide
        self.window.status.show_position(x, y, slide.reader.info.mpp if slide else None)
        self.window.status.show_error(self.reference.error_words(x, y))

    def _on_camera(self, *_: object) -> None:
        slide = self.current.slide
        if slide is not None:
            ratio = self.window.devicePixelRatioF()
            self.window.status.show_camera(self.view.viewpoint.camera, slide.reader.info.mpp, ratio)

    def _may_lose_regions(self) -> bool:
        """Ask before regions are lost that could not be written, so that they can be exported."""
        if not self.saving.failing:
            return True
        answer = QMessageBox.question(
            self.window,
            "Not saved",
            "What you did cannot be saved where it is kept. Save the session to another disk "
            "(File menu), or export the regions, to keep it.\n\nClose and lose what was changed?",
        )
        return answer == QMessageBox.StandardButton.Yes

    def _remember(self) -> None:
        if self.options.screenshot is not None:
            return
        geometry, docks = self.window.places()
        self.settings = replace(
            self.settings,
            geometry=geometry,
            docks=docks,
            layout=self.window.layout_name,
            show_minimap=self.window.action("minimap").isChecked(),
            show_scale_bar=self.window.action("scale-bar").isChecked(),
        )
        try:
            save_settings(self.settings)
        except StainAppError as error:
            log.warning("%s", error)


def usable_device(device: str) -> str:
    """Return the device that is remembered, or "auto" where this system never has it."""
    apple = sys.platform == "darwin"
    return "auto" if device.startswith("cuda" if apple else "mps") else device


def run_app(options: ViewOptions) -> int:
    """Open the window and return the exit code once it is closed."""
    application = QApplication.instance() or QApplication(["stainapp"])
    assert isinstance(application, QApplication)
    application.setApplicationName("stainapp")
    qInstallMessageHandler(_log_qt)
    sys.setswitchinterval(SWITCH_INTERVAL_S)
    settings = load_settings()
    if options.theme or options.device:
        settings = replace(
            settings,
            theme=options.theme or settings.theme,
            device=options.device or settings.device,
        )
    app = App(options, settings)
    _report_surprises(app.window.messages.say)
    shot = None
    if options.screenshot is not None:
        shot = Screenshot(
            app.view,
            app.current,
            app.virtual,
            app.reference,
            options.screenshot,
            options.wait_s,
            slide_expected=options.slide is not None,
        )
    QTimer.singleShot(0, app.start)
    code = application.exec()
    app.close()
    return shot.code if shot else code


def _log_qt(kind: QtMsgType, _context: object, words: str) -> None:
    """Send Qt's own complaints to the log; the off-screen platform has a harmless one."""
    if "propagateSizeHints" not in words:
        log.log(logging.INFO if kind == QtMsgType.QtInfoMsg else logging.WARNING, "Qt: %s", words)


def _report_surprises(say: Callable[[str], None]) -> None:
    """Show what nobody expected as a message, and log where it came from; never die of it."""

    def hook(kind: type[BaseException], error: BaseException, trace: object) -> None:
        if issubclass(kind, KeyboardInterrupt):
            QApplication.quit()
            return
        log.error("unexpected", exc_info=(kind, error, trace))  # type: ignore[arg-type]
        say(f"Something unexpected went wrong: {error}. The log has the details.")

    sys.excepthook = hook
