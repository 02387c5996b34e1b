"""The values behind a preset, each in a box; those that the method does not know are hidden."""

from dataclasses import replace
from typing import Any, Literal

from PySide6.QtCore import QSignalBlocker, Signal
from PySide6.QtWidgets import (
    QCheckBox,
    QComboBox,
    QGridLayout,
    QLabel,
    QLineEdit,
    QWidget,
)

from stainapp.models.card import Arch
from stainapp.runs.methods import MethodName
from stainapp.ui.train_rows import FAMILIES, GENERATORS, JUDGED, ROWS, Box, Row
from stainapp.ui.train_wish import Values

COLUMNS = 2
BOX_WIDTH_PX, BOX_HEIGHT_PX = 90, 22
OF_JUDGES = ("gan", "adversarial", "judge_images", "freeze_discriminator", "diffaugment")
"""Rows that matter where there is a discriminator."""
ELSEWHERE = {
    "model.mpp": "\u201cWorks at\u201d",
    "add mpp to it in the recipe": "give its scale",
}
"""What a sentence on a recipe calls what stands elsewhere in the dialog."""


class AdvancedForm(QWidget):
    """Boxes for `Values`; what has no box is kept as it is."""

    changed = Signal()

    def __init__(self, values: Values, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._values = values
        self._method: MethodName = "cyclegan"
        self._own_network, self._volumes = True, False
        self.boxes: dict[str, Box] = {}
        self._labels: dict[str, QLabel] = {}
        for row in ROWS:
            box = row.make(self)
            box.setToolTip(row.hint)
            box.setMinimumHeight(BOX_HEIGHT_PX)
            box.setMinimumWidth(BOX_WIDTH_PX)
            box.setAccessibleName(row.words)
            self.boxes[row.name] = box
            self._labels[row.name] = QLabel(row.words, self)
            self._labels[row.name].setToolTip(row.hint)
            self._labels[row.name].setBuddy(box)
            _changed_signal(box).connect(self._on_changed)
        self._grid = QGridLayout(self)
        self._grid.setContentsMargins(0, 4, 0, 0)
        self._grid.setHorizontalSpacing(10)
        for column in range(COLUMNS):
            self._grid.setColumnStretch(2 * column + 1, 1)
        self.set_values(values)

    def values(self) -> Values:
        """Return what the boxes say."""
        parts = ("", "training", "losses", "network", "bridge", "volumes")
        changes: dict[str, dict[str, Any]] = {part: {} for part in parts}
        for row in ROWS:
            changes[row.part][row.name] = _read(self.boxes[row.name])
        changes["network"]["family"] = self._family()
        old = self._values
        return replace(
            old,
            training=replace(old.training, **changes["training"]),
            losses=replace(old.losses, **changes["losses"]),
            bridge=replace(old.bridge, **changes["bridge"]),
            volumes=replace(old.volumes, **changes["volumes"]),
            network=_sound(replace(old.network, **changes["network"])),
            **changes[""],
        )

    def set_values(self, values: Values) -> None:
        self._values = values
        self._offer_families(values.network.family)
        for row in ROWS:
            part = getattr(values, row.part) if row.part else values
            box = self.boxes[row.name]
            with QSignalBlocker(box):
                _write(box, getattr(part, row.name))
        self._arrange()

    def set_method(self, method: MethodName, *, own_network: bool) -> None:
        """Show what a method knows; a parent's network has a size already."""
        self._method, self._own_network = method, own_network
        self._arrange()

    def set_volumes(self, *, on: bool) -> None:
        """Show what matters where tiles come from volumes."""
        if on != self._volumes:
            self._volumes = on
            self._arrange()

    def _offer_families(self, family: str) -> None:
        """Offer what can take the place of a network: another generator, or nothing."""
        box = self.boxes["family"]
        assert isinstance(box, QComboBox)
        with QSignalBlocker(box):
            box.clear()
            box.addItems(GENERATORS if family in GENERATORS else (family,))

    def _arrange(self) -> None:
        """Lay the rows that matter out without gaps."""
        shown = [row for row in ROWS if self._matters(row)]
        for row in ROWS:
            for widget in (self._labels[row.name], self.boxes[row.name]):
                self._grid.removeWidget(widget)
                widget.setVisible(row in shown)
        height = -(-len(shown) // COLUMNS)
        for number, row in enumerate(shown):
            column, line = divmod(number, height)
            self._grid.addWidget(self._labels[row.name], line, 2 * column)
            self._grid.addWidget(self.boxes[row.name], line, 2 * column + 1)

    def _family(self) -> str:
        """Return the network's family: the box's, unless the method leaves no choice."""
        given = self._values.network.family
        box = self.boxes["family"]
        assert isinstance(box, QComboBox)
        return box.currentText() if box.findText(given) >= 0 else given

    def _matters(self, row: Row) -> bool:
        if row.part == "network":
            family = self._family()
            known = family in FAMILIES.get(row.name, (family,))
            only = row.name == "family" and family not in GENERATORS
            return self._own_network and known and not only
        if row.part == "volumes":
            return self._volumes
        if row.name == "freeze_discriminator":
            return not self._own_network and self._method in JUDGED
        return not row.methods or self._method in row.methods

    def _on_changed(self, *_: object) -> None:
        if self.sender() is self.boxes["family"]:
            self._arrange()
        self.changed.emit()


def named_as_here(sentence: str) -> str:
    """Name the values in a sentence on a recipe as the dialog names them."""
    for row in ROWS:
        part = {"": "data", "volumes": "data.volumes"}.get(row.part, row.part)
        key = f"{part}.{row.name}"
        sentence = sentence.replace(key, f"\u201c{row.words}\u201d under Advanced values")
    for key, words in ELSEWHERE.items():
        sentence = sentence.replace(key, words)
    return sentence


def _sound(network: Arch) -> Arch:
    """Give a U-Net the norm and dropout of its paper, a ResNet those of its own.

    A ResUNet needs none: its input reaches every layer. A bridge has none.
    """
    norms: dict[str, Literal["batch", "none", "instance"]] = {
        "unet": "batch",
        "resunet": "none",
        "dcgmm": "none",
        "bridge": "none",
        "pixel": "none",
    }
    norm = norms.get(network.family, "instance")
    return replace(network, norm=norm, dropout=network.family == "unet")


def _changed_signal(box: Box) -> Any:
    if isinstance(box, QComboBox):
        return box.currentTextChanged
    if isinstance(box, QLineEdit):
        return box.textChanged
    return box.toggled if isinstance(box, QCheckBox) else box.valueChanged


def _read(box: Box) -> Any:
    if isinstance(box, QComboBox):
        return box.currentText()
    if isinstance(box, QLineEdit):
        return box.text().strip()
    return box.isChecked() if isinstance(box, QCheckBox) else box.value()


def _write(box: Box, value: Any) -> None:
    if isinstance(box, QComboBox):
        box.setCurrentText(value)
    elif isinstance(box, QCheckBox):
        box.setChecked(value)
    elif isinstance(box, QLineEdit):
        box.setText(value)
    else:
        box.setValue(value)
