"""How a model fares on tiles it has never learnt from, beside its parent and the baselines.

Everything is stained as the viewer stains it: opened from its folder, calibrated on the slide,
bare glass handed through.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from stainapp.compare.baselines import fit_baselines, keeping_glass
from stainapp.compare.blank import glass_of
from stainapp.compare.evaluation import evaluate
from stainapp.compare.figure import figure
from stainapp.compare.instruments import Instruments
from stainapp.compare.question import Question, TileSet
from stainapp.compare.table import Row, Table
from stainapp.errors import ModelError
from stainapp.models.opening import open_stainer
from stainapp.models.stainer import Stainer, Tiles
from stainapp.models.store import default_store
from training.cuts import BLOCK_WORD
from training.datasets import JudgeTiles
from training.grey import grey_of

LEARNT = 64
"""Tiles of each stain that the baselines are fitted to."""
SHOWN = 8
"""Rows of the picture of the worst tiles."""


@dataclass(frozen=True, slots=True)
class Contender:
    """One model among those that stain the same tiles."""

    folder: Path
    inverse: Path | None = None
    """The folder of its way back, where there is one."""
    steps: int | None = None
    """Of a bridge, instead of its card's."""


@dataclass(frozen=True, slots=True)
class Subject:
    """A model in one direction, and what it is judged by."""

    folder: Path
    tiles: JudgeTiles
    """Its source is what the model stains."""
    learnt: tuple[Tiles, Tiles]
    """Of the source and of the target stain, to fit the baselines to: not those judged by, where
    there are others."""
    stains: tuple[str, str]
    mpp: float
    paired: bool
    grey: bool = False
    inverse: Path | None = None
    parent: str = ""
    """Id or folder of the model it was fine-tuned from."""
    steps: int | None = None
    """Of a bridge, instead of its card's."""
    others: Mapping[str, Contender] = field(default_factory=dict)
    """Further models to set beside it, by the names of their rows."""
    device: str = "auto"

    def reversed(self, folder: Path) -> "Subject":
        """Return the way back, which is the model in another folder."""
        tiles, learnt = self.tiles, self.learnt
        return Subject(
            folder=folder,
            tiles=JudgeTiles(
                tiles.target,
                tiles.source,
                tiles.target_fields,
                tiles.source_fields,
                tiles.target_slides,
                tiles.source_slides,
            ),
            learnt=(learnt[1], learnt[0]),
            stains=(self.stains[1], self.stains[0]),
            mpp=self.mpp,
            paired=self.paired,
            inverse=self.folder,
            device=self.device,
        )


@dataclass(frozen=True, slots=True)
class Verdict:
    """What was measured, and the pictures to look at."""

    table: Table
    source: Tiles
    made: Mapping[str, Tiles]
    """What each subject made of the source: "model", "parent", the others, the baselines."""
    beside: Tiles
    """The target or, unpaired, real tiles from elsewhere."""
    mpp: float
    paired: bool

    @property
    def beside_name(self) -> str:
        return "target" if self.paired else "real, elsewhere"

    def named(self, name: str) -> "Verdict":
        """Return it with another name for the subject "model"."""
        rows = tuple(
            replace(row, subject=name) if row.subject == "model" else row for row in self.table.rows
        )
        made = {name if one == "model" else one: tiles for one, tiles in self.made.items()}
        return replace(self, table=replace(self.table, rows=rows), made=made)

    def draw_worst(self, path: Path, subject: str = "model") -> None:
        """Write what a subject made of the worst tiles, the worst first, as a PNG.

        Raises:
            ExportError: the file cannot be written.
        """
        chosen = self.table.worst[:SHOWN]
        made = self.made[subject]
        rows = [(self.source[w.index], made[w.index], self.beside[w.index]) for w in chosen]
        captions = [f"{w.region}: {w.measure} {w.score:.3g}" for w in chosen]
        figure(rows, ("source", "generated", self.beside_name), path, self.mpp, captions)


def stained_as_seen(
    folder: Path,
    tiles: Tiles,
    device: str,
    slides: Sequence[str] = (),
    steps: int | None = None,
) -> Tiles:
    """Return tiles as the viewer would show them in a model's stain.

    Args:
        folder: the model's.
        tiles: (N, H, W, 3) of tissue at its scale, as they are scanned.
        device: to run on.
        slides: the slide of each tile, which are calibrated one by one; () for one slide.
        steps: of a bridge, instead of its card's.

    Raises:
        ModelError: the model cannot be opened, or not run on this device.
    """
    stainer = open_stainer(folder, device=device, steps=steps)
    result = np.empty_like(tiles)
    for own in _each_slide(slides, len(tiles)):
        result[own] = _stained(stainer, tiles[own])
    return result


def _each_slide(slides: Sequence[str], count: int) -> list[NDArray[np.intp]]:
    """Return the numbers of each slide's tiles."""
    named = np.array(slides or [""] * count)
    return [np.flatnonzero(named == name) for name in dict.fromkeys(named)]


def _stained(stainer: Stainer, tiles: Tiles) -> Tiles:
    side = np.arange(len(tiles)) * tiles.shape[2]  # by side, so that each has noise of its own
    at = np.stack([side, np.zeros_like(side)], axis=1)
    count = stainer.card.calibrate.tiles
    chosen = np.linspace(0, len(tiles) - 1, min(count, len(tiles))).round().astype(int)
    state = stainer.calibrate(tiles[chosen])
    if stainer.card.background == "model":
        return stainer.predict(tiles, state, at=at)
    return keeping_glass(lambda some: stainer.predict(some, state, at=at), glass_of(tiles))(tiles)


def judge_model(subject: Subject, instruments: Instruments | None = None) -> Verdict:
    """Measure a model, its parent, others and the baselines on the same tiles.

    Raises:
        StainAppError: a model or the tiles cannot be used.
    """
    tiles, device = subject.tiles, subject.device
    slides = tiles.source_slides
    made, cycled = {}, {}
    for name, one in _contenders(subject).items():
        made[name] = stained_as_seen(one.folder, tiles.source, device, slides, one.steps)
        if one.inverse is not None:
            cycled[name] = stained_as_seen(one.inverse, made[name], device, slides)
    shown, fit = tiles.source, subject.learnt[0]
    if subject.grey:
        shown, fit = grey_of(shown), grey_of(fit)
    made |= _baselines(shown, fit, subject)
    question = Question(
        TileSet(shown, tiles.source_fields, subject.stains[0], subject.mpp),
        TileSet(tiles.target, tiles.target_fields, subject.stains[1], subject.mpp),
        paired=subject.paired,
        another=None if subject.paired else _other_real(subject),
    )
    table = evaluate(question, made, cycled, instruments=instruments)
    beside = tiles.target[np.arange(len(shown)) % len(tiles.target)]
    return Verdict(table, shown, made, beside, subject.mpp, subject.paired)


def _contenders(subject: Subject) -> dict[str, Contender]:
    parent = _folder_of(subject.parent)
    return {
        "model": Contender(subject.folder, subject.inverse, subject.steps),
        **({} if parent is None else {"parent": Contender(parent)}),
        **subject.others,
    }


def _baselines(shown: Tiles, fit: Tiles, subject: Subject) -> dict[str, Tiles]:
    """Return what the baselines make of the tiles that are judged.

    Where a normaliser is judged they are fitted to each slide by itself, as it is.
    """
    goal = subject.learnt[1]
    if subject.stains[0] != subject.stains[1]:
        return {name: run(shown) for name, run in fit_baselines(fit, goal).items()}
    result: dict[str, Tiles] = {}
    for own in _each_slide(subject.tiles.source_slides, len(shown)):
        for name, run in fit_baselines(shown[own], goal).items():
            result.setdefault(name, np.empty_like(shown))[own] = run(shown[own])
    return result


def _other_real(subject: Subject) -> TileSet | None:
    """Return real tiles of other regions, if there are any that can be set beside those judged."""
    judged, learnt = subject.tiles.target, subject.learnt[1]
    if learnt is judged or learnt.shape[1:] != judged.shape[1:]:
        return None
    return TileSet(learnt, ["other regions"] * len(learnt), subject.stains[1], subject.mpp)


def for_card(table: Table, tiles: JudgeTiles) -> tuple[Mapping[str, object], ...]:
    """Return the model's and the baselines' rows as a card holds them."""
    where = held_out(tiles)
    return tuple(_short(row, where) for row in table.rows if row.estimate is not None)


def held_out(tiles: JudgeTiles) -> str:
    """Return where the tiles are from, in words."""
    return ", ".join(sorted({name.partition(BLOCK_WORD)[0] for name in tiles.source_fields}))


def _short(row: Row, where: str) -> dict[str, object]:
    numbers = {name: getattr(row, name) for name in ("estimate", "low", "high")}
    return {
        "set": where,
        "subject": row.subject,
        "measure": row.measure,
        **{name: None if v is None else float(f"{v:.4g}") for name, v in numbers.items()},
        "unit": row.unit,
        "n": row.n,
        "regions": row.clusters,
        "note": row.note,
    }


def _folder_of(parent: str) -> Path | None:
    if not parent:
        return None
    try:
        return default_store().at(parent).folder
    except ModelError:
        return None  # removed since: there is nothing to set beside
