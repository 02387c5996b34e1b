from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

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


@pytest.mark.parametrize("name", maps())
@pytest.mark.parametrize("level", [0, 1])
def test_a_pixel_is_the_same_however_the_slide_is_cut(name: str, level: int) -> None:
    reader = warped(maps()[name])
    d = int(reader.info.levels[level].downsample)
    full = whole(reader, level)

    for x, y, width, height in [(0, 0, 256, 170), (101, 57, 90, 110), (33, 160, 200, 1)]:
        part = reader.read(x * d, y * d, level, width, height)
        assert np.array_equal(part, full[y : y + height, x : x + width])


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
