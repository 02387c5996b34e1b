"""Light and dark: a palette, a few style rules, and icons drawn in its text colour."""

from dataclasses import dataclass

from PySide6.QtCore import QByteArray, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QIcon, QPainter, QPalette, QPixmap
from PySide6.QtSvg import QSvgRenderer
from PySide6.QtWidgets import QApplication

from resources import resource

ICON_PX = 20


@dataclass(frozen=True, slots=True)
class Colours:
    """The colours of one theme, as ``#rrggbb``."""

    window: str
    base: str
    text: str
    quiet: str
    """Text of less weight: units, hints, reasons."""
    line: str
    button: str
    accent: str
    on_accent: str
    virtual: str
    """Marks everything virtual, so that it is never taken for real."""
    warning: str


LIGHT = Colours(
    window="#f4f5f7",
    base="#ffffff",
    text="#1d2228",
    quiet="#5c6670",
    line="#d3d8de",
    button="#e9ecef",
    accent="#2563c9",
    on_accent="#ffffff",
    virtual="#8a3ffc",
    warning="#fff1cc",
)
DARK = Colours(
    window="#1f2328",
    base="#15181c",
    text="#e6e9ec",
    quiet="#9aa4ae",
    line="#3a4149",
    button="#2b3138",
    accent="#5b9bff",
    on_accent="#0c1117",
    virtual="#be95ff",
    warning="#4a3a12",
)


def chosen_colours(theme: str, app: QApplication) -> Colours:
    """Return the colours of "light", "dark", or of what the system prefers."""
    if theme == "system":
        dark = app.styleHints().colorScheme() == Qt.ColorScheme.Dark
        return DARK if dark else LIGHT
    return DARK if theme == "dark" else LIGHT


def apply_theme(app: QApplication, colours: Colours) -> None:
    """Give the whole program these colours."""
    app.setStyle("Fusion")
    app.setPalette(_palette(colours))
    rules = resource("themes/stainapp.qss").read_text(encoding="utf-8")
    for name in Colours.__slots__:
        rules = rules.replace(f"@{name};", f"{getattr(colours, name)};")
    app.setStyleSheet(rules)


def icon(name: str, colours: Colours) -> QIcon:
    """Draw the shipped icon ``name`` in the theme's text colour, sharp at every scale."""
    svg = resource(f"icons/{name}.svg").read_text(encoding="utf-8")
    drawn = QIcon()
    for mode, colour in (
        (QIcon.Mode.Normal, colours.text),
        (QIcon.Mode.Disabled, colours.quiet),
    ):
        renderer = QSvgRenderer(QByteArray(svg.replace("currentColor", colour).encode()))
        for scale in (1, 1.25, 1.5, 2, 3):
            drawn.addPixmap(_render(renderer, scale), mode)
    return drawn


def _render(renderer: QSvgRenderer, scale: float) -> QPixmap:
    side = round(ICON_PX * scale)
    pixmap = QPixmap(QSize(side, side))
    pixmap.fill(Qt.GlobalColor.transparent)
    painter = QPainter(pixmap)
    renderer.render(painter, QRectF(0, 0, side, side))
    painter.end()
    return pixmap


def _palette(colours: Colours) -> QPalette:
    palette = QPalette()
    role = QPalette.ColorRole
    for where, colour in (
        (role.Window, colours.window),
        (role.WindowText, colours.text),
        (role.Base, colours.base),
        (role.AlternateBase, colours.window),
        (role.Text, colours.text),
        (role.PlaceholderText, colours.quiet),
        (role.Button, colours.button),
        (role.ButtonText, colours.text),
        (role.ToolTipBase, colours.base),
        (role.ToolTipText, colours.text),
        (role.Highlight, colours.accent),
        (role.HighlightedText, colours.on_accent),
        (role.Link, colours.accent),
        (role.Mid, colours.line),
        (role.Light, colours.base),
        (role.Dark, colours.line),
    ):
        palette.setColor(where, QColor(colour))
    for where in (role.WindowText, role.Text, role.ButtonText):
        palette.setColor(QPalette.ColorGroup.Disabled, where, QColor(colours.quiet))
    return palette
