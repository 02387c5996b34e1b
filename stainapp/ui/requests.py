"""What the user asks for through a menu or a dialog, from the question to whoever answers it."""

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from PySide6.QtCore import QObject, Signal
from PySide6.QtWidgets import QDialog, QFileDialog, QInputDialog, QMessageBox

from stainapp import __version__
from stainapp.slides.opening import associated_image, read_whole
from stainapp.slides.reader import RgbImage
from stainapp.ui.actions import keys_html
from stainapp.ui.background import Background
from stainapp.ui.current_slide import CurrentSlide
from stainapp.ui.dialogs import CommandDialog, ImagesDialog, TextDialog, info_html
from stainapp.ui.export_dialog import ExportDialog
from stainapp.ui.import_dialog import ImportDialog
from stainapp.ui.main_window import MainWindow
from stainapp.ui.model_list import Entry
from stainapp.ui.open_slide import OpenedSlide
from stainapp.ui.scale_dialog import ScaleDialog
from stainapp.ui.virtual_stain import VirtualStain

SLIDE_FILTER = (
    "Slides (*.svs *.ndpi *.mrxs *.scn *.bif *.vms *.vmu *.tif *.tiff *.dcm *.svslide *.zvi "
    "*.czi *.png *.jpg *.jpeg *.bmp *.webp);;All files (*)"
)
IMAGE_FILTER = "Images (*.png *.jpg *.jpeg *.tif *.tiff *.svs *.ndpi);;All files (*)"
MODEL_FILTER = "Checkpoints (*.pth *.pt *.safetensors);;All files (*)"
PHANTOM_SAMPLE = "phantom:he:8000:7"
IHC_SAMPLE = "sample:ihc"


class Requests(QObject):
    """Opens the dialogs and passes on what comes of them. Dialogs never block the program."""

    theme_chosen = Signal(str)
    device_chosen = Signal(str)

    def __init__(
        self,
        window: MainWindow,
        current: CurrentSlide,
        virtual: VirtualStain,
        background: Background,
    ) -> None:
        super().__init__(window)
        self._window = window
        self._current = current
        self._virtual = virtual
        self._background = background
        self.dialog: QDialog | None = None
        """The dialog opened last, for as long as it is open."""
        self._answers: dict[str, Callable[[], None]] = {
            "open": self._open,
            "open-sample-phantom": partial(current.open, PHANTOM_SAMPLE),
            "open-sample-ihc": partial(current.open, IHC_SAMPLE),
            "reload": self._reload,
            "info": self._info,
            "associated": self._associated,
            "save-picture": self._save_picture,
            "export": self._export,
            "go-to": self._go_to,
            "apply": self._apply,
            "dismiss": virtual.dismiss,
            "template": self._template_of_chosen,
            "scale": self._scale,
            "import": self._import,
            "commands": self._commands,
            "keys": self._keys,
            "about": self._about,
            **{
                f"theme-{t}": partial(self.theme_chosen.emit, t)
                for t in ("system", "light", "dark")
            },
            **{
                f"device-{d}": partial(self.device_chosen.emit, d)
                for d in ("auto", "cpu", "cuda", "mps")
            },
        }
        window.action_chosen.connect(self.answer)
        window.model_dropped.connect(self.import_model)
        window.stains.scale_asked.connect(self._scale)
        window.stains.template_asked.connect(self._template)
        window.stains.import_asked.connect(self._import)

    def answer(self, name: str) -> None:
        """Do what the action of this name promises."""
        self._answers[name]()

    def close(self) -> None:
        """Close the open dialog, which ends what it is doing."""
        if self.dialog is not None:
            self.dialog.reject()

    def ask_scale(self, slide: OpenedSlide) -> None:
        """Ask once for the scale of a slide that does not record it."""
        dialog = ScaleDialog(slide, self._window)
        dialog.scale_set.connect(self._current.set_mpp)
        self._show(dialog)

    def start_model(self, model_id: str, template: Path | None = None) -> None:
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
            self._start_with_template(entry, template)

    def import_model(self, path: str) -> None:
        """Open the import dialog on a file."""
        dialog = ImportDialog(Path(path), self._background, self._window)
        dialog.imported.connect(self._on_imported)
        self._show(dialog)

    def show_recent(self, addresses: Sequence[str]) -> None:
        """Fill the menu of recent slides."""
        menu = self._window.recent
        menu.clear()
        for address in addresses:
            menu.addAction(address).triggered.connect(partial(self._open_recent, address))
        menu.setEnabled(bool(addresses))

    def _open_recent(self, address: str, *_: object) -> None:
        self._current.open(address)

    def _open(self) -> None:
        path, _ = QFileDialog.getOpenFileName(self._window, "Open slide", "", SLIDE_FILTER)
        if path:
            self._current.open(path)

    def _reload(self) -> None:
        slide = self._current.slide
        if slide is not None:
            self._current.open(slide.address)

    def _info(self) -> None:
        slide = self._slide_or_say()
        if slide is not None:
            self._show(TextDialog("Slide information", info_html(slide.reader.info), self._window))

    def _associated(self) -> None:
        slide = self._slide_or_say()
        if slide is None:
            return
        names = slide.reader.info.associated
        if not names:
            self._window.messages.say(f"{slide.name} has no label or macro image.")
            return

        def read() -> dict[str, RgbImage]:
            return {name: associated_image(slide.address, name) for name in names}

        self._background.run(read, self._show_images, self._window.messages.say)

    def _show_images(self, images: dict[str, RgbImage]) -> None:
        self._show(ImagesDialog(images, self._window))

    def _save_picture(self) -> None:
        slide = self._slide_or_say()
        if slide is None:
            return
        picture = self._window.view.grab_picture()
        suggestion = f"{Path(slide.name).stem}-view.png"
        path, _ = QFileDialog.getSaveFileName(
            self._window, "Save picture of the view", suggestion, "Pictures (*.png)"
        )
        if path and not picture.save(path):
            self._window.messages.say(f"{path} cannot be written; choose another folder.")

    def _export(self) -> None:
        virtual = self._virtual.reader
        slide = self._slide_or_say()
        if slide is None:
            return
        if virtual is None:
            self._window.messages.say("Show a virtual stain first; then it can be exported.")
            return
        entry = self._virtual.entry
        misfit = entry.compatibility.reason if entry else ""
        field = self._window.view.visible_region()
        dialog = ExportDialog(virtual, slide.name, field, misfit, self._window)
        dialog.failed.connect(self._window.messages.say)
        self._show(dialog)

    def _go_to(self) -> None:
        slide = self._slide_or_say()
        if slide is None:
            return
        dialog = QInputDialog(self._window)
        dialog.setWindowTitle("Go to coordinates")
        dialog.setLabelText("x, y in pixels of the slide, or with µm behind in micrometres:")
        camera = self._window.view.viewpoint.camera
        dialog.setTextValue(f"{camera.x:.0f}, {camera.y:.0f}")
        dialog.textValueSelected.connect(self._on_coordinates)
        self._show(dialog)

    def _on_coordinates(self, text: str) -> None:
        slide = self._current.slide
        place = parse_place(text, slide.reader.info.mpp if slide else None)
        if place is None:
            self._window.messages.say(
                f"{text!r} is no place; write two numbers such as 1200, 3400."
            )
        else:
            self._window.view.go_to(*place)

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
            partial(read_whole, path),
            partial(self._virtual.start, entry),
            self._window.messages.say,
        )

    def _scale(self) -> None:
        slide = self._slide_or_say()
        if slide is not None:
            self.ask_scale(slide)

    def _import(self) -> None:
        path, _ = QFileDialog.getOpenFileName(self._window, "Import a model", "", MODEL_FILTER)
        if path:
            self.import_model(path)

    def _on_imported(self, model_id: str) -> None:
        self._virtual.refresh()
        self._window.stains.select(model_id)
        self._window.status.show_hint(f"{model_id} is imported.")

    def _commands(self) -> None:
        self._show(CommandDialog(list(self._window.actions_by_name.values()), self._window))

    def _keys(self) -> None:
        self._show(TextDialog("Keys", keys_html(), self._window))

    def _about(self) -> None:
        QMessageBox.about(
            self._window,
            "About stainapp",
            f"<h3>stainapp {__version__}</h3><p>Whole-slide images with virtual staining. "
            "Virtual stains are for research use only; never diagnose from them.</p>"
            "<p>Works offline: nothing leaves this machine.</p><p>Apache-2.0</p>",
        )

    def _slide_or_say(self) -> OpenedSlide | None:
        if self._current.slide is None:
            self._window.messages.say("Open a slide first.")
        return self._current.slide

    def _show(self, dialog: QDialog) -> None:
        self.dialog = dialog
        dialog.finished.connect(dialog.deleteLater)
        dialog.finished.connect(self._on_finished)
        dialog.open()

    def _on_finished(self, *_: object) -> None:
        self.dialog = None


def parse_place(text: str, mpp: float | None) -> tuple[float, float] | None:
    """Read "1200, 3400" in pixels, or "300 um, 850 um" in micrometres; None if it is neither."""
    in_um = "µm" in text or "um" in text
    bare = text.replace("µm", " ").replace("um", " ").replace("px", " ").replace(",", " ")
    try:
        x, y = (float(part) for part in bare.split())
    except ValueError:
        return None
    if not in_um:
        return x, y
    return None if mpp is None else (x / mpp, y / mpp)
