"""Regions to compare in where nobody has drawn any: squares of tissue, spread over it fairly."""

import numpy as np
from numpy.typing import NDArray

from stainapp.compare.pair import Pair
from stainapp.compare.registration_error import MOST_EXCHANGED
from stainapp.errors import StainAppError
from stainapp.session.regions import Region
from stainapp.slides.tissue import Mask, choose_squares, tissue_mask

SQUARES = 12
SIDE_UM = 400.0
MOST_SIDE_UM = 1500.0
LEAST_SQUARES, LEAST_SIDE_UM = 4, 100.0
"""On a small field squares are halved until there are so many, or they are as small as that."""
LEAST_TISSUE = 0.7
"""Share of a square that is tissue on both slides; less where no square has so much."""


def tissue_regions(
    pair: Pair, count: int = SQUARES, side_um: float = SIDE_UM
) -> tuple[Region, ...]:
    """Return squares where both slides have tissue and the registration knows its error.

    Large enough that what is summed up over them may be read at that error, up to
    `MOST_SIDE_UM`. Always the same ones for the same pair.

    Raises:
        UnknownScaleError: nobody has said how large the frame's pixels are.
        StainAppError: there is no tissue that both share.
    """
    masks = [tissue_mask(side.real) for side in pair.sides]
    mask, downsample = masks[0]
    shared = mask & _fitted(masks[1][0], mask)
    if pair.error_um is not None:
        error = pair.error_um(_centres(mask) * downsample).reshape(mask.shape)
        shared &= np.isfinite(error)
        side_um = max(side_um, _readable_um(error[shared]))
    info = pair.reference.reader.info
    size, side = (info.width_px, info.height_px), side_um // pair.frame_mpp
    squares = choose_squares(shared, downsample, size, count, side, LEAST_TISSUE)
    while len(squares) < LEAST_SQUARES and side * pair.frame_mpp / 2 >= LEAST_SIDE_UM:
        side //= 2  # whole pixels: neighbours then touch and do not overlap
        squares = choose_squares(shared, downsample, size, count, side, LEAST_TISSUE)
    if not squares:
        raise StainAppError(
            f"{pair.reference.name} and {pair.other.name} share no tissue; draw regions to compare."
        )
    return tuple(
        Region.rectangle(
            one.x, one.y, one.width, one.height, name=f"tissue {number}", id=f"tissue-{number}"
        )
        for number, one in enumerate(squares, start=1)
    )


def _readable_um(error_um: NDArray[np.float64]) -> float:
    """Return the side of squares in most of which sums may be read."""
    if not len(error_um):
        return 0.0
    return min(MOST_SIDE_UM, float(np.percentile(error_um, 75)) / MOST_EXCHANGED)


def _fitted(mask: Mask, like: Mask) -> Mask:
    """Return a mask of the same frame with another one's pixels."""
    rows, columns = (
        (np.arange(to) * have // to) for to, have in zip(like.shape, mask.shape, strict=True)
    )
    return mask[np.ix_(rows, columns)]


def _centres(mask: Mask) -> NDArray[np.float64]:
    """Return x, y of each pixel's centre, row by row."""
    y, x = np.indices(mask.shape)
    return np.stack([x.ravel() + 0.5, y.ravel() + 0.5], axis=1)
