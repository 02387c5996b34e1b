import numpy as np
import pytest

from stainapp.compare.baselines import fit_baselines
from stainapp.compare.blank import glass_of
from stainapp.compare.density import density
from stainapp.compare.metrics import psnr
from stainapp.errors import StainAppError
from stainapp.models.optics import stained
from tests.compare.tissue import tiles

NAMES = ["untouched", "reinhard", "macenko", "mean and deviation"]


def test_doing_nothing_gives_the_very_same_tiles() -> None:
    source = tiles("H&E", side=256, count=4)

    assert fit_baselines(source, tiles("PAS", side=256, count=4))["untouched"](source) is source


def test_each_baseline_comes_nearer_to_a_paler_scan_of_the_same_stain() -> None:
    source = tiles("H&E", side=256, count=4)
    target = (255 * (source / 255) ** 0.6).astype(np.uint8)

    mapped = {name: run(source) for name, run in fit_baselines(source, target).items()}

    assert list(mapped) == NAMES
    wanted = target.reshape(-1, 256, 3)
    before = psnr(wanted, source.reshape(-1, 256, 3))
    for name in NAMES[1:]:
        assert psnr(wanted, mapped[name].reshape(-1, 256, 3)) > before + 3, name


def test_mean_and_deviation_of_the_density_are_those_of_the_target() -> None:
    source, target = (tiles(stain, side=256, count=4) for stain in ("H&E", "DAB"))

    result = fit_baselines(source, target)["mean and deviation"](source)

    where = stained(source, every_channel=False)
    goal = density(target[stained(target, every_channel=False)])
    found = density(result[where])
    np.testing.assert_allclose(found.mean(axis=0), goal.mean(axis=0), atol=0.03)
    np.testing.assert_allclose(found.std(axis=0), goal.std(axis=0), atol=0.03)


def test_glass_stays_glass() -> None:
    source = tiles("H&E", side=256, count=4).copy()
    source[0, :, :128] = glass_of(source)

    for name, run in fit_baselines(source, tiles("PAS", side=256, count=4)).items():
        np.testing.assert_array_equal(run(source)[0, :, :100], source[0, :, :100], err_msg=name)


def test_tiles_without_tissue_are_refused() -> None:
    blank = np.full((2, 64, 64, 3), 243, np.uint8)

    with pytest.raises(StainAppError, match="stained pixels"):
        fit_baselines(blank, blank)
    with pytest.raises(StainAppError, match="no tiles"):
        fit_baselines(blank[:0], blank)
