"""Where the tiles of a run come from: slides and images by place, or volumes by chunk."""

from collections.abc import Mapping
from typing import Any, Protocol

from stainapp.models.stainer import Tiles
from stainapp.runs.recipe import Recipe
from training.datasets import Batch, Dataset, JudgeTiles
from training.fields import Field, SplitName
from training.rooms import Place


class TileSource(Protocol):
    """What a recipe's data is, opened. Threads may share it; `close` closes the files."""

    paired: bool
    grey: bool

    @property
    def taught(self) -> bool:
        """Whether a teacher makes the targets."""
        ...

    def batch(self, first: int, count: int) -> Batch:
        """Return images ``first`` to ``first + count``, each a function of its number alone.

        Raises:
            SlideError: a file is damaged or has gone away.
        """
        ...

    def judge_tiles(self) -> JudgeTiles: ...

    def calibration_tiles(self, count: int, side: int) -> tuple[Tiles, Tiles]: ...

    def learnt_tiles(self, count: int) -> tuple[Tiles, Tiles]: ...

    def count_tiles(self, split: SplitName) -> int: ...

    def count_far_off(self) -> int:
        """Return how many tiles are left out because their pairs do not meet."""
        ...

    def facts(self) -> Mapping[str, Any]:
        """Return what a card's ``training`` says of the data."""
        ...

    def fields(self, stain: int) -> tuple[Field, ...]: ...

    def example_squares(self, stain: int, split: SplitName, count: int) -> list[Place]: ...

    def close(self) -> None: ...


def open_tiles(recipe: Recipe, *, learns: bool = True, device: str = "auto") -> TileSource:
    """Open what a recipe names.

    Args:
        recipe: names it.
        learns: see `Dataset`.
        device: where a teacher runs.

    Raises:
        RecipeError: the data will not do; says what and why.
        SlideError: a volume is damaged.
    """
    if recipe.data.volume_target:
        from training.volumes import VolumeDataset  # zarr and h5py take a third of a second

        return VolumeDataset(recipe)
    return Dataset(recipe, learns=learns, device=device)
