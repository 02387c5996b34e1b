"""Slides whose place on each other is known, and real ones."""

from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest

from stainapp.cancel import CancelToken
from stainapp.errors import Cancelled, RegistrationError, SlideError
from stainapp.registration import align as alignment
from stainapp.registration.align import align
from stainapp.registration.grid import Points
from stainapp.registration.landmarks import from_points, refined
from stainapp.registration.transform import Transform
from stainapp.registration.warped_slide import WarpedSlide
from stainapp.slides.damage import DamageTolerant
from stainapp.slides.opening import open_slide
from stainapp.slides.phantom import PhantomSlide
from stainapp.slides.tissue import tissue_mask
from tests.registration.frames import bent, turned
from tests.slides.fakes import ArraySlide

SIDE, MPP = 3000, 2.0


FEW_PIXELS = 150_000
"""As much as these tests look at: as right here, and a fifth of the time."""


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(alignment, "MOST_PIXELS", FEW_PIXELS)


@dataclass(frozen=True)
class Found:
    known: Transform
    transform: Transform
    progress: list[tuple[int, int]]


@pytest.fixture(scope="module")
def found() -> Found:
    """Return what is found of a section turned by 296 degrees, bent, and in another stain."""
    known, seen = truth(296.0), list[tuple[int, int]]()
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(alignment, "MOST_PIXELS", FEW_PIXELS)
        transform = align(
            section("H&E"), displaced(known), progress=lambda *numbers: seen.append(numbers)
        )
    return Found(known, transform, seen)


def section(stain: str, seed: int = 7) -> PhantomSlide:
    return PhantomSlide(stain, (SIDE, SIDE), seed, MPP)


def truth(degrees: float, *, mirrored: bool = False) -> Transform:
    """Return a map from the slide that is to be found to the section it shows."""
    plain = Transform.identity(section("H&E").info, section("H&E").info)
    turn = turned(degrees)[:, :2] @ np.diag([-1.0 if mirrored else 1.0, 1.0])
    middle = np.full(2, SIDE / 2)
    matrix = np.column_stack([turn, middle - turn @ middle])
    return bent(replace(plain, pieces=(matrix,)), 15.0, 60.0)


def displaced(transform: Transform, stain: str = "PAS", seed: int = 7) -> WarpedSlide:
    return WarpedSlide(section(stain, seed), transform, section(stain, seed).info)


def on_tissue(count: int = 200) -> Points:
    mask, downsample = tissue_mask(section("H&E"))
    places = np.argwhere(mask)[:, ::-1]
    picks = np.random.default_rng(0).choice(len(places), count)
    return np.asarray((places[picks] + 0.5) * downsample, np.float64)


def error_of(transform: Transform, known: Transform, points: Points) -> float:
    apart = transform.to_moving(points) - known.to_fixed(points)
    return float(np.median(np.hypot(*apart.T)))


def test_a_section_in_another_stain_is_found_however_it_lies(found: Found) -> None:
    points = on_tissue()

    back = found.transform.to_fixed(found.transform.to_moving(points))

    # One working pixel; the wave alone is 15 px high.
    assert error_of(found.transform, found.known, points) < 8.0
    assert np.abs(back - points).max() < 0.5


def test_the_expected_error_is_known_on_tissue_and_near_the_true_one(found: Found) -> None:
    points = on_tissue()

    expected = found.transform.error_px(points)

    assert np.isfinite(expected).mean() > 0.9
    true = error_of(found.transform, found.known, points)
    assert true / 4 < np.nanmedian(expected) < true * 4


def test_progress_counts_to_what_it_said(found: Found) -> None:
    done, total = zip(*found.progress, strict=True)

    assert list(done) == list(range(1, len(done) + 1))
    assert done[-1] == total[-1]


def test_a_mirrored_section_is_found_too() -> None:
    known = truth(40.0, mirrored=True)

    transform = align(section("H&E"), displaced(known))

    assert error_of(transform, known, on_tissue()) < 8.0


def test_another_section_is_refused_in_one_sentence() -> None:
    with pytest.raises(
        RegistrationError, match="no better than those of different blocks"
    ) as refused:
        align(section("H&E", 7), displaced(truth(0.0), seed=8))

    assert "click two matching points" in str(refused.value)


def test_two_clicked_points_stand_in_for_the_search() -> None:
    known, points = truth(296.0), on_tissue()
    clicked = points[:2]
    about = from_points(
        section("H&E").info, section("PAS").info, clicked, known.to_fixed(clicked) + 20.0
    )

    transform = align(section("H&E"), displaced(known), start=about)

    assert error_of(transform, known, points) < 8.0


def test_a_landmark_takes_an_automatic_result_to_where_it_was_placed(found: Found) -> None:
    place = on_tissue()[:1]
    wanted = found.transform.to_moving(place) + 12.0

    better = refined(found.transform, place, wanted)

    assert np.abs(better.to_moving(place) - wanted).max() < 1.0
    assert better.method == "automatic, refined"


def test_a_blank_slide_is_named() -> None:
    blank = ArraySlide(np.full((800, 900, 3), 250, np.uint8))

    with pytest.raises(RegistrationError, match="made shows no tissue"):
        align(section("H&E"), blank)


def test_a_slide_that_cannot_be_read_is_said_to_be_damaged_and_not_to_be_blank() -> None:
    lost = ArraySlide(np.full((900, 900, 3), 250, np.uint8))
    lost.broken = lambda _level, _rect: True

    with pytest.raises(SlideError, match=r"made cannot be read: .* Copy it again"):
        align(section("H&E"), DamageTolerant(lost))


def test_a_real_slide_that_cannot_be_read_is_said_to_be_damaged(data: Path) -> None:
    with (
        closing(open_slide(data / "bad" / "osp_unreadable.svs")) as lost,
        pytest.raises(SlideError, match=r"osp_unreadable\.svs cannot be read"),
    ):
        align(section("H&E"), lost)


def test_it_stops_at_the_next_step_when_cancelled() -> None:
    token, seen = CancelToken(), []

    def stop_at_the_third(done: int, total: int) -> None:
        seen.append((done, total))
        if done == 3:
            token.cancel()

    with pytest.raises(Cancelled):
        align(section("H&E"), displaced(truth(0.0)), token=token, progress=stop_at_the_third)

    assert [done for done, _ in seen] == [1, 2, 3]


def test_a_real_serial_section_turns_by_what_eyes_say(data: Path) -> None:
    slides = data / "slides"
    fixed = open_slide(slides / "melanosiscoli_HE.tiff", mpp=0.5)
    moving = open_slide(slides / "melanosiscoli_PAS.tiff", mpp=0.5)

    transform = align(fixed, moving)

    turns = [np.degrees(np.arctan2(m[1, 0], m[0, 0])) % 360 for m in transform.pieces]
    assert len(turns) >= 3
    assert all(abs(turn - 296) < 8 for turn in turns)


def test_two_scans_of_one_slide_meet_within_a_pixel(data: Path) -> None:
    from skimage.registration import phase_cross_correlation

    folder = data / "same-slide-two-scanners"
    fixed, moving = (open_slide(folder / f"OS-2-{n}.ome.tif") for n in ("ndpi", "vsi"))
    warped = WarpedSlide(moving, align(fixed, moving), fixed.info)

    shifts = []
    for x, y in [(300, 300), (900, 600), (1400, 1000), (600, 200), (1500, 1700)]:
        first, second = (s.read(x, y, 0, 512, 512)[..., 0].astype(float) for s in (fixed, warped))
        shift, _, _ = phase_cross_correlation(
            first - first.mean(), second - second.mean(), upsample_factor=10
        )
        shifts.append(float(np.hypot(*shift)))

    assert np.median(shifts) <= 1.0


def test_a_slide_of_another_block_is_refused_though_some_of_its_details_agree(
    data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.undo()
    colon = open_slide(data / "slides" / "melanosiscoli_HE.tiff", mpp=0.5)
    stomach = open_slide(data / "slides" / "BS25_CHR.tiff")

    with pytest.raises(RegistrationError, match="no better than those of different blocks"):
        align(colon, stomach)


def test_serial_sections_lie_nearer_at_landmarks_than_the_best_affine_map_lays_them(
    data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.undo()  # at the scale at which the program looks
    lesion = data / "landmarks" / "lesion3_29-041-Izd2-w35-"
    here, there = (
        (Path(f"{lesion}{part}.jpg"), landmarks_of(Path(f"{lesion}{part}.50pc-PS.csv")))
        for part in ("CD31-3-les3", "He-les3")
    )
    affine = np.linalg.lstsq(np.pad(here[1], ((0, 0), (0, 1)), constant_values=1), there[1])[0]
    best = np.median(np.hypot(*(here[1] @ affine[:2] + affine[2] - there[1]).T))

    transform = align(open_slide(here[0]), open_slide(there[0]))

    away = np.hypot(*(transform.to_moving(here[1]) - there[1]).T)
    assert np.median(away) < 0.75 * best
    assert away.mean() / 2 < np.nanmean(transform.error_px(here[1])) < away.mean() * 2


def landmarks_of(table: Path) -> Points:
    """Read landmarks, which the data give at ten times the pictures' scale."""
    return np.asarray(0.1 * np.loadtxt(table, delimiter=",", skiprows=1, usecols=(1, 2)))
