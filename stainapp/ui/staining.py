"""Virtual staining off the GUI thread: one thread, the accelerator being one resource."""

import gc
import logging
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any, Protocol, TypeAlias

from PySide6.QtCore import QObject, Signal, Slot

from stainapp.cancel import CancelToken
from stainapp.errors import Cancelled, StainAppError
from stainapp.models.torch_libraries import preload
from stainapp.settings import home
from stainapp.slides.reader import RgbImage, SlideReader
from stainapp.tiles.cache import TileCache
from stainapp.tiles.grid import TileGrid
from stainapp.ui.feeds import Tile, TileFeed, yield_to_window

log = logging.getLogger(__name__)

STAINING_NICENESS = 5
"""Behind the window, but not starved by whatever else the machine does."""
CACHE_BYTES = 512 << 20
LIVE_COST = 4.4
"""Network pixels for each shown pixel above which the preview stays."""


@dataclass(frozen=True, eq=False, slots=True)
class StainRequest:
    """All that the staining thread needs to know; a newer request replaces it."""

    source: SlideReader
    folder: Path
    device: str = "auto"
    template: RgbImage | None = None
    remember: bool = True
    """Whether the calibration is kept on disk; weights of one moment never come again."""
    token: CancelToken = field(default_factory=CancelToken)


class VirtualReader(SlideReader, Protocol):
    """A reader whose exact pixels may be too dear to show live, and can be cancelled."""

    def read(
        self,
        x: int,
        y: int,
        level: int,
        width_px: int,
        height_px: int,
        *,
        token: CancelToken | None = None,
    ) -> RgbImage: ...

    def is_live(self, level: int) -> bool: ...

    def at_strength(self, strength: float) -> "VirtualReader":
        """Return the same with more or less of the stain, 0..1; it is closed by itself."""
        ...


class PreviewReader(SlideReader, Protocol):
    """A reader that stands in for a virtual slide until the exact tiles are there."""

    def at_strength(self, strength: float) -> "PreviewReader": ...


class Tell(Protocol):
    """What the staining thread may report while it prepares a slide."""

    def preview(self, reader: PreviewReader) -> None: ...
    def progress(self, words: str) -> None: ...
    def notice(self, words: str) -> None: ...


Prepare: TypeAlias = Callable[[StainRequest, Tell], VirtualReader]
"""Opens and calibrates a model for a slide; runs on the staining thread."""


@dataclass(frozen=True, slots=True)
class _Report:
    """Something the thread has to say, with the request that it is about."""

    request: StainRequest
    signal: str
    value: object


class StainService(QObject):
    """The GUI thread's handle on staining: ask for a model on a slide, receive readers.

    Reports of a request that was replaced or stopped never arrive.
    """

    preview_ready = Signal(object)  # SlideReader, instant and approximate
    ready = Signal(object)  # VirtualReader; `feed` has its tiles
    progress = Signal(str)
    notice = Signal(str)
    """What the user should know, such as that memory ran out and the CPU goes on."""
    failed = Signal(str)
    idle = Signal()
    """The thread has nothing to do: the last request is ready, failed or stopped."""
    _reported = Signal(object)  # _Report, from the staining thread

    def __init__(
        self,
        parent: QObject | None = None,
        *,
        prepare: Prepare | None = None,
        cache: TileCache[Tile] | None = None,
        load: Callable[[], None] | None = None,
    ) -> None:
        super().__init__(parent)
        self._prepare = prepare or prepare_model
        self._load = load or load_libraries
        self._cache = cache or TileCache(CACHE_BYTES)
        self._thread = ThreadPoolExecutor(
            1, "staining", initializer=yield_to_window, initargs=(STAINING_NICENESS,)
        )
        self._request: StainRequest | None = None
        self._feed: TileFeed | None = None
        self._whole: dict[str, Any] = {}
        """Preview and virtual slide as they were prepared, by the signal that brings them."""
        self._strength = 1.0
        self._busy = False
        self._warm = False
        self._reported.connect(self._on_reported)

    @property
    def feed(self) -> TileFeed | None:
        """Exact tiles of the virtual slide that was `ready` last; None before."""
        return self._feed

    @property
    def busy(self) -> bool:
        """Whether a request is on its way to `ready` or `failed`."""
        return self._busy

    def start(
        self,
        source: SlideReader,
        folder: Path,
        *,
        device: str = "auto",
        template: RgbImage | None = None,
        remember: bool = True,
    ) -> None:
        """Stain a slide with the model in ``folder``, in place of what was asked before.

        `preview_ready` comes first, then `ready`; or `failed`.
        """
        self._drop()
        self._request = StainRequest(source, folder, device, template, remember)
        self._busy = True
        self._thread.submit(self._work, self._request)

    @property
    def strength(self) -> float:
        return self._strength

    def set_strength(self, strength: float) -> None:
        """Show more or less of the stain, now and in whatever is asked for next; 0..1.

        Nothing is prepared again: `preview_ready` and `ready` come at once, with other readers.
        """
        if strength == self._strength:
            return
        self._strength = strength
        if self._feed is not None:
            self._let_go(self._feed)
            self._feed = None
        for signal, reader in self._whole.items():
            self._show(signal, reader)

    def warm_up(self) -> None:
        """Load the libraries ahead, in a quiet moment; again, it does nothing."""
        if not self._warm:
            self._warm = True
            self._thread.submit(self._load)

    def stop(self) -> None:
        """Give up what is asked for. Work under way ends within one batch; see `when_idle`."""
        self._drop()
        if self._busy:
            self._busy = False
            self.idle.emit()

    def when_idle(self, action: Callable[[], None]) -> Future[None]:
        """Run ``action`` on the staining thread once all that was asked so far has ended.

        After `stop`, this is the moment to close a slide that the thread may be reading.
        """
        return self._thread.submit(action)

    def close(self) -> None:
        """Cancel everything and wait for the thread, which ends within one batch."""
        self._drop()
        self._busy = False
        self._thread.shutdown(wait=True, cancel_futures=True)

    def _drop(self) -> None:
        if self._request is not None:
            self._request.token.cancel()
            self._request = None
        if self._feed is not None:
            self._let_go(self._feed)
            self._feed = None
        if "ready" in self._whole:
            self._thread.submit(self._whole["ready"].close)
        self._whole.clear()

    def _let_go(self, feed: TileFeed) -> None:
        feed.stop()
        if feed.reader is not self._whole.get("ready"):
            self._thread.submit(feed.reader.close)  # after the tile under way

    def _work(self, request: StainRequest) -> None:
        """Prepare a model; on the staining thread."""
        tell = _Teller(request, self._reported.emit)
        try:
            request.token.check()
            tell("ready", self._prepare(request, tell))
        except Cancelled:
            return
        except StainAppError as error:
            tell("failed", str(error))
        except Exception:
            log.exception("%s could not be applied to %s", request.folder, request.source.info.path)
            tell("failed", f"{request.folder.name} cannot be applied here; the log says why.")

    @Slot(object)
    def _on_reported(self, report: _Report) -> None:
        if report.request is not self._request:
            if report.signal == "ready":
                self._close_late(report.value)
            return
        ended = report.signal in ("ready", "failed")
        if ended:
            self._busy = False
        if report.signal in ("preview_ready", "ready"):
            self._whole[report.signal] = report.value
            self._show(report.signal, report.value)
        else:
            getattr(self, report.signal).emit(report.value)
        if ended:
            self.idle.emit()

    def _show(self, signal: str, whole: Any) -> None:
        """Tell of a reader at the strength that is set."""
        reader = whole if self._strength == 1 else whole.at_strength(self._strength)
        if signal == "ready":
            self._feed = self._make_feed(reader)
        getattr(self, signal).emit(reader)

    def _make_feed(self, virtual: Any) -> TileFeed:
        grid = TileGrid(virtual.info)
        return TileFeed(
            virtual,
            self._cache,
            self._thread,
            threads=1,
            read=partial(_read, virtual),
            is_live=partial(_is_live, virtual, grid),
            parent=self,
        )

    def _close_late(self, virtual: Any) -> None:
        """Close a virtual slide that nobody waits for any more."""
        try:
            self._thread.submit(virtual.close)
        except RuntimeError:  # the service is closed: so is all that the slide held
            virtual.close()


class _Teller:
    """Sends reports of one request to the GUI thread."""

    def __init__(self, request: StainRequest, send: Callable[[_Report], None]) -> None:
        self._request = request
        self._send = send

    def __call__(self, signal: str, value: object) -> None:
        self._send(_Report(self._request, signal, value))

    def preview(self, reader: PreviewReader) -> None:
        self("preview_ready", reader)

    def progress(self, words: str) -> None:
        self("progress", words)

    def notice(self, words: str) -> None:
        self("notice", words)


def load_libraries() -> None:
    """Load what the first network needs; takes seconds. What fails here, `prepare_model` tells."""
    preload()
    for module in ("virtual_slide", "network_stainer"):
        import_module(f"stainapp.models.{module}")
    # What they made stays for good. To look it all over for garbage would stop every thread, the
    # window's too, for a tenth of a second each time.
    gc.freeze()


def prepare_model(request: StainRequest, tell: Tell) -> VirtualReader:
    """Open a model, show a preview, calibrate on the slide's tissue; the real `Prepare`.

    Imports torch for a network, so it must run on the staining thread.
    """
    from stainapp.models.calibration import calibrate_slide, quick_preview, remembered_state
    from stainapp.models.opening import open_stainer
    from stainapp.models.preview import PreviewSlide
    from stainapp.models.virtual_slide import VirtualSlide

    source, token = request.source, request.token
    tell.progress("Opening the model…")
    stainer = open_stainer(
        request.folder,
        device=request.device,
        precision="auto",
        template=request.template,
        notify=tell.notice,
    )
    token.check()
    cache = home() / "calibrations" if request.remember else None
    state = remembered_state(source, stainer, cache) if cache else None
    if state is None:
        tell.preview(quick_preview(source, stainer, token))
        tell.progress("Calibrating on the tissue…")
        state = calibrate_slide(source, stainer, cache=cache, token=token)
    if state.lut is not None:
        tell.preview(PreviewSlide(source, state.lut))
    virtual: VirtualReader = VirtualSlide(source, stainer, state)
    return virtual


def _read(virtual: VirtualReader, *where: Any) -> RgbImage:
    *place, token = where
    return virtual.read(*place, token=token)


def _is_live(virtual: VirtualReader, grid: TileGrid, index: int) -> bool:
    """Judge a step between levels by its own scale: it is made of a finer level's pixels."""
    step = grid.steps[index]
    if not virtual.is_live(step.level):
        return False
    scale = getattr(virtual, "scale", None)  # none where each pixel is stained by itself
    return scale is None or (step.downsample / scale.step) ** 2 <= LIVE_COST
