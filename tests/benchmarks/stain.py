"""How much of the bare network's speed is left in `VirtualSlide.read`.

Every call of the network is recorded while a region is read; its peer is the same network over
ready tensors of the same shapes, so the halo counts as work for both. Methods without a network
are compared with themselves on ready arrays. The weights are drawn, not trained: speed is alike.

    python tests/benchmarks/stain.py [--json] [--quick] [--cells 3] [--pixelwise-side 4096]
"""

import argparse
import contextlib
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from safetensors.torch import save_file

from resources import resource
from stainapp.geometry import Rect
from stainapp.models import networks
from stainapp.models.calibration import calibrate_slide
from stainapp.models.card import WEIGHTS_FILE, Arch, ModelCard, sha256_of
from stainapp.models.device import STRIP_PX, autocast, choose_device, choose_precision
from stainapp.models.opening import open_stainer
from stainapp.models.stainer import Stainer, Tiles
from stainapp.models.virtual_slide import VirtualSlide
from stainapp.slides.opening import open_slide
from stainapp.slides.reader import SlideReader
from stainapp.slides.tissue import choose_tissue
from tests.benchmarks.measure import Figure, by_turns, median, p95, ratio, real_slide, run, seconds

CLASSICS = ("reinhard", "macenko")
NETWORKS = {
    "resnet, 6 blocks, ngf 32": Arch(family="resnet", blocks=6, ngf=32),
    "resnet, 9 blocks, ngf 64": Arch(family="resnet", blocks=9, ngf=64),
    "u-net, 256 px, ngf 64": Arch(family="unet", downs=8, ngf=64, norm="batch"),
    "pixelwise, ngf 32": Arch(family="pixel", ngf=32, norm="none"),
}
MPX = 1e6
SHARE_AIM = 0.9


class Recorded:
    """A stainer that remembers the shape of every batch it is given."""

    def __init__(self, stainer: Stainer) -> None:
        self._stainer = stainer
        self.shapes: list[tuple[int, ...]] = []

    def predict(self, tiles: Tiles, *rest: Any, **where: Any) -> Tiles:
        self.shapes.append(tiles.shape)
        return self._stainer.predict(tiles, *rest, **where)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stainer, name)


def measure(arguments: argparse.Namespace) -> list[Figure]:
    rounds = 1 if arguments.quick else 5
    arguments.cells = [1] if arguments.quick else arguments.cells
    path = real_slide("BS25_HE.tiff") or "phantom:he:20000:7"
    precisions = dict.fromkeys(("fp32", choose_precision(choose_device())))
    figures: list[Figure] = []
    with contextlib.closing(open_slide(path)) as slide, tempfile.TemporaryDirectory() as folder:
        for name in CLASSICS:
            stainer = open_stainer(resource(f"models/{name}"))
            figures += one(name, stainer, slide, place_for(stainer, slide, arguments), rounds)
        for name, arch in NETWORKS.items():
            model = drawn_model(arch, Path(folder, name.split(",")[0], str(arch.blocks)))
            for precision in precisions:
                stainer = open_stainer(model, precision=precision)
                called = f"{name}, {stainer.device} {precision}"
                figures += one(called, stainer, slide, place_for(stainer, slide, arguments), rounds)
    return figures


def place_for(stainer: Stainer, slide: SlideReader, arguments: argparse.Namespace) -> Rect:
    card = stainer.card
    if card.pixelwise:
        return tissue(slide, arguments.pixelwise_side[0])
    stride = card.tile - 2 * card.halo
    return tissue(slide, arguments.cells[0] * stride, stride)


def one(name: str, stainer: Stainer, slide: SlideReader, place: Rect, rounds: int) -> list[Figure]:
    """Measure one model over one place, against its own network on ready tensors."""
    state = calibrate_slide(slide, stainer)
    recorded = Recorded(stainer)
    x, y, side = round(place.x), round(place.y), round(place.width)

    def read() -> float:
        recorded.shapes.clear()
        # a new slide each time: an old one would answer from its cache
        with contextlib.closing(VirtualSlide(slide, cast("Stainer", recorded), state)) as virtual:
            return seconds(lambda: virtual.read(x, y, 0, side, side))

    read()  # fills the recording, and warms up
    bare = bare_network(stainer, state, recorded.shapes)
    times = by_turns({"read": read, "bare": lambda: seconds(bare)}, rounds, warm=0)
    pixels = side * side / MPX
    # what maps single pixels is so fast that decoding the slide takes the longer part
    aim = None if stainer.card.pixelwise else SHARE_AIM
    share = ratio(times["bare"], times["read"])
    return [
        Figure(f"{name}: read, median", pixels / median(times["read"]), "Mpx/s"),
        Figure(f"{name}: read, slowest 5 %", pixels / p95(times["read"]), "Mpx/s"),
        Figure(f"{name}: share of the bare network", share, "", aim, lower=False),
    ]


def bare_network(
    stainer: Stainer, state: Any, shapes: list[tuple[int, ...]]
) -> Callable[[], object]:
    """Return the work of the recorded calls with nothing around it."""
    net = getattr(stainer, "_net", None)
    generator = np.random.default_rng(0)
    if net is None:
        arrays = [generator.integers(0, 255, shape, np.uint8) for shape in shapes]
        return lambda: [stainer.predict(array, state) for array in arrays]
    if stainer.card.pixelwise:  # the peer too gets what fits into a core's cache
        pixels = sum(count * height * width for count, height, width, _ in shapes)
        shapes = [(-(-pixels // STRIP_PX), 1, STRIP_PX, 3)]
    batches = [n for shape in shapes for n in split(shape, stainer.batch)]
    tensors = [
        torch.rand(n, 3, height, width).to(stainer.device, memory_format=torch.channels_last)
        for n, height, width, _ in batches
    ]

    def work() -> None:
        with torch.inference_mode(), autocast(stainer.device, stainer.precision):
            results = [net(tensor)[0, 0, 0, 0] for tensor in tensors]
            torch.stack(results).cpu()  # waits for the device

    return work


def split(shape: tuple[int, ...], batch: int) -> list[tuple[int, ...]]:
    whole, rest = divmod(shape[0], batch)
    sizes = [batch] * whole + ([rest] if rest else [])
    return [(size, *shape[1:]) for size in sizes]


def tissue(slide: SlideReader, side: int, stride: int = 1) -> Rect:
    """Return the square with most tissue, its corner on a grid, in level-0 pixels.

    On the network's own grid a small read costs no more for each pixel than a large one.
    """
    places = choose_tissue(slide, 1, side, 0.5)
    place = places[0] if places else Rect(0, 0, side, side)
    return Rect(place.x // stride * stride, place.y // stride * stride, side, side)


def drawn_model(arch: Arch, folder: Path) -> Path:
    """Write a model of this architecture with drawn weights."""
    torch.manual_seed(0)
    folder.mkdir(parents=True)
    save_file(networks.build(arch).state_dict(), folder / WEIGHTS_FILE)
    tile, halo, multiple, blend = networks.tiling(arch)
    ModelCard(
        id=f"benchmark-{arch.family}-{arch.blocks}",
        name=f"Drawn {arch.family}",
        method="drawn",
        arch=arch,
        source_stain="H&E",
        target_stain="PAS",
        mpp=None if arch.family == "pixel" else 0.5,
        tile=tile,
        halo=halo,
        multiple=multiple,
        blend=blend,
        norm_mode={"instance": "frozen", "batch": "batch", "none": "none"}[arch.norm],  # type: ignore[arg-type] # the values are norm modes
        files={WEIGHTS_FILE: sha256_of(folder / WEIGHTS_FILE)},
    ).write(folder)
    return folder


if __name__ == "__main__":
    run("stain", measure, cells=[3], pixelwise_side=[4096])
