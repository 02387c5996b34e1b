"""How fast an epoch of a volume is read, and whether its size matters to the memory that takes.

Each size is read in a process of its own, whose peak memory is taken at its end. One tile is cut of
each chunk, so that reading is what is measured; the peer reads the same chunks in the same order
by zarr alone. How many tiles a second are cut where each chunk gives all it has, is told beside.

    python tests/benchmarks/volumes.py [--json] [--quick] [--sizes 1 5 20]      in GB
"""

import argparse
import shutil
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from contextlib import closing
from multiprocessing import get_context
from pathlib import Path

from tests.benchmarks.measure import Figure, run

# What is heavy is imported in the processes: a child's peak would begin at its parent's.

CHUNK = (16, 256, 256)
PLANE_PX = 2048
SIDE = 128
HELD = 8
PATTERNS = 16
CUT = 2_000
"""Tiles of whole chunks that are timed."""
MB, MIB = 1e6, 2**20
GROWTH_AIM = 1.1
SHARE_AIM = 0.8


def measure(arguments: argparse.Namespace) -> list[Figure]:
    sizes = [1, 2] if arguments.quick else arguments.sizes
    figures, peaks = [], []
    for size in sizes:
        with tempfile.TemporaryDirectory(prefix="volume-") as folder:
            made = in_own_process(make, folder, size)
            epoch, bare, cut, peak = in_own_process(read, folder)
        peaks.append(peak)
        figures += [
            Figure(f"{size:g} GB: on disk", made[0] / 1e9, "GB"),
            Figure(f"{size:g} GB: an epoch, a tile of each chunk", epoch, "MB/s"),
            Figure(f"{size:g} GB: zarr alone", bare, "MB/s"),
            Figure(f"{size:g} GB: share of zarr alone", epoch / bare, "", SHARE_AIM, lower=False),
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
    import numpy as np
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
    """Return MB/s of an epoch and of zarr alone, tiles a second, and the peak in MiB."""
    import resource
    import sys

    import zarr

    from stainapp.models.card import Arch
    from stainapp.runs.recipe import Data, Made, Recipe, Training, Volumes
    from training.prefetch import Prefetch
    from training.volumes import VolumeDataset

    path = Path(folder) / "he.zarr"

    def dataset(tiles: int) -> VolumeDataset:
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

    def seconds(data: VolumeDataset, images: int) -> float:
        start = time.perf_counter()
        with closing(Prefetch(data, 0, 1, 0, 1)) as batches:
            for _ in range(images):
                batches.take()
        return time.perf_counter() - start

    with closing(dataset(1)) as data:
        blocks, order = data._tiles[0].blocks["train"], data._tiles[0].order
        took = seconds(data, order.epoch)
    voxels = sum((b.stop[0] - b.start[0]) * CHUNK[1] * CHUNK[2] * 3 for b in blocks)
    array = zarr.open_array(str(path), mode="r")
    start = time.perf_counter()
    for group in range(order.group(order.epoch)):
        for n in order.members(group):
            array[blocks[n].box]
    bare = time.perf_counter() - start
    with closing(dataset(0)) as data:
        cut = seconds(data, CUT)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return (
        voxels / MB / took,
        voxels / MB / bare,
        CUT / cut,
        peak / (MIB if sys.platform == "darwin" else 1024),
    )


if __name__ == "__main__":
    run("volumes", measure, sizes=[1, 5, 20])
