"""How fast an epoch of a volume is read, and whether its size matters to the memory that takes.

Each size is read in a process of its own, whose peak memory is taken at its end. One tile is cut of
each chunk, so that reading is what is measured; the peer reads as many chunks of the same epoch by
zarr alone, by turns. How many tiles a second are cut where each chunk gives all it has, is told
beside.

    python tests/benchmarks/volumes.py [--json] [--quick] [--sizes 1 5 20]      in GB
"""

import argparse
import shutil
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import closing
from multiprocessing import get_context
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from tests.benchmarks.measure import Figure, median, ratio, run

if TYPE_CHECKING:
    from training.volume_blocks import Block
    from training.volume_file import Box
    from training.volume_tiles import Pixels
    from training.volumes import VolumeDataset

# What is heavy is imported in the processes: a child's peak would begin at its parent's.

Part: TypeAlias = tuple[float, float, int]
"""Seconds of the clock and of the processor, and bytes."""
CHUNK = (16, 256, 256)
PLANE_PX = 2048
SIDE = 128
HELD = 8
PATTERNS = 16
PART = 512
"""Chunks that are read by each in turn."""
CUT = 2_000
"""Tiles of whole chunks that are timed."""
MB, MIB = 1e6, 2**20
GROWTH_AIM = 1.1


def measure(arguments: argparse.Namespace) -> list[Figure]:
    sizes = [1, 2] if arguments.quick else arguments.sizes
    figures, peaks = [], []
    for size in sizes:
        with tempfile.TemporaryDirectory(prefix="volume-") as folder:
            made = in_own_process(make, folder, size)
            epoch, bare, share, work, cut, peak = in_own_process(read, folder)
        peaks.append(peak)
        figures += [
            Figure(f"{size:g} GB: on disk", made[0] / 1e9, "GB"),
            Figure(f"{size:g} GB: an epoch, a tile of each chunk", epoch, "MB/s"),
            Figure(f"{size:g} GB: zarr alone", bare, "MB/s"),
            Figure(f"{size:g} GB: share of zarr alone", share, ""),
            Figure(f"{size:g} GB: the same by processor time", work, ""),
            Figure(f"{size:g} GB: tiles of {SIDE} px, all of each chunk", cut, "1/s"),
            Figure(f"{size:g} GB: peak memory", peak, "MiB"),
        ]
    growth = peaks[-1] / peaks[0]
    return [*figures, Figure("peak memory, largest over smallest", growth, "", GROWTH_AIM)]


def in_own_process(work: object, *arguments: object) -> tuple[float, ...]:
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        found: tuple[float, ...] = pool.submit(work, *arguments).result()  # type: ignore[arg-type] # a function of this module
    return found


def make(folder: str, size_gb: float) -> tuple[float, ...]:
    """Write a volume of some patterns, compressed once each; return its bytes on disk."""
    import zarr

    rows = max(5, round(size_gb * 1e9 / (CHUNK[0] * PLANE_PX**2 * 3)))
    shape = (rows * CHUNK[0], PLANE_PX, PLANE_PX, 3)
    path = Path(folder) / "he.zarr"
    array = zarr.create_array(str(path), shape=shape, chunks=(*CHUNK, 3), dtype="uint8")
    rng = np.random.default_rng(0)
    across = PLANE_PX // CHUNK[1]
    keys = [(z, y, x) for z in range(rows) for y in range(across) for x in range(across)]
    for n in range(PATTERNS):
        coarse = rng.integers(60, 220, (CHUNK[0], CHUNK[1] // 2, CHUNK[2] // 2, 3), np.uint8)
        z, y, x = (k * c for k, c in zip(keys[n], CHUNK, strict=True))
        there = np.s_[z : z + CHUNK[0], y : y + CHUNK[1], x : x + CHUNK[2]]
        array[there] = coarse.repeat(2, axis=1).repeat(2, axis=2)
    patterns = [chunk_file(path, key) for key in keys[:PATTERNS]]
    for n, key in enumerate(keys[PATTERNS:]):
        file = chunk_file(path, key)
        file.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(patterns[n % PATTERNS], file)
    return (float(patterns[0].stat().st_size * len(keys)),)


def chunk_file(path: Path, key: tuple[int, int, int]) -> Path:
    return path.joinpath("c", *map(str, key), "0")


def read(folder: str) -> tuple[float, ...]:
    """Return MB/s of an epoch and of zarr alone, both shares, tiles a second, and the peak."""
    import resource
    import sys

    from training.prefetch import Prefetch

    path = Path(folder) / "he.zarr"
    with closing(dataset(path, 1)) as data:
        blocks, order = data._tiles[0].blocks["train"], data._tiles[0].order
    groups = range(order.group(order.epoch))
    boxes = [blocks[n].box for group in groups for n in order.members(group)]
    part = min(PART, len(boxes) // 4)
    firsts = range(0, len(boxes) - part + 1, part)
    ours, bare = [], []
    for n, first in enumerate(firsts):
        elsewhere = firsts[(n + len(firsts) // 2) % len(firsts)]  # not what was just cached
        ours.append(epoch_part(path, first, part))
        bare.append(bare_part(path, boxes[elsewhere : elsewhere + part]))
    speeds, clocks = ([rates(some, which) for some in (ours, bare)] for which in (0, 1))
    with closing(dataset(path, 0)) as data, closing(Prefetch(data, 0, 1, 0, 1)) as batches:
        start = time.perf_counter()
        for _ in range(CUT):
            batches.take()
        cut = CUT / (time.perf_counter() - start)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return (
        median(speeds[0]),
        median(speeds[1]),
        ratio(*speeds),
        ratio(*clocks),
        cut,
        peak / (MIB if sys.platform == "darwin" else 1024),
    )


def dataset(path: Path, tiles: int) -> "VolumeDataset":
    from stainapp.models.card import Arch
    from stainapp.runs.recipe import Made, Recipe, Training
    from stainapp.runs.recipe_data import Data, Volumes
    from training.volumes import VolumeDataset

    data = Data(
        pairing="self",
        volume_target=str(path),
        tile_px=SIDE,
        validation_px=256,
        volumes=Volumes(chunks_held=HELD, tiles_per_chunk=tiles),
    )
    made = Made(id="b", name="B", source_stain="grey", target_stain="H&E", mpp=0.5)
    training = Training(density_jitter=0.0, turns=False)
    arch = Arch(family="resunet", norm="none")
    return VolumeDataset(
        Recipe(method="unet", model=made, network=arch, data=data, training=training)
    )


def epoch_part(path: Path, first: int, count: int) -> Part:
    """Learn nothing from a part of an epoch; what is read ahead of it counts as well."""
    from training.prefetch import Prefetch

    sizes: list[int] = []
    with closing(dataset(path, 1)) as data:
        tiles = data._tiles[0]
        pixels = tiles._pixels

        def counted(block: "Block") -> "Pixels":
            found = pixels(block)
            sizes.append(found.source.nbytes)
            return found

        tiles._pixels = counted  # type: ignore[method-assign]
        start = time.perf_counter(), time.process_time()
        with closing(Prefetch(data, first, 1, 0, 1)) as batches:
            for _ in range(count):
                batches.take()
        data.close()  # waits for what is being read
        return time.perf_counter() - start[0], time.process_time() - start[1], sum(sizes)


def bare_part(path: Path, boxes: Sequence["Box"]) -> Part:
    import zarr

    array = zarr.open_array(str(path), mode="r")
    start = time.perf_counter(), time.process_time()
    size = sum(np.asarray(array[box]).nbytes for box in boxes)
    return time.perf_counter() - start[0], time.process_time() - start[1], size


def rates(parts: Sequence[Part], which: int) -> list[float]:
    """Return MB a second, of the clock (0) or of the processor (1)."""
    return [part[2] / MB / part[which] for part in parts]


if __name__ == "__main__":
    run("volumes", measure, sizes=[1, 5, 20])
