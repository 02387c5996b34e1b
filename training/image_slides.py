"""Image files, halves of them and arrays, as slides of one level: what has pixels is a reader."""

import hashlib
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import Literal

import numpy as np

from stainapp.errors import RecipeError, SlideError
from stainapp.geometry import Rect
from stainapp.slides.image_reader import PixelReader
from stainapp.slides.opening import open_slide
from stainapp.slides.reader import Level, RgbImage, SlideInfo, SlideReader

MOST_OPEN = 64
MOST_OPEN_PX = 64_000_000
"""Of all images held open together, as far as it is more than one."""

Half = Literal["left", "right"]


@dataclass(eq=False)
class _Opened:
    reader: SlideReader
    users: int = 0


class OpenFiles:
    """The image files used last, held open; safe to use from many threads.

    A data set may have thousands of files, and an open image is held in memory whole.
    """

    def __init__(self, most: int = MOST_OPEN, most_px: int = MOST_OPEN_PX) -> None:
        self._most, self._most_px = most, most_px
        self._open: OrderedDict[Path, _Opened] = OrderedDict()
        self._lock = Lock()

    def __len__(self) -> int:
        return len(self._open)

    @contextmanager
    def reading(self, path: Path) -> Iterator[SlideReader]:
        """Give the file's reader, which stays open at least until the block ends.

        Raises:
            SlideError: the file cannot be opened.
        """
        opened = self._taken(path)
        try:
            yield opened.reader
        finally:
            with self._lock:
                opened.users -= 1
                spare = self._spare()
            _close(spare)

    def close(self) -> None:
        with self._lock:
            spare = list(self._open.values())
            self._open.clear()
        _close(spare)

    def _taken(self, path: Path) -> _Opened:
        with self._lock:
            known = self._open.get(path)
            if known is not None:
                known.users += 1
                self._open.move_to_end(path)
                return known
        made = _Opened(open_slide(path))  # outside the lock: decoding takes long
        with self._lock:
            opened = self._open.setdefault(path, made)
            opened.users += 1
            self._open.move_to_end(path)
        if opened is not made:  # another thread was faster
            made.reader.close()
        return opened

    def _spare(self) -> list[_Opened]:
        """Take out the readers used longest ago, as far as nobody reads from them."""
        sizes = {path: _pixels(one.reader.info) for path, one in self._open.items()}
        total, spare = sum(sizes.values()), []
        for path, one in list(self._open.items())[:-1]:
            if len(self._open) <= self._most and total <= self._most_px:
                break
            if one.users == 0:
                spare.append(self._open.pop(path))
                total -= sizes[path]
        return spare


class FileSlide:
    """An image file, or the left or right half of one, opened only while it is read."""

    def __init__(self, files: OpenFiles, path: Path, mpp: float, half: Half | None = None) -> None:
        """Look at a file; ``mpp`` is in place of what it says of its scale.

        Raises:
            RecipeError: it cannot be opened, or has no two halves of the same width.
        """
        self._files, self._path = files, path
        try:
            with files.reading(path) as reader:
                info = reader.info
            content = _digest(path)
        except SlideError as error:
            raise RecipeError(str(error)) from error
        width = info.width_px
        if half is not None and width % 2:
            raise RecipeError(
                f"{path} is {width} px wide and so cannot be two images side by side of the "
                "same width; cut it again, or take it out of the folder."
            )
        self.damaged: tuple[Rect, ...] = ()
        """Of what was read so far: the file may have been closed and opened again since."""
        self._width = width // 2 if half else width
        self._left = self._width if half == "right" else 0
        identity = f"{content}-{half}" if half else content
        self.info = _image_info(path, info.format, self._width, info.height_px, identity, mpp)

    def read(self, x: int, y: int, level: int, width_px: int, height_px: int) -> RgbImage:
        if level != 0:
            raise IndexError(level)
        left, top = max(x, 0), max(y, 0)
        right = min(x + width_px, self._width)
        bottom = min(y + height_px, self.info.height_px)
        pixels = np.full((height_px, width_px, 3), 255, np.uint8)
        if right > left and bottom > top:
            with self._files.reading(self._path) as reader:
                part = reader.read(self._left + left, top, 0, right - left, bottom - top)
                if reader.damaged:
                    self.damaged = tuple(
                        Rect(bad.x - self._left, bad.y, bad.width, bad.height)
                        for bad in reader.damaged
                    )
            pixels[top - y : bottom - y, left - x : right - x] = part
        return pixels

    def close(self) -> None:
        """Do nothing: `OpenFiles` closes the file."""


class ArraySlide(PixelReader):
    """An array of pixels."""

    def __init__(self, pixels: RgbImage, path: Path, mpp: float) -> None:
        """Take (H, W, 3) uint8, which nobody may change afterwards; ``path`` is a name."""
        height, width = pixels.shape[:2]
        identity = hashlib.sha256(pixels.tobytes()).hexdigest()
        super().__init__(pixels, _image_info(path, "array", width, height, identity, mpp))


def _image_info(
    path: Path, kind: str, width: int, height: int, identity: str, mpp: float
) -> SlideInfo:
    levels = (Level(width, height, 1.0),)
    return SlideInfo(path=path, format=kind, levels=levels, identity=identity, mpp=mpp)


def _digest(path: Path) -> str:
    """Return a sha256 of the whole file: the ends of two plain images may both be white."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _pixels(info: SlideInfo) -> int:
    return info.width_px * info.height_px


def _close(spare: list[_Opened]) -> None:
    for one in spare:
        one.reader.close()
