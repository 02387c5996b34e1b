"""Writes the virtual stain that is on show into a file, with progress and a way to stop."""

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import Signal
from PySide6.QtWidgets import (
    QComboBox,
    QDialog,
    QDialogButtonBox,
    QFileDialog,
    QFormLayout,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QProgressBar,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from stainapp.cancel import CancelToken
from stainapp.geometry import Rect
from stainapp.ui.background import Background

if TYPE_CHECKING:
    from stainapp.cohort import Progress
    from stainapp.models.virtual_slide import VirtualSlide


class ExportDialog(QDialog):
    """Asks for the region and the file, then writes; closing it stops and leaves no half file."""

    _advanced = Signal(object)  # (done, total), from the writing thread

    def __init__(
        self,
        virtual: "VirtualSlide",
        view: Rect,
        misfit: str,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self.setWindowTitle("Export stained slide")
        self._virtual = virtual
        self._misfit = misfit
        self._token = CancelToken()
        self.writing = False
        self._background = Background(self)
        self.region = QComboBox(self)
        self.region.addItem("The field in view", view)
        self.region.addItem("The whole slide", None)
        self.path = QLineEdit(str(suggested_target(virtual)), self)
        self.browse = QPushButton("Choose…", self)
        self.progress = QProgressBar(self)
        self.progress.hide()
        self.words = QLabel("Written as a pyramidal OME-TIFF that says it is virtual.", self)
        self.words.setWordWrap(True)
        self.words.setObjectName("quiet")
        self.buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Close, self)
        self.start_button = self.buttons.addButton("Export", QDialogButtonBox.ButtonRole.ActionRole)
        self._lay_out()
        self.browse.clicked.connect(self._on_browse)
        self.start_button.clicked.connect(self.start)
        self.buttons.rejected.connect(self.reject)
        self.finished.connect(self._on_finished)
        self._advanced.connect(self._on_advanced)

    def start(self) -> None:
        """Begin to write."""
        self.writing = True
        for widget in (self.start_button, self.region, self.path, self.browse):
            widget.setEnabled(False)
        self.progress.setRange(0, 0)
        self.progress.show()
        self._background.run(
            partial(
                export,
                self._virtual,
                Path(self.path.text()).expanduser(),
                self.region.currentData(),
                self._misfit,
                self._token,
                self._report,
            ),
            self._on_done,
            self._on_failed,
        )

    def _lay_out(self) -> None:
        row = QHBoxLayout()
        row.addWidget(self.path, 1)
        row.addWidget(self.browse)
        form = QFormLayout()
        form.addRow("Region", self.region)
        form.addRow("File", row)
        layout = QVBoxLayout(self)
        layout.addLayout(form)
        layout.addWidget(self.words)
        layout.addWidget(self.progress)
        layout.addWidget(self.buttons)
        self.setMinimumWidth(480)

    def _report(self, done: int, total: int) -> None:
        self._advanced.emit((done, total))

    def _on_advanced(self, counts: tuple[int, int]) -> None:
        self.progress.setRange(0, counts[1])
        self.progress.setValue(counts[0])

    def _on_browse(self) -> None:
        path, _ = QFileDialog.getSaveFileName(
            self, "Export stained slide", self.path.text(), "OME-TIFF (*.ome.tiff *.ome.tif)"
        )
        if path:
            self.path.setText(path)

    def _on_done(self, path: Path) -> None:
        self.writing = False
        self.progress.setValue(self.progress.maximum())
        self.words.setText(f"Written, re-opened and checked: {path}")

    def _on_failed(self, sentence: str) -> None:
        self.writing = False
        self.progress.hide()
        self.words.setText(sentence)
        for widget in (self.start_button, self.region, self.path, self.browse):
            widget.setEnabled(True)

    def _on_finished(self, *_: object) -> None:
        self._token.cancel()
        self._background.close()


def suggested_target(virtual: "VirtualSlide") -> Path:
    """Suggest the same name as the command line would, in the user's own folder."""
    from stainapp.cohort import target_for

    slide, model = virtual.info.path.name, virtual.stainer.card.id
    return target_for(slide, model, Path.home(), several=False)


def export(
    virtual: "VirtualSlide",
    target: Path,
    region: Rect | None,
    misfit: str,
    token: CancelToken,
    progress: "Progress",
) -> Path:
    """Write a virtual slide; not for the GUI thread."""
    from stainapp.cohort import export_virtual

    return export_virtual(
        virtual, target, region=region, misfit=misfit, token=token, progress=progress
    )
