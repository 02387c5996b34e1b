"""How near a registration comes to landmarks that people placed, and how long it takes.

Against the best affine map fitted to those very landmarks, scikit-image's optical flow after the
same affine start, and what the landmarks themselves can tell: where each is expected by a smooth
map of all others. Real slides without landmarks: seconds, pieces, the expected error, and how far
details that match lie apart; two scans of one slide: what is left between them. Seconds are of
the processor, all threads together, because a shared machine makes others meaningless, and in
brackets by the clock.

    python tests/benchmarks/register.py [--json] [--quick]
"""

import argparse
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from functools import partial
from itertools import permutations
from pathlib import Path

import numpy as np
from scipy.interpolate import RBFInterpolator
from scipy.ndimage import map_coordinates
from skimage.registration import optical_flow_tvl1, phase_cross_correlation

from stainapp.errors import RegistrationError
from stainapp.registration.align import align, working_scale
from stainapp.registration.choosing import sampled
from stainapp.registration.grid import Grid, Points
from stainapp.registration.landmarks import affine_of
from stainapp.registration.transform import Transform
from stainapp.registration.view import normalised, view_of
from stainapp.registration.warped_slide import WarpedSlide
from stainapp.slides.opening import open_slide
from stainapp.slides.reader import SlideReader
from tests.benchmarks.matched_features import field_errors_um
from tests.benchmarks.measure import DATA, Figure, median, real_slide, run

MOST_SECONDS = 120
"""A minute on two processors."""
BELOW_AFFINE = 0.6
STIFFNESS = 1e3
"""Of the smooth map of the other landmarks: the best of 0 to 1e5 over all pairs."""
FIELDS = 40
MOST_UM = 10.0
COORDINATE_SCALE = 0.1
"""The landmarks' files are at ten times the images' scale."""
STAINS = {"H&E": "w35-He-les3", "Ki67": "w35-Ki67-7-les3", "CD31": "w35-CD31-3-les3"}
PAIRS = (
    ("melanosis H&E, PAS", "melanosiscoli_HE.tiff", "melanosiscoli_PAS.tiff", 0.5),
    ("BS25 CHR, SYN", "BS25_CHR.tiff", "BS25_SYN.tiff", None),
    ("BS25 H&E, CHR", "BS25_HE.tiff", "BS25_CHR.tiff", None),
)
NO_PAIR = ("melanosiscoli_HE.tiff", "BS25_CHR.tiff")


def measure(arguments: argparse.Namespace) -> list[Figure]:
    figures = list(landmark_figures(quick=arguments.quick))
    if not arguments.quick:
        figures += [*slide_figures(), *scanner_figures(), *refusal_figures()]
    return figures


def landmark_figures(*, quick: bool) -> Iterator[Figure]:
    found = {name: _landmarks(part) for name, part in STAINS.items()}
    if not all(found.values()):
        return
    for first, second in list(permutations(STAINS, 2))[: 1 if quick else None]:
        here, there = found[first], found[second]
        assert here is not None
        assert there is not None
        (a, pa), (b, pb) = here, there
        name = f"landmarks {first}, {second}"
        affine = affine_of(pa, pb)
        best = _median_error(pa @ affine[:, :2].T + affine[:, 2], pb)
        with closing(open_slide(a)) as fixed, closing(open_slide(b)) as moving:
            transform, spent, clock = timed(partial(align, fixed, moving))
            flow, flow_spent, _ = timed(partial(flowed, fixed, moving, transform))
        ours = _median_error(transform.to_moving(pa), pb)
        yield Figure(f"{name}: best affine on them", best, "px")
        yield Figure(f"{name}: ours", ours, "px", BELOW_AFFINE * best)
        yield Figure(f"{name}: smooth map of the other landmarks", _others_error(pa, pb), "px")
        yield Figure(f"{name}: our estimate", float(np.nanmedian(transform.error_px(pa))), "px")
        yield Figure(f"{name}: optical flow", _median_error(flow.to_moving(pa), pb), "px")
        yield Figure(f"{name}: ours ({clock:.0f} s)", spent, "cpu s", MOST_SECONDS)
        yield Figure(f"{name}: optical flow alone", flow_spent, "cpu s")


def slide_figures() -> Iterator[Figure]:
    for name, a, b, mpp in PAIRS:
        first, second = real_slide(a), real_slide(b)
        if first is None or second is None:
            continue
        with closing(open_slide(first, mpp=mpp)) as x, closing(open_slide(second, mpp=mpp)) as y:
            transform, spent, clock = timed(partial(align, x, y))
            apart = list(field_errors_um(x, WarpedSlide(y, transform, x.info), FIELDS))
        assert transform.error is not None
        expected = float(np.nanmedian(transform.error.values)) * (transform.fixed.mpp or np.nan)
        yield Figure(f"{name}: pieces", len(transform.pieces), "")
        yield Figure(f"{name}: expected error, median", expected, "um")
        matched = f"{name}: details that match, in {len(apart)} of {FIELDS} fields"
        if apart:  # none where the stains show different details
            yield Figure(matched, float(np.median(apart)), "um", MOST_UM)
        yield Figure(f"{name}: ours ({clock:.0f} s)", spent, "cpu s", MOST_SECONDS)


def scanner_figures() -> Iterator[Figure]:
    folder = DATA / "same-slide-two-scanners"
    first, second = folder / "OS-2-ndpi.ome.tif", folder / "OS-2-vsi.ome.tif"
    if not first.is_file() or not second.is_file():
        return
    with closing(open_slide(first)) as fixed, closing(open_slide(second)) as moving:
        transform, spent, clock = timed(partial(align, fixed, moving))
        left = median(list(_left_over(fixed, WarpedSlide(moving, transform, fixed.info))))
    yield Figure("two scanners: left over, median of fields", left, "px", 1.0)
    yield Figure(f"two scanners: ours ({clock:.0f} s)", spent, "cpu s", MOST_SECONDS)


def refusal_figures() -> Iterator[Figure]:
    first, second = (real_slide(name) for name in NO_PAIR)
    if first is None or second is None:
        return
    refused = 0.0
    with closing(open_slide(first, mpp=0.5)) as fixed, closing(open_slide(second)) as moving:
        try:
            align(fixed, moving)
        except RegistrationError:
            refused = 1.0
    yield Figure("slides of two blocks: refused", refused, "", 1.0, lower=False)


def flowed(fixed: SlideReader, moving: SlideReader, transform: Transform) -> Transform:
    """Return the pieces as they are, bent by TV-L1 optical flow in place of ours."""
    straight = replace(transform, field=None, error=None)
    cell, ratio = working_scale(fixed.info, moving.info)
    here, there = view_of(fixed, cell), view_of(moving, cell * ratio)
    warped = sampled(there, straight.to_moving(here.centres())).reshape(here.shape)
    first, second = (normalised(d, 12.0) for d in (here.density, warped))
    down, right = optical_flow_tvl1(first, second)
    grid = Grid.covering(transform.fixed.width_px, transform.fixed.height_px, 3 * cell, 2)
    where = grid.nodes.T[::-1] / cell - 0.5
    values = [
        cell * map_coordinates(part, where, order=1, mode="nearest") for part in (right, down)
    ]
    field = np.stack(values, axis=1).reshape(grid.values.shape).astype(np.float32)
    return replace(straight, field=Grid(field, grid.spacing_px))


def timed(work: Callable[[], Transform]) -> tuple[Transform, float, float]:
    """Return what the work gives, its seconds of processor, and those of the clock."""
    spent, clock = time.process_time(), time.perf_counter()
    result = work()
    return result, time.process_time() - spent, time.perf_counter() - clock


def _left_over(fixed: SlideReader, warped: SlideReader, side: int = 256) -> Iterator[float]:
    """Yield how far fields of tissue lie apart, in level-0 pixels, by phase correlation."""
    for y in range(side // 2, fixed.info.height_px - side, side):
        for x in range(side // 2, fixed.info.width_px - side, side):
            first, second = (
                reader.read(x, y, 0, side, side)[..., 0].astype(float) for reader in (fixed, warped)
            )
            if first.std() < 8:
                continue
            shift, _, _ = phase_cross_correlation(
                first - first.mean(), second - second.mean(), upsample_factor=10
            )
            yield float(np.hypot(*shift))


def _landmarks(part: str) -> tuple[Path, Points] | None:
    image = DATA / "landmarks" / f"lesion3_29-041-Izd2-{part}.jpg"
    table = image.with_suffix(".50pc-PS.csv")
    if not image.is_file() or not table.is_file():
        return None
    points = np.loadtxt(table, delimiter=",", skiprows=1, usecols=(1, 2)) * COORDINATE_SCALE
    return image, np.asarray(points, np.float64)


def _others_error(fixed: Points, moving: Points) -> float:
    """Return the median distance of each landmark from where all others expect it."""
    expected = [
        RBFInterpolator(fixed[others], moving[others], smoothing=STIFFNESS)(fixed[[one]])[0]
        for one in range(len(fixed))
        for others in [np.arange(len(fixed)) != one]
    ]
    return _median_error(np.array(expected), moving)


def _median_error(found: Points, wanted: Points) -> float:
    return float(np.median(np.hypot(*(found - wanted).T)))


if __name__ == "__main__":
    run("register", measure)
