"""Hue, saturation and density: there and back, and what they are said to be."""

import math

import pytest
import torch
from torch import Tensor

from stainapp.models.hsd import CHROMA, from_hsd, to_hsd, within_gamut


def every_colour(step: int = 15) -> Tensor:
    """Return a picture (1, 3, H, W) of a grid of all colours, black and white among them."""
    values = torch.arange(0, 256, step).float()
    return torch.cartesian_prod(values, values, values).T.reshape(1, 3, len(values), -1)


def test_there_and_back_gives_every_colour_again() -> None:
    colours = every_colour()

    back = from_hsd(to_hsd(colours))

    assert (back - colours).abs().max() < 0.01


def test_every_colour_lies_within_the_gamut() -> None:
    hsd = to_hsd(every_colour())

    torch.testing.assert_close(within_gamut(hsd), hsd, atol=1e-5, rtol=1e-5)


def test_the_coordinates_are_those_of_the_definition() -> None:
    colour = torch.tensor([60.0, 90.0, 200.0]).view(1, 3, 1, 1)
    red, green, blue = (-math.log((value + 1) / 256) for value in (60, 90, 200))
    density = (red + green + blue) / 3

    expected = (density, red / density - 1, (green - blue) / (math.sqrt(3) * density))

    assert to_hsd(colour).flatten().tolist() == pytest.approx(expected, rel=1e-5)


def test_twice_the_stain_is_twice_the_density_and_the_same_chroma() -> None:
    light = torch.tensor([0.7, 0.4, 0.6])
    once, twice = (to_hsd((256 * light**n - 1).view(1, 3, 1, 1)).flatten() for n in (1, 2))

    assert twice[0].item() == pytest.approx(2 * once[0].item(), rel=1e-4)
    torch.testing.assert_close(twice[1:], once[1:], atol=1e-4, rtol=0)


@pytest.mark.parametrize("value", [0.0, 255.0])
def test_grey_has_no_chroma_even_where_nothing_absorbs(value: float) -> None:
    hsd = to_hsd(torch.full((1, 3, 2, 2), value))

    assert hsd[:, 1:].abs().max() < 1e-6
    assert bool(hsd.isfinite().all())


def test_noise_on_glass_is_no_hue() -> None:
    glass = torch.full((1, 3, 1, 1), 254.0)
    noisy = glass + torch.tensor([0.0, 1.0, -1.0]).view(1, 3, 1, 1)

    assert to_hsd(noisy)[:, 1:].abs().max() < 0.15


def test_what_light_cannot_have_becomes_the_nearest_that_it_can() -> None:
    wild = torch.tensor([[-1.0, 1.0, 1.0], [0.0, 9.0, -9.0], [0.0, 9.0, -9.0]]).view(1, 3, 1, 3)

    tame = within_gamut(wild)

    assert tame[0, 0].min() >= 0
    assert tame[0, 1].tolist()[0] == [0.0, CHROMA[1], CHROMA[0]]
    picture = from_hsd(tame)
    assert (to_hsd(picture) - tame).abs().max() < 1e-4
