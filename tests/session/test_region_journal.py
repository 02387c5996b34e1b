"""A slide's journal: begun from what earlier versions kept, held by one, compacted, repaired."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from stainapp.errors import SessionError
from stainapp.session import region_file
from stainapp.session.geojson import encoded
from stainapp.session.history import History, step_to
from stainapp.session.history_records import REDO, UNDO, step_record
from stainapp.session.journal import read_journal
from stainapp.session.region_journal import SUFFIX, TakenUp, WholeJournal, look_at, take_up
from stainapp.session.regions import Document, Region

SLIDE = "b" * 64
OLD = Document((Region.rectangle(0, 0, 5, 5, name="old"),))


@pytest.fixture(autouse=True)
def released() -> Iterator[list[TakenUp]]:
    """Every journal is let go of in the end."""
    held: list[TakenUp] = []
    yield held
    for one in held:
        if one.journal is not None:
            one.journal.close()


def path() -> Path:
    return region_file.path_of(SLIDE, SUFFIX)


def opened(held: list[TakenUp]) -> TakenUp:
    while held:
        one = held.pop()
        if one.journal is not None:
            one.journal.close()
    held.append(take_up(SLIDE, "a slide"))
    return held[0]


def draw(one: TakenUp, name: str) -> None:
    document = one.history.document
    step = step_to("Draw", document, document.put([Region.rectangle(0, 0, 9, 9, name=name)]))
    one.history.do(step)
    assert one.journal is not None
    one.journal.append([step_record(step, document.classes)])


def names(history: History) -> list[str]:
    return [region.name for region in history.document.regions]


def test_looking_at_a_slide_writes_nothing(released: list[TakenUp]) -> None:
    assert look_at(SLIDE) is None
    one = opened(released)

    assert one.history.document == Document()
    assert not path().exists()


def test_what_was_done_is_there_again_with_its_history(released: list[TakenUp]) -> None:
    one = opened(released)
    for name in ("one", "two", "three"):
        draw(one, name)
    one.history.undo()
    assert one.journal is not None
    one.journal.append([UNDO])

    again = opened(released)

    assert names(again.history) == ["one", "two"]
    assert again.history.redo()
    assert names(again.history) == ["one", "two", "three"]
    assert look_at(SLIDE) == again.history.document.without([again.history.document.regions[2].id])


def test_what_an_earlier_version_kept_is_where_a_journal_begins(released: list[TakenUp]) -> None:
    kept = region_file.path_of(SLIDE)
    kept.parent.mkdir(parents=True)
    kept.write_bytes(encoded(OLD))

    one = opened(released)
    assert one.history.document == OLD
    draw(one, "new")

    again = opened(released)
    assert names(again.history) == ["old", "new"]
    again.history.undo()
    assert again.history.document == OLD
    assert not again.history.undo()
    assert kept.read_bytes() == encoded(OLD), "it stays for the version that wrote it"


def test_a_slide_is_held_by_one_window_at_a_time(released: list[TakenUp]) -> None:
    one = opened(released)
    draw(one, "mine")

    second = take_up(SLIDE, "a slide")

    assert second.journal is None
    assert names(second.history) == ["mine"]
    assert "open in another window" in second.warnings[0]
    assert one.journal is not None
    one.journal.close()
    third = take_up(SLIDE, "a slide")
    released.append(third)
    assert third.journal is not None


def test_a_torn_last_line_is_passed_over_in_silence(released: list[TakenUp]) -> None:
    one = opened(released)
    draw(one, "one")
    draw(one, "two")
    path().write_bytes(path().read_bytes()[:-9])

    again = opened(released)
    assert (names(again.history), again.warnings) == (["one"], ())
    draw(again, "three")

    assert names(opened(released).history) == ["one", "three"]


def test_a_journal_damaged_in_the_middle_is_put_aside_and_its_beginning_kept(
    released: list[TakenUp],
) -> None:
    one = opened(released)
    for name in ("one", "two", "three"):
        draw(one, name)
    *lines, last = path().read_bytes().splitlines(keepends=True)
    damaged = b"".join([*lines[:-1], b"\0" * 99 + b"\n", last])
    path().write_bytes(damaged)

    again = opened(released)
    assert names(again.history) == ["one"]
    assert "put aside as" in again.warnings[0]
    assert path().with_name(path().name + ".damaged").read_bytes() == damaged
    draw(again, "four")

    third = opened(released)
    assert (names(third.history), third.warnings) == (["one", "four"], ())


def test_steps_back_and_on_are_compacted_away(released: list[TakenUp]) -> None:
    one = opened(released)
    draw(one, "one")
    draw(one, "two")
    assert one.journal is not None
    one.journal.append([UNDO, REDO] * 50)

    again = opened(released)

    content = read_journal(path())
    assert content is not None
    assert len(content.records) == 4
    assert names(again.history) == ["one", "two"]
    assert len(again.history.done) == 2


def test_a_newer_program_s_journal_is_left_alone(released: list[TakenUp]) -> None:
    draw(opened(released), "one")
    newer = path().read_bytes().replace(b'"version":1', b'"version":2', 1)
    path().write_bytes(newer)

    with pytest.raises(SessionError, match="newer stainapp"):
        opened(released)

    assert path().read_bytes() == newer
    path().write_bytes(newer.replace(b'"version":2', b'"version":1', 1))
    assert names(opened(released).history) == ["one"], "the failure let go of the slide"


def test_a_history_from_elsewhere_replaces_a_journal_whole(released: list[TakenUp]) -> None:
    from stainapp.session.history_records import records_of

    elsewhere = History(OLD)
    elsewhere.do(step_to("Rename", OLD, OLD.put([replace(OLD.regions[0], name="new")])))
    one = opened(released)
    assert one.journal is not None

    WholeJournal(one.journal).append(records_of(elsewhere, "a slide"))

    again = opened(released)
    assert names(again.history) == ["new"]
    assert again.history.undo()
    assert again.history.document == OLD
