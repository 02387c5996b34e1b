"""Two slides side by side, on which the same places are marked, to register by them."""

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

import numpy as np
from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QAction, QCloseEvent, QKeySequence, QShortcut
from PySide6.QtWidgets import (
    QCheckBox,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QSplitter,
    QVBoxLayout,
    QWidget,
)

from stainapp.registration import kept
from stainapp.registration.landmark_file import read_pairs, write_pairs, write_points
from stainapp.registration.pairs import SIDES, Pair, Pairs, Place, Side, other, points_of
from stainapp.tiles.cache import TileCache
from stainapp.ui.feeds import Tile
from stainapp.ui.field import single_shot
from stainapp.ui.landmark_hand import LandmarkHand
from stainapp.ui.landmark_layer import LandmarkLayer, marks_of
from stainapp.ui.landmark_set import LandmarkSet
from stainapp.ui.landmark_table import LandmarkTable
from stainapp.ui.landmark_words import (
    FEWEST_TO_REFINE,
    FEWEST_TO_REGISTER,
    next_step,
    residuals_of,
)
from stainapp.ui.linked_views import LinkedViews
from stainapp.ui.notice_bar import Notice, NoticeBar
from stainapp.ui.reference import Reference
from stainapp.ui.reference_words import CANCEL, REJECT, RESTORE
from stainapp.ui.view_area import Layout, ViewArea

PANEL_WIDTH_PX = 300
RETRY_MS = 5000
CACHE_BYTES = 384 << 20
"""For the tiles of both slides together, beside those of the main window."""
TURN = 15.0
BUTTONS = {REJECT: "Reject", RESTORE: "Take it back", CANCEL: "Cancel"}


class LandmarkWindow(QWidget):
    """Places landmarks and hands them to the reference. They are kept with every edit."""

    closed = Signal()
    failed = Signal(str)

    def __init__(
        self,
        reference: Reference,
        actions: Mapping[str, QAction],
        parent: QWidget | None = None,
    ) -> None:
        """Open on the two slides of a reference, which must both be there.

        Args:
            reference: whose slides are read for as long as the window is open.
            actions: of the main window, for the buttons of notices.
            parent: the window that this one stays above.
        """
        super().__init__(parent, Qt.WindowType.Window)
        assert reference.fixed is not None
        assert reference.moving is not None
        self._reference, self._background = reference, reference.work.background
        self._slides = {"fixed": reference.fixed, "moving": reference.moving}
        self._path = kept.landmarks_path(
            *(slide.reader.info.identity for slide in self._slides.values())
        )
        self._closed = False
        self._unkept = ""
        """Why the landmarks are not on the disk; "" where they are, or on their way."""
        self._again = single_shot(self, RETRY_MS, self._keep)
        self.landmarks = LandmarkSet(self)
        self.landmarks.guess = self._guess
        cache = TileCache[Tile](CACHE_BYTES)
        self.views: dict[Side, ViewArea] = {side: ViewArea(self, cache) for side in SIDES}
        self._links = LinkedViews(
            self.views["fixed"].viewpoint, self.views["moving"].viewpoint, self
        )
        self._layers: dict[Side, LandmarkLayer] = {side: LandmarkLayer() for side in SIDES}
        self.notices = NoticeBar(self)
        self.notices.offer(actions, BUTTONS)
        self.hint = QLabel(self)
        self.hint.setObjectName("heading")
        self.hint.setWordWrap(True)
        self.table = LandmarkTable(self)
        self.register = QPushButton("Register from these", self)
        self.refine = QPushButton("Refine with these", self)
        self.alone = QPushButton("Use these alone", self)
        self.mirrored = QCheckBox("The right slide lies upside down", self)
        self.together = QCheckBox("Move both together", self)
        self.together.setEnabled(False)
        self.undo, self.redo, self.remove = (
            QPushButton(words, self) for words in ("Undo", "Redo", "Delete")
        )
        self.setWindowTitle(
            f"Landmarks: {self._slides['fixed'].name} and {self._slides['moving'].name}"
        )
        self._lay_out()
        self._connect()
        self._show_slides()
        self.resize(1360, 760)
        self._background.run(partial(read_pairs, self._path), self._on_read, self._say)

    # Qt's

    def closeEvent(self, event: QCloseEvent) -> None:
        """Let go of the slides: nothing reads from them once this returns."""
        if not self._closed:
            self._closed = True
            self._again.stop()
            if self._unkept:
                self._keep()
            self._reference.changed.disconnect(self._on_reference)
            self._reference.news.disconnect(self.notices.show_notice)
            self._reference.failed.disconnect(self._on_refused)
            for view in self.views.values():
                view.close_feeds()
            self.closed.emit()
        event.accept()

    # parts

    def _lay_out(self) -> None:
        for button, words in (
            (self.register, "Find the rest by itself, beginning where these pairs say"),
            (self.refine, "Correct the registration so that it goes through these pairs"),
            (self.alone, "Lay the slides over each other by these pairs, without looking at them"),
            (self.mirrored, "Two pairs cannot tell whether a section was turned over"),
            (self.together, "Follow the registration when one of the slides is moved"),
        ):
            button.setToolTip(words)
        edits = QHBoxLayout()
        for button in (self.undo, self.redo, self.remove):
            edits.addWidget(button)
        panel = QWidget(self)
        column = QVBoxLayout(panel)
        column.setContentsMargins(8, 0, 8, 8)
        column.addWidget(self.table, 1)
        column.addLayout(edits)
        column.addSpacing(8)
        for widget in (self.register, self.refine, self.alone, self.mirrored, self.together):
            column.addWidget(widget)
        panel.setFixedWidth(PANEL_WIDTH_PX)
        pictures = QSplitter(self)
        for view in self.views.values():
            pictures.addWidget(view)
        pictures.setChildrenCollapsible(False)
        row = QHBoxLayout()
        row.setSpacing(0)
        row.addWidget(pictures, 1)
        row.addWidget(panel)
        whole = QVBoxLayout(self)
        whole.setContentsMargins(0, 0, 0, 0)
        whole.setSpacing(0)
        self.hint.setContentsMargins(12, 8, 12, 8)
        whole.addWidget(self.hint)
        whole.addWidget(self.notices)
        whole.addLayout(row, 1)

    def _connect(self) -> None:
        self.landmarks.changed.connect(self._show)
        self.landmarks.edited.connect(self._keep)
        self.landmarks.placed.connect(self._on_placed)
        self._reference.changed.connect(self._on_reference)
        self._reference.news.connect(self.notices.show_notice)
        self._reference.failed.connect(self._on_refused)
        self.table.chosen.connect(self._go_to)
        for button, what in (
            (self.register, self._on_register),
            (self.refine, self._on_refine),
            (self.alone, self._on_alone),
            (self.undo, self.landmarks.undo),
            (self.redo, self.landmarks.redo),
            (self.remove, self.landmarks.remove),
        ):
            button.clicked.connect(partial(_do, what))
        self.mirrored.toggled.connect(self._show)
        self.together.toggled.connect(self._link)
        shortcuts: tuple[tuple[str, Callable[[], object]], ...] = (
            ("Ctrl+Z", self.landmarks.undo),
            ("Ctrl+Shift+Z", self.landmarks.redo),
            ("Del", self.landmarks.remove),
            ("Ctrl+Right", partial(self._turn, TURN)),
            ("Ctrl+Left", partial(self._turn, -TURN)),
            ("Ctrl+W", self.close),
        )
        for keys, does in shortcuts:
            QShortcut(QKeySequence(keys), self).activated.connect(does)

    def _show_slides(self) -> None:
        for side in SIDES:
            view, slide = self.views[side], self._slides[side]
            view.set_layout(Layout.SINGLE)
            view.show_slide(slide.reader, f"{slide.stain_words}   {slide.name}")
            view.failed.connect(self._say)
            pane = view.panes[0]
            pane.hand = LandmarkHand(self.landmarks, side)
            self._layers[side].setParentItem(pane.root)
        self._on_reference()

    def _on_read(self, pairs: Pairs) -> None:
        if not self._closed and not self.landmarks.pairs:
            self.landmarks.load(pairs)

    def _on_reference(self) -> None:
        """Take in another transform, or that there is none any more."""
        placed = self._reference.transform is not None
        if self.together.isEnabled() != placed:
            self.together.setEnabled(placed)
            self.together.setChecked(placed)
        self._link()
        self._show()

    def _link(self, *_: object) -> None:
        linked = self.together.isChecked()
        self._links.set_transform(self._reference.transform if linked else None)

    def _show(self, *_: object) -> None:
        """Bring everything into line with the landmarks and the transform."""
        pairs, transform = self.landmarks.pairs, self._reference.transform
        chosen = self.landmarks.selected
        number = chosen.number if chosen else None
        mirrored = self.mirrored.isChecked()
        residuals = residuals_of(pairs, transform, mirrored=mirrored)
        for side in SIDES:
            self._layers[side].set_marks(marks_of(pairs, side, number))
        self.table.show_pairs(pairs, residuals, number, self._slides["fixed"].reader.info.mpp)
        self.hint.setText(next_step(pairs, transform, mirrored=mirrored))
        count, busy = len(residuals), self._reference.busy
        self.register.setText(
            "Register from these two" if count == FEWEST_TO_REGISTER else "Register from these"
        )
        self.register.setEnabled(count >= FEWEST_TO_REGISTER and not busy)
        self.alone.setEnabled(count >= FEWEST_TO_REGISTER and not busy)
        self.refine.setEnabled(count >= FEWEST_TO_REFINE and transform is not None and not busy)
        self.undo.setEnabled(self.landmarks.undoable)
        self.redo.setEnabled(self.landmarks.redoable)
        self.remove.setEnabled(chosen is not None)

    def _guess(self, side: Side, place: Place) -> Place | None:
        """Ask the transform where a point lies on the other slide."""
        transform = self._reference.transform
        if transform is None:
            return None
        at = np.array([place])
        found = transform.to_moving(at) if side == "fixed" else transform.to_fixed(at)
        x, y = found[0].tolist()
        info = self._slides[other(side)].reader.info
        inside = 0 <= x < info.width_px and 0 <= y < info.height_px
        return (x, y) if inside else None

    def _on_placed(self, pair: Pair) -> None:
        """Bring what was proposed into view, so that it can be looked at."""
        place = pair.at(pair.proposed) if pair.proposed else None
        if pair.proposed is not None and place is not None and not self.together.isChecked():
            self.views[pair.proposed].go_to(*place)

    def _go_to(self, number: int) -> None:
        self.landmarks.select(number)
        pair = self.landmarks.selected
        if pair is None:
            return
        for side in SIDES:
            place = pair.at(side)
            if place is not None:
                self.views[side].go_to(*place)

    def _turn(self, degrees: float) -> None:
        """Turn the slide under the pointer, or the left one."""
        under = next((view for view in self.views.values() if view.underMouse()), None)
        (under or self.views["fixed"]).rotate_by(degrees)

    def _keep(self) -> None:
        """Write the landmarks down; where that fails, try again until they are on the disk."""
        pairs = self.landmarks.pairs
        self._background.run(partial(write_pairs, pairs, self._path), self._on_kept, self._on_lost)

    def _on_kept(self, _: object) -> None:
        if not self._closed and self._unkept:
            self.notices.show_notice(None)
        self._unkept = ""

    def _on_lost(self, sentence: str) -> None:
        new, self._unkept = sentence != self._unkept, sentence
        if new:
            self._say(sentence)
        if not self._closed:
            self.notices.show_notice(Notice(f"Not saved, and tried again: {sentence}"))
            self._again.start()

    def _on_register(self) -> None:
        """Register from a file of the pairs that count, which so is there before the process."""
        start = self._path.with_suffix(".start.csv")
        self._background.run(
            partial(write_points, self.landmarks.pairs, start),
            partial(self._begin, start),
            self._say,
        )

    def _begin(self, start: Path, _: object) -> None:
        if not self._closed:
            self._reference.register(start, mirrored=self.mirrored.isChecked())

    def _on_refine(self) -> None:
        self._reference.refine(*points_of(self.landmarks.pairs))

    def _on_alone(self) -> None:
        self._reference.use_points(
            *points_of(self.landmarks.pairs), mirrored=self.mirrored.isChecked()
        )

    def _on_refused(self, sentence: str) -> None:
        self.notices.show_notice(Notice(sentence))

    def _say(self, sentence: str) -> None:
        self.failed.emit(sentence)


def _do(what: Callable[[], object], *_: object) -> None:
    what()


def _nothing(_: object) -> None:
    return None
