"""Pairs from two slides that were registered: the target in its source's frame, and where not."""

from pathlib import Path

import numpy as np

from stainapp.errors import RecipeError, RegistrationError
from stainapp.geometry import Rect
from stainapp.registration.transform import Transform
from stainapp.registration.warped_slide import WarpedSlide
from stainapp.slides.reader import SlideReader
from stainapp.slides.tissue import Mask

CACHE_BYTES = 32 << 20
"""Of the moving slide's tiles; crops lie all over it."""


def in_frame_of(source: SlideReader, moving: SlideReader, path: str) -> WarpedSlide:
    """Return a slide in the frame of the source it was registered to.

    Args:
        source: the fixed slide.
        moving: the target.
        path: the file that `stainapp register` wrote.

    Raises:
        RecipeError: the file cannot be read, or is of other slides.
    """
    try:
        transform = Transform.read(Path(path))
    except RegistrationError as error:
        raise RecipeError(str(error)) from error
    try:
        transform.check(source.info, moving.info)
    except RegistrationError as error:
        raise RecipeError(f"{path}: {error}") from error
    return WarpedSlide(moving, transform, source.info, cache_bytes=CACHE_BYTES)


def far_off(target: SlideReader, tissue: Mask, area: Rect, most_um: float) -> Mask | None:
    """Return where in a raster of tissue a target is registered worse than it may be.

    Args:
        target: of a pair; one that was not registered is nowhere far off.
        tissue: (H, W).
        area: where it lies, in level-0 pixels of the source.
        most_um: largest expected error; 0 for any.

    Raises:
        RecipeError: the registration does not say how good it is.
    """
    if not isinstance(target, WarpedSlide) or most_um == 0:
        return None
    transform, mpp = target.transform, target.info.mpp
    if transform.error is None or mpp is None:
        raise RecipeError(
            f"The registration of {transform.moving.name} does not say how large its error is; "
            "register the slides again, or set data.max_error_um to 0 to take it as it is."
        )
    rows, columns = np.nonzero(tissue)
    cell = area.width / tissue.shape[1]
    at = np.stack([columns + 0.5, rows + 0.5], axis=1) * cell + (area.x, area.y)
    wrong = np.zeros(tissue.shape, bool)
    wrong[rows, columns] = ~(transform.error_px(at) * mpp <= most_um)  # unknown is wrong as well
    return wrong
