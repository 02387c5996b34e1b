"""Imports a published checkpoint: shows what was recognised, asks only what no file can tell."""

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from PySide6.QtCore import Signal
from PySide6.QtWidgets import (
    QComboBox,
    QDialog,
    QDialogButtonBox,
    QFormLayout,
    QLabel,
    QLineEdit,
    QVBoxLayout,
    QWidget,
)

from stainapp.models.card import STAINS, Bridge, ModelCard
from stainapp.models.store import plain_id
from stainapp.settings import home
from stainapp.ui.background import Background
from stainapp.ui.mpp_box import MppBox

if TYPE_CHECKING:
    from stainapp.models.checkpoints import Suggestion

NORM_WORDS = {
    "frozen": "frozen per slide (CycleGAN, CUT, StainGAN)",
    "running": "running statistics in the file",
    "batch": "batch statistics, frozen per slide (pix2pix)",
    "none": "no normalisation layers",
}

BRIDGE_WORDS = {
    "drawn, beta_max 0.3": Bridge(),
    "its mean (OT-ODE), beta_max 1.0": Bridge(beta_max=1.0, ot_ode=True),
}


class ImportDialog(QDialog):
    """Reads the file off the GUI thread; the Import button waits until it is understood."""

    imported = Signal(str)
    """The new model's id."""

    def __init__(self, path: Path, background: Background, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle("Import a model")
        self._path = path
        self._background = background
        self._open = True
        self.words = QLabel(f"Reading {path.name}…", self)
        self.words.setWordWrap(True)
        self.model_id = QLineEdit(self)
        self.source = self._stain_box("H&E")
        self.target = self._stain_box("PAS")
        self.mpp = MppBox(None, self)
        self.norm = QComboBox(self)
        self.bridge = QComboBox(self)
        self.bridge.setToolTip("How the bridge was taught; its authors' options say it")
        for words, values in BRIDGE_WORDS.items():
            self.bridge.addItem(words, values)
        self.buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Cancel, self)
        self.import_button = self.buttons.addButton(
            "Import", QDialogButtonBox.ButtonRole.ActionRole
        )
        self.import_button.setEnabled(False)
        self._understood = False
        self._is_bridge = False
        self._fields = (
            self.model_id,
            self.source,
            self.target,
            self.mpp,
            self.norm,
            self.bridge,
        )
        self._set_fields_enabled(False)
        self._lay_out()
        self.mpp.valueChanged.connect(self._on_changed)
        self.model_id.textChanged.connect(self._on_changed)
        self.import_button.clicked.connect(self.start)
        self.buttons.rejected.connect(self.reject)
        self.finished.connect(self._on_finished)
        background.run(partial(read_suggestion, path), self._on_suggestion, self._on_failed)

    def start(self) -> None:
        """Convert, probe and store the model."""
        self.import_button.setEnabled(False)
        self.words.setText("Converting and probing…")
        self._background.run(
            partial(
                import_model,
                self._path,
                model_id=self.model_id.text().strip(),
                source_stain=self.source.currentText(),
                target_stain=self.target.currentText(),
                mpp=self.mpp.value(),
                norm_mode=self.norm.currentData(),
                bridge=self.bridge.currentData() if self._is_bridge else None,
            ),
            self._on_imported,
            self._on_failed,
        )

    def _stain_box(self, chosen: str) -> QComboBox:
        box = QComboBox(self)
        box.setEditable(True)
        box.addItems(STAINS)
        box.setCurrentText(chosen)
        return box

    def _lay_out(self) -> None:
        self._form = form = QFormLayout()
        form.addRow("Id", self.model_id)
        form.addRow("From stain", self.source)
        form.addRow("To stain", self.target)
        form.addRow("Trained at", self.mpp)
        form.addRow("Normalisation", self.norm)
        form.addRow("Its way", self.bridge)
        form.setRowVisible(self.bridge, False)
        layout = QVBoxLayout(self)
        layout.addWidget(self.words)
        layout.addLayout(form)
        layout.addWidget(self.buttons)
        self.setMinimumWidth(480)

    def _on_suggestion(self, suggestion: "Suggestion") -> None:
        if not self._open:
            return
        recognised = f"{suggestion.family}, {suggestion.parameters:,} parameters"
        self.words.setText("\n".join((f"{self._path.name}: {recognised}.", *suggestion.notes)))
        self.model_id.setText(plain_id(self._path))
        for mode in suggestion.norm_modes:
            self.norm.addItem(NORM_WORDS[mode], mode)
        self._is_bridge = suggestion.bridge is not None
        self._form.setRowVisible(self.bridge, self._is_bridge)
        self._understood = True
        self._set_fields_enabled(True)
        self._on_changed()

    def _on_changed(self, *_: object) -> None:
        self.import_button.setEnabled(
            self._understood and self.mpp.known and bool(self.model_id.text().strip())
        )

    def _set_fields_enabled(self, enabled: bool) -> None:
        for field in self._fields:
            field.setEnabled(enabled)

    def _on_imported(self, card: ModelCard) -> None:
        if self._open:
            self.imported.emit(card.id)
            self.accept()

    def _on_failed(self, sentence: str) -> None:
        if self._open:
            self.words.setText(sentence)
            self._on_changed()

    def _on_finished(self, *_: object) -> None:
        self._open = False


def read_suggestion(path: Path) -> "Suggestion":
    """Recognise a checkpoint; loads torch, so not for the GUI thread."""
    from stainapp.models.checkpoints import suggest

    return suggest(path)


def import_model(
    path: Path,
    *,
    model_id: str,
    source_stain: str,
    target_stain: str,
    mpp: float,
    norm_mode: Literal["frozen", "running", "batch", "none"],
    bridge: Bridge | None = None,
) -> ModelCard:
    """Convert a checkpoint into one of the user's models; not for the GUI thread."""
    from stainapp.models.checkpoints import import_checkpoint

    return import_checkpoint(
        path,
        home() / "models",
        id=model_id,
        name=f"{source_stain} to {target_stain} ({model_id})",
        source_stain=source_stain,
        target_stain=target_stain,
        mpp=mpp,
        norm_mode=norm_mode,
        bridge=bridge,
    )
