"""The data of a run: a source of batches of uint8 tiles, each a function of its number alone.

Image number n is the same whoever draws it, whenever, in whatever process: so a run that was
killed goes on as if it had not been, and several processes share a batch without a word.
Tiles are streamed; what is kept are the rasters of where they may lie.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from threading import Lock
from typing import Any

import numpy as np

from stainapp.errors import RecipeError, SlideError
from stainapp.models.stainer import Tiles
from stainapp.runs.methods import method_info
from stainapp.runs.recipe import Recipe
from stainapp.runs.recipe_data import Origin
from stainapp.slides.reader import RgbImage
from training.augment import Turn, draw_turn, jitter_density
from training.candidates import Candidate, Slides, candidates_of
from training.cuts import DAMAGED, Cut, best_cuts, cut_at, stacks
from training.fields import Field, SplitName
from training.files import file_candidates, folder_candidates
from training.image_slides import OpenFiles
from training.rooms import ALIKE, FEWEST_TILES, SOURCE, TARGET, Place, Room
from training.split import fields_of, whole_fields
from training.teacher import Teacher, sees_grey

TRIES = 24
"""Places looked at before the best of their tiles is taken as it is."""
TAUGHT = 16
"""Most tiles that a teacher is asked for to fit the baselines to."""
LOOKS = 4
"""Places looked at for each fixed tile."""
SPLITS: tuple[SplitName, ...] = ("train", "validation")


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
    source_slides: tuple[str, ...] = ()
    """The slide that each source tile is of, each to be calibrated by itself; "" for images from
    files, which are taken to be of one. Empty for one slide."""
    target_slides: tuple[str, ...] = ()


class Dataset:
    """What a recipe's data is, opened. `close` closes the slides; threads may share it."""

    def __init__(self, recipe: Recipe, *, learns: bool = True, device: str = "auto") -> None:
        """Open the slides and find the tissue.

        Args:
            recipe: names them.
            learns: False where models are only judged: all that the recipe does not put
                elsewhere is then to judge by.
            device: where a teacher runs.

        Raises:
            RecipeError: the data will not do; says what and why.
        """
        self._data, self._seed = recipe.data, recipe.seed
        self._turns = recipe.training.turns
        self._teacher = Teacher(recipe, device) if recipe.data.pairing == "alone" else None
        # a teacher's answer is to the tile as it is
        self._jitter = 0.0 if self._teacher else recipe.training.density_jitter
        self.paired = recipe.data.pairing != "unpaired"
        self.grey = sees_grey(recipe)
        self._rejected, self._counting = 0, Lock()
        self._slides, self._files = Slides(), OpenFiles()
        try:
            source, target = _candidates(recipe, self._slides, self._files)
            if not learns:
                source, target = _all_to_judge(source), _all_to_judge(target)
            share = recipe.data.validation_share
            style = method_info(recipe.method).whole_target
            if style:
                fields = fields_of(source, [], share)[0], whole_fields(target)
            else:
                fields = fields_of(source, target, share)
            self.source_fields, self.target_fields = map(tuple, fields)
            sides = {"train": self._data.tile_px, "validation": self._data.validation_px}
            self.rooms = {
                (stain, split): Room.of(
                    self.fields(stain),
                    stain,
                    split,
                    sides[split],
                    self._data.min_tissue,
                    1 if style and stain == TARGET else FEWEST_TILES,
                )
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
    def taught(self) -> bool:
        """Whether a teacher makes the targets."""
        return self._teacher is not None

    @property
    def all_fields(self) -> tuple[Field, ...]:
        return self.source_fields + self.target_fields

    def facts(self) -> Mapping[str, Any]:
        """Return what a card's ``training`` says of the data."""
        lost = self.count_far_off()
        return {
            **({"tiles_left_out_as_misregistered": lost} if lost else {}),
            "split_by": "slide or region",
            "learnt_from": [f.name for f in self.all_fields if f.split == "train"],
            "judged_by": [f.name for f in self.all_fields if f.split == "validation"],
        }

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
        found = self._taught(
            self._fixed_tiles("validation", data.validation_px, data.validation_tiles)
        )
        names = [tuple(cut.place for cut in cuts) for cuts in found]
        slides = [tuple(cut.slide for cut in cuts) for cuts in found]
        source, target = stacks(found)
        return JudgeTiles(source, target, names[0], names[-1], slides[0], slides[-1])

    def calibration_tiles(self, count: int, side: int) -> tuple[Tiles, Tiles]:
        """Return tiles of the training fields of both stains, to take norm statistics from.

        What a teacher makes is not among them: its targets are the source as well.
        """
        return stacks(self._fixed_tiles("train", side, count))

    def learnt_tiles(self, count: int) -> tuple[Tiles, Tiles]:
        """Return tiles of the training fields of both stains to set beside those judged by.

        As large as these, since what is told of a tile depends on its size; where the training
        fields have no room for that, as large as those learnt from.
        """
        count = min(count, TAUGHT) if self._teacher else count
        try:
            found = self._fixed_tiles("train", self._data.validation_px, count)
        except RecipeError:
            found = self._fixed_tiles("train", self._data.tile_px, count)
        return stacks(self._taught(found))

    def count_tiles(self, split: SplitName) -> int:
        """Return how many tiles fit side by side into the scarcer stain's tissue."""
        tissue_px = min(self.rooms[stain, split].tissue_px for stain in self._stains)
        return int(tissue_px / self._data.tile_px**2)

    def count_far_off(self) -> int:
        """Return how many tiles would fit into tissue that is registered too badly for pairs."""
        lost = sum(field.far_off_px for field in self.source_fields)
        return int(lost / self._data.tile_px**2)

    def example_squares(self, stain: int, split: SplitName, count: int) -> list[Place]:
        """Return up to ``count`` tiles side by side, as field and corner in working pixels."""
        places = self.rooms[stain, split].side_by_side(self._data.tile_px, count, self._seed)
        return list(islice(places, count))

    @property
    def _stains(self) -> tuple[int, ...]:
        return (SOURCE,) if self.paired else (SOURCE, TARGET)

    def _train_pair(self, number: int) -> tuple[RgbImage, RgbImage]:
        jitter = self._jitter
        if self.paired:
            rng = np.random.default_rng((self._seed, ALIKE, number))
            cut = self._answered(self._draw(SOURCE, rng))
            turn = self._turn(rng)
            return jitter_density(turn.apply(cut.source), jitter, rng), turn.apply(cut.target)
        pair = []
        for stain in (SOURCE, TARGET):
            rng = np.random.default_rng((self._seed, stain, number))
            cut = self._draw(stain, rng)
            pair.append(jitter_density(self._turn(rng).apply(cut.source), jitter, rng))
        return pair[0], pair[1]

    def _turn(self, rng: np.random.Generator) -> Turn:
        return draw_turn(rng) if self._turns else Turn(0, mirrored=False)

    def _taught(self, found: list[list[Cut]]) -> list[list[Cut]]:
        return [[self._answered(cut) for cut in cuts] for cuts in found] if self._teacher else found

    def _answered(self, cut: Cut) -> Cut:
        """Return a tile with what the teacher makes of it as target, where there is one."""
        if self._teacher is None:
            return cut
        made = self._teacher.target(cut.field, cut.i, cut.j, len(cut.source))
        return replace(cut, target=made)

    def _draw(self, stain: int, rng: np.random.Generator) -> Cut:
        """Cut a tile at a place of chance; one that is blank or blurred is drawn again.

        Raises:
            SlideError: wherever one looks, the slide is damaged: it has gone away.
        """
        room = self.rooms[stain, "train"]
        best: Cut | None = None
        for _ in range(TRIES):
            cut = cut_at(*room.draw(rng), room.side)
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

    def _fixed_tiles(self, split: SplitName, side: int, count: int) -> list[list[Cut]]:
        """Return for each stain tiles side by side, always the same ones.

        Raises:
            RecipeError: there is no room for any.
        """
        found = []
        for stain in self._stains:
            room = self.rooms[stain, split]
            places = islice(room.side_by_side(side, count, self._seed), count * LOOKS)
            cuts = best_cuts(places, side, count)
            if not cuts:
                raise RecipeError(room.why_none(side))
            found.append(cuts)
        return found


def _all_to_judge(candidates: Sequence[Candidate]) -> list[Candidate]:
    judged = [one for one in candidates if one.split == "validation"]
    return judged or [replace(one, split="validation") for one in candidates]


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
    if data.pairing == "alone":
        return found(data.source), []
    if data.pairing == "paired":
        pairs = zip(data.source, data.target, strict=True)
        most = data.max_error_um
        return [c for a, b in pairs for c in candidates_of(a, slides, mpp, b, most)], []
    return found(data.source), found(data.target)
