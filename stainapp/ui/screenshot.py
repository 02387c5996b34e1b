"""A picture of the real window, taken once the view has settled."""

import sys
from pathlib import Path

from PySide6.QtCore import QObject, QTimer
from PySide6.QtWidgets import QApplication

from stainapp.ui.current_slide import CurrentSlide
from stainapp.ui.reference import Reference
from stainapp.ui.view_area import ViewArea
from stainapp.ui.virtual_stain import VirtualStain

REST_MS = 400
"""How long the view must stay settled: labels and the smooth repaint follow the last tile."""


class Screenshot(QObject):
    """Waits for the view, saves the window to a file and ends the program."""

    def __init__(
        self,
        view: ViewArea,
        current: CurrentSlide,
        virtual: VirtualStain,
        reference: Reference,
        path: Path,
        wait_s: float,
        *,
        slide_expected: bool = True,
    ) -> None:
        super().__init__()
        self._view, self._virtual, self._reference = view, virtual, reference
        self._path = path
        self._slide_expected = slide_expected
        self.code = 1
        self._rest = QTimer(self)
        self._rest.setSingleShot(True)
        self._rest.setInterval(REST_MS)
        self._rest.timeout.connect(self._on_rest)
        self._limit = QTimer(self)
        self._limit.setSingleShot(True)
        self._limit.timeout.connect(self._on_limit)
        self._limit.start(round(1000 * wait_s))
        view.settled.connect(self._rest.start)
        virtual.idle.connect(self._rest.start)
        reference.changed.connect(self._rest.start)
        view.tiles_waiting.connect(self._on_waiting)
        current.failed.connect(self._give_up)
        virtual.failed.connect(self._give_up)
        reference.failed.connect(self._give_up)
        if not slide_expected:
            self._rest.start()

    def _on_waiting(self, tiles: int) -> None:
        if tiles:
            self._rest.stop()

    def _on_rest(self) -> None:
        working = self._virtual.busy or self._reference.busy
        if working or (self._slide_expected and not self._view.is_settled):
            return
        picture = self._view.window().grab()
        if picture.save(str(self._path)):
            self.code = 0
        else:
            self._say(f"{self._path} cannot be written; check its folder and suffix (.png).")
        QApplication.quit()

    def _on_limit(self) -> None:
        self._give_up(f"{self._path}: the view did not settle in time; raise --wait.")

    def _give_up(self, sentence: str) -> None:
        self._say(sentence)
        QApplication.quit()

    def _say(self, sentence: str) -> None:
        sys.stderr.write(f"stainapp: {sentence}\n")
