"""Tiles from ``stain.npz``: NumPy archives read as numbers alone, and no more than was allowed.

Sizes are taken from the archive's directory and the arrays' headers before anything is
decompressed; zipfile itself stops at the size that the directory states.
"""

import math
import stat
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from stainapp.errors import RecipeError

MOST_BYTES = 8 << 30
"""Of both arrays together, decompressed."""
NAMES = (("arr_0", "arr_1"), ("A", "B"))
MOST_RATIO = 1100
"""Deflate makes at most 1032 bytes of one; what claims more is no honest archive."""


@dataclass(frozen=True, slots=True)
class _Header:
    entry: zipfile.ZipInfo
    shape: tuple[int, int, int, int]
    dtype: np.dtype[Any]


def read_archive(path: Path) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Return both arrays, (N, H, W, 3) uint8; floats of 0..255 are rounded.

    Floats of 0..1 and -1..1 are refused and not guessed at: a dark picture of 0..255 cannot
    be told from them for certain.

    Raises:
        RecipeError: it is no such archive, holds something else than pixels, or too much.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            headers = [_header(archive, entry, path) for entry in _entries(archive, path)]
            total = sum(header.entry.file_size for header in headers)
            if total > MOST_BYTES:
                raise RecipeError(
                    f"{path} holds {total / 2**30:.1f} GiB when decompressed, and at most "
                    f"{MOST_BYTES / 2**30:.3g} are read; save the tiles as image files instead."
                )
            first, second = (_pixels(archive, header, path) for header in headers)
            return first, second
    except OSError as error:
        raise RecipeError(f"{path} cannot be read ({error.strerror or error}).") from error
    except (zipfile.BadZipFile, zlib.error, EOFError, ValueError, NotImplementedError) as error:
        raise RecipeError(
            f"{path} is no sound NumPy archive ({error}); save it again with np.savez_compressed."
        ) from error


def _entries(archive: zipfile.ZipFile, path: Path) -> list[zipfile.ZipInfo]:
    known = {entry.filename: entry for entry in archive.infolist()}
    for pair in NAMES:
        found = [known.get(f"{name}.npy") for name in pair]
        if found[0] is not None and found[1] is not None:
            entries = [found[0], found[1]]
            break
    else:
        names = ", ".join(sorted(known)[:5]) or "nothing"
        raise RecipeError(
            f"{path} holds {names} and not arr_0 and arr_1, nor A and B; "
            "save it with np.savez_compressed(file, source, target)."
        )
    for entry in entries:
        if stat.S_ISLNK(entry.external_attr >> 16) or entry.flag_bits & 1:
            raise RecipeError(
                f"{path}: {entry.filename} is a link or encrypted and is not read; "
                "save the archive again with np.savez_compressed."
            )
        if entry.file_size > MOST_RATIO * max(1, entry.compress_size):
            raise RecipeError(
                f"{path}: {entry.filename} claims {entry.file_size} bytes from "
                f"{entry.compress_size}, which cannot be; save the archive again."
            )
    return entries


def _header(archive: zipfile.ZipFile, entry: zipfile.ZipInfo, path: Path) -> _Header:
    with archive.open(entry) as file:
        shape, fortran, dtype = _read_header(file)
    problem = _problem(shape, dtype, fortran=fortran)
    if not problem and math.prod(shape) * dtype.itemsize > entry.file_size:
        problem = "is shorter than its header says; save the archive again"
    if problem:
        raise RecipeError(f"{path}: {entry.filename.removesuffix('.npy')} {problem}.")
    count, height, width, channels = shape
    return _Header(entry, (count, height, width, channels), dtype)


def _problem(shape: tuple[int, ...], dtype: np.dtype[Any], *, fortran: bool) -> str:
    if dtype.hasobject:
        return "holds Python objects, which could run a program; save it as uint8"
    if dtype != np.uint8 and dtype.kind != "f":
        return f"holds {dtype} and not uint8 or float of 0..255; save it as uint8"
    if len(shape) != 4 or shape[3] != 3 or 0 in shape:
        return f"has the shape {shape} and not (N, height, width, 3); save it so"
    if fortran:
        return "is stored column by column; save np.ascontiguousarray of it"
    return ""


def _read_header(file: IO[bytes]) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    version = npy.read_magic(file)
    if version == (1, 0):
        return npy.read_array_header_1_0(file)
    if version == (2, 0):
        return npy.read_array_header_2_0(file)
    raise ValueError(f"version {version} of .npy")


def _pixels(archive: zipfile.ZipFile, header: _Header, path: Path) -> NDArray[np.uint8]:
    """Decompress one image after another, so that floats take no memory beside the result."""
    images = np.empty(header.shape, np.uint8)
    size = math.prod(header.shape[1:]) * header.dtype.itemsize
    highest = 0.0
    with archive.open(header.entry) as file:
        _read_header(file)
        for image in images:
            values = np.frombuffer(_exactly(file, size), header.dtype).reshape(image.shape)
            if header.dtype != np.uint8:
                _check_range(values, header, path)
                highest = max(highest, float(values.max()))
                values = np.rint(values)
            image[...] = values
    if header.dtype != np.uint8 and highest <= 1:
        raise _wrong_range(header, path)
    return images


def _exactly(file: IO[bytes], size: int) -> bytes:
    data = file.read(size)
    if len(data) < size:
        raise EOFError("cut off")
    return data


def _check_range(values: NDArray[Any], header: _Header, path: Path) -> None:
    if not (values.min() >= 0 and values.max() <= 255):  # also false for what is not a number
        raise _wrong_range(header, path)


def _wrong_range(header: _Header, path: Path) -> RecipeError:
    return RecipeError(
        f"{path}: {header.entry.filename.removesuffix('.npy')} holds numbers that are not grey "
        "levels of 0..255; scale them (127.5 * (x + 1) from -1..1, 255 * x from 0..1), "
        "and save them as uint8."
    )
