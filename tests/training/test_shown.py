"""What discriminators are shown beside the newest images."""

from dataclasses import replace

import torch

from stainapp.runs.recipe import Recipe
from tests.training.recipes import small
from training.method import Images, Setting
from training.processes import ALONE
from training.shown import Shown


def shown(**training: object) -> Shown:
    recipe: Recipe = small("cyclegan")
    recipe = replace(recipe, training=replace(recipe.training, **training))  # type: ignore[arg-type] # its own fields
    return Shown(Setting(recipe, "cpu", "fp32", ALONE), stream=0)


def step(first: int, count: int = 2) -> tuple[torch.Tensor, Images]:
    """Images whose every pixel is their number, and the step they are of."""
    values = torch.arange(first, first + count).float().view(-1, 1, 1, 1).expand(-1, 3, 16, 16)
    return values, Images(values, values, first=first, offset=0)


def numbers(images: torch.Tensor) -> list[float]:
    return images[:, 0, 0, 0].tolist()


def test_one_of_each_is_the_newest_alone_and_keeps_no_real_ones() -> None:
    gallery = shown(pool=4, judge_images=1)
    images, at = step(0)

    assert numbers(gallery.real(images, at)) == [0, 1]
    assert numbers(gallery.made(images, at)) == [0, 1]
    assert set(gallery.pools("target")) == {"target"}


def test_more_of_each_are_earlier_ones_in_equal_numbers() -> None:
    gallery = shown(pool=6, judge_images=3)
    for first in range(0, 8, 2):
        images, at = step(first)
        real, made = gallery.real(images, at), gallery.made(images + 100, at)

    assert len(real) == len(made) == 3 * 2
    assert numbers(real)[:2] == [6, 7]
    assert all(value < 8 for value in numbers(real))
    assert all(100 <= value < 108 for value in numbers(made))
    assert set(gallery.pools("target")) == {"target", "real target"}


def test_images_are_disturbed_each_in_its_own_way() -> None:
    gallery = shown(pool=1, judge_images=3, diffaugment=True)
    images = torch.rand(1, 3, 32, 32, generator=torch.Generator().manual_seed(1))

    first, second, third = gallery.real(images, Images(images, images, first=0, offset=0))

    assert not torch.equal(first, images[0])
    assert not torch.equal(first, second)
    assert not torch.equal(second, third)
