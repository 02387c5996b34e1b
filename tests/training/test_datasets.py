"""Batches: functions of an image's number alone, from tissue that is there and in focus."""

import tracemalloc
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from PIL import Image, ImageFilter

from stainapp.errors import RecipeError, SlideError
from stainapp.runs.recipe import Recipe
from stainapp.runs.recipe_data import Origin
from stainapp.slides.reader import RgbImage
from stainapp.slides.tiff_reader import TiffReader
from tests.training.pictures import recipe, slide, slide_with_pieces, texture, write
from training import datasets
from training.candidates import Slides, working_scale
from training.datasets import Dataset
from training.grey import grey_of
from training.rooms import SOURCE
from training.tile_quality import quality


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("pair")
    source = texture(700, 500, 1)
    return write(folder / "a.bmp", source), write(folder / "b.bmp", source[..., ::-1])


def asked(pair: tuple[Path, Path], pairing: str = "unpaired", **data: Any) -> Recipe:
    source, target = slide(pair[0]), slide(pair[1])
    if pairing == "self":
        source = ()
    if pairing == "alone":
        target = ()
    return recipe(pairing=pairing, source=source, target=target, **data)


@pytest.mark.parametrize("pairing", ["unpaired", "paired", "self", "alone"])
def test_an_image_depends_on_its_number_alone(pair: tuple[Path, Path], pairing: str) -> None:
    wanted = replace(asked(pair, pairing), training=replace(recipe(**_some()).training, turns=True))
    one, other = Dataset(wanted), Dataset(wanted)

    with ThreadPoolExecutor(4) as threads:
        single = list(threads.map(lambda n: one.batch(n, 1), reversed(range(8))))[::-1]
    together = other.batch(0, 8)

    assert np.array_equal(np.concatenate([b.source for b in single]), together.source)
    assert np.array_equal(np.concatenate([b.target for b in single]), together.target)
    assert len({tile.tobytes() for tile in together.source}) == 8
    judged = one.judge_tiles(), other.judge_tiles()
    assert np.array_equal(judged[0].source, judged[1].source)
    assert np.array_equal(judged[0].target, judged[1].target)
    one.close()
    other.close()


def test_pairs_stay_pairs_through_every_turn(pair: tuple[Path, Path]) -> None:
    wanted = asked(pair, "paired")
    data = Dataset(replace(wanted, training=replace(wanted.training, turns=True)))

    batch = data.batch(0, 16)
    judged = data.judge_tiles()
    data.close()

    assert np.array_equal(batch.target, batch.source[..., ::-1])
    assert np.array_equal(judged.target, judged.source[..., ::-1])


def test_a_pair_is_cut_alike_where_the_target_has_another_pyramid(tmp_path: Path) -> None:
    source = write(tmp_path / "a.bmp", texture(700, 500, 1))
    small = write(tmp_path / "b.bmp", texture(640, 500, 1))

    with pytest.raises(RecipeError, match=r"a\.bmp \(700 x 500 px\) and b\.bmp \(640 x 500 px\)"):
        Dataset(asked((source, small), "paired"))


def test_its_own_pair_is_the_same_tile(pair: tuple[Path, Path]) -> None:
    data = Dataset(asked(pair, "self"))

    batch = data.batch(0, 4)
    data.close()

    assert data.grey
    assert np.array_equal(batch.source, batch.target)


def test_grey_is_the_luma_of_itu_r_601() -> None:
    tile = np.array([[[255, 0, 0], [0, 255, 0], [0, 0, 255]]], np.uint8)

    assert grey_of(tile)[0].tolist() == [[76] * 3, [150] * 3, [29] * 3]


def test_judge_tiles_lie_side_by_side(pair: tuple[Path, Path]) -> None:
    data = Dataset(asked(pair))

    found = data.example_squares(SOURCE, "validation", 50)
    data.close()

    corners = np.array([(i, j) for _, i, j in found])
    for n, corner in enumerate(corners):
        others = np.delete(corners, n, axis=0)
        assert (np.abs(others - corner) >= 64).any(axis=1).all()


def test_blank_and_blurred_tiles_are_drawn_again_and_counted(tmp_path: Path) -> None:
    sharp = texture(800, 500, 1)
    spoilt = sharp.copy()
    spoilt[:, :300] = np.asarray(Image.fromarray(sharp).filter(ImageFilter.GaussianBlur(3)))[
        :, :300
    ]
    path = write(tmp_path / "a.bmp", spoilt)
    source = slide(path, areas=((0, 0, 600, 500),), split="train")
    source += slide(path, areas=((600, 0, 200, 500),), split="validation")
    data = Dataset(recipe(source=source, target=slide(write(tmp_path / "b.bmp", sharp))))

    batch = data.batch(0, 40)
    first = data.rejected
    with ThreadPoolExecutor(4) as threads:
        list(threads.map(lambda n: data.batch(n, 1), range(40)))
    data.close()

    assert all(quality(tile) >= 1 for tile in batch.source)
    assert first > 5
    assert data.rejected == 2 * first


def test_where_nothing_is_in_focus_the_best_is_taken_and_all_are_counted(tmp_path: Path) -> None:
    sharp = texture(700, 500, 1)
    blurred = np.asarray(Image.fromarray(sharp).filter(ImageFilter.GaussianBlur(4)))
    paths = [write(tmp_path / "a.bmp", blurred), write(tmp_path / "b.bmp", sharp)]
    data = Dataset(recipe(source=slide(paths[0]), target=slide(paths[1])))

    batch = data.batch(0, 1)
    judged = data.judge_tiles()
    data.close()

    assert data.rejected == datasets.TRIES
    assert batch.source.shape == (1, 64, 64, 3)
    assert len(judged.source)


def test_what_stands_in_for_damage_is_neither_learnt_from_nor_judged_by(tmp_path: Path) -> None:
    path = _tiled(tmp_path / "a.tif")
    with tifffile.TiffFile(path) as file:
        page = file.pages[0]
        broken = [(page.dataoffsets[n], page.databytecounts[n]) for n in (1, 6)]
    with path.open("r+b") as raw:
        for start, size in broken:
            raw.seek(start)
            raw.write(b"\xff" * size)
    left, right = (0, 0, 512, 768), (512, 0, 512, 768)
    source = slide(path, areas=(left,), split="train")
    source += slide(path, areas=(right,), split="validation")
    data = Dataset(recipe(pairing="paired", source=source, target=source))

    batch = data.batch(0, 60)
    judged = data.judge_tiles()
    shown = data.source_fields[0].read(256, 0, 64)
    data.close()

    assert (shown == 255).all()  # the stand-in
    assert batch.source.max() < 250
    assert judged.source.max() < 250


def test_a_slide_that_goes_away_is_named_and_never_learnt_from(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, other = _tiled(tmp_path / "a.tif"), write(tmp_path / "b.bmp", texture(700, 500, 2))
    data = Dataset(recipe(source=slide(path), target=slide(other)))
    data.batch(0, 1)

    def gone(*_: object) -> RgbImage:
        raise SlideError("No such file.")

    monkeypatch.setattr(TiffReader, "read", gone)

    with pytest.raises(SlideError, match=r"a\.tif is damaged or has gone away.* resume the run"):
        data.batch(1, 1)
    data.close()


def _tiled(path: Path) -> Path:
    tifffile.imwrite(
        path, texture(1024, 768, 1), tile=(256, 256), compression="deflate", photometric="rgb"
    )
    return path


def test_a_real_slide_out_of_focus_is_rejected_and_its_fat_and_mucus_are_not(data: Path) -> None:
    slides = Slides()
    reader = slides.open(str(data / "slides" / "melanosiscoli_HE.tiff"), 0.5)
    scale = working_scale(reader, 0.5)
    tiles = [scale.read(x, y, 160, 160) for x, y in PALE]
    slides.close()

    for tile in tiles:
        assert tile.mean() > 210  # as it was chosen: pale
        assert quality(tile) >= 1
        assert quality(_blurred(tile, 3)) < 1


PALE = ((5006, 2086), (5486, 2246), (4206, 7846), (4366, 7846))
"""Where 160 px of fat or mucus lie."""


def test_the_phantom_is_in_focus_and_blurred_it_is_not() -> None:
    slides = Slides()
    tile = slides.open("phantom:he:1024:3", None).read(256, 256, 0, 256, 256)
    slides.close()

    assert quality(tile) >= 1
    assert quality(_blurred(tile, 4)) < 1
    assert quality(np.full((64, 64, 3), 243, np.uint8)) < 1


def test_memory_does_not_grow_with_the_slide_or_with_what_is_drawn(
    monkeypatch: pytest.MonkeyPatch, pair: tuple[Path, Path]
) -> None:
    """Places of a slide of 40,000 px are drawn and read; reading gives noise, to be fast."""
    from stainapp.slides.phantom import PhantomSlide

    tile = texture(64, 64, 2)

    def read(self: object, x: int, y: int, level: int, width: int, height: int) -> RgbImage:
        return np.resize(tile, (height, width, 3))

    monkeypatch.setattr(PhantomSlide, "read", read)
    tracemalloc.start()
    data = Dataset(recipe(source=slide("phantom:he:40000:1"), target=slide(pair[1])))
    before, _ = tracemalloc.get_traced_memory()
    tracemalloc.reset_peak()
    for n in range(0, 1000, 4):
        data.batch(n, 4)
    after, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    data.close()

    assert before < 64e6
    assert after - before < 1e6
    assert peak - before < 8e6


def test_every_slide_is_closed_also_where_the_data_will_not_do(
    pair: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    closed: list[Slides] = []

    def close(self: Slides) -> None:
        closed.append(self)

    monkeypatch.setattr(Slides, "close", close)

    Dataset(asked(pair)).close()
    with pytest.raises(RecipeError, match=r"does not fit into a\.bmp"):
        Dataset(asked(pair, tile_px=512))

    assert len(closed) == 2


def test_too_little_tissue_is_said_with_figures(tmp_path: Path) -> None:
    path = slide_with_pieces(tmp_path / "a.bmp", [(200, 300, 60, 60), (700, 300, 60, 60)])

    with pytest.raises(RecipeError, match=r"tissue for \d tiles of 64 px .* and 8 are needed"):
        Dataset(recipe(source=slide(path), target=slide(path)))


@pytest.mark.parametrize(
    ("origin", "words"),
    [
        (Origin(slide="phantom:he:1024", mpp=0.9), "has 0.9 um/px, coarser than the recipe's 0.5"),
        (Origin(slide="phantom:he:512", mpp=0.5, pieces=(9,)), "pieces of tissue; change `pieces`"),
        (Origin(slide="/nowhere/a.svs"), r"/nowhere/a\.svs does not exist"),
        (Origin(folder="/nowhere"), "/nowhere is no folder that can be read"),
    ],
)
def test_an_origin_that_will_not_do_is_named(
    pair: tuple[Path, Path], origin: Origin, words: str
) -> None:
    with pytest.raises(RecipeError, match=words):
        Dataset(recipe(source=(origin,), target=slide(pair[1])))


def test_a_slide_without_scale_asks_for_it(pair: tuple[Path, Path]) -> None:
    with pytest.raises(RecipeError, match=r"a\.bmp does not say how large its pixels are"):
        Dataset(recipe(source=slide(pair[0], mpp=None), target=slide(pair[1])))


def _blurred(tile: RgbImage, sigma: float) -> RgbImage:
    return np.asarray(Image.fromarray(tile).filter(ImageFilter.GaussianBlur(sigma)))


def _some() -> dict[str, Any]:
    return {"source": slide("phantom:he"), "target": slide("phantom:pas")}
