"""Lay a slide over another: pieces, their places, affine maps, a deformation, an error estimate."""

import math
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from stainapp.cancel import CancelToken
from stainapp.errors import RegistrationError
from stainapp.registration.choosing import Placed, Scene, merged, placed_pieces, sampled
from stainapp.registration.coupled import Field
from stainapp.registration.deformation import STEPS, deformation
from stainapp.registration.grid import Grid
from stainapp.registration.pieces import distance_to, pieces_in
from stainapp.registration.residuals import error_grid
from stainapp.registration.transform import Frame, Matrix, Transform, inverse_of
from stainapp.registration.view import Density, View, view_of
from stainapp.slides.reader import SlideInfo, SlideReader

MOST_PIXELS = 700_000
"""Of the working views: what the deformation of a whole slide can be searched at in seconds."""
MIDDLE_PIXELS, COARSE_PIXELS = 180_000, 30_000
FIELD_STEP = 3
"""Pixels of the working view between the nodes of the field that is kept."""
PRECISION = 1 / 32
"""Of the field that is kept, in pixels of the working view."""

Progress = Callable[[int, int], None]
Phase = Callable[[str], None]


def align(
    fixed: SlideReader,
    moving: SlideReader,
    *,
    start: Transform | None = None,
    token: CancelToken | None = None,
    progress: Progress = lambda done, total: None,
    phase: Phase = lambda words: None,
) -> Transform:
    """Find the transform from one slide to another of the same block.

    Args:
        fixed: the slide that stays.
        moving: the other one; turned by any angle, upside down or not, in any stain.
        start: where it about lies, such as from two clicked points, in place of the search.
        token: stops the work.
        progress: gets (steps done, steps in all).
        phase: gets what begins now, in a few words.

    Raises:
        RegistrationError: there is no tissue, or nothing credible was found.
        SlideError: a slide cannot be read.
        Cancelled: the token was cancelled.
    """
    steps = _Steps(token or CancelToken(), progress)
    cell_px, ratio = working_scale(fixed.info, moving.info)
    views = []
    phase("reading both slides")
    for reader, cell in ((fixed, cell_px), (moving, cell_px * ratio)):
        views.append(view_of(reader, cell))
        steps.step()
    here, there = views
    scene = _scene(here, there, steps.token.check)
    pieces = pieces_in(scene.coarse_fixed.tissue)
    for name, found in ((fixed.info.path.name, pieces), (moving.info.path.name, _tissue(there))):
        if not len(found):
            raise RegistrationError(f"{name} shows no tissue to lay over another slide.")
    steps.total = 3 + len(pieces) + STEPS
    phase("finding where the pieces lie")
    placed = merged(scene, placed_pieces(scene, pieces, _only(start), steps.step))
    straight = _straight(fixed.info, moving.info, scene, placed)

    phase("following how the tissue bends")
    laid = sampled(there, straight.to_moving(here.centres())).reshape(here.shape)
    bend = deformation(here.density, laid, steps.step)
    bent = replace(straight, field=_kept(bend.field, here, straight))
    phase("estimating the error")
    error = error_grid(bent, here, there, _tissue(here), bend.apart)
    steps.step()
    return bent.with_error(error)


def working_scale(fixed: SlideInfo, moving: SlideInfo) -> tuple[float, float]:
    """Return level-0 pixels of the fixed slide per working pixel, and moving ones per fixed one.

    Where a slide's scale is unknown, both are taken to be alike.
    """
    ratio = fixed.mpp / moving.mpp if fixed.mpp and moving.mpp else 1.0
    area = max(fixed.width_px * fixed.height_px, moving.width_px * moving.height_px / ratio**2)
    return max(1.0, math.sqrt(area / MOST_PIXELS)), ratio


class _Steps:
    """Counts steps for the progress bar, and stops between them."""

    def __init__(self, token: CancelToken, progress: Progress) -> None:
        self.token, self._progress = token, progress
        self.total, self._done = 100, 0
        token.check()

    def step(self) -> None:
        self.token.check()
        self._done += 1
        self._progress(self._done, self.total)


def _scene(fixed: View, moving: View, check: Callable[[], None]) -> Scene:
    middle, coarse = (
        max(1, round(math.sqrt(max(fixed.density.size, moving.density.size) / pixels)))
        for pixels in (MIDDLE_PIXELS, COARSE_PIXELS)
    )
    return Scene(
        fixed.reduced(middle),
        moving.reduced(middle),
        fixed.reduced(coarse),
        moving.reduced(coarse),
        check,
    )


def _tissue(view: View) -> np.ndarray[tuple[int, int], np.dtype[np.bool_]]:
    return view.tissue if view.tissue.any() else view.tissue[:0]


def _only(start: Transform | None) -> Matrix | None:
    return None if start is None else start.pieces[0]


def _straight(
    fixed: SlideInfo, moving: SlideInfo, scene: Scene, placed: Sequence[Placed]
) -> Transform:
    """Return the transform in which every piece moves as a whole."""
    transform = Transform(
        fixed=Frame.of(fixed),
        moving=Frame.of(moving),
        pieces=tuple(one.matrix for one in placed),
        method="automatic",
    )
    if len(placed) == 1:
        return transform
    here = [distance_to(one.piece) for one in placed]
    there = [
        _carried(distance, scene.fixed, scene.moving, one.matrix)
        for distance, one in zip(here, placed, strict=True)
    ]
    return replace(
        transform,
        fixed_pieces=_labels(here, scene.fixed, fixed),
        moving_pieces=_labels(there, scene.moving, moving),
    )


def _carried(distance: Density, fixed: View, moving: View, matrix: Matrix) -> Density:
    """Return the distance to a piece at the pixels of the moving view."""
    back = inverse_of(matrix)
    points = moving.centres() @ back[:, :2].T + back[:, 2]
    inside = points.clip(0, np.array(fixed.shape[::-1]) * fixed.cell_px)
    beyond = np.hypot(*(points - inside).T) / fixed.cell_px
    near = sampled(View(distance, fixed.tissue, fixed.cell_px), inside)
    return np.asarray(near + beyond, np.float32).reshape(moving.shape)


def _labels(distances: Sequence[Density], view: View, info: SlideInfo) -> Grid:
    """Return the nearest piece at the nodes of a grid over the slide."""
    nearest = np.argmin(np.stack(distances), axis=0).astype(np.uint8)
    grid = Grid.covering(info.width_px, info.height_px, view.cell_px)
    rows, columns = grid.values.shape
    row = np.arange(rows).clip(0, nearest.shape[0] - 1)
    column = np.arange(columns).clip(0, nearest.shape[1] - 1)
    return Grid(nearest[np.ix_(row, column)], view.cell_px)


def _kept(field: Field, view: View, transform: Transform) -> Grid:
    """Return a field of the view's pixels as a grid of level-0 pixels."""
    frame, cell = transform.fixed, view.cell_px
    grid = Grid.covering(frame.width_px, frame.height_px, FIELD_STEP * cell, 2)
    nodes = grid.nodes
    columns = [sampled(View(part, view.tissue, cell), _within(nodes, view)) for part in field]
    values = np.round(np.stack(columns, axis=1) / PRECISION) * PRECISION * cell
    return Grid(values.reshape(grid.values.shape).astype(np.float32), grid.spacing_px)


def _within(
    points: np.ndarray[tuple[int, int], np.dtype[np.float64]], view: View
) -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
    """Move points outside the middles of the outermost pixels onto these."""
    last = np.array(view.shape[::-1]) - 0.5
    return points.clip(0.5 * view.cell_px, last * view.cell_px)
