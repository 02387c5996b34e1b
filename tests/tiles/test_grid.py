from pathlib import Path

import pytest

from stainapp.geometry import Rect
from stainapp.slides.reader import Level, SlideInfo
from stainapp.tiles.grid import TileGrid, TileKey, View


def make_grid(*downsamples: float, width: int = 40_000, height: int = 30_000) -> TileGrid:
    levels = tuple(Level(int(width / d), int(height / d), d) for d in downsamples)
    return TileGrid(SlideInfo(Path("a.svs"), "fake", levels, "a"))


def test_halvings_fill_in_between_the_levels_of_the_file() -> None:
    grid = make_grid(1.0, 4.0, 16.0)

    assert [step.downsample for step in grid.steps[:5]] == [1, 2, 4, 8, 16]
    assert [step.level for step in grid.steps[:5]] == [0, 0, 1, 1, 2]


def test_steps_end_with_the_whole_slide_in_about_one_tile() -> None:
    grid = make_grid(1.0, 4.0, 16.0)

    coarsest = grid.steps[-1]
    assert max(coarsest.width_px, coarsest.height_px) <= 1.1 * grid.tile_px


def test_a_step_never_reads_more_than_eight_pixels_across_for_one() -> None:
    grid = make_grid(1.0)

    assert max(step.reduction for step in grid.steps) == 8


def test_each_screen_pixel_has_a_pixel_and_less_than_two_across() -> None:
    grid = make_grid(1.0, 4.0, 16.0)

    for zoom in (1.0, 0.9, 0.5, 0.3, 0.26, 0.25, 0.1, 0.07):
        step = grid.steps[grid.level_for_zoom(zoom)]
        assert 0.5 < step.downsample * zoom <= 1.001


def test_a_screen_of_twice_the_pixels_gets_a_finer_level() -> None:
    grid = make_grid(1.0, 4.0)

    assert grid.level_for_zoom(0.25 * 2) < grid.level_for_zoom(0.25)


def test_the_central_tile_comes_first_and_the_farthest_last() -> None:
    grid = make_grid(1.0)

    keys = grid.tiles_in_view(View(2816, 2304, 2000, 1500), 0)

    assert keys[0] == TileKey(0, 5, 4)
    away = [
        (grid.rect(key).centre[0] - 2816) ** 2 + (grid.rect(key).centre[1] - 2304) ** 2
        for key in keys
    ]
    assert away == sorted(away)


def test_tiles_cover_the_view_and_nothing_outside_the_slide() -> None:
    grid = make_grid(1.0)

    keys = grid.tiles_in_view(View(0, 0, 3000, 3000), 0)

    assert {(key.column, key.row) for key in keys} == {(c, r) for c in range(3) for r in range(3)}


def test_a_view_off_the_slide_needs_no_tile() -> None:
    assert make_grid(1.0).tiles_in_view(View(-5000, -5000, 100, 100), 0) == []


def test_a_turned_view_leaves_out_the_corners_of_its_bounds() -> None:
    grid = make_grid(1.0)
    view = View(10_000, 10_000, 8000, 800, rotation=45)

    keys = set(grid.tiles_in_view(view, 0))

    assert len(keys) < len(grid.tiles_over(view.bounds, 0)) / 2
    assert set(grid.tiles_over(Rect(10_000, 10_000, 1, 1), 0)) <= keys


def test_a_quarter_turn_swaps_the_sides_of_the_view() -> None:
    bounds = View(0, 0, 400, 100, rotation=90).bounds

    assert (bounds.width, bounds.height) == pytest.approx((100, 400))


def test_edge_tiles_end_with_the_slide() -> None:
    grid = make_grid(1.0, width=1000, height=600)

    assert grid.rect(TileKey(0, 1, 1)) == Rect(512, 512, 488, 88)


def test_uneven_downsamples_of_real_files_put_no_tile_beyond_the_last() -> None:
    grid = make_grid(1.0, 15.9995, width=512 * 16 * 3, height=512 * 16)
    level = next(i for i, step in enumerate(grid.steps) if step.level == 1)

    keys = grid.tiles_over(grid.slide, level)

    assert all(not grid.rect(key).empty for key in keys)
