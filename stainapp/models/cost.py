"""What staining costs: seconds and memory, measured in a process of its own."""

import sys
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

import numpy as np

from stainapp.errors import DeviceMemoryError
from stainapp.models.opening import open_stainer
from stainapp.models.stainer import Tiles

ROUNDS = 3
LEAST_S = 0.5
"""A round goes on for so long, so that a fast method is not measured by the clock's own steps."""


@dataclass(frozen=True, slots=True)
class Cost:
    """Of one model on one device."""

    seconds_per_mpx: float
    """Best of some rounds, per million pixels at the model's scale, tiles being ready."""
    memory_bytes: int | None
    """At the most, of the whole process or of the accelerator; None where it cannot be told."""
    device: str
    precision: str


def cost_of(folder: Path, tiles: Tiles, device: str = "auto", steps: int | None = None) -> Cost:
    """Measure a model on tissue tiles, ``(N, H, W, 3)``, cut or repeated to its own tile size.

    Args:
        folder: the model's.
        tiles: of tissue.
        device: to run on.
        steps: of a bridge, instead of its card's.

    Raises:
        ModelError: the model cannot be opened, or not run on this device.
        DeviceMemoryError: the process was ended, as where memory runs out.
    """
    # a fresh process: the peak of one that has already worked is not this model's
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        try:
            return pool.submit(_measured, folder, tiles, device, steps).result()
        except BrokenProcessPool as error:
            raise DeviceMemoryError(
                f"Measuring {folder.name} ended before it was done; close other programs, "
                "or choose a smaller model."
            ) from error


def _measured(folder: Path, tiles: Tiles, device: str, steps: int | None) -> Cost:
    stainer = open_stainer(folder, device=device, steps=steps)
    card = stainer.card
    state = stainer.calibrate(tiles[: card.calibrate.tiles])
    batch = _batch(tiles, card.tile, stainer.batch)
    stainer.predict(batch, state)  # the first one also sets up
    seconds = min(_round(lambda: stainer.predict(batch, state)) for _ in range(ROUNDS))
    pixels = batch.shape[0] * batch.shape[1] * batch.shape[2]
    return Cost(
        1e6 * seconds / pixels, peak_memory(stainer.device), stainer.device, stainer.precision
    )


def _round(work: Callable[[], object]) -> float:
    """Return the mean seconds of as many runs as take a while."""
    start, runs = time.perf_counter(), 0
    while (taken := time.perf_counter() - start) < LEAST_S or not runs:
        work()
        runs += 1
    return taken / runs


def _batch(tiles: Tiles, side: int, count: int) -> Tiles:
    """Return tiles of another size with the same tissue in them."""
    repeats = (1, -(-side // tiles.shape[1]), -(-side // tiles.shape[2]), 1)
    large = np.tile(tiles[np.arange(count) % len(tiles)], repeats)
    return np.ascontiguousarray(large[:, :side, :side])


def peak_memory(device: str) -> int | None:
    """Return the most bytes taken so far, of the accelerator's memory or of this process's."""
    if device.startswith("cuda"):
        import torch

        return torch.cuda.max_memory_allocated(device)
    if sys.platform == "win32":
        return None
    import resource

    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most if sys.platform == "darwin" else most * 1024
