"""Where a slide's regions and all that was done to them are kept: a journal per slide.

It lies in the user's own folder under the slide's identity, so that it is found wherever the slide
lies, and is held by one window at a time.
"""

import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from stainapp.errors import SessionError
from stainapp.session import region_file
from stainapp.session.history import History
from stainapp.session.history_records import header, history_in, records_of, start_record
from stainapp.session.journal import Journal, Record, read_journal
from stainapp.session.regions import Document
from stainapp.slides.file_lock import FileLock, HeldError

log = logging.getLogger(__name__)

SUFFIX = ".regions.jsonl"
DEAD_RECORDS = 64
"""A journal with more records than this that no longer say anything is compacted when opened."""


class RegionJournal:
    """The journal of one slide, and the right to write it.

    Args:
        identity: the slide's `SlideInfo.identity`.
        opening: what to begin with, before the first record, where there is no journal yet.
        lock: kept until `close`.
    """

    def __init__(self, identity: str, opening: Sequence[Record], lock: FileLock) -> None:
        self._journal = Journal(region_file.path_of(identity, SUFFIX))
        self._opening = opening
        self._lock = lock

    def append(self, records: Iterable[Record]) -> None:
        """Add records; see `Journal.append`."""
        if self._opening:
            self._journal.rewrite([*self._opening, *records])
            self._opening = ()
        else:
            self._journal.append(records)

    def rewrite(self, records: Iterable[Record]) -> None:
        self._journal.rewrite(records)
        self._opening = ()

    def close(self) -> None:
        """Let another window have it."""
        self._lock.release()


class WholeJournal:
    """A slide's journal, for a scribe to replace and not to add to."""

    def __init__(self, journal: RegionJournal) -> None:
        self._journal = journal

    def append(self, records: Iterable[Record]) -> None:
        self._journal.rewrite(records)


@dataclass(frozen=True, slots=True)
class TakenUp:
    """A slide's regions, and what is to be said of how they were found."""

    history: History
    journal: RegionJournal | None
    """None where they may be looked at and not changed."""
    warnings: tuple[str, ...] = ()


def take_up(identity: str, name: str) -> TakenUp:
    """Read a slide's regions with their history, to go on with them. Reads and writes files.

    Raises:
        SessionError: they are there but cannot be read; do not begin anew then.
        RegionError: the same of what an earlier version kept.
    """
    path = region_file.path_of(identity, SUFFIX)
    warnings: list[str] = []
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        lock = FileLock(path.with_suffix(".lock"))
    except HeldError:
        history, _ = _read(identity, warnings)
        warnings.append(
            f"The regions of {name} are open in another window; change them there, "
            "or close it and reload the slide."
        )
        return TakenUp(history, None, tuple(warnings))
    except OSError as error:
        raise SessionError(
            f"{path.parent} cannot be written ({error.strerror or error}); make it writable, "
            "then reload the slide."
        ) from error
    try:
        history, records = _read(identity, warnings)
        opening: list[Record] = []
        if records is None:
            opening = [header(name), start_record(history.start)]
        elif warnings or _dead(records, history) > DEAD_RECORDS:
            opening = list(records_of(history, name))
    except BaseException:
        lock.release()
        raise
    journal = RegionJournal(identity, opening, lock)
    if records is not None and opening:
        _compact(journal, opening)
    return TakenUp(history, journal, tuple(warnings))


def look_at(identity: str) -> Document | None:
    """Return a slide's regions as they are now, without holding or writing anything.

    Raises:
        SessionError, RegionError: as `take_up`.
    """
    content = read_journal(region_file.path_of(identity, SUFFIX))
    if content is None:
        return region_file.load(identity)
    return _told(identity, content.records)[0].document


def _read(identity: str, warnings: list[str]) -> tuple[History, Sequence[Record] | None]:
    """Return the history, and the journal's records; None where there is no journal yet."""
    path = region_file.path_of(identity, SUFFIX)
    content = read_journal(path)
    if content is None:
        found = region_file.load(identity, warn=warnings.append)
        return History(found or Document()), None
    history, nonsense = _told(identity, content.records)
    if content.damaged or nonsense or not content.records:
        aside = region_file.put_aside(path)
        warnings.append(
            f"A part of what was done to this slide's regions is damaged and was put aside as "
            f"{aside}; {len(history.document.regions)} regions could be read."
        )
    return history, content.records


def _told(identity: str, records: Sequence[Record]) -> tuple[History, bool]:
    try:
        return history_in(records)
    except SessionError as error:
        raise SessionError(f"{region_file.path_of(identity, SUFFIX)} {error}.") from error


def _dead(records: Sequence[Record], history: History) -> int:
    """Return how many records say nothing any more: steps back and on, steps not done again."""
    return len(records) - 2 - len(history.done) - 2 * len(history.undone)


def _compact(journal: RegionJournal, records: Sequence[Record]) -> None:
    try:
        journal.rewrite(records)
    except SessionError as error:  # the long one, or its readable part, does for now
        log.warning("not compacted: %s", error)
