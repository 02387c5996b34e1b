"""Small windows that only show something: keys, commands, facts on the slide, its label."""

from collections.abc import Mapping, Sequence
from html import escape

from PySide6.QtCore import Qt
from PySide6.QtGui import QAction, QPixmap
from PySide6.QtWidgets import (
    QDialog,
    QDialogButtonBox,
    QLabel,
    QLineEdit,
    QListWidget,
    QListWidgetItem,
    QScrollArea,
    QTextBrowser,
    QVBoxLayout,
    QWidget,
)

from stainapp.slides.reader import RgbImage, SlideInfo
from stainapp.ui.actions import plain
from stainapp.ui.open_slide import to_qimage


class TextDialog(QDialog):
    """A page of rich text with a Close button."""

    def __init__(self, title: str, html: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle(title)
        self.text = QTextBrowser(self)
        self.text.setOpenExternalLinks(False)
        self.text.setHtml(html)
        buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Close, self)
        buttons.rejected.connect(self.reject)
        layout = QVBoxLayout(self)
        layout.addWidget(self.text)
        layout.addWidget(buttons)
        self.resize(640, 620)


class ImagesDialog(QDialog):
    """The label and macro images, shown only because the user asked."""

    def __init__(self, images: Mapping[str, RgbImage], parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle("Label and macro images")
        inside = QWidget(self)
        column = QVBoxLayout(inside)
        warning = QLabel("These images can show a patient's name. They are never exported.", self)
        warning.setObjectName("quiet")
        column.addWidget(warning)
        for name, image in images.items():
            column.addWidget(QLabel(f"<b>{escape(name)}</b>", inside))
            picture = QLabel(inside)
            pixmap = QPixmap.fromImage(to_qimage(image))
            picture.setPixmap(
                pixmap.scaled(
                    640,
                    640,
                    Qt.AspectRatioMode.KeepAspectRatio,
                    Qt.TransformationMode.SmoothTransformation,
                )
                if max(pixmap.width(), pixmap.height()) > 640
                else pixmap
            )
            column.addWidget(picture)
        column.addStretch(1)
        area = QScrollArea(self)
        area.setWidgetResizable(True)
        area.setWidget(inside)
        layout = QVBoxLayout(self)
        layout.addWidget(area)
        self.resize(720, 640)


class CommandDialog(QDialog):
    """All commands, found by typing a part of their name."""

    def __init__(self, actions: Sequence[QAction], parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle("Find a command")
        self._actions = list(actions)
        self.words = QLineEdit(self)
        self.words.setPlaceholderText("Type a part of a command's name")
        self.list = QListWidget(self)
        layout = QVBoxLayout(self)
        layout.addWidget(self.words)
        layout.addWidget(self.list)
        self.resize(440, 420)
        self.words.textChanged.connect(self._on_words)
        self.words.returnPressed.connect(self._on_chosen)
        self.list.itemActivated.connect(self._on_chosen)
        self._on_words("")

    def _on_words(self, words: str) -> None:
        self.list.clear()
        for action in self._actions:
            name = plain(action.text())
            if action.isEnabled() and all(word in name.lower() for word in words.lower().split()):
                keys = action.shortcut().toString()
                item = QListWidgetItem(f"{name}    {keys}" if keys else name)
                item.setData(Qt.ItemDataRole.UserRole, action.objectName())
                self.list.addItem(item)
        self.list.setCurrentRow(0)

    def _on_chosen(self) -> None:
        item = self.list.currentItem()
        if item is None:
            return
        name = item.data(Qt.ItemDataRole.UserRole)
        self.accept()
        next(action for action in self._actions if action.objectName() == name).trigger()


def info_html(info: SlideInfo) -> str:
    """Return what is known of a slide as a table."""
    levels = "<br>".join(
        f"{level.width_px:,} × {level.height_px:,} px, 1/{level.downsample:.4g}"
        for level in info.levels
    )
    rows = [
        ("File", str(info.path)),
        ("Format", info.format),
        ("Scale", f"{info.mpp:.4g} µm/px" if info.mpp else "not recorded"),
        ("Objective", f"{info.objective:g}x" if info.objective else "not recorded"),
        ("ICC profile", info.icc),
        ("Further images", ", ".join(info.associated) or "none"),
        ("Identity", info.identity),
        *sorted(info.properties.items()),
    ]
    body = "".join(
        f"<tr><td width='230'><i>{escape(name)}</i></td><td>{escape(value)}</td></tr>"
        for name, value in rows
    )
    return f"<table>{body}<tr><td><i>Levels</i></td><td>{levels}</td></tr></table>"
