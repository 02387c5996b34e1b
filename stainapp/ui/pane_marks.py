"""What a pane writes and draws over its picture: titles, badges, cross-hair, curtain divider.

All are graphics items in screen pixels, so that they are in every grabbed picture as well.
"""

from dataclasses import dataclass

from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QFont, QFontMetricsF, QPainter, QPen
from PySide6.QtWidgets import QApplication, QGraphicsItem, QStyleOptionGraphicsItem, QWidget

BADGE = "VIRTUAL - research use only"
PREVIEW = "preview"
GAP_PX = 6.0
ROUNDING_PX = 4.0
"""Room for what fonts take beyond their width."""
LEAST_ROOM_PX = 60.0
GROUND = QColor(16, 20, 26, 190)
VIRTUAL_GROUND = QColor(106, 38, 201, 225)
PREVIEW_GROUND = QColor(150, 92, 0, 225)
INK = QColor(255, 255, 255)
HANDLE_PX = 15.0


@dataclass(frozen=True, slots=True)
class Chip:
    """A few words on a ground of their own."""

    words: str
    ground: QColor
    bold: bool = False
    whole: bool = False
    """Whether it is wrapped where there is no room for a line, and never cut short."""


def real_chips(title: str) -> tuple[Chip, ...]:
    return (Chip(f"REAL  {title}".rstrip(), GROUND, bold=True),)


def reference_chips(title: str) -> tuple[Chip, ...]:
    """Name a real slide that is shown in the frame of another."""
    return (Chip(f"REAL  {title}".rstrip(), GROUND, bold=True), Chip("registered", GROUND))


def virtual_chips(title: str, preview: bool) -> tuple[Chip, ...]:
    """Name what is virtual, and say that it is; while only a preview shows, say that too."""
    chips = (
        Chip(BADGE, VIRTUAL_GROUND, bold=True, whole=True),
        Chip(title, GROUND),
    )
    return (*chips, Chip(PREVIEW, PREVIEW_GROUND)) if preview else chips


def difference_chips(other: str, base: str, virtual: bool, preview: bool) -> tuple[Chip, ...]:
    """Name what a difference is of; it is marked as what is virtual in it is."""
    chips = [Chip("DIFFERENCE", GROUND, bold=True), Chip(f"{other} less {base}", GROUND)]
    if virtual:
        chips.append(Chip(BADGE, VIRTUAL_GROUND, bold=True, whole=True))
    if preview:
        chips.append(Chip(PREVIEW, PREVIEW_GROUND))
    return tuple(chips)


class ChipRow(QGraphicsItem):
    """Chips in a row, or one below the other; from the left edge or up to the right one."""

    def __init__(self, align_right: bool = False) -> None:
        super().__init__()
        self._right = align_right
        self._chips: tuple[Chip, ...] = ()
        self._places: tuple[QRectF, ...] = ()
        self._room = 0.0

    @property
    def chips(self) -> tuple[Chip, ...]:
        return self._chips

    @property
    def written(self) -> tuple[str, ...]:
        """The words of each chip as they are painted: broken into lines, or cut short."""
        return tuple(
            _words_in(chip, place.width() - 2 * GAP_PX)
            for chip, place in zip(self._chips, self._places, strict=True)
        )

    def set_chips(self, chips: tuple[Chip, ...], room_px: float) -> None:
        """Show chips where there is room for a row this wide; else in a column."""
        if (chips, room_px) != (self._chips, self._room):
            self.prepareGeometryChange()
            self._chips, self._room = chips, room_px
            self._places = self._arranged()
            self.update()

    def boundingRect(self) -> QRectF:
        extent = QRectF()
        for place in self._places:
            extent = extent.united(place)
        return extent

    def paint(
        self,
        painter: QPainter,
        option: QStyleOptionGraphicsItem,
        widget: QWidget | None = None,
    ) -> None:
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        every = zip(self._chips, self._places, self.written, strict=True)
        for chip, place, words in every:
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(chip.ground)
            painter.drawRoundedRect(place, 4, 4)
            painter.setPen(INK)
            painter.setFont(_font(chip.bold))
            painter.drawText(place, Qt.AlignmentFlag.AlignCenter, words)

    def _arranged(self) -> tuple[QRectF, ...]:
        sizes = [_chip_size(chip, self._room) for chip in self._chips]
        in_row = sum(width + GAP_PX for width, _ in sizes) <= self._room
        places, x, y = [], 0.0, 0.0
        for width, height in sizes:
            left = -width - x if self._right else x
            places.append(QRectF(left, y, width, height))
            if in_row:
                x += width + GAP_PX
            else:
                y += height + GAP_PX / 2
        return tuple(places)


class CrossHair(QGraphicsItem):
    """Marks in one pane where the cursor is in another."""

    ARM_PX = 12.0

    def boundingRect(self) -> QRectF:
        arm = self.ARM_PX + 2
        return QRectF(-arm, -arm, 2 * arm, 2 * arm)

    def paint(
        self,
        painter: QPainter,
        option: QStyleOptionGraphicsItem,
        widget: QWidget | None = None,
    ) -> None:
        painter.setRenderHint(QPainter.RenderHint.Antialiasing, False)
        arm, hole = self.ARM_PX, 3.0
        for colour, width in ((QColor(255, 255, 255, 200), 3), (QColor(20, 20, 20), 1)):
            painter.setPen(QPen(colour, width))
            for sign in (-1.0, 1.0):
                painter.drawLine(QPointF(sign * hole, 0), QPointF(sign * arm, 0))
                painter.drawLine(QPointF(0, sign * hole), QPointF(0, sign * arm))


class Divider(QGraphicsItem):
    """The curtain's edge with a handle that asks to be dragged."""

    def __init__(self) -> None:
        super().__init__()
        self._height = 0.0

    def set_height(self, height_px: float) -> None:
        if height_px != self._height:
            self.prepareGeometryChange()
            self._height = height_px

    def boundingRect(self) -> QRectF:
        return QRectF(-HANDLE_PX - 2, 0, 2 * HANDLE_PX + 4, self._height)

    def paint(
        self,
        painter: QPainter,
        option: QStyleOptionGraphicsItem,
        widget: QWidget | None = None,
    ) -> None:
        painter.fillRect(QRectF(-2, 0, 4, self._height), QColor(16, 20, 26, 150))
        painter.fillRect(QRectF(-1, 0, 2, self._height), INK)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        centre = QPointF(0, self._height / 2)
        painter.setPen(QPen(GROUND, 1.5))
        painter.setBrush(INK)
        painter.drawEllipse(centre, HANDLE_PX, HANDLE_PX)
        painter.setPen(QPen(GROUND, 2))
        for sign in (-1.0, 1.0):
            tip = centre + QPointF(sign * 9, 0)
            painter.drawLine(tip, tip + QPointF(-sign * 5, -5))
            painter.drawLine(tip, tip + QPointF(-sign * 5, 5))


def _font(bold: bool) -> QFont:
    font = QApplication.font()
    font.setBold(bold)
    return font


def _chip_size(chip: Chip, room: float) -> tuple[float, float]:
    metrics = QFontMetricsF(_font(chip.bold))
    around = 2 * GAP_PX + ROUNDING_PX
    words = _words_in(chip, max(room, LEAST_ROOM_PX) - around)
    size = metrics.boundingRect(QRectF(0, 0, 1e6, 1e6), Qt.AlignmentFlag.AlignLeft, words)
    return size.width() + around, size.height() + GAP_PX


def _words_in(chip: Chip, width: float) -> str:
    """Return a chip's words in lines of this width: cut short, or broken if it must be whole."""
    metrics = QFontMetricsF(_font(chip.bold))
    if not chip.whole or metrics.horizontalAdvance(chip.words) <= width:
        return metrics.elidedText(chip.words, Qt.TextElideMode.ElideRight, width)
    lines: list[str] = []
    for part in chip.words.split(" - "):
        line = ""
        for word in part.split():
            longer = f"{line} {word}".strip()
            if line and metrics.horizontalAdvance(longer) > width:
                lines.append(line)
                longer = word
            line = longer
        lines.append(line)
    return "\n".join(lines)
