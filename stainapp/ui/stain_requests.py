"""What the user asks of virtual stains: show one, normalise to an image, import, export."""

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

from PySide6.QtCore import QObject
from PySide6.QtWidgets import QFileDialog

from stainapp.models.template import read_template
from stainapp.ui.background import Background
from stainapp.ui.current_slide import CurrentSlide
from stainapp.ui.export_dialog import ExportDialog
from stainapp.ui.import_dialog import ImportDialog
from stainapp.ui.main_window import MainWindow
from stainapp.ui.model_list import Entry
from stainapp.ui.open_dialog import OpenDialog
from stainapp.ui.virtual_stain import VirtualStain

IMAGE_FILTER = "Images (*.png *.jpg *.jpeg *.tif *.tiff *.svs *.ndpi);;All files (*)"
MODEL_FILTER = "Checkpoints (*.pth *.pt *.safetensors);;All files (*)"


class StainRequests(QObject):
    """Asks with dialogs and passes the answers on."""

    def __init__(
        self,
        window: MainWindow,
        current: CurrentSlide,
        virtual: VirtualStain,
        background: Background,
        dialogs: OpenDialog,
    ) -> None:
        super().__init__(window)
        self._window = window
        self._current = current
        self._virtual = virtual
        self._background = background
        self._dialogs = dialogs
        self.answers: Mapping[str, Callable[[], None]] = {
            "export": self._export,
            "apply": self._apply,
            "dismiss": virtual.dismiss,
            "template": self._template_of_chosen,
            "import": self._import,
        }
        window.model_dropped.connect(self.import_model)
        window.stains.template_asked.connect(self._template)
        window.stains.import_asked.connect(self._import)

    def start_model(self, model_id: str, template: str | Path | None = None) -> None:
        """Start a model by its id; where it does not fit the slide, say why as well."""
        entry = self._window.stains.select(model_id)
        if entry is None:
            self._window.messages.say(
                f"There is no model {model_id!r}; `stainapp models` lists those there are."
            )
            return
        if not entry.compatibility.ok:
            self._window.messages.say(f"{entry.found.card.name}: {entry.compatibility.reason}.")
        if template is None:
            self._virtual.start(entry)
        else:
            self._start_with_template(entry, Path(template))

    def import_model(self, path: str) -> None:
        """Open the import dialog on a file."""
        dialog = ImportDialog(Path(path), self._background, self._window)
        dialog.imported.connect(self._on_imported)
        self._dialogs.show(dialog)

    def _export(self) -> None:
        virtual, slide = self._virtual.reader, self._current.slide
        if virtual is None or slide is None:
            self._window.messages.say("Show a virtual stain first; then it can be exported.")
            return
        entry = self._virtual.entry
        misfit = entry.compatibility.reason if entry else ""
        field = self._window.view.visible_region()
        dialog = ExportDialog(virtual, field, misfit, self._window)
        self._dialogs.show(dialog)

    def _apply(self) -> None:
        entry = self._window.stains.chosen()
        if entry is not None:
            self._virtual.start(entry)

    def _template_of_chosen(self) -> None:
        entry = self._window.stains.chosen()
        if entry is not None:
            self._template(entry)

    def _template(self, entry: Entry) -> None:
        path, _ = QFileDialog.getOpenFileName(
            self._window, "Normalise to this image", "", IMAGE_FILTER
        )
        if path:
            self._start_with_template(entry, Path(path))

    def _start_with_template(self, entry: Entry, path: Path) -> None:
        self._background.run(
            partial(read_template, path, entry.found.card),
            partial(self._virtual.start, entry, template_path=path),
            self._window.messages.say,
        )

    def _import(self) -> None:
        path, _ = QFileDialog.getOpenFileName(self._window, "Import a model", "", MODEL_FILTER)
        if path:
            self.import_model(path)

    def _on_imported(self, model_id: str) -> None:
        self._virtual.refresh()
        self._window.stains.select(model_id)
        self._window.status.show_hint(f"{model_id} is imported.")
