"""The data of a run: a source of batches of uint8 tiles, each a function of its number alone.

Image number n is the same whoever draws it, whenever, in whatever process: so a run that was
killed goes on as if it had not been, and several processes share a batch without a word.
Tiles are streamed; what is kept are the rasters of where they may lie.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import islice
from threading import Lock

import numpy as np
from numpy.typing import NDArray

from stainapp.errors import RecipeError, SlideError
from stainapp.models.stainer import Tiles
from stainapp.runs.recipe import Origin, Recipe
from stainapp.slides.reader import RgbImage
from training.augment import Turn, draw_turn, jitter_density
from training.candidates import Candidate, Slides, candidates_of
from training.fields import Field, Places, SplitName
from training.files import file_candidates, folder_candidates
from training.image_slides import OpenFiles
from training.split import fields_of
from training.tile_quality import quality

TRIES = 24
"""Places looked at before the best of their tiles is taken as it is."""
MOST_CELLS = 20_000
"""Cells of a field, by chance, among which tiles side by side are chosen."""
LOOKS = 4
"""Places looked at for each fixed tile."""
FEWEST_TILES = 8
"""Tiles side by side that there must be room for in what is learnt from."""
DAMAGED = -1.0
"""Quality of a tile that the file does not hold any more."""
BLOCK_UM = 1000.0
"""Side of the blocks that a large region is parted into for intervals."""
SPLITS: tuple[SplitName, ...] = ("train", "validation")
SOURCE, TARGET, ALIKE = 0, 1, 2
"""Streams of chance: one each for the stains of unpaired data."""


@dataclass(frozen=True, slots=True)
class Batch:
    """Tiles to learn from."""

    source: Tiles
    target: Tiles
    first: int
    """Number of the first image, to draw further chance from."""


@dataclass(frozen=True, slots=True)
class JudgeTiles:
    """The fixed tiles that a run is judged by; unpaired stains may differ in number."""

    source: Tiles
    target: Tiles
    source_fields: tuple[str, ...]
    """The region that each source tile is of, or the block of a large one: what tiles near one
    another have in common, and intervals are clustered by."""
    target_fields: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Room:
    """Fields of one stain and one split, with every place a tile may be cut at."""

    fields: tuple[Field, ...]
    places: tuple[Places, ...]
    weights: NDArray[np.float64]


@dataclass(frozen=True)
class _Cut:
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
        return f"{field.name}, block {int(self.j // block)}.{int(self.i // block)}"

    @cached_property
    def quality(self) -> float:
        """Below 1 where a tile is blank or blurred; none at all where the file is damaged."""
        if not self.field.is_sound(self.i, self.j, len(self.source)):
            return DAMAGED
        alike = self.source is self.target
        return min(quality(self.source), 1.0 if alike else quality(self.target))


class Dataset:
    """What a recipe's data is, opened. `close` closes the slides; threads may share it."""

    def __init__(self, recipe: Recipe, *, learns: bool = True) -> None:
        """Open the slides and find the tissue.

        Args:
            recipe: names them.
            learns: False where models are only judged: all that the recipe does not put
                elsewhere is then to judge by.

        Raises:
            RecipeError: the data will not do; says what and why.
        """
        self._data, self._seed = recipe.data, recipe.seed
        self._training = recipe.training
        self.paired = recipe.data.pairing != "unpaired"
        self.grey = recipe.data.pairing == "self"
        self._rejected, self._counting = 0, Lock()
        self._slides, self._files = Slides(), OpenFiles()
        try:
            source, target = _candidates(recipe, self._slides, self._files)
            if not learns:
                source, target = _all_to_judge(source), _all_to_judge(target)
            fields = fields_of(source, target, recipe.data.validation_share)
            self.source_fields, self.target_fields = map(tuple, fields)
            self._rooms = {
                (stain, split): self._room(stain, split)
                for stain in self._stains
                for split in (SPLITS if learns else SPLITS[1:])
            }
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        self._slides.close()
        self._files.close()

    @property
    def rejected(self) -> int:
        """Tiles drawn so far that were blank or blurred, and drawn again."""
        return self._rejected

    @property
    def all_fields(self) -> tuple[Field, ...]:
        return self.source_fields + self.target_fields

    def fields(self, stain: int) -> tuple[Field, ...]:
        return self.target_fields if stain == TARGET else self.source_fields

    def batch(self, first: int, count: int) -> Batch:
        """Return images ``first`` to ``first + count`` to learn from, augmented."""
        pairs = [self._train_pair(number) for number in range(first, first + count)]
        source, target = (np.stack(tiles) for tiles in zip(*pairs, strict=True))
        return Batch(source, target, first)

    def judge_tiles(self) -> JudgeTiles:
        """Return the fixed validation tiles, side by side and never one over another."""
        data = self._data
        found = self._fixed_tiles("validation", data.validation_px, data.validation_tiles)
        names = [tuple(cut.place for cut in cuts) for cuts in found]
        source, target = _stacks(found)
        return JudgeTiles(source, target, names[0], names[-1])

    def calibration_tiles(self, count: int, side: int) -> tuple[Tiles, Tiles]:
        """Return tiles of the training fields of both stains, to take norm statistics from."""
        return _stacks(self._fixed_tiles("train", side, count))

    def count_tiles(self, split: SplitName) -> int:
        """Return how many tiles fit side by side into the scarcer stain's tissue."""
        sizes = [
            sum(field.tissue_px for field in self._rooms[stain, split].fields)
            for stain in self._stains
        ]
        return int(min(sizes) / self._data.tile_px**2)

    def example_squares(
        self, stain: int, split: SplitName, count: int
    ) -> list[tuple[Field, int, int]]:
        """Return up to ``count`` tiles side by side, as field and corner in working pixels."""
        return list(islice(self._side_by_side(stain, split, self._data.tile_px, count), count))

    @property
    def _stains(self) -> tuple[int, ...]:
        return (SOURCE,) if self.paired else (SOURCE, TARGET)

    def _train_pair(self, number: int) -> tuple[RgbImage, RgbImage]:
        jitter = self._training.density_jitter
        if self.paired:
            rng = np.random.default_rng((self._seed, ALIKE, number))
            cut = self._draw(SOURCE, rng)
            turn = self._turn(rng)
            return jitter_density(turn.apply(cut.source), jitter, rng), turn.apply(cut.target)
        pair = []
        for stain in (SOURCE, TARGET):
            rng = np.random.default_rng((self._seed, stain, number))
            cut = self._draw(stain, rng)
            pair.append(jitter_density(self._turn(rng).apply(cut.source), jitter, rng))
        return pair[0], pair[1]

    def _turn(self, rng: np.random.Generator) -> Turn:
        return draw_turn(rng) if self._training.turns else Turn(0, mirrored=False)

    def _draw(self, stain: int, rng: np.random.Generator) -> _Cut:
        """Cut a tile at a place of chance; one that is blank or blurred is drawn again.

        Raises:
            SlideError: wherever one looks, the slide is damaged: it has gone away.
        """
        best: _Cut | None = None
        for _ in range(TRIES):
            cut = _cut_at(*self._place(stain, rng), self._data.tile_px)
            if cut.quality >= 1:
                return cut
            with self._counting:
                self._rejected += 1
            if best is None or cut.quality > best.quality:
                best = cut
        assert best is not None
        if best.quality == DAMAGED:
            raise SlideError(
                f"{best.field.reader.info.path} is damaged or has gone away: none of {TRIES} "
                "places could be read; copy it again from where it came, and resume the run."
            )
        return best

    def _place(self, stain: int, rng: np.random.Generator) -> tuple[Field, int, int]:
        """Draw a field, and the corner of a tile in it in working pixels."""
        room, side = self._rooms[stain, "train"], self._data.tile_px
        chosen = int(rng.choice(len(room.fields), p=room.weights))
        field, places = room.fields[chosen], room.places[chosen]
        at = np.array(places.cell(int(rng.integers(len(places))))) + rng.random(2)
        i, j = field.corners(at[None], side)[0]
        return field, int(i), int(j)

    def _room(self, stain: int, split: SplitName) -> _Room:
        """Find where tiles of a split may lie, or say why there is no room."""
        side = self._data.tile_px if split == "train" else self._data.validation_px
        of_split = [field for field in self.fields(stain) if field.split == split]
        found = [(field, field.places(side, self._data.min_tissue)) for field in of_split]
        small = [field for field in of_split if field.whole and not field.fits(side)]
        if small:
            raise RecipeError(_too_small(small, side, split))
        kept = [(field, places) for field, places in found if places]
        if not kept:
            raise RecipeError(_why_no_room(of_split, stain, split, side))
        sizes = np.array([field.tissue_px for field, _ in kept])
        room = sizes.sum() / side**2
        if split == "train" and room < FEWEST_TILES:
            raise RecipeError(
                f"There is tissue for {room:.0f} tiles of {side} px to learn from, and "
                f"{FEWEST_TILES} are needed; draw larger regions, add images or lower data.tile_px."
            )
        fields, places = zip(*kept, strict=True)
        return _Room(fields, places, sizes / sizes.sum())

    def _fixed_tiles(self, split: SplitName, side: int, count: int) -> list[list[_Cut]]:
        """Return for each stain tiles side by side, always the same ones.

        Raises:
            RecipeError: there is no room for any.
        """
        found = []
        for stain in self._stains:
            places = islice(self._side_by_side(stain, split, side, count), count * LOOKS)
            cuts = _best(places, side, count)
            if not cuts:
                raise RecipeError(
                    _why_no_room(self._rooms[stain, split].fields, stain, split, side)
                )
            found.append(cuts)
        return found

    def _side_by_side(
        self, stain: int, split: SplitName, side: int, count: int
    ) -> Iterator[tuple[Field, int, int]]:
        """Choose tiles that do not overlap, from all fields in turn; always the same ones."""
        fields = self._rooms[stain, split].fields
        first = np.random.default_rng((self._seed, stain, side))
        if len(fields) > count:  # a fair choice of them
            fields = tuple(fields[n] for n in first.permutation(len(fields)))
        waiting = [
            _apart(field, field.places(side, self._data.min_tissue), side, rng)
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


def _all_to_judge(candidates: Sequence[Candidate]) -> list[Candidate]:
    judged = [one for one in candidates if one.split == "validation"]
    return judged or [replace(one, split="validation") for one in candidates]


def _stacks(found: Sequence[Sequence[_Cut]]) -> tuple[Tiles, Tiles]:
    """Return the tiles of source and target; those of pairs are in one list."""
    source = np.stack([cut.source for cut in found[0]])
    return source, np.stack([cut.target for cut in found[-1]])


def _best(places: Iterator[tuple[Field, int, int]], side: int, count: int) -> list[_Cut]:
    """Cut tiles in order, passing over what is damaged, and blank or blurred unless all are."""
    poor: list[_Cut] = []
    good: list[_Cut] = []
    for field, i, j in places:
        cut = _cut_at(field, i, j, side)
        if cut.quality != DAMAGED:
            (good if cut.quality >= 1 else poor).append(cut)
        if len(good) == count:
            break
    return good or poor[:count]


def _cut_at(field: Field, i: int, j: int, side: int) -> _Cut:
    tile = field.read(i, j, side)
    target = tile if field.partner is None else field.read_partner(i, j, side)
    return _Cut(field, i, j, tile, target)


def _apart(
    field: Field, places: Places, side: int, rng: np.random.Generator
) -> Iterator[tuple[Field, int, int]]:
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
    if any(field.places(side, 0) for field in of_split):
        return (
            f"Nowhere in {names} does a tile of {side} px {what} show enough tissue; draw regions "
            "of tissue, or lower data.min_tissue."
        )
    return (
        f"A tile of {side} px at the recipe's scale does not fit into {names} {what}; "
        f"draw a larger region or lower {key}."
    )


def _candidates(
    recipe: Recipe, slides: Slides, files: OpenFiles
) -> tuple[list[Candidate], list[Candidate]]:
    """Return the candidates of source and target; pairs are all in the first."""
    data, mpp = recipe.data, recipe.model.mpp
    if not (data.source or data.target):
        return file_candidates(data, files, mpp)

    def found(origins: Sequence[Origin]) -> list[Candidate]:
        return [
            candidate
            for one in origins
            for candidate in (
                folder_candidates(one, files, mpp)
                if one.folder
                else candidates_of(one, slides, mpp)
            )
        ]

    if data.pairing == "self":
        return found(data.target or data.source), []
    if data.pairing == "paired":
        pairs = zip(data.source, data.target, strict=True)
        return [c for a, b in pairs for c in candidates_of(a, slides, mpp, b)], []
    return found(data.source), found(data.target)
