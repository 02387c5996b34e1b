"""Tiles cut out of fields, and how good each is to learn from."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from stainapp.models.stainer import Tiles
from stainapp.slides.reader import RgbImage
from training.fields import Field
from training.tile_quality import quality

DAMAGED = -1.0
"""Quality of a tile that the file does not hold any more."""
BLOCK_UM = 1000.0
"""Side of the blocks that a large region is parted into for intervals."""


BLOCK_WORD = ", block "
"""Between a region's name and its block's."""


@dataclass(frozen=True)
class Cut:
    """A tile, and where it was cut."""

    field: Field
    i: int
    j: int
    source: RgbImage
    target: RgbImage
    """Of pairs; else the tile itself."""

    @property
    def place(self) -> str:
        """The region's name; in one larger than a block, with the block's row and column."""
        field = self.field
        block = BLOCK_UM / (field.scale.mpp or 1.0)
        extent = max(field.area.width, field.area.height) / field.scale.step
        if extent <= block:
            return field.name
        return f"{field.name}{BLOCK_WORD}{int(self.j // block)}.{int(self.i // block)}"

    @property
    def slide(self) -> str:
        """Name of the slide's file; "" of an image, which may be any part of any slide."""
        return "" if self.field.whole else self.field.reader.info.path.name

    @cached_property
    def quality(self) -> float:
        """Below 1 where a tile is blank or blurred; none at all where the file is damaged."""
        if not self.field.is_sound(self.i, self.j, len(self.source)):
            return DAMAGED
        alike = self.source is self.target
        return min(quality(self.source), 1.0 if alike else quality(self.target))


def cut_at(field: Field, i: int, j: int, side: int) -> Cut:
    """Cut a tile of ``side`` working pixels, and its partner's where there is one."""
    tile = field.read(i, j, side)
    target = tile if field.partner is None else field.read_partner(i, j, side)
    return Cut(field, i, j, tile, target)


def best_cuts(places: Iterator[tuple[Field, int, int]], side: int, count: int) -> list[Cut]:
    """Cut tiles in order, passing over what is damaged, and blank or blurred unless all are."""
    poor: list[Cut] = []
    good: list[Cut] = []
    for field, i, j in places:
        cut = cut_at(field, i, j, side)
        if cut.quality != DAMAGED:
            (good if cut.quality >= 1 else poor).append(cut)
        if len(good) == count:
            break
    return good or poor[:count]


def stacks(found: Sequence[Sequence[Cut]]) -> tuple[Tiles, Tiles]:
    """Return the tiles of source and target; those of pairs are in one list."""
    source = np.stack([cut.source for cut in found[0]])
    return source, np.stack([cut.target for cut in found[-1]])
