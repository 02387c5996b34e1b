"""A volume parted into blocks of whole chunks, those to judge by apart, and the order of the rest.

A block is the least box of whole chunks that a tile fits into, so that to read each block once
is to read each chunk once.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise, product
from typing import TypeAlias

import numpy as np

from training.fields import SplitName
from training.volume_file import Box

Three: TypeAlias = tuple[int, int, int]
"""Along z, y and x."""
EPOCHS_KEPT = 4
"""Orders of epochs remembered: a batch may reach into the next."""


@dataclass(frozen=True, slots=True)
class Block:
    """A box of whole chunks."""

    start: Three
    stop: Three

    @property
    def box(self) -> Box:
        z, y, x = (slice(a, b) for a, b in zip(self.start, self.stop, strict=True))
        return z, y, x

    @property
    def size(self) -> Three:
        z, y, x = (b - a for a, b in zip(self.start, self.stop, strict=True))
        return z, y, x

    def corners(self, side: int) -> Iterator[Three]:
        """Yield the corners, counted from the block's, of tiles side by side in each slice."""
        depth, height, width = self.size
        rows, columns = range(0, height - side + 1, side), range(0, width - side + 1, side)
        yield from product(range(depth), rows, columns)

    def count(self, side: int) -> int:
        """Return how many these are."""
        depth, height, width = self.size
        return depth * (height // side) * (width // side)

    def __str__(self) -> str:
        ends = zip("zyx", self.start, self.stop, strict=True)
        return " ".join(f"{axis} {a}-{b - 1}" for axis, a, b in ends)


def parted(
    shape: Three, chunk: Three, side: int, share: float, gap: int
) -> Mapping[SplitName, list[Block]] | None:
    """Part a volume's blocks into those to learn from and those to judge by.

    The last slabs along z are judged by; where z has too few, the last along y, else along x.
    Between the two lie ``gap`` voxels or more that nothing is cut from, since neighbouring slices
    show the same cells.

    Args:
        shape: of the volume.
        chunk: what is read at a time.
        side: of the largest tile, which each block has room for.
        share: of the axis' length that is judged by, at the least.
        gap: in voxels along that axis.

    Returns:
        None where the volume has too few blocks for that.
    """
    edges = [
        _edges(length, step, least)
        for length, step, least in zip(shape, chunk, (1, side, side), strict=True)
    ]
    for axis, (length, own) in enumerate(zip(shape, edges, strict=True)):
        judged = [edge for edge in own[1:-1] if length - edge >= share * length][-1:]
        learnt = [edge for edge in own[1:-1] if judged and edge <= judged[0] - gap][-1:]
        if learnt:
            found = [
                Block((z[0], y[0], x[0]), (z[1], y[1], x[1]))
                for z, y, x in product(*map(pairwise, edges))
            ]
            return {
                "train": [one for one in found if one.stop[axis] <= learnt[0]],
                "validation": [one for one in found if one.start[axis] >= judged[0]],
            }
    return None


def extent(blocks: Sequence[Block]) -> Block:
    """Return the box around all of them."""
    starts = zip(*(one.start for one in blocks), strict=True)
    stops = zip(*(one.stop for one in blocks), strict=True)
    return Block(tuple(map(min, starts)), tuple(map(max, stops)))


def _edges(length: int, chunk: int, least: int) -> list[int]:
    """Return where blocks of whole chunks end, each with room for ``least``.

    A rest at the end that has none belongs to the block before it.
    """
    step = chunk * math.ceil(least / chunk)
    edges = list(range(0, length, step))
    if len(edges) > 1 and length - edges[-1] < least:
        edges.pop()
    return [*edges, length]


@dataclass(frozen=True)
class Order:
    """Which block image number n is cut from: a function of the seed and n alone.

    Each epoch shuffles the blocks and takes them in groups; a group's blocks take turns, in a
    shuffled order each time, until each has given its tiles. So each block is wanted in one
    stretch of an epoch only, and neighbours in the order are of different blocks.
    """

    blocks: int
    held: int
    """Blocks in a group; the last one of an epoch may have fewer."""
    tiles: int
    """That each block gives in an epoch."""
    seed: tuple[int, ...]

    @property
    def epoch(self) -> int:
        """Images in an epoch."""
        return self.blocks * self.tiles

    def group(self, number: int) -> int:
        """Return the number of an image's group, counted over all epochs."""
        epoch, within = divmod(number, self.epoch)
        return epoch * self._groups + within // (self.held * self.tiles)

    def first(self, group: int) -> int:
        """Return the number of a group's first image."""
        epoch, within = divmod(group, self._groups)
        return epoch * self.epoch + within * self.held * self.tiles

    def members(self, group: int) -> tuple[int, ...]:
        """Return the numbers of a group's blocks."""
        epoch, within = divmod(group, self._groups)
        start = within * self.held
        return _shuffled(self.blocks, self.seed, epoch)[start : start + self.held]

    def turn(self, number: int) -> int:
        """Return the place, among its group's, of the block that an image is cut from."""
        group = self.group(number)
        members = min(self.held, self.blocks - group % self._groups * self.held)
        turn, place = divmod(number - self.first(group), members)
        return int(np.random.default_rng((*self.seed, group, turn)).permutation(members)[place])

    @property
    def _groups(self) -> int:
        return math.ceil(self.blocks / self.held)


@lru_cache(EPOCHS_KEPT)
def _shuffled(count: int, seed: tuple[int, ...], epoch: int) -> tuple[int, ...]:
    return tuple(np.random.default_rng((*seed, epoch)).permutation(count).tolist())
