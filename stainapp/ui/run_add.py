"""Puts the models of a run into the picker, under ids that are free."""

from collections.abc import Mapping
from functools import partial
from pathlib import Path

from PySide6.QtCore import Signal
from PySide6.QtWidgets import (
    QDialog,
    QDialogButtonBox,
    QFormLayout,
    QLabel,
    QLineEdit,
    QVBoxLayout,
    QWidget,
)

from stainapp.models.card import ModelCard
from stainapp.models.store import Store
from stainapp.ui.background import Background
from stainapp.ui.run_models import add_models


class AddDialog(QDialog):
    """Asks for the ids; a copy is made, so the run can be removed later."""

    added = Signal(object)  # tuple[str, ...], the ids

    def __init__(
        self,
        folder: Path,
        cards: Mapping[str, ModelCard],
        suggested: Mapping[str, str],
        store: Store,
        background: Background,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self.setWindowTitle("Add to models")
        self._folder = folder
        self._store = store
        self._background = background
        self._open = True
        self.ids = {old: QLineEdit(suggested[old], self) for old in cards}
        self.problem = QLabel(self)
        self.problem.setObjectName("problem")
        self.problem.setWordWrap(True)
        self.problem.hide()
        self.buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Cancel, self)
        self.add_button = self.buttons.addButton("Add", QDialogButtonBox.ButtonRole.ActionRole)
        self.add_button.setDefault(True)
        self._lay_out(cards)
        self.add_button.clicked.connect(self.add)
        self.buttons.rejected.connect(self.reject)
        self.finished.connect(self._on_finished)

    def add(self) -> None:
        """Copy the models."""
        self.add_button.setEnabled(False)
        ids = {old: line.text().strip() for old, line in self.ids.items()}
        self._background.run(
            partial(add_models, self._folder, ids, self._store), self._on_added, self._on_failed
        )

    def _lay_out(self, cards: Mapping[str, ModelCard]) -> None:
        form = QFormLayout()
        form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.ExpandingFieldsGrow)
        for old, line in self.ids.items():
            card = cards[old]
            form.addRow(f"{card.source_stain} → {card.target_stain}".replace("&", "&&"), line)
        words = "two models that lead back to each other" if len(cards) > 1 else "the model"
        heading = QLabel(f"Adds {words} to the list of virtual stains, under:", self)
        heading.setWordWrap(True)
        layout = QVBoxLayout(self)
        layout.addWidget(heading)
        layout.addLayout(form)
        layout.addWidget(self.problem)
        layout.addWidget(self.buttons)
        self.setMinimumWidth(440)

    def _on_added(self, ids: tuple[str, ...]) -> None:
        if self._open:
            self.added.emit(ids)
            self.accept()

    def _on_failed(self, sentence: str) -> None:
        if self._open:
            self.problem.setText(sentence)
            self.problem.show()
            self.add_button.setEnabled(True)
            next(iter(self.ids.values())).setFocus()

    def _on_finished(self, *_: object) -> None:
        self._open = False
