"""A picture that fits its place, and the sample grids of a run with a slider over earlier ones."""

from pathlib import Path

from PySide6.QtCore import QRect, QSize, Qt
from PySide6.QtGui import QImageReader, QPainter, QPaintEvent, QPalette, QPixmap
from PySide6.QtWidgets import QHBoxLayout, QLabel, QSizePolicy, QSlider, QVBoxLayout, QWidget

from stainapp.ui.run_story import RunStory

HEADING_PX = 22


class FittedPicture(QWidget):
    """Shows a picture as large as there is room, never larger than twice its pixels."""

    def __init__(self, empty: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._empty = empty
        self._pixmap = QPixmap()
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.setMinimumSize(240, 180)

    @property
    def pixmap(self) -> QPixmap:
        return self._pixmap

    def show_pixmap(self, pixmap: QPixmap) -> None:
        self._pixmap = pixmap
        self.update()

    def sizeHint(self) -> QSize:
        return QSize(460, 360)

    def paintEvent(self, _event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
        palette = self.palette()
        painter.fillRect(self.rect(), palette.color(QPalette.ColorRole.Base))
        painter.setPen(palette.color(QPalette.ColorRole.Mid))
        painter.drawRect(self.rect().adjusted(0, 0, -1, -1))
        if self._pixmap.isNull():
            painter.setPen(palette.color(QPalette.ColorRole.PlaceholderText))
            flags = Qt.AlignmentFlag.AlignCenter | Qt.TextFlag.TextWordWrap
            painter.drawText(self.rect().adjusted(16, 16, -16, -16), flags, self._empty)
        else:
            painter.drawPixmap(self._place(), self._pixmap)
        painter.end()

    def _place(self) -> QRect:
        room = self.rect().adjusted(4, 4, -4, -4)
        size = self._pixmap.size()
        fitted = size.scaled(room.size(), Qt.AspectRatioMode.KeepAspectRatio)
        if fitted.width() > 2 * size.width():
            fitted = QSize(2 * size.width(), 2 * size.height())
        place = QRect(room.topLeft(), fitted)
        place.moveCenter(room.center())
        return place


class SamplePictures(QWidget):
    """The newest grid source | generated | target, twice abreast; the slider leads back."""

    def __init__(self, folder: Path, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._folder = folder
        self._files: list[tuple[int, str]] = []
        self._shown = ""
        self.picture = FittedPicture("The first picture comes with the first validation.", self)
        self.slider = QSlider(Qt.Orientation.Horizontal, self)
        self.slider.setAccessibleName("Earlier pictures")
        self.words = QLabel("", self)
        self.words.setObjectName("quiet")
        self._lay_out()
        self.slider.valueChanged.connect(self._show)
        self.slider.setEnabled(False)

    def show_story(self, story: RunStory) -> None:
        """Follow the newest picture, unless the user looks at an earlier one."""
        files = [(int(one.get("images", 0)), str(one.get("file", ""))) for one in story.samples]
        if files == self._files:
            return
        at_end = self.slider.value() >= len(self._files) - 1
        self._files = files
        self.slider.setRange(0, max(0, len(files) - 1))
        self.slider.setEnabled(len(files) > 1)
        if at_end:
            self.slider.setValue(len(files) - 1)
        self._show()

    def _lay_out(self) -> None:
        heading = QLabel("Source | generated | target", self)
        heading.setObjectName("quiet")
        heading.setFixedHeight(HEADING_PX)
        row = QHBoxLayout()
        row.addWidget(heading, 1)
        row.addWidget(self.words)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addLayout(row)
        layout.addWidget(self.picture, 1)
        layout.addWidget(self.slider)

    def _show(self, *_: object) -> None:
        if not self._files:
            self.words.setText("")
            return
        images, file = self._files[min(self.slider.value(), len(self._files) - 1)]
        self.words.setText(f"after {images:,} images")
        if file != self._shown:
            self._shown = file
            self.picture.show_pixmap(load_picture(self._folder / file))


def load_picture(path: Path) -> QPixmap:
    """Read a picture of a run: small files, written whole; one that is gone is an empty one."""
    reader = QImageReader(str(path))
    return QPixmap.fromImageReader(reader) if path.is_file() else QPixmap()
