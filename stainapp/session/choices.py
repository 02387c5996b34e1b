"""What the user has chosen in a window (slide, field, layout, model, ...), kept as it is chosen.

{"stainapp": "window", "version": 1}
{"set": {NAME: VALUE, ...}}       values are JSON; a later one goes before an earlier one
{"ended": 1}                      the window was closed, and did not crash
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

from stainapp.errors import SessionError
from stainapp.session.journal import Journal, Record, read_journal
from stainapp.settings import home
from stainapp.slides.file_lock import FileLock, HeldError

Choices: TypeAlias = Mapping[str, Any]
"""What is chosen, by name, as JSON has it."""

KIND, VERSION = "window", 1
HEADER: Record = {"stainapp": KIND, "version": VERSION}
ENDED: Record = {"ended": 1}
MOST_WINDOWS = 32
MOST_RECORDS = 400
"""So many make the journal be rewritten with what they come to."""


@dataclass(frozen=True, slots=True)
class Recalled:
    """How a window was left."""

    choices: Choices = field(default_factory=dict)
    ended: bool = True
    """False where the program was killed, or the power went."""


class ChoiceJournal:
    """One window's journal. Several windows have one each, the first that is free."""

    def __init__(self, number: int, lock: FileLock) -> None:
        self._journal = Journal(_path(number))
        self._lock = lock
        self._records = MOST_RECORDS  # the first addition writes the header too
        self.choices: dict[str, Any] = {}

    def append(self, records: Iterable[Record]) -> None:
        """Add records; see `Journal.append`."""
        records = list(records)
        for record in records:
            self.choices.update(record.get("set", {}))
        self._records += len(records)
        if self._records > MOST_RECORDS:
            last = [record for record in records if "set" not in record]
            self._journal.rewrite([HEADER, set_record(self.choices), *last])
            self._records = 0
        else:
            self._journal.append(records)

    def close(self) -> None:
        """Let another window have it."""
        self._lock.release()


def set_record(choices: Choices) -> Record:
    return {"set": dict(choices)}


def take_up_window() -> tuple[ChoiceJournal, Recalled]:
    """Return the first journal that no open window holds, and how that window was left.

    Raises:
        SessionError: the folder cannot be written, or the journal is a newer program's.
    """
    folder = _path(1).parent
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for number in range(1, MOST_WINDOWS):
            try:
                lock = FileLock(_path(number).with_suffix(".lock"))
            except HeldError:
                continue
            try:
                journal, recalled = ChoiceJournal(number, lock), _recalled(number)
            except BaseException:
                lock.release()
                raise
            journal.choices.update(recalled.choices)
            return journal, recalled
    except OSError as error:
        raise SessionError(
            f"{folder} cannot be written ({error.strerror or error}); make it writable, "
            "or set STAINAPP_HOME to another folder."
        ) from error
    raise SessionError(f"{MOST_WINDOWS} windows are open; close some to have more remembered.")


def recalled_in(records: Sequence[Record]) -> Recalled:
    """Return what the records of a window's journal come to."""
    choices: dict[str, Any] = {}
    ended = True
    for record in records:
        told = record.get("set")
        if isinstance(told, Mapping):
            choices.update(told)
        ended = "ended" in record
    return Recalled(choices, ended)


def _recalled(number: int) -> Recalled:
    content = read_journal(_path(number))
    if content is None or not content.records:
        return Recalled()
    version = content.records[0].get("version")
    if not isinstance(version, int) or version > VERSION:
        raise SessionError(
            f"{_path(number)} was written by a newer stainapp; open it with that, or update."
        )
    return recalled_in(content.records)


def _path(number: int) -> Path:
    return home() / "sessions" / f"window-{number}.jsonl"
