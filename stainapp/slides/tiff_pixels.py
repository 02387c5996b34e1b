"""Pixels of one TIFF image, decoded tile by tile or strip by strip, as 8-bit RGB."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np
import tifffile

from stainapp.errors import SlideError, UnsupportedSlideError
from stainapp.slides.mosaic import Grid
from stainapp.slides.reader import RgbImage

MOST_SEGMENT_BYTES = 1 << 30
"""A larger compressed strip cannot be decoded in bounded memory."""

_ASSOCIATED_ALPHA, _UNASSOCIATED_ALPHA = 1, 2
_MIN_IS_WHITE, _PALETTE = 0, 3
_MAX_SAMPLE_VALUE = 281


@dataclass(frozen=True, slots=True)
class Plane:
    """One page of the file: where its segments lie, and how they are decoded."""

    page: Any
    """tifffile's page or frame, which carries the offsets."""
    key: Any
    """The page that carries the format, shared by all frames like it."""
    mapped: np.ndarray | None
    """All samples as (height, width, samples), where they lie in the file uncompressed."""


class TiffImage:
    """One level of a TIFF, from one page of colour or from one page per channel."""

    def __init__(self, pages: Sequence[Any], path: Path, lock: Lock) -> None:
        self._path, self._lock = path, lock
        self._planes = tuple(_plane(page, path) for page in pages)
        key = self._planes[0].key
        if key.dtype is None or key.dtype.kind not in "bu":
            raise UnsupportedSlideError(
                f"{path} holds {key.dtype or 'unknown'} samples; convert it to 8 or 16 bit colour."
            )
        self.grid = _grid(key)
        self._check_segment_size(key)

    def tile(self, column: int, row: int) -> RgbImage:
        """Decode one tile or strip.

        Raises:
            SlideError: it is damaged, or cut off.
        """
        parts = [self._samples(plane, column, row) for plane in self._planes]
        samples = parts[0] if len(parts) == 1 else np.concatenate(parts, axis=2)
        return _as_rgb(samples, self._planes[0].key)

    def _check_segment_size(self, key: Any) -> None:
        grid, samples = self.grid, int(key.samplesperpixel)
        size = grid.tile_width * grid.tile_height * samples * key.dtype.itemsize
        if self._planes[0].mapped is None and size > MOST_SEGMENT_BYTES:
            raise UnsupportedSlideError(
                f"{self._path} is stored as one compressed piece of {size / 2**30:.1f} GiB; "
                f"convert it to a tiled TIFF."
            )

    def _samples(self, plane: Plane, column: int, row: int) -> np.ndarray:
        """Return (height, width, samples) of the file's own type."""
        if plane.mapped is not None:
            x, y = column * self.grid.tile_width, row * self.grid.tile_height
            width, height = self.grid.size_of(column, row)
            return plane.mapped[y : y + height, x : x + width]
        columns = -(-self.grid.width_px // self.grid.tile_width)
        rows = -(-self.grid.height_px // self.grid.tile_height)
        index = row * columns + column
        separate = plane.key.planarconfig == 2
        samples = plane.key.samplesperpixel if separate else 1
        parts = [self._segment(plane, index + n * rows * columns) for n in range(samples)]
        segment = parts[0] if len(parts) == 1 else np.concatenate(parts, axis=2)
        width, height = self.grid.size_of(column, row)
        if segment.shape[0] < height or segment.shape[1] < width:
            raise self._damaged(index, None)
        return segment

    def _segment(self, plane: Plane, index: int) -> np.ndarray:
        data = self._bytes(plane, index)
        if data is None:  # left out by the writer: nothing was scanned there
            blank = np.iinfo(plane.key.dtype).max if plane.key.dtype.kind == "u" else 1
            samples = 1 if plane.key.planarconfig == 2 else plane.key.samplesperpixel
            shape = (self.grid.tile_height, self.grid.tile_width, samples)
            return np.full(shape, blank, plane.key.dtype)
        tables = getattr(plane.page, "jpegtables", None)
        known = {} if tables is None else {"jpegtables": tables}
        try:
            segment, _, _ = plane.key.decode(data, index, **known)
        except Exception as error:  # each codec fails in its own way, none with a common class
            raise self._damaged(index, error) from error
        if segment is None:
            raise self._damaged(index, None)
        return np.asarray(segment[0])

    def _bytes(self, plane: Plane, index: int) -> bytes | None:
        try:
            offset, count = plane.page.dataoffsets[index], plane.page.databytecounts[index]
            if count == 0:
                return None
            file = plane.page.parent.filehandle
            with self._lock:
                if file.closed:  # a further file of an OME-TIFF set
                    file.open()
                file.seek(offset)
                data: bytes = file.read(count)
        except (OSError, IndexError, ValueError) as error:
            raise self._damaged(index, error) from error
        if len(data) != count:
            raise self._damaged(index, None)
        return data

    def _damaged(self, index: int, error: Exception | None) -> SlideError:
        why = f" ({error})" if error else ""
        return SlideError(
            f"{self._path} is damaged or cut off at tile {index}{why}; "
            f"copy it again from where it came."
        )


def _plane(page: Any, path: Path) -> Plane:
    if page is None:
        raise SlideError(f"{path} lacks a page that its description lists; copy it again.")
    key = page.keyframe
    return Plane(page, key, _mapped(page, key))


def _mapped(page: Any, key: Any) -> np.ndarray | None:
    """Map uncompressed, contiguous samples into memory, so that only what is read is loaded."""
    if not key.is_memmappable or key.dtype.kind != "u" or page.parent.filehandle.closed:
        return None
    file = page.parent.filehandle
    separate = key.planarconfig == 2 and key.samplesperpixel > 1
    plane = (key.imagelength, key.imagewidth)
    shape = (key.samplesperpixel, *plane) if separate else (*plane, key.samplesperpixel)
    dtype = np.dtype(page.parent.byteorder + key.dtype.char)
    try:
        pixels = np.memmap(
            file.path, dtype=dtype, mode="r", offset=page.dataoffsets[0], shape=shape
        )
    except (OSError, ValueError):  # cut off: read strip by strip, so that what is there is seen
        return None
    return np.moveaxis(pixels, 0, 2) if separate else pixels


def _grid(key: Any) -> Grid:
    width, height = int(key.imagewidth), int(key.imagelength)
    if key.is_tiled:
        return Grid(width, height, int(key.tilewidth), int(key.tilelength))
    return Grid(width, height, width, max(1, min(int(key.rowsperstrip), height)))


def _as_rgb(samples: np.ndarray, key: Any) -> RgbImage:
    """Turn (height, width, samples) of any unsigned type into 8-bit RGB on white."""
    if key.photometric == _PALETTE and key.colormap is not None:
        lookup = (key.colormap.T >> 8).astype(np.uint8)
        return np.ascontiguousarray(lookup[samples[..., 0]])
    values = _as_uint8(samples, key)
    if key.photometric == _MIN_IS_WHITE:
        values = 255 - values
    colours = values[..., :3] if values.shape[2] >= 3 else np.repeat(values[..., :1], 3, axis=2)
    extra = tuple(key.extrasamples)[:1]
    if extra in ((_ASSOCIATED_ALPHA,), (_UNASSOCIATED_ALPHA,)) and values.shape[2] in (2, 4):
        return _on_white(colours, values[..., -1:], premultiplied=extra == (_ASSOCIATED_ALPHA,))
    return np.ascontiguousarray(colours)


def _as_uint8(samples: np.ndarray, key: Any) -> RgbImage:
    if samples.dtype == np.uint8:
        return samples
    if samples.dtype == np.bool_:
        return samples.astype(np.uint8) * np.uint8(255)
    scale = 255.0 / _brightest(key)
    scaled: RgbImage = np.clip(samples * np.float32(scale) + np.float32(0.5), 0, 255).astype(
        np.uint8
    )
    return scaled


def _brightest(key: Any) -> float:
    """Return the sample value that is white: what the file states, or all its bits."""
    tag = key.tags.get(_MAX_SAMPLE_VALUE)
    stated = max(np.atleast_1d(tag.value)) if tag is not None else 0
    return float(stated) if stated > 0 else float(2 ** int(key.bitspersample) - 1)


def _on_white(colours: RgbImage, alpha: RgbImage, *, premultiplied: bool) -> RgbImage:
    opacity = alpha.astype(np.float32) / 255
    part = colours if premultiplied else colours * opacity
    blended: RgbImage = np.clip(part + 255 * (1 - opacity) + 0.5, 0, 255).astype(np.uint8)
    return blended


def open_tiff(path: Path) -> Any:
    """Open a file with tifffile.

    Raises:
        SlideError: it is no TIFF, or damaged beyond finding its pages.
    """
    try:
        return tifffile.TiffFile(path)
    except Exception as error:  # damaged headers fail in many ways without a common class
        raise SlideError(
            f"{path} is damaged or incomplete ({error}); copy it again from where it came."
        ) from error
