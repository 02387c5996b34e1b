"""A slide is looked over once, whatever models it is shown to."""

import numpy as np

from stainapp.models.calibration import calibrate_slide, quick_preview
from stainapp.models.survey import adopt, survey
from tests.models.factories import ArraySlide, FakeStainer, tissue_image


def overviews(source: ArraySlide) -> int:
    whole = {(level.width_px, level.height_px) for level in source.info.levels}
    return sum(read[3:] in whole for read in source.reads)


def test_a_preview_and_calibrations_share_one_look_at_the_slide() -> None:
    source = ArraySlide(tissue_image())

    quick_preview(source, FakeStainer())
    calibrate_slide(source, FakeStainer())
    calibrate_slide(source, FakeStainer(background="pass"))

    assert overviews(source) == 1


def test_what_is_made_from_a_slide_is_not_looked_over_again() -> None:
    source, made = ArraySlide(tissue_image()), ArraySlide(tissue_image())

    adopt(made, source)
    calibrate_slide(made, FakeStainer())

    assert overviews(made) == 0
    assert survey(made) is survey(source)


def test_two_slides_of_one_name_are_not_confused() -> None:
    tissue, blank = ArraySlide(tissue_image()), ArraySlide(np.full((900, 900, 3), 250, np.uint8))

    found = [survey(slide).tissue(4, 64, 0.5) for slide in (tissue, blank)]

    assert len(found[0]) == 4
    assert found[1] == []


def test_glass_is_white_where_there_is_too_little_to_judge_by() -> None:
    image = np.full((800, 800, 3), (150, 60, 120), np.uint8)
    image[:20, :20] = 230

    assert survey(ArraySlide(image)).glass == (255, 255, 255)
