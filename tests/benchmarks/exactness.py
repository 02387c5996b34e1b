"""How much a network's own grid shows at the sizes that are used: in grey levels, in fp32.

A tile is stained by itself and within a larger one; what is left of it when its halo is cut off
is compared. The weights are drawn, and the last layer is scaled until the picture has the
contrast of a trained network's. For the U-Net, which sees its whole tile, the mean step across
the borders of its grid is compared with the mean step inside them, and with the slide's own.

    python tests/benchmarks/exactness.py [--json] [--quick]
"""

import argparse
import contextlib
import tempfile
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from stainapp.models import networks
from stainapp.models.calibration import calibrate_slide
from stainapp.models.card import Arch
from stainapp.models.network_stainer import NetworkStainer
from stainapp.models.opening import open_stainer
from stainapp.models.stainer import Stainer
from stainapp.models.virtual_slide import VirtualSlide
from stainapp.slides.opening import open_slide
from stainapp.slides.reader import RgbImage, SlideReader
from tests.benchmarks.measure import Figure, real_slide, run
from tests.benchmarks.stain import drawn_model

PLACES = {"tissue": (5000, 6000), "edge of the tissue": (5000, 9000)}
MORE_PX = 64
"""By how much the larger tile is larger on each side."""
CONTRAST = 0.5
"""Standard deviation of a trained generator's output, before 0..255."""


def measure(arguments: argparse.Namespace) -> list[Figure]:
    path = real_slide("BS25_HE.tiff") or "phantom:he:20000:7"
    kinds = [("strided", "transpose"), ("antialias", "antialias")]
    blocks = (6,) if arguments.quick else (6, 9)
    figures: list[Figure] = []
    with contextlib.closing(open_slide(path)) as slide, tempfile.TemporaryDirectory() as folder:
        for count in blocks:
            for down, up in kinds:
                arch = Arch(family="resnet", blocks=count, ngf=64, downsampling=down, upsampling=up)  # type: ignore[arg-type] # a pair of Arch's own words
                stainer = opened(arch, Path(folder, f"{count}-{down}"), slide)
                figures += resnet_figures(f"resnet, {count} blocks, {down}", stainer, slide)
        arch = Arch(family="unet", downs=8, ngf=64, norm="batch")
        stainer = opened(arch, Path(folder, "unet"), slide)
        figures += unet_figures("u-net, 256 px", stainer, slide)
    return figures


def opened(arch: Arch, folder: Path, slide: SlideReader) -> Stainer:
    """Open a drawn network whose picture has the contrast of a trained one's."""
    stainer = open_stainer(drawn_model(arch, folder), precision="fp32")
    assert isinstance(stainer, NetworkStainer)
    kinds = torch.nn.Conv2d, torch.nn.ConvTranspose2d
    last = [module for module in stainer._net.modules() if isinstance(module, kinds)][-1]
    seen: list[float] = []
    hook = last.register_forward_hook(lambda _m, _x, y: seen.append(float(y.std())))
    calibrate_slide(slide, stainer)
    hook.remove()
    with torch.inference_mode():
        last.weight *= CONTRAST / seen[0]
    return stainer


def resnet_figures(name: str, stainer: Stainer, slide: SlideReader) -> list[Figure]:
    state = calibrate_slide(slide, stainer)
    tile, halo, _, _ = networks.tiling(stainer.card.arch)  # type: ignore[arg-type] # it has one
    figures = []
    for place, (x, y) in PLACES.items():
        source = slide.read(x, y, 0, tile + 2 * MORE_PX, tile + 2 * MORE_PX)
        cut = np.ascontiguousarray(source[MORE_PX:-MORE_PX, MORE_PX:-MORE_PX])
        large = stainer.predict(source[None], state)[0][MORE_PX:-MORE_PX, MORE_PX:-MORE_PX]
        off = np.abs(stainer.predict(cut[None], state)[0].astype(int) - large)
        worst = int(off[halo:-halo, halo:-halo].max())
        called = f"{name}, halo {halo} px, {place}"
        figures += [
            Figure(f"{called}: worst difference", worst, "levels", aim=1),
            Figure(f"{called}: contrast of the picture", float(large.std()), "levels"),
            Figure(f"{called}: halo that 1 level needs", needed(off.max(axis=2)), "px"),
        ]
    return figures


def needed(off: NDArray[np.int_]) -> int:
    """Return the smallest halo beyond which nothing is off by more than one level."""
    rows, columns = np.nonzero(off > 1)
    side = len(off)
    if not len(rows):
        return 0
    inward = np.minimum(np.minimum(rows, columns), np.minimum(side - 1 - rows, side - 1 - columns))
    return int(inward.max()) + 1


def unet_figures(name: str, stainer: Stainer, slide: SlideReader) -> list[Figure]:
    card, state = stainer.card, calibrate_slide(slide, stainer)
    stride = card.tile - 2 * card.halo
    figures = []
    for place, corner in PLACES.items():
        x, y = (value // stride * stride for value in corner)
        with contextlib.closing(VirtualSlide(slide, stainer, state)) as virtual:
            stained, real = (r.read(x, y, 0, 4 * stride, 4 * stride) for r in (virtual, slide))
        first = (-card.halo % stride - 1) % stride
        share = step_across(stained, first, stride) / step_across(real, first, stride)
        figures.append(Figure(f"{name}, {place}: steps across the grid", share, "", aim=1.05))
    return figures


def step_across(image: RgbImage, first: int, stride: int) -> float:
    """Return the mean step across the grid's borders over the mean of all other steps."""
    steps = np.abs(np.diff(image.astype(float), axis=1)).mean(axis=(0, 2))
    borders = np.arange(first, len(steps), stride)
    return float(steps[borders].mean() / np.delete(steps, borders).mean())


if __name__ == "__main__":
    run("exactness", measure)
