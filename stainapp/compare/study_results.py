"""What came of a reader study: a table of all answers, and how far readers agree and are right."""

import csv
import io
from collections.abc import Mapping
from itertools import combinations

import numpy as np

from stainapp.compare.intervals import Interval, interval
from stainapp.compare.kappa import cohen, fleiss
from stainapp.compare.table import Row, Table, measured, missing
from stainapp.errors import RegionError, StudyError
from stainapp.session.atomic_file import write_atomically
from stainapp.session.reader_study import SCORES, Answer, Study, StudyFolder

Answers = Mapping[str, Mapping[int, Answer]]
"""By reader and field."""

LEAST_FIELDS = 5
"""Answered by all, below which agreement is not computed."""
COLUMNS = ("reader", "field", "region", "truth", "choice", "right", "score", "seconds")


def results_of(folder: StudyFolder) -> tuple[Table, str]:
    """Return the measures of a study, and all answers as CSV.

    Raises:
        StudyError: a file of answers cannot be read.
    """
    answers = {reader: folder.answers(reader) for reader in folder.readers()}
    return measures(folder.study, answers), answers_csv(folder.study, answers)


def write_results(folder: StudyFolder) -> Table:
    """Write ``results.csv`` and ``answers.csv`` beside the study, and return the measures.

    Raises:
        StudyError: a file of answers cannot be read, or the tables cannot be written.
    """
    table, answers = results_of(folder)
    try:
        for name, text in (("results.csv", table.as_csv()), ("answers.csv", answers)):
            write_atomically(folder.path / name, text.encode())
    except RegionError as error:
        raise StudyError(str(error)) from error
    return table


def answers_csv(study: Study, answers: Answers) -> str:
    """Return a line for each answer, with the truth beside it, in the order of showing."""
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(COLUMNS)
    for reader, own in sorted(answers.items()):
        for number, answer in sorted(own.items()):
            shown = study.fields[number]
            truth, choice = (_word(one) for one in (shown.virtual, answer.says_virtual))
            right = int(truth == choice)
            values = (number + 1, shown.region, truth, choice, right, answer.score, answer.seconds)
            writer.writerow((reader, *values))
    return file.getvalue()


def measures(study: Study, answers: Answers) -> Table:
    """Return what each reader, and all together, came to; regions are resampled as a whole."""
    rows = []
    for reader, own in sorted(answers.items()):
        rows += _of_reader(study, reader, own)
    rows += _of_all(study, answers)
    return Table(tuple(rows))


def _of_reader(study: Study, reader: str, own: Mapping[int, Answer]) -> list[Row]:
    """How often a reader was right, and how real and virtual fields were scored."""
    if not own:
        return []
    fields = [study.fields[number] for number in own]
    regions = [shown.region for shown in fields]
    virtual = np.array([shown.virtual for shown in fields])
    said = np.array([answer.says_virtual for answer in own.values()])
    score = np.array([answer.score for answer in own.values()], float)
    right = (virtual == said).astype(float)
    note = "0.5 is guessing"
    rows = [measured(reader, "right choices", interval(right, regions), "", "", note)]
    for name, some in (("real", ~virtual), ("virtual", virtual)):
        if some.any():
            of = [region for region, one in zip(regions, some, strict=True) if one]
            found = interval(score[some], of)
            rows.append(measured(reader, f"score of {name} fields", found, "", "higher"))
    return [*rows, _difference(study, reader, own)]


def _difference(study: Study, reader: str, own: Mapping[int, Answer]) -> Row:
    """The score of the virtual field less that of the real one, region by region."""
    scores: dict[str, dict[bool, int]] = {}
    for number, answer in own.items():
        shown = study.fields[number]
        scores.setdefault(shown.region, {})[shown.virtual] = answer.score
    both = {name: two for name, two in scores.items() if len(two) == 2}
    what = "score, virtual less real"
    if not both:
        return missing(reader, what, "", "", "no region was answered in both ways")
    found = interval([float(two[True] - two[False]) for two in both.values()], list(both))
    return measured(reader, what, found, "", "")


def _of_all(study: Study, answers: Answers) -> list[Row]:
    """How far readers agree, over the fields that all of them answered."""
    readers = sorted(reader for reader, own in answers.items() if own)
    shared = sorted(set.intersection(*(set(answers[one]) for one in readers)) if readers else ())
    what = "agreement"
    if len(readers) < 2 or len(shared) < LEAST_FIELDS:
        why = f"needs two readers with {LEAST_FIELDS} fields that both have answered"
        return [missing("all readers", what, "", "higher", why)]
    regions = [study.fields[number].region for number in shared]
    choices = np.array([[answers[r][n].says_virtual for r in readers] for n in shared], int)
    scores = np.array([[answers[r][n].score - SCORES[0] for r in readers] for n in shared], int)
    count = len(SCORES)
    rows = []
    for one, other in combinations(range(len(readers)), 2):
        two, names = [one, other], f"{readers[one]} and {readers[other]}"
        rows += [
            _kappa(names, "choice, Cohen's kappa", cohen(choices[:, two], 2, regions)),
            _kappa(
                names,
                "score, weighted kappa",
                cohen(scores[:, two], count, regions, "quadratic"),
                "Cohen's, with quadratic weights",
            ),
        ]
    rows += [
        _kappa("all readers", "choice, Fleiss' kappa", fleiss(choices, 2, regions)),
        _kappa("all readers", "score, Fleiss' kappa", fleiss(scores, count, regions)),
    ]
    return rows


def _kappa(readers: str, what: str, found: Interval, note: str = "") -> Row:
    return measured(readers, what, found, "", "higher", note)


def _word(virtual: bool) -> str:
    return "virtual" if virtual else "real"
