"""Decides which tile is worked on next. Runs on one thread; knows no Qt."""

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field

from stainapp.cancel import CancelToken
from stainapp.tiles.grid import TileKey


@dataclass(frozen=True, eq=False, slots=True)
class TileJob:
    """One attempt at one tile. A tile asked for again is a new job."""

    key: TileKey
    token: CancelToken = field(default_factory=CancelToken)


class TileScheduler:
    """Holds what is wanted and hands it out, one job for each free worker.

    Wishes are restated, never edited: what a new wish does not repeat is dropped, or
    cancelled where it has started. Workers ask for the next job when they are free, so
    that nothing stale ever waits in a thread's queue.
    """

    def __init__(self, max_running: int = 1) -> None:
        self._max_running = max_running
        self._waiting: deque[TileKey] = deque()
        self._running: set[TileJob] = set()

    def want(self, keys: Iterable[TileKey]) -> None:
        """Replace all earlier wishes; the first key is the most urgent."""
        wanted = dict.fromkeys(keys)
        for job in self._running:
            if job.key not in wanted:
                job.token.cancel()
        in_hand = {job.key for job in self._running if not job.token.cancelled}
        self._waiting = deque(key for key in wanted if key not in in_hand)

    def next(self) -> TileJob | None:
        """Start the most urgent tile, or return None if busy or out of work."""
        if not self._waiting or len(self._running) >= self._max_running:
            return None
        job = TileJob(self._waiting.popleft())
        self._running.add(job)
        return job

    def done(self, job: TileJob) -> bool:
        """Take back a job; return whether its result is still wanted."""
        self._running.discard(job)
        return not job.token.cancelled
