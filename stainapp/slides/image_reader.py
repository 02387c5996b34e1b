"""Single images: PNG, JPEG, BMP, WebP and what else Pillow reads."""

import warnings
from pathlib import Path
from threading import Lock

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from stainapp.errors import SlideError, UnsupportedSlideError
from stainapp.geometry import Rect
from stainapp.slides.colour import Colour, colour_of
from stainapp.slides.identity import identity_of
from stainapp.slides.mosaic import Grid
from stainapp.slides.reader import Level, RgbImage, SlideInfo
from stainapp.slides.scale import UM_PER_INCH, agreed_mpp

MOST_PIXELS = 256_000_000
"""An image of this kind is held in memory whole; twice this while it is being decoded."""

_bound = Lock()

# Pillow warns, on the terminal, of EXIF data cut short, of which only the orientation matters.
# Of that module alone, and once: `catch_warnings` around each use would not be thread-safe.
warnings.filterwarnings("ignore", module=r"PIL\.TiffImagePlugin")


class PixelReader:
    """Pixels held in memory; one level, at which they are read without copying twice."""

    def __init__(self, pixels: RgbImage, info: SlideInfo) -> None:
        """Take (H, W, 3) uint8, which nobody may change afterwards."""
        height, width = pixels.shape[:2]
        self._pixels, self.info = pixels, info
        self._grid = Grid(width, height, width, height)

    @property
    def damaged(self) -> tuple[Rect, ...]:
        return ()

    def read(self, x: int, y: int, level: int, width_px: int, height_px: int) -> RgbImage:
        if level != 0:
            raise IndexError(level)
        return self._grid.read(x, y, width_px, height_px, lambda _column, _row: self._pixels)

    def close(self) -> None:
        """Do nothing: memory goes by itself."""


class ImageReader(PixelReader):
    """An image file."""

    def __init__(self, path: Path) -> None:
        with _open(path) as image:
            width, height = image.size
            if width * height > MOST_PIXELS:
                raise SlideError(
                    f"{path} has {width} x {height} pixels, too many for an image that must be "
                    f"held in memory whole; convert it to a tiled TIFF."
                )
            profile, dpi = image.info.get("icc_profile"), image.info.get("dpi")
            kind = (image.format or "image").lower()
            pixels, colour = _decode(image, profile, path)
        height, width = pixels.shape[:2]
        mpp, remark = agreed_mpp(*(_um(value) for value in dpi)) if dpi else (None, {})
        info = SlideInfo(
            path=path,
            format=kind,
            levels=(Level(width, height, 1.0),),
            identity=identity_of(path),
            mpp=mpp,
            icc=colour.stated,
            properties=remark,
        )
        super().__init__(pixels, info)


def _open(path: Path) -> Image.Image:
    """Read an image's header, with our own bound on its size in place of Pillow's."""
    with _bound:
        pillows, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None
        try:
            return Image.open(path)
        except UnidentifiedImageError as error:
            raise UnsupportedSlideError(
                f"{path} is not a slide or an image that can be read; "
                f"if it should be, copy it again from where it came."
            ) from error
        except (OSError, ValueError, SyntaxError) as error:  # broken chunks end in any of these
            raise _damaged(path, error) from error
        finally:
            Image.MAX_IMAGE_PIXELS = pillows


def _decode(image: Image.Image, profile: bytes | None, path: Path) -> tuple[RgbImage, Colour]:
    try:
        upright = ImageOps.exif_transpose(image)
        rgb = _as_rgb(upright)
    except (OSError, ValueError, SyntaxError, MemoryError) as error:
        raise _damaged(path, error) from error
    colour = colour_of(profile, path.name)
    return np.array(colour.apply(rgb)), colour


def _as_rgb(image: Image.Image) -> Image.Image:
    if image.mode.startswith("I"):  # 16 bit grey, which Pillow would clip instead of scaling
        grey = np.clip(np.asarray(image), 0, 65535)
        return Image.fromarray((grey // 257).astype(np.uint8)).convert("RGB")
    if image.mode.endswith(("A", "a")) or "transparency" in image.info:
        layer = image.convert("RGBA")
        canvas = Image.new("RGB", image.size, "white")
        canvas.paste(layer, mask=layer.getchannel("A"))
        return canvas
    return image.convert("RGB")


def _damaged(path: Path, error: Exception) -> SlideError:
    return SlideError(f"{path} is damaged or incomplete ({error}); copy it again.")


def _um(dpi: float) -> float | None:
    return UM_PER_INCH / float(dpi) if dpi else None
