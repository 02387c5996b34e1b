"""A slide stained cell by cell on a fixed grid of working pixels."""

import threading
from collections import OrderedDict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from stainapp.cancel import CancelToken
from stainapp.errors import ModelError
from stainapp.models.background import MARGIN_PX, tissue_share, with_glass
from stainapp.models.slide_state import SlideState
from stainapp.models.stainer import Stainer
from stainapp.models.working_scale import WorkingScale
from stainapp.slides.reader import RgbImage

Cell: TypeAlias = tuple[int, int]
"""Row and column on the network's grid."""
UNITY = 256
"""What the whole-number weights of overlapping cells add up to, along each axis."""


class Mosaic:
    """Working pixels of a stained slide.

    Cell (r, c) begins at working pixel ``(c * stride, r * stride)`` whatever is asked, so a
    pixel is always made from the same input. With blend "crop" a cell gives its inner part
    only; with "overlap" neighbours are added with weights that sum to one, in whole numbers,
    so that the order of adding leaves no trace. Cells are remembered, and a cell that two
    threads need is computed by one of them.
    """

    def __init__(
        self,
        scale: WorkingScale,
        stainer: Stainer,
        state: SlideState,
        cache_bytes: int,
        strength: float = 1.0,
    ) -> None:
        card = stainer.card
        self._scale, self._stainer, self._state = scale, stainer, state
        self._strength = strength
        self._tile, self._halo = card.tile, card.halo
        self._overlap = card.blend == "overlap"
        self._stride = card.tile - 2 * card.halo
        if not self._overlap:  # keeps a strided network in step from cell to cell
            self._stride -= self._stride % card.multiple
        if self._stride < 1 or (self._overlap and self._stride < 2 * card.halo):
            raise ModelError(
                f"The model card {card.id!r} cannot be used: its halo of {card.halo} px is "
                f"too wide for tiles of {card.tile} px."
            )
        self._ramp = _ramp(self._tile, self._stride) if self._overlap else None
        passes = card.background == "pass"
        inside = 0 if self._overlap else self._halo
        self._pad = max(0, MARGIN_PX - inside) if passes else 0
        self._passes = passes
        self._lock = threading.Lock()
        self._cells: OrderedDict[Cell, RgbImage] = OrderedDict()
        self._bytes, self._most_bytes = 0, cache_bytes
        self._pending: dict[Cell, Future[RgbImage]] = {}
        self._reading = ThreadPoolExecutor(1, thread_name_prefix="stain-read")
        self._owners = 1

    def shared(self) -> "Mosaic":
        """Return itself, for one more to close."""
        with self._lock:
            self._owners += 1
        return self

    def close(self) -> None:
        """End the reading thread, once all who have it have closed it."""
        with self._lock:
            self._owners -= 1
        if self._owners == 0:
            self._reading.shutdown(cancel_futures=True)

    def read(
        self, i: int, j: int, width_px: int, height_px: int, token: CancelToken | None
    ) -> RgbImage:
        """Return stained working pixels from ``(i, j)``; white outside the slide."""
        canvas = _Canvas(i, j, width_px, height_px, self._ramp)
        right = min(i + width_px, self._scale.width_px)
        bottom = min(j + height_px, self._scale.height_px)
        for cell, pixels in self._computed(self._cells_of(i, j, right, bottom), token):
            canvas.add(pixels, *self._place(cell))
        image = canvas.finished()
        image[max(0, bottom - j) :] = 255
        image[:, max(0, right - i) :] = 255
        image[: max(0, -j)] = 255
        image[:, : max(0, -i)] = 255
        return image

    def _cells_of(self, left: int, top: int, right: int, bottom: int) -> list[Cell]:
        if right <= max(left, 0) or bottom <= max(top, 0):
            return []
        reach = self._tile - self._halo if self._overlap else self._stride
        before = self._halo if self._overlap else 0
        rows, columns = (
            range(
                (max(low, 0) - reach) // self._stride + 1, (high - 1 + before) // self._stride + 1
            )
            for low, high in ((top, bottom), (left, right))
        )
        return [(row, column) for row in rows for column in columns]

    def _place(self, cell: Cell) -> tuple[int, int]:
        """Return the working pixel at which what a cell gives begins."""
        row, column = cell
        shift = self._halo if self._overlap else 0
        return column * self._stride - shift, row * self._stride - shift

    def _computed(
        self, cells: Sequence[Cell], token: CancelToken | None
    ) -> Iterator[tuple[Cell, RgbImage]]:
        """Yield every cell: those known first, then those made here, then those made elsewhere."""
        mine: dict[Cell, Future[RgbImage]] = {}
        theirs: list[tuple[Cell, Future[RgbImage]]] = []
        known: list[tuple[Cell, RgbImage]] = []
        with self._lock:
            for cell in cells:
                if cell in self._cells:
                    self._cells.move_to_end(cell)
                    known.append((cell, self._cells[cell]))
                elif cell in self._pending:
                    theirs.append((cell, self._pending[cell]))
                else:
                    mine[cell] = self._pending[cell] = Future()
        try:
            yield from known
            yield from self._made(mine, token)
        finally:
            self._give_up(mine)
        for cell, future in theirs:
            pixels = _awaited(future, token)
            if pixels is None:  # whoever made it gave up: make it here
                yield from self._computed([cell], token)
            else:
                yield cell, pixels

    def _made(
        self, futures: Mapping[Cell, Future[RgbImage]], token: CancelToken | None
    ) -> Iterator[tuple[Cell, RgbImage]]:
        """Stain cells batch by batch, the next one's source being read meanwhile."""
        cells, size = list(futures), max(1, self._stainer.batch)
        batches = [cells[k : k + size] for k in range(0, len(cells), size)]
        ahead = self._reading.submit(self._sources, batches[0]) if batches else None
        for number, batch in enumerate(batches):
            if token is not None:
                token.check()
            assert ahead is not None
            sources = ahead.result()
            more = number + 1 < len(batches)
            ahead = self._reading.submit(self._sources, batches[number + 1]) if more else None
            try:
                results = self._stain(batch, sources, token)
            except BaseException:
                if ahead is not None:
                    ahead.cancel()
                raise
            for cell, pixels in zip(batch, results, strict=True):
                self._remember(cell, pixels, futures[cell])
                yield cell, pixels

    def _sources(self, cells: Iterable[Cell]) -> list[tuple[RgbImage, NDArray[np.uint8] | None]]:
        """Return each cell's input and, where glass is passed, how much of it is tissue."""
        side = self._tile + 2 * self._pad
        result = []
        for row, column in cells:
            i, j = (k - self._pad for k in self._corner((row, column)))
            image = self._scale.read(i, j, side, side)
            share = None
            if self._passes:
                share = self._inner(tissue_share(image, self._state.glass, i, j), self._pad)
            result.append((self._cut(image, self._pad), share))
        return result

    def _corner(self, cell: Cell) -> tuple[int, int]:
        """Return the working pixel at which a cell's input begins."""
        row, column = cell
        return column * self._stride - self._halo, row * self._stride - self._halo

    def _stain(
        self,
        cells: Sequence[Cell],
        sources: Sequence[tuple[RgbImage, NDArray[np.uint8] | None]],
        token: CancelToken | None,
    ) -> list[RgbImage]:
        """Stain the inputs, but for those that are all glass."""
        tissue = [k for k, (_, share) in enumerate(sources) if share is None or share.any()]
        results = [self._inner(image) for image, _ in sources]
        if not tissue:
            return [result.copy() for result in results]
        stack = np.stack([sources[k][0] for k in tissue])
        at = np.array([self._corner(cells[k]) for k in tissue], np.int64)
        predicted = self._stainer.predict(stack, self._state, token, at=at, strength=self._strength)
        for k, stained in zip(tissue, predicted, strict=True):
            share = sources[k][1]
            inner = self._inner(stained)
            results[k] = inner if share is None else with_glass(inner, results[k], share)
        return [result.copy() for result in results]  # not views that hold a whole batch

    def _inner(self, image: NDArray[np.uint8], pad: int = 0) -> NDArray[np.uint8]:
        """Return the part of a tile, or of one padded by ``pad``, that a cell gives."""
        if self._overlap:
            return self._cut(image, pad)
        start = self._halo + pad
        return image[start : start + self._stride, start : start + self._stride]

    def _cut(self, image: NDArray[np.uint8], pad: int) -> NDArray[np.uint8]:
        return image[pad : pad + self._tile, pad : pad + self._tile]

    def _remember(self, cell: Cell, pixels: RgbImage, future: Future[RgbImage]) -> None:
        with self._lock:
            del self._pending[cell]
            self._cells[cell] = pixels
            self._bytes += pixels.nbytes
            while self._bytes > self._most_bytes and len(self._cells) > 1:
                self._bytes -= self._cells.popitem(last=False)[1].nbytes
            future.set_result(pixels)

    def _give_up(self, futures: Mapping[Cell, Future[RgbImage]]) -> None:
        """Tell those who wait for cells that were not made."""
        with self._lock:
            for cell, future in futures.items():
                if not future.done():
                    del self._pending[cell]
                    future.cancel()


class _Canvas:
    """A region under construction: cells are placed, or added with their weights."""

    def __init__(
        self, i: int, j: int, width_px: int, height_px: int, ramp: NDArray[np.uint32] | None
    ) -> None:
        self._origin, self._ramp = (i, j), ramp
        dtype = np.uint8 if ramp is None else np.uint32
        self._pixels = np.zeros((height_px, width_px, 3), dtype)

    def add(self, cell: RgbImage, i: int, j: int) -> None:
        """Place a cell whose first pixel is working pixel ``(i, j)``, as far as it is seen."""
        height, width = self._pixels.shape[:2]
        left, top = i - self._origin[0], j - self._origin[1]
        rows = slice(max(0, -top), min(cell.shape[0], height - top))
        columns = slice(max(0, -left), min(cell.shape[1], width - left))
        if rows.start >= rows.stop or columns.start >= columns.stop:
            return
        part = cell[rows, columns]
        target = self._pixels[
            top + rows.start : top + rows.stop, left + columns.start : left + columns.stop
        ]
        if self._ramp is None:
            target[:] = part
        else:
            weight = self._ramp[rows, None] * self._ramp[None, columns]
            target += weight[..., None] * part

    def finished(self) -> RgbImage:
        if self._ramp is None:
            return self._pixels.astype(np.uint8, copy=False)
        half = UNITY**2 // 2
        return ((self._pixels + np.uint32(half)) // np.uint32(UNITY**2)).astype(np.uint8)


def _ramp(tile: int, stride: int) -> NDArray[np.uint32]:
    """Return a tile's weights along one axis: they and the next tile's add up to `UNITY`.

    A smooth step over the overlap, so that neither values nor slopes jump where it begins.
    """
    overlap = tile - stride
    t = (np.arange(overlap) + 0.5) / max(1, overlap)
    rise = np.rint(UNITY * t * t * (3 - 2 * t)).astype(np.uint32)
    weights = np.full(tile, UNITY, np.uint32)
    weights[:overlap] = rise
    weights[stride:] = UNITY - rise
    return weights


def _awaited(future: Future[RgbImage], token: CancelToken | None) -> RgbImage | None:
    """Return what another thread makes; None if it gave up."""
    while True:
        if token is not None:
            token.check()
        try:
            return future.result(timeout=0.05)
        except TimeoutError:
            continue
        except CancelledError:
            return None
