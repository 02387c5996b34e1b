"""A blinded reader study, and that no answer is lost."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from stainapp.errors import StudyError
from stainapp.session.reader_study import Answer, Study, StudyFolder, make_study
from stainapp.session.regions import Region

REGIONS = [Region.rectangle(100 * n, 0, 80, 60, name=f"r{n}") for n in range(20)]
SLIDES = {"reference": "pas.tiff", "other": "he.tiff"}


def study(seed: int = 7) -> Study:
    return make_study(REGIONS, seed, SLIDES)


def answer(field: int, score: int = 3) -> Answer:
    return Answer(field=field, says_virtual=field % 2 == 0, score=score, seconds=4.5)


def test_each_region_is_shown_once_real_and_once_virtual() -> None:
    shown = study().fields

    assert len(shown) == 40
    assert {(one.region, one.virtual) for one in shown} == {
        (f"{n + 1}. r{n}", virtual) for n in range(20) for virtual in (True, False)
    }
    assert (shown[0].width, shown[0].height) == (80, 60)


def test_no_region_comes_back_soon_and_each_round_is_half_virtual() -> None:
    for seed in range(30):
        shown = study(seed).fields
        places: dict[str, list[int]] = {}
        for place, one in enumerate(shown):
            places.setdefault(one.region, []).append(place)

        assert min(second - first for first, second in places.values()) >= 15
        assert sum(one.virtual for one in shown[:20]) == 10


def test_the_order_is_the_seeds_and_says_nothing_of_the_truth() -> None:
    assert study(1) == study(1)
    assert study(1) != study(2)
    turns = [[one.virtual for one in study(seed).fields[:20]] for seed in range(200)]
    shares = [sum(turn[place] for turn in turns) / 200 for place in range(20)]
    assert all(0.3 < share < 0.7 for share in shares)


def test_one_region_is_no_study() -> None:
    with pytest.raises(StudyError, match="1 regions"):
        make_study(REGIONS[:1], 1, SLIDES)


def test_a_study_goes_on_where_it_was_left(tmp_path: Path) -> None:
    first = StudyFolder.create(tmp_path / "study", study())
    for number in range(3):
        first.answer("anna", answer(number))

    again = StudyFolder.open(tmp_path / "study")

    assert again.study == study()
    assert again.next_field("anna") == 3
    assert again.next_field("bert") == 0
    assert again.answers("anna")[2] == answer(2)
    assert again.readers() == ("anna",)


def test_an_answer_given_again_takes_the_place_of_the_first(tmp_path: Path) -> None:
    folder = StudyFolder.create(tmp_path, study())

    folder.answer("anna", answer(0, score=1))
    folder.answer("anna", answer(0, score=5))

    assert folder.answers("anna")[0].score == 5
    assert (tmp_path / "answers-anna.jsonl").read_text().count("\n") == 2


def test_a_line_cut_off_by_a_crash_costs_that_answer_alone(tmp_path: Path) -> None:
    folder = StudyFolder.create(tmp_path, study())
    for number in range(3):
        folder.answer("anna", answer(number))
    file = tmp_path / "answers-anna.jsonl"
    file.write_bytes(file.read_bytes()[:-20])

    assert folder.next_field("anna") == 2
    folder.answer("anna", answer(2, score=4))

    assert folder.answers("anna") == {0: answer(0), 1: answer(1), 2: answer(2, score=4)}


def test_whoever_is_done_has_no_next_field(tmp_path: Path) -> None:
    folder = StudyFolder.create(tmp_path, make_study(REGIONS[:2], 1, SLIDES))

    for number in range(4):
        folder.answer("anna", answer(number))

    assert folder.next_field("anna") is None


def test_a_study_is_never_written_over(tmp_path: Path) -> None:
    StudyFolder.create(tmp_path, study())

    with pytest.raises(StudyError, match="already"):
        StudyFolder.create(tmp_path, study(8))


@pytest.mark.parametrize("wrong", [answer(40), answer(-1), answer(0, score=0), answer(0, score=6)])
def test_what_is_no_answer_is_not_kept(wrong: Answer, tmp_path: Path) -> None:
    folder = StudyFolder.create(tmp_path, study())

    with pytest.raises(StudyError, match="from 1 to 5"):
        folder.answer("anna", wrong)
    assert folder.answers("anna") == {}


@pytest.mark.parametrize("name", ["", "../anna", "a b", "x" * 70])
def test_a_reader_needs_a_plain_name(name: str, tmp_path: Path) -> None:
    folder = StudyFolder.create(tmp_path, study())

    with pytest.raises(StudyError, match="name for a reader"):
        folder.answer(name, answer(0))


def test_damaged_files_are_named(tmp_path: Path) -> None:
    with pytest.raises(StudyError, match=r"study\.json"):
        StudyFolder.open(tmp_path)
    folder = StudyFolder.create(tmp_path, study())
    (tmp_path / "answers-anna.jsonl").write_text("{}\n[]\n")
    with pytest.raises(StudyError, match=r"anna\.jsonl, line 1"):
        folder.answers("anna")
    newer = json.loads((tmp_path / "study.json").read_text()) | {"schema": "stainapp.study/2"}
    (tmp_path / "study.json").write_text(json.dumps(newer))
    with pytest.raises(StudyError, match="reads 'stainapp"):
        StudyFolder.open(tmp_path)


def test_names_outside_ascii_are_names(tmp_path: Path) -> None:
    folder = StudyFolder.create(tmp_path, replace(study(), slides={"reference": "Färbung.tiff"}))

    folder.answer("Jürgen", answer(0))

    assert StudyFolder.open(tmp_path).readers() == ("Jürgen",)
