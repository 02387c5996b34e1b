"""A blinded reader study: fields of real and virtual slides in an order nobody knows beforehand.

A folder holds it: ``study.json`` with the fields in the order in which they are shown, and of each
reader ``answers-NAME.jsonl``, to which each answer is appended as it is given. Which field is
virtual stands in ``study.json`` and is not to be shown before the reader is done.
"""

import json
import os
import random
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, BinaryIO

from stainapp.errors import RegionError, StudyError
from stainapp.session.atomic_file import write_atomically
from stainapp.session.regions import Region
from stainapp.strict import build

SCHEMA = "stainapp.study/1"
STUDY_FILE = "study.json"
BLOCKS = 4
"""A region is shown again a round later, moved by no more than one of so many parts of it."""
LONGEST_LINE = 4096
"""Bytes of an answer, and more."""
SCORES = (1, 2, 3, 4, 5)


@dataclass(frozen=True, slots=True, kw_only=True)
class StudyField:
    """What is shown for one answer."""

    region: str
    """Name of the region; both of its fields have it."""
    virtual: bool
    """The truth, not to be shown."""
    x: float
    """Left edge, as `y` the top one, in level-0 pixels of the frame both slides lie in."""
    y: float
    width: float
    height: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Study:
    """Which fields are shown, in which order, and what is asked of each."""

    schema: str = SCHEMA
    seed: int
    fields: tuple[StudyField, ...]
    choice: str = "Is this field real or virtual?"
    question: str = "How well could you report on this field?"
    """Answered from 1, not at all, to 5, as well as on any slide."""
    slides: Mapping[str, Any]
    """What to open: the real slide as "reference", the virtual one as "other", and how they come
    into one frame; see `stainapp.compare.opening.PairRequest`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a reader said of one field."""

    field: int
    """Its place in the order, from 0."""
    says_virtual: bool
    """The forced choice."""
    score: int
    """1..5."""
    seconds: float
    """How long the field was looked at."""


def is_reader_name(name: str) -> bool:
    """Tell whether a reader may be called so: the name is a part of a file's."""
    return re.fullmatch(r"[\w-]{1,60}", name) is not None


def make_study(regions: Sequence[Region], seed: int, slides: Mapping[str, Any]) -> Study:
    """Put the real and the virtual field of each region into a random order; the same for a seed.

    In a first round each region is shown once, in half of them real; in a second round the other
    field, at about the same place of the round, so that no region comes back soon.

    Args:
        regions: their bounds are what is shown; points and lines have no field.
        seed: of the order; keep it to yourself until all have read.
        slides: see `Study.slides`.

    Raises:
        StudyError: there are fewer than two regions.
    """
    regions = [region for region in regions if region.area_px > 0]
    if len(regions) < 2:
        raise StudyError(f"A study of {len(regions)} regions tells nothing; draw some more.")
    chance = random.Random(seed)  # noqa: S311 - an order to repeat, no secret
    first = list(enumerate(regions))
    chance.shuffle(first)
    virtual_first = {number: place % 2 == 1 for place, (number, _) in enumerate(first)}
    chance.shuffle(first)
    size = -(-len(first) // BLOCKS)
    second = []
    for at in range(0, len(first), size):
        block = first[at : at + size]
        chance.shuffle(block)
        second += block
    fields = [_field(n, region, virtual_first[n]) for n, region in first]
    fields += [_field(n, region, not virtual_first[n]) for n, region in second]
    return Study(seed=seed, fields=tuple(fields), slides=dict(slides))


class StudyFolder:
    """A study on disk, as one reader answers it."""

    def __init__(self, path: Path, study: Study) -> None:
        self.path, self.study = path, study

    @classmethod
    def create(cls, path: Path, study: Study) -> "StudyFolder":
        """Begin a study.

        Raises:
            StudyError: there is one already, or the folder cannot be written.
        """
        file = path / STUDY_FILE
        if file.exists():
            raise StudyError(f"{path} holds a study already; go on with it or choose another name.")
        text = json.dumps(asdict(study), indent=1, ensure_ascii=False) + "\n"
        try:
            write_atomically(file, text.encode())
        except RegionError as error:
            raise StudyError(str(error)) from error
        return cls(path, study)

    @classmethod
    def open(cls, path: Path) -> "StudyFolder":
        """Go on with a study.

        Raises:
            StudyError: there is none, or its file is damaged or of a newer version.
        """
        file = path / STUDY_FILE
        try:
            values = json.loads(file.read_text("utf-8"))
        except (OSError, ValueError, RecursionError) as error:
            raise StudyError(
                f"{file} is damaged or missing; choose a folder that holds a study."
            ) from error
        if not isinstance(values, dict) or values.get("schema") != SCHEMA:
            raise StudyError(f"{file} is no study that this program reads; it reads {SCHEMA!r}.")
        return cls(path, build(Study, values, str(file), StudyError))

    def readers(self) -> tuple[str, ...]:
        """Return who has answered so far, by name."""
        names = (re.fullmatch(r"answers-(.+)\.jsonl", one.name) for one in self.path.iterdir())
        return tuple(sorted(name[1] for name in names if name))

    def answers(self, reader: str) -> dict[int, Answer]:
        """Return a reader's answers by field; of one that was answered again the last.

        A line that was being written when the program was killed is left out.

        Raises:
            StudyError: the file cannot be read, or holds what is no answer.
        """
        path = self._answers_file(reader)
        try:
            lines = path.read_bytes().split(b"\n")
        except FileNotFoundError:
            return {}
        except OSError as error:
            raise StudyError(f"{path} cannot be read ({error.strerror}).") from error
        found = {}
        for number, line in enumerate(lines[:-1], start=1):  # behind the last end is nothing whole
            answer = self._answer(line, f"{path}, line {number}")
            found[answer.field] = answer
        return found

    def answer(self, reader: str, answer: Answer) -> None:
        """Keep an answer; once this returns it is on the disk.

        Raises:
            StudyError: it is no answer to this study, or cannot be written.
        """
        self._check(answer, "The answer")
        path = self._answers_file(reader)
        line = json.dumps(asdict(answer)) + "\n"
        try:
            with path.open("a+b") as file:
                _cut_half_line(file)
                file.write(line.encode())
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            raise StudyError(
                f"{path} cannot be written ({error.strerror}); free some space and answer again."
            ) from error

    def next_field(self, reader: str) -> int | None:
        """Return the first field without an answer; None where the reader is done."""
        answered = self.answers(reader)
        return next((n for n in range(len(self.study.fields)) if n not in answered), None)

    def _answers_file(self, reader: str) -> Path:
        if not is_reader_name(reader):
            raise StudyError(
                f"{reader!r} is no name for a reader; use letters, digits, hyphens or underscores."
            )
        return self.path / f"answers-{reader}.jsonl"

    def _answer(self, line: bytes, where: str) -> Answer:
        try:
            values = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise StudyError(f"{where} is damaged; correct or remove it there.") from error
        if not isinstance(values, dict):
            raise StudyError(f"{where} is damaged; correct or remove it there.")
        answer = build(Answer, values, where, StudyError)
        self._check(answer, where)
        return answer

    def _check(self, answer: Answer, where: str) -> None:
        if not 0 <= answer.field < len(self.study.fields) or answer.score not in SCORES:
            raise StudyError(
                f"{where} is none to this study: it asks for a score from 1 to 5 of one of "
                f"{len(self.study.fields)} fields."
            )


def _field(number: int, region: Region, virtual: bool) -> StudyField:
    bounds = region.bounds
    return StudyField(
        region=f"{number + 1}. {region.name}" if region.name else f"{number + 1}",
        virtual=virtual,
        x=bounds.x,
        y=bounds.y,
        width=bounds.width,
        height=bounds.height,
    )


def _cut_half_line(file: BinaryIO) -> None:
    """Drop what was being written when the program was killed, so that lines stay whole."""
    end = file.seek(0, os.SEEK_END)
    file.seek(max(0, end - LONGEST_LINE))
    tail = file.read()
    if tail and not tail.endswith(b"\n"):
        file.truncate(end - len(tail) + tail.rfind(b"\n") + 1)
