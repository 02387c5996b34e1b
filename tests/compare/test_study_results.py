"""What came of a reader study."""

import csv
import io
from collections.abc import Callable
from pathlib import Path

import pytest

from stainapp.compare.study_results import answers_csv, measures, results_of
from stainapp.compare.table import Row
from stainapp.session.reader_study import Answer, Study, StudyField, StudyFolder, make_study
from stainapp.session.regions import Region

REGIONS = [Region.rectangle(100 * n, 0, 80, 60, name=f"r{n}") for n in range(12)]
STUDY = make_study(REGIONS, 3, {"reference": "a", "other": "b"})


def read_by(study: Study, says: Callable[[StudyField, int], bool]) -> dict[int, Answer]:
    """All answers of somebody who scores real fields 4 and virtual ones 3."""
    return {
        n: Answer(field=n, says_virtual=says(one, n), score=3 if one.virtual else 4, seconds=2.0)
        for n, one in enumerate(study.fields)
    }


SEEING = read_by(STUDY, lambda one, n: one.virtual)
GUESSING = read_by(STUDY, lambda one, n: n % 2 == 0)


def row(rows: tuple[Row, ...], subject: str, measure: str) -> Row:
    return next(one for one in rows if (one.subject, one.measure) == (subject, measure))


def test_a_reader_who_sees_it_is_right_and_one_who_guesses_is_half_the_time() -> None:
    rows = measures(STUDY, {"anna": SEEING, "bert": GUESSING}).rows

    assert row(rows, "anna", "right choices").estimate == 1
    guessed = row(rows, "bert", "right choices")
    assert guessed.estimate == pytest.approx(0.5, abs=0.25)
    assert guessed.clusters == 12
    assert row(rows, "anna", "score, virtual less real").estimate == -1
    assert row(rows, "anna", "score of real fields").estimate == 4


def test_readers_who_say_the_same_agree_and_each_pair_is_told_apart() -> None:
    rows = measures(STUDY, {"anna": SEEING, "bert": SEEING, "cora": GUESSING}).rows

    assert row(rows, "anna and bert", "choice, Cohen's kappa").estimate == 1
    assert (row(rows, "anna and cora", "choice, Cohen's kappa").estimate or 0) < 0.6
    together = row(rows, "all readers", "choice, Fleiss' kappa")
    assert together.low is not None
    assert together.low < (together.estimate or 0) < 1


def test_agreement_needs_two_readers_with_common_fields() -> None:
    half = {n: one for n, one in SEEING.items() if n < 3}

    for answers in ({"anna": SEEING}, {"anna": SEEING, "bert": half}, {}):
        (found,) = [one for one in measures(STUDY, answers).rows if one.subject == "all readers"]
        assert found.estimate is None


def test_every_answer_is_in_the_table_with_the_truth_beside_it() -> None:
    rows = list(csv.DictReader(io.StringIO(answers_csv(STUDY, {"anna": SEEING}))))

    assert len(rows) == len(STUDY.fields)
    assert all(one["right"] == "1" for one in rows)
    assert [one["truth"] for one in rows] == [
        "virtual" if one.virtual else "real" for one in STUDY.fields
    ]


def test_results_come_from_the_folder(tmp_path: Path) -> None:
    folder = StudyFolder.create(tmp_path, STUDY)
    for one in list(SEEING.values())[:4]:
        folder.answer("anna", one)

    table, text = results_of(folder)

    assert row(table.rows, "anna", "right choices").n == 4
    assert text.count("\n") == 5
