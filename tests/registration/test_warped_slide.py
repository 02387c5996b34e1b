from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from stainapp.registration import warped_slide
from stainapp.registration.grid import Grid
from stainapp.registration.transform import Transform
from stainapp.registration.warped_slide import WarpedSlide
from stainapp.slides.reader import RgbImage
from tests.registration.frames import bent, info, turned, two_pieces
from tests.slides.fakes import ArraySlide, smooth

WIDTH, HEIGHT = 1200, 900


def slide(width: int = WIDTH, height: int = HEIGHT) -> ArraySlide:
    """Return gradients with a chequer on them, in two levels."""
    image = smooth(width, height).astype(np.int16)
    y, x = np.indices((height, width)) // 50
    image += (((x + y) % 2) * 40 - 20)[..., None].astype(np.int16)
    fine = image.clip(0, 255).astype(np.uint8)
    coarse = np.asarray(Image.fromarray(fine).reduce(4))
    return ArraySlide(fine, coarse)


def warped(transform: Transform) -> WarpedSlide:
    return WarpedSlide(slide(), transform, info(WIDTH, HEIGHT))


def whole(reader: WarpedSlide, level: int) -> RgbImage:
    size = reader.info.levels[level]
    return reader.read(0, 0, level, size.width_px, size.height_px)


def maps() -> dict[str, Transform]:
    plain = Transform.identity(info(WIDTH, HEIGHT), info(WIDTH, HEIGHT))
    return {
        "turned": replace(plain, pieces=(turned(40.9, (500.0, -200.0), 1.04),)),
        "mirrored and bent": bent(
            replace(plain, pieces=(turned(0, (WIDTH, 0.0)) * np.array([[-1.0, 1, 1], [1, 1, 1]]),))
        ),
        "two pieces": bent(two_pieces(info(WIDTH, HEIGHT), info(WIDTH, HEIGHT)), 5.0),
    }


@pytest.mark.parametrize("level", [0, 1])
def test_a_slide_laid_on_itself_is_itself(level: int) -> None:
    plain = Transform.identity(info(WIDTH, HEIGHT), info(WIDTH, HEIGHT))
    source = slide()
    size = source.info.levels[level]

    shown = whole(warped(plain), level)

    assert np.array_equal(shown, source.read(0, 0, level, size.width_px, size.height_px))


def wild(transform: Transform) -> Transform:
    """Bend a transform so that each node of its field goes its own way."""
    field = Grid.covering(WIDTH, HEIGHT, 37.3, 2)
    values = np.random.default_rng(1).uniform(-9, 9, field.values.shape).astype(np.float32)
    return replace(transform, field=Grid(values, 37.3))


def ramps(width: int, height: int, steepness: int) -> RgbImage:
    """Return an image that says where it was taken: x in red, y in green, up and down again."""
    y, x = np.indices((height, width))
    rise = [np.abs(v % 30 - 15) * steepness for v in (x, y)]
    return np.stack([*rise, np.zeros_like(x)], axis=2).astype(np.uint8)


@pytest.mark.parametrize("name", maps())
@pytest.mark.parametrize("level", [0, 1])
def test_a_pixel_is_the_same_however_the_slide_is_cut(name: str, level: int) -> None:
    full = whole(warped(maps()[name]), level)
    height, width = full.shape[:2]
    rng = np.random.default_rng(4)
    corners = rng.integers(0, (width - 1, height - 1), (12, 2)).tolist()
    parts = [(x, y, *rng.integers(1, (width - x, height - y)).tolist()) for x, y in corners]
    reader = warped(maps()[name])  # has not seen the whole
    d = int(reader.info.levels[level].downsample)

    for x, y, w, h in [(0, 0, 256, 170), (101, 57, 90, 110), (33, 160, 200, 1), *parts]:
        part = reader.read(x * d, y * d, level, w, h)
        assert np.array_equal(part, full[y : y + h, x : x + w])


@pytest.mark.parametrize("name", maps())
def test_a_pixel_is_the_same_where_nothing_can_be_remembered(name: str) -> None:
    kept, forgotten = (
        warped(maps()[name]),
        WarpedSlide(slide(), maps()[name], info(WIDTH, HEIGHT), cache_bytes=1),
    )

    whole(kept, 0)

    assert np.array_equal(kept.read(90, 80, 0, 400, 300), forgotten.read(90, 80, 0, 400, 300))


@pytest.mark.parametrize("level", [0, 1])
@pytest.mark.parametrize("name", ["turned", "mirrored and bent"])
@pytest.mark.parametrize("bend", [lambda transform: transform, wild])
def test_pixels_are_interpolated_within_a_sixteenth_of_their_place(
    name: str, level: int, bend: Callable[[Transform], Transform]
) -> None:
    steepness, transform = 16, bend(maps()[name])
    source = ArraySlide(ramps(WIDTH, HEIGHT, steepness), ramps(WIDTH // 4, HEIGHT // 4, steepness))
    reader = WarpedSlide(source, transform, info(WIDTH, HEIGHT))
    shown, d = whole(reader, level), reader.info.levels[level].downsample
    height, width = shown.shape[:2]
    places = np.random.default_rng(2).integers(0, (width, height), (5000, 2))

    there = transform.to_moving(d * (places.astype(np.float64) + 0.5)) / d - 0.5
    inside = ((there > 1) & (there < np.array([WIDTH, HEIGHT]) / d - 2)).all(axis=1)
    expected = steepness * np.abs(there[inside] % 30 - 15)
    found = shown[places[inside, 1], places[inside, 0], :2]

    assert inside.sum() > 1000
    assert np.abs(found - expected).max() < steepness / 16 + 0.5  # and half a level of rounding


def test_many_threads_at_once_see_what_one_sees() -> None:
    transform = maps()["two pieces"]
    full, reader = whole(warped(transform), 0), warped(transform)
    corners = [(x, y) for y in range(0, HEIGHT - 200, 110) for x in range(0, WIDTH - 200, 130)]

    with ThreadPoolExecutor(6) as pool:
        parts = pool.map(lambda at: reader.read(at[0], at[1], 0, 200, 200), corners)
        for (x, y), part in zip(corners, parts, strict=True):
            assert np.array_equal(part, full[y : y + 200, x : x + 200])


def test_a_level_hardly_coarser_is_taken_in_place_of_one_four_times_as_fine() -> None:
    source = slide()
    plain = Transform.identity(info(WIDTH, HEIGHT), info(WIDTH, HEIGHT))
    larger = replace(plain, pieces=(turned(0, (0.0, 0.0), 0.95),))

    whole(WarpedSlide(source, larger, info(WIDTH, HEIGHT)), 1)

    assert {level for _, _, level, _, _ in source.reads} == {1}


def test_each_tile_of_the_moving_slide_is_read_once_in_a_pan() -> None:
    source = slide()
    reader = WarpedSlide(source, maps()["turned"], info(WIDTH, HEIGHT))

    for x in range(0, WIDTH - 300, 100):
        reader.read(x, 200, 0, 300, 300)

    assert len(set(source.reads)) == len(source.reads) > 1


@pytest.mark.parametrize("name", maps())
def test_pixels_come_from_where_the_transform_says(name: str) -> None:
    transform, source = maps()[name], slide()
    shown, pixels = whole(warped(transform), 0), source.read(0, 0, 0, WIDTH, HEIGHT)
    rng = np.random.default_rng(3)
    places = np.stack([rng.integers(20, WIDTH - 20, 400), rng.integers(20, HEIGHT - 20, 400)], 1)
    points = places.astype(np.float64) + 0.5
    there = transform.to_moving(points)
    x, y = np.floor(there).astype(int).T
    inside = (x > 2) & (x < WIDTH - 3) & (y > 2) & (y < HEIGHT - 3)
    inside &= transform.moving_piece(there) == transform.fixed_piece(points)
    around = np.stack(
        [pixels[y[inside] + j, x[inside] + i] for i in (-1, 0, 1) for j in (-1, 0, 1)]
    )

    found = shown[places[inside, 1], places[inside, 0]]

    fits = (found >= around.min(0) - 1) & (found <= around.max(0) + 1)
    assert inside.sum() > 100
    assert fits.all(axis=1).mean() > 0.99  # where pieces meet, squares of 4 px belong to one


def test_what_lies_outside_either_slide_is_white() -> None:
    plain = Transform.identity(info(WIDTH, HEIGHT), info(WIDTH, HEIGHT))
    reader = warped(replace(plain, pieces=(turned(0, (-300.0, 0.0)),)))

    left = reader.read(0, 0, 0, 290, 100)
    outside = reader.read(WIDTH, HEIGHT, 0, 50, 40)

    assert (left == 255).all()
    assert outside.shape == (40, 50, 3)
    assert (outside == 255).all()
    assert not (reader.read(320, 0, 0, 100, 100) == 255).all()


def test_a_field_that_leads_far_off_the_slide_reads_no_more_than_the_slide() -> None:
    source, transform = slide(), wild(maps()["turned"])
    assert transform.field is not None
    transform.field.values[3, 4] = 1e6
    reader = WarpedSlide(source, transform, info(WIDTH, HEIGHT))

    whole(reader, 0)

    assert sum(width * height for *_, width, height in source.reads) <= WIDTH * HEIGHT


def test_where_a_map_is_torn_nothing_is_shown_rather_than_all_memory_taken(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    sound, torn = wild(maps()["turned"]), wild(maps()["turned"])
    assert torn.field is not None
    torn.field.values[2, 2] = 1e6
    monkeypatch.setattr(warped_slide, "LARGEST_BLOCK", 500 * 500)

    shown = whole(warped(torn), 0)

    assert (shown[:256, :256] == 255).all()
    assert np.array_equal(shown[256:, 256:], whole(warped(sound), 0)[256:, 256:])


def test_another_piece_of_the_moving_slide_is_no_match_and_not_shown() -> None:
    fixed = info(WIDTH, HEIGHT)
    transform = two_pieces(fixed, fixed)
    apart = replace(transform, pieces=(turned(0, (WIDTH / 2, 0.0)), transform.pieces[1]))
    reader = warped(apart)

    assert (reader.read(0, 0, 0, 500, 400) == 255).all()


def test_a_finer_slide_is_averaged_and_not_skipped() -> None:
    fixed = info(300, 225)
    fine = slide()
    scale = turned(0, (0.0, 0.0), 4.0)
    reader = WarpedSlide(
        ArraySlide(fine.read(0, 0, 0, WIDTH, HEIGHT)),  # one level: nothing coarse to take
        replace(Transform.identity(fixed, fine.info), pieces=(scale,)),
        fixed,
    )

    shown = reader.read(0, 0, 0, 300, 225)

    expected = np.asarray(Image.fromarray(fine.read(0, 0, 0, WIDTH, HEIGHT)).reduce(4))
    assert np.abs(shown.astype(int) - expected).max() <= 1


def test_it_has_the_fixed_slides_frame_and_an_identity_of_its_own() -> None:
    transforms = list(maps().values())
    one, other = warped(transforms[0]), warped(transforms[1])

    assert one.info.levels == info(WIDTH, HEIGHT).levels
    assert one.info.mpp == info(WIDTH, HEIGHT).mpp
    assert len({one.info.identity, other.info.identity, slide().info.identity}) == 3
