"""What the user asks of the slide: open it, know it, go somewhere, take a picture."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path

from PySide6.QtCore import QObject
from PySide6.QtWidgets import QFileDialog, QInputDialog

from stainapp.slides.opening import associated_image
from stainapp.slides.reader import RgbImage
from stainapp.ui.background import Background
from stainapp.ui.current_slide import CurrentSlide
from stainapp.ui.dialogs import ImagesDialog, TextDialog, info_html
from stainapp.ui.main_window import MainWindow
from stainapp.ui.open_dialog import OpenDialog
from stainapp.ui.open_slide import OpenedSlide
from stainapp.ui.scale_dialog import ScaleDialog

SLIDE_FILTER = (
    "Slides (*.svs *.ndpi *.mrxs *.scn *.bif *.vms *.vmu *.tif *.tiff *.dcm *.svslide *.zvi "
    "*.czi *.png *.jpg *.jpeg *.bmp *.webp);;All files (*)"
)
PHANTOM_SAMPLE = "phantom:he:8000:7"
IHC_SAMPLE = "sample:ihc"


class SlideRequests(QObject):
    """Asks with dialogs and passes the answers on."""

    def __init__(
        self,
        window: MainWindow,
        current: CurrentSlide,
        background: Background,
        dialogs: OpenDialog,
    ) -> None:
        super().__init__(window)
        self._window = window
        self._current = current
        self._background = background
        self._dialogs = dialogs
        self.answers: Mapping[str, Callable[[], None]] = {
            "open": self._open,
            "open-sample-phantom": partial(current.open, PHANTOM_SAMPLE),
            "open-sample-ihc": partial(current.open, IHC_SAMPLE),
            "reload": self._reload,
            "info": self._info,
            "associated": self._associated,
            "save-picture": self._save_picture,
            "go-to": self._go_to,
            "scale": self._scale,
        }
        window.stains.scale_asked.connect(self._scale)

    def ask_scale(self, slide: OpenedSlide) -> None:
        """Ask once for the scale of a slide that does not record it."""
        dialog = ScaleDialog(slide, self._window)
        dialog.scale_set.connect(self._current.set_mpp)
        self._dialogs.show(dialog)

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
            self._dialogs.show(
                TextDialog("Slide information", info_html(slide.reader.info), self._window)
            )

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
        self._dialogs.show(ImagesDialog(images, self._window))

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
        self._dialogs.show(dialog)

    def _on_coordinates(self, text: str) -> None:
        slide = self._current.slide
        place = parse_place(text, slide.reader.info.mpp if slide else None)
        if place is None:
            self._window.messages.say(
                f"{text!r} is no place; write two numbers such as 1200, 3400."
            )
        else:
            self._window.view.go_to(*place)

    def _scale(self) -> None:
        slide = self._slide_or_say()
        if slide is not None:
            self.ask_scale(slide)

    def _slide_or_say(self) -> OpenedSlide | None:
        if self._current.slide is None:
            self._window.messages.say("Open a slide first.")
        return self._current.slide


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
