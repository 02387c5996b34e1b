"""The dock in which the slide's stain and scale are set and a model is chosen."""

from collections.abc import Sequence
from html import escape

from PySide6.QtCore import QModelIndex, Signal
from PySide6.QtWidgets import (
    QFormLayout,
    QHBoxLayout,
    QLabel,
    QListView,
    QPushButton,
    QTextBrowser,
    QVBoxLayout,
    QWidget,
)

from stainapp.models.card import ModelCard
from stainapp.ui.model_list import Entry, ModelDelegate, ModelList
from stainapp.ui.open_slide import OpenedSlide
from stainapp.ui.stain_choice import StainChoice
from stainapp.ui.strength_slider import StrengthSlider


class StainPanel(QWidget):
    """Shows choices and reports them. Decides nothing."""

    model_chosen = Signal(object)  # Entry
    virtual_dismissed = Signal()
    stain_set = Signal(str)
    scale_asked = Signal()
    template_asked = Signal(object)  # Entry
    import_asked = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.stain = StainChoice(self)
        self.scale = QPushButton(self)
        self.scale.setToolTip("Say how large a pixel is")
        self.models = ModelList()
        self.list = QListView(self)
        self.list.setModel(self.models)
        self.list.setItemDelegate(ModelDelegate(self.list))
        self.list.setUniformItemSizes(False)
        self.list.setAccessibleName("Virtual stains")
        self.strength = StrengthSlider(self)
        self.details = QTextBrowser(self)
        self.details.setAccessibleName("What is known of the chosen model")
        self.apply = QPushButton("Show", self)
        self.dismiss = QPushButton("Remove", self)
        self.template = QPushButton("Normalise to image…", self)
        self.importing = QPushButton("Import model…", self)
        self._lay_out()
        self._connect()
        self.show_slide(None)

    def show_slide(self, slide: OpenedSlide | None) -> None:
        """Show the slide's stain, marked as a guess until the user confirms it, and its scale."""
        self.stain.show_slide(slide)
        self.scale.setEnabled(slide is not None)
        mpp = slide.reader.info.mpp if slide else None
        self.scale.setText(f"{mpp:.4g} µm/px" if mpp else "Not recorded: set…")

    def set_entries(self, entries: Sequence[Entry]) -> None:
        """Replace the models, keeping the chosen one chosen."""
        chosen = self.chosen()
        self.models.set_entries(entries)
        row = self.models.row_of(chosen.found.card.id) if chosen else 0
        if entries:
            self.list.setCurrentIndex(self.models.index(row or 0))
        self._on_current()

    def select(self, model_id: str) -> Entry | None:
        """Choose a model by its id, without starting it."""
        row = self.models.row_of(model_id)
        if row is None:
            return None
        self.list.setCurrentIndex(self.models.index(row))
        return self.models.entry(row)

    def chosen(self) -> Entry | None:
        index = self.list.currentIndex()
        return self.models.entry(index.row()) if index.isValid() else None

    def show_active(self, model_id: str) -> None:
        """Say which model's picture is on show; an empty id says none."""
        self.models.set_shown(model_id)
        self.dismiss.setEnabled(bool(model_id))

    def _lay_out(self) -> None:
        form = QFormLayout()
        form.addRow("Scale", self.scale)
        buttons = QHBoxLayout()
        buttons.addWidget(self.apply)
        buttons.addWidget(self.dismiss)
        others = QHBoxLayout()
        others.addWidget(self.template)
        others.addWidget(self.importing)
        layout = QVBoxLayout(self)
        layout.addWidget(self.stain)
        layout.addLayout(form)
        heading = QLabel("Virtual stains", self)
        heading.setObjectName("quiet")
        layout.addWidget(heading)
        layout.addWidget(self.list, 3)
        layout.addLayout(buttons)
        layout.addWidget(self.strength)
        layout.addWidget(self.details, 2)
        layout.addLayout(others)
        self.setMinimumWidth(290)

    def _connect(self) -> None:
        self.stain.stain_set.connect(self.stain_set)
        self.scale.clicked.connect(self.scale_asked)
        self.list.selectionModel().currentChanged.connect(self._on_current)
        self.models.modelReset.connect(self._on_current)
        self.list.activated.connect(self._on_apply)
        self.apply.clicked.connect(self._on_apply)
        self.dismiss.clicked.connect(self.virtual_dismissed)
        self.template.clicked.connect(self._on_template)
        self.importing.clicked.connect(self.import_asked)

    def _on_current(self, *_: QModelIndex) -> None:
        entry = self.chosen()
        self.apply.setEnabled(entry is not None)
        self.template.setEnabled(entry is not None and entry.found.card.takes_template)
        if entry is None:
            self.details.setHtml("")
            return
        self.apply.setText("Show" if entry.compatibility.ok else "Show anyway")
        self.details.setHtml(card_html(entry.found.card, entry.compatibility.reason))

    def _on_apply(self) -> None:
        entry = self.chosen()
        if entry is not None:
            self.model_chosen.emit(entry)

    def _on_template(self) -> None:
        entry = self.chosen()
        if entry is not None:
            self.template_asked.emit(entry)


def card_html(card: ModelCard, reason: str) -> str:
    """What a user should know of a model before looking through it."""
    learnt_from = ", ".join(map(str, card.training.get("learnt_from") or ()))
    unsaid = "nothing: closed form" if card.classic else "not stated"
    trained = card.training.get("data") or learnt_from or unsaid
    scale = f"{card.mpp:g} µm/px" if card.mpp else "any (each pixel by itself)"
    rows = [
        ("Stains", f"{card.source_stain} → {card.target_stain}"),
        ("Scale", scale),
        ("Method", card.method),
        ("Trained on", str(trained)),
        ("Tissue", ", ".join(card.tissue) or "not stated"),
        ("Licence", card.licence or "not stated"),
        ("Use", card.intended_use),
        ("Model", f"{card.id} {card.version}"),
    ]
    body = "".join(
        f"<tr><td style='padding-right:8px'><i>{escape(name)}</i></td><td>{escape(value)}</td></tr>"
        for name, value in rows
    )
    limits = "".join(f"<li>{escape(limit)}</li>" for limit in card.limits)
    warning = f"<p><b>Does not fit this slide:</b> {escape(reason)}</p>" if reason else ""
    return (
        f"{warning}<table>{body}</table>"
        f"<p><b>Limits</b></p><ul style='margin-left:-20px'>{limits or '<li>not stated</li>'}</ul>"
    )
