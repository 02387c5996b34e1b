"""The blocks that tiles are cut from now, in memory, and the next group read meanwhile."""

from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from threading import Lock
from typing import Generic, TypeVar

from training.volume_blocks import Order

T = TypeVar("T")


class HeldBlocks(Generic[T]):
    """A group of blocks or two, each read once a time it comes up; safe to use from many threads.

    Args:
        read: gets a block by its number; called by one thread of this object's own.
        order: which group an image belongs to.
        slack: images that may be asked for out of turn, as by threads that work ahead: no number
            may come that is lower by as much as this than another before it. One that does is
            answered, at the cost of reading again.
    """

    def __init__(self, read: Callable[[int], T], order: Order, slack: int) -> None:
        self._read, self._order, self._slack = read, order, slack
        self._groups: dict[int, list[Future[T]]] = {}
        self._lock = Lock()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="chunks")

    def group(self, number: int) -> Sequence[Callable[[], T]]:
        """Return what waits for each block of the group that an image belongs to."""
        order, group = self._order, self._order.group(number)
        with self._lock:
            self._let_go(number)
            own = self._wanted(group)
            begun = number - order.first(group)
            middle = (order.first(group + 1) - order.first(group)) // 2
            if begun >= min(self._slack, middle):  # by then the group before is let go
                self._wanted(group + 1)
        return [future.result for future in own]

    def close(self) -> None:
        self._thread.shutdown(cancel_futures=True)
        self._groups.clear()

    def _wanted(self, group: int) -> list[Future[T]]:
        if group not in self._groups:
            members = self._order.members(group)
            self._groups[group] = [self._thread.submit(self._read, one) for one in members]
        return self._groups[group]

    def _let_go(self, number: int) -> None:
        """Forget the groups that no image will come from any more, and those far ahead."""
        first = self._order.group(max(0, number - self._slack))
        last = self._order.group(number + self._slack) + 1
        for group in [one for one in self._groups if not first <= one <= last]:
            del self._groups[group]
