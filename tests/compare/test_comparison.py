"""Two slides compared over regions."""

import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from stainapp.cancel import CancelToken
from stainapp.compare import metrics
from stainapp.compare.agreement import centres
from stainapp.compare.comparison import Comparison, compare
from stainapp.compare.dab import Thresholds, h_score, nuclear_dab, positive_share
from stainapp.compare.dab import grades as graded
from stainapp.compare.density import amounts
from stainapp.compare.instruments import Instruments
from stainapp.compare.nuclei import nuclei
from stainapp.compare.pair import Pair, Points
from stainapp.compare.region_figures import ALL, Figure
from stainapp.compare.registration_error import NUCLEUS_RADIUS_UM
from stainapp.compare.segmenter import Classical
from stainapp.errors import Cancelled, StainAppError
from stainapp.session.regions import Region
from stainapp.slides.opening import open_slide
from tests.compare.readers import ArraySlide, noise, side

REGION = Region.rectangle(100, 50, 300, 260, name="left")


def compare_pixels(pair: Pair, regions: Sequence[Region], **how: Any) -> Comparison:
    """Compare without looking for nuclei, which noise is full of."""
    return compare(pair, regions, instruments=Instruments(segmenter=Blind()), **how)


class Blind(Classical):
    """Finds no nuclei in any stain."""

    def knows(self, stain: str) -> bool:
        return False


def pair_of(first: ArraySlide, second: ArraySlide, stain: str = "H&E") -> Pair:
    return Pair(side(first, stain), side(second, stain))


def noisy_pair() -> tuple[ArraySlide, ArraySlide]:
    return ArraySlide(noise(500, 600, 1), "first"), ArraySlide(noise(500, 600, 2), "second")


def value(found: Comparison, measure: str, region: str = ALL) -> Figure:
    return next(one for one in found.of(region) if one.measure == measure)


def test_pixels_of_a_region_cut_into_pieces_are_measured_as_if_it_were_one() -> None:
    first, second = noisy_pair()
    a, b = (one.image[50:310, 100:400] for one in (first, second))
    similar = metrics.ssim_map(first.image, second.image)[50:310, 100:400]
    ours, theirs = amounts(a, "H&E"), amounts(b, "H&E")

    found = compare_pixels(pair_of(first, second), [REGION])

    assert found.places[0].pieces == 4
    assert value(found, "PSNR").estimate == pytest.approx(metrics.psnr(a, b))
    assert value(found, "SSIM").estimate == pytest.approx(float(similar.mean()), abs=1e-6)
    for dye in ours:
        apart = float(np.abs(ours[dye] - theirs[dye]).mean())
        assert value(found, f"{dye} error").estimate == pytest.approx(apart, rel=1e-5)
        mean = value(found, f"mean {dye}")
        assert mean.reference == pytest.approx(float(ours[dye].mean()), rel=1e-4, abs=1e-6)
        assert mean.other == pytest.approx(float(theirs[dye].mean()), rel=1e-4, abs=1e-6)


def test_only_pixels_inside_the_outline_count() -> None:
    image = noise(400, 400, 3)
    changed = 255 - image
    hole = ((150.0, 150.0), (250.0, 150.0), (250.0, 250.0), (150.0, 250.0))
    outer = ((100.0, 100.0), (300.0, 100.0), (300.0, 300.0), (100.0, 300.0))
    region = Region(polygons=((outer, hole),))
    inside = region.mask(0, 0, 1, 400, 400)
    other = np.where(inside[..., None], image, changed)

    found = compare_pixels(pair_of(ArraySlide(image), ArraySlide(other)), [region])

    assert value(found, "PSNR").estimate == metrics.MOST_PSNR
    assert found.places[0].area_mm2 == pytest.approx((200**2 - 100**2) * (0.5 / 1000) ** 2)


def test_a_place_is_measured_alike_in_whichever_region_it_lies() -> None:
    first, second = noisy_pair()
    halves = [Region.rectangle(100, 50, 150, 260), Region.rectangle(250, 50, 150, 260)]

    whole = compare_pixels(pair_of(first, second), [REGION])
    parted = compare_pixels(pair_of(first, second), halves)

    for one in whole.of():
        other = value(parted, one.measure)
        assert other.estimate == pytest.approx(one.estimate)
        assert (other.reference, other.other) == pytest.approx((one.reference, one.other))


def test_memory_does_not_grow_with_the_region() -> None:
    first, second = (ArraySlide(noise(1500, 1500, seed), f"slide {seed}") for seed in (1, 2))

    compare_pixels(pair_of(first, second), [Region.rectangle(0, 0, 1500, 1500)])

    assert first.largest == second.largest < 400**2


def test_nuclei_at_the_edges_of_pieces_are_counted_once() -> None:
    he, pas = open_slide("phantom:he:900:5"), open_slide("phantom:pas:900:5")
    at = centres(nuclei(he.read(0, 0, 0, 900, 900), 0.5, "H&E"))
    whole = int(((at >= 100) & (at < 700)).all(axis=1).sum())

    found = compare(Pair(side(he, "H&E"), side(pas, "PAS")), [Region.rectangle(100, 100, 600, 600)])

    assert value(found, "nuclei").reference == pytest.approx(whole, rel=0.05)
    assert value(found, "nuclei F1").estimate > 0.85  # one tissue in two stains
    assert "optical density of dyes" in found.missing


def test_brown_nuclei_are_scored_as_by_hand() -> None:
    field = open_slide("sample:ihc", mpp=0.5)
    image = field.read(0, 0, 0, field.info.width_px, field.info.height_px)
    paler = ArraySlide(np.rint(255 - (255.0 - image) * 0.7).astype(np.uint8), "paler")
    # A region within one piece, whose nuclei are so found under one threshold.
    region = Region.rectangle(10, 10, 230, 230)
    seen = np.full((304, 304, 3), 255, np.uint8)
    seen[24:, 24:] = image[:280, :280]
    labels = nuclei(seen, 0.5, "DAB")
    rows, columns = np.rint(centres(labels)).astype(int).T - 24
    within = (rows >= 10) & (rows < 240) & (columns >= 10) & (columns < 240)
    counts = graded(nuclear_dab(seen, labels)[within], Thresholds())

    found = compare(Pair(side(field, "DAB"), side(paler, "DAB")), [region])

    assert found.places[0].pieces == 1
    assert value(found, "nuclei").reference == within.sum()
    assert value(found, "H-score").reference == pytest.approx(h_score(counts))
    assert value(found, "positive nuclei").reference == pytest.approx(positive_share(counts))
    assert value(found, "H-score").estimate < 0
    assert value(found, "positive area").estimate < 0
    brown = amounts(image[10:240, 10:240], "DAB")["DAB"]
    assert value(found, "positive area").reference == pytest.approx(float((brown >= 0.2).mean()))


THREE = [Region.rectangle(20 + 190 * n, 30, 150, 400, name=f"field {n}") for n in range(3)]


def torn(points: Points) -> Points:
    """Well registered, badly in the middle, not at all on the right."""
    x = points[:, 0]
    return np.where(x < 200, 1.0, np.where(x < 390, 9.0, np.nan))


def test_what_rests_on_a_place_is_greyed_where_the_slides_lie_too_far_apart() -> None:
    first, second = noisy_pair()
    pair = Pair(side(first), side(second), torn)

    found = compare_pixels(pair, THREE)

    well, badly, never = (value(found, "SSIM", f"field {n}") for n in range(3))
    assert (well.greyed, well.error_um) == ("", 1.0)
    assert "9.0 um" in badly.greyed
    assert f"{NUCLEUS_RADIUS_UM:g} um" in badly.greyed
    assert never.greyed
    assert never.error_um is None
    # The region as a whole is still over nearly the same tissue.
    assert not value(found, "mean eosin", "field 1").greyed
    assert value(found, "mean eosin", "field 2").greyed


def test_only_regions_that_may_be_read_count_over_all() -> None:
    first, second = noisy_pair()

    found = compare_pixels(Pair(side(first), side(second), torn), THREE)
    alone = compare_pixels(Pair(side(first), side(second)), THREE[:1])

    ssim = value(found, "SSIM")
    assert (ssim.estimate, ssim.regions) == (value(alone, "SSIM").estimate, 1)
    assert "over 1 of 3 regions" in ssim.note
    assert value(found, "mean eosin").regions == 2


def test_what_may_be_read_nowhere_is_greyed_over_all_too() -> None:
    first, second = noisy_pair()

    found = compare_pixels(Pair(side(first), side(second), lambda p: np.full(len(p), 50.0)), THREE)

    assert all(one.greyed for one in found.of())
    assert value(found, "SSIM").regions == 3


def test_a_region_of_an_error_as_large_as_itself_has_no_sums_to_read() -> None:
    first, second = noisy_pair()
    small = Region.rectangle(100, 100, 100, 100)  # 50 um a side

    found = compare_pixels(Pair(side(first), side(second), lambda p: np.full(len(p), 6.0)), [small])

    assert "a tenth of the region's side" in value(found, "mean eosin", "region 1").greyed


def test_the_cycle_is_measured_without_regard_to_the_registration() -> None:
    source, made = noisy_pair()
    back = ArraySlide(noise(500, 600, 1), "back")
    other = replace(side(made), source=source, back=back)

    found = compare_pixels(Pair(side(source), other, lambda p: np.full(len(p), 50.0)), [REGION])

    cycle = value(found, "cycle error")
    assert cycle.estimate == 0
    assert not cycle.greyed
    assert cycle.error_um is None


def test_the_same_comparison_gives_the_same_bytes() -> None:
    first, second = noisy_pair()

    one, another = (compare_pixels(Pair(side(first), side(second), torn), THREE) for _ in range(2))

    assert one.as_csv() == another.as_csv()
    assert json.dumps(one.as_dict(), allow_nan=False) == json.dumps(another.as_dict())
    assert one.as_csv().count("\n") == 1 + len(one.figures)


def test_an_interval_over_regions_holds_the_estimate_and_needs_more_than_one_piece() -> None:
    first, second = noisy_pair()

    found = compare_pixels(pair_of(first, second), [*THREE, Region.rectangle(260, 260, 60, 60)])

    for one in found.of():
        assert one.low is not None
        assert one.high is not None
        assert one.low <= one.estimate <= one.high
    assert value(found, "PSNR", "region 4").low is None
    assert "one piece" in value(found, "PSNR", "region 4").note


def test_progress_counts_up_to_all_pieces_and_a_token_stops_between_two() -> None:
    first, second = noisy_pair()
    told: list[tuple[int, int]] = []

    compare_pixels(pair_of(first, second), [REGION], progress=lambda *at: told.append(at))

    assert [done for done, _ in told] == list(range(1, len(told) + 1))
    assert told[-1][0] == told[-1][1]
    token = CancelToken()

    def stop(done: int, total: int) -> None:
        told.append((done, total))
        token.cancel()

    told.clear()
    with pytest.raises(Cancelled):
        compare_pixels(pair_of(first, second), [REGION], token=token, progress=stop)
    assert len(told) == 1


def test_regions_to_ignore_and_beyond_the_slide_are_left_out_and_told_of() -> None:
    first, second = noisy_pair()
    ignored = Region.rectangle(0, 0, 50, 50, classification="Ignore")
    beyond = Region.rectangle(5000, 5000, 50, 50)
    overlapping = Region.rectangle(150, 60, 300, 200, name="left")

    found = compare_pixels(pair_of(first, second), [ignored, REGION, beyond, overlapping])

    assert [place.name for place in found.places] == ["left (1)", "left (2)"]
    notes = " ".join(found.notes)
    assert "Ignore" in notes
    assert "beyond the slide" in notes
    assert "overlap" in notes


def test_no_region_on_the_slide_is_one_sentence() -> None:
    first, second = noisy_pair()

    with pytest.raises(StainAppError, match=r"first\.png"):
        compare_pixels(pair_of(first, second), [Region.rectangle(5000, 5000, 50, 50)])


def test_nothing_is_enlarged_to_be_compared() -> None:
    first, second = noisy_pair()
    pair = Pair(side(first), side(second, mpp=0.8))

    with pytest.raises(StainAppError, match=r"second.*0\.8 um/px"):
        compare_pixels(pair, [REGION], mpp=0.6)
    assert compare_pixels(pair, [REGION]).mpp == 0.8
    assert compare_pixels(pair, [REGION], mpp=1.5).mpp == 1.5


def test_a_coarser_scale_counts_the_same_area() -> None:
    first, second = noisy_pair()

    fine, coarse = (compare_pixels(pair_of(first, second), [REGION], mpp=m) for m in (0.5, 2.0))

    assert coarse.places[0].area_mm2 == pytest.approx(fine.places[0].area_mm2, rel=0.03)
    assert "nuclei" in coarse.missing
    assert value(coarse, "PSNR").estimate > value(fine, "PSNR").estimate  # noise averages out
