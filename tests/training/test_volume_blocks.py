"""How a volume is parted, and in which order its chunks are learnt from."""

from collections import Counter
from itertools import product

import numpy as np
import pytest

from training.volume_blocks import Block, Order, parted

SHAPES = [(24, 80, 112), (7, 33, 65), (1, 200, 130), (40, 64, 64), (3, 96, 300)]


def covered(blocks: list[Block], shape: tuple[int, int, int]) -> np.ndarray:
    """Return how many blocks hold each voxel."""
    counts = np.zeros(shape, int)
    for block in blocks:
        counts[block.box] += 1
    return counts


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("chunk", [(4, 32, 32), (1, 16, 24), (2, 64, 8)])
def test_blocks_hold_whole_chunks_once_with_room_for_a_tile_and_a_gap_between_the_splits(
    shape: tuple[int, int, int], chunk: tuple[int, int, int]
) -> None:
    side, gap = 32, 3

    found = parted(shape, chunk, side, 0.2, gap)

    if found is None:  # then no axis has three rows of blocks
        steps = (chunk[0], *(c * -(-side // c) for c in chunk[1:]))
        assert all(
            length < 2 * step + gap + side for length, step in zip(shape, steps, strict=True)
        )
        return
    learnt, judged = found["train"], found["validation"]
    counts = covered(learnt + judged, shape)
    assert counts.max() == 1
    for block in learnt + judged:
        assert min(block.size[1:]) >= side
        for axis in range(3):
            assert block.start[axis] % chunk[axis] == 0
            assert block.stop[axis] % chunk[axis] == 0 or block.stop[axis] == shape[axis]
    between = [
        axis for axis in range(3)
        if max(b.stop[axis] for b in learnt) + gap <= min(b.start[axis] for b in judged)
    ]  # fmt: skip
    assert len(between) == 1
    assert covered(judged, shape).mean() >= 0.2 * 0.999
    lost = 1 - counts.mean()
    assert lost < (gap + 2 * chunk[between[0]] + 2 * side * (between[0] > 0)) / shape[between[0]]


def test_the_last_slices_are_judged_by_where_there_are_enough() -> None:
    found = parted((30, 64, 64), (5, 32, 32), 32, 0.2, 6)

    assert found is not None
    assert {block.start[0] for block in found["validation"]} == {20, 25}
    assert {block.stop[0] for block in found["train"]} == {5, 10}


def test_a_volume_of_one_chunk_cannot_be_parted() -> None:
    assert parted((16, 64, 64), (16, 64, 64), 32, 0.2, 1) is None


@pytest.mark.parametrize(("blocks", "held", "tiles"), [(7, 3, 4), (6, 3, 1), (5, 8, 3), (1, 1, 2)])
def test_each_block_gives_its_tiles_in_one_stretch_of_each_epoch(
    blocks: int, held: int, tiles: int
) -> None:
    order = Order(blocks, held, tiles, (3, 2))

    for epoch in range(3):
        numbers = range(epoch * order.epoch, (epoch + 1) * order.epoch)
        groups = [order.group(number) for number in numbers]
        own = [order.members(order.group(n))[order.turn(n)] for n in numbers]
        assert groups == sorted(groups)
        assert Counter(own) == dict.fromkeys(range(blocks), tiles)
        members = [one for group in dict.fromkeys(groups) for one in order.members(group)]
        assert sorted(members) == list(range(blocks))
        assert all(order.first(group) == numbers[groups.index(group)] for group in set(groups))


def test_the_blocks_of_a_group_take_turns() -> None:
    order = Order(12, 4, 5, (0,))

    for start in range(0, order.epoch, 4):
        assert sorted(order.turn(n) for n in range(start, start + 4)) == [0, 1, 2, 3]


def test_the_order_is_a_function_of_seed_and_epoch() -> None:
    def drawn(seed: int, epoch: int) -> list[int]:
        order = Order(20, 4, 2, (seed,))
        numbers = range(epoch * order.epoch, (epoch + 1) * order.epoch)
        return [order.members(order.group(n))[order.turn(n)] for n in numbers]

    assert drawn(1, 0) == drawn(1, 0)
    orders = {tuple(drawn(seed, epoch)) for seed, epoch in product((1, 2), range(3))}
    assert len(orders) == 6
