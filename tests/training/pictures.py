"""Pictures on disk for tests of data: tissue-like texture, and slides with pieces of it."""

from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from stainapp.runs.methods import MethodName
from stainapp.runs.recipe import Made, Recipe, Training
from stainapp.runs.recipe_data import Data, Origin
from stainapp.slides.reader import RgbImage

METHODS: dict[str, tuple[MethodName, str, str]] = {
    "unpaired": ("cyclegan", "PAS", ""),
    "alone": ("distil", "H&E", "macenko"),
}
"""By pairing: the method, the stain that is made, and the teacher; else Pix2Pix."""
Blob = tuple[int, int, int, int]
"""Centre x, y and half axes."""


def texture(width: int, height: int, seed: int) -> RgbImage:
    """Return sharp noise in one stain's colours, from weak to strong."""
    rng = np.random.default_rng(seed)
    strength = rng.uniform(0.5, 1.5, (height, width, 1))
    image: RgbImage = (244 * np.exp(-strength * (0.25, 0.7, 0.4))).astype(np.uint8)
    return image


def write(path: Path, image: RgbImage) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(image).save(path)
    return path


def folder(path: Path, count: int, first_seed: int, side: int = 96) -> Path:
    for n in range(count):
        write(path / f"{n}.bmp", texture(side, side, first_seed + n))
    return path


def slide_with_pieces(path: Path, blobs: list[Blob], size: tuple[int, int] = (900, 600)) -> Path:
    width, height = size
    y, x = np.mgrid[:height, :width]
    tissue = np.zeros((height, width), bool)
    for cx, cy, a, b in blobs:
        tissue |= ((x - cx) / a) ** 2 + ((y - cy) / b) ** 2 <= 1
    return write(path, np.where(tissue[..., None], texture(width, height, 1), 244).astype(np.uint8))


def recipe(*, images: int = 100, seed: int = 5, **data: Any) -> Recipe:
    """Return a recipe at 0.5 um/px of a method that learns from such data."""
    values: dict[str, Any] = {
        "pairing": "unpaired", "tile_px": 64, "validation_px": 64, "min_tissue": 0.2, **data,
    }  # fmt: skip
    method, target, teacher = METHODS.get(values["pairing"], ("pix2pix", "PAS", ""))
    return Recipe(
        method=method,
        seed=seed,
        model=Made(
            id="a", name="A", source_stain="H&E", target_stain=target, mpp=0.5, teacher=teacher
        ),
        data=Data(**values),
        training=Training(images=images, turns=False, density_jitter=0),
    )


def slide(path: Path | str, **values: Any) -> tuple[Origin, ...]:
    return (Origin(slide=str(path), **({"mpp": 0.5} | values)),)
