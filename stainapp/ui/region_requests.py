"""What the user asks of regions by name, key or panel, and who answers it."""

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

from PySide6.QtCore import QObject
from PySide6.QtGui import QColor
from PySide6.QtWidgets import QColorDialog, QFileDialog

from stainapp.session.geojson import read_document, write_geojson
from stainapp.session.history import History
from stainapp.session.regions import Document, colour_of
from stainapp.ui import actions
from stainapp.ui.background import Background
from stainapp.ui.class_dialog import ClassDialog
from stainapp.ui.current_slide import CurrentSlide
from stainapp.ui.main_window import MainWindow
from stainapp.ui.open_dialog import OpenDialog
from stainapp.ui.region_editor import RegionEditor
from stainapp.ui.region_hand import RegionHand
from stainapp.ui.region_tools import Tool
from stainapp.ui.region_verbs import RegionVerbs

HINTS = {
    Tool.MOVE: "",
    Tool.RECTANGLE: actions.RECTANGLE,
    Tool.ELLIPSE: actions.ELLIPSE,
    Tool.POLYGON: actions.POLYGON,
    Tool.FREEHAND: actions.FREEHAND,
    Tool.BRUSH: actions.BRUSH,
    Tool.POINTS: actions.POINTS,
    Tool.RULER: actions.RULER,
}
ON_SELECTED = (
    "delete-regions",
    "go-to-region",
    "colour-regions",
    "duplicate-regions",
    "lock-regions",
    "split-regions",
    "fill-regions",
)
"""Actions that need a region to be selected."""
GEOJSON_FILTER = "GeoJSON (*.geojson *.json *.geojson.gz *.json.gz);;All files (*)"


class RegionRequests(QObject):
    """Passes on what menus, keys and the panel of regions ask, and shows them what came of it."""

    def __init__(
        self,
        window: MainWindow,
        current: CurrentSlide,
        editor: RegionEditor,
        hand: RegionHand,
        background: Background,
        dialogs: OpenDialog,
    ) -> None:
        super().__init__(window)
        self._window, self._panel = window, window.regions
        self._current = current
        self._editor = editor
        self._hand = hand
        self._background = background
        self._dialogs = dialogs
        self.answers: Mapping[str, Callable[[], object]] = {
            **{f"tool-{tool.value}": partial(hand.set_tool, tool) for tool in Tool},
            "undo": self._undo,
            "redo": editor.redo,
            "delete-regions": self._delete,
            "select-regions": self._select_all,
            "show-regions": self._toggle,
            "go-to-region": self._go_to_selected,
            "brush-larger": partial(hand.resize_brush, larger=True),
            "brush-smaller": partial(hand.resize_brush, larger=False),
            "classes": self._classes,
            "colour-regions": self._ask_colour,
            "import-regions": self._import,
            "export-regions": self._export,
            **RegionVerbs(editor, lambda: 1 / window.view.viewpoint.camera.zoom).answers,
        }
        self._connect()
        self._show_regions()
        self._show_history()
        self._show_selection()

    def read(self, path: Path) -> None:
        """Import a file's regions into the open slide."""
        if self._ready_or_say():
            self._background.run(
                partial(read_document, path),
                partial(self._take, self._editor.history, path),
                self._window.messages.say,
            )

    def write(self, path: Path) -> None:
        """Export all regions of the open slide."""
        document = self._editor.regions
        self._background.run(
            lambda: write_geojson(path, document),
            lambda _: self._window.status.show_hint(f"Regions written to {path.name}"),
            self._window.messages.say,
        )

    # parts

    def _connect(self) -> None:
        window, panel, editor = self._window, self._panel, self._editor
        editor.shown.connect(self._show_regions)
        editor.changed.connect(self._show_regions)
        editor.selection_changed.connect(self._show_selection)
        editor.visibility_changed.connect(window.action("show-regions").setChecked)
        editor.refused.connect(window.messages.say)
        self._hand.picture_changed.connect(window.view.show_regions)
        self._hand.tool_changed.connect(self._show_tool)
        self._current.noted.connect(self._show_regions)
        editor.shown.connect(self._show_history)
        editor.changed.connect(self._show_history)
        panel.chosen.connect(editor.select)
        panel.gone_to.connect(self._go_to)
        panel.classes_asked.connect(self._classes)
        panel.colour_asked.connect(self._ask_colour)
        panel.delete_asked.connect(editor.remove_selected)
        panel.import_asked.connect(self._import)
        panel.export_asked.connect(self._export)
        panel.regions.renamed.connect(self._rename)
        panel.regions.classified.connect(self._classify)
        panel.regions.locked.connect(self._lock)

    def _show_regions(self, *_: object) -> None:
        slide = self._current.slide
        mpp = slide.reader.info.mpp if slide else None
        regions = self._editor.regions.regions
        self._hand.set_scale(mpp)
        self._panel.show_regions(self._editor.regions, mpp)
        self._panel.show_selected(self._editor.selected)
        self._window.action("export-regions").setEnabled(bool(regions))
        self._window.action("select-regions").setEnabled(bool(regions))

    def _show_selection(self) -> None:
        self._panel.show_selected(self._editor.selected)
        chosen = len(self._editor.selected)
        for name in ON_SELECTED:
            self._window.action(name).setEnabled(chosen > 0)
        for name in ("join-regions", "cut-regions"):
            self._window.action(name).setEnabled(chosen > 1)

    def _show_tool(self, tool: Tool) -> None:
        self._window.action(f"tool-{tool.value}").setChecked(True)
        self._window.status.show_hint(HINTS[tool])

    def _show_history(self) -> None:
        """Say in the menu what would be undone, and what done again."""
        history = self._editor.history
        for name, steps in (("undo", history.done), ("redo", history.undone)):
            what = steps[-1].text if steps else ""
            words = f"{name} {what[:1].lower()}{what[1:]}".rstrip()
            self._window.action(name).setText(f"&{words.capitalize()}")
            self._window.action(name).setEnabled(bool(steps) and self._editor.ready)

    def _undo(self) -> None:
        if not self._hand.take_back():
            self._editor.undo()

    def _delete(self) -> None:
        if not self._hand.take_back():
            self._editor.remove_selected()

    def _select_all(self) -> None:
        self._editor.select(region.id for region in self._editor.regions.regions)

    def _toggle(self) -> None:
        self._editor.set_visible(self._window.action("show-regions").isChecked())

    def _go_to_selected(self) -> None:
        if self._editor.selected:
            self._go_to(self._editor.selected[0])

    def _go_to(self, region_id: str) -> None:
        region = self._editor.regions.get(region_id)
        if region is not None:
            self._window.view.show_rect(region.bounds)

    def _those(self, region_id: str) -> tuple[str, ...]:
        """What is said of one selected region is said of all that are selected."""
        selected = self._editor.selected
        return selected if region_id in selected else (region_id,)

    def _rename(self, region_id: str, name: str) -> None:
        self._editor.set_values((region_id,), "Rename region", name=name)

    def _classify(self, region_id: str, classification: str) -> None:
        # A colour of its own would hide the class's.
        ids = self._those(region_id)
        self._editor.set_values(ids, "Classify", classification=classification, colour=None)

    def _lock(self, region_id: str, locked: bool) -> None:
        text = "Lock" if locked else "Unlock"
        self._editor.set_values(self._those(region_id), text, locked=locked)

    def _classes(self) -> None:
        if self._ready_or_say():
            self._dialogs.show(ClassDialog(self._editor, self._window))

    def _ask_colour(self) -> None:
        ids = self._editor.selected
        if not ids:
            return
        now = QColor(*colour_of(self._editor.selected_regions[0], self._editor.regions.classes))
        dialog = QColorDialog(now, self._window)
        dialog.setWindowTitle("Colour of the regions")
        dialog.setOption(QColorDialog.ColorDialogOption.DontUseNativeDialog)
        dialog.colorSelected.connect(partial(self._recolour, ids))
        self._dialogs.show(dialog)

    def _recolour(self, ids: tuple[str, ...], colour: QColor) -> None:
        self._editor.set_values(ids, "Colour", colour=(colour.red(), colour.green(), colour.blue()))

    def _import(self) -> None:
        if self._ready_or_say():
            path, _ = QFileDialog.getOpenFileName(
                self._window, "Import regions", "", GEOJSON_FILTER
            )
            if path:
                self.read(Path(path))

    def _take(self, into: History, path: Path, document: Document) -> None:
        regions = document.regions
        if into is not self._editor.history:
            return  # another slide was opened meanwhile
        if self._editor.put(regions, f"Import {path.name}", document.others):
            self._editor.set_visible(True)
            count = f"{len(regions)} region{'s' if len(regions) != 1 else ''}"
            self._window.status.show_hint(f"{count} read from {path.name}")
        elif not regions:
            self._window.messages.say(f"{path.name} holds no regions; choose another file.")

    def _export(self) -> None:
        slide = self._current.slide
        if slide is None or not self._editor.regions.regions:
            return
        suggestion = f"{Path(slide.name).stem}.geojson"
        path, _ = QFileDialog.getSaveFileName(
            self._window, "Export regions", suggestion, GEOJSON_FILTER
        )
        if path:
            self.write(Path(path) if Path(path).suffix else Path(f"{path}.geojson"))

    def _ready_or_say(self) -> bool:
        if self._current.slide is None:
            self._window.messages.say("Open a slide first.")
        elif not self._editor.ready:
            self._window.messages.say("The slide's own regions are not here; reload it first.")
        return self._editor.ready
