"""The dock with the slides opened last, by their thumbnails."""

from PySide6.QtCore import QSize, Qt, Signal
from PySide6.QtGui import QIcon, QPixmap
from PySide6.QtWidgets import QListWidget, QListWidgetItem, QVBoxLayout, QWidget

from stainapp.ui.open_slide import THUMBNAIL_PX, OpenedSlide, to_qimage

ADDRESS_ROLE = Qt.ItemDataRole.UserRole


class SlidesPanel(QWidget):
    """Shows the slides opened in this window, newest first; a click opens one again."""

    slide_chosen = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.list = QListWidget(self)
        self.list.setIconSize(QSize(THUMBNAIL_PX * 3 // 4, THUMBNAIL_PX * 3 // 4))
        self.list.setViewMode(QListWidget.ViewMode.IconMode)
        self.list.setFlow(QListWidget.Flow.TopToBottom)
        self.list.setMovement(QListWidget.Movement.Static)
        self.list.setWrapping(False)
        self.list.setWordWrap(True)
        self.list.setSpacing(6)
        self.list.setAccessibleName("Slides")
        layout = QVBoxLayout(self)
        layout.setContentsMargins(6, 6, 6, 6)
        layout.addWidget(self.list)
        self.setMinimumWidth(THUMBNAIL_PX)
        self.list.itemClicked.connect(self._on_chosen)

    def add(self, slide: OpenedSlide) -> None:
        """Put a slide on top, or bring it there."""
        for row in range(self.list.count()):
            if self.list.item(row).data(ADDRESS_ROLE) == slide.address:
                self.list.setCurrentRow(row)
                return
        item = QListWidgetItem(_untinted(slide), slide.name)
        item.setData(ADDRESS_ROLE, slide.address)
        item.setToolTip(slide.address)
        self.list.insertItem(0, item)
        self.list.setCurrentRow(0)

    def _on_chosen(self, item: QListWidgetItem) -> None:
        self.slide_chosen.emit(item.data(ADDRESS_ROLE))


def _untinted(slide: OpenedSlide) -> QIcon:
    """Return the thumbnail as an icon that keeps its colours when selected."""
    pixmap = QPixmap.fromImage(to_qimage(slide.thumbnail))
    icon = QIcon(pixmap)
    icon.addPixmap(pixmap, QIcon.Mode.Selected)
    return icon
