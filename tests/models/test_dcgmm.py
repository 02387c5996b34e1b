"""The DCGMM normaliser: what it sees, what it takes from slide and template, and its limits."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from torch import nn

from stainapp.compare.constancy import tissue_of
from stainapp.errors import ModelError
from stainapp.models.calibration import calibrate_slide
from stainapp.models.card import WEIGHTS_FILE, Arch, ModelCard
from stainapp.models.dcgmm import DCGMM_RADIUS, DcgmmNormaliser
from stainapp.models.dcgmm_stainer import DcgmmStainer, tiles_of
from stainapp.models.network_stainer import TEMPLATE
from stainapp.models.opening import open_stainer
from stainapp.models.template import read_template
from stainapp.slides.reader import RgbImage
from tests.models.factories import (
    ArraySlide,
    classic_model,
    dcgmm_model,
    tissue_image,
    with_weights,
)


def tiles(seed: int = 0, count: int = 4, side: int = 128) -> RgbImage:
    image = tissue_image(600, 500, seed)
    return np.stack([image[150 + 11 * k :, 120 + 37 * k :][:side, :side] for k in range(count)])


def opened(folder: Path, template: RgbImage | None = None) -> DcgmmStainer:
    stainer = open_stainer(folder, device="cpu", precision="fp32", template=template)
    assert isinstance(stainer, DcgmmStainer)
    return stainer


def bluer(image: RgbImage) -> RgbImage:
    """Return a picture as if it were stained twice as strongly, and in other colours."""
    absorbed = -np.log((image.astype(float) + 1) / 256) @ np.array(
        [[1.6, 0.4, 0.0], [0.3, 1.2, 0.2], [0.0, 0.2, 0.9]]
    )
    result: RgbImage = np.clip(256 * np.exp(-absorbed) - 1, 0, 255).astype(np.uint8)
    return result


def test_no_pixel_beyond_the_radius_decides_a_class_and_one_at_it_does() -> None:
    net = DcgmmNormaliser(Arch(family="dcgmm", ngf=2)).double()
    for parameter in net.parameters():  # all positive: nothing can cancel out
        nn.init.constant_(parameter, 0.1)
    for module in net.classify:
        if isinstance(module, nn.MaxPool2d):  # of which only one of four pixels has a gradient
            module.forward = nn.AvgPool2d(2).forward  # type: ignore[method-assign]
    reach = 0
    for pixel in range(48, 52):  # the reach differs with the pixel's phase
        picture = torch.full((1, 1, 96, 96), 0.5, dtype=torch.float64, requires_grad=True)
        net.classify(picture)[0, :, pixel, pixel].sum().backward()
        assert picture.grad is not None
        seen = picture.grad.sum(dim=(0, 1, 2)).nonzero().flatten()
        reach = max(reach, pixel - int(seen.min()), int(seen.max()) - pixel)

    assert reach == DCGMM_RADIUS


def test_hue_decides_no_class() -> None:
    net = DcgmmNormaliser(Arch(family="dcgmm", ngf=2))
    purple = torch.tensor([80.0, 40.0, 120.0]).view(1, 3, 1, 1).expand(1, 3, 16, 16)
    pictures = [purple / 127.5 - 1, purple.roll(1, dims=1) / 127.5 - 1]

    (one, _), (other, _) = (net.told(picture)[::-1] for picture in pictures)

    torch.testing.assert_close(one, other)


def test_a_slide_in_the_template_s_colours_is_left_as_it_is(tmp_path: Path) -> None:
    own = tissue_image(512, 512)
    stainer = opened(dcgmm_model(tmp_path / "m"), template=own)

    cut = tiles_of(own, stainer.card)
    made = stainer.predict(cut, stainer.calibrate(cut))

    assert np.abs(made.astype(int) - cut).max() <= 1


def test_one_template_image_is_enough_to_be_normalised_to(tmp_path: Path) -> None:
    folder, template = dcgmm_model(tmp_path / "m"), bluer(tissue_image(512, 512, seed=3))
    plain, led = opened(folder), opened(folder, template)

    mean = {
        name: stainer.predict(tiles(), stainer.calibrate(tiles())).mean(axis=(0, 1, 2))
        for name, stainer in (("plain", plain), ("led", led))
    }

    goal = tiles_of(template, plain.card).mean(axis=(0, 1, 2))
    assert np.abs(mean["led"] - goal).max() < np.abs(tiles().mean(axis=(0, 1, 2)) - goal).max() / 2
    assert np.abs(mean["led"] - goal).max() < np.abs(mean["plain"] - goal).max()
    assert len({plain.digest, led.digest, plain.card.digest}) == 2


def test_two_stainings_of_one_section_come_out_more_alike_than_they_went_in(tmp_path: Path) -> None:
    stainer = opened(dcgmm_model(tmp_path / "m"))
    both = tiles(), bluer(tiles())

    made = [stainer.predict(one, stainer.calibrate(one)).astype(int) for one in both]

    before = np.abs(both[0].astype(int) - both[1]).mean()
    assert np.abs(made[0] - made[1]).mean() < 0.6 * before


@pytest.mark.parametrize("value", [255, 120, 0])
def test_a_slide_of_one_colour_comes_out_even(value: int, tmp_path: Path) -> None:
    stainer = opened(dcgmm_model(tmp_path / "m"))
    flat = np.full((2, 64, 64, 3), value, np.uint8)

    made = stainer.predict(flat, stainer.calibrate(flat))

    inside = made[:, 20:-20, 20:-20].astype(int)
    assert np.ptp(inside, axis=(0, 1, 2)).max() <= 1


def test_a_slide_of_one_dye_stays_a_picture(tmp_path: Path) -> None:
    stainer = opened(dcgmm_model(tmp_path / "m"))
    amount = (255 - tiles()[..., 1:2].astype(float)) / 255
    one_dye = (255 * np.exp(-amount * np.array([0.65, 0.70, 0.29]))).astype(np.uint8)

    made = stainer.predict(one_dye, stainer.calibrate(one_dye)).astype(int)

    noise, shown = (np.abs(np.diff(x.astype(int), axis=1)).mean() for x in (one_dye, made))
    assert np.ptp(made) > 20
    assert shown < 4 * noise


def test_a_blank_slide_is_shown_as_glass(tmp_path: Path) -> None:
    folder = dcgmm_model(tmp_path / "m")
    known = opened(folder).calibrate(tiles())
    weights = {k: v.clone() for k, v in load_file(folder / WEIGHTS_FILE).items()}
    with_weights(
        folder, weights | {f"statistics.{k}": torch.from_numpy(a) for k, a in known.arrays.items()}
    )
    blank = ArraySlide(np.full((600, 600, 3), 250, np.uint8))

    state = calibrate_slide(blank, opened(folder))

    assert state.tiles == 0


def test_weights_without_a_template_are_refused(tmp_path: Path) -> None:
    folder = dcgmm_model(tmp_path / "m")
    kept = {k: v.clone() for k, v in load_file(folder / WEIGHTS_FILE).items()}
    with_weights(folder, {k: v for k, v in kept.items() if not k.startswith(TEMPLATE)})

    with pytest.raises(ModelError, match="does not hold the network"):
        opened(folder)


@pytest.mark.parametrize(
    ("image", "why"),
    [
        (np.full((300, 300, 3), 250, np.uint8), "hardly any stained tissue"),
        (np.zeros((2, 900, 3), np.uint8), "a few pixels"),
    ],
)
def test_a_template_that_shows_nothing_is_refused_in_one_sentence(
    image: RgbImage, why: str, tmp_path: Path
) -> None:
    with pytest.raises(ModelError, match=why) as caught:
        opened(dcgmm_model(tmp_path / "m"), template=image)

    assert str(caught.value).count(". ") == 0


def test_a_template_is_taken_by_its_tissue_and_not_by_the_glass_around_it(tmp_path: Path) -> None:
    folder = dcgmm_model(tmp_path / "m")
    tissue = tissue_image(1024, 1024)[384:640, 256:512]
    on_glass = np.full((1280, 1280, 3), 250, np.uint8)
    on_glass[512:768, 512:768] = tissue

    one, other = (opened(folder, template=image) for image in (tissue, on_glass))

    cut = tiles()
    made = [s.predict(cut, s.calibrate(cut)).astype(int) for s in (one, other)]
    assert np.abs(made[0] - made[1]).max() <= 1


def test_the_card_says_which_models_take_a_template(tmp_path: Path) -> None:
    assert ModelCard.read(dcgmm_model(tmp_path / "m")).takes_template


def test_a_slide_as_template_is_read_as_tissue_at_the_network_s_scale(tmp_path: Path) -> None:
    card = ModelCard.read(dcgmm_model(tmp_path / "m"))
    own_scale = replace(card, mpp=1.0)
    by_pixel = ModelCard.read(classic_model(tmp_path / "r", "reinhard"))
    slide = Path("phantom:he:2000:7")

    near, far, whole = (read_template(slide, c) for c in (card, own_scale, by_pixel))

    side = card.calibrate.tile_px
    assert near.shape[0] == far.shape[0] == side
    assert near.shape[1] % side == 0
    assert whole.shape[0] == whole.shape[1]
    assert tissue_of(near[None]).mean() > 0.5
