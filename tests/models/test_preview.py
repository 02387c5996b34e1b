import numpy as np

from stainapp.models.preview import PreviewSlide, fit_lut
from tests.models.factories import ArraySlide, tissue_image


def test_the_preview_follows_a_smooth_colour_map_closely() -> None:
    image = tissue_image(600, 500)
    target = (image[..., [2, 0, 1]] * 0.8 + 20).astype(np.uint8)
    slide = ArraySlide(image)

    shown = PreviewSlide(slide, fit_lut(image, target)).read(100, 100, 0, 400, 300)

    assert np.abs(shown.astype(int) - target[100:400, 100:500])[..., :].mean() < 3


def test_a_preview_of_nothing_changed_is_the_slide() -> None:
    image = tissue_image(300, 300)

    shown = PreviewSlide(ArraySlide(image), fit_lut(image, image)).read(0, 0, 0, 300, 300)

    assert np.abs(shown.astype(int) - image).max() <= 1


def test_colours_never_seen_change_like_those_nearby() -> None:
    seen = np.full((50, 50, 3), (180, 90, 140), np.uint8)
    lut = fit_lut(seen, seen - np.array([40, 0, 0], np.uint8))
    near = ArraySlide(np.full((8, 8, 3), (150, 100, 130), np.uint8))

    shown = PreviewSlide(near, lut).read(0, 0, 0, 8, 8)

    assert 95 <= int(shown[0, 0, 0]) <= 130
    assert abs(int(shown[0, 0, 1]) - 100) <= 2


def test_white_and_glass_stay_as_they_are() -> None:
    tissue = tissue_image(300, 300)
    lut = fit_lut(tissue, 255 - tissue, kept=(244, 243, 240))
    slide = ArraySlide(np.full((8, 8, 3), (244, 243, 240), np.uint8))

    preview = PreviewSlide(slide, lut)

    assert np.abs(preview.read(0, 0, 0, 8, 8)[0, 0].astype(int) - (244, 243, 240)).max() <= 2
    assert (preview.read(100, 100, 0, 4, 4) == 255).all()


def test_previews_of_different_tables_have_different_identities() -> None:
    image = tissue_image(200, 200)
    slide = ArraySlide(image)

    one = PreviewSlide(slide, fit_lut(image, image)).info
    other = PreviewSlide(slide, fit_lut(image, 255 - image)).info

    assert len({slide.info.identity, one.identity, other.identity}) == 3
    assert one.levels == slide.info.levels
