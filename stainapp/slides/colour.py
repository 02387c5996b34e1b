"""A slide's ICC profile and what it takes to show its colours as sRGB.

Relative colorimetric with black point compensation by LittleCMS, the same for the eye
and for the model.
"""

import io
import logging
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageCms

log = logging.getLogger(__name__)

_FLAGS = ImageCms.Flags.BLACKPOINTCOMPENSATION | ImageCms.Flags.NOCACHE
"""Without its one-pixel cache a LittleCMS transform may be used by many threads at once."""

_SAME_WITHIN = 1
"""Grey levels: a profile that moves no colour further is sRGB under whatever name."""


@dataclass(frozen=True, slots=True)
class Colour:
    """What to do to a slide's pixels, and how `SlideInfo.icc` states it."""

    stated: str = "none"
    transform: ImageCms.ImageCmsTransform | None = None
    """None where the pixels are sRGB already or must be taken for it."""

    def apply(self, image: Image.Image) -> Image.Image:
        """Return an RGB image in sRGB; the image itself where there is nothing to do."""
        return image if self.transform is None else self.transform.apply(image)

    def apply_to_array(self, pixels: np.ndarray) -> np.ndarray:
        """The same for (H, W, 3) uint8."""
        if self.transform is None:
            return pixels
        return np.array(self.transform.apply(Image.fromarray(pixels)))


def colour_of(profile: bytes | None, name: str) -> Colour:
    """Prepare for a slide's embedded profile.

    A broken profile, or one that is not for RGB, is ignored: logged, and stated.

    Args:
        profile: the ICC data, or None where the slide has none.
        name: the slide's, for the log.
    """
    if not profile:
        return Colour()
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        title = " ".join(ImageCms.getProfileDescription(source).split()) or "unnamed profile"
        transform = ImageCms.buildTransform(
            source,
            ImageCms.createProfile("sRGB"),
            "RGB",
            "RGB",
            renderingIntent=ImageCms.Intent.RELATIVE_COLORIMETRIC,
            flags=_FLAGS,
        )
    except (ImageCms.PyCMSError, OSError, ValueError) as error:
        log.warning("%s: its ICC profile cannot be used and is ignored: %s", name, error)
        return Colour("unreadable, ignored")
    if _changes_nothing(transform):
        return Colour("sRGB")
    return Colour(f"applied: {title}", transform)


def _changes_nothing(transform: ImageCms.ImageCmsTransform) -> bool:
    steps = np.linspace(0, 255, 17).astype(np.uint8)
    cube = np.stack(np.meshgrid(steps, steps, steps, indexing="ij"), -1).reshape(17, 289, 3)
    moved = np.asarray(transform.apply(Image.fromarray(cube))).astype(int) - cube
    return int(np.abs(moved).max()) <= _SAME_WITHIN
