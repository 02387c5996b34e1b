"""The pictures of the field in view, and their tiles: real, virtual, reference, difference."""

from collections.abc import Callable, Collection, Iterable
from concurrent.futures import ThreadPoolExecutor

from PySide6.QtCore import QObject, QTimer, Signal, Slot

from stainapp.cancel import CancelToken
from stainapp.compare.difference_slide import DifferenceSlide
from stainapp.geometry import Rect
from stainapp.slides.reader import RgbImage, SlideReader
from stainapp.tiles.cache import TileCache
from stainapp.tiles.grid import TileGrid, TileKey, View
from stainapp.ui.feeds import Read, Tile, TileFeed, yield_to_window
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
    covers the view, the picture of the model before. The difference follows the others.
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
        self._difference: tuple[TileFeed, ...] = ()
        self._parting: list[TileFeed] = []
        """Differences of before, for which a thread may still be reading."""
        self._looked_at: frozenset[Picture] = frozenset()
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

    @property
    def differing(self) -> tuple[Picture, Picture] | None:
        """What the difference is of, the first less the second; None where there is one picture.

        The reference is what is true, where there is one: as in a comparison of regions.
        """
        base = Picture.REFERENCE if self.reference else Picture.REAL
        other = Picture.VIRTUAL if self.virtual else Picture.REAL
        return None if other is base else (other, base)

    def stack(self, picture: Picture) -> tuple[TileFeed, ...]:
        """Return the feeds of a picture, the best first; empty where there is none."""
        return {
            Picture.REAL: self.real,
            Picture.VIRTUAL: self.virtual,
            Picture.REFERENCE: self.reference,
            Picture.DIFFERENCE: self._difference,
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
    def previews(self) -> frozenset[Picture]:
        """The pictures of which a part of the view shows no exact virtual tile."""
        exact, differing = self._exact, self.differing
        found = {Picture.VIRTUAL: self._lacks_some(exact)}
        if differing is not None and differing[0] is Picture.VIRTUAL:
            first = self._difference[0] if exact and self._difference else None
            found[Picture.DIFFERENCE] = self._lacks_some(first)
        return frozenset(picture for picture, lacking in found.items() if lacking)

    def show_slide(self, reader: SlideReader) -> None:
        """Show another slide; returns when nothing reads from the one before."""
        self.clear()
        self._real = self._feed(reader)

    def show_preview(self, reader: SlideReader) -> None:
        """Begin another model's picture; the one before stays below until this one covers it."""
        before = self.virtual
        self._drop_difference()
        self._forget_stack()
        self._before = before
        self._preview = self._feed(reader)
        self._restate()

    def show_virtual(self, feed: TileFeed) -> None:
        """Add exact tiles over the preview; the feed belongs to whoever stains."""
        self._drop_difference()
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
        self._drop_difference(wait=True)
        if self._reference is not None:
            self._reference.close()
        self._reference = self._feed(reader) if reader is not None else None
        self._restate()

    def look_at(self, pictures: Collection[Picture]) -> None:
        """Say what is looked at: reference and difference are not read where nobody does."""
        if frozenset(pictures) != self._looked_at:
            self._looked_at = frozenset(pictures)
            self._restating.start()

    def clear_virtual(self) -> None:
        self._drop_difference()
        self._forget_stack()
        self._before = ()
        self._restate()

    def clear(self) -> None:
        """Let go of the slide; returns when no thread reads from it for the screen."""
        self._drop_difference(wait=True)
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
            seen = Picture.REFERENCE in self._looked_at
            self._reference.want([*backdrop, *self._visible] if seen else ())
        if self._exact is not None:
            self._exact.want(self._visible)
        if self._preview is not None:
            self._preview.want([*backdrop, *_lacking(self._exact, self._visible)])
        self._restate_difference(backdrop)
        self._report.start()

    def _restate_difference(self, backdrop: list[TileKey]) -> None:
        if Picture.DIFFERENCE not in self._looked_at:
            self._drop_difference()
            return
        if not self._difference:
            self._make_difference()
        exact = None
        for feed in self._difference[:-1]:
            feed.want(self._visible)
            exact = feed
        for feed in self._difference[-1:]:
            feed.want([*backdrop, *_lacking(exact, self._visible)])

    def _make_difference(self) -> None:
        """Set what is on show against what is true: its exact tiles, then its preview."""
        differing = self.differing
        if self._real is None or differing is None:
            return
        base = (self._reference or self._real).reader
        feeds = []
        if differing[0] is Picture.REAL:
            feeds.append(self._feed(DifferenceSlide(base, self._real.reader)))
        if self._exact is not None:
            exact = DifferenceSlide(base, self._exact.reader)
            feeds.append(self._exact.beside(exact, _cancellable(exact)))
            feeds[0].arrived.connect(self._on_arrived)
            feeds[0].failed.connect(self.failed)
        if self._preview is not None:
            feeds.append(self._feed(DifferenceSlide(base, self._preview.reader)))
        self._difference = tuple(feeds)

    def _drop_difference(self, *, wait: bool = False) -> None:
        """Let go of the difference, and with ``wait`` return when nothing is read for it."""
        for feed in self._difference:
            feed.stop()
        self._parting = [one for one in (*self._parting, *self._difference) if one.reading]
        self._difference = ()
        if wait:
            for feed in self._parting:
                feed.close()
            self._parting = []

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
        virtual = tuple(feed for feed in (self._exact, self._preview) if feed)
        stacks = [self.real, virtual]
        if Picture.REFERENCE in self._looked_at:
            stacks.append(self.reference)
        stacks.append(self._difference)
        return sum(_is_awaited(stack, key) for stack in stacks for key in self._visible)

    def _lacks_some(self, exact: TileFeed | None) -> bool:
        return exact is None or bool(_lacking(exact, self._visible))

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


def _lacking(exact: TileFeed | None, keys: Iterable[TileKey]) -> list[TileKey]:
    """Return those tiles that are not there exactly."""
    return [key for key in keys if exact is None or exact.tile(key) is None]


def _is_awaited(stack: Iterable[TileFeed], key: TileKey) -> bool:
    """Tell whether a tile is still to come; below the first that is here, none is waited for."""
    for feed in stack:
        if feed.is_missing(key):
            return True
        if feed.tile(key) is not None:
            return False
    return False


def _cancellable(slide: DifferenceSlide) -> Read:
    def read(x: int, y: int, level: int, width: int, height: int, token: CancelToken) -> RgbImage:
        return slide.read(x, y, level, width, height, token=token)

    return read
