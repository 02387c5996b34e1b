"""The look of a picture: its statistics, what is kept, and whose features tell it."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from stainapp.errors import RecipeError
from stainapp.models.card import Arch, ModelCard
from stainapp.runs.folder import RunFolder
from stainapp.runs.presets import preset
from stainapp.runs.recipe import Recipe
from stainapp.runs.recipe_data import Origin
from stainapp.slides.phantom import PhantomSlide
from tests.models.factories import tissue_image
from tests.training.methods import images, method_of
from tests.training.pictures import write
from tests.training.recipes import small
from training.datasets import Dataset
from training.features import VGG_CHANNELS, RandomFilters
from training.method import Images
from training.nst import grams, stained, unlike
from training.processes import ALONE
from training.start import start
from training.tensors import to_network

PIXEL = Arch(family="pixel", ngf=32, norm="none")


def phantom(stain: Any, seed: int) -> Tensor:
    slide = PhantomSlide(stain, (1024, 1024), seed=seed)
    places = ((128, 128), (448, 256), (640, 640), (256, 600))
    return torch.cat([to_network(slide.read(x, y, 0, 64, 64)[None], "cpu") for x, y in places])


@pytest.fixture(scope="module")
def stains() -> tuple[Tensor, Tensor]:
    return phantom("H&E", 5), phantom("PAS", 6)


def quick() -> Recipe:
    recipe = small("nst", network=PIXEL)
    training = replace(preset("nst", "quick").training, precision="fp32", ema=0.9)
    return replace(recipe, training=training)


def test_a_style_comes_nearer_while_glass_and_structure_stay(stains: tuple[Tensor, Tensor]) -> None:
    source, style = stains
    method, features = method_of(quick()), RandomFilters(0, "cpu")

    def distance(pictures: Tensor) -> float:
        pairs = zip(grams(features, pictures, source), grams(features, style, style), strict=True)
        return sum(unlike(a, b).item() for a, b in pairs)

    for number in range(40):
        method.step(Images(source, style, first=number, offset=0))
    made = method.generators["forward"](source).detach()

    assert distance(made) < 0.5 * distance(source)
    bare = (stained(source) == 0).expand_as(source)
    assert bare.any()
    moved = (made - source).abs()
    assert moved[bare].mean() < 0.5 * moved[~bare].mean()
    structure = zip(features.content(made), features.content(source), strict=True)
    assert all((a - b).square().mean() < 0.2 * b.square().mean() for a, b in structure)


def test_glass_says_nothing_of_a_style(stains: tuple[Tensor, Tensor]) -> None:
    style = stains[1]
    glass = torch.full_like(style, 0.9)
    features = RandomFilters(0, "cpu")

    alone = grams(features, style, style)
    beside = grams(features, torch.cat([style, glass]), torch.cat([style, glass]))

    for a, b in zip(alone, beside, strict=True):
        torch.testing.assert_close(a, b)


def test_a_style_is_like_itself_and_unlike_another(stains: tuple[Tensor, Tensor]) -> None:
    features = RandomFilters(0, "cpu")
    first, second = (grams(features, one, one) for one in stains)

    assert all(unlike(one, one).item() == 0 for one in first)
    assert all(unlike(a, b).item() > 0.01 for a, b in zip(first, second, strict=True))


def test_a_single_small_picture_will_do_as_style_and_is_held_out_from_nothing(
    tmp_path: Path,
) -> None:
    picture = write(tmp_path / "style.png", tissue_image(300, 260))
    recipe = quick()
    recipe = replace(
        recipe, data=replace(recipe.data, target=(Origin(slide=str(picture), mpp=0.5),))
    )
    run = RunFolder(tmp_path / "run")

    training = replace(recipe.training, images=8, validate_every=4, checkpoint_every=4)
    start(replace(recipe, training=training), run, ALONE, resume=False, device="cpu")

    card = ModelCard.read(run.model / "small")
    assert card.arch == PIXEL
    assert "imitates the look of a picture" in " ".join(card.limits)
    assert "can invent and draw nothing" in " ".join(card.limits)
    data = Dataset(recipe, device="cpu")
    assert {field.split for field in data.target_fields} == {"train", "validation"}
    data.close()


def vgg(path: Path, **changes: Tensor) -> Path:
    """Write weights in the layout of VGG-19, drawn by chance."""
    chance, inner, weights = torch.Generator().manual_seed(1), 3, {}
    for n, outer in VGG_CHANNELS.items():
        shape = outer, inner, 3, 3
        weights[f"features.{n}.weight"] = torch.randn(shape, generator=chance) / (3 * inner**0.5)
        weights[f"features.{n}.bias"] = torch.zeros(outer)
        inner = outer
    torch.save({**weights, **changes}, path)
    return path


def with_vgg(path: Path) -> Recipe:
    recipe = small("nst", network=PIXEL)
    return replace(recipe, losses=replace(recipe.losses, vgg=str(path)))


def test_features_of_vgg_are_learnt_by_where_a_file_holds_them(tmp_path: Path) -> None:
    method = method_of(with_vgg(vgg(tmp_path / "vgg19.pth")))

    losses = [method.step(images(0, side=64)) for _ in range(6)]

    assert losses[-1]["style"] < losses[0]["style"]


@pytest.mark.parametrize(
    ("write", "words"),
    [
        (lambda path: path, "cannot be read"),
        (lambda path: vgg(path, **{"features.5.weight": torch.zeros(9)}), "no features.5.weight"),
        (lambda path: path.write_text("<html>"), "text file"),
        (lambda path: torch.save({"a": torch.zeros(1)}, path), "does not hold VGG-19"),
    ],
    ids=["absent", "of another shape", "a web page", "of another network"],
)
def test_weights_that_are_not_vggs_are_refused_in_one_sentence(
    write: Any, words: str, tmp_path: Path
) -> None:
    path = tmp_path / "vgg19.pth"
    write(path)

    with pytest.raises(RecipeError, match=words) as refused:
        method_of(with_vgg(path))

    assert str(refused.value).count(". ") == 0
