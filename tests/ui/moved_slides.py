"""A phantom and the same tissue in another stain, turned and shifted by a known amount."""

from contextlib import closing
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import tifffile
from PIL import Image

from stainapp.registration.transform import Matrix, Transform
from stainapp.slides.opening import open_slide
from stainapp.slides.reader import RgbImage

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
    fixed_path = folder / "fixed.tif"
    _write(fixed_path, _picture(FIXED))
    picture = Image.fromarray(_picture(STAINED))
    side = picture.width
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
        _write(path, np.asarray(moved))
    else:
        moved.save(path)
    with closing(open_slide(fixed_path)) as fixed, closing(open_slide(path)) as moving:
        identity = Transform.identity(fixed.info, moving.info)
    truth = Transform(fixed=identity.fixed, moving=identity.moving, pieces=(matrix,), method="made")
    return MovedPair(str(fixed_path), path, truth)


@cache
def _picture(address: str) -> RgbImage:
    with closing(open_slide(address)) as reader:
        return reader.read(0, 0, 0, reader.info.width_px, reader.info.height_px)


def _write(path: Path, picture: RgbImage) -> None:
    per_cm = 1e4 / MPP
    tifffile.imwrite(
        path,
        picture,
        tile=(256, 256),
        compression="deflate",  # else all have the same size and ends, and so one identity
        resolution=(per_cm, per_cm),
        resolutionunit="CENTIMETER",
    )


def _turn(degrees: float, middle: float, onto: float) -> Matrix:
    angle = np.deg2rad(degrees)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    return np.column_stack([turn, np.full(2, onto) - turn @ np.full(2, middle)])
