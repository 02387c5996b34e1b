"""How much of a bare torch loop's speed is left in the loop that teaches.

The peer takes the same steps with the same networks on tensors that lie ready, with no slides,
no log, no run folder, no checks, no averages and no image pool around them. Both go on from round
to round, by turns. The slides are JPEG tiles on disk, as a scanner leaves them: drawing them
meanwhile would be measured too.

    python tests/benchmarks/train.py [--json] [--quick] [--steps 6]
"""

import argparse
import itertools
import tempfile
from collections.abc import Callable
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Literal

import tifffile
import torch
from torch import Tensor, nn

from stainapp.models.card import Arch
from stainapp.runs.folder import RunFolder
from stainapp.runs.recipe import Made, Recipe, Training
from stainapp.runs.recipe_data import Data, Origin
from stainapp.slides.opening import open_slide
from tests.benchmarks.measure import Figure, by_turns, median, ratio, run, seconds
from training.build import build_method
from training.datasets import Dataset
from training.loop import Lesson, setting_of
from training.losses import gan_loss, judge_loss, l1
from training.method import Method, Setting
from training.processes import ALONE
from training.reporter import Reporter
from training.tensors import to_network

Kind = Literal["cyclegan", "pix2pix"]
SHARE_AIM = 0.95
SLIDE_PX = 4096
READY = 8
"""Different batches that the peer goes through again and again."""


def measure(arguments: argparse.Namespace) -> list[Figure]:
    steps, rounds = (2, 1) if arguments.quick else (arguments.steps[0], 5)
    side = 64 if arguments.quick else 128
    kinds: tuple[Kind, ...] = ("cyclegan", "pix2pix")
    with tempfile.TemporaryDirectory() as folder:
        slides = {stain: drawn(stain, Path(folder)) for stain in ("he", "pas")}
        return [
            figure for kind in kinds for figure in one(recipe_of(kind, slides, side), steps, rounds)
        ]


def one(recipe: Recipe, steps: int, rounds: int) -> list[Figure]:
    """Measure one method's loop against its bare step."""
    setting = setting_of(recipe, ALONE, "auto")
    with ExitStack() as stack:
        folder = RunFolder(Path(stack.enter_context(tempfile.TemporaryDirectory())))
        report = stack.enter_context(closing(Reporter(folder, recipe, setting)))
        data = stack.enter_context(closing(Dataset(recipe)))
        lesson = stack.enter_context(closing(Lesson(folder, setting, report, data)))
        lesson.begin()
        bare = bare_step(build_method(setting), setting, ready(setting, data))

        def ours() -> None:
            for _ in range(steps):
                assert lesson.why_to_end([]) is None
                lesson.learn()
                lesson.validate_if_due()
                lesson.keep_if_due()
            wait_for(setting.device)

        def theirs() -> None:
            for _ in range(steps):
                bare()
            wait_for(setting.device)

        times = by_turns({"ours": lambda: seconds(ours), "bare": lambda: seconds(theirs)}, rounds)
    name = f"{recipe.method}, {setting.device} {setting.precision}"
    share = ratio(times["bare"], times["ours"])
    return [
        Figure(f"{name}: the loop", steps / median(times["ours"]), "1/s"),
        Figure(f"{name}: bare", steps / median(times["bare"]), "1/s"),
        Figure(f"{name}: share of the bare loop", share, "", SHARE_AIM, lower=False),
    ]


def bare_step(
    method: Method, setting: Setting, batches: list[tuple[Tensor, Tensor]]
) -> Callable[[], None]:
    """Return a step as one would write it into a script."""
    endless = itertools.cycle(batches)
    nets, weights = method.networks, setting.recipe.losses
    generators, judges = method.optimisers["generators"], method.optimisers["discriminators"]
    targeted = nets["judge-target"]

    def cyclegan() -> None:
        source, target = next(endless)
        forward, inverse, sourced = nets["forward"], nets["inverse"], nets["judge-source"]
        learns([targeted, sourced], on=False)
        with setting.precise():
            made_target, same_source = forward(torch.cat([source, target])).chunk(2)
            made_source, same_target = inverse(torch.cat([target, source])).chunk(2)
            loss = (
                gan_loss(targeted(made_target), "lsgan", real=True)
                + gan_loss(sourced(made_source), "lsgan", real=True)
                + weights.cycle * l1(inverse(made_target), source)
                + weights.cycle * l1(forward(made_source), target)
                + weights.identity * l1(same_source, target)
                + weights.identity * l1(same_target, source)
            )
        down(loss, generators)
        learns([targeted, sourced], on=True)
        made_target, made_source = made_target.detach().float(), made_source.detach().float()
        with setting.precise():
            loss = judge_loss(targeted, target, made_target, "lsgan")
            loss = loss + judge_loss(sourced, source, made_source, "lsgan")
        down(loss, judges)

    def pix2pix() -> None:
        source, target = next(endless)
        learns([targeted], on=False)
        with setting.precise():
            made = nets["forward"](source)
            score = targeted(torch.cat([source, made.float()], 1))
        loss = gan_loss(score, "lsgan", real=True) + weights.l1 * l1(made, target)
        down(loss, generators)
        learns([targeted], on=True)
        real, pair = (torch.cat([source, x], 1) for x in (target, made.detach().float()))
        with setting.precise():
            loss = judge_loss(targeted, real, pair, "lsgan")
        down(loss, judges)

    return cyclegan if setting.recipe.method == "cyclegan" else pix2pix


def learns(nets: list[nn.Module], *, on: bool) -> None:
    for net in nets:
        net.requires_grad_(on)


def down(loss: Tensor, optimiser: torch.optim.Optimizer) -> None:
    optimiser.zero_grad(set_to_none=True)
    loss.backward()
    optimiser.step()


def ready(setting: Setting, data: Dataset) -> list[tuple[Tensor, Tensor]]:
    size, device = setting.recipe.training.batch, setting.device
    found = [data.batch(n * size, size) for n in range(READY)]
    return [(to_network(b.source, device), to_network(b.target, device)) for b in found]


def wait_for(device: str) -> None:
    if device.startswith("cuda"):
        torch.cuda.synchronize()


def drawn(stain: str, folder: Path) -> Path:
    """Write the phantom in a stain into a file."""
    path = folder / f"{stain}.tif"
    with closing(open_slide(f"phantom:{stain}:{SLIDE_PX}:3")) as slide:
        picture = slide.read(0, 0, 0, SLIDE_PX, SLIDE_PX)
    tifffile.imwrite(path, picture, photometric="rgb", tile=(256, 256), compression="jpeg")
    return path


def recipe_of(kind: Kind, slides: dict[str, Path], side: int) -> Recipe:
    """Return the recipe of a small network over two slides, as "overnight" is on a processor."""
    half = SLIDE_PX / 2
    areas = {"train": (0.0, 0.0, half, 2 * half), "validation": (half, 0.0, half, 2 * half)}

    def origins(stain: str) -> tuple[Origin, ...]:
        return tuple(
            Origin(slide=str(slides[stain]), mpp=0.5, areas=(area,), split=split)  # type: ignore[arg-type] # its keys
            for split, area in areas.items()
        )

    return Recipe(
        method=kind,
        model=Made(id="bench", name="Bench", source_stain="H&E", target_stain="PAS", mpp=0.5),
        network=Arch(family="resnet", blocks=6, ngf=32, upsampling="resize"),
        data=Data(
            pairing="paired" if kind == "pix2pix" else "unpaired",
            source=origins("he"),
            target=origins("pas"),
            tile_px=side,
        ),
        training=Training(images=10**6, ndf=32, checkpoint_every=10**6, validate_every=10**6),
    )


if __name__ == "__main__":
    run("train", measure, steps=[6])
