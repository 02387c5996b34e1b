import logging
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from stainapp.geometry import Rect
from stainapp.slides.damage import CELL_PX, BadCells, DamageTolerant
from stainapp.slides.pyramid import with_levels
from tests.slides.fakes import ArraySlide, noise, smooth, within


def test_a_sound_slide_is_read_in_one_go() -> None:
    source = ArraySlide(noise(1000, 600))
    slide = DamageTolerant(source)

    slide.read(10, 20, 0, 700, 500)

    assert source.reads == [(10, 20, 0, 700, 500)]
    assert slide.damaged == ()


def test_a_damaged_cell_is_shown_from_the_next_level_and_the_rest_is_exact() -> None:
    fine = smooth(1024, 1024)
    source = ArraySlide(fine, fine[2::4, 2::4])
    source.broken = within(300, 300)
    slide = DamageTolerant(source)

    region = slide.read(0, 0, 0, 1024, 1024)

    assert slide.damaged == (Rect(256, 256, 256, 256),)
    off = np.abs(region.astype(int) - fine).max(axis=2)
    assert off[256:512, 256:512].max() <= 3
    off[256:512, 256:512] = 0
    assert off.max() == 0


def test_a_known_bad_cell_is_not_tried_again_nor_listed_twice() -> None:
    source = ArraySlide(noise(1024, 1024))
    source.broken = within(300, 300)
    slide = DamageTolerant(source)
    slide.read(0, 0, 0, 1024, 1024)
    source.reads.clear()

    slide.read(200, 200, 0, 400, 400)

    assert (256, 256, 0, 256, 256) not in source.reads
    assert (200, 200, 0, 400, 400) not in source.reads
    assert len(slide.damaged) == 1


def test_damage_without_a_coarser_level_is_white() -> None:
    source = ArraySlide(np.zeros((300, 300, 3), np.uint8))
    source.broken = within(0, 0)
    slide = DamageTolerant(source)

    region = slide.read(0, 0, 0, 300, 300)

    assert (region[:256, :256] == 255).all()
    assert (region[256:] == 0).all()


def test_damage_met_by_many_threads_is_listed_once() -> None:
    source = ArraySlide(noise(1024, 1024))
    source.broken = within(300, 300)
    slide = DamageTolerant(source)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda x: slide.read(x, 200, 0, 300, 300), range(0, 320, 10)))

    assert slide.damaged == (Rect(256, 256, 256, 256),)


def test_a_slide_cut_short_has_few_damaged_regions_that_end_where_it_does() -> None:
    source = ArraySlide(noise(1000, 1100))
    cut = (Rect(512, 256, 488, 256), Rect(0, 512, 1000, 588))  # from the third tile of a row on
    source.broken = lambda _level, rect: any(not rect.intersected(one).empty for one in cut)
    slide = DamageTolerant(source)

    slide.read(0, 0, 0, 1000, 1100)

    assert slide.damaged == cut
    assert slide.bad_cells == 2 + 3 * 4


def test_damage_of_a_coarse_level_is_told_in_level_0_pixels() -> None:
    source = ArraySlide(noise(2400, 2400), noise(600, 600))
    source.broken = lambda level, _rect: level == 1
    slide = DamageTolerant(source)

    slide.read(0, 0, 1, 600, 600)

    assert slide.damaged == (Rect(0, 0, 2400, 2400),)


def test_regions_grow_with_what_is_found() -> None:
    source = ArraySlide(noise(1024, 256))
    source.broken = lambda _level, rect: rect.x < 512
    slide = DamageTolerant(source)

    found = []
    for x in (0, 600, 256):
        slide.read(x, 0, 0, 100, 100)
        found.append(slide.damaged)

    assert found == [(Rect(0, 0, 256, 256),)] * 2 + [(Rect(0, 0, 512, 256),)]


@pytest.mark.parametrize("share", [0.05, 0.5, 0.95])
def test_blocks_cover_every_bad_cell_once_and_no_other(share: float) -> None:
    expected = np.random.default_rng(3).random((30, 40)) < share
    cells, shuffled = BadCells(), np.random.default_rng(4).permutation(np.argwhere(expected))
    for row, column in shuffled.tolist():
        cells.add(column, row)
        cells.blocks()  # asked for at any time

    covered = np.zeros(expected.shape, int)
    for columns, rows in cells.blocks():
        covered[rows.start : rows.stop, columns.start : columns.stop] += 1

    assert np.array_equal(covered, expected)
    assert len(cells) == expected.sum()


def test_the_log_warns_of_a_damaged_slide_once(caplog: pytest.LogCaptureFixture) -> None:
    source = ArraySlide(noise(4 * CELL_PX, CELL_PX))
    source.broken = lambda _level, _rect: True
    slide = DamageTolerant(source)

    with caplog.at_level(logging.INFO):
        slide.read(0, 0, 0, 300, 100)
        slide.read(600, 0, 0, 300, 100)

    assert [record.getMessage() for record in caplog.records] == [
        "made: damaged; stand-ins are shown"
    ]


def test_added_levels_lose_only_the_damaged_cell() -> None:
    source = ArraySlide(np.zeros((4096, 4096, 3), np.uint8))
    source.broken = within(300, 300)
    slide = with_levels(DamageTolerant(source))

    coarse = slide.read(0, 0, 1, 1024, 1024)

    assert (coarse[64:128, 64:128] == 255).all()
    coarse[64:128, 64:128] = 0
    assert not coarse.any()
    assert slide.damaged == (Rect(256, 256, 256, 256),)
