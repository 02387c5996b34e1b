"""One message above the slide: errors and notices stay until they are read."""

from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QPushButton, QWidget


class MessageBar(QFrame):
    """Shows the newest message and how many wait behind it; hidden when there is none."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("message")
        self._messages: list[str] = []
        self.text = QLabel(self)
        self.text.setWordWrap(True)
        self.dismiss = QPushButton("Dismiss", self)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(12, 6, 8, 6)
        layout.addWidget(self.text, 1)
        layout.addWidget(self.dismiss)
        self.dismiss.clicked.connect(self._on_dismiss)
        self.hide()

    @property
    def messages(self) -> tuple[str, ...]:
        return tuple(self._messages)

    def say(self, sentence: str) -> None:
        """Show a sentence; one that is shown already is not repeated."""
        if sentence not in self._messages:
            self._messages.append(sentence)
        self._show()

    def _on_dismiss(self) -> None:
        self._messages.pop()
        self._show()

    def _show(self) -> None:
        if self._messages:
            more = len(self._messages) - 1
            self.text.setText(self._messages[-1] + (f"  (+{more} more)" if more else ""))
        self.setVisible(bool(self._messages))
