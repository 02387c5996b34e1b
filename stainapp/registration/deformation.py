"""What is left after the pieces lie right: a smooth displacement, and how sure it is.

Sought from coarse to fine over all displacements within reach (see `coupled`), then to a fraction
of a pixel by demons with symmetric forces (Vercauteren et al., "Diffeomorphic demons", NeuroImage
45:S61-S72, 2009), as SimpleITK has them; on locally normalised densities, once from the first
picture to the second and once back. The mean of the two is the displacement; where they disagree,
one of them is wrong.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import SimpleITK as sitk  # noqa: N813 - its own custom
from numpy.typing import NDArray
from scipy.ndimage import distance_transform_edt, gaussian_filter, map_coordinates

from stainapp.registration.coupled import Field, Search, sought
from stainapp.registration.view import Density, averaged, normalised

SEARCHES = (
    (4, Search(reach_px=12, window_px=8.0, step_px=4, smooth_nodes=1.5)),
    (2, Search(reach_px=6, window_px=5.0, step_px=3, smooth_nodes=1.0)),
)
"""Reduction of the view, and the search at it."""
DEMONS_FACTOR, DEMONS_ITERATIONS = 2, 50
FIELD_PX, UPDATE_PX = 1.5, 1.0
"""Standard deviations of the smoothing by demons, in pixels of the reduced view."""
SEARCH_OVER_PX, DEMONS_OVER_PX = 24.0, 12.0
"""Windows of the local normalisation, in pixels of the view."""
STEPS = 2 * (len(SEARCHES) + 1)
STEEPEST = 0.6
"""Change of the displacement from a pixel to the next; from 1 on it folds."""
MOST_ROUNDS = 24
"""Of smoothing: the last is over a hundred pixels."""
INVERSE_ROUNDS = 15
"""Each leaves `STEEPEST` of the error before."""
FEWEST_PIXELS = 16
"""Of the shorter side: less is not searched."""


@dataclass(frozen=True, eq=False, slots=True)
class Bend:
    """How one picture must be bent to lie over another."""

    field: Field
    apart: Density
    """(rows, columns): pixels between where the way there and the way back lead."""


def deformation(fixed: Density, moving: Density, step: Callable[[], None]) -> Bend:
    """Find the displacement that lays a moving picture over a fixed one.

    Args:
        fixed: (rows, columns) density.
        moving: the same, of the moving slide as it was laid so far.
        step: called `STEPS` times; raises to stop.
    """
    there = unfolded(_followed(fixed, moving, step))
    back = inverted(unfolded(_followed(moving, fixed, step)))
    apart = np.hypot(*(there - back)).astype(np.float32)
    return Bend(unfolded((there + back) * np.float32(0.5)), apart)


def composed(outer: Field, inner: Field) -> Field:
    """Return the displacement of going ``outer`` first and ``inner`` from there."""
    return np.asarray(outer + _moved(inner, outer), np.float32)


def inverted(field: Field) -> Field:
    """Return the displacement that leads back, of one that is nowhere steeper than `STEEPEST`."""
    back: Field = -field
    for _ in range(INVERSE_ROUNDS):
        back = -_moved(field, back)
    return back


def unfolded(field: Field) -> Field:
    """Smooth a displacement where it is too steep, and only there, until it can be inverted."""
    sigma = 1.5
    for _ in range(MOST_ROUNDS):
        steep = _steep(field)
        if not steep.any():
            return field
        # whole at what is steep, however little of it there is, and less and less around it
        share = np.exp(-0.5 * (distance_transform_edt(~steep) / sigma) ** 2)
        smooth = np.stack([gaussian_filter(c, sigma, mode="nearest") for c in field])
        field = np.asarray(field + share * (smooth - field), np.float32)
        sigma *= 1.2
    return np.zeros_like(field)  # nothing that can be followed: the pieces lie as they were laid


def _followed(first: Density, second: Density, step: Callable[[], None]) -> Field:
    """Find the displacement from a picture to another, not yet free of folds."""
    field: Field = np.zeros((2, *first.shape), np.float32)
    for factor, search in SEARCHES:
        if min(first.shape) // factor >= FEWEST_PIXELS:
            found = sought(*_flat(first, second, field, factor, SEARCH_OVER_PX), search)
            field = composed(_enlarged(found, factor, first.shape), field)
        step()
    if min(first.shape) // DEMONS_FACTOR >= FEWEST_PIXELS:
        found = _demons(*_flat(first, second, field, DEMONS_FACTOR, DEMONS_OVER_PX))
        field = composed(_enlarged(found, DEMONS_FACTOR, first.shape), field)
    step()
    return field


def _flat(
    first: Density, second: Density, field: Field, factor: int, over_px: float
) -> tuple[Density, Density]:
    """Return both pictures, the second moved, reduced and free of local brightness."""
    moved = _moved(second[None], field)[0]
    one, other = (normalised(_reduced(p, factor), over_px / factor) for p in (first, moved))
    return one, other


def _demons(target: Density, source: Density) -> Field:
    demons = sitk.FastSymmetricForcesDemonsRegistrationFilter()
    # Threads that wait for each other at every step cost more than they save on a busy machine.
    demons.SetNumberOfThreads(1)
    demons.SetNumberOfIterations(DEMONS_ITERATIONS)
    demons.SetStandardDeviations(FIELD_PX)
    demons.SmoothDisplacementFieldOn()
    demons.SmoothUpdateFieldOn()
    demons.SetUpdateFieldStandardDeviations(UPDATE_PX)
    found = demons.Execute(sitk.GetImageFromArray(target), sitk.GetImageFromArray(source))
    values = sitk.GetArrayFromImage(found)
    return np.ascontiguousarray(np.moveaxis(values, 2, 0), np.float32)


def _moved(values: NDArray[np.float32], field: Field) -> NDArray[np.float32]:
    """Take (n, rows, columns) values from where a displacement leads."""
    there = np.indices(field.shape[1:], np.float32) + field[::-1]
    return np.stack([map_coordinates(c, there, order=1, mode="nearest") for c in values])


def _reduced(image: Density, factor: int) -> Density:
    return np.ascontiguousarray(averaged(gaussian_filter(image, factor / 3), factor))


def _enlarged(field: Field, factor: int, shape: tuple[int, ...]) -> Field:
    """Return the field at ``factor`` times as many pixels, its values in these."""
    where = (np.indices(shape, np.float32) + 0.5) / factor - 0.5
    fine = [map_coordinates(c, where, order=1, mode="nearest") for c in field]
    return np.asarray(factor * np.stack(fine), np.float32)


def _steep(field: Field) -> NDArray[np.bool_]:
    """Return the pixels from which the displacement changes by too much to a neighbour."""
    steep = np.zeros(field.shape[1:], bool)
    steep[1:] |= np.hypot(*np.diff(field, axis=1)) > STEEPEST
    steep[:, 1:] |= np.hypot(*np.diff(field, axis=2)) > STEEPEST
    return steep
