"""Where tiles that are files already lie: folders, lists, archives, volumes."""

from functools import partial
from typing import get_args

from PySide6.QtCore import Signal
from PySide6.QtWidgets import (
    QCheckBox,
    QFileDialog,
    QGridLayout,
    QLabel,
    QLineEdit,
    QMenu,
    QPushButton,
    QWidget,
)

from stainapp.ui.train_wish import FileKind, FileWish

FILE_KINDS: tuple[FileKind, ...] = get_args(FileKind)
FILE_WORDS: dict[FileKind, tuple[str, str]] = {
    "root": ("A folder with trainA and trainB", "Folder with trainA, trainB, testA and testB"),
    "aligned": ("A folder of images A|B", "Folder of images with the source left, target right"),
    "manifest": ("A list of files (CSV)", "CSV file with the columns source and target"),
    "npz": ("An archive (NPZ)", "NPZ file with arr_0 and arr_1"),
    "volumes": ("Two volumes (Zarr, OME-Zarr, HDF5)", "Source, as PATH or PATH::ARRAY"),
    "volume": (
        "One volume (Zarr, OME-Zarr, HDF5), its grey to its colour",
        "Volume in colour, as PATH or PATH::ARRAY",
    ),
}
"""What a kind is called, and what is to be typed."""
FOLDERS, VOLUMES = ("root", "aligned"), ("volumes", "volume")
PATTERNS = {"manifest": "CSV files (*.csv)", "npz": "Archives (*.npz)"}
HDF5 = "HDF5 files (*.h5 *.hdf5 *.hdf);;All files (*)"


class FileChooser(QWidget):
    """A line for the path, a second one for the target of two volumes."""

    changed = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._kind: FileKind = "root"
        self.path, self.target = QLineEdit(self), QLineEdit(self)
        self.target.setPlaceholderText("Target, as PATH or PATH::ARRAY")
        self.browse, self.browse_target = (QPushButton("Choose…", self) for _ in range(2))
        self.swap = QCheckBox("Swap source and target", self)
        self.problem = QLabel(self)
        self.problem.setObjectName("problem")
        self.problem.setWordWrap(True)
        self.problem.hide()
        self._menus = {
            self.browse: self._menu(self.path),
            self.browse_target: self._menu(self.target),
        }
        self.browse_target.setMenu(self._menus[self.browse_target])
        for button in self._menus:
            button.setAutoDefault(False)
        self.browse.clicked.connect(self._on_browse)
        for line in (self.path, self.target):
            line.textChanged.connect(self.changed)
        self.swap.toggled.connect(self.changed)
        self._lay_out()

    def wish(self) -> FileWish:
        """Return the files that are asked for."""
        kind = self._kind
        path, target = self.path.text().strip(), self.target.text().strip()
        return FileWish(
            kind,
            path,
            swap=kind not in VOLUMES and self.swap.isChecked(),
            target=target if kind == "volumes" else "",
        )

    def set_kind(self, kind: FileKind) -> None:
        """Ask for files of another kind."""
        self._kind = kind
        self.path.setPlaceholderText(FILE_WORDS[kind][1])
        self.browse.setMenu(self._menus[self.browse] if kind in VOLUMES else None)  # type: ignore[arg-type] # None takes it away
        for widget in (self.target, self.browse_target):
            widget.setVisible(kind == "volumes")
        self.swap.setVisible(kind not in VOLUMES)

    def show_problem(self, sentence: str) -> None:
        self.problem.setText(sentence)
        self.problem.setVisible(bool(sentence))

    def _lay_out(self) -> None:
        grid = QGridLayout(self)
        grid.setContentsMargins(0, 0, 0, 0)
        rows = ((self.path, self.browse), (self.target, self.browse_target))
        for number, (line, button) in enumerate(rows):
            grid.addWidget(line, number, 0)
            grid.addWidget(button, number, 1)
        grid.addWidget(self.swap, 2, 0, 1, 2)
        grid.addWidget(self.problem, 3, 0, 1, 2)

    def _menu(self, line: QLineEdit) -> QMenu:
        menu = QMenu(self)
        menu.addAction("Zarr folder…").triggered.connect(partial(self._ask_folder, line))
        menu.addAction("HDF5 file…").triggered.connect(partial(self._ask_file, line, HDF5))
        return menu

    def _on_browse(self) -> None:
        if self._kind in FOLDERS:
            self._ask_folder(self.path)
        elif self._kind not in VOLUMES:
            self._ask_file(self.path, PATTERNS[self._kind])

    def _ask_folder(self, line: QLineEdit, *_: object) -> None:
        _put(line, QFileDialog.getExistingDirectory(self, FILE_WORDS[self._kind][0]))

    def _ask_file(self, line: QLineEdit, pattern: str, *_: object) -> None:
        _put(line, QFileDialog.getOpenFileName(self, FILE_WORDS[self._kind][0], "", pattern)[0])


def _put(line: QLineEdit, path: str) -> None:
    if path:
        line.setText(path)
