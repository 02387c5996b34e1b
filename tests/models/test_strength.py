"""A stain at less than its full strength: its ends to the bit, its middle, and what it costs."""

from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from stainapp.models.calibration import calibrate_slide
from stainapp.models.card import Bridge
from stainapp.models.opening import open_stainer
from stainapp.models.optics import optical_density
from stainapp.models.preview import PreviewSlide
from stainapp.models.strength import blended
from stainapp.models.virtual_slide import provenance
from tests.models.conftest import Made
from tests.models.factories import (
    MODELS,
    ArraySlide,
    FakeStainer,
    bridge_model,
    opened,
    tissue_image,
)

FIELD = (300, 560, 0, 200, 180)
STRENGTHS = (0.0, 0.25, 0.5, 1.0)


def test_half_the_strength_is_half_of_the_change_in_optical_density() -> None:
    rng = np.random.default_rng(0)
    source, stained = rng.integers(30, 256, (2, 40, 40, 3), np.uint8)

    found = optical_density(blended(source, stained, 0.5))

    between = (optical_density(source) + optical_density(stained)) / 2
    assert np.abs(found - between).max() < 0.5 / 30  # rounding, at the darkest


def test_what_a_stain_leaves_alone_is_left_alone_at_any_strength() -> None:
    values = np.arange(256, dtype=np.uint8).reshape(1, 256, 1).repeat(3, axis=2)

    assert all(np.array_equal(blended(values, values, s / 100), values) for s in range(101))


@pytest.mark.parametrize("name", MODELS)
def test_no_strength_is_the_slide_itself_and_full_strength_the_stain_as_ever(
    name: str, tmp_path: Path, virtual: Made
) -> None:
    source, stainer = ArraySlide(tissue_image()), opened(name, tmp_path)
    state = calibrate_slide(source, stainer)
    plain = virtual(source, stainer, state)

    none, half, full = (virtual(source, stainer, state, strength=s) for s in (0.0, 0.5, 1.0))

    for level in (0, 1):
        at = (FIELD[0], FIELD[1], level, 90, 80)
        real, stained = source.read(*at), plain.read(*at)
        assert np.array_equal(none.read(*at), real)
        assert np.array_equal(full.read(*at), stained)
        assert not np.array_equal(half.read(*at), real)
        assert not np.array_equal(half.read(*at), stained)
    assert full.info == plain.info
    assert len({slide.info.identity for slide in (none, half, full)}) == 3


@pytest.mark.parametrize("name", ["resnet", "pixel", "macenko", "bridge in one step"])
def test_the_picture_moves_steadily_from_the_slide_to_the_stain(
    name: str, tmp_path: Path, virtual: Made
) -> None:
    one_step = bridge_model(tmp_path / "one step", bridge=Bridge(nfe=1))
    source = ArraySlide(tissue_image())
    stainer = (
        opened(name, tmp_path)
        if name in MODELS
        else open_stainer(one_step, device="cpu", precision="fp32")
    )
    whole = virtual(source, stainer, calibrate_slide(source, stainer))
    stained = whole.read(*FIELD).astype(int)

    others = [whole.at_strength(s) for s in STRENGTHS]
    left = [np.abs(one.read(*FIELD) - stained).mean() for one in others]
    for one in others:
        one.close()

    assert left == sorted(left, reverse=True)
    assert left[0] > left[1] > left[2] > left[3] == 0


def test_another_strength_stains_nothing_anew(virtual: Made) -> None:
    stainer = FakeStainer(lambda tiles: tiles // 2)
    whole = virtual(ArraySlide(tissue_image()), stainer)
    whole.read(*FIELD)
    before = len(stainer.batches)

    half = whole.at_strength(0.5)

    assert np.array_equal(
        half.read(*FIELD), blended(whole.source.read(*FIELD), whole.read(*FIELD), 0.5)
    )
    assert len(stainer.batches) == before
    half.close()
    assert np.array_equal(whole.read(900, 700, 0, 90, 90)[:40], whole.read(900, 700, 0, 90, 40))


def test_a_bridge_is_walked_part_of_the_way(tmp_path: Path, virtual: Made) -> None:
    asked = []

    class Watched(FakeStainer):
        def predict(self, *args: object, strength: float = 1.0, **rest: object) -> np.ndarray:
            asked.append(strength)
            return super().predict(*args, **rest)  # type: ignore[arg-type]

    card = open_stainer(bridge_model(tmp_path / "m"), device="cpu", precision="fp32").card
    stainer = Watched(arch=card.arch, bridge=Bridge(), multiple=2)

    with closing(virtual(ArraySlide(tissue_image()), stainer).at_strength(0.25)) as part:
        part.read(*FIELD)

    assert set(asked) == {0.25}


@pytest.mark.parametrize("strength", STRENGTHS)
def test_the_preview_follows(strength: float) -> None:
    source = ArraySlide(tissue_image())
    lut = np.zeros((2, 2, 2, 3), np.float32)
    whole = PreviewSlide(source, lut)

    seen = whole.at_strength(strength)

    expected = blended(source.read(*FIELD), whole.read(*FIELD), strength)
    assert np.array_equal(seen.read(*FIELD), expected)
    assert (seen.info.identity == whole.info.identity) == (strength == 1)


def test_provenance_says_how_strong_a_stain_is(virtual: Made) -> None:
    slide = virtual(ArraySlide(tissue_image()), FakeStainer(), strength=0.3)

    assert provenance(slide)["strength"] == 0.3
