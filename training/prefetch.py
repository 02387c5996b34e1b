"""Batches cut and augmented ahead by other threads, while the network learns."""

from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor

from training.datasets import Batch
from training.sources import TileSource

AHEAD = 4
"""Batches held ready."""


class Prefetch:
    """Batches in order, from a first image on; this process's share of each.

    Args:
        data: where tiles come from.
        first: number of the first image.
        batch: images a step, over all processes.
        rank, processes: whose share.
    """

    def __init__(self, data: TileSource, first: int, batch: int, rank: int, processes: int) -> None:
        self._data, self._batch = data, batch
        self._share = batch // processes
        self._offset = rank * self._share
        self._next = first
        self._threads = ThreadPoolExecutor(2, thread_name_prefix="tiles")
        self._ahead: deque[Future[Batch]] = deque()

    def take(self) -> Batch:
        """Return the next batch.

        Raises:
            SlideError: a slide cannot be read any more.
        """
        while len(self._ahead) < AHEAD:
            first = self._next + self._offset
            self._ahead.append(self._threads.submit(self._data.batch, first, self._share))
            self._next += self._batch
        return self._ahead.popleft().result()

    def close(self) -> None:
        self._threads.shutdown(cancel_futures=True)
