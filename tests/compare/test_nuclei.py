import numpy as np
import pytest
from PIL import Image

from stainapp.compare.agreement import agreement, centres
from stainapp.compare.nuclei import STAINS, nuclei
from stainapp.errors import StainAppError
from stainapp.slides.phantom import PhantomSlide
from tests.compare.tissue import CORNER, MPP, field


def discs(
    places: list[tuple[int, int]], side: int = 100
) -> np.ndarray[tuple[int, int], np.dtype[np.int32]]:
    rows, columns = np.indices((side, side))
    labels = np.zeros((side, side), np.int32)
    for number, (row, column) in enumerate(places, 1):
        labels[(rows - row) ** 2 + (columns - column) ** 2 <= 25] = number
    return labels


@pytest.mark.parametrize("stain", ["H&E", "PAS", "DAB"])
def test_nine_in_ten_of_the_phantom_s_nuclei_are_found_in_each_stain(stain: str) -> None:
    truth = PhantomSlide(stain, (4000, 4000), 1).labels(CORNER, CORNER, 0, 512, 512)

    found = agreement(nuclei(field(stain)[:512, :512], MPP, stain), truth, MPP)

    assert found.second > 200
    assert found.f1 > 0.9
    assert found.dice > 0.9


def test_two_stains_of_one_tissue_agree() -> None:
    he, pas = (nuclei(field(stain)[:512, :512], MPP, stain) for stain in ("H&E", "PAS"))

    assert agreement(he, pas, MPP).f1 > 0.9


def test_nuclei_of_other_tissue_do_not_agree() -> None:
    one, other = (nuclei(field("H&E", seed)[:512, :512], MPP, "H&E") for seed in (1, 2))

    assert agreement(one, other, MPP).f1 < 0.5


def test_a_paler_slide_has_as_many_nuclei() -> None:
    image = field("H&E")[:512, :512]
    paler = (255 * (image / 255) ** 0.6).astype(np.uint8)

    found = agreement(nuclei(image, MPP, "H&E"), nuclei(paler, MPP, "H&E"), MPP)

    assert found.f1 > 0.95


def test_grey_shows_nuclei_too() -> None:
    grey = np.array(Image.fromarray(field("H&E")[:512, :512]).convert("L").convert("RGB"))
    truth = PhantomSlide("H&E", (4000, 4000), 1).labels(CORNER, CORNER, 0, 512, 512)

    assert agreement(nuclei(grey, MPP, "grey"), truth, MPP).f1 > 0.85


def test_glass_has_no_nuclei() -> None:
    for stain in STAINS:
        assert not nuclei(np.full((64, 64, 3), 243, np.uint8), MPP, stain).any()


def test_labels_run_without_gaps() -> None:
    labels = nuclei(field("H&E")[:256, :256], MPP, "H&E")

    assert np.array_equal(np.unique(labels), np.arange(labels.max() + 1))
    assert labels.dtype == np.int32


def test_centres_are_matched_one_to_one_and_as_many_as_can_be() -> None:
    # Nearest first would match 50 with 55 and leave the others alone.
    first, second = discs([(50, 20), (50, 50)]), discs([(50, 45), (50, 55)])

    assert agreement(first, second, mpp=1, within_um=30).matched == 2
    assert agreement(first, second, mpp=1, within_um=6).matched == 1
    assert agreement(first, second, mpp=1, within_um=4).matched == 0


def test_agreement_is_what_its_counts_say() -> None:
    found = agreement(discs([(20, 20), (50, 50), (80, 80)]), discs([(20, 20)]), mpp=1)

    assert (found.matched, found.first, found.second) == (1, 3, 1)
    assert found.f1 == 0.5
    assert found.dice == 0.5


def test_no_nuclei_in_either_is_agreement_and_in_one_is_not() -> None:
    none, one = discs([]), discs([(50, 50)])

    assert (agreement(none, none, 1).f1, agreement(none, none, 1).dice) == (1, 1)
    assert (agreement(none, one, 1).f1, agreement(one, none, 1).dice) == (0, 0)
    assert centres(one).tolist() == [[50, 50]]


def test_what_cannot_be_told_is_refused() -> None:
    with pytest.raises(StainAppError, match="'unstained'"):
        nuclei(field("H&E")[:64, :64], MPP, "unstained")
    with pytest.raises(StainAppError, match=r"4\.0 um/px"):
        nuclei(field("H&E")[:64, :64], 4.0, "H&E")
    with pytest.raises(StainAppError, match="cannot be matched"):
        agreement(discs([]), discs([], 50), 1)
