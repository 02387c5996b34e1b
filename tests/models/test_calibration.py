"""What is learnt of a slide, and what is remembered."""

from pathlib import Path

import numpy as np
import pytest

from stainapp.cancel import CancelToken
from stainapp.errors import Cancelled, ModelError
from stainapp.models.calibration import calibrate_slide, quick_preview
from stainapp.models.card import Calibration
from stainapp.models.opening import open_stainer
from stainapp.models.slide_state import SlideState
from tests.models.conftest import Made
from tests.models.factories import (
    MODELS,
    ArraySlide,
    FakeStainer,
    opened,
    tissue_image,
    unet_model,
)


def test_calibration_is_kept_and_used_again(tmp_path: Path) -> None:
    source, stainer = ArraySlide(tissue_image()), opened("resnet", tmp_path)
    first = calibrate_slide(source, stainer, cache=tmp_path / "cache")
    source.reads.clear()

    second = calibrate_slide(source, stainer, cache=tmp_path / "cache")

    assert source.reads == []
    assert second.digest == first.digest
    assert second.lut is not None
    assert np.array_equal(second.lut, first.lut)  # type: ignore[arg-type] # it is there too
    assert second.tiles == first.tiles > 0


def test_a_damaged_calibration_is_made_anew(tmp_path: Path) -> None:
    source, stainer = ArraySlide(tissue_image()), FakeStainer()
    calibrate_slide(source, stainer, cache=tmp_path)
    (kept,) = tmp_path.glob("*.npz")
    kept.write_bytes(kept.read_bytes()[:100])

    assert calibrate_slide(source, stainer, cache=tmp_path).tiles > 0
    assert SlideState.load(kept).tiles > 0


def test_another_mpp_is_another_calibration(tmp_path: Path) -> None:
    for mpp in (0.5, 0.45):
        source = ArraySlide(tissue_image(), mpp=mpp)
        calibrate_slide(source, FakeStainer(), cache=tmp_path)

    assert len(list(tmp_path.glob("*.npz"))) == 2


def test_a_blank_slide_needs_a_model_that_brings_its_statistics() -> None:
    blank = ArraySlide(np.full((600, 600, 3), 243, np.uint8))
    stainer = FakeStainer()

    assert calibrate_slide(blank, stainer).tiles == 0

    stainer.default_state = None
    with pytest.raises(ModelError, match="No tissue"):
        calibrate_slide(blank, stainer)


def test_calibration_stops_when_nobody_waits_for_it() -> None:
    token = CancelToken()
    token.cancel()

    with pytest.raises(Cancelled):
        calibrate_slide(ArraySlide(tissue_image()), FakeStainer(), token=token)


def test_calibration_finds_the_colour_of_the_glass() -> None:
    state = calibrate_slide(ArraySlide(tissue_image()), FakeStainer())

    assert np.abs(np.array(state.glass) - 244).max() <= 1


@pytest.mark.parametrize("name", MODELS)
def test_a_quick_preview_resembles_the_exact_picture(
    name: str, tmp_path: Path, virtual: Made
) -> None:
    source, stainer = ArraySlide(tissue_image(700, 600)), opened(name, tmp_path)
    slide = virtual(source, stainer, calibrate_slide(source, stainer))

    quick = quick_preview(source, stainer).read(60, 60, 1, 120, 100).astype(int)
    exact = slide.read(60, 60, 1, 120, 100)

    real = source.read(60, 60, 1, 120, 100)
    assert np.abs(quick - exact).mean() < np.abs(real.astype(int) - exact).mean()


def test_calibration_tiles_fit_the_network_s_strides(tmp_path: Path) -> None:
    folder = unet_model(tmp_path / "u", calibrate=Calibration(tiles=2, tile_px=100))
    stainer = open_stainer(folder, device="cpu", precision="fp32")

    assert calibrate_slide(ArraySlide(tissue_image()), stainer).tiles == 2
