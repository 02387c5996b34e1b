"""Small volumes on disk, of tissue that is neither blank nor blurred, and recipes over them."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import zarr
from numpy.typing import NDArray

from stainapp.models.card import Arch
from stainapp.runs.methods import MethodName, Pairing
from stainapp.runs.recipe import Made, Recipe, Training
from stainapp.runs.recipe_data import Data, Volumes

SHAPE = (24, 80, 112)
CHUNK = (4, 32, 32)
SIDE = 32
"""Of tiles. In y the last block is 48 px, a rest too small for a tile being part of it; in x the
last is 48 px as well."""
SMALL = Arch(family="resunet", blocks=1, ngf=4, norm="none")


def tissue(shape: Sequence[int] = SHAPE, channels: int = 3, seed: int = 0) -> NDArray[np.uint8]:
    """Return (z, y, x, c) of noise, each slice with a brightness of its own."""
    rng = np.random.default_rng(seed)
    noise = rng.integers(-60, 60, (*shape, channels))
    level = rng.integers(90, 180, (shape[0], 1, 1, 1))
    return (level + noise).astype(np.uint8)


def write_zarr(
    path: Path, values: NDArray[Any], chunk: Sequence[int] = CHUNK, version: Any = 3, name: str = ""
) -> str:
    """Write an array at the top of a store, or by a name in it; return its address."""
    sides = (*chunk, *values.shape[3:])
    where: dict[str, Any] = {"name": name} if name else {}
    array = zarr.create_array(
        str(path),
        shape=values.shape,
        chunks=sides,
        dtype=values.dtype,
        zarr_format=version,
        **where,
    )
    array[...] = values
    return f"{path}::{name}" if name else str(path)


def write_hdf5(path: Path, values: NDArray[Any], chunk: Sequence[int] | None = CHUNK) -> str:
    sides = (*chunk, *values.shape[3:]) if chunk else None
    with h5py.File(path, "w") as file:
        file.create_dataset("stains/he", data=values, chunks=sides)
    return f"{path}::stains/he"


def ome(
    levels: Mapping[str, float], axes: str = "czyx", unit: str = "micrometer"
) -> dict[str, Any]:
    """Return the metadata of an image whose levels have voxels of these lengths along x."""
    return {
        "multiscales": [
            {
                "version": "0.4",
                "axes": [
                    {"name": a, "type": "channel"} if a == "c"
                    else {"name": a, "type": "time"} if a == "t"
                    else {"name": a, "type": "space", "unit": unit}
                    for a in axes
                ],
                "datasets": [
                    {
                        "path": path,
                        "coordinateTransformations": [
                            {"type": "scale", "scale": [1.0] * (len(axes) - 2) + [step, step]}
                        ],
                    }
                    for path, step in levels.items()
                ],
            }
        ]
    }  # fmt: skip


def recipe(
    source: str,
    target: str,
    *,
    pairing: Pairing = "paired",
    method: MethodName = "unet",
    volumes: Volumes = Volumes(chunks_held=3, tiles_per_chunk=5, gap=4),  # noqa: B008 - frozen
    training: Mapping[str, Any] | None = None,
    **data: Any,
) -> Recipe:
    few = Training(images=12, precision="fp32", ndf=4, pool=0, validate_every=1000, ema=0.9)
    asked = Data(
        pairing=pairing,
        volume_source=source,
        volume_target=target,
        volumes=volumes,
        tile_px=SIDE,
        validation_px=SIDE,
        validation_tiles=6,
    )
    return Recipe(
        method=method,
        seed=7,
        model=Made(id="small", name="Small", source_stain="grey", target_stain="H&E", mpp=0.5),
        network=SMALL,
        data=replace(asked, **data),
        training=replace(few, **(training or {})),
    )
