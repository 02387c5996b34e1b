"""Steps go back and on without limit, and a history told to a journal is the same when read."""

import json
import random
from dataclasses import replace

import pytest

from stainapp.errors import SessionError
from stainapp.session.history import History, step_to
from stainapp.session.history_records import REDO, UNDO, history_in, records_of, step_record
from stainapp.session.journal import Record
from stainapp.session.regions import Document, Region

Records = list[Record]


def rectangle(x: float, name: str = "") -> Region:
    return Region.rectangle(x, 0, 5, 5, name=name)


def change(history: History, after: Document, text: str = "Change") -> None:
    history.do(step_to(text, history.document, after, history.selected, ()))


def as_file(records: Records) -> Records:
    """As they come out of a file."""
    return [json.loads(json.dumps(record)) for record in records]


def drawn(count: int) -> tuple[History, list[Document]]:
    """Return a history of random changes, and the documents on its way."""
    chance, history = random.Random(7), History(Document((rectangle(0), rectangle(10))))
    way = [history.document]
    for number in range(count):
        regions = list(history.document.regions)
        match chance.choice(("add", "change", "remove", "classes")):
            case "add":
                regions.insert(chance.randint(0, len(regions)), rectangle(20 + number))
            case "change" if regions:
                at = chance.randrange(len(regions))
                regions[at] = replace(regions[at].moved(1, 1), name=f"{number}")
            case "remove" if regions:
                for at in sorted({chance.randrange(len(regions)) for _ in range(3)}, reverse=True):
                    del regions[at]
        classes = {**history.document.classes, f"class {number}": (1, 2, number % 256)}
        change(history, replace(history.document, regions=tuple(regions), classes=classes))
        way.append(history.document)
    return history, way


def test_every_step_can_be_taken_back_and_done_again() -> None:
    history, way = drawn(200)

    for document in reversed(way[:-1]):
        assert history.undo()
        assert history.document == document
    assert not history.undo()
    for document in way[1:]:
        assert history.redo()
        assert history.document == document
    assert not history.redo()


def test_a_new_step_ends_what_could_be_done_again() -> None:
    history, _ = drawn(3)
    history.undo()

    change(history, history.document.without([history.document.regions[0].id]))

    assert not history.redo()
    assert len(history.done) == 3


def test_a_step_holds_only_what_it_changed() -> None:
    many = Document(tuple(rectangle(x) for x in range(1000)))

    step = step_to("Move", many, many.put([many.regions[500].moved(1, 1)]))

    assert [place for place, _ in step.before.regions] == [500]
    assert [place for place, _ in step.after.regions] == [500]
    assert step.after.classes is None


def test_a_step_brings_the_selection_of_either_side() -> None:
    history, region = History(), rectangle(0)
    history.do(step_to("Draw", Document(), Document((region,)), ("before",), (region.id,)))

    history.undo()
    assert history.selected == ("before",)
    history.redo()
    assert history.selected == (region.id,)


def test_a_journal_written_step_by_step_gives_the_history_again() -> None:
    history, _ = drawn(60)
    told: Records = [*records_of(History(history.start), "a slide")]
    told += [step_record(step, history.document.classes) for step in history.done]
    for _ in range(4):
        history.undo()
        told.append(UNDO)
    history.redo()
    told.append(REDO)

    again, nonsense = history_in(as_file(told))

    assert not nonsense
    same(again, history)


def test_a_compacted_journal_gives_the_history_again() -> None:
    history, _ = drawn(40)
    for _ in range(10):
        history.undo()

    again, _ = history_in(as_file([*records_of(history, "a slide")]))

    same(again, history)


def same(one: History, other: History) -> None:
    """Compare two histories on their whole way, there and back."""
    assert len(one.undone) == len(other.undone)
    while one.redo():
        assert other.redo()
        assert one.document == other.document
    assert not other.redo()
    while one.undo():
        assert other.undo()
        assert one.document == other.document
    assert not other.undo()


def test_a_polygon_that_looks_like_a_rectangle_stays_a_polygon() -> None:
    region = replace(rectangle(0), shape="polygon")
    history = History()
    change(history, Document((region,)))

    again, _ = history_in(as_file([*records_of(history, "")]))

    assert again.document.regions == (region,)


@pytest.mark.parametrize(
    "record", [{"do": "x"}, {"do": "x", "gone": [], "come": [[0, {}, "polygon"]], "selected": 5}]
)
def test_what_makes_no_sense_ends_the_reading_and_is_told(record: Record) -> None:
    history, _ = drawn(5)
    told = [*records_of(history, ""), record, UNDO]

    again, nonsense = history_in(as_file(told))

    assert nonsense
    assert again.document == history.document


@pytest.mark.parametrize(
    ("first", "reason"),
    [
        ({"stainapp": "window", "version": 1}, "no journal of regions"),
        ({"stainapp": "regions", "version": 99}, "newer stainapp"),
        ({"set": {}}, "no journal of regions"),
    ],
)
def test_other_journals_are_not_taken_for_regions(first: Record, reason: str) -> None:
    with pytest.raises(SessionError, match=reason):
        history_in([first])
