"""Tiles of one stain, or of pairs, from volumes: block by block to learn from, some to judge."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from stainapp.errors import RecipeError
from stainapp.runs.recipe_data import Data
from stainapp.slides.reader import RgbImage
from training.cuts import BLOCK_WORD
from training.fields import SplitName
from training.held_blocks import HeldBlocks
from training.tile_quality import quality
from training.volume_blocks import Block, Order, Three, extent, parted
from training.volume_file import Volume
from training.volume_levels import Levels

TRIES = 24
"""Places looked at before the best of their tiles is taken as it is."""
OWN_TRIES = 8
"""Of these in the block whose turn it is; a block may be all glass."""
SPREAD = 16
"""Blocks, if there are so many, that fixed tiles are taken from."""
LOOKS = 4
"""Times as many that are looked at where they are blank."""
MOST_BLOCK_BYTES = 1 << 30


class Pixels(NamedTuple):
    """A block, (z, y, x, 1 or 3) uint8 each."""

    source: NDArray[np.uint8]
    target: NDArray[np.uint8] | None
    """Of pairs."""


@dataclass(frozen=True)
class Tile:
    """A tile, and where it lies."""

    source: RgbImage
    target: RgbImage
    """Of pairs; else the tile itself."""
    place: str

    @cached_property
    def quality(self) -> float:
        """Below 1 where it is blank or blurred."""
        alike = self.source is self.target
        return min(quality(self.source), 1.0 if alike else quality(self.target))


class VolumeTiles:
    """One volume, or two in one frame, parted into blocks. `close` closes what it reads with."""

    def __init__(self, volumes: Sequence[Volume], data: Data, seed: tuple[int, ...]) -> None:
        """Part it.

        Args:
            volumes: source and target of pairs, or one.
            data: the recipe's.
            seed: of everything that is drawn.

        Raises:
            RecipeError: the volumes are no pair, or have too few chunks or too large ones.
        """
        self._volumes, self._seed, self._asked = volumes, seed, data.volumes
        self.name, self._side = volumes[0].name, data.tile_px
        self.blocks = _blocks(volumes, data)
        self._levels: Sequence[Levels] = ()
        self._held: HeldBlocks[Pixels] | None = None

    def sample(self, which: int) -> Iterator[NDArray[np.generic]]:
        """Yield some blocks to learn from of one of the volumes, as they are in the file."""
        blocks = self.blocks["train"]
        some = np.random.default_rng((*self._seed, 1)).permutation(len(blocks))
        for n in sorted(some[: self._asked.sample_chunks]):
            yield self._volumes[which].read(blocks[n].box)

    def begin(self, levels: Sequence[Levels], slack: int) -> None:
        """Take the line of each volume; from now on tiles can be had.

        Args:
            levels: of each volume.
            slack: see `HeldBlocks`.
        """
        blocks = self.blocks["train"]
        each = self._asked.tiles_per_chunk or blocks[0].count(self._side)
        self._levels = levels
        self.order = Order(len(blocks), self._asked.chunks_held, each, self._seed)
        self._held = HeldBlocks(lambda n: self._pixels(blocks[n]), self.order, slack)

    def close(self) -> None:
        if self._held is not None:
            self._held.close()
        for volume in self._volumes:
            volume.close()

    def draw(self, number: int, rng: np.random.Generator) -> Tile:
        """Cut image ``number`` at a place of chance in the block whose turn it is.

        One that is blank or blurred is drawn again, at last from the other blocks held.

        Raises:
            SlideError: the file is damaged there or has gone away.
        """
        assert self._held is not None
        group, own = self._held.group(number), self.order.turn(number)
        best: Tile | None = None
        for n in range(TRIES):
            pixels = group[own if n < OWN_TRIES else int(rng.integers(len(group)))]()
            free = np.array(pixels.source.shape[:3]) - (1, self._side, self._side)
            z, y, x = (int(rng.integers(most + 1)) for most in free)
            tile = _cut(pixels, (z, y, x), self._side, self.name)
            if best is None or tile.quality > best.quality:
                best = tile
            if best.quality >= 1:
                break
        assert best is not None
        return best

    def fixed(self, split: SplitName, side: int, count: int) -> list[Tile]:
        """Return tiles side by side, always the same ones, from blocks of chance."""
        blocks = self.blocks[split]
        rng = np.random.default_rng((*self._seed, 2, side))
        each = math.ceil(count / min(len(blocks), SPREAD))
        good: list[Tile] = []
        poor: list[Tile] = []
        for n in rng.permutation(len(blocks))[: SPREAD * LOOKS]:
            for tile in islice(self._side_by_side(blocks[n], side, rng), each):
                (good if tile.quality >= 1 else poor).append(tile)
            if len(good) >= count:
                break
        return (good or poor)[:count]

    def facts(self) -> dict[str, str]:
        """Return what became of each volume's numbers, by its name."""
        named = zip(self._volumes, self._levels, strict=True)
        return {volume.name: levels.said() for volume, levels in named}

    def region(self, split: SplitName) -> str:
        """Return the part of a split in words."""
        return f"{self.name}, {extent(self.blocks[split])}"

    def _side_by_side(self, block: Block, side: int, rng: np.random.Generator) -> Iterator[Tile]:
        """Yield those that are neither blank nor blurred before the others."""
        pixels, corners = self._pixels(block), list(block.corners(side))
        place = f"{self.name}{BLOCK_WORD}{block}"
        chosen = rng.permutation(len(corners))[: LOOKS * SPREAD]
        tiles = [_cut(pixels, corners[n], side, place) for n in chosen]
        yield from sorted(tiles, key=lambda tile: -min(tile.quality, 1.0))

    def _pixels(self, block: Block) -> Pixels:
        each = zip(self._volumes, self._levels, strict=True)
        found = [levels.apply(volume.read(block.box)) for volume, levels in each]
        return Pixels(found[0], found[1] if len(found) > 1 else None)


def _cut(pixels: Pixels, corner: Three, side: int, place: str) -> Tile:
    z, y, x = corner
    there = (z, slice(y, y + side), slice(x, x + side))
    source = _rgb(pixels.source[there])
    return Tile(source, source if pixels.target is None else _rgb(pixels.target[there]), place)


def _rgb(slice_: NDArray[np.uint8]) -> RgbImage:
    """Return a copy of (H, W, 1 or 3) in three channels."""
    return np.repeat(slice_, 3, axis=2) if slice_.shape[2] == 1 else slice_.copy()


def _blocks(volumes: Sequence[Volume], data: Data) -> dict[SplitName, list[Block]]:
    first, *others = volumes
    for other in others:
        if other.shape != first.shape:
            raise RecipeError(
                f"{first.name} ({_times(first.shape)}) and {other.name} ({_times(other.shape)}) "
                'are no pair in one frame; register them first, or set data.pairing to "unpaired".'
            )
    side = max(data.tile_px, data.validation_px)
    if min(first.shape[1:]) < side:
        key = "tile_px" if data.tile_px == side else "validation_px"
        raise RecipeError(
            f"{first.name} ({_times(first.shape)}, z first) is smaller than data.{key}, {side} "
            "px; lower that, or name a larger volume."
        )
    z, y, x = (math.lcm(*sides) for sides in zip(*(v.chunk for v in volumes), strict=True))
    found = parted(first.shape, (z, y, x), side, data.validation_share, data.volumes.gap)
    if found is None:
        raise RecipeError(
            f"{first.name} ({_times(first.shape)}, in chunks of {z} x {y} x {x}) has too few "
            "chunks to keep some apart to judge by; store it in smaller ones, or lower "
            "data.volumes.gap or data.validation_px."
        )
    size = max(math.prod(one.size) for one in found["train"] + found["validation"])
    most = size * max(v.channels * v.dtype.itemsize for v in volumes)
    if most > MOST_BLOCK_BYTES:
        raise RecipeError(
            f"{first.name} has chunks of {z} x {y} x {x}, so that {most / 2**30:.1f} GiB would be "
            "read at a time; store it, and its partner alike, in smaller chunks."
        )
    return dict(found)


def _times(shape: Sequence[int]) -> str:
    return " x ".join(map(str, shape))
