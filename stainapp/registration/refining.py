"""A piece's guessed place made exact: first turned and shifted, then mapped affinely.

SimpleITK does the search: correlation of the densities under the piece's outline, by gradient
descent from coarse to fine. Physical space is level-0 pixels, so its maps are ours.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import SimpleITK as sitk  # noqa: N813 - its own custom
from numpy.typing import NDArray

from stainapp.registration.transform import Matrix
from stainapp.registration.view import View
from stainapp.slides.tissue import Mask

MARGIN_SHARE = 0.2
"""Glass added around the moving slide: a sample outside it would not count at all."""


def refined_affine(
    fixed: View, where: Mask, moving: View, start: Matrix, check: Callable[[], None]
) -> Matrix:
    """Improve an affine map of a piece.

    Args:
        fixed: the slide that the piece lies on.
        where: (rows, columns) of ``fixed``; the piece and its rim.
        moving: the other slide, at the same working scale.
        start: (2, 3) fixed to moving, level-0 pixels.
        check: called often; raises to stop.

    Returns:
        (2, 3); ``start`` itself where the search has nothing to go by.
    """
    rows, columns = (np.flatnonzero(where.any(axis=axis)) for axis in (1, 0))
    spot = slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)
    corner = (columns[0] + 0.5) * fixed.cell_px, (rows[0] + 0.5) * fixed.cell_px
    target = _image(fixed.density[spot], fixed.cell_px, corner)
    mask = _image(where[spot].astype(np.uint8), fixed.cell_px, corner)
    source = _with_glass(moving)
    middle = np.array(corner) + 0.5 * fixed.cell_px * np.array(where[spot].shape[::-1])
    similar = sitk.AffineTransform(2)
    similar.SetCenter(middle.tolist())
    similar.SetMatrix(start[:, :2].ravel().tolist())
    similar.SetTranslation((start @ [*middle, 1] - middle).tolist())
    found = _searched(target, mask, source, similar, check)
    turn = np.array(found.GetMatrix()).reshape(2, 2)
    shift = np.array(found.TransformPoint((0.0, 0.0)))
    return np.column_stack([turn, shift])


def _searched(
    target: sitk.Image,
    mask: sitk.Image,
    source: sitk.Image,
    start: sitk.AffineTransform,
    check: Callable[[], None],
) -> sitk.AffineTransform:
    search = sitk.ImageRegistrationMethod()
    search.SetNumberOfThreads(1)  # equal results on every machine; see deformation.py
    search.SetMetricAsCorrelation()
    search.SetMetricFixedMask(mask)
    search.SetInterpolator(sitk.sitkLinear)
    search.SetOptimizerAsRegularStepGradientDescent(
        learningRate=2.0 * target.GetSpacing()[0],
        minStep=0.02 * target.GetSpacing()[0],
        numberOfIterations=80,
        relaxationFactor=0.6,
        gradientMagnitudeTolerance=1e-9,
    )
    search.SetOptimizerScalesFromPhysicalShift()
    search.SetShrinkFactorsPerLevel([2, 1])
    search.SetSmoothingSigmasPerLevel([2.0, 1.0])
    search.SmoothingSigmasAreSpecifiedInPhysicalUnitsOff()
    search.SetInitialTransform(start, inPlace=True)
    check()
    try:
        search.Execute(target, source)
    except RuntimeError:  # ITK has nothing to go by: all samples outside, or all alike
        return start
    check()
    return start


def _image(values: NDArray[Any], cell_px: float, corner: tuple[float, float]) -> sitk.Image:
    image = sitk.GetImageFromArray(np.ascontiguousarray(values))
    image.SetSpacing((cell_px, cell_px))
    image.SetOrigin(corner)
    return image


def _with_glass(view: View) -> sitk.Image:
    margin = round(MARGIN_SHARE * max(view.shape))
    first = (0.5 - margin) * view.cell_px
    return _image(np.pad(view.density, margin), view.cell_px, (first, first))
