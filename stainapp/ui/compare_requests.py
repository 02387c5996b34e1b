"""What the user asks of comparisons: measure the regions, and write the report."""

from collections.abc import Callable, Mapping
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Qt, Signal
from PySide6.QtWidgets import QDockWidget, QFileDialog

from stainapp.cancel import CancelToken
from stainapp.models.store import Store
from stainapp.ui.current_slide import CurrentSlide
from stainapp.ui.main_window import MainWindow
from stainapp.ui.reference import Reference
from stainapp.ui.region_editor import RegionEditor
from stainapp.ui.virtual_stain import VirtualStain

if TYPE_CHECKING:
    from stainapp.compare.opening import PairRequest
    from stainapp.compare.pair import Pair
    from stainapp.ui.compare_panel import ComparePanel
    from stainapp.ui.comparing import Comparing
    from stainapp.ui.model_list import Entry

HEIGHT_PX = 270
REPORT_FILTER = "Reports (*.html)"
NO_SLIDE = "Open a slide first; then it can be compared."
NO_REGIONS = "Draw regions to compare first: R draws a rectangle, P a polygon."
NOTHING_BESIDE = (
    "There is nothing to compare the slide with: show a virtual stain, or lay a reference over "
    "it (Compare > Reference slide)."
)


class CompareRequests(QObject):
    """Owns the panel and who measures for it. What is compared is opened anew for that.

    So slide, model and reference may change in the window while it measures.
    """

    _noted = Signal(str)  # what the user should know of what was opened, from the thread

    def __init__(
        self,
        window: MainWindow,
        current: CurrentSlide,
        virtual: VirtualStain,
        reference: Reference,
        editor: RegionEditor,
        store: Store,
    ) -> None:
        super().__init__(window)
        self._window, self._store = window, store
        self._current, self._virtual = current, virtual
        self._reference, self._editor = reference, editor
        self._comparing: Comparing | None = None
        self._panel: ComparePanel | None = None
        self._inputs: tuple[Path, ...] = ()
        self._noted.connect(window.status.show_hint)
        self._names = ("", "")
        self.dock = QDockWidget("Comparison", window)
        self.dock.setObjectName("Comparison")
        window.addDockWidget(Qt.DockWidgetArea.BottomDockWidgetArea, self.dock)
        self.dock.hide()
        self.answers: Mapping[str, Callable[[], object]] = {"compare-regions": self.compare}

    def compare(self) -> None:
        """Measure the selected regions, else all, or say what is missing."""
        asked = self.request()
        regions = self._editor.selected_regions or self._editor.regions.areas
        if self._current.slide is None:
            self._window.messages.say(NO_SLIDE)
        elif asked is None:
            self._window.messages.say(NOTHING_BESIDE)
        elif not regions:
            self._window.messages.say(NO_REGIONS)
        else:
            from stainapp.ui.comparing import CompareRequest

            self.panel.show_progress(0, 0)
            self._show_dock()
            paths = (asked.reference, asked.other, asked.transform)
            self._inputs = tuple(Path(path) for path in paths if path is not None)
            entry = self._virtual.entry
            other = entry.found.card.id if entry else Path(asked.other).name
            self._names = Path(asked.reference).name, other
            self.comparing.start(CompareRequest(partial(self._opened, asked), tuple(regions)))

    def request(self) -> "PairRequest | None":
        """Return what stands beside what: the registered slide first, as the truth.

        None where there is only the slide itself.
        """
        from stainapp.compare.opening import PairRequest

        slide, entry, laid = self._current.slide, self._virtual.entry, self._reference.moving
        laid = laid if self._reference.transform is not None else None
        if slide is None or (entry is None and laid is None):
            return None
        truth, template = laid or slide, self._virtual.template
        return PairRequest(
            reference=truth.address,
            other=slide.address,
            transform=str(self._reference.path) if laid else None,
            model=self._model_of(entry),
            template=str(template) if entry and template else None,
            strength=self._window.stains.strength.value() if entry else 1.0,
            reference_mpp=truth.reader.info.mpp,
            other_mpp=slide.reader.info.mpp,
            device=self._virtual.device,
        )

    def _show_dock(self) -> None:
        if not self.dock.isVisible():
            self.dock.show()
            heights = [max(self.dock.height(), HEIGHT_PX)]
            self._window.resizeDocks([self.dock], heights, Qt.Orientation.Vertical)
        self.dock.raise_()

    def stains_apart(self) -> str:
        """Say where a virtual stain stands against a real slide of another stain; "" if not."""
        slide, entry, laid = self._current.slide, self._virtual.entry, self._reference.moving
        if slide is None or entry is None:
            return ""
        truth = laid if laid is not None and self._reference.transform is not None else slide
        card = entry.found.card
        made = slide.stain if card.normalises else card.target_stain
        if made == truth.stain:
            return ""
        return f"Its colours give it away: the real slide shows {truth.stain}, the virtual {made}."

    def _model_of(self, entry: "Entry | None") -> str | None:
        """Return the model's id; of one that is being taught its folder, as no store has it."""
        if entry is None:
            return None
        found = entry.found
        return str(found.folder) if self._virtual.shows_training else found.card.id

    def stop(self) -> None:
        if self._comparing is not None:
            self._comparing.stop()
        self.panel.show_stopped()

    def ask_where(self) -> None:
        """Ask for the report's name, and write it with its tables and as PDF."""
        path, _ = QFileDialog.getSaveFileName(
            self._window, "Report of the comparison", "comparison.html", REPORT_FILTER
        )
        if path:
            self.report(Path(path).with_suffix(".html"))

    def report(self, path: Path) -> None:
        self._window.status.show_hint(f"Writing {path.name}…")
        self.comparing.report(path, pdf=True, inputs=self._inputs)

    def close(self) -> None:
        if self._comparing is not None:
            self._comparing.close()

    @property
    def panel(self) -> "ComparePanel":
        """Figures and plots; made at the first use, as is who measures."""
        if self._panel is None:
            from stainapp.ui.compare_panel import ComparePanel

            self._panel = panel = ComparePanel(self._window)
            panel.compare_asked.connect(self.compare)
            panel.stop_asked.connect(self.stop)
            panel.report_asked.connect(self.ask_where)
            panel.gone_to.connect(self._go_to)
            self.dock.setWidget(panel)
        return self._panel

    @property
    def comparing(self) -> "Comparing":
        """Who measures. It loads what the window starts without."""
        if self._comparing is None:
            from stainapp.ui.comparing import Comparing

            self._comparing = comparing = Comparing(self)
            comparing.progressed.connect(self.panel.show_progress)
            comparing.finished.connect(self._on_finished)
            comparing.failed.connect(self._on_failed)
            comparing.reported.connect(self._on_reported)
        return self._comparing

    def _opened(self, asked: "PairRequest", opened: ExitStack, token: CancelToken) -> "Pair":
        """Open both sides; on the thread that measures."""
        from stainapp.compare.opening import open_pair

        return open_pair(asked, self._store, opened, token, self._noted.emit)

    def _on_finished(self, found: object) -> None:
        from stainapp.compare.comparison import Comparison

        assert isinstance(found, Comparison)
        self.panel.show_comparison(found, *self._names)

    def _on_failed(self, sentence: str) -> None:
        self.panel.show_failed(sentence)
        self._window.status.show_hint("")
        self._window.messages.say(sentence)

    def _on_reported(self, written: tuple[Path, ...]) -> None:
        names = ", ".join(path.name for path in written)
        self._window.status.show_hint(f"Written to {written[0].parent}: {names}.")

    def _go_to(self, name: str) -> None:
        for region in self._editor.regions.areas:
            if region.name == name:
                self._window.view.show_rect(region.bounds)
                return
