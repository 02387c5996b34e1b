"""The data of a run from volumes far larger than memory; what `training.datasets` is for slides.

Image number n is again the same whoever draws it. But it comes from the block of chunks whose turn
it is, so that an epoch reads each chunk once; several processes read them once each.
"""

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from typing import Any

import numpy as np

from stainapp.errors import RecipeError
from stainapp.models.stainer import Tiles
from stainapp.models.working_scale import NEAR
from stainapp.runs.recipe import Recipe
from stainapp.slides.reader import RgbImage
from training.augment import Turn, draw_turn, jitter_density
from training.datasets import Batch, JudgeTiles
from training.fields import Field, SplitName
from training.prefetch import AHEAD
from training.rooms import ALIKE, SOURCE, TARGET, Place
from training.volume_file import Volume, open_volume
from training.volume_levels import levels_of
from training.volume_tiles import Tile, VolumeTiles


class VolumeDataset:
    """See `training.sources.TileSource`."""

    def __init__(self, recipe: Recipe) -> None:
        """Open the volumes, part them, and estimate how their numbers become grey levels.

        Raises:
            RecipeError: the data will not do; says what and why.
            SlideError: a file is damaged.
        """
        data, self._seed = recipe.data, recipe.seed
        self._data, self._training = data, recipe.training
        self.paired = data.pairing != "unpaired"
        self.grey = data.pairing == "self"
        self.taught = False
        with ExitStack() as stack:
            volumes = []
            for address in filter(None, (data.volume_source, data.volume_target)):
                volumes.append(open_volume(address))
                stack.callback(volumes[-1].close)
            _refuse_grey(volumes[-1])
            for volume in volumes:
                _refuse_scale(volume, recipe.model.mpp)
            self._tiles = self._opened(volumes, stack)
            self._closing = stack.pop_all()

    def close(self) -> None:
        self._closing.close()

    def batch(self, first: int, count: int) -> Batch:
        """Return images ``first`` to ``first + count`` to learn from, augmented."""
        pairs = [self._train_pair(number) for number in range(first, first + count)]
        source, target = (np.stack(tiles) for tiles in zip(*pairs, strict=True))
        return Batch(source, target, first)

    def judge_tiles(self) -> JudgeTiles:
        """Return the fixed validation tiles; intervals are clustered by block."""
        found = self._fixed("validation", self._data.validation_px, self._data.validation_tiles)
        names = [tuple(tile.place for tile in tiles) for tiles in found]
        return JudgeTiles(*_stacks(found), names[0], names[-1])

    def calibration_tiles(self, count: int, side: int) -> tuple[Tiles, Tiles]:
        """Return tiles of the training part of both stains, to take norm statistics from."""
        return _stacks(self._fixed("train", side, count))

    def learnt_tiles(self, count: int) -> tuple[Tiles, Tiles]:
        """Return tiles of the training part of both stains to set beside those judged by."""
        return self.calibration_tiles(count, self._data.validation_px)

    def count_tiles(self, split: SplitName) -> int:
        """Return how many tiles fit side by side into the scarcer stain's part."""
        side = self._data.tile_px
        return min(sum(b.count(side) for b in one.blocks[split]) for one in self._tiles)

    def epochs(self) -> tuple[int, ...]:
        """Return the images of an epoch, of each stain."""
        return tuple(one.order.epoch for one in self._tiles)

    def facts(self) -> Mapping[str, Any]:
        return {
            "split_by": "slab of chunks",
            "learnt_from": [one.region("train") for one in self._tiles],
            "judged_by": [one.region("validation") for one in self._tiles],
            "grey_levels": {k: v for one in self._tiles for k, v in one.facts().items()},
        }

    def count_far_off(self) -> int:
        """Return none: volumes are in one frame, or are no pair."""
        return 0

    def fields(self, stain: int) -> tuple[Field, ...]:
        """Return none: a volume is no slide that regions could be drawn on."""
        return ()

    def example_squares(self, stain: int, split: SplitName, count: int) -> list[Place]:
        """Return none, as for `fields`."""
        return []

    def _opened(self, volumes: Sequence[Volume], stack: ExitStack) -> list[VolumeTiles]:
        """Part the volumes, pairs as one; then look at some of their chunks."""
        asked = self._data.volumes
        modes = (asked.source_normalisation, asked.target_normalisation)[-len(volumes) :]
        together = [volumes] if self.paired else [[one] for one in volumes]
        found, streams = [], (ALIKE,) if self.paired else (SOURCE, TARGET)
        for stream, some in zip(streams, together, strict=True):
            tiles = VolumeTiles(some, self._data, (self._seed, stream))
            stack.callback(tiles.close)
            of_volumes = [modes[volumes.index(one)] for one in some]
            levels = [
                levels_of(mode, asked.percentiles, one.dtype, one.name, tiles.sample(n))
                for n, (one, mode) in enumerate(zip(some, of_volumes, strict=True))
            ]
            tiles.begin(levels, slack=AHEAD * self._training.batch)
            found.append(tiles)
        return found

    def _train_pair(self, number: int) -> tuple[RgbImage, RgbImage]:
        jitter, pair = self._training.density_jitter, []
        streams = (ALIKE,) if self.paired else (SOURCE, TARGET)
        for stream, tiles in zip(streams, self._tiles, strict=True):
            rng = np.random.default_rng((self._seed, stream, number))
            tile = tiles.draw(number, rng)
            turn = draw_turn(rng) if self._training.turns else Turn(0, mirrored=False)
            pair.append(jitter_density(turn.apply(tile.source), jitter, rng))
            if self.paired:
                pair.append(turn.apply(tile.target))
        return pair[0], pair[1]

    def _fixed(self, split: SplitName, side: int, count: int) -> list[list[Tile]]:
        return [one.fixed(split, side, count) for one in self._tiles]


def _stacks(found: Sequence[Sequence[Tile]]) -> tuple[Tiles, Tiles]:
    source = np.stack([tile.source for tile in found[0]])
    return source, np.stack([tile.target for tile in found[-1]])


def _refuse_grey(target: Volume) -> None:
    if target.channels != 3:
        raise RecipeError(
            f"{target.name} is grey, and what is learnt to draw has colour; name a target of 3 "
            "channels."
        )


def _refuse_scale(volume: Volume, mpp: float) -> None:
    if volume.mpp is not None and abs(volume.mpp / mpp - 1) > NEAR:
        raise RecipeError(
            f"{volume.name} has {volume.mpp:g} um per voxel and the recipe {mpp:g}; set model.mpp "
            f"to {volume.mpp:g}, or name a level of that scale."
        )
