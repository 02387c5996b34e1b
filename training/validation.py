"""How good the model is so far, on fixed tiles it has never learnt from.

The generator is written as a model folder and opened as the viewer opens it, so that what is
measured is what will be seen.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from stainapp.compare.density import density
from stainapp.compare.frechet import LEAST_TILES, NAME, frechet
from stainapp.compare.metrics import psnr, ssim
from stainapp.compare.texture import features, unlikeness
from stainapp.models.stainer import Tiles
from training.datasets import JudgeTiles
from training.evaluation import stained_as_seen
from training.grey import grey_of
from training.sources import TileSource


@dataclass(frozen=True, slots=True)
class Judged:
    """What was made of the validation tiles, and how it fares."""

    metrics: dict[str, float]
    scores: dict[str, float]
    """By direction; lower is better, and decides which model is kept of each."""
    source: Tiles
    made: Tiles
    beside: Tiles
    """What is shown beside it: the target or, unpaired, real tiles from elsewhere."""
    beside_name: str
    worst: tuple[int, ...]
    """Numbers of the tiles, the worst first."""


def judge(folders: Mapping[str, Path], tiles: JudgeTiles, device: str, data: TileSource) -> Judged:
    """Measure what models make of the validation tiles.

    Args:
        folders: model folders by direction, "forward" and perhaps "inverse".
        tiles: the fixed tiles.
        device: to run on.
        data: whose tiles they are.

    Raises:
        StainAppError: a model cannot be opened, or its pictures not measured.
    """
    forward = stained_as_seen(folders["forward"], tiles.source, device, tiles.source_slides)
    if data.paired:
        return _paired(tiles, forward, "teacher" if data.taught else "target", grey=data.grey)
    few = min(len(tiles.source), len(tiles.target)) < LEAST_TILES
    name = "distance of means" if few else NAME
    scores = {"forward": _distance(tiles.target, forward)}
    metrics = {name: scores["forward"]}
    if "inverse" in folders:
        backward = stained_as_seen(folders["inverse"], tiles.target, device, tiles.target_slides)
        scores["inverse"] = metrics[f"{name} inverse"] = _distance(tiles.source, backward)
        cycled = stained_as_seen(folders["inverse"], forward, device, tiles.source_slides)
        errors = _density_errors(cycled, tiles.source)
        metrics["cycle error (OD)"] = float(errors.mean())
    else:
        errors = unlikeness(features(forward), features(tiles.target))
    worst = tuple(int(n) for n in np.argsort(-errors))
    shown = tiles.target[np.arange(len(forward)) % len(tiles.target)]
    return Judged(metrics, scores, tiles.source, forward, shown, "real, elsewhere", worst)


def _paired(tiles: JudgeTiles, made: Tiles, beside: str, *, grey: bool) -> Judged:
    pairs = list(zip(tiles.target, made, strict=True))
    errors = _density_errors(made, tiles.target)
    metrics = {
        "PSNR (dB)": float(np.mean([psnr(a, b) for a, b in pairs])),
        "SSIM": float(np.mean([ssim(a, b) for a, b in pairs])),
        "error (OD)": float(errors.mean()),
    }
    source = grey_of(tiles.source) if grey else tiles.source
    worst = tuple(int(n) for n in np.argsort(-errors))
    scores = {"forward": metrics["error (OD)"]}
    return Judged(metrics, scores, source, made, tiles.target, beside, worst)


def _distance(reference: Tiles, other: Tiles) -> float:
    """Return the Fréchet distance; of few tiles, which tell no spread, that of their means."""
    real, made = features(reference), features(other)
    if min(len(real), len(made)) >= LEAST_TILES:
        return frechet(real, made)
    spread = np.maximum(real.std(axis=0), 0.1 * np.abs(real.mean(axis=0)) + 1e-3)
    return float((((real.mean(axis=0) - made.mean(axis=0)) / spread) ** 2).sum())


def _density_errors(a: Tiles, b: Tiles) -> NDArray[np.float64]:
    """Return each tile's mean absolute difference of optical density."""
    return np.array([np.abs(density(x) - density(y)).mean() for x, y in zip(a, b, strict=True)])
