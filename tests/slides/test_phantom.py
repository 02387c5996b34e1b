"""The phantom draws the same tissue however it is asked, and knows the truth about it."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from skimage.registration import phase_cross_correlation

from stainapp.errors import UnsupportedSlideError
from stainapp.slides import phantom as phantom_module
from stainapp.slides.phantom import ADDRESS_STAINS, PhantomSlide, open_phantom
from stainapp.slides.phantom_optics import DYES, GLASS, Scanner

SIZE = (6000, 5000)
MUCOSA = (1300, 1700)
"""A place where crypts, stroma and glass meet."""
FAULTY = Scanner(
    white_balance=(1.0, 0.95, 1.05), gain=0.98, blur_px=0.8, noise=2.0, jpeg_quality=80
)


@pytest.mark.parametrize("scanner", [None, FAULTY], ids=["light", "scanned"])
@pytest.mark.parametrize("level", [0, 1, 2])
def test_a_region_is_the_same_in_one_read_and_in_pieces(
    level: int, scanner: Scanner | None
) -> None:
    d = 4**level
    x, y = (MUCOSA[0] - 100) // d * d, (MUCOSA[1] - 100) // d * d
    whole = PhantomSlide(size_px=SIZE, scanner=scanner).read(x, y, level, 301, 290)

    pieces = np.empty_like(whole)
    fresh = PhantomSlide(size_px=SIZE, scanner=scanner)
    for top in (194, 97, 0):
        for left in (222, 111, 0):
            part = pieces[top : top + 97, left : left + 111]
            part[:] = fresh.read(x + left * d, y + top * d, level, part.shape[1], part.shape[0])

    assert np.array_equal(whole, pieces)
    assert whole.std() > 5


def test_threads_read_what_one_thread_reads() -> None:
    places = [(MUCOSA[0] + 150 * n, MUCOSA[1] + 90 * n, 0, 200, 180) for n in range(6)]
    alone = [PhantomSlide(size_px=SIZE).read(*place) for place in places]

    shared = PhantomSlide(size_px=SIZE)
    with ThreadPoolExecutor(6) as pool:
        together = list(pool.map(lambda place: shared.read(*place), places * 2))

    assert all(np.array_equal(a, b) for a, b in zip(alone * 2, together, strict=True))


def test_labels_are_the_same_in_one_read_and_in_pieces() -> None:
    whole = PhantomSlide(size_px=SIZE).labels(*MUCOSA, 0, 420, 300)

    fresh = PhantomSlide("DAB", size_px=SIZE)
    left = fresh.labels(*MUCOSA, 0, 199, 300)
    right = fresh.labels(MUCOSA[0] + 199, MUCOSA[1], 0, 221, 300)

    assert np.array_equal(whole, np.hstack((left, right)))
    assert len(np.unique(whole)) > 50


def test_a_coarse_level_has_the_labels_of_level_0() -> None:
    phantom = PhantomSlide(size_px=SIZE)

    coarse = phantom.labels(1200, 1600, 1, 60, 50)

    assert np.array_equal(coarse, phantom.labels(1200, 1600, 0, 240, 200)[2::4, 2::4])


@pytest.mark.parametrize("level", [0, 1])
def test_all_stains_show_the_same_tissue_at_the_same_pixel(level: int) -> None:
    shown = [
        PhantomSlide(stain, SIZE).read(1000, 1300, level, 512, 512).astype(float).sum(axis=2)
        for stain in ADDRESS_STAINS.values()
    ]

    for other in shown[1:]:
        shift, *_ = phase_cross_correlation(shown[0], other)
        assert tuple(shift) == (0, 0)


def test_nuclei_are_where_the_labels_say() -> None:
    phantom = PhantomSlide(size_px=SIZE)

    haematoxylin = phantom.amounts(*MUCOSA, 0, 500, 500)["haematoxylin"]
    labels = phantom.labels(*MUCOSA, 0, 500, 500)

    assert haematoxylin[labels > 0].mean() > 3 * haematoxylin[labels == 0].mean()


def test_brown_nuclei_are_the_marker_positive_ones() -> None:
    phantom = PhantomSlide("DAB", SIZE)

    dab = phantom.amounts(*MUCOSA, 0, 700, 700)["DAB"]
    labels = phantom.labels(*MUCOSA, 0, 700, 700)
    positive = phantom.marker_positive(labels)

    assert 0.01 < positive[labels > 0].mean() < 0.7
    assert not positive[labels == 0].any()
    assert dab[positive].mean() > 4 * dab[(labels > 0) & ~positive].mean()


@pytest.mark.parametrize("stain", ADDRESS_STAINS.values())
def test_pixels_follow_from_the_true_dye_amounts_by_beer_lambert(stain: str) -> None:
    phantom = PhantomSlide(stain, SIZE)

    image = phantom.read(*MUCOSA, 0, 300, 300)
    amounts = phantom.amounts(*MUCOSA, 0, 300, 300)

    density = sum(amount[..., None] * np.array(DYES[dye]) for dye, amount in amounts.items())
    expected = np.array(GLASS) * 10.0**-density
    assert np.abs(image - expected).max() <= 0.51


def test_dye_vectors_have_unit_length() -> None:
    lengths = [np.linalg.norm(vector) for vector in DYES.values()]

    assert lengths == pytest.approx([1.0] * len(DYES), abs=2e-3)


@pytest.mark.parametrize("stain", ADDRESS_STAINS.values())
def test_a_coarse_level_is_about_the_mean_of_the_finer_one(stain: str) -> None:
    phantom = PhantomSlide(stain, SIZE)
    for level, tolerance in ((1, 3.0), (2, 14.0)):
        coarse = phantom.read(1024, 1024, level, 1024 // 4**level, 1024 // 4**level)
        fine = phantom.read(1024, 1024, level - 1, *[4096 // 4**level] * 2)
        side = coarse.shape[0]
        mean = fine.reshape(side, 4, side, 4, 3).mean(axis=(1, 3))

        assert np.abs(coarse.mean(axis=(0, 1)) - mean.mean(axis=(0, 1))).max() < tolerance


def test_another_seed_is_another_slide() -> None:
    one, other = (PhantomSlide(size_px=SIZE, seed=seed) for seed in (1, 2))

    assert one.info.identity != other.info.identity
    assert not np.array_equal(one.read(0, 0, 1, 900, 900), other.read(0, 0, 1, 900, 900))


def test_outside_the_slide_is_white() -> None:
    image = PhantomSlide(size_px=(300, 300)).read(-40, 280, 0, 100, 60)

    assert (image[:, :40] == 255).all()
    assert (image[20:] == 255).all()
    assert image.flags.c_contiguous


def test_a_huge_slide_is_read_anywhere_at_every_level() -> None:
    phantom = open_phantom("phantom:he:100000:3")

    coarsest = phantom.info.levels[-1]
    shown = phantom.read(0, 0, len(phantom.info.levels) - 1, coarsest.width_px, coarsest.height_px)

    assert max(shown.shape) <= 1024
    assert 0.1 < (shown != GLASS).any(axis=2).mean() < 0.9
    assert 0 < phantom._blocks._bytes <= phantom_module._KEPT_BYTES


def test_an_address_names_stain_size_and_seed() -> None:
    phantom = open_phantom("phantom:pas:3000:7")

    assert phantom.stain == "PAS"
    assert (phantom.info.width_px, phantom.info.height_px) == (3000, 3000)
    assert open_phantom(str(phantom.info.path)).info == phantom.info


@pytest.mark.parametrize(
    "address", ["phantom:", "phantom:he:x", "phantom:he:9", "phantom:gram", "phantom:he:1:2:3"]
)
def test_a_wrong_address_is_answered_with_one_sentence(address: str) -> None:
    with pytest.raises(UnsupportedSlideError) as caught:
        open_phantom(address)

    assert str(caught.value).count(".") - str(caught.value).count("..") <= 1
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("faults", "changed"),
    [
        (Scanner(gain=0.8), True), (Scanner(white_balance=(1, 0.9, 1)), True),
        (Scanner(blur_px=1.5), True), (Scanner(noise=3), True),
        (Scanner(jpeg_quality=60), True), (Scanner(), False),
    ],
)  # fmt: skip
def test_each_fault_of_the_scanner_changes_the_picture(faults: Scanner, changed: bool) -> None:
    light = PhantomSlide(size_px=SIZE).read(*MUCOSA, 0, 256, 256)

    seen = PhantomSlide(size_px=SIZE, scanner=faults).read(*MUCOSA, 0, 256, 256)

    assert np.array_equal(light, seen) is not changed
    assert np.abs(light.astype(int) - seen).mean() < 60
