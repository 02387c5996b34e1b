"""A transform as one JSON file: numbers as text, grids as compressed base64. Read strictly.

    {"format": "stainapp transform", "version": 1, "method": ..., "fixed": {...}, "moving": {...},
     "pieces": [[[a, b, c], [d, e, f]], ...], "landmarks": [[x, y, x, y], ...],
     "fixed_pieces": GRID, "moving_pieces": GRID, "field": GRID, "error": GRID}

A GRID is null or ``{"spacing_px", "shape", "type", "data"}``; its data are little-endian numbers,
row by row, deflated.
"""

import base64
import binascii
import json
import math
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from stainapp.errors import RegionError, RegistrationError
from stainapp.registration.grid import Grid
from stainapp.registration.transform import Frame, Transform
from stainapp.session.atomic_file import write_atomically
from stainapp.strict import build

FORMAT, VERSION = "stainapp transform", 1
LARGEST_BYTES = 256 << 20
MOST_NODES = 1 << 24
MOST_PIECES = 255
TYPES = {"uint8": "|u1", "float32": "<f4"}


@dataclass(frozen=True, slots=True)
class _Grid:
    spacing_px: float
    shape: tuple[int, ...]
    type: Literal["uint8", "float32"]
    data: str


_Row = tuple[float, float, float]


@dataclass(frozen=True, slots=True)
class _File:
    format: str
    version: int
    method: str
    fixed: Frame
    moving: Frame
    pieces: tuple[tuple[_Row, _Row], ...]
    landmarks: tuple[tuple[float, float, float, float], ...]
    fixed_pieces: _Grid | None
    moving_pieces: _Grid | None
    field: _Grid | None
    error: _Grid | None


def write_transform(transform: Transform, path: Path) -> None:
    """Write as `Transform.write`."""
    values = {
        "format": FORMAT,
        "version": VERSION,
        "method": transform.method,
        "fixed": _frame(transform.fixed),
        "moving": _frame(transform.moving),
        "pieces": [matrix.tolist() for matrix in transform.pieces],
        "landmarks": [list(one) for one in transform.landmarks],
        "fixed_pieces": _packed(transform.fixed_pieces, "uint8"),
        "moving_pieces": _packed(transform.moving_pieces, "uint8"),
        "field": _packed(transform.field, "float32"),
        "error": _packed(transform.error, "float32"),
    }
    try:
        write_atomically(path, json.dumps(values, ensure_ascii=False, indent=1).encode())
    except RegionError as error:
        raise RegistrationError(str(error)) from error


def read_transform(path: Path) -> Transform:
    """Read as `Transform.read`."""
    values = _parsed(path)
    if not isinstance(values, dict) or values.get("format") != FORMAT:
        raise RegistrationError(
            f"{path} is not a transform; make one with `stainapp register FIXED MOVING -o FILE`."
        )
    if values.get("version") != VERSION:
        raise RegistrationError(
            f"{path} is a transform of version {values.get('version')!r}, and this stainapp reads "
            f"version {VERSION}; update stainapp or register the slides again."
        )
    file = build(_File, values, str(path), RegistrationError)
    count = len(file.pieces)
    transform = Transform(
        fixed=_checked(file.fixed, path),
        moving=_checked(file.moving, path),
        pieces=tuple(np.array(piece, np.float64) for piece in file.pieces),
        fixed_pieces=_unpacked(file.fixed_pieces, path, "fixed_pieces", 2, "uint8", count),
        moving_pieces=_unpacked(file.moving_pieces, path, "moving_pieces", 2, "uint8", count),
        field=_unpacked(file.field, path, "field", 3, "float32"),
        error=_unpacked(file.error, path, "error", 2, "float32"),
        method=file.method,
        landmarks=file.landmarks,
    )
    _check_numbers(transform, path)
    return transform


def _parsed(path: Path) -> Any:
    try:
        if path.stat().st_size > LARGEST_BYTES:
            raise RegistrationError(f"{path} is too large to be a transform; choose another file.")
        return json.loads(path.read_bytes())
    except FileNotFoundError as error:
        raise RegistrationError(f"{path} does not exist; check the name.") from error
    except OSError as error:
        raise RegistrationError(
            f"{path} cannot be read ({error.strerror or error}); choose another file."
        ) from error
    except (ValueError, RecursionError) as error:
        raise RegistrationError(
            f"{path} is not a transform, or a damaged one; register the slides again."
        ) from error


def _frame(frame: Frame) -> dict[str, Any]:
    return {name: getattr(frame, name) for name in Frame.__slots__}


def _checked(frame: Frame, path: Path) -> Frame:
    sound = frame.width_px > 0 and frame.height_px > 0
    if not sound or (frame.mpp is not None and not 0 < frame.mpp < math.inf):
        raise RegistrationError(f"{path}: a slide in it has an impossible size; register again.")
    return frame


def _check_numbers(transform: Transform, path: Path) -> None:
    pieces = np.array(transform.pieces)
    if not 1 <= len(pieces) <= MOST_PIECES or not np.isfinite(pieces).all():
        raise RegistrationError(f"{path}: the field 'pieces' holds no usable map; register again.")
    if np.abs(np.linalg.det(pieces[:, :, :2])).min() < 1e-9:
        raise RegistrationError(f"{path}: a piece is mapped onto a line; register again.")
    if transform.field is not None and (
        transform.field.values.shape[2] != 2 or not np.isfinite(transform.field.values).all()
    ):
        raise RegistrationError(f"{path}: the field 'field' is no displacement; register again.")
    if not all(math.isfinite(v) for one in transform.landmarks for v in one):
        raise RegistrationError(f"{path}: a landmark has no place; remove it.")


def _packed(grid: Grid | None, kind: str) -> dict[str, Any] | None:
    if grid is None:
        return None
    data = np.ascontiguousarray(grid.values, TYPES[kind]).tobytes()
    return {
        "spacing_px": float(grid.spacing_px),
        "shape": list(grid.values.shape),
        "type": kind,
        "data": base64.b64encode(zlib.compress(data)).decode("ascii"),
    }


def _unpacked(
    packed: _Grid | None, path: Path, name: str, axes: int, kind: str, below: int | None = None
) -> Grid | None:
    """Return a grid, having looked at its claims before taking memory for it."""
    if packed is None:
        return None
    shape, size = packed.shape, math.prod(packed.shape)
    sound = len(shape) == axes and min(shape) > 0 and size <= MOST_NODES and packed.type == kind
    if not sound or not 0 < packed.spacing_px < math.inf:
        raise RegistrationError(f"{path}: {name} has an impossible shape; register again.")
    wanted = size * np.dtype(TYPES[kind]).itemsize
    try:
        unpacker = zlib.decompressobj()
        data = unpacker.decompress(base64.b64decode(packed.data, validate=True), wanted + 1)
    except (ValueError, binascii.Error, zlib.error) as error:
        raise RegistrationError(f"{path}: {name} is damaged; register again.") from error
    if len(data) != wanted:
        raise RegistrationError(f"{path}: {name} is incomplete; register again.")
    values = np.frombuffer(data, TYPES[kind]).reshape(shape)
    if below is not None and values.max() >= below:
        raise RegistrationError(f"{path}: {name} names a piece that is not there; register again.")
    return Grid(values, packed.spacing_px)
