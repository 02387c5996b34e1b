"""The networks that ship: small, honest about themselves, and true to the tissue they are shown."""

from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from stainapp.compare.agreement import agreement
from stainapp.compare.constancy import tissue_of
from stainapp.compare.frechet import frechet
from stainapp.compare.nuclei import nuclei
from stainapp.compare.texture import features
from stainapp.models.calibration import calibrate_slide
from stainapp.models.opening import open_stainer
from stainapp.models.store import Found, check, default_store
from stainapp.models.virtual_slide import VirtualSlide
from stainapp.runs.recipe_file import RECIPE_FILE, read_recipe
from stainapp.slides.opening import open_slide
from stainapp.slides.reader import RgbImage, SlideReader
from training.datasets import Dataset
from training.rooms import SOURCE, TARGET

MOST_BYTES = 12_000_000
IDS = ("he-to-pas-colon", "pas-to-he-colon", "dab-to-he-stomach", "he-to-dab-stomach", "he-dcgmm")


def shipped(name: str) -> Found:
    found = default_store().find(name)
    assert found.shipped
    return found


def stained(slide: SlideReader, name: str, places: list[tuple[int, int]], side: int) -> RgbImage:
    """Return squares of ``slide`` in level-0 pixels as the viewer stains them."""
    stainer = open_stainer(shipped(name).folder, device="cpu", precision="fp32")
    virtual = VirtualSlide(slide, stainer, calibrate_slide(slide, stainer))
    return np.stack([virtual.read(x, y, 0, side, side) for x, y in places])


def cut(slide: SlideReader, places: list[tuple[int, int]], side: int) -> RgbImage:
    return np.stack([slide.read(x, y, 0, side, side) for x, y in places])


@pytest.mark.parametrize("name", IDS)
def test_a_network_that_ships_is_small_and_tells_how_it_was_made(name: str) -> None:
    found = shipped(name)

    card = check(found.folder)

    assert sum(one.stat().st_size for one in found.folder.iterdir()) <= MOST_BYTES
    assert card.licence == "MIT"
    assert any("Pathology Atlas" in one for one in card.citation)
    assert card.metrics
    assert {"learnt_from", "judged_by"} <= set(card.training)
    assert not set(card.training["learnt_from"]) & set(card.training["judged_by"])
    if card.inverse:
        assert shipped(card.inverse).card.inverse == name


@pytest.mark.parametrize("name", IDS)
def test_the_recipe_of_a_network_that_ships_finds_its_slides_where_they_are(
    name: str, data: Path
) -> None:
    recipe = read_recipe(shipped(name).folder / RECIPE_FILE, data / "slides")

    for origin in (*recipe.data.source, *recipe.data.target):
        assert Path(origin.slide).parent == (data / "slides").resolve()


def test_on_a_drawing_virtual_pas_leaves_glass_and_nuclei_where_they_are() -> None:
    places = [(700, 700), (100, 900)]
    with closing(open_slide("phantom:he:2000:7")) as slide:
        before = cut(slide, places, 512)
        after = stained(slide, "he-to-pas-colon", places, 512)
        mpp = slide.info.mpp
    assert mpp is not None

    glass = (before >= 240).all(axis=-1)
    assert glass.any()
    assert np.abs(after[glass].astype(int) - before[glass]).mean() < 6
    found = [
        agreement(nuclei(a, mpp, "H&E"), nuclei(b, mpp, "PAS"), mpp)
        for a, b in zip(before, after, strict=True)
    ]
    assert sum(one.first for one in found) > 50
    assert np.mean([one.f1 for one in found]) > 0.6


def test_virtual_pas_of_tissue_never_learnt_from_is_nearer_to_pas_than_its_source_is(
    data: Path,
) -> None:
    recipe = read_recipe(shipped("he-to-pas-colon").folder / RECIPE_FILE, data / "slides")
    with closing(Dataset(recipe, learns=False)) as held_out:
        squares = {
            stain: held_out.example_squares(stain, "validation", 12) for stain in (SOURCE, TARGET)
        }
        slide = squares[SOURCE][0][0].reader
        real = np.stack([field.read(i, j, 128) for field, i, j in squares[TARGET]])
        places = [(i, j) for _, i, j in squares[SOURCE]]
        before = cut(slide, places, 128)
        after = stained(slide, "he-to-pas-colon", places, 128)

    reference = features(real)
    assert frechet(reference, features(after)) < 0.5 * frechet(reference, features(before))


def test_on_a_drawing_the_normaliser_leaves_glass_and_nuclei_where_they_are() -> None:
    places = [(700, 700), (100, 900)]
    with closing(open_slide("phantom:he:2000:7")) as slide:
        before = cut(slide, places, 512)
        after = stained(slide, "he-dcgmm", places, 512)
        mpp = slide.info.mpp
    assert mpp is not None

    glass = (before >= 240).all(axis=-1)
    assert glass.any()
    assert np.abs(after[glass].astype(int) - before[glass]).mean() < 6
    found = [
        agreement(nuclei(one, mpp, "H&E"), nuclei(other, mpp, "H&E"), mpp)
        for one, other in zip(before, after, strict=True)
    ]
    assert np.mean([one.f1 for one in found]) > 0.8


def test_normalised_slides_are_nearer_to_one_another_than_they_were(data: Path) -> None:
    colours = []
    for name, x, y in (
        ("melanosiscoli_HE.tiff", 9600, 8200),
        ("CMU-1-Small-Region.svs", 600, 2000),
    ):
        places = [(x, y), (x + 500, y), (x, y + 400), (x + 500, y + 400)]
        with closing(open_slide(data / "slides" / name, mpp=0.5)) as slide:
            before, after = cut(slide, places, 256), stained(slide, "he-dcgmm", places, 256)
        inside = tissue_of(before)
        colours.append([one[inside].mean(axis=0) for one in (before, after)])

    apart, nearer = (np.linalg.norm(a - b) for a, b in zip(*colours, strict=True))
    assert nearer < 0.75 * apart  # of different tissue, they are not to be the same
