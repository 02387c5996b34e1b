"""From an action's name to whoever answers it."""

from collections.abc import Callable, Mapping
from functools import partial

from PySide6.QtCore import QObject, Signal
from PySide6.QtWidgets import QDialog, QMessageBox

from stainapp import __version__
from stainapp.ui.actions import keys_html
from stainapp.ui.background import Background
from stainapp.ui.current_slide import CurrentSlide
from stainapp.ui.dialogs import CommandDialog, TextDialog
from stainapp.ui.main_window import MainWindow
from stainapp.ui.open_dialog import OpenDialog
from stainapp.ui.reference import Reference
from stainapp.ui.reference_requests import ReferenceRequests
from stainapp.ui.region_editor import RegionEditor
from stainapp.ui.region_hand import RegionHand
from stainapp.ui.region_requests import RegionRequests
from stainapp.ui.slide_requests import SlideRequests
from stainapp.ui.stain_requests import StainRequests
from stainapp.ui.train_requests import TrainRequests
from stainapp.ui.virtual_stain import VirtualStain


class Requests(QObject):
    """All that can be asked for by name; answers the help menu by itself."""

    reopening_chosen = Signal(bool)
    """Whether a start without a slide goes on with the last session."""
    theme_chosen = Signal(str)
    device_chosen = Signal(str)

    def __init__(
        self,
        window: MainWindow,
        current: CurrentSlide,
        virtual: VirtualStain,
        background: Background,
        editor: RegionEditor,
        hand: RegionHand,
        train: TrainRequests,
        reference: Reference,
    ) -> None:
        super().__init__(window)
        self._window = window
        self.dialogs = OpenDialog(self)
        self.slide = SlideRequests(window, current, background, self.dialogs)
        self.stain = StainRequests(window, current, virtual, background, self.dialogs)
        self.regions = RegionRequests(window, current, editor, hand, background, self.dialogs)
        self.reference = ReferenceRequests(window, reference, self.dialogs)
        self._answers: dict[str, Callable[[], object]] = {
            **self.slide.answers,
            **self.stain.answers,
            **self.regions.answers,
            **self.reference.answers,
            **train.answers,
            "reopen-session": self._choose_reopening,
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

    def add(self, answers: Mapping[str, Callable[[], object]]) -> None:
        """Have further actions answered, by their names."""
        self._answers.update(answers)

    @property
    def dialog(self) -> QDialog | None:
        """The dialog opened last, for as long as it is open."""
        return self.dialogs.dialog

    def answer(self, name: str) -> None:
        """Do what the action of this name promises."""
        self._answers[name]()

    def close(self) -> None:
        """Close the open dialog, which ends what it is doing, and the window of landmarks."""
        self.dialogs.close()
        self.reference.close()

    def _choose_reopening(self) -> None:
        self.reopening_chosen.emit(self._window.action("reopen-session").isChecked())

    def _commands(self) -> None:
        self.dialogs.show(CommandDialog(list(self._window.actions_by_name.values()), self._window))

    def _keys(self) -> None:
        self.dialogs.show(TextDialog("Keys", keys_html(), self._window))

    def _about(self) -> None:
        QMessageBox.about(
            self._window,
            "About stainapp",
            f"<h3>stainapp {__version__}</h3><p>Whole-slide images with virtual staining. "
            "Virtual stains are for research use only; never diagnose from them.</p>"
            "<p>Works offline: nothing leaves this machine.</p><p>Apache-2.0</p>",
        )
