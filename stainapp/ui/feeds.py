"""Tiles of one reader on their way to the screen: read on threads, kept, never waited for."""

import logging
import os
import sys
import threading
from collections.abc import Callable, Iterable
from concurrent.futures import Executor, Future, wait
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from PIL import Image
from PySide6.QtCore import QObject, Signal, Slot
from PySide6.QtGui import QImage, QPixmap

from stainapp.cancel import CancelToken
from stainapp.errors import Cancelled, StainAppError
from stainapp.slides.reader import RgbImage, SlideReader
from stainapp.tiles.cache import TileCache
from stainapp.tiles.grid import TileGrid, TileKey
from stainapp.tiles.scheduler import TileJob, TileScheduler

log = logging.getLogger(__name__)

READING_NICENESS = 5

Read: TypeAlias = Callable[[int, int, int, int, int, CancelToken], RgbImage]
"""As `SlideReader.read`, and gives up with `Cancelled` once the token says so."""


@dataclass(frozen=True, slots=True)
class Tile:
    """A tile ready for the screen."""

    full: QPixmap
    half: QPixmap
    """Half as many pixels across: four times as fast to paint small, while the view moves."""


@dataclass(frozen=True, slots=True)
class _Outcome:
    """How a job ended: with a picture and its half, with an error, or with neither (cancelled)."""

    job: TileJob
    images: tuple[QImage, QImage] | None = None
    error: Exception | None = None


class TileFeed(QObject):
    """The tiles of one reader. Lives on the GUI thread and never makes it wait.

    `want` says what is in view; `arrived` tells of each tile that came. A tile that
    failed is not asked for again, and only the first failure is told.
    """

    arrived = Signal(object)  # TileKey, which `tile` now has
    failed = Signal(str)
    _ended = Signal(object)  # _Outcome, from the thread that read

    def __init__(
        self,
        reader: SlideReader,
        cache: TileCache[Tile],
        pool: Executor,
        *,
        threads: int = 3,
        read: Read | None = None,
        is_live: Callable[[int], bool] | None = None,
        parent: QObject | None = None,
    ) -> None:
        """Feed from a reader.

        Args:
            reader: open for as long as the feed is.
            cache: may be shared between feeds; it is bounded, the feed is not.
            pool: where tiles are read.
            threads: how many tiles are read at a time.
            read: used in place of ``reader.read`` where that can be cancelled midway.
            is_live: whether a step of the grid can be shown at all; by default each can.
        """
        super().__init__(parent)
        self.reader = reader
        self.grid = TileGrid(reader.info)
        self._identity = reader.info.identity
        self._cache = cache
        self._pool = pool
        self._read = read or _without_token(reader)
        self._is_live = is_live or _always
        self._threads = threads
        self._scheduler = TileScheduler(threads)
        self._futures: set[Future[None]] = set()
        self._lost: set[TileKey] = set()
        self._beside: list[TileFeed] = []
        self._closed = False
        self._ended.connect(self._on_ended)

    def beside(self, reader: SlideReader, read: Read) -> "TileFeed":
        """Return a feed of what is made from this one's reader, on its threads.

        It can be shown where this one can, and stops with it: this one's reader may close then.
        """
        feed = TileFeed(
            reader,
            self._cache,
            self._pool,
            threads=self._threads,
            read=read,
            is_live=self._is_live,
            parent=self,
        )
        self._beside.append(feed)
        return feed

    @property
    def reading(self) -> bool:
        """Whether a thread may still be reading for this feed, stopped or not."""
        return any(not future.done() for future in self._futures)

    def want(self, keys: Iterable[TileKey]) -> None:
        """Ask for tiles, the most urgent first; earlier wishes not repeated are dropped."""
        if not self._closed:
            self._scheduler.want(key for key in keys if self.is_missing(key))
            self._pump()

    def tile(self, key: TileKey) -> QPixmap | None:
        """Return a tile if it is here. A closed feed still has what is in the cache."""
        found = self._cache.get((self._identity, key))
        return found.full if found else None

    def half(self, key: TileKey) -> QPixmap | None:
        """Return a tile with half the pixels across if it is here."""
        found = self._cache.get((self._identity, key))
        return found.half if found else None

    def is_live(self, level: int) -> bool:
        """Return whether tiles of a step of the grid can come at all."""
        return self._is_live(level)

    def is_missing(self, key: TileKey) -> bool:
        """Return whether a tile is not here and can still come."""
        return (
            not self._closed
            and (self._identity, key) not in self._cache
            and key not in self._lost
            and self._is_live(key.level)
        )

    def stop(self) -> None:
        """Take no more wishes and cancel what is under way, without waiting for it."""
        self._closed = True
        self._scheduler.want(())
        for feed in self._beside:
            feed.stop()

    def close(self) -> None:
        """Stop, and return when no thread is reading for this feed any more."""
        self.stop()
        for future in self._futures:
            future.cancel()
        wait(self._futures)
        self._futures.clear()

    def _pump(self) -> None:
        self._futures = {future for future in self._futures if not future.done()}
        while job := self._scheduler.next():
            self._futures.add(self._pool.submit(self._work, job))

    def _work(self, job: TileJob) -> None:
        """Make one tile; on a thread of the pool."""
        try:
            job.token.check()
            pixels = read_tile(self._read, self.grid, self.reader, job)
            job.token.check()
            outcome = _Outcome(job, (to_qimage(pixels), to_qimage(_halved(pixels))))
        except Cancelled:
            outcome = _Outcome(job)
        except Exception as error:
            outcome = _Outcome(job, error=error)
        self._ended.emit(outcome)

    @Slot(object)
    def _on_ended(self, outcome: _Outcome) -> None:
        wanted = self._scheduler.done(outcome.job)
        if self._closed:
            return
        if outcome.images is not None:
            self._keep(outcome.job.key, *outcome.images)
        elif wanted and outcome.error is not None:
            self._fail(outcome.job.key, outcome.error)
        self._pump()

    def _keep(self, key: TileKey, full: QImage, half: QImage) -> None:
        tile = Tile(QPixmap.fromImage(full), QPixmap.fromImage(half))
        self._cache.put((self._identity, key), tile, full.sizeInBytes() + half.sizeInBytes())
        self.arrived.emit(key)

    def _fail(self, key: TileKey, error: Exception) -> None:
        first = not self._lost
        self._lost.add(key)
        if first:
            log.error("tile %s of %s failed", key, self.reader.info.path, exc_info=error)
            known = isinstance(error, StainAppError)
            name = self.reader.info.path.name
            self.failed.emit(
                str(error) if known else f"A part of {name} cannot be shown; the log says why."
            )
        self.arrived.emit(key)  # nothing more will come: whoever waits for it may stop


def read_tile(read: Read, grid: TileGrid, reader: SlideReader, job: TileJob) -> RgbImage:
    """Read one tile of a grid; tiles at the slide's right and bottom edge are smaller."""
    step = grid.steps[job.key.level]
    level = reader.info.levels[step.level]
    side = grid.tile_px * step.reduction
    left, top = job.key.column * side, job.key.row * side
    width, height = min(side, level.width_px - left), min(side, level.height_px - top)
    x, y = round(left * level.downsample), round(top * level.downsample)
    pixels = read(x, y, step.level, max(width, 1), max(height, 1), job.token)
    if step.reduction == 1:
        return pixels
    return np.asarray(Image.fromarray(pixels).reduce(step.reduction))


def _halved(pixels: RgbImage) -> RgbImage:
    return np.asarray(Image.fromarray(pixels).reduce(2))


def to_qimage(pixels: RgbImage) -> QImage:
    """Copy RGB into the format that screens take as it is."""
    pixels = np.ascontiguousarray(pixels)
    height, width, _ = pixels.shape
    rgb = QImage(pixels.data, width, height, 3 * width, QImage.Format.Format_RGB888)
    return rgb.convertToFormat(QImage.Format.Format_RGB32)


def yield_to_window(niceness: int = READING_NICENESS) -> None:
    """Let the GUI thread go first from now on; call it on the thread that should yield.

    Linux alone has a priority for each thread by this call; elsewhere nothing happens.
    """
    if sys.platform == "linux":
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), niceness)


def _without_token(reader: SlideReader) -> Read:
    def read(*where: Any) -> RgbImage:
        return reader.read(*where[:-1])

    return read


def _always(level: int) -> bool:
    return True
