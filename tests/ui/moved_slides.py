"""A phantom and the same tissue in another stain, turned and shifted by a known amount."""

from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import tifffile
from PIL import Image

from stainapp.registration.transform import Matrix, Transform
from stainapp.slides.opening import open_slide

FIXED, STAINED = "phantom:he:1024:3", "phantom:pas:1024:3"
MPP = 0.5


@dataclass(frozen=True)
class MovedPair:
    """Two slides, and the truth."""

    fixed: str
    moving: Path
    transform: Transform


def turned_pair(
    folder: Path, degrees: float = 30.0, *, with_scale: bool = True, name: str = "moved"
) -> MovedPair:
    """Write the moving slide: the other stain, turned about its middle on a larger glass.

    Args:
        folder: where to write it.
        degrees: clockwise.
        with_scale: whether the file says how large its pixels are.
        name: of the file.
    """
    with closing(open_slide(STAINED)) as reader:
        side = reader.info.width_px
        picture = Image.fromarray(reader.read(0, 0, 0, side, side))
        mpp = reader.info.mpp
    large = side * 3 // 2
    matrix = _turn(degrees, side / 2, large / 2)
    back = np.linalg.inv(np.vstack([matrix, [0, 0, 1]]))[:2]
    moved = picture.transform(
        (large, large),
        Image.Transform.AFFINE,
        tuple(back.ravel()),
        Image.Resampling.BICUBIC,
        fillcolor=(245, 245, 245),
    )
    path = folder / f"{name}.{'tif' if with_scale else 'png'}"
    if with_scale:
        assert mpp is not None
        per_cm = 1e4 / mpp
        tifffile.imwrite(
            path,
            np.asarray(moved),
            tile=(256, 256),
            compression="deflate",  # else all have the same size and ends, and so one identity
            resolution=(per_cm, per_cm),
            resolutionunit="CENTIMETER",
        )
    else:
        moved.save(path)
    with closing(open_slide(FIXED)) as fixed, closing(open_slide(path)) as moving:
        identity = Transform.identity(fixed.info, moving.info)
    truth = Transform(fixed=identity.fixed, moving=identity.moving, pieces=(matrix,), method="made")
    return MovedPair(FIXED, path, truth)


def _turn(degrees: float, middle: float, onto: float) -> Matrix:
    angle = np.deg2rad(degrees)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    return np.column_stack([turn, np.full(2, onto) - turn @ np.full(2, middle)])
