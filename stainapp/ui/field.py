"""The pictures of the field in view, and their tiles: real, virtual, and the reference."""

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor

from PySide6.QtCore import QObject, QTimer, Signal, Slot

from stainapp.geometry import Rect
from stainapp.slides.reader import SlideReader
from stainapp.tiles.cache import TileCache
from stainapp.tiles.grid import TileGrid, TileKey, View
from stainapp.ui.feeds import Tile, TileFeed, yield_to_window
from stainapp.ui.picture import Picture

CACHE_BYTES = 768 << 20
READING_THREADS = 3
BACKDROP_STEPS = 2
"""How much coarser the tiles are that come first, so that something shows at once."""
SOUND: tuple[tuple[Rect, ...], ...] = (), ()
"""Neither the slide nor the reference is damaged."""
AHEAD = 1.5
"""What is read ahead, as a multiple of the view's sides."""


class Field(QObject):
    """Keeps the feeds of one slide and what is shown over it, and asks them for what is in view.

    The virtual picture is a stack: exact tiles, the preview, and, until the new model
    covers the view, the picture of the model before.
    """

    changed = Signal(bool)
    """The feeds were asked or have answered; whether tiles came."""
    tiles_waiting = Signal(object)  # int
    damage_found = Signal(object)  # int: parts that could not be read
    failed = Signal(str)

    def __init__(self, parent: QObject | None = None, cache: TileCache[Tile] | None = None) -> None:
        """Begin without a slide.

        Args:
            parent: owns it.
            cache: for tiles, where several fields share one bound.
        """
        super().__init__(parent)
        self.pool = ThreadPoolExecutor(READING_THREADS, "reading", initializer=yield_to_window)
        self._cache = TileCache[Tile](CACHE_BYTES) if cache is None else cache
        self._real: TileFeed | None = None
        self._preview: TileFeed | None = None
        self._exact: TileFeed | None = None
        self._before: tuple[TileFeed, ...] = ()
        self._reference: TileFeed | None = None
        self._reference_wanted = True
        self._view = View(0, 0, 0, 0)
        self._visible: tuple[TileKey, ...] = ()
        self._waiting = 0
        self._news = False
        self._damage: tuple[tuple[Rect, ...], ...] = SOUND
        """Of the slide, and of the reference."""
        # Both run once a turn of the event loop, however often the view moved or tiles came.
        self._restating = single_shot(self, 0, self._restate)
        self._report = single_shot(self, 0, self._on_report)

    @property
    def grid(self) -> TileGrid | None:
        """The grid of the slide, and of everything that is shown over it."""
        return self._real.grid if self._real else None

    @property
    def real(self) -> tuple[TileFeed, ...]:
        return (self._real,) if self._real else ()

    @property
    def virtual(self) -> tuple[TileFeed, ...]:
        """The stack of the virtual picture, the best first; empty where there is none."""
        return tuple(feed for feed in (self._exact, self._preview) if feed) + self._before

    @property
    def reference(self) -> tuple[TileFeed, ...]:
        return (self._reference,) if self._reference else ()

    def stack(self, picture: Picture) -> tuple[TileFeed, ...]:
        """Return the feeds of a picture, the best first; empty where there is none."""
        return {
            Picture.REAL: self.real,
            Picture.VIRTUAL: self.virtual,
            Picture.REFERENCE: self.reference,
        }[picture]

    @property
    def visible(self) -> tuple[TileKey, ...]:
        """The tiles in view, the central one first."""
        return self._visible

    @property
    def busy(self) -> bool:
        """Whether something is still to be asked for, awaited or shown."""
        return self._waiting > 0 or self._restating.isActive() or self._report.isActive()

    def damage_of(self, picture: Picture) -> tuple[Rect, ...]:
        """Return what of a picture could not be read: it is what its slide's file lacks."""
        return self._damage[picture is Picture.REFERENCE]

    @property
    def waiting(self) -> int:
        """Tiles of the view that are still to come, of all pictures."""
        return self._waiting

    @property
    def only_preview(self) -> bool:
        """Whether a part of the view shows no exact virtual tile."""
        exact = self._exact
        return exact is None or any(exact.tile(key) is None for key in self._visible)

    def show_slide(self, reader: SlideReader) -> None:
        """Show another slide; returns when nothing reads from the one before."""
        self.clear()
        self._real = self._feed(reader)

    def show_preview(self, reader: SlideReader) -> None:
        """Begin another model's picture; the one before stays below until this one covers it."""
        before = self.virtual
        self._forget_stack()
        self._before = before
        self._preview = self._feed(reader)
        self._restate()

    def show_virtual(self, feed: TileFeed) -> None:
        """Add exact tiles over the preview; the feed belongs to whoever stains."""
        if self._exact is not None:
            self._before = (self._exact, *self._before)
        self._exact = feed
        feed.arrived.connect(self._on_arrived)
        feed.failed.connect(self.failed)
        self._restate()

    def show_reference(self, reader: SlideReader | None) -> None:
        """Show another slide in this one's frame, or none; the one before can be closed then.

        Raises:
            ValueError: the reader has another frame.
        """
        grid = self.grid
        if reader is not None and grid is not None and grid.steps != TileGrid(reader.info).steps:
            raise ValueError("the reference must have the slide's own levels")
        if self._reference is not None:
            self._reference.close()
        self._reference = self._feed(reader) if reader is not None else None
        self._restate()

    def want_reference(self, wanted: bool) -> None:
        """Say whether the reference is looked at: it is not read where nobody does."""
        if wanted != self._reference_wanted:
            self._reference_wanted = wanted
            self._restating.start()

    def clear_virtual(self) -> None:
        self._forget_stack()
        self._before = ()
        self._restate()

    def clear(self) -> None:
        """Let go of the slide; returns when no thread reads from it for the screen."""
        self._forget_stack()
        self._before = ()
        for feed in (self._real, self._reference):
            if feed is not None:
                feed.close()
        self._real = self._reference = None
        self._visible, self._damage = (), SOUND
        self._on_report()
        self._restating.stop()

    def close(self) -> None:
        self.clear()
        self._report.stop()
        self.pool.shutdown(wait=True, cancel_futures=True)

    def look(self, view: View, level: int) -> None:
        """Say what is in view; what is not in view any more is given up."""
        self._view = view
        grid = self.grid
        self._visible = tuple(grid.tiles_in_view(view, level)) if grid else ()
        self._restating.start()

    def _restate(self) -> None:
        grid = self.grid
        if grid is None or not self._visible:
            self._report.start()
            return
        level = self._visible[0].level
        coarse = min(level + BACKDROP_STEPS, len(grid.steps) - 1)
        backdrop = grid.tiles_in_view(self._view, coarse)
        ahead = grid.tiles_in_view(self._view.grown(AHEAD), level)
        assert self._real is not None
        self._real.want([*backdrop, *self._visible, *ahead])
        if self._reference is not None:
            seen = [*backdrop, *self._visible] if self._reference_wanted else ()
            self._reference.want(seen)
        if self._exact is not None:
            self._exact.want(self._visible)
        if self._preview is not None:
            self._preview.want([*backdrop, *self._not_exact(self._visible)])
        self._report.start()

    def _not_exact(self, keys: Iterable[TileKey]) -> list[TileKey]:
        exact = self._exact
        return [key for key in keys if exact is None or exact.tile(key) is None]

    def _feed(self, reader: SlideReader) -> TileFeed:
        feed = TileFeed(reader, self._cache, self.pool, threads=READING_THREADS, parent=self)
        feed.arrived.connect(self._on_arrived)
        feed.failed.connect(self.failed)
        return feed

    def _forget_stack(self) -> None:
        """End what feeds the virtual picture; what it holds can still be painted."""
        if self._preview is not None:
            self._preview.close()
        if self._exact is not None:
            self._exact.stop()
        self._preview = self._exact = None

    @Slot(object)
    def _on_arrived(self, key: TileKey) -> None:
        self._news = True
        self._report.start()

    @Slot()
    def _on_report(self) -> None:
        self._drop_the_model_before()
        waiting = self._count_waiting()
        if waiting != self._waiting:
            self._waiting = waiting
            self.tiles_waiting.emit(waiting)
        feeds = self._real, self._reference
        damage = tuple(feed.reader.damaged if feed else () for feed in feeds)
        if damage != self._damage:
            self._damage = damage
            self.damage_found.emit(sum(map(len, damage)))
        news, self._news = self._news, False
        self.changed.emit(news)

    def _count_waiting(self) -> int:
        reference = self._reference if self._reference_wanted else None
        feeds = [feed for feed in (self._real, self._exact, reference) if feed]
        waiting = sum(feed.is_missing(key) for feed in feeds for key in self._visible)
        if self._preview is not None:
            waiting += sum(
                self._preview.is_missing(key)
                for key in self._not_exact(self._visible)
                if self._exact is None or not self._exact.is_missing(key)
            )
        return waiting

    def _drop_the_model_before(self) -> None:
        """Drop the older picture once the newer one covers the view."""
        new = [feed for feed in (self._exact, self._preview) if feed]
        if self._before and all(any(feed.tile(key) for feed in new) for key in self._visible):
            self._before = ()


def single_shot(owner: QObject, interval_ms: int, slot: Callable[[], None]) -> QTimer:
    """Return a timer that calls ``slot`` once after each start; 0: at the loop's next turn."""
    timer = QTimer(owner)
    timer.setSingleShot(True)
    timer.setInterval(interval_ms)
    timer.timeout.connect(slot)
    return timer
