"""What is left after the pieces lie right: a smooth displacement, from coarse to fine.

Demons with symmetric forces (Vercauteren et al., "Diffeomorphic demons", NeuroImage 45:S61-S72,
2009), as SimpleITK has them, on locally normalised densities; Gaussian smoothing of the update
and of the field is the regularisation.
"""

from collections.abc import Callable

import numpy as np
import SimpleITK as sitk  # noqa: N813 - its own custom
from numpy.typing import NDArray
from scipy.ndimage import distance_transform_edt, gaussian_filter, map_coordinates

from stainapp.registration.view import Density, averaged, normalised

Field = NDArray[np.float32]
"""(2, rows, columns): x and y displacement at each pixel of a view, in its pixels."""

LEVELS = ((8, 100), (4, 80), (2, 50))
"""Reduction of the view, and iterations."""
FIELD_PX, UPDATE_PX = 1.5, 1.0
"""Standard deviations of the smoothing, in pixels of the level."""
NORMALISED_OVER_PX = 12.0
"""Window of the local normalisation, in pixels of the view."""
STEEPEST = 0.6
"""Change of the displacement from a pixel to the next; from 1 on it folds."""
MOST_ROUNDS = 24
"""Of smoothing: the last is over a hundred pixels."""


def deformation(
    fixed: Density,
    warped: Callable[[Field], Density],
    step: Callable[[], None],
) -> Field:
    """Find the displacement that lays a moving picture over a fixed one.

    Args:
        fixed: (rows, columns) density.
        warped: gives the moving density under a displacement, in the same pixels.
        step: called between levels; raises to stop.
    """
    field: Field = np.zeros((2, *fixed.shape), np.float32)
    target = normalised(fixed, NORMALISED_OVER_PX)
    for factor, iterations in LEVELS:
        if min(fixed.shape) // factor < 16:
            continue
        source = normalised(warped(field), NORMALISED_OVER_PX)
        found = _demons(_reduced(target, factor), _reduced(source, factor), iterations)
        field = composed(_enlarged(found, factor, fixed.shape), field)
        step()
    return unfolded(field)


def composed(outer: Field, inner: Field) -> Field:
    """Return the displacement of going ``outer`` first and ``inner`` from there."""
    there = np.indices(outer.shape[1:], np.float32)[::-1] + outer
    moved = [map_coordinates(c, there[::-1], order=1, mode="nearest") for c in inner]
    return np.asarray(outer + np.stack(moved), np.float32)


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


def _demons(target: Density, source: Density, iterations: int) -> Field:
    demons = sitk.FastSymmetricForcesDemonsRegistrationFilter()
    # Threads that wait for each other at every step cost more than they save on a busy machine.
    demons.SetNumberOfThreads(1)
    demons.SetNumberOfIterations(iterations)
    demons.SetStandardDeviations(FIELD_PX)
    demons.SmoothDisplacementFieldOn()
    demons.SmoothUpdateFieldOn()
    demons.SetUpdateFieldStandardDeviations(UPDATE_PX)
    found = demons.Execute(sitk.GetImageFromArray(target), sitk.GetImageFromArray(source))
    values = sitk.GetArrayFromImage(found)
    return np.ascontiguousarray(np.moveaxis(values, 2, 0), np.float32)


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
