"""A comparison's report as PDF: the page that Qt lays out, printed."""

import base64
import re
from pathlib import Path

from PySide6.QtCore import QByteArray, QMarginsF, QThread, QUrl
from PySide6.QtGui import (
    QGuiApplication,
    QImage,
    QPageLayout,
    QPageSize,
    QPdfWriter,
    QTextDocument,
)

from stainapp.compare.report import Look, Report, as_html
from stainapp.errors import ExportError
from stainapp.ui.paper import lay_out

DPI = 150
MARGIN_MM = 12.0
SCALE = 2
"""Drawings are painted this much finer than they are shown."""
STYLE = """
body { font-family: sans-serif; font-size: 8pt; } h1 { font-size: 14pt; } h2 { font-size: 11pt; }
h3 { font-size: 9pt; } td { text-align: right; font-size: 7pt; padding: 1px 4px; }
th { text-align: right; font-weight: 600; font-size: 7pt; padding: 1px 4px; }
small { font-size: 6pt; color: #66666f; } .grey { color: #9a9aa4; }
.virtual { background-color: #6a26c9; color: #ffffff; font-weight: 600; }
.facts td, .facts th { text-align: left; } .pictures td { text-align: left; }
.leaf { page-break-before: always; }
"""
"""What Qt's rich text understands of the page's own style: neither variables nor boxes."""
PAPER = Look(STYLE, picture_px=240, plot_px=320, measures=7)


def write_pdf(report: Report, path: Path) -> Path:
    """Write the report as PDF, landscape A4, whole or not at all; return where it lies.

    Raises:
        ExportError: it cannot be written there.
    """
    app = QGuiApplication.instance() or QGuiApplication([])  # fonts need one; held until the end
    part = path.with_name(f".{path.name}.part")
    writer = QPdfWriter(str(part))
    writer.setTitle(report.title)
    writer.setCreator("stainapp")
    writer.setResolution(DPI)
    writer.setPageSize(QPageSize(QPageSize.PageSizeId.A4))
    writer.setPageOrientation(QPageLayout.Orientation.Landscape)
    writer.setPageMargins(QMarginsF(*[MARGIN_MM] * 4), QPageLayout.Unit.Millimeter)
    document = QTextDocument()
    document.documentLayout().setPaintDevice(writer)
    document.setPageSize(writer.pageLayout().paintRectPixels(DPI).size())
    lay_out(document, _with_pictures(document, as_html(report, PAPER)))
    document.print_(writer)
    del writer, app  # closes the file
    try:
        part.replace(path)
    except OSError as error:
        raise ExportError(
            f"{path} cannot be written ({error.strerror}); close it elsewhere or choose another."
        ) from error
    return path


class PdfThread(QThread):
    """Writes one report; Qt lays text out only on threads of its own, or on the window's."""

    def __init__(self, report: Report, path: Path) -> None:
        super().__init__()
        self._report, self._path = report, path
        self._error: Exception | None = None

    def run(self) -> None:
        try:
            write_pdf(self._report, self._path)
        except Exception as error:
            self._error = error

    def written(self) -> Path:
        """Write, wait until it is done, and return where it lies; raises as `write_pdf`."""
        self.start()
        self.wait()
        if self._error is not None:
            raise self._error
        return self._path


def _with_pictures(document: QTextDocument, html: str) -> str:
    """Hand the page's pictures to Qt, and return the page with their names in their place."""

    def named(match: re.Match[str]) -> str:
        name = f"picture{len(names)}"
        names.append(name)
        data = base64.b64decode(match[2])
        image = _drawn(data) if match[1] == "svg+xml" else QImage.fromData(QByteArray(data))
        document.addResource(QTextDocument.ResourceType.ImageResource, QUrl(name), image)
        return f'src="{name}"'

    names: list[str] = []
    return re.sub(r'src="data:image/([a-z+]+);base64,([^"]+)"', named, html)


def _drawn(svg: bytes) -> QImage:
    from PySide6.QtGui import QPainter
    from PySide6.QtSvg import QSvgRenderer

    renderer = QSvgRenderer(QByteArray(svg))
    image = QImage(renderer.defaultSize() * SCALE, QImage.Format.Format_RGB32)
    painter = QPainter(image)
    renderer.render(painter)
    painter.end()
    return image
