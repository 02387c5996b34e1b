"""Where the tiles of one stain come from: the open slide, another one, or a folder of images."""

from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import partial

from PySide6.QtCore import QSignalBlocker, QTimer, Signal
from PySide6.QtWidgets import (
    QComboBox,
    QFileDialog,
    QGridLayout,
    QGroupBox,
    QLabel,
    QLineEdit,
    QPushButton,
    QWidget,
)

from stainapp.session.regions import Region
from stainapp.settings import load_note
from stainapp.ui.background import Background
from stainapp.ui.mpp_box import MppBox
from stainapp.ui.train_advanced import BOX_HEIGHT_PX
from stainapp.ui.train_wish import OriginWish, RegisteredSlide, SlideFacts

OPEN, OTHER, FOLDER, REFERENCE = "open", "other", "folder", "reference"
TISSUE, ALL, SELECTED, FILE = "tissue", "all", "selected", "file"
TYPING_MS = 400
SLIDE_FILTER = "Slides and images (*);;All files (*)"
REGIONS_FILTER = "Regions (*.geojson *.json *.geojson.gz);;All files (*)"


@dataclass(frozen=True, slots=True)
class Said:
    """What the user told of a slide when it was open."""

    regions: tuple[Region, ...]
    mpp: float | None
    """The scale, where the file does not say it."""


class OriginChooser(QGroupBox):
    """Asks for one `OriginWish`."""

    changed = Signal()

    def __init__(
        self,
        title: str,
        recent: Sequence[str],
        background: Background,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(title, parent)
        self._background = background
        self._slide: SlideFacts | None = None
        self._drawn: tuple[Region, ...] = ()
        self._closed = False
        self._registered_ones = False
        self.where = QComboBox(self)
        self.where.setAccessibleName(f"{title}: where from")
        self.regions = QComboBox(self)
        self.regions.setAccessibleName(f"{title}: which part")
        self.path = QComboBox(self)
        self.path.setEditable(True)
        self.path.addItems(list(recent))
        self.path.setCurrentIndex(-1)
        self.path.setMinimumContentsLength(24)
        self.path.setAccessibleName(f"{title}: file")
        self.browse = QPushButton("Choose…", self)
        self.regions_file = QLineEdit(self)
        self.regions_file.setPlaceholderText("GeoJSON file")
        self.browse_regions = QPushButton("Choose…", self)
        self.mpp = MppBox(None, self)
        self.mpp.setSpecialValueText("as the file says")
        self.mpp.setMinimumHeight(BOX_HEIGHT_PX)
        self.mpp_label = QLabel("Scale", self)
        self.problem = QLabel(self)
        self.problem.setObjectName("problem")
        self.problem.setWordWrap(True)
        self.problem.hide()
        self._pause = QTimer(self)
        self._pause.setSingleShot(True)
        self._pause.setInterval(TYPING_MS)
        self._lay_out()
        self._connect()
        self.show_slide(None)

    def show_slide(self, slide: SlideFacts | None) -> None:
        """Follow the open slide and its regions, keeping what was chosen."""
        before, self._slide = self._slide, slide
        with QSignalBlocker(self.where):
            kept = self.where.currentData() if before else None
            self.where.clear()
            if slide is not None:
                self.where.addItem(f"The open slide: {slide.name}", OPEN)
            if self._reference is not None:
                self.where.addItem(f"Registered to it: {self._reference.name}", REFERENCE)
            self.where.addItem("Another slide", OTHER)
            self.where.addItem("A folder of images", FOLDER)
            self.where.setCurrentIndex(max(0, self.where.findData(kept)))
        moved = before is None or slide is None or before.address != slide.address
        self._fill_regions(anew=moved)

    def choose_other(self, address: str = "") -> None:
        """Choose another slide than the open one."""
        self.where.setCurrentIndex(self.where.findData(OTHER))
        self.path.setCurrentText(address)

    def offer_registered(self, *, on: bool) -> None:
        """Offer the slide that is registered to the open one: what pairs need as target."""
        if on != self._registered_ones:
            self._registered_ones = on
            self.show_slide(self._slide)

    def choose_registered(self) -> bool:
        """Choose the registered slide; False where there is none."""
        place = self.where.findData(REFERENCE)
        if place >= 0:
            self.where.setCurrentIndex(place)
        return place >= 0

    def choose_regions(self) -> None:
        """Choose the regions that are selected, else all that are drawn."""
        for part in (SELECTED, ALL):
            if self.regions.findData(part) >= 0:
                self.regions.setCurrentIndex(self.regions.findData(part))
                return

    def choose_open(self) -> None:
        """Choose the open slide, where there is one."""
        self.where.setCurrentIndex(max(0, self.where.findData(OPEN)))

    def wish(self) -> OriginWish | None:
        """Return what is asked for; None while nothing is chosen."""
        where, part = self.where.currentData(), self.regions.currentData()
        if where == OPEN and self._slide is not None:
            slide = self._slide
            chosen = {ALL: slide.regions, SELECTED: slide.selected_regions}.get(part, ())
            return OriginWish(slide.address, regions=chosen, mpp=slide.mpp)
        reference = self._reference
        if where == REFERENCE and reference is not None:
            return OriginWish(reference.address, mpp=reference.mpp, transform=reference.transform)
        path = self.path.currentText().strip()
        mpp = self.mpp.value() if self.mpp.known else None
        if not path:
            return None
        if where == FOLDER:
            return OriginWish(folder=path, mpp=mpp)
        return OriginWish(
            path,
            regions=self._drawn if part == ALL else (),
            regions_file=self.regions_file.text().strip() if part == FILE else "",
            mpp=mpp,
        )

    def show_problem(self, sentence: str) -> None:
        self.problem.setText(sentence)
        self.problem.setVisible(bool(sentence))

    def close_down(self) -> None:
        """Take no more answers."""
        self._closed = True
        self._pause.stop()

    @property
    def _reference(self) -> RegisteredSlide | None:
        return self._slide.reference if self._slide and self._registered_ones else None

    def _lay_out(self) -> None:
        grid = QGridLayout(self)
        grid.setColumnStretch(0, 3)
        grid.setColumnStretch(1, 2)
        grid.addWidget(self.where, 0, 0)
        grid.addWidget(self.regions, 0, 1, 1, 3)
        grid.addWidget(self.path, 1, 0, 1, 3)
        grid.addWidget(self.browse, 1, 3)
        grid.addWidget(self.regions_file, 2, 0, 1, 3)
        grid.addWidget(self.browse_regions, 2, 3)
        grid.addWidget(self.mpp_label, 3, 0)
        grid.addWidget(self.mpp, 3, 1, 1, 3)
        grid.addWidget(self.problem, 4, 0, 1, 4)
        for box in (self.where, self.regions, self.path):
            box.setSizeAdjustPolicy(
                QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon
            )
            box.setMinimumContentsLength(10)
        for button in (self.browse, self.browse_regions):
            button.setAutoDefault(False)

    def _connect(self) -> None:
        self.where.currentIndexChanged.connect(self._on_where)
        self.regions.currentIndexChanged.connect(self._on_part)
        self.path.currentTextChanged.connect(self._on_path)
        self.regions_file.textChanged.connect(self.changed)
        self.mpp.valueChanged.connect(self.changed)
        self.browse.clicked.connect(self._on_browse)
        self.browse_regions.clicked.connect(self._on_browse_regions)
        self._pause.timeout.connect(self._recall)

    def _fill_regions(self, *, anew: bool) -> None:
        kept = None if anew else self.regions.currentData()
        with QSignalBlocker(self.regions):
            self.regions.clear()
            for words, part in self._parts():
                self.regions.addItem(words, part)
            self.regions.setCurrentIndex(max(0, self.regions.findData(kept)))
        self._show_rows()

    def _parts(self) -> list[tuple[str, str]]:
        where = self.where.currentData()
        if where == FOLDER:
            return [("All images", TISSUE)]
        if where == REFERENCE:
            return [("Where the source's tiles lie", TISSUE)]
        if where == OPEN and self._slide is not None:
            drawn, chosen = self._slide.regions, self._slide.selected_regions
            parts = []
            if chosen:
                parts.append((_regions("The", len(chosen), "selected region"), SELECTED))
            if drawn:
                parts.append((_regions("All" if len(drawn) > 1 else "Its", len(drawn)), ALL))
            return [*parts, ("All its tissue", TISSUE)]
        found = [(f"{_regions('Its', len(self._drawn))} drawn here", ALL)] if self._drawn else []
        return [*found, ("All its tissue", TISSUE), ("Regions of a file", FILE)]

    def _show_rows(self) -> None:
        other = self.where.currentData() in (OTHER, FOLDER)
        from_file = other and self.regions.currentData() == FILE
        for row in (self.path, self.browse, self.mpp, self.mpp_label):
            row.setVisible(other)
        for line in (self.regions_file, self.browse_regions):
            line.setVisible(from_file)

    def _on_where(self, *_: object) -> None:
        self._drawn = ()
        self._fill_regions(anew=True)
        self._pause.start()
        self.changed.emit()

    def _on_part(self, *_: object) -> None:
        self._show_rows()
        self.changed.emit()

    def _on_path(self, *_: object) -> None:
        self._drawn = ()
        with QSignalBlocker(self.mpp):  # another file has another scale
            self.mpp.setValue(self.mpp.minimum())
        self._fill_regions(anew=False)
        self._pause.start()
        self.changed.emit()

    def _recall(self) -> None:
        """Look, on the thread, what the user told of the other slide when it was open."""
        address = self.path.currentText().strip()
        if self.where.currentData() == OTHER and address:
            self._background.run(
                partial(said_of, address),
                partial(self._on_said, address),
                _nothing,  # the check tells what is wrong with the slide
            )

    def _on_said(self, address: str, said: Said) -> None:
        """Offer the regions; take the scale over, unless the user has said another here."""
        if self._closed or address != self.path.currentText().strip():
            return
        if said.mpp is not None and not self.mpp.known:
            self.mpp.setValue(said.mpp)
        if said.regions:
            self._drawn = said.regions
            self._fill_regions(anew=True)
            self.changed.emit()

    def _on_browse(self) -> None:
        if self.where.currentData() == FOLDER:
            path = QFileDialog.getExistingDirectory(self, "A folder of images")
        else:
            path, _ = QFileDialog.getOpenFileName(self, self.title(), "", SLIDE_FILTER)
        if path:
            self.path.setCurrentText(path)

    def _on_browse_regions(self) -> None:
        path, _ = QFileDialog.getOpenFileName(self, "Regions", "", REGIONS_FILTER)
        if path:
            self.regions_file.setText(path)


def said_of(address: str) -> Said:
    """Return what the user told this program of a slide; not for the GUI thread."""
    from stainapp.session.region_journal import look_at
    from stainapp.slides.opening import open_slide

    with closing(open_slide(address)) as reader:
        info = reader.info
        drawn = look_at(info.identity)
        mpp = load_note(info.identity).mpp if info.mpp is None else None
        return Said(drawn.areas if drawn is not None else (), mpp)


def _regions(whose: str, count: int, kind: str = "region") -> str:
    return f"{whose} {kind}" if count == 1 else f"{whose} {count} {kind}s"


def _nothing(_sentence: str) -> None:
    pass
