"""A session in a file of its own, to be kept, moved with its slides or given to somebody.

A journal like those of the window and of a slide, one after the other; see `choices` and
`history_records` for the records between these:

    {"stainapp": "session", "version": 1}
    {"set": {...}}
    {"slide": IDENTITY}    the records of this slide's regions follow
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stainapp.errors import SessionError
from stainapp.session.choices import Choices, recalled_in, set_record
from stainapp.session.history import History
from stainapp.session.history_records import history_in, records_of
from stainapp.session.journal import Journal, Record, read_journal
from stainapp.session.slide_place import SlidePlace

SUFFIX = ".stainapp"
KIND, VERSION = "session", 1


@dataclass(frozen=True, slots=True)
class Session:
    """All that a window holds of the user's work."""

    choices: Choices
    histories: dict[str, History]
    """The regions by their slide's identity."""

    @property
    def slide(self) -> SlidePlace | None:
        return SlidePlace.of_json(self.choices.get("slide"))


def write_session(path: Path, session: Session) -> None:
    """Write a session's file; the whole file or none. Not for the GUI thread.

    Raises:
        SessionError: it cannot be written.
    """
    Journal(path).rewrite(_records(path, session))


def read_session(path: Path) -> Session:
    """Return what a session's file holds.

    Raises:
        SessionError: it cannot be read, is damaged, or is no session.
    """
    content = read_journal(path)
    if content is None:
        raise SessionError(f"{path} is not there; choose another session.")
    if not content.records or content.records[0].get("stainapp") != KIND:
        raise SessionError(f"{path} is no session of stainapp; choose a file that it has saved.")
    if content.records[0].get("version") != VERSION:
        raise SessionError(f"{path} was written by a newer stainapp; update to open it.")
    choices: list[Record] = []
    slides: dict[str, list[Record]] = {}
    into = choices
    for record in content.records[1:]:
        if "slide" in record and "stainapp" not in record:
            into = slides.setdefault(str(record["slide"]), [])
        else:
            into.append(record)
    histories = {}
    for identity, records in slides.items():
        try:
            histories[identity], nonsense = history_in(records)
        except SessionError as error:
            raise SessionError(f"A slide's regions in {path} {error}.") from error
        if nonsense or content.damaged:
            raise SessionError(f"{path} is damaged; take the copy that it comes from.")
    return Session(recalled_in(choices).choices, histories)


def _records(path: Path, session: Session) -> Iterator[Record]:
    choices: dict[str, Any] = dict(session.choices)
    slide = session.slide
    if slide is not None:
        choices["slide"] = slide.seen_from(path.parent).as_json()
    yield {"stainapp": KIND, "version": VERSION}
    yield set_record(choices)
    for identity, history in session.histories.items():
        yield {"slide": identity}
        yield from records_of(history, slide.name if slide else "")
