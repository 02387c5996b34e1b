"""The second half of the dialog: what is made, from which parent, and how long it may take."""

from collections.abc import Sequence
from typing import Any

from PySide6.QtCore import QSignalBlocker, Qt, Signal
from PySide6.QtWidgets import (
    QComboBox,
    QFormLayout,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from stainapp.models.card import STAINS, ModelCard
from stainapp.models.store import Found
from stainapp.runs.methods import MethodName, method_info
from stainapp.runs.presets import COLOUR_MAPS, KINDS, NAMES, Kind, preset
from stainapp.runs.recipe import Made
from stainapp.ui.mpp_box import MppBox
from stainapp.ui.train_advanced import BOX_HEIGHT_PX, AdvancedForm
from stainapp.ui.train_data import LABELS_PX, WRAPPED
from stainapp.ui.train_wish import Values, fine_tuned_values, suggested_id, suggested_name

USUAL_MPP = 0.5
OWN_VALUES = "Own values"


class ModelForm(QWidget):
    """Asks for parent, stains, scale, name, ids, preset and the values behind it."""

    changed = Signal()

    def __init__(
        self, models: Sequence[Found], taken: Sequence[str], parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self._cards = {one.card.id: one.card for one in models}
        self._taken = set(taken)
        self._method: MethodName = "cyclegan"
        self._kind: Kind = "quick"
        self.parent_model = QComboBox(self)
        self.parent_model.addItem("From scratch", "")
        for card in trainable(models):
            self.parent_model.addItem(f"Go on from {card.name}", card.id)
        self.source = _stain_box("Source stain", self)
        self.target = _stain_box("Target stain", self)
        self.mpp = MppBox(USUAL_MPP, self)
        self.mpp.setMinimumHeight(BOX_HEIGHT_PX)
        self.name = QLineEdit(self)
        self.model_id = QLineEdit(self)
        self.inverse_id = QLineEdit(self)
        self.preset = QComboBox(self)
        for kind in KINDS:
            self.preset.addItem(NAMES[kind], kind)
        self.when = QLabel(self)
        self.when.setObjectName("quiet")
        self.when.setWordWrap(True)
        self.when.setSizePolicy(WRAPPED)
        self.disclosure = QToolButton(self)
        self.disclosure.setText("Advanced values")
        self.disclosure.setCheckable(True)
        self.disclosure.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        self.disclosure.setArrowType(Qt.ArrowType.RightArrow)
        self.advanced = AdvancedForm(Values.of(preset("cyclegan", "quick")), self)
        self.advanced.hide()
        self.problem = QLabel(self)
        self.problem.setObjectName("problem")
        self.problem.setWordWrap(True)
        self.problem.setSizePolicy(WRAPPED)
        self.problem.hide()
        self._lay_out()
        self.source.setCurrentText("H&E")
        self.target.setCurrentText("PAS")
        self._suggest()
        self._on_preset()
        self._connect()

    @property
    def parent_card(self) -> ModelCard | None:
        return self._cards.get(self.parent_model.currentData())

    def values(self) -> Values:
        return self.advanced.values()

    def made(self) -> Made:
        """Return the model that is to be made."""
        card = self.parent_card
        back = method_info(self._method).both_ways
        source, target = self.source.currentText().strip(), self.target.currentText().strip()
        inverse = self._cards.get(card.inverse or "") if card else None
        return Made(
            id=self.model_id.text().strip(),
            name=self.name.text().strip() or self.model_id.text().strip(),
            source_stain=source,
            target_stain=target,
            mpp=round(self.mpp.value(), 4),
            parent=card.id if card else "",
            inverse_id=self.inverse_id.text().strip() if back else "",
            inverse_name=f"{target} to {source} (way back of {self.model_id.text().strip()})"
            if back
            else "",
            inverse_parent=inverse.id if inverse and back else "",
            tissue=card.tissue if card else (),
        )

    def set_method(self, method: MethodName) -> None:
        """Follow the method: its presets, its losses, whether there is a way back."""
        if method != self._method:
            self._method = method
            if method in COLOUR_MAPS:  # learnt in minutes, they begin anew
                self.parent_model.setCurrentIndex(0)
            self._on_preset()
        self._show_rows()

    def set_stains(self, source: str, target: str | None) -> None:
        """Set the stains; a target of None stays, unless it is the source."""
        if target is None and self.target.currentText() == source:
            target = "PAS" if source == "H&E" else "H&E"
        self.source.setCurrentText(source)
        if target is not None:
            self.target.setCurrentText(target)
        self._suggest()

    def follow_teacher(self, teacher: ModelCard) -> None:
        """Make what a teacher makes, at its scale."""
        self.set_stains(teacher.source_stain, teacher.target_stain)
        self.mpp.setValue(teacher.mpp or USUAL_MPP)
        _suggest_into(self.name, f"{teacher.name}, fast")
        _suggest_into(self.model_id, self._free(f"{teacher.id}-fast"))
        self.changed.emit()

    def set_volumes(self, *, on: bool) -> None:
        """Offer the values that matter where tiles come from volumes."""
        self.advanced.set_volumes(on=on)

    def show_problem(self, sentence: str) -> None:
        self.problem.setText(sentence)
        self.problem.setVisible(bool(sentence))

    def _lay_out(self) -> None:
        stains = QHBoxLayout()
        stains.addWidget(self.source, 1)
        stains.addWidget(QLabel("→", self))
        stains.addWidget(self.target, 1)
        self._form = QFormLayout()
        self._form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        first, second = QLabel("Start", self), QLabel("Stains", self)
        for label in (first, second):  # the first may be hidden
            label.setMinimumWidth(LABELS_PX)
        self._form.addRow(first, self.parent_model)
        self._form.addRow(second, stains)
        self._form.addRow("Works at", self.mpp)
        self._form.addRow("Name", self.name)
        self._form.addRow("Id", self.model_id)
        self._form.addRow("Way back's id", self.inverse_id)
        self._form.addRow("", self.problem)
        self._form.addRow("Preset", self.preset)
        self._form.addRow("", self.when)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addLayout(self._form)
        layout.addWidget(self.disclosure)
        layout.addWidget(self.advanced)

    def _connect(self) -> None:
        self.parent_model.currentIndexChanged.connect(self._on_parent)
        for box in (self.source, self.target):
            box.currentTextChanged.connect(self._suggest)
        for line in (self.name, self.model_id, self.inverse_id):
            line.textChanged.connect(self.changed)
        self.mpp.valueChanged.connect(self.changed)
        self.preset.currentIndexChanged.connect(self._on_preset)
        self.disclosure.toggled.connect(self._on_disclosure)
        self.advanced.changed.connect(self._on_advanced)

    def _show_rows(self) -> None:
        self._form.setRowVisible(self.parent_model, self._method not in COLOUR_MAPS)
        self._form.setRowVisible(self.inverse_id, method_info(self._method).both_ways)
        self.advanced.set_method(self._method, own_network=self.parent_card is None)

    def _suggest(self, *_: object) -> None:
        """Name the model after its stains, unless the user has named it."""
        source, target = self.source.currentText(), self.target.currentText()
        _suggest_into(self.name, suggested_name(source, target))
        _suggest_into(self.model_id, self._free(suggested_id(source, target)))
        _suggest_into(self.inverse_id, self._free(suggested_id(target, source)))
        self.changed.emit()

    def _free(self, wanted: str) -> str:
        number, free = 1, wanted
        while free in self._taken:
            number += 1
            free = f"{wanted}-{number}"
        return free

    def _on_parent(self, *_: object) -> None:
        card = self.parent_card
        if card is not None:
            self.source.setCurrentText(card.source_stain)
            self.target.setCurrentText(card.target_stain)
            self.mpp.setValue(card.mpp or USUAL_MPP)
        chosen = preset(self._method, self._kind)
        values = fine_tuned_values(self.advanced.values(), on=card is not None, preset=chosen)
        self.advanced.set_values(values)
        self._show_rows()
        self.changed.emit()

    def _on_preset(self, *_: object) -> None:
        kind: Kind | None = self.preset.currentData()
        if kind is None:  # the user's own values
            return
        self._kind = kind
        own = self.preset.findText(OWN_VALUES)
        if own >= 0:
            with QSignalBlocker(self.preset):
                self.preset.removeItem(own)
        chosen = preset(self._method, kind)
        values = fine_tuned_values(
            Values.of(chosen), on=self.parent_card is not None, preset=chosen
        )
        self.when.setText(chosen.when)
        self.advanced.set_values(values)
        self._show_rows()
        self.changed.emit()

    def _on_advanced(self) -> None:
        """Say that the values are no preset's any more."""
        with QSignalBlocker(self.preset):
            if self.preset.findText(OWN_VALUES) < 0:
                self.preset.addItem(OWN_VALUES, None)
            self.preset.setCurrentIndex(self.preset.findText(OWN_VALUES))
        self.when.setText(f"{NAMES[self._kind]}, with values of your own.")
        self.changed.emit()

    def _on_disclosure(self, shown: bool) -> None:
        arrow = Qt.ArrowType.DownArrow if shown else Qt.ArrowType.RightArrow
        self.disclosure.setArrowType(arrow)
        self.advanced.setVisible(shown)


def trainable(models: Sequence[Found]) -> list[ModelCard]:
    """Return the networks among the models, those that a training can go on from."""
    cards = [one.card for one in models if one.card.arch is not None]
    return [card for card in cards if card.arch and card.arch.family != "pixel"]


def _stain_box(name: str, parent: QWidget) -> QComboBox:
    box = QComboBox(parent)
    box.setEditable(True)
    box.addItems(STAINS)
    box.setAccessibleName(name)
    return box


def _suggest_into(line: QLineEdit, words: str) -> None:
    """Put a suggestion where there is none, or an earlier one."""
    earlier: Any = line.property("suggestion")
    if not line.text() or line.text() == earlier:
        line.setProperty("suggestion", words)
        with QSignalBlocker(line):
            line.setText(words)
