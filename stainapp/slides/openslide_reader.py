"""Slides that OpenSlide reads: SVS, NDPI, MRXS, SCN, BIF, VMS, DICOM, generic TIFF ..."""

import logging
from pathlib import Path
from threading import Lock

import numpy as np
import openslide
from PIL import Image

from stainapp.errors import SlideError
from stainapp.geometry import Rect
from stainapp.slides.colour import colour_of
from stainapp.slides.identity import identity_of
from stainapp.slides.mosaic import Grid, TileCache, downsample_of, level_pixel
from stainapp.slides.reader import Level, RgbImage, SlideInfo
from stainapp.slides.scale import agreed_mpp

log = logging.getLogger(__name__)

BLOCK_PX = 512
"""Side of the squares in which a level is read whose pixels OpenSlide cannot name exactly."""
BLOCKS_BYTES = 64 << 20
EXACT_PX = 1 / 64
"""A drift of OpenSlide's frame over the whole level that leaves no trace in 8 bits."""


class OpenSlideReader:
    """One slide through OpenSlide; reads run concurrently.

    An OpenSlide handle latches its first error and fails ever after, also for other
    threads that read sound parts. So a failed read is tried once more on a handle of its
    own, and a handle that has failed is replaced; whoever still reads from the old one
    keeps it alive until then.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._slide = _open(path)
        self._lock = Lock()
        self._closed = False
        self._blocks = TileCache(BLOCKS_BYTES)
        try:
            self._colour = colour_of(_profile(self._slide), path.name)
            self._background = _background(self._slide)
            self.info = self._describe()
            self._ratios = self._slide.level_downsamples  # a handle that latched an error has none
            self._grids = self._drifting()
        except (openslide.OpenSlideError, OSError, ValueError) as error:
            self._slide.close()
            raise SlideError(f"{path} cannot be read: {error}; copy it again.") from error

    @property
    def damaged(self) -> tuple[Rect, ...]:
        return ()

    def read(self, x: int, y: int, level: int, width_px: int, height_px: int) -> RgbImage:
        if width_px <= 0 or height_px <= 0:
            return np.empty((max(height_px, 0), max(width_px, 0), 3), np.uint8)
        here = self.info.levels[level]
        i, j = level_pixel(x, here), level_pixel(y, here)
        if level not in self._grids:
            return self._read(i, j, level, width_px, height_px)
        grid = self._grids[level]

        def block(column: int, row: int) -> RgbImage:
            left, top = column * BLOCK_PX, row * BLOCK_PX
            size = grid.size_of(column, row)
            return self._blocks.get(
                (level, column, row), lambda: self._read(left, top, level, *size)
            )

        return grid.read(i, j, width_px, height_px, block)

    def _read(self, i: int, j: int, level: int, width_px: int, height_px: int) -> RgbImage:
        """Return a region whose first pixel is the level's ``(i, j)``, as near as can be."""
        slide, size = self._slide, (width_px, height_px)
        position = self._position(i, level), self._position(j, level)
        try:
            region = slide.read_region(position, level, size)
        except openslide.OpenSlideError:
            region = self._read_again(slide, position, level, size)
        return np.array(self._colour.apply(_opaque(region, self._background)))

    def close(self) -> None:
        with self._lock:
            self._closed = True
            self._slide.close()
        self._blocks.clear()

    def _position(self, pixel: int, level: int) -> int:
        """Return OpenSlide's name for a pixel of a level, undoing its division by the ratio."""
        return round(pixel * self._ratios[level])

    def _drifting(self) -> dict[int, Grid]:
        """Return the blocks of the levels whose pixels have no whole level-0 position.

        OpenSlide divides positions by the mean ratio of the levels' sizes, such as 2.0005,
        and blends neighbours where the result is not whole. What it returns for a pixel then
        depends on where a read begins; so all reads begin at the same places.
        """
        grids = {}
        for level, ratio in enumerate(self._ratios):
            here = self.info.levels[level]
            if abs(ratio - round(ratio)) * max(here.width_px, here.height_px) > EXACT_PX:
                grids[level] = Grid(here.width_px, here.height_px, BLOCK_PX, BLOCK_PX)
        return grids

    def _read_again(
        self,
        latched: openslide.OpenSlide,
        position: tuple[int, int],
        level: int,
        size: tuple[int, int],
    ) -> Image.Image:
        """Read on a handle nobody else has; the error may have been another thread's."""
        fresh = _open(self._path)
        try:
            region = fresh.read_region(position, level, size)
        except openslide.OpenSlideError as error:
            self._replace(latched, _open(self._path))
            raise SlideError(
                f"{self._path} is damaged at {position[0]}, {position[1]} (level {level}); "
                f"copy it again from where it came."
            ) from error
        self._replace(latched, fresh)
        return region

    def _replace(self, latched: openslide.OpenSlide, fresh: openslide.OpenSlide) -> None:
        with self._lock:
            if self._slide is latched and not self._closed:
                log.info("%s: handle opened again after an error", self._path)
                self._slide = fresh

    def _describe(self) -> SlideInfo:
        slide, said = self._slide, dict(self._slide.properties)
        mpp, remark = agreed_mpp(
            _number(said.get(openslide.PROPERTY_NAME_MPP_X)),
            _number(said.get(openslide.PROPERTY_NAME_MPP_Y)),
        )
        quickhash = said.get(openslide.PROPERTY_NAME_QUICKHASH1, "")
        return SlideInfo(
            path=self._path,
            format=said.get(openslide.PROPERTY_NAME_VENDOR, "openslide"),
            levels=tuple(
                Level(*size, downsample_of(slide.dimensions, size, stated=stated))
                for size, stated in zip(
                    slide.level_dimensions, slide.level_downsamples, strict=True
                )
            ),
            identity=identity_of(self._path, content_hash=quickhash),
            mpp=mpp,
            objective=_number(said.get(openslide.PROPERTY_NAME_OBJECTIVE_POWER)) or None,
            icc=self._colour.stated,
            associated=tuple(slide.associated_images),
            properties=said | remark,
        )


def read_associated(path: Path, name: str) -> RgbImage:
    """Return a slide's label, macro or thumbnail.

    Raises:
        SlideError: the slide has no such image, or it is damaged.
    """
    with _open(path) as slide:
        try:
            return np.array(_opaque(slide.associated_images[name], (255, 255, 255)))
        except KeyError as error:
            raise SlideError(f"{path} has no image named {name!r}.") from error
        except openslide.OpenSlideError as error:
            raise SlideError(f"The {name} image of {path} is damaged.") from error


def _open(path: Path) -> openslide.OpenSlide:
    try:
        return openslide.OpenSlide(path)
    except (openslide.OpenSlideError, OSError) as error:
        raise SlideError(
            f"{path} is damaged or incomplete ({error}); copy it again, "
            f"with all files that belong to it."
        ) from error


def _opaque(image: Image.Image, background: tuple[int, int, int]) -> Image.Image:
    """Lay an RGBA image on a colour; the plain case, opaque throughout, costs one pass."""
    if image.getchannel("A").getextrema() == (255, 255):
        return image.convert("RGB")
    canvas = Image.new("RGB", image.size, background)
    canvas.paste(image, mask=image.getchannel("A"))
    return canvas


def _background(slide: openslide.OpenSlide) -> tuple[int, int, int]:
    text = slide.properties.get(openslide.PROPERTY_NAME_BACKGROUND_COLOR, "FFFFFF")
    red, green, blue = bytes.fromhex(text)
    return red, green, blue


def _profile(slide: openslide.OpenSlide) -> bytes | None:
    profile = slide.color_profile
    return None if profile is None else profile.tobytes()


def _number(text: str | None) -> float | None:
    try:
        return None if text is None else float(text)
    except ValueError:
        return None
