"""Any reader written to a pyramidal OME-TIFF: streamed, resumable, re-opened and checked.

Tiles are appended to ``<name>.part`` in one fixed order, level 0 first; a coarser level is
averaged from the tiles of the finer one that are already in the file. So memory does not
grow with the slide, and a journal of the tiles' lengths and checksums is all that is needed
to go on after an interruption, with the same bytes as if there had been none.
"""

import hashlib
import os
import time
import zlib
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from inspect import signature
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from stainapp import __version__
from stainapp.cancel import CancelToken
from stainapp.errors import ExportError
from stainapp.geometry import Rect
from stainapp.slides.ome_tiff import TILE_PX, Compression, Layout, directories, header, ome_xml
from stainapp.slides.part_file import PartFile, Tile
from stainapp.slides.provenance import check_export
from stainapp.slides.reader import RgbImage, SlideReader

BAND = 4
"""Rows of tiles read together."""
MAX_COLUMNS = 4
FOREIGN_SUFFIXES = {
    ".bif", ".bmp", ".czi", ".dcm", ".gif", ".jp2", ".jpeg", ".jpg", ".mrxs", ".ndpi", ".png",
    ".qptiff", ".scn", ".svs", ".svslide", ".vms", ".vmu", ".vsi", ".webp", ".zarr",
}  # fmt: skip
"""What other kinds of images are called; under such a name an export would not be found out."""
_CODEC_ERRORS = (RuntimeError, ValueError, ImportError, MemoryError, zlib.error)
"""What imagecodecs raises: of damaged data, or of a codec that this computer lacks."""
SOFTWARE = f"stainapp {__version__}"


def write_slide(  # noqa: PLR0913 - keyword-only choices, each with a default
    reader: SlideReader,
    path: Path,
    *,
    region: Rect | None = None,
    provenance: Mapping[str, Any],
    compression: Compression = "deflate",
    quality: int = 90,
    overwrite: bool = False,
    resume: bool = False,
    token: CancelToken | None = None,
    progress: Callable[[int, int], None] | None = None,
    workers: int | None = None,
) -> None:
    """Write level 0 of a reader, or a region of it, with averaged levels below it.

    Args:
        reader: what to write. Read from this thread alone, in order, while tiles are
            compressed in others. If its ``read`` takes a ``token``, it is given ours.
        path: the file to make, such as ``out.ome.tiff``.
        region: part of the slide in level-0 pixels, rounded to whole ones; None is all of it.
        provenance: what to record of the picture's origin, as JSON; "export" is added.
        compression: "deflate" and "zstd" keep every bit; "jpeg" is about ten times smaller.
        quality: of JPEG, 1..100.
        overwrite: whether an existing file may be replaced.
        resume: go on with an interrupted export of the same, if there is one, and keep what
            is finished when this one is cancelled or fails.
        token: stops the export between two pieces of work.
        progress: called with the tiles written and all tiles.
        workers: threads that compress; None chooses by the processor.

    Raises:
        ExportError: the file cannot be written, is being written by another export, or did not
            read back as it was written.
        SlideError: the reader failed.
        Cancelled: the token was set.
    """
    token = token or CancelToken()
    x, y, width, height = _whole_pixels(reader, region)
    _check_target(reader, path, overwrite)
    _check_suffix(path)
    layout = Layout.of(width, height, compression, quality, reader.info.mpp)
    origin = {
        "identity": reader.info.identity, "region": [x, y, width, height],
        "compression": compression, "quality": quality, "mpp": reader.info.mpp,
        "provenance": dict(provenance), "software": SOFTWARE,
    }  # fmt: skip
    try:
        part = PartFile(path, header(layout), origin, resume=resume)
    except OSError as error:
        raise _unwritable(path, error) from error
    try:
        _check_target(reader, path, overwrite)  # again: another export of it may just have ended
        with ThreadPoolExecutor(workers or min(os.cpu_count() or 1, 8)) as pool:
            _write_tiles(reader, (x, y), layout, part, pool, token, progress)
        _finish(part, layout, path.name, _record(provenance, origin, layout, part))
        check_export(part.path, layout, reader, (x, y))
        token.check()
        part.publish()
    except OSError as error:
        part.discard()
        raise _unwritable(path, error) from error
    except BaseException:
        part.discard()
        raise


def sequence(layout: Layout, level: int, column: int, row: int) -> int:
    """Return the number of a tile in the order of writing."""
    before = sum(int(np.prod(layout.tiles(finer))) for finer in range(level))
    columns, rows = layout.tiles(level)
    if level:
        return before + row * columns + column
    band = row // BAND * BAND
    return band * columns + column * min(BAND, rows - band) + row - band


def _write_tiles(
    reader: SlideReader,
    origin: tuple[int, int],
    layout: Layout,
    part: PartFile,
    pool: ThreadPoolExecutor,
    token: CancelToken,
    progress: Callable[[int, int], None] | None,
) -> None:
    done, total = len(part.tiles), layout.tile_count
    pending: deque[Future[Tile]] = deque()

    def put(limit: int) -> None:
        nonlocal done
        while len(pending) > limit:
            part.append(_made(pending.popleft(), part.target, layout.compression))
            done += 1
            if progress:
                progress(done, total)

    try:
        for pixels, damaged in _finest(reader, origin, layout, done, token):
            pending.append(pool.submit(_encode, layout, pixels, damaged))
            put(BAND * MAX_COLUMNS)
            token.check()
        put(0)
        for level in range(1, len(layout.sizes)):
            columns, rows = layout.tiles(level)
            for n in range(columns * rows):
                row, column = divmod(n, columns)
                if sequence(layout, level, column, row) < done:
                    continue
                four = _finer_tiles(layout, part, level, column, row)
                pending.append(pool.submit(_average, layout, four, level, column, row))
                put(BAND * MAX_COLUMNS)
                token.check()
            put(0)
    finally:
        for future in pending:
            future.cancel()


def _finest(
    reader: SlideReader, origin: tuple[int, int], layout: Layout, done: int, token: CancelToken
) -> Iterator[tuple[RgbImage, bool]]:
    """Yield the tiles of level 0 from number ``done`` on, in order.

    A read spans `BAND` rows of tiles and as many columns as the reader manages in about
    half a second, so that a network gets large batches and a slow one can be cancelled.
    """
    read = reader.read
    if "token" in signature(reader.read).parameters:
        read = partial(reader.read, token=token)  # type: ignore[call-arg] # looked up above
    width, height = layout.sizes[0]
    columns, rows = layout.tiles(0)
    at_once = 1
    for top in range(0, rows, BAND):
        tall = min(BAND, rows - top)
        column = max(0, (done - sequence(layout, 0, 0, top)) // tall)
        while column < columns:
            token.check()
            wide = min(at_once, columns - column)
            x, y = column * TILE_PX, top * TILE_PX
            w, h = min(wide * TILE_PX, width - x), min(tall * TILE_PX, height - y)
            began = time.monotonic()
            strip = read(origin[0] + x, origin[1] + y, 0, w, h)
            took = time.monotonic() - began
            at_once = min(2 * wide, MAX_COLUMNS) if took < 0.5 else max(wide // 2, 1)
            for n in range(wide * tall):
                i, j = divmod(n, tall)
                if sequence(layout, 0, column + i, top + j) < done:
                    continue
                cut = strip[j * TILE_PX :, i * TILE_PX :][:TILE_PX, :TILE_PX]
                place = Rect(
                    origin[0] + x + i * TILE_PX, origin[1] + y + j * TILE_PX, *[TILE_PX] * 2
                )
                damaged = any(not place.intersected(bad).empty for bad in reader.damaged)
                yield _padded(cut), damaged
            column += wide


def _padded(tile: RgbImage) -> RgbImage:
    """Return a whole tile, its missing right and lower part filled with the last pixels."""
    height, width = tile.shape[:2]
    if (height, width) == (TILE_PX, TILE_PX):
        return np.ascontiguousarray(tile)
    return np.pad(tile, ((0, TILE_PX - height), (0, TILE_PX - width), (0, 0)), mode="edge")


def _encode(layout: Layout, pixels: RgbImage, damaged: bool) -> Tile:
    data = layout.encode(pixels)
    return Tile(data, hashlib.sha256(data).hexdigest(), damaged)


def _made(future: Future[Tile], target: Path, compression: Compression) -> Tile:
    try:
        return future.result()
    except _CODEC_ERRORS as error:
        raise ExportError(
            f"{target} could not be written: compressing its tiles as {compression}, or reading "
            "them back from the disk, failed; check the disk, or choose another compression."
        ) from error


def _finer_tiles(
    layout: Layout, part: PartFile, level: int, column: int, row: int
) -> list[tuple[int, int, bytes]]:
    """Return place and stored bytes of the up to four tiles that a coarser one averages."""
    columns, rows = layout.tiles(level - 1)
    places = [(i, j) for j in (0, 1) for i in (0, 1)]
    return [
        (i, j, part.read(sequence(layout, level - 1, 2 * column + i, 2 * row + j)))
        for i, j in places
        if 2 * column + i < columns and 2 * row + j < rows
    ]


def _average(
    layout: Layout, four: list[tuple[int, int, bytes]], level: int, column: int, row: int
) -> Tile:
    """Make one tile by the mean of 2 x 2 pixels, rounded; edges were padded, so they count once."""
    fine = np.zeros((2 * TILE_PX, 2 * TILE_PX, 3), np.uint8)
    for i, j, data in four:
        fine[j * TILE_PX :, i * TILE_PX :][:TILE_PX, :TILE_PX] = layout.decode(data)
    mean = np.asarray(Image.fromarray(fine).reduce(2))
    width, height = layout.sizes[level]
    cut = mean[: height - row * TILE_PX, : width - column * TILE_PX]
    return _encode(layout, _padded(cut), damaged=False)


def _record(
    provenance: Mapping[str, Any], origin: Mapping[str, Any], layout: Layout, part: PartFile
) -> dict[str, Any]:
    """Return the caller's provenance and what the export itself knows."""
    levels = []
    for level in range(len(layout.sizes)):
        digests = "".join(part.tiles[n].digest for n in _in_rows(layout, level))
        levels.append(hashlib.sha256(digests.encode()).hexdigest())
    export = {
        "source_identity": origin["identity"], "region": origin["region"],
        "compression": origin["compression"], "software": SOFTWARE, "tiles_sha256": levels,
        "damaged_tiles": sum(tile.damaged for tile in part.tiles),
    }  # fmt: skip
    return {**provenance, "export": export}


def _in_rows(layout: Layout, level: int) -> list[int]:
    columns, rows = layout.tiles(level)
    return [sequence(layout, level, n % columns, n // columns) for n in range(columns * rows)]


def _finish(part: PartFile, layout: Layout, name: str, record: Mapping[str, Any]) -> None:
    spans = [
        [part.tiles[n].span for n in _in_rows(layout, level)] for level in range(len(layout.sizes))
    ]
    start = part.end + -part.end % 8
    description = ome_xml(layout, name, SOFTWARE, record)
    data, first = directories(layout, spans, description, SOFTWARE, start)
    part.complete(start, data, header(layout, first))


def _whole_pixels(reader: SlideReader, region: Rect | None) -> tuple[int, int, int, int]:
    slide = Rect(0, 0, reader.info.width_px, reader.info.height_px)
    inside = slide if region is None else region.intersected(slide)
    x, y = round(inside.x), round(inside.y)
    width, height = round(inside.right) - x, round(inside.bottom) - y
    if width < 1 or height < 1:
        raise ExportError(
            f"The region to export does not lie on {reader.info.path}; "
            f"choose one within {slide.width:.0f} x {slide.height:.0f} px."
        )
    return x, y, width, height


def _check_target(reader: SlideReader, path: Path, overwrite: bool) -> None:
    if not path.parent.is_dir():
        raise ExportError(f"{path} cannot be written: make the folder {path.parent} first.")
    if path.is_dir():
        raise ExportError(f"{path} is a folder; choose a file name for the export.")
    if not path.exists():
        return
    with suppress(OSError):
        if path.samefile(reader.info.path):
            raise ExportError(f"{path} is the slide that is read; choose another name.")
    if not overwrite:
        raise ExportError(f"{path} exists; give --overwrite, or choose another name.")


def _check_suffix(path: Path) -> None:
    if path.suffix.lower() in FOREIGN_SUFFIXES:
        raise ExportError(
            f"{path} cannot be written as {path.suffix}, only as OME-TIFF; "
            f"name it {path.stem}.ome.tiff."
        )


def _unwritable(path: Path, error: OSError) -> ExportError:
    reason = error.strerror or str(error)
    return ExportError(
        f"{path} could not be written ({reason}); free space there or choose another folder."
    )
