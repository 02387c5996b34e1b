"""Tiles that were shown lately, bounded in bytes."""

from collections import OrderedDict
from typing import Generic, TypeAlias, TypeVar

from stainapp.tiles.grid import TileKey

T = TypeVar("T")

CacheKey: TypeAlias = tuple[str, TileKey]
"""The reader's identity, and the tile."""


class TileCache(Generic[T]):
    """Drops what was used least recently once it holds more than ``max_bytes``.

    It belongs to one thread: readers and networks put nothing here themselves, they send
    what they made to the thread that paints.
    """

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._bytes = 0
        self._tiles: OrderedDict[CacheKey, tuple[T, int]] = OrderedDict()

    @property
    def bytes_held(self) -> int:
        return self._bytes

    def __contains__(self, key: CacheKey) -> bool:
        """Look without counting it as a use."""
        return key in self._tiles

    def get(self, key: CacheKey) -> T | None:
        """Return a tile and count it as used."""
        found = self._tiles.get(key)
        if found is None:
            return None
        self._tiles.move_to_end(key)
        return found[0]

    def put(self, key: CacheKey, tile: T, size_bytes: int) -> None:
        """Keep a tile; one larger than the whole cache is not kept."""
        if key in self._tiles:
            self._bytes -= self._tiles.pop(key)[1]
        if size_bytes > self._max_bytes:
            return
        self._tiles[key] = (tile, size_bytes)
        self._bytes += size_bytes
        while self._bytes > self._max_bytes:
            self._bytes -= self._tiles.popitem(last=False)[1][1]

    def clear(self) -> None:
        self._tiles.clear()
        self._bytes = 0
