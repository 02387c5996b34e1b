"""Where tiles of a stain may lie: drawn by chance to learn from, side by side to judge by."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from stainapp.errors import RecipeError
from training.fields import Field, Places, SplitName

MOST_CELLS = 20_000
"""Cells of a field, by chance, among which tiles side by side are chosen."""
FEWEST_TILES = 8
"""Tiles side by side that there must be room for in what is learnt from."""
SOURCE, TARGET, ALIKE = 0, 1, 2
"""Streams of chance: one each for the stains of unpaired data."""

Place = tuple[Field, int, int]
"""A field, and the corner of a tile in it in working pixels."""


@dataclass(frozen=True, slots=True)
class Room:
    """Fields of one stain and one split, with every place a tile may be cut at."""

    stain: int
    split: SplitName
    side: int
    """Of a tile, in working pixels."""
    min_tissue: float
    fields: tuple[Field, ...]
    places: tuple[Places, ...]
    weights: NDArray[np.float64]

    @classmethod
    def of(
        cls,
        fields: Sequence[Field],
        stain: int,
        split: SplitName,
        side: int,
        min_tissue: float,
        fewest: int = FEWEST_TILES,
    ) -> "Room":
        """Find where tiles may lie in the fields of a stain that belong to a split.

        To learn from there must be tissue for the ``fewest``.

        Raises:
            RecipeError: there is no room, or too little; says why.
        """
        of_split = [field for field in fields if field.split == split]
        small = [field for field in of_split if field.whole and not field.fits(side)]
        if small:
            raise RecipeError(_too_small(small, side, split))
        found = [(field, field.places(side, min_tissue)) for field in of_split]
        kept = [(field, places) for field, places in found if places]
        if not kept:
            raise RecipeError(_why_no_room(of_split, stain, split, side))
        sizes = np.array([field.tissue_px for field, _ in kept])
        room = sizes.sum() / side**2
        if split == "train" and room < fewest:
            raise RecipeError(
                f"There is tissue for {room:.0f} tiles of {side} px to learn from, and "
                f"{fewest} are needed; draw larger regions, add images or lower data.tile_px."
            )
        own, places = zip(*kept, strict=True)
        return cls(stain, split, side, min_tissue, own, places, sizes / sizes.sum())

    @property
    def tissue_px(self) -> float:
        """Working pixels of tissue."""
        return sum(field.tissue_px for field in self.fields)

    def draw(self, rng: np.random.Generator) -> Place:
        """Return a place of chance."""
        chosen = int(rng.choice(len(self.fields), p=self.weights))
        field, places = self.fields[chosen], self.places[chosen]
        at = np.array(places.cell(int(rng.integers(len(places))))) + rng.random(2)
        i, j = field.corners(at[None], self.side)[0]
        return field, int(i), int(j)

    def side_by_side(self, side: int, count: int, seed: int) -> Iterator[Place]:
        """Choose tiles that do not overlap, from all fields in turn; always the same ones.

        Args:
            side: of these tiles, in working pixels.
            count: how many are wanted; there may be more or fewer.
            seed: the run's.
        """
        fields = self.fields
        first = np.random.default_rng((seed, self.stain, side))
        if len(fields) > count:  # a fair choice of them
            fields = tuple(fields[n] for n in first.permutation(len(fields)))
        waiting = [
            _apart(field, field.places(side, self.min_tissue), side, rng)
            for field, rng in zip(fields, first.spawn(len(fields)), strict=True)
        ]
        while waiting:
            still = []
            for places in waiting:
                place = next(places, None)
                if place is not None:
                    yield place
                    still.append(places)
            waiting = still

    def why_none(self, side: int) -> str:
        """Return the sentence on why no tile of ``side`` can be cut."""
        return _why_no_room(self.fields, self.stain, self.split, side)


def _apart(field: Field, places: Places, side: int, rng: np.random.Generator) -> Iterator[Place]:
    """Yield places of chance that lie a tile from all before."""
    cells = rng.permutation(places.cells())[:MOST_CELLS].astype(np.float64)
    corners = field.corners(cells, side)
    while len(corners):
        i, j = corners[0]
        yield field, int(i), int(j)
        corners = corners[(np.abs(corners - corners[0]) >= side).any(axis=1)]


def _too_small(small: Sequence[Field], side: int, split: SplitName) -> str:
    key = "data.tile_px" if split == "train" else "data.validation_px"
    info = small[0].reader.info
    more = f" and {len(small) - 1} more" if len(small) > 1 else ""
    return (
        f"{small[0].name} ({info.width_px} x {info.height_px} px){more} is smaller than {key}, "
        f"{side} px at the recipe's scale; lower that, or take out what is smaller."
    )


def _why_no_room(of_split: Sequence[Field], stain: int, split: SplitName, side: int) -> str:
    what = "to learn from" if split == "train" else "to judge by"
    if not of_split:
        word = "target" if stain == TARGET else "source"
        return (
            f"No region of the {word} stain is left {what}; "
            "draw another region, or set `split` in the recipe."
        )
    names = of_split[0].name if len(of_split) == 1 else f"{of_split[0].name} and others"
    key = "data.tile_px" if split == "train" else "data.validation_px"
    if any(field.far_off_px >= side**2 for field in of_split):
        return (
            f"Nowhere in {names} is a tile of {side} px {what} registered well enough; register "
            "the slides anew, draw other regions, or raise data.max_error_um."
        )
    if any(field.places(side, 0) for field in of_split):
        return (
            f"Nowhere in {names} does a tile of {side} px {what} show enough tissue; draw regions "
            "of tissue, or lower data.min_tissue."
        )
    return (
        f"A tile of {side} px at the recipe's scale does not fit into {names} {what}; "
        f"draw a larger region or lower {key}."
    )
