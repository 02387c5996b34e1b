"""The first half of the dialog: the method, and where its tiles come from."""

from collections.abc import Iterator, Sequence

from PySide6.QtCore import QSignalBlocker, Signal
from PySide6.QtWidgets import (
    QCheckBox,
    QComboBox,
    QFileDialog,
    QFormLayout,
    QGridLayout,
    QLabel,
    QLineEdit,
    QPushButton,
    QSizePolicy,
    QVBoxLayout,
    QWidget,
)

from stainapp.models.card import ModelCard
from stainapp.models.store import Found
from stainapp.runs.methods import METHODS, MethodInfo, MethodName, Pairing, method_info
from stainapp.ui.background import Background
from stainapp.ui.train_origin import OriginChooser
from stainapp.ui.train_wish import FileKind, FileWish, SlideFacts

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
FILE_WORDS = {
    "root": ("A folder with trainA and trainB", "Folder with trainA, trainB, testA and testB"),
    "aligned": ("A folder of images A|B", "Folder of images with the source left, target right"),
    "manifest": ("A list of files (CSV)", "CSV file with the columns source and target"),
    "npz": ("An archive (NPZ)", "NPZ file with arr_0 and arr_1"),
}
PATTERNS = {"manifest": "CSV files (*.csv)", "npz": "Archives (*.npz)"}


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
        self.files = QWidget(self)
        self.path = QLineEdit(self.files)
        self.browse = QPushButton("Choose…", self.files)
        self.browse.setAutoDefault(False)
        self.swap = QCheckBox("Swap source and target", self.files)
        self.problem = QLabel(self.files)
        self.problem.setObjectName("problem")
        self.problem.setWordWrap(True)
        self.problem.hide()
        self._lay_out()
        self._on_method()
        self._connect()

    @property
    def chosen_method(self) -> MethodName:
        method: MethodName = self.method.currentData()
        return method

    @property
    def pairing(self) -> Pairing:
        kind: Pairing = self.kind.currentData()
        if kind in (SELF, ALONE):
            return kind
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
        kind = self.kind.currentData()
        if kind in (SLIDES, SELF, ALONE):
            return None
        return FileWish(kind, self.path.text().strip(), self.swap.isChecked())

    def show_slide(self, slide: SlideFacts | None) -> None:
        for chooser in (self.source, self.target):
            chooser.show_slide(slide)
        if slide is not None and slide.stain != self._stain:
            self._stain = slide.stain
            self._suggest_teacher()

    def show_problems(self, problems: dict[str, str]) -> None:
        self.source.show_problem(problems.get("source", ""))
        self.target.show_problem(problems.get("target", ""))
        self.problem.setText(problems.get("files", ""))
        self.problem.setVisible("files" in problems)

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
        grid = QGridLayout(self.files)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.addWidget(self.path, 0, 0)
        grid.addWidget(self.browse, 0, 1)
        grid.addWidget(self.swap, 1, 0, 1, 2)
        grid.addWidget(self.problem, 2, 0, 1, 2)
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
        self.browse.clicked.connect(self._on_browse)
        self.path.textChanged.connect(self.changed)
        self.swap.toggled.connect(self.changed)
        for chooser in (self.source, self.target):
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
        wanted = "Target: its colours are kept" if info.one_stain else "Target"
        self.target.setTitle("Style" if style else "Slide" if kind == SELF else wanted)
        self._form.setRowVisible(self.teacher, kind == ALONE)
        self._form.setRowVisible(self.files, kind in FILE_WORDS)
        if kind in FILE_WORDS:
            self.path.setPlaceholderText(FILE_WORDS[kind][1])
        self.changed.emit()

    def _suggest_teacher(self) -> None:
        """Choose a network for the open slide's stain: what is slow is worth a stand-in."""
        fit = [c.id for c in self._cards.values() if c.arch and c.source_stain == self._stain]
        if fit:
            self.teacher.setCurrentIndex(self.teacher.findData(fit[0]))

    def _on_browse(self) -> None:
        kind: FileKind = self.kind.currentData()
        if kind in ("root", "aligned"):
            path = QFileDialog.getExistingDirectory(self, FILE_WORDS[kind][0])
        else:
            path = QFileDialog.getOpenFileName(self, FILE_WORDS[kind][0], "", PATTERNS[kind])[0]
        if path:
            self.path.setText(path)


def _kinds(info: MethodInfo) -> Iterator[tuple[str, str]]:
    """Yield what a method's tiles can come from: the words, and what stands for it."""
    if "alone" in info.pairings:  # a teacher is fitted to whole slides
        yield "A slide, as the teacher stains it", ALONE
        return
    yield STYLE_WORDS if info.whole_target else SLIDES_WORDS[info.pairings[0]], SLIDES
    if "self" in info.pairings:
        yield "One slide, its grey to its colour", SELF
    for name, words in FILE_WORDS.items():
        if name != "root" or "unpaired" in info.pairings:  # its files are no pairs
            yield words[0], name
