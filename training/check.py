"""Look at a recipe before anything is learnt: whether it will do, how it splits, what it costs."""

import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import asdict, dataclass
from typing import Any

import torch

from stainapp.errors import RecipeError
from stainapp.models import networks
from stainapp.models.cost import peak_memory
from stainapp.models.device import is_out_of_memory
from stainapp.runs.methods import method_info
from stainapp.runs.recipe import Recipe
from training import checkpoint
from training.build import arch_of, build_method
from training.datasets import TAUGHT
from training.fields import Field
from training.method import Images, Method, Setting
from training.rooms import SOURCE, TARGET
from training.sources import TileSource, open_tiles
from training.tensors import to_network

TIMED_STEPS = 2
SQUARES = 400
"""Most tiles of a split that are shown."""
VALIDATION_SHARE_S = 1.1
"""What validations and checkpoints add to the time of learning."""
PICTURE_BYTES = 1_500_000
"""Of a picture of samples."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """What a run will take, measured by a few steps of it."""

    images_per_s: float
    seconds: float
    memory_bytes: int
    """At the most so far, of the processor's memory or the accelerator's."""
    disk_bytes: int
    device: str
    precision: str


@dataclass(frozen=True, slots=True)
class Part:
    """A field of the split, as the dialog draws it."""

    stain: str
    """"source" or "target"."""
    slide: str
    split: str
    name: str
    area: tuple[float, float, float, float]
    """x, y, width, height in level-0 pixels."""
    squares: list[tuple[int, int, int]]
    """Tiles side by side: x, y, side in level-0 pixels."""


@dataclass(frozen=True, slots=True)
class Checked:
    """A recipe that will do."""

    tiles: dict[str, int]
    """"train" and "validation"; "far_off" where some are left out, as their pairs do not meet."""
    split: list[Part]
    estimate: Estimate

    def values(self) -> dict[str, Any]:
        """Return it as plain values for JSON."""
        return {"ok": True, "problem": None, **asdict(self)}


def check(setting: Setting) -> Checked:
    """Open the data, build the networks, and time a few steps that are thrown away.

    Raises:
        RecipeError: the recipe will not do; one sentence says why.
    """
    recipe = setting.recipe
    check_sizes(recipe)
    method = build_method(setting)
    with closing(open_tiles(recipe, device=setting.device)) as data:
        tiles = {split: data.count_tiles(split) for split in ("train", "validation")}
        lost = data.count_far_off()
        if lost:
            tiles["far_off"] = lost
        return Checked(tiles, _split(recipe, data), _estimate(setting, method, data))


def check_sizes(recipe: Recipe) -> None:
    """Refuse tiles that the network cannot take.

    Raises:
        RecipeError: a side is no multiple of the network's.
    """
    multiple = networks.tiling(arch_of(recipe))[2]
    for name in ("tile_px", "validation_px"):
        side = getattr(recipe.data, name)
        if side % multiple:
            near = max(multiple, round(side / multiple) * multiple)
            raise RecipeError(
                f"data.{name} is {side}, and this network takes multiples of {multiple}; "
                f"set it to {near}."
            )


def _split(recipe: Recipe, data: TileSource) -> list[Part]:
    parts = []
    stains = [(SOURCE, "target" if recipe.data.pairing == "self" else "source")]  # its grey
    stains += [] if data.paired else [(TARGET, "target")]
    for stain, word in stains:
        squares: dict[int, list[tuple[int, int, int]]] = {}
        for split in ("train", "validation"):
            for field, i, j in data.example_squares(stain, split, SQUARES):
                squares.setdefault(id(field), []).append(_square(field, i, j, recipe.data.tile_px))
        parts += [
            Part(
                word,
                str(field.reader.info.path),
                field.split,
                field.name,
                (field.area.x, field.area.y, field.area.width, field.area.height),
                squares.get(id(field), []),
            )
            for field in data.fields(stain)
        ]
    return parts


def _square(field: Field, i: int, j: int, side: int) -> tuple[int, int, int]:
    step = field.scale.step
    return round(i * step), round(j * step), round(side * step)


def _estimate(setting: Setting, method: Method, data: TileSource) -> Estimate:
    recipe, batch = setting.recipe, setting.recipe.training.batch
    share = max(1, batch // setting.processes.count)
    tiles = data.batch(0, share)
    seen = Images(
        to_network(tiles.source, setting.device, grey=data.grey),
        to_network(tiles.target, setting.device),
        first=0,
        offset=0,
    )
    step = _whole_step(setting, method, seen)
    step()  # the first one also sets up
    start = time.perf_counter()
    for number in range(1, TIMED_STEPS + 1):
        if data.taught:  # a teacher takes longer than who learns from it
            data.batch(number * batch, share)
        step()
    speed = batch * TIMED_STEPS / (time.perf_counter() - start)
    images = recipe.training.images
    if data.taught:
        images += recipe.data.validation_tiles + TAUGHT
    return Estimate(
        images_per_s=speed,
        seconds=images / speed * VALIDATION_SHARE_S,
        memory_bytes=peak_memory(setting.device) or 0,
        disk_bytes=_disk(recipe, method),
        device=setting.device,
        precision=setting.precision,
    )


def _whole_step(setting: Setting, method: Method, images: Images) -> Callable[[], None]:
    def step() -> None:
        try:
            losses = method.step(images)
            float(next(iter(losses.values())))  # waits for the device
        except (RuntimeError, MemoryError) as error:
            if is_out_of_memory(error):
                raise RecipeError(
                    f"A step of {setting.recipe.training.batch} tiles of "
                    f"{setting.recipe.data.tile_px} px does not fit into the memory of "
                    f"{setting.device}; lower training.batch, data.tile_px or network.ngf."
                ) from error
            raise

    return step


def _disk(recipe: Recipe, method: Method) -> int:
    """Return what two checkpoints, one in the making, the models and the pictures take."""
    state = checkpoint.state_of(method)
    tensors = _bytes_in(state)
    image = method_info(recipe.method).judged_channels * recipe.data.tile_px**2 * 4
    pools = len(method.pools) * recipe.training.pool * image
    models = 3 * _bytes_in(state["averages"])
    pictures = recipe.training.images // recipe.training.validate_every * PICTURE_BYTES
    return (checkpoint.KEPT + 1) * (tensors + pools) + models + pictures


def _bytes_in(values: Any) -> int:
    if isinstance(values, torch.Tensor):
        return values.numel() * values.element_size()
    if isinstance(values, dict):
        return sum(map(_bytes_in, values.values()))
    return sum(map(_bytes_in, values)) if isinstance(values, (list, tuple)) else 0
