"""Where a point of one slide lies on the other: pieces that move as wholes, then bend.

A point p of the fixed slide lies on the moving one at ``A_k (p + u(p))``. A_k is the affine map of
the piece k that p belongs to, and u a smooth displacement in the fixed slide's frame. All
coordinates are level-0 pixels; the upper left corner of a slide is (0, 0), so that the middle of
its first pixel is (0.5, 0.5).
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray

from stainapp.errors import RegistrationError
from stainapp.registration.grid import Grid, Points
from stainapp.slides.reader import SlideInfo

Matrix = NDArray[np.float64]
"""(2, 3): an affine map of column vectors (x, y, 1)."""

INVERSE_PX = 0.01
"""The inverse is sought until it moves by less."""
MOST_STEPS = 200


@dataclass(frozen=True, slots=True)
class Frame:
    """Which slide coordinates refer to."""

    identity: str
    """`SlideInfo.identity`: of the content, wherever the file lies."""
    name: str
    """The file's name."""
    width_px: int
    height_px: int
    mpp: float | None
    """Micrometres per level-0 pixel; None where nobody says."""

    @classmethod
    def of(cls, info: SlideInfo) -> Self:
        return cls(info.identity, info.path.name, info.width_px, info.height_px, info.mpp)


@dataclass(frozen=True, eq=False, slots=True, kw_only=True)
class Transform:
    """A map between two slides, both ways. Immutable; safe to use from many threads."""

    fixed: Frame
    moving: Frame
    pieces: tuple[Matrix, ...]
    """An affine map for each piece of tissue, fixed to moving; at least one."""
    fixed_pieces: Grid | None = None
    """(rows, columns) uint8: the piece that each place of the fixed slide belongs to, glass to the
    nearest one. None: all belongs to the only piece."""
    moving_pieces: Grid | None = None
    """The same of the moving slide."""
    field: Grid | None = None
    """(rows, columns, 2) float32: u, in fixed level-0 pixels. None: nothing bends."""
    error: Grid | None = None
    """(rows, columns) float32: expected error in fixed level-0 pixels; NaN where unknown."""
    method: str = "identity"
    """"identity", "points", "landmarks" or "automatic"; a refined one says so."""
    landmarks: tuple[tuple[float, float, float, float], ...] = ()
    """Placed by hand: x, y on the fixed slide, x, y on the moving one."""

    @classmethod
    def identity(cls, fixed: SlideInfo, moving: SlideInfo) -> Self:
        """Lay upper left on upper left, at true scale where both slides' scales are known."""
        known = fixed.mpp is not None and moving.mpp is not None
        scale = fixed.mpp / moving.mpp if known else 1.0  # type: ignore[operator] # known
        matrix = np.array([[scale, 0.0, 0.0], [0.0, scale, 0.0]])
        return cls(fixed=Frame.of(fixed), moving=Frame.of(moving), pieces=(matrix,))

    @classmethod
    def read(cls, path: Path) -> "Transform":
        """Read a file that `write` made.

        Raises:
            RegistrationError: it is missing, none of ours, damaged, or of a newer version.
        """
        from stainapp.registration.transform_file import read_transform

        return read_transform(path)

    def write(self, path: Path) -> None:
        """Write one JSON file, whole or not at all.

        Raises:
            RegistrationError: it cannot be written there.
        """
        from stainapp.registration.transform_file import write_transform

        write_transform(self, path)

    def check(self, fixed: SlideInfo, moving: SlideInfo) -> None:
        """See that it lays the second of two slides over the first.

        Raises:
            RegistrationError: it is of other slides, or of these the other way round.
        """
        found = self.fixed.identity, self.moving.identity
        if found != (fixed.identity, moving.identity):
            raise RegistrationError(
                f"The transform lays {self.moving.name} over {self.fixed.name}, and not "
                f"{moving.path.name} over {fixed.path.name}; register these two, or choose "
                "their transform."
            )

    @property
    def digest(self) -> str:
        """What keys caches: equal for equal maps between the same slides."""
        parts = [repr((self.fixed, self.moving)).encode()]
        parts += [np.ascontiguousarray(matrix).tobytes() for matrix in self.pieces]
        for grid in (self.fixed_pieces, self.moving_pieces, self.field):
            if grid is not None:
                parts.append(repr((grid.spacing_px, grid.values.shape)).encode())
                parts.append(np.ascontiguousarray(grid.values).tobytes())
        return hashlib.sha256(b"\n".join(parts)).hexdigest()

    def with_error(self, error: Grid | None) -> "Transform":
        return replace(self, error=error)

    def fixed_piece(self, points: Points) -> NDArray[np.int64]:
        """Return which piece points of the fixed slide belong to, (N,)."""
        return _piece_of(self.fixed_pieces, points)

    def moving_piece(self, points: Points) -> NDArray[np.int64]:
        """Return which piece points of the moving slide belong to, (N,)."""
        return _piece_of(self.moving_pieces, points)

    def to_moving(self, points: Points) -> Points:
        """Map points of the fixed slide, (N, 2), onto the moving one."""
        points = np.asarray(points, np.float64).reshape(-1, 2)
        return mapped(self.pieces, self.fixed_piece(points), points + self._bend(points))

    def to_moving_as(self, piece: int, points: Points) -> Points:
        """Map points of the fixed slide as if all belonged to that piece."""
        return mapped(self.pieces, np.full(len(points), piece), points + self._bend(points))

    def to_fixed(self, points: Points) -> Points:
        """Map points of the moving slide, (N, 2), onto the fixed one.

        The inverse of `to_moving`, to less than half a pixel, for points in a piece of tissue.
        Glass between pieces may belong to other pieces on the two slides.
        """
        points = np.asarray(points, np.float64).reshape(-1, 2)
        back = tuple(inverse_of(matrix) for matrix in self.pieces)
        straight = mapped(back, self.moving_piece(points), points)
        if self.field is None:
            return straight
        found = straight - self._bend(straight)
        for _ in range(MOST_STEPS):  # the fixed point of p = straight - u(p)
            step = straight - self._bend(found) - found
            found += step
            if len(step) == 0 or np.abs(step).max() < INVERSE_PX:
                break
        return found

    def error_px(self, points: Points) -> NDArray[np.float64]:
        """Return the expected error at points of the fixed slide, (N,), in its level-0 pixels.

        NaN where there is no estimate.
        """
        points = np.asarray(points, np.float64).reshape(-1, 2)
        if self.error is None:
            return np.full(len(points), np.nan)
        inside = (points >= 0) & (points <= (self.fixed.width_px, self.fixed.height_px))
        return np.where(inside.all(axis=1), self.error.at(points), np.nan)

    def error_um(self, points: Points) -> NDArray[np.float64]:
        """Return `error_px` in micrometres; NaN too where the fixed slide's scale is unknown."""
        scale = np.nan if self.fixed.mpp is None else self.fixed.mpp
        return self.error_px(points) * scale

    def _bend(self, points: Points) -> Points:
        return np.zeros_like(points) if self.field is None else self.field.at(points)


def mapped(matrices: Sequence[Matrix], piece: NDArray[np.int64], points: Points) -> Points:
    """Map each of the (N, 2) points by the matrix of its piece."""
    matrix = np.stack(matrices)[piece]
    moved: Points = np.einsum("nij,nj->ni", matrix[:, :, :2], points) + matrix[:, :, 2]
    return moved


def inverse_of(matrix: Matrix) -> Matrix:
    """Return the inverse of an affine map, (2, 3)."""
    turn = np.linalg.inv(matrix[:, :2])
    return np.column_stack([turn, -turn @ matrix[:, 2]])


def _piece_of(grid: Grid | None, points: Points) -> NDArray[np.int64]:
    if grid is None:
        return np.zeros(len(points), np.int64)
    return grid.nearest(points).astype(np.int64)
