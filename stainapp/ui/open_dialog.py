"""The one dialog that may be open at a time. Dialogs never block the program."""

from PySide6.QtCore import QObject
from PySide6.QtWidgets import QDialog


class OpenDialog(QObject):
    """Opens dialogs and remembers the last, for as long as it is open."""

    def __init__(self, parent: QObject) -> None:
        super().__init__(parent)
        self.dialog: QDialog | None = None

    def show(self, dialog: QDialog) -> None:
        self.dialog = dialog
        dialog.finished.connect(dialog.deleteLater)
        dialog.finished.connect(self._on_finished)
        dialog.open()

    def close(self) -> None:
        """Close the open dialog, which ends what it is doing."""
        if self.dialog is not None:
            self.dialog.reject()

    def _on_finished(self, *_: object) -> None:
        self.dialog = None
