from concurrent.futures import ThreadPoolExecutor

import numpy as np

from stainapp.geometry import Rect
from stainapp.slides.damage import DamageTolerant
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


def test_added_levels_lose_only_the_damaged_cell() -> None:
    source = ArraySlide(np.zeros((4096, 4096, 3), np.uint8))
    source.broken = within(300, 300)
    slide = with_levels(DamageTolerant(source))

    coarse = slide.read(0, 0, 1, 1024, 1024)

    assert (coarse[64:128, 64:128] == 255).all()
    coarse[64:128, 64:128] = 0
    assert not coarse.any()
    assert slide.damaged == (Rect(256, 256, 256, 256),)
