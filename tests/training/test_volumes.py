"""Runs that learn from volumes: each chunk once an epoch, the same tiles whenever and whoever."""

import threading
from collections import Counter
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr

from stainapp.errors import RecipeError, SlideError
from stainapp.models.card import ModelCard
from stainapp.runs.folder import EventReader, RunFolder
from stainapp.runs.methods import MethodName
from stainapp.runs.recipe import Recipe
from stainapp.runs.recipe_data import Volumes
from stainapp.runs.recipe_file import located, portable, read_recipe, write_recipe
from tests.training.lives import Life, differences, is_step, last_checkpoint
from tests.training.volumes import CHUNK, SHAPE, ome, recipe, tissue, write_hdf5, write_zarr
from training.check import check
from training.held_blocks import HeldBlocks
from training.loop import setting_of
from training.prefetch import Prefetch
from training.processes import ALONE
from training.sources import open_tiles
from training.start import start
from training.volume_blocks import Block, Order
from training.volumes import VolumeDataset

GREY = (tissue(channels=1, seed=1).astype(np.uint16) + 300) * 4


@pytest.fixture
def pair(tmp_path: Path) -> tuple[str, str]:
    """A grey source of 16 bits and its stained target, of which every voxel is a little apart."""
    return write_zarr(tmp_path / "grey.zarr", GREY), write_zarr(tmp_path / "he.zarr", tissue())


class Counted:
    """Counts the chunks that are read of every Zarr array."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.reads: Counter[str] = Counter()
        get, lock = zarr.storage.LocalStore.get, threading.Lock()

        async def counted(store: Any, key: str, *rest: Any, **more: Any) -> Any:
            if "/c/" in f"/{key}":
                with lock:
                    self.reads[f"{store.root.name}/{key}"] += 1
            return await get(store, key, *rest, **more)

        monkeypatch.setattr(zarr.storage.LocalStore, "get", counted)


def chunks_of(block: Block, stores: tuple[str, ...]) -> list[str]:
    """Return the keys of all chunks that a block is made of."""
    ranges = [
        range(start // side, -(-stop // side))
        for start, stop, side in zip(block.start, block.stop, CHUNK, strict=True)
    ]
    return [
        f"{store}/c/{z}/{y}/{x}/0"
        for store in stores
        for z in ranges[0]
        for y in ranges[1]
        for x in ranges[2]
    ]


@pytest.mark.parametrize("pairing", ["paired", "unpaired"])
def test_an_epoch_reads_each_chunk_to_learn_from_exactly_once(
    pair: tuple[str, str], pairing: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    method: MethodName = "unet" if pairing == "paired" else "cyclegan"
    data = VolumeDataset(recipe(*pair, pairing=pairing, method=method, training={"batch": 2}))
    counted = Counted(monkeypatch)

    batches = Prefetch(data, 0, batch=2, rank=0, processes=1)
    ahead = 4 * 2  # what threads may have begun beyond the epoch
    for _ in range((data.epochs()[0] - ahead) // 2):
        batches.take()
    batches.close()
    data.close()

    stores = ("grey.zarr", "he.zarr")
    streams = [stores] if pairing == "paired" else [stores[:1], stores[1:]]
    of_epoch, of_next = Counter[str](), Counter[str]()
    for tiles, some in zip(data._tiles, streams, strict=True):
        blocks = tiles.blocks["train"]
        begun = tiles.order.group(tiles.order.epoch)  # is read ahead
        of_epoch.update(key for block in blocks for key in chunks_of(block, some))
        for n in tiles.order.members(begun):
            of_next.update(chunks_of(blocks[n], some))
    assert len(of_epoch) > 20
    assert set(of_epoch.values()) == {1}
    assert of_epoch <= counted.reads <= of_epoch + of_next
    assert (counted.reads - of_epoch).total() < len(of_epoch) / 2


def test_no_more_than_two_groups_are_held_and_each_block_is_read_once_an_epoch() -> None:
    order, slack = Order(20, 4, 6, (1,)), 8
    reads: list[int] = []
    held = HeldBlocks(lambda n: reads.append(n) or n, order, slack)  # type: ignore[func-returns-value]
    most = 0

    for number in range(2 * order.epoch):
        for back in (0, slack - 1):  # a thread that lags behind
            earlier = max(0, number - back)
            assert (
                held.group(earlier)[order.turn(earlier)]()
                == order.members(order.group(earlier))[order.turn(earlier)]
            )
        most = max(most, len(held._groups))
    held.close()

    assert most == 2
    begun = order.group(2 * order.epoch - 1) + 2
    assert reads == [n for group in range(begun) for n in order.members(group)][: len(reads)]
    assert len(reads) >= 40


def test_each_image_is_the_same_whoever_asks_and_whenever(pair: tuple[str, str]) -> None:
    wanted = recipe(*pair)
    one, other = VolumeDataset(wanted), VolumeDataset(wanted)
    with closing(one), closing(other):
        first = [one.batch(n, 2) for n in range(0, 40, 2)]

        for n in (38, 6, 20, 0):  # as when resumed, and out of order
            again = other.batch(n, 2)
            np.testing.assert_array_equal(again.source, first[n // 2].source)
            np.testing.assert_array_equal(again.target, first[n // 2].target)
        for a, b in zip(*(d.judge_tiles().source for d in (one, other)), strict=True):
            np.testing.assert_array_equal(a, b)
    assert len({batch.source.tobytes() for batch in first}) == len(first)


def test_pairs_are_cut_from_the_same_place(tmp_path: Path) -> None:
    values = tissue()
    source = write_zarr(tmp_path / "a.zarr", values)
    target = write_zarr(tmp_path / "b.zarr", 255 - values, chunk=(2, 32, 16))
    asked = recipe(source, target, training={"density_jitter": 0.0})

    with closing(VolumeDataset(asked)) as data:
        batch, judged = data.batch(0, 12), data.judge_tiles()

    np.testing.assert_array_equal(batch.source, 255 - batch.target)
    np.testing.assert_array_equal(judged.source, 255 - judged.target)


def test_what_is_judged_by_is_never_seen_in_learning_nor_is_what_lies_next_to_it(
    tmp_path: Path,
) -> None:
    values = tissue()
    number = np.arange(SHAPE[0], dtype=np.uint8)[:, None, None, None]
    values[:, ::2, ::2] = number  # the darkest of each slice
    address = write_zarr(tmp_path / "v.zarr", values)
    asked = recipe("", address, pairing="self", training={"density_jitter": 0.0})

    with closing(VolumeDataset(asked)) as data:
        learnt = {int(tile.min()) for n in range(0, 160, 8) for tile in data.batch(n, 8).target}
        judged = {int(tile.min()) for tile in data.judge_tiles().target}
        facts = data.facts()

    assert judged <= set(range(16, 24))
    assert learnt == set(range(12))
    assert facts["learnt_from"] == ["v.zarr, z 0-11 y 0-79 x 0-111"]
    assert facts["judged_by"] == ["v.zarr, z 16-23 y 0-79 x 0-111"]


def test_judged_tiles_lie_side_by_side_and_are_clustered_by_block(pair: tuple[str, str]) -> None:
    with closing(VolumeDataset(recipe(*pair, validation_tiles=18))) as data:
        judged = data.judge_tiles()

    assert len({tile.tobytes() for tile in judged.source}) == len(judged.source) == 18
    assert len(set(judged.source_fields)) > 3
    assert all(name.startswith("grey.zarr, block z ") for name in judged.source_fields)


def test_a_tile_of_glass_is_drawn_again_elsewhere_among_what_is_held(tmp_path: Path) -> None:
    values = tissue()
    values[:, :, :64] = 255
    address = write_zarr(tmp_path / "v.zarr", values)

    with closing(VolumeDataset(recipe("", address, pairing="self"))) as data:
        tiles = data.batch(0, 30).target
        fixed = data.judge_tiles().target

    assert all(tile.std() > 3 for tile in (*tiles, *fixed))


def test_a_volume_of_glass_alone_still_gives_tiles(tmp_path: Path) -> None:
    address = write_zarr(tmp_path / "v.zarr", np.full((*SHAPE, 3), 255, np.uint8))

    with closing(VolumeDataset(recipe("", address, pairing="self"))) as data:
        assert data.batch(0, 2).target.min() == 255
        assert len(data.judge_tiles().target) == 6


def test_sixteen_bits_become_eight_by_one_line_that_the_card_tells(pair: tuple[str, str]) -> None:
    volumes = Volumes(source_normalisation="minmax", sample_chunks=99, gap=4)

    with closing(VolumeDataset(recipe(*pair, volumes=volumes))) as data:
        said, tiles = data.facts()["grey_levels"], data.judge_tiles().source

    learnt = GREY[:12]
    assert said == {
        "grey.zarr": f"uint16, {learnt.min()} to {learnt.max()} made 0 to 255 (minmax)",
        "he.zarr": "uint8 as it is",
    }
    expected = (GREY.astype(float) - learnt.min()) * 255 / (learnt.max() - learnt.min())
    assert set(np.unique(tiles)) <= set(np.unique(np.rint(expected.clip(0, 255))).astype(int))
    assert (tiles[..., 0] == tiles[..., 2]).all()


@pytest.mark.parametrize("write", [write_zarr, write_hdf5])
def test_a_run_over_a_volume_killed_in_an_epoch_ends_as_one_left_alone(
    write: Any, tmp_path: Path
) -> None:
    source, target = write(tmp_path / "a", GREY), write(tmp_path / "b", tissue())
    asked = recipe(source, target, training={"images": 30, "checkpoint_every": 2})
    untouched, run = RunFolder(tmp_path / "untouched"), RunFolder(tmp_path / "run")
    assert Life(asked, untouched).end() == 0

    for number in range(3):
        life = Life(asked, run, resume=number > 0)
        for _ in range(3 + number):
            life.wait_for(is_step)
        life.process.kill()
        life.end()
    last = Life(asked, run, resume=True)

    assert last.end() == 0
    assert differences(last_checkpoint(run), last_checkpoint(untouched)) == []


def test_a_run_over_volumes_makes_a_model_that_can_be_judged_by_its_recipe(
    pair: tuple[str, str], tmp_path: Path
) -> None:
    asked, run = recipe(*pair), RunFolder(tmp_path / "run")

    start(asked, run, ALONE, resume=False, device="cpu")

    card = ModelCard.read(run.model / "small")
    assert card.training["split_by"] == "slab of chunks"
    assert "made 0 to 255 (percentile)" in card.training["grey_levels"]["grey.zarr"]
    assert "grey levels" in " ".join(card.limits)
    assert list(EventReader(run.events_file).new())[-1]["event"] == "done"
    assert any(row["subject"] == "model" for row in card.metrics)


def test_a_recipe_over_volumes_is_checked_without_learning(pair: tuple[str, str]) -> None:
    found = check(setting_of(recipe(*pair), ALONE, "cpu"))

    assert found.tiles == {"train": 12 * 2 * 3, "validation": 8 * 2 * 3}
    assert found.split == []


def changed(asked: Recipe, **data: Any) -> Recipe:
    return replace(asked, data=replace(asked.data, **data))


def refused(asked: Recipe) -> str:
    with pytest.raises(RecipeError) as caught:
        open_tiles(asked)
    sentence = str(caught.value)
    assert sentence.endswith(".")
    assert sentence.count(". ") == 0
    return sentence


def test_volumes_that_will_not_do_are_refused_in_one_sentence(
    pair: tuple[str, str], tmp_path: Path
) -> None:
    smaller = write_zarr(tmp_path / "smaller.zarr", tissue((24, 80, 96)))
    whole = write_zarr(tmp_path / "whole.zarr", tissue((8, 64, 64)), chunk=(8, 64, 64))
    asked = recipe(*pair)

    assert "are no pair in one frame" in refused(changed(asked, volume_target=smaller))
    assert "is grey, and what is learnt to draw has colour" in refused(
        changed(asked, volume_source=pair[1], volume_target=pair[0])
    )
    alone = changed(asked, pairing="self", volume_source="", volume_target=whole)
    assert "too few chunks to keep some apart" in refused(alone)
    assert "is smaller than data.validation_px, 128 px" in refused(
        changed(asked, validation_px=128)
    )
    plain = Volumes(source_normalisation="none")
    assert "holds uint16, which are no grey levels" in refused(changed(asked, volumes=plain))


def test_a_volume_of_another_scale_than_the_recipe_is_refused(tmp_path: Path) -> None:
    group = zarr.create_group(str(tmp_path / "image"))
    group.create_array("0", data=np.moveaxis(tissue(), 3, 0), chunks=(3, *CHUNK))
    group.attrs["ome"] = ome({"0": 0.25})

    assert "set model.mpp to 0.25" in refused(recipe("", str(tmp_path / "image"), pairing="self"))


def test_a_volume_of_one_value_is_no_picture(tmp_path: Path) -> None:
    flat = write_zarr(tmp_path / "flat.zarr", np.full((*SHAPE, 3), 7, np.uint16))
    none = write_zarr(tmp_path / "none.zarr", np.full((*SHAPE, 3), np.nan, np.float32))

    assert "holds nothing but 7 where" in refused(recipe("", flat, pairing="self"))
    assert "holds no finite number" in refused(recipe("", none, pairing="self"))


def test_a_chunk_damaged_during_a_run_stops_it_with_what_was_learnt_kept(
    pair: tuple[str, str], tmp_path: Path
) -> None:
    with closing(VolumeDataset(recipe(*pair))) as data:
        for chunk in (tmp_path / "grey.zarr" / "c").rglob("*"):
            if chunk.is_file():
                chunk.write_bytes(b"no chunk")

        with pytest.raises(SlideError, match="is damaged or has gone away"):
            data.batch(0, 1)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ({"pairing": "self"}, 'with pairing "self" volume_target alone'),
        ({"volume_source": ""}, "volumes are volume_source and volume_target"),
        ({"volume_target": ""}, "volume_target is missing"),
        ({"volume_target": "a.zarr"}, "are the same"),
        ({"npz": "x.npz"}, "it names npz, volumes"),
        ({"swap": True}, "swap is for files"),
        ({"volumes": Volumes(chunks_held=0)}, "data.volumes: chunks_held cannot be 0"),
        ({"volumes": Volumes(percentiles=(60.0, 40.0))}, r"percentiles cannot be \[60.0, 40.0\]"),
        ({"volumes": Volumes(gap=-1)}, "gap cannot be -1"),
        ({"volumes": Volumes(sample_chunks=0)}, "sample_chunks cannot be 0"),
        ({"volumes": Volumes(tiles_per_chunk=-1)}, "tiles_per_chunk cannot be -1"),
    ],
)
def test_a_recipe_that_contradicts_itself_on_volumes_is_refused(
    data: dict[str, Any], words: str
) -> None:
    asked = recipe("a.zarr", "b.zarr")

    with pytest.raises(RecipeError, match=words):
        changed(asked, **data)


def test_volumes_are_found_and_told_by_file_and_dataset(
    pair: tuple[str, str], tmp_path: Path
) -> None:
    inside = write_zarr(tmp_path / "both.zarr", tissue(), name="stains/he")
    asked = recipe("grey.zarr", "both.zarr::stains/he")

    found = located(asked, tmp_path)
    write_recipe(found, tmp_path / "recipe.toml")

    assert (found.data.volume_source, found.data.volume_target) == (pair[0], inside)
    assert portable(found) == asked
    assert read_recipe(tmp_path / "recipe.toml") == found
