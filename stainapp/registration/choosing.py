"""Which of the places guessed for each piece is right, and whether any is.

A right guess shows itself after it was made exact: neighbouring blocks of the two pictures then
move alike, more of them than chance allows, and more than at the guesses that are wrong.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy.ndimage import map_coordinates

from stainapp.errors import RegistrationError
from stainapp.registration.blocks import Blocks, match, surety
from stainapp.registration.pieces import with_rim
from stainapp.registration.placing import APART_DEGREES, placings
from stainapp.registration.refining import refined_affine
from stainapp.registration.transform import Matrix
from stainapp.registration.view import Density, View, normalised
from stainapp.slides.tissue import Mask

GUESSES = 4
SURE = 9.0
"""From here on no other guess is tried."""
CREDIBLE = 4.0
"""Standard deviations above chance: enough where another piece of the slide was recognised ..."""
RECOGNISED = 7.5
"""... by so many: on twelve pairs of slides of different blocks the best piece reached 0.9 to 6.9,
on four of the same block 8.1 and more."""
TIMES_CHANCE = 1.5
"""And so many times the surety of the best wrong place."""
RIM_PX = 4
"""Of the coarse view."""
NORMALISED_OVER_PX = 8.0
TOGETHER_PX = 6.0
"""Of the middle view: pieces that lie no farther from where one map puts both have moved as one."""
MOST_STRETCH = 1.6
"""No section shrinks or swells its area by more."""


@dataclass(frozen=True, eq=False, slots=True)
class Placed:
    """A piece and where it lies."""

    piece: Mask
    """(rows, columns) of the middle view."""
    matrix: Matrix
    surety: float
    """See `blocks.surety`; at the scale, of two, that shows it better."""
    chance: float = 0.0
    """The same at the best of the places that must be wrong, of those that were tried."""

    @property
    def credible(self) -> bool:
        """Whether its details agree better than chance and than they do at wrong places.

        A repetitive tissue agrees with itself in many places.
        """
        return self.surety >= max(CREDIBLE, TIMES_CHANCE * self.chance)


@dataclass(frozen=True, eq=False, slots=True)
class Scene:
    """Both slides at the two scales that the search needs."""

    fixed: View
    moving: View
    coarse_fixed: View
    coarse_moving: View
    check: Callable[[], None]

    @property
    def area_scale(self) -> float:
        """Moving level-0 pixels per fixed one, in area, at true scale."""
        return (self.moving.cell_px / self.fixed.cell_px) ** 2


def placed_pieces(
    scene: Scene, pieces: Sequence[Mask], start: Matrix | None, step: Callable[[], None]
) -> list[Placed]:
    """Place every piece, the largest first, and leave out those that are found nowhere.

    Args:
        scene: the slides.
        pieces: (rows, columns) of the coarse view.
        start: where the whole slide lies, as somebody clicked; no other place is then looked at.
        step: called after each piece.

    Raises:
        RegistrationError: no piece is recognised.
    """
    tissue = scene.coarse_fixed.tissue | np.any(pieces, axis=0)
    found: list[Placed] = []
    for piece in pieces:
        rim = with_rim(piece, tissue, RIM_PX)
        if start is not None:
            guesses = [start]
        else:
            placed = placings(scene.coarse_fixed, rim, scene.coarse_moving, GUESSES, scene.check)
            guesses = [one.matrix for one in placed] + [one.matrix for one in found[:3]]
        best = _best(scene, piece, rim, guesses, found)
        if best is not None and (best.credible or start is not None):
            found.append(best)
        step()
    recognised = start is not None or any(one.surety >= RECOGNISED for one in found)
    if not found or not recognised:
        raise RegistrationError(
            "No part of the moving slide is recognisably the fixed one's tissue: at the best "
            "place its details agree no better than those of different blocks do; check that "
            "both are of one block, or click two matching points on each (--start)."
        )
    return found


def merged(scene: Scene, placed: Sequence[Placed]) -> list[Placed]:
    """Make one piece of those that moved as one, and find its map anew."""
    groups: list[list[Placed]] = []
    for one in placed:
        home = next((group for group in groups if _together(scene, group[0], one)), None)
        if home is None:
            groups.append([one])
        else:
            home.append(one)
    return [_as_one(scene, group) for group in groups]


def _together(scene: Scene, one: Placed, other: Placed) -> bool:
    points = scene.fixed.centres()[other.piece.ravel()]
    apart = points @ (one.matrix - other.matrix)[:, :2].T + (one.matrix - other.matrix)[:, 2]
    return bool(np.hypot(*apart.T).max() <= TOGETHER_PX * scene.moving.cell_px)


def _as_one(scene: Scene, group: Sequence[Placed]) -> Placed:
    if len(group) == 1:
        return group[0]
    piece: Mask = np.any([one.piece for one in group], axis=0)
    around = with_rim(piece, scene.fixed.tissue, RIM_PX)
    matrix = refined_affine(scene.fixed, around, scene.moving, group[0].matrix, scene.check)
    return Placed(piece, matrix, max(one.surety for one in group))


def _best(
    scene: Scene, piece: Mask, rim: Mask, guesses: Sequence[Matrix], found: Sequence[Placed]
) -> Placed | None:
    inside, around = (_at_scale(mask, scene.coarse_fixed, scene.fixed) for mask in (piece, rim))
    tried: list[Placed] = []
    for guess in guesses:
        scene.check()
        matrix = refined_affine(scene.fixed, around, scene.moving, guess, scene.check)
        if not _possible(matrix, scene.area_scale, found):
            continue
        sure = max(
            surety(blocks_of(scene.fixed, scene.moving, matrix, inside)),
            surety(blocks_of(scene.coarse_fixed, scene.coarse_moving, matrix, piece)),
        )
        tried.append(Placed(inside, matrix, sure))
        if sure >= SURE:
            break
    if not tried:
        return None
    best = max(tried, key=lambda one: one.surety)
    wrong = [one.surety for one in tried if _apart(one.matrix, best.matrix)]
    return replace(best, chance=max(wrong, default=0.0))


def _apart(one: Matrix, other: Matrix) -> bool:
    """Tell whether two maps turn so differently that one of them must be wrong."""
    turn = one[:, :2] @ np.linalg.inv(other[:, :2])
    turned = abs(np.degrees(np.arctan2(turn[1, 0], turn[0, 0])))
    return bool(np.linalg.det(turn) < 0 or turned > APART_DEGREES)


def blocks_of(fixed: View, moving: View, matrix: Matrix, where: Mask) -> Blocks:
    """Seek the blocks of a piece about where its matrix puts them."""
    there = fixed.centres() @ matrix[:, :2].T + matrix[:, 2]
    warped = sampled(moving, there).reshape(fixed.shape)
    first, second = (normalised(d, NORMALISED_OVER_PX) for d in (fixed.density, warped))
    return match(first, second, where)


def sampled(view: View, points: np.ndarray[tuple[int, int], np.dtype[np.float64]]) -> Density:
    """Return the density at level-0 points, (N,); glass outside the slide."""
    where = points.T[::-1] / view.cell_px - 0.5
    found: Density = map_coordinates(view.density, where, order=1, output=np.float32)
    return found


def _possible(matrix: Matrix, scale: float, found: Sequence[Placed]) -> bool:
    """Tell whether a section can lie so: not stretched, and all of it on one side."""
    area = float(np.linalg.det(matrix[:, :2]))
    if not 1 / MOST_STRETCH < abs(area) / scale < MOST_STRETCH:
        return False
    return not found or (area > 0) == (np.linalg.det(found[0].matrix[:, :2]) > 0)


def _at_scale(mask: Mask, coarse: View, fine: View) -> Mask:
    """Return a mask of one view in the pixels of another."""
    places = np.floor(fine.centres().T / coarse.cell_px).astype(int)
    column, row = (p.clip(0, side - 1) for p, side in zip(places, mask.shape[::-1], strict=True))
    found: Mask = mask[row, column].reshape(fine.shape)
    return found
