"""The scribe writes in order, keeps what fails, and is done when it is closed."""

from collections.abc import Iterable
from threading import Event, get_ident
from typing import Any

import pytest

from stainapp.errors import SessionError
from stainapp.session import scribe as scribe_module
from stainapp.session.journal import Record
from stainapp.session.scribe import Scribe, Standing

WAIT_S = 60.0


class Paper:
    """What is written to, and may be full."""

    def __init__(self) -> None:
        self.lines: list[Any] = []
        self.full = False
        self.threads: set[int] = set()

    def append(self, records: Iterable[Record]) -> None:
        self.threads.add(get_ident())
        records = list(records)
        if self.full:
            raise SessionError("The disk is full; free some space.")
        self.lines += [record["n"] for record in records]


class Told:
    """Hears how the writing stands."""

    def __init__(self) -> None:
        self.standings: list[Standing] = []
        self.failed, self.saved = Event(), Event()

    def __call__(self, standing: Standing) -> None:
        self.standings.append(standing)
        (self.failed if standing.error else self.saved).set()


def broken() -> None:
    raise ZeroDivisionError


def put(scribe: Scribe, paper: Paper, number: int) -> None:
    scribe.append(paper, lambda: [{"n": number}])


def test_all_is_written_in_order_and_elsewhere_before_closing_ends() -> None:
    paper, told = Paper(), Told()
    scribe = Scribe(told)
    for number in range(100):
        put(scribe, paper, number)

    scribe.close()

    assert paper.lines == list(range(100))
    assert get_ident() not in paper.threads
    assert told.standings[-1] == Standing(100)


def test_work_finds_all_written_that_was_asked_for_before_it() -> None:
    paper, seen = Paper(), list[Any]()
    scribe = Scribe(Told())
    put(scribe, paper, 1)
    put(scribe, paper, 2)
    scribe.run(lambda: seen.extend(paper.lines))
    put(scribe, paper, 3)
    scribe.close()

    assert seen == [1, 2]


def test_what_fails_is_kept_and_written_with_what_comes_next() -> None:
    paper, other, told = Paper(), Paper(), Told()
    scribe = Scribe(told)
    paper.full = True
    put(scribe, paper, 1)
    assert told.failed.wait(WAIT_S)
    put(scribe, other, 7)
    paper.full = False
    put(scribe, paper, 2)
    scribe.close()

    assert (paper.lines, other.lines) == ([1, 2], [7])
    assert "disk is full" in told.standings[0].error
    assert told.standings[-1] == Standing(3)


def test_what_fails_is_tried_again_by_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scribe_module, "RETRY_S", 0.01)
    paper, told = Paper(), Told()
    scribe = Scribe(told)
    paper.full = True
    put(scribe, paper, 1)
    assert told.failed.wait(WAIT_S)

    paper.full = False
    assert told.saved.wait(WAIT_S)

    assert paper.lines == [1]
    scribe.close()


def test_what_still_fails_at_the_end_is_told() -> None:
    paper, told = Paper(), Told()
    scribe = Scribe(told)
    paper.full = True
    put(scribe, paper, 1)

    scribe.close()

    assert told.standings[-1] == Standing(0, "The disk is full; free some space.")


def test_records_that_cannot_be_made_do_not_end_the_thread() -> None:
    paper, told = Paper(), Told()
    scribe = Scribe(told)
    scribe.append(Paper(), lambda: [{"n": int("x")}])
    scribe.run(broken)
    put(scribe, paper, 1)

    scribe.close()

    assert paper.lines == [1]
    assert "export it" in told.standings[-1].error
