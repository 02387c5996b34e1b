"""What the chunks held, their shape and the normalisation do to the speed and the loss of a volume.

A stack of the phantom's sections is written as volumes of other chunks, their source in grey of
16 bits whose dyes take more and less from slab to slab: what is learnt from one chunk alone does
not hold for the next. A small network then learns the same number of images from each, by each
choice in turn, the others kept; the loss is that of the tiles to judge by.
Chunks of another shape are parted elsewhere, so that such rows are judged by other tiles.

    python tests/benchmarks/volume_ablation.py [--json] [--quick] [--images 300]
"""

import argparse
import json
import tempfile
import time
from contextlib import closing
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
import torch
import zarr
from numpy.typing import NDArray

from stainapp.compare.metrics import psnr
from stainapp.models.card import Arch
from stainapp.runs.recipe import Made, Recipe, Training
from stainapp.runs.recipe_data import Data, Volumes
from stainapp.slides.opening import open_slide
from tests.benchmarks.measure import hardware
from training.build import build_method
from training.datasets import Batch
from training.grey import luma
from training.method import Images, Setting
from training.prefetch import Prefetch
from training.processes import ALONE
from training.tensors import from_network, to_network
from training.volumes import VolumeDataset

SHAPE = (48, 512, 512)
SIDE = 64
SEEDS = (1, 2)
FLAT, DEEP, LARGE = (1, 128, 128), (8, 128, 128), (8, 256, 256)


@dataclass(frozen=True, slots=True)
class Choice:
    """One row of the table; what it does not say is as in the first."""

    what: str
    chunk: tuple[int, int, int] = DEEP
    volumes: Volumes = Volumes(gap=4)  # noqa: RUF009 - frozen


@dataclass(frozen=True, slots=True)
class Outcome:
    what: str
    chunks_read: int
    read_mb: float
    tiles_per_s: float
    """Cut alone, without learning."""
    psnr_db: float
    """Of the tiles to judge by, the mean over seeds."""
    spread_db: float
    """Half the distance between the seeds."""


def choices() -> list[Choice]:
    usual = Choice("8 held, 8 x 128 x 128, percentile").volumes
    return [
        Choice("8 held, 8 x 128 x 128, percentile"),
        *(
            Choice(f"{held} held", volumes=replace(usual, chunks_held=held))
            for held in (1, 2, 4, 32)
        ),
        Choice("8 held, a tile of each a turn", volumes=replace(usual, tiles_per_chunk=1)),
        Choice("chunks of 1 x 128 x 128", FLAT),
        Choice("chunks of 8 x 256 x 256", LARGE),
        *(
            Choice(mode, volumes=replace(usual, source_normalisation=mode))
            for mode in ("minmax", "zscore")
        ),
    ]


def main() -> None:
    parser = argparse.ArgumentParser(prog="volume_ablation")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    parser.add_argument("--quick", action="store_true", help="few images, to see that it runs")
    parser.add_argument("--images", type=int, default=300, help="to learn from, for each row")
    arguments = parser.parse_args()
    images, seeds = (8, SEEDS[:1]) if arguments.quick else (arguments.images, SEEDS)
    source, target = stack()
    outcomes: list[Outcome] = []
    if not arguments.json:
        print(f"{'':34} {'chunks':>7} {'MB':>8} {'tiles/s':>8} {'dB':>6} {'+-':>5}")
    with tempfile.TemporaryDirectory(prefix="ablation-") as folder:
        for choice in choices():
            places = written(Path(folder), choice.chunk, source, target)
            outcomes.append(outcome(choice, places, images, seeds))
            if not arguments.json:
                print(as_line(outcomes[-1]), flush=True)
    if arguments.json:
        print(json.dumps({"hardware": hardware(), "rows": [asdict(o) for o in outcomes]}, indent=2))


def as_line(one: Outcome) -> str:
    return (
        f"{one.what:34} {one.chunks_read:7} {one.read_mb:8.1f} {one.tiles_per_s:8.0f} "
        f"{one.psnr_db:6.2f} {one.spread_db:5.2f}"
    )


def stack() -> tuple[NDArray[np.uint16], NDArray[np.uint8]]:
    """Return sections in grey of 16 bits and stained, (z, y, x, 1) and (z, y, x, 3)."""
    depth, height, width = SHAPE
    rng = np.random.default_rng(5)
    target = np.empty((*SHAPE, 3), np.uint8)
    source = np.empty((*SHAPE, 1), np.uint16)
    with closing(open_slide("phantom:he:4096:7")) as slide:
        for z in range(depth):
            section = slide.read(512 + 24 * z, 1024, 0, width, height)
            strength = 1 + 0.5 * np.sin(z / 3)
            target[z] = np.rint(255 * (section / 255.0) ** strength)
            grey = luma(section) * 16 + rng.normal(0, 20, (height, width))
            source[z, ..., 0] = grey.clip(0, 4095)
    hot = rng.integers(0, min(height, width), (12, 2))
    source[:, hot[:, 0], hot[:, 1]] = 65_535  # pixels of a camera that always shine
    return source, target


def written(
    folder: Path, chunk: tuple[int, int, int], source: NDArray[np.uint16], target: NDArray[np.uint8]
) -> tuple[str, str]:
    places = []
    for name, values in (("source", source), ("target", target)):
        path = folder / f"{name} {chunk}.zarr"
        if not path.exists():
            zarr.create_array(str(path), data=values, chunks=(*chunk, values.shape[3]))
        places.append(str(path))
    return places[0], places[1]


def outcome(
    choice: Choice, places: tuple[str, str], images: int, seeds: tuple[int, ...]
) -> Outcome:
    recipe = recipe_of(choice, places)
    with closing(VolumeDataset(recipe)) as data, closing(Prefetch(data, 0, 1, 0, 1)) as batches:
        start = time.perf_counter()
        for _ in range(images):
            batches.take()
        speed = images / (time.perf_counter() - start)
        order, blocks = data._tiles[0].order, data._tiles[0].blocks["train"]
    groups = range(order.group(images - 1) + 1)
    read = [blocks[n] for group in groups for n in order.members(group)]
    size = sum(int(np.prod(block.size)) for block in read) * (2 + 3) / 1e6
    found = [taught(replace(recipe, seed=seed), images) for seed in seeds]
    spread = (max(found) - min(found)) / 2
    return Outcome(choice.what, len(read), size, speed, float(np.mean(found)), spread)


def taught(recipe: Recipe, images: int) -> float:
    """Return the PSNR on the tiles to judge by after learning."""
    setting = Setting(recipe, "cpu", "fp32", ALONE)
    method = build_method(setting)
    with closing(VolumeDataset(recipe)) as data:
        judged = data.judge_tiles()
        with closing(Prefetch(data, 0, 1, 0, 1)) as batches:
            for _ in range(images):
                method.step(images_of(batches.take()))
    net = method.generators["forward"].eval()
    with torch.inference_mode():
        made = from_network(net(to_network(judged.source, "cpu")))
    return float(np.mean([psnr(a, b) for a, b in zip(judged.target, made, strict=True)]))


def images_of(batch: Batch) -> Images:
    source, target = (to_network(tiles, "cpu") for tiles in (batch.source, batch.target))
    return Images(source, target, first=batch.first, offset=0)


def recipe_of(choice: Choice, places: tuple[str, str]) -> Recipe:
    return Recipe(
        method="unet",
        seed=1,
        model=Made(id="a", name="A", source_stain="grey", target_stain="H&E", mpp=0.5),
        network=Arch(family="resunet", blocks=2, ngf=8, norm="none"),
        data=Data(
            pairing="paired",
            volume_source=places[0],
            volume_target=places[1],
            volumes=choice.volumes,
            tile_px=SIDE,
            validation_px=SIDE,
        ),
        training=Training(rate=1e-3),
    )


if __name__ == "__main__":
    main()
