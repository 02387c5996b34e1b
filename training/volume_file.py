"""Volumes: arrays that lie on disk in chunks, in Zarr, OME-Zarr or HDF5, read a box at a time.

An address is ``path::dataset``. Whatever order the file has, boxes come as (z, y, x, c).
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import h5py
import numpy as np
import zarr
from numpy.typing import NDArray

from stainapp.errors import RecipeError, SlideError

Box: TypeAlias = tuple[slice, slice, slice]
"""Along z, y and x, in voxels."""
Raw: TypeAlias = NDArray[Any]
"""(z, y, x, c) in the file's own numbers."""

BETWEEN = "::"
"""In an address, between the file and the dataset in it."""
USUAL_AXES: Mapping[int, str] = {3: "zyx", 4: "zyxc"}
"""Of an array that does not name them, by their number."""
UNCHUNKED = (1, 512, 512)
"""What is read at a time of an HDF5 dataset that lies in one piece."""
MICROMETRES = {"nanometer": 1e-3, "micrometer": 1.0, "millimeter": 1e3}
KINDS = "uint8, uint16 or float"
FAULTS = (OSError, ValueError, KeyError, TypeError, IndexError, AttributeError, RuntimeError)
"""What zarr, its codecs and h5py raise for what is missing, damaged or of no kind they know."""


@dataclass(frozen=True)
class Volume:
    """One open array."""

    path: Path
    dataset: str
    shape: tuple[int, int, int]
    """Voxels along z, y and x."""
    channels: int
    """3, or 1 for grey."""
    dtype: np.dtype[Any]
    chunk: tuple[int, int, int]
    """What the file stores as one piece, along z, y and x."""
    mpp: float | None
    """Micrometres per voxel along x, where OME metadata say it."""
    close: Callable[[], None]
    _array: Any
    _axes: str
    """As they lie in the file."""

    @property
    def name(self) -> str:
        return f"{self.path.name}{BETWEEN}{self.dataset}" if self.dataset else self.path.name

    def read(self, box: Box) -> Raw:
        """Return a part, (z, y, x, c).

        Raises:
            SlideError: the file is damaged there or has gone away.
        """
        where = dict(zip("zyx", box, strict=True))
        index = tuple(0 if axis == "t" else where.get(axis, slice(None)) for axis in self._axes)
        try:
            values = np.asarray(self._array[index])
        except FAULTS as error:
            raise SlideError(
                f"{self.path} is damaged or has gone away ({error}); copy it again from where it "
                "came, and resume the run."
            ) from error
        kept = [axis for axis in self._axes if axis != "t"]
        if "c" not in kept:
            values, kept = values[..., None], [*kept, "c"]
        return values.transpose([kept.index(axis) for axis in "zyxc"])


def open_volume(address: str) -> Volume:
    """Open the array that an address names; of an OME-Zarr image, its finest level.

    Raises:
        RecipeError: there is none, or its axes or its numbers are of another kind.
    """
    file, _, dataset = address.partition(BETWEEN)
    path = Path(file)
    if not path.exists():
        raise RecipeError(f"{path} does not exist; correct the path of the volume.")
    found = _in_zarr(path, dataset) if path.is_dir() else _in_hdf5(path, dataset)
    try:
        return _volume(path, found)
    except BaseException:
        found.close()
        raise


@dataclass(frozen=True)
class _Found:
    """An array and what is known of it."""

    array: Any
    dataset: str
    chunk: Sequence[int] | None
    axes: Sequence[str] | None
    """None where nothing names them."""
    mpp: float | None = None
    close: Callable[[], None] = lambda: None


def _volume(path: Path, found: _Found) -> Volume:
    array, where = found.array, f"{path}{BETWEEN}{found.dataset}" if found.dataset else str(path)
    axes = _axes(found, where)
    lengths = dict(zip(axes, array.shape, strict=True))
    dtype, channels = np.dtype(array.dtype), lengths.get("c", 1)
    if dtype not in (np.uint8, np.uint16) and dtype.kind != "f":
        raise RecipeError(f"{where} holds {dtype} and not {KINDS}; save it as one of these.")
    if channels not in (1, 3):
        raise RecipeError(
            f"{where} has {channels} channels along c, and a picture has 3, or 1 if it is grey; "
            "save those of one stain."
        )
    if 0 in array.shape:
        raise RecipeError(f"{where} is empty ({_times(array.shape)}); name another dataset.")
    shape = (lengths["z"], lengths["y"], lengths["x"])
    sides = dict(zip(axes, found.chunk, strict=True)) if found.chunk else None
    chunk = (sides["z"], sides["y"], sides["x"]) if sides else UNCHUNKED
    return Volume(
        path=path,
        dataset=found.dataset,
        shape=shape,
        channels=channels,
        dtype=dtype,
        chunk=tuple(min(pair) for pair in zip(chunk, shape, strict=True)),
        mpp=found.mpp,
        close=found.close,
        _array=array,
        _axes=axes,
    )


def _axes(found: _Found, where: str) -> str:
    shape = found.array.shape
    names = USUAL_AXES.get(len(shape), "") if found.axes is None else found.axes
    known = set(names) <= set("tzyxc") and set("zyx") <= set(names)
    if not known or len(set(names)) != len(names) or len(names) != len(shape):
        said = ", ".join(map(str, names)) if found.axes is not None else "no names"
        raise RecipeError(
            f"{where} has the shape {_times(shape)} and axes of {said}, and a volume has z, y, x "
            "and, unless it is grey, c; save it in this order."
        )
    axes = "".join(names)
    if "t" in axes and shape[axes.index("t")] != 1:
        raise RecipeError(
            f"{where} has {shape[axes.index('t')]} points in time; save one of them as a volume."
        )
    return axes


def _in_zarr(path: Path, dataset: str) -> _Found:
    try:
        node = zarr.open(str(path), path=dataset, mode="r")
    except FAULTS as error:
        raise _missing(path, dataset, _keys(path)) from error
    name = dataset.strip("/")
    if isinstance(node, zarr.Array):
        group, _, level = name.rpartition("/")
        image = _image(_attributes(path, group)) if name else None
        return _of_zarr(node, name, image, level)
    image = _image(dict(node.attrs))
    if image is None:
        raise _missing(path, dataset, sorted(node.keys()))
    level = _finest(image)
    array = node.get(level)
    if not isinstance(array, zarr.Array):
        raise _missing(path, f"{name}/{level}".strip("/"), sorted(node.keys()))
    return _of_zarr(array, f"{name}/{level}".strip("/"), image, level)


def _of_zarr(
    array: "zarr.Array[Any]", dataset: str, image: Mapping[str, Any] | None, level: str
) -> _Found:
    own = array.attrs.get("_ARRAY_DIMENSIONS")
    axes: Any = getattr(array.metadata, "dimension_names", None) or own
    mpp = None
    levels = [] if image is None else [one.get("path") for one in image["datasets"]]
    if image is not None and level in levels:
        axes = _named(image)
        mpp = _mpp(image, level)
    return _Found(array, dataset, array.chunks, axes, mpp)


def _attributes(path: Path, group: str) -> dict[str, Any]:
    try:
        return dict(zarr.open_group(str(path), path=group, mode="r").attrs)
    except FAULTS:
        return {}  # an array may lie in a plain folder


def _keys(path: Path) -> list[str]:
    try:
        return sorted(zarr.open_group(str(path), mode="r").keys())
    except FAULTS:
        return []


def _image(attributes: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """Return the first image of OME-Zarr metadata, 0.1 to 0.5, if these are such."""
    ome = attributes.get("ome", attributes)
    images = ome.get("multiscales") if isinstance(ome, Mapping) else None
    if not isinstance(images, list) or not images or not isinstance(images[0], Mapping):
        return None
    levels = images[0].get("datasets")
    sound = isinstance(levels, list) and levels and all(isinstance(one, Mapping) for one in levels)
    return images[0] if sound else None


def _named(image: Mapping[str, Any]) -> list[str]:
    """Return the axes' names; before 0.3 they were always these."""
    axes = image.get("axes", list("tczyx"))
    return [one["name"] if isinstance(one, Mapping) else str(one) for one in axes]


def _finest(image: Mapping[str, Any]) -> str:
    """Return the path of the level with the smallest voxels, else of the first."""
    levels = image["datasets"]
    steps = [_step(image, one) for one in levels]
    known = [step for step in steps if step is not None]
    chosen = steps.index(min(known)) if len(known) == len(steps) else 0
    return str(levels[chosen].get("path"))


def _step(image: Mapping[str, Any], level: Mapping[str, Any]) -> float | None:
    """Return the length of a voxel along x, in the unit of its axis."""
    axes, step, said = _named(image), 1.0, False
    for place in (image, level):
        for one in place.get("coordinateTransformations") or ():
            scale = one.get("scale")
            if one.get("type") == "scale" and scale and len(scale) == len(axes) and "x" in axes:
                step *= float(scale[axes.index("x")])
                said = True
    return step if said else None


def _mpp(image: Mapping[str, Any], level: str) -> float | None:
    units = [one.get("unit") for one in image.get("axes", ()) if isinstance(one, Mapping)
             and one.get("name") == "x"]  # fmt: skip
    um = MICROMETRES.get(units[0] or "") if units else None
    step = _step(image, next(one for one in image["datasets"] if one.get("path") == level))
    return step * um if step is not None and um is not None and math.isfinite(step) else None


def _in_hdf5(path: Path, dataset: str) -> _Found:
    try:
        file = h5py.File(path, "r")
    except OSError as error:
        raise RecipeError(
            f"{path} is neither a Zarr folder nor an HDF5 file that can be read ({error}); "
            "save the volume as one of these."
        ) from error
    try:
        array = file[dataset] if dataset else None
    except FAULTS:
        array = None
    if not isinstance(array, h5py.Dataset):
        known: list[str] = []
        file.visititems(lambda name, node: _noted(known, name, node))
        file.close()
        raise _missing(path, dataset, known)
    names = [dimension.label for dimension in array.dims]
    return _Found(array, dataset, array.chunks, names if all(names) else None, close=file.close)


def _noted(known: list[str], name: str, node: object) -> None:
    if isinstance(node, h5py.Dataset):
        known.append(name)


def _missing(path: Path, dataset: str, known: Sequence[str]) -> RecipeError:
    what = f"no array {dataset!r}" if dataset else "no array at its top"
    choice = f"one of {', '.join(known[:5])}" if known else "a Zarr or HDF5 array"
    return RecipeError(f"{path} has {what}; name {choice} as path::dataset.")


def _times(shape: Sequence[int]) -> str:
    return " x ".join(map(str, shape))
