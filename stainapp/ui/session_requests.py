"""What the user asks of sessions: keep one in a file, open one, find a slide that has moved."""

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

from PySide6.QtCore import QObject
from PySide6.QtWidgets import QFileDialog, QMessageBox

from stainapp.session.history import History
from stainapp.session.session_file import SUFFIX, Session, read_session, write_session
from stainapp.session.slide_place import SlidePlace
from stainapp.ui.current_slide import CurrentSlide
from stainapp.ui.main_window import MainWindow
from stainapp.ui.open_dialog import OpenDialog
from stainapp.ui.region_editor import RegionEditor
from stainapp.ui.region_keeper import RegionKeeper
from stainapp.ui.saving import Saving
from stainapp.ui.slide_requests import SLIDE_FILTER
from stainapp.ui.window_session import WindowSession

SESSION_FILTER = f"Sessions of stainapp (*{SUFFIX});;All files (*)"


class SessionRequests(QObject):
    """Asks with dialogs and passes the answers on."""

    def __init__(
        self,
        window: MainWindow,
        current: CurrentSlide,
        editor: RegionEditor,
        session: WindowSession,
        keeper: RegionKeeper,
        saving: Saving,
        dialogs: OpenDialog,
    ) -> None:
        super().__init__(window)
        self._window, self._current, self._editor = window, current, editor
        self._session, self._keeper, self._saving = session, keeper, saving
        self._dialogs = dialogs
        self._brought: dict[str, tuple[History, str]] = {}
        """Regions of a session's slides that are not open yet, and the session's name."""
        self.folders: tuple[Path, ...] = ()
        """Where slides were opened lately, and may be found again."""
        self.answers: Mapping[str, Callable[[], None]] = {
            "open-session": self._open,
            "save-session": self._save,
        }
        session.slide_gone.connect(self._on_gone)
        editor.shown.connect(self._on_regions)

    def write(self, path: Path) -> None:
        """Keep the session, as it is now, in a file."""
        histories = {self._keeper.identity: self._editor.history.copy()}
        if not self._keeper.identity:
            histories = {}
        session = Session(self._session.values, histories)
        self._saving.run(
            partial(write_session, path, session),
            lambda _: self._window.status.show_hint(f"Session written to {path.name}"),
            self._window.messages.say,
        )

    def read(self, path: Path) -> None:
        """Bring the window to the session in a file."""
        self._saving.run(
            partial(read_session, path), partial(self._on_read, path), self._window.messages.say
        )

    def _open(self) -> None:
        path, _ = QFileDialog.getOpenFileName(self._window, "Open session", "", SESSION_FILTER)
        if path:
            self.read(Path(path))

    def _save(self) -> None:
        slide = self._current.slide
        suggestion = f"{Path(slide.name).stem if slide else 'session'}{SUFFIX}"
        path, _ = QFileDialog.getSaveFileName(
            self._window, "Save session as", suggestion, SESSION_FILTER
        )
        if path:
            self.write(Path(path) if Path(path).suffix else Path(f"{path}{SUFFIX}"))

    def _on_read(self, path: Path, session: Session) -> None:
        self._brought = {
            identity: (history, path.stem) for identity, history in session.histories.items()
        }
        self._session.restore(session.choices, self.folders, path)
        self._on_regions()

    def _on_regions(self) -> None:
        """Show what a session says of the slide, once the slide's own regions are here."""
        if self._editor.ready and self._keeper.identity in self._brought:
            history, name = self._brought.pop(self._keeper.identity)
            self._keeper.adopt(self._keeper.identity, history, f"Open session {name}")

    def _on_gone(self, slide: SlidePlace, session: Path | None) -> None:
        """Ask where a slide is now; once, whatever the answer."""
        where = Path(slide.address).parent
        box = QMessageBox(self._window)
        box.setIcon(QMessageBox.Icon.Question)
        box.setWindowTitle("Where is the slide?")
        box.setText(f"{slide.name} is no longer in {where}.")
        box.setInformativeText("What was drawn on it is kept, and is there when it is found.")
        find = box.addButton("Find it…", QMessageBox.ButtonRole.AcceptRole)
        box.addButton("Go on without it", QMessageBox.ButtonRole.RejectRole)
        box.buttonClicked.connect(
            lambda pressed: self._find(slide) if pressed is find else self._session.forget_slide()
        )
        self._dialogs.show(box)

    def _find(self, slide: SlidePlace) -> None:
        path, _ = QFileDialog.getOpenFileName(
            self._window, f"Where is {slide.name}?", "", SLIDE_FILTER
        )
        if path:
            self._session.slide_found.emit(path, slide.mpp)
        else:
            self._session.forget_slide()
