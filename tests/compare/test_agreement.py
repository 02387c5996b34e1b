"""Agreement of nuclei on label images small enough to count by hand."""

import numpy as np
import pytest

from stainapp.compare.agreement import Agreement, agreement
from stainapp.compare.nuclei import Labels


def labels(*rows: str) -> Labels:
    """Draw a label image: one digit a pixel, a dot for none."""
    return np.array([[0 if one == "." else int(one) for one in row] for row in rows], np.int32)


def test_the_jaccard_index_counts_what_is_missed_and_what_is_made_up() -> None:
    truth = labels("11..22", "11..22", "......")
    found = labels(".11...", ".11...", "...44.")

    # 1 meets its partner in 2 of 6 px; 2 is missed (4 px) and 4 is made up (2 px).
    assert agreement(truth, found, 1).aji == pytest.approx(2 / (6 + 4 + 2))


def test_two_nuclei_found_as_one_keep_their_dice_and_lose_half_their_jaccard_index() -> None:
    truth = labels("1122", "1122")
    merged = labels("7777", "7777")

    found = agreement(truth, merged, 1)

    assert found.dice == 1
    assert found.aji == pytest.approx((4 + 4) / (8 + 8))


def test_one_nucleus_found_as_two_is_blamed_for_the_part_that_is_left_over() -> None:
    truth = labels("1111", "1111")
    split = labels("1112", "1112")

    # The larger part fits best: 6 of 8 px; the smaller is nobody's: 2 px.
    assert agreement(truth, split, 1).aji == pytest.approx(6 / (8 + 2))


def test_equal_labels_agree_whatever_their_numbers_are() -> None:
    truth = labels("11.22", "11.22")

    found = agreement(truth, np.where(truth > 0, truth * 100_000_000, 0).astype(np.int32), 1)

    assert (found.f1, found.dice, found.aji) == (1, 1, 1)


def test_without_background_every_pixel_is_in_a_nucleus() -> None:
    found = agreement(labels("12", "12"), labels("12", "12"), 1)

    assert (found.shared_px, found.inside_px) == (4, 8)
    assert found.aji == 1


def test_fields_add_up_by_their_counts() -> None:
    one = agreement(labels("11.."), labels("11.."), 1)
    other = agreement(labels("11.."), labels("...."), 1)

    both = one + other

    assert isinstance(both, Agreement)
    assert (both.f1, both.dice, both.aji) == (2 / 3, 2 / 3, 1 / 2)
