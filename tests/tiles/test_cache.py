from stainapp.tiles.cache import TileCache
from stainapp.tiles.grid import TileKey

A, B, C = (("slide", TileKey(0, column, 0)) for column in range(3))


def test_what_was_used_least_recently_goes_first() -> None:
    cache = TileCache[str](max_bytes=20)
    cache.put(A, "a", 10)
    cache.put(B, "b", 10)
    cache.get(A)

    cache.put(C, "c", 10)

    assert [cache.get(key) for key in (A, B, C)] == ["a", None, "c"]


def test_the_bound_holds_whatever_is_put() -> None:
    cache = TileCache[int](max_bytes=25)

    for column in range(50):
        cache.put(("slide", TileKey(0, column % 7, 0)), column, 1 + column % 9)
        assert cache.bytes_held <= 25


def test_a_tile_put_again_is_counted_once() -> None:
    cache = TileCache[str](max_bytes=20)

    cache.put(A, "old", 10)
    cache.put(A, "new", 10)

    assert (cache.get(A), cache.bytes_held) == ("new", 10)


def test_the_same_tile_of_two_readers_is_two_tiles() -> None:
    cache = TileCache[str](max_bytes=20)
    key = TileKey(0, 0, 0)

    cache.put(("real", key), "rose", 5)
    cache.put(("virtual", key), "green", 5)

    assert cache.get(("real", key)) == "rose"


def test_a_tile_larger_than_the_cache_is_not_kept() -> None:
    cache = TileCache[str](max_bytes=20)

    cache.put(A, "huge", 21)

    assert A not in cache
    assert cache.bytes_held == 0
