"""What the user asks of the reference: choose it, register it, correct or reject where it lies."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path

from PySide6.QtCore import QObject
from PySide6.QtWidgets import QFileDialog

from stainapp.ui.landmark_window import LandmarkWindow
from stainapp.ui.main_window import MainWindow
from stainapp.ui.open_dialog import OpenDialog
from stainapp.ui.open_slide import OpenedSlide
from stainapp.ui.reference import Reference
from stainapp.ui.reference_words import (
    AGAIN,
    CANCEL,
    LANDMARKS,
    LAST,
    NO_REFERENCE,
    REJECT,
    RESTORE,
)
from stainapp.ui.scale_dialog import NEEDED_BY_REGISTRATION, ScaleDialog
from stainapp.ui.slide_requests import SLIDE_FILTER

TRANSFORM_FILTER = "Transforms (*.json);;All files (*)"
BUTTONS = {
    REJECT: "Reject",
    LANDMARKS: "Place landmarks…",
    AGAIN: "Register again",
    RESTORE: "Take it back",
    LAST: "Show it",
    CANCEL: "Cancel",
}


class ReferenceRequests(QObject):
    """Asks with dialogs, owns the window of landmarks, and says which requests make sense now."""

    def __init__(
        self,
        window: MainWindow,
        reference: Reference,
        dialogs: OpenDialog,
    ) -> None:
        super().__init__(window)
        self._window = window
        self._reference = reference
        self._dialogs = dialogs
        self.landmarks: LandmarkWindow | None = None
        self.asks_scale = True
        """Whether somebody is there to be asked."""
        self.answers: Mapping[str, Callable[[], object]] = {
            "open-reference": self._open,
            LAST: self._open_last,
            "remove-reference": reference.remove,
            AGAIN: reference.register,
            CANCEL: reference.cancel,
            REJECT: reference.reject,
            RESTORE: reference.restore,
            LANDMARKS: self._place_landmarks,
            "save-transform": self._save,
            "load-transform": self._load,
        }
        window.notices.offer(window.actions_by_name, BUTTONS)
        reference.news.connect(window.notices.show_notice)
        reference.failed.connect(window.messages.say)
        reference.scale_missing.connect(self._ask_scale)
        reference.changed.connect(self._on_changed)
        reference.leaving.connect(self.close)
        self._on_changed()

    def show_recent(self, addresses: Sequence[str]) -> None:
        """Fill the menu of recent references."""
        menu = self._window.references
        menu.clear()
        for address in addresses:
            menu.addAction(address).triggered.connect(partial(self._open_recent, address))
        menu.setEnabled(bool(addresses))

    def close(self) -> None:
        """Close the window of landmarks, which so reads from no slide any more."""
        if self.landmarks is not None:
            self.landmarks.close()

    def _on_changed(self) -> None:
        reference = self._reference
        placed, there = reference.transform is not None, reference.moving is not None
        working = reference.busy
        for name, on in (
            (CANCEL, working),
            (LAST, not there and reference.last is not None),
            ("remove-reference", there),
            (AGAIN, there and not working),
            (REJECT, placed),
            (RESTORE, reference.rejected is not None),
            (LANDMARKS, there),
            ("save-transform", placed),
            ("load-transform", there),
        ):
            self._window.action(name).setEnabled(on)
        if not placed:
            self._window.status.show_error("")

    def _open(self) -> None:
        path, _ = QFileDialog.getOpenFileName(
            self._window, "Choose the reference slide", "", SLIDE_FILTER
        )
        if path:
            self._reference.open(path)

    def _open_recent(self, address: str, *_: object) -> None:
        self._reference.open(address)

    def _open_last(self) -> None:
        if self._reference.last is not None:
            self._reference.open(self._reference.last)

    def _ask_scale(self, slide: OpenedSlide) -> None:
        if not self.asks_scale:
            self._go_on_without_scale()
            return
        dialog = ScaleDialog(slide, self._window, needed_by=NEEDED_BY_REGISTRATION)
        dialog.scale_set.connect(self._reference.set_moving_mpp)
        dialog.rejected.connect(self._go_on_without_scale)
        self._dialogs.show(dialog)

    def _go_on_without_scale(self) -> None:
        if self._reference.moving is not None:
            self._reference.register()

    def _place_landmarks(self) -> None:
        reference = self._reference
        if reference.fixed is None or reference.moving is None:
            self._window.messages.say(NO_REFERENCE)
            return
        if self.landmarks is None:
            self.landmarks = LandmarkWindow(reference, self._window.actions_by_name, self._window)
            self.landmarks.closed.connect(self._on_landmarks_closed)
            self.landmarks.failed.connect(self._window.messages.say)
        self.landmarks.show()
        self.landmarks.activateWindow()

    def _on_landmarks_closed(self) -> None:
        if self.landmarks is not None:
            self.landmarks.deleteLater()
        self.landmarks = None

    def _save(self) -> None:
        reference = self._reference
        if reference.fixed is None or reference.moving is None:
            return
        names = (Path(slide.name).stem for slide in (reference.moving, reference.fixed))
        suggestion = f"{' over '.join(names)}.json"
        path, _ = QFileDialog.getSaveFileName(
            self._window, "Save the transform", suggestion, TRANSFORM_FILTER
        )
        if path:
            reference.save_as(Path(path))

    def _load(self) -> None:
        path, _ = QFileDialog.getOpenFileName(
            self._window, "Load a transform", "", TRANSFORM_FILTER
        )
        if path:
            self._reference.load(Path(path))
