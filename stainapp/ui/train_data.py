"""The first half of the dialog: the method, and where its tiles come from."""

from collections.abc import Iterator, Sequence

from PySide6.QtCore import QSignalBlocker, Signal
from PySide6.QtWidgets import (
    QComboBox,
    QFormLayout,
    QLabel,
    QSizePolicy,
    QVBoxLayout,
    QWidget,
)

from stainapp.models.card import ModelCard
from stainapp.models.store import Found
from stainapp.runs.methods import METHODS, MethodInfo, MethodName, Pairing, method_info
from stainapp.ui.background import Background
from stainapp.ui.train_files import FILE_KINDS, FILE_WORDS, FileChooser
from stainapp.ui.train_origin import OriginChooser
from stainapp.ui.train_wish import FileWish, SlideFacts

WRAPPED = QSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Minimum)
LABELS_PX = 92
"""Width of the labels left of the boxes, alike in both halves of the dialog."""
SLIDES, SELF, ALONE = "slides", "self", "alone"
SLIDES_WORDS = {
    "unpaired": "Two slides, one of each stain",
    "paired": "Two slides in one frame, one on the other",
}
ONE_STAIN_WORDS = "Two slides of one stain"
STYLE_WORDS = "A slide, and a slide or picture of the style"


class DataChooser(QWidget):
    """Asks for the method, the pairing, and slides or files."""

    changed = Signal()
    method_changed = Signal()
    teacher_changed = Signal()

    def __init__(
        self,
        recent: Sequence[str],
        background: Background,
        models: Sequence[Found] = (),
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self._cards = {one.card.id: one.card for one in models}
        self._stain = ""
        self.method = QComboBox(self)
        for info in METHODS:
            self.method.addItem(info.name, info.method)
        self.when = QLabel(self)
        self.when.setObjectName("quiet")
        self.when.setWordWrap(True)
        self.when.setSizePolicy(WRAPPED)
        self.kind = QComboBox(self)
        self.teacher = QComboBox(self)
        self.teacher.setAccessibleName("Teacher: the model to distil")
        for card in self._cards.values():
            self.teacher.addItem(card.name, card.id)
        self.source = OriginChooser("Source", recent, background, self)
        self.target = OriginChooser("Target", recent, background, self)
        self.files = FileChooser(self)
        self._lay_out()
        self._on_method()
        self._connect()

    @property
    def chosen_method(self) -> MethodName:
        method: MethodName = self.method.currentData()
        return method

    @property
    def pairing(self) -> Pairing:
        kind = self.kind.currentData()
        if kind in (SELF, "volume"):
            return "self"
        if kind == ALONE:
            return "alone"
        wish = self.target.wish()
        if kind == SLIDES and wish is not None and wish.transform:
            return "paired"
        return method_info(self.chosen_method).pairings[0]

    def choose_method(self, method: MethodName) -> None:
        self.method.setCurrentIndex(self.method.findData(method))

    @property
    def chosen_teacher(self) -> ModelCard | None:
        """The model to distil; None where none is asked for."""
        if self.kind.currentData() != ALONE:
            return None
        return self._cards.get(self.teacher.currentData())

    def file_wish(self) -> FileWish | None:
        """Return the files that are asked for; None where tiles come from slides."""
        return self.files.wish() if self.kind.currentData() in FILE_KINDS else None

    def show_slide(self, slide: SlideFacts | None) -> None:
        for chooser in (self.source, self.target):
            chooser.show_slide(slide)
        if slide is not None and slide.stain != self._stain:
            self._stain = slide.stain
            self._suggest_teacher()

    def show_problems(self, problems: dict[str, str]) -> None:
        self.source.show_problem(problems.get("source", ""))
        self.target.show_problem(problems.get("target", ""))
        self.files.show_problem(problems.get("files", ""))

    def close_down(self) -> None:
        self.source.close_down()
        self.target.close_down()

    def _lay_out(self) -> None:
        form = self._form = QFormLayout()
        form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        first = QLabel("Method", self)
        first.setMinimumWidth(LABELS_PX)
        form.addRow(first, self.method)
        form.addRow("", self.when)
        form.addRow("Teacher", self.teacher)
        form.addRow("Tiles from", self.kind)
        form.addRow("", self.files)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addLayout(form)
        layout.addWidget(self.source)
        layout.addWidget(self.target)

    def _connect(self) -> None:
        self.method.currentIndexChanged.connect(self._on_method)
        self.kind.currentIndexChanged.connect(self._on_kind)
        self.teacher.currentIndexChanged.connect(self.teacher_changed)
        for chooser in (self.source, self.target, self.files):
            chooser.changed.connect(self.changed)

    def _on_method(self, *_: object) -> None:
        info = method_info(self.chosen_method)
        self.when.setText(info.when)
        kept = self.kind.currentData()
        with QSignalBlocker(self.kind):
            self.kind.clear()
            for words, name in _kinds(info):
                self.kind.addItem(words, name)
            self.kind.setCurrentIndex(max(0, self.kind.findData(kept)))
        self.method_changed.emit()
        self._on_kind()

    def _on_kind(self, *_: object) -> None:
        kind, info = self.kind.currentData(), method_info(self.chosen_method)
        style = info.whole_target
        self.source.setVisible(kind in (SLIDES, ALONE))
        self.source.setTitle("Slide" if kind == ALONE or style else "Source")
        self.target.setVisible(kind in (SLIDES, SELF))
        self.target.offer_registered(on="paired" in info.pairings and kind == SLIDES)
        wanted = "Target: its colours are kept" if info.one_stain else "Target"
        self.target.setTitle("Style" if style else "Slide" if kind == SELF else wanted)
        self._form.setRowVisible(self.teacher, kind == ALONE)
        self._form.setRowVisible(self.files, kind in FILE_KINDS)
        if kind in FILE_KINDS:
            self.files.set_kind(kind)
        self.changed.emit()

    def _suggest_teacher(self) -> None:
        """Choose a network for the open slide's stain: what is slow is worth a stand-in."""
        fit = [c.id for c in self._cards.values() if c.arch and c.source_stain == self._stain]
        if fit:
            self.teacher.setCurrentIndex(self.teacher.findData(fit[0]))


def _kinds(info: MethodInfo) -> Iterator[tuple[str, str]]:
    """Yield what a method's tiles can come from: the words, and what stands for it."""
    if "alone" in info.pairings:  # a teacher is fitted to whole slides
        yield "A slide, as the teacher stains it", ALONE
        return
    yield STYLE_WORDS if info.whole_target else SLIDES_WORDS[info.pairings[0]], SLIDES
    if "self" in info.pairings:
        yield "One slide, its grey to its colour", SELF
    needed = {"root": "unpaired", "volumes": "paired", "volume": "self"}
    for name, words in FILE_WORDS.items():
        if needed.get(name, info.pairings[0]) in info.pairings:
            yield words[0], name
