"""The split as a picture: tiles to learn from in blue, tiles to judge by in orange."""

import math
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from PySide6.QtCore import QPointF, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QFontMetrics, QImage, QPainter, QPaintEvent, QPalette, QPen
from PySide6.QtWidgets import QSizePolicy, QWidget

from stainapp.errors import StainAppError
from stainapp.slides.reader import RgbImage
from stainapp.ui.open_slide import to_qimage
from stainapp.ui.train_check import Area

OVERVIEW_PX = 420
COLOURS = {"train": QColor("#2f7bf0"), "validation": QColor("#f08c1a")}
WORDS = {"train": "learns from", "validation": "is judged by"}
FILL_ALPHA = 70
MOST_OUTLINED = 0.9
"""Share of the slide above which an area is no region that needs an outline."""
STAINS = ("source", "target")
MOST_NAMED = 3
"""Slides of a stain; of more, such as a folder's images, only their number is told."""
MOST_SHOWN = 60
"""Slides of a stain; of more, a part is shown."""
GAP_PX = 8
CAPTION_PX = 20


@dataclass(frozen=True, slots=True)
class Overview:
    """A slide from far away."""

    image: QImage
    downsample: float


class SplitPicture(QWidget):
    """Each slide of each stain with its tiles; source above, target below."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.setMinimumSize(320, 260)
        self.setAccessibleName("Which tiles the model learns from and which it is judged by")
        self.areas: tuple[Area, ...] = ()
        self.overviews: Mapping[str, Overview] = {}
        self._empty = "The split is shown here once the data is chosen."

    def sizeHint(self) -> QSize:
        return QSize(420, 440)

    def show_split(self, areas: tuple[Area, ...], overviews: Mapping[str, Overview]) -> None:
        self.areas, self.overviews = areas, overviews
        self.update()

    def clear(self, words: str) -> None:
        self._empty = words
        self.show_split((), {})

    def paintEvent(self, _event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
        palette = self.palette()
        painter.fillRect(self.rect(), palette.color(QPalette.ColorRole.Base))
        painter.setPen(palette.color(QPalette.ColorRole.Mid))
        painter.drawRect(self.rect().adjusted(0, 0, -1, -1))
        if self.areas:
            self._draw(painter)
        else:
            painter.setPen(palette.color(QPalette.ColorRole.PlaceholderText))
            flags = Qt.AlignmentFlag.AlignCenter | Qt.TextFlag.TextWordWrap
            painter.drawText(self.rect().adjusted(24, 24, -24, -24), flags, self._empty)
        painter.end()

    def _draw(self, painter: QPainter) -> None:
        stains = [one for one in STAINS if any(area.stain == one for area in self.areas)]
        room = QRectF(self.rect()).adjusted(GAP_PX, GAP_PX, -GAP_PX, -GAP_PX - CAPTION_PX)
        for stain, place in zip(stains, _cells(room, 1, len(stains)), strict=True):
            slides = shown_slides(self.areas, stain)
            if len(slides) > MOST_NAMED:
                count = len({area.slide for area in self.areas if area.stain == stain})
                self._draw_caption(painter, place, f"{stain.capitalize()}: {count:,} images")
                self._draw_many(painter, place.adjusted(0, CAPTION_PX, 0, 0), stain, slides)
                continue
            for slide, cell in zip(slides, _cells(place, len(slides), 1), strict=True):
                self._draw_caption(painter, cell, f"{stain.capitalize()}: {Path(slide).name}")
                self._draw_slide(painter, cell.adjusted(0, CAPTION_PX, 0, 0), stain, slide)
        self._draw_legend(painter)

    def _draw_caption(self, painter: QPainter, room: QRectF, words: str) -> None:
        painter.setPen(self.palette().color(QPalette.ColorRole.Text))
        metrics = QFontMetrics(painter.font())
        words = metrics.elidedText(words, Qt.TextElideMode.ElideMiddle, int(room.width()))
        painter.drawText(room.topLeft() + QPointF(0, metrics.ascent()), words)

    def _draw_many(self, painter: QPainter, room: QRectF, stain: str, slides: list[str]) -> None:
        columns = max(1, round(math.sqrt(len(slides) * room.width() / max(1.0, room.height()))))
        lines = -(-len(slides) // columns)
        for slide, cell in zip(slides, _cells(room, columns, lines), strict=False):
            self._draw_slide(painter, cell, stain, slide)

    def _draw_slide(self, painter: QPainter, room: QRectF, stain: str, slide: str) -> None:
        areas = [area for area in self.areas if (area.stain, area.slide) == (stain, slide)]
        overview = self.overviews.get(slide)
        frame = _frame(areas, overview)
        scale = min(room.width() / frame.width(), room.height() / frame.height())
        painter.save()
        painter.setClipRect(room)
        painter.translate(room.center().x() - scale * frame.width() / 2, room.top())
        painter.scale(scale, scale)
        painter.translate(-frame.topLeft())
        if overview is not None:
            size = overview.image.size() * overview.downsample
            painter.drawImage(QRectF(0, 0, size.width(), size.height()), overview.image)
        else:
            painter.fillRect(frame, self.palette().color(QPalette.ColorRole.AlternateBase))
        for area in areas:
            _draw_squares(painter, area)
            if not _is_whole(area, frame):  # a piece of tissue is told by its tiles alone
                _draw_outline(painter, area)
        painter.restore()

    def _draw_legend(self, painter: QPainter) -> None:
        metrics = QFontMetrics(painter.font())
        x = float(GAP_PX)
        y = self.height() - GAP_PX - CAPTION_PX + 6.0
        for split, colour in COLOURS.items():
            count = sum(len(area.squares) for area in self.areas if area.split == split)
            if not count and not any(area.split == split for area in self.areas):
                continue
            painter.fillRect(QRectF(x, y + 3, 11, 11), colour)
            painter.setPen(self.palette().color(QPalette.ColorRole.Text))
            words = WORDS[split]
            painter.drawText(QPointF(x + 17, y + 2 + metrics.ascent()), words)
            x += 17 + metrics.horizontalAdvance(words) + 20


def shown_slides(areas: Sequence[Area], stain: str) -> list[str]:
    """Return the slides of a stain that are shown: all, or evenly chosen ones of many."""
    slides = list(dict.fromkeys(area.slide for area in areas if area.stain == stain))
    return slides[:: max(1, -(-len(slides) // MOST_SHOWN))]


def _cells(room: QRectF, columns: int, lines: int) -> list[QRectF]:
    """Divide a room evenly, line by line, with gaps between."""
    width = (room.width() - GAP_PX * (columns - 1)) / columns
    height = (room.height() - GAP_PX * (lines - 1)) / lines
    return [
        QRectF(
            room.left() + column * (width + GAP_PX),
            room.top() + line * (height + GAP_PX),
            width,
            height,
        )
        for line in range(lines)
        for column in range(columns)
    ]


def overviews_of(slides: Iterable[str]) -> dict[str, Overview]:
    """Read each slide from far away; folders and files have none. Not for the GUI thread."""
    from stainapp.slides.opening import open_slide
    from stainapp.slides.tissue import overview

    found = {}
    for address in slides:
        with suppress(StainAppError, OSError):
            reader = open_slide(address)
            try:
                image, downsample = overview(reader, OVERVIEW_PX)
            finally:
                reader.close()
            found[address] = Overview(_image(image), downsample)
    return found


def _image(image: RgbImage) -> QImage:
    return to_qimage(image.copy())


def _frame(areas: list[Area], overview: Overview | None) -> QRectF:
    """Return what is to be seen: the whole slide, or where there is no picture all areas."""
    if overview is not None:
        size = overview.image.size() * overview.downsample
        return QRectF(0, 0, size.width(), size.height())
    frame = QRectF()
    for area in areas:
        frame = frame.united(QRectF(*area.area))
        for x, y, side in area.squares:
            frame = frame.united(QRectF(x, y, side, side))
    return frame if not frame.isEmpty() else QRectF(0, 0, 1, 1)


def _is_whole(area: Area, frame: QRectF) -> bool:
    _, _, width, height = area.area
    return width * height > MOST_OUTLINED * frame.width() * frame.height()


def _draw_squares(painter: QPainter, area: Area) -> None:
    pen = _pen(area)
    fill = QColor(pen.color())
    fill.setAlpha(FILL_ALPHA)
    painter.setPen(pen)
    painter.setBrush(fill)
    for x, y, side in area.squares:
        painter.drawRect(QRectF(x, y, side, side))


def _draw_outline(painter: QPainter, area: Area) -> None:
    pen = _pen(area)
    pen.setWidthF(2.0)
    pen.setStyle(Qt.PenStyle.DashLine)
    painter.setPen(pen)
    painter.setBrush(Qt.BrushStyle.NoBrush)
    painter.drawRect(QRectF(*area.area))


def _pen(area: Area) -> QPen:
    pen = QPen(COLOURS.get(area.split, COLOURS["train"]), 1.2)
    pen.setCosmetic(True)  # as wide on the screen, however large the slide is
    return pen
