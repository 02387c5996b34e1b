"""What is chosen in the window, written down as it is chosen and taken up again from there.

Each choice is an entry of a list: a name, how it is read, how it is taken up. Whoever adds a part
to the window adds its choices here, and they come back like all others.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from PySide6.QtCore import QObject, Signal

from stainapp.session.choices import (
    ENDED,
    ChoiceJournal,
    Choices,
    Recalled,
    set_record,
    take_up_window,
)
from stainapp.session.slide_place import SlideGoneError, SlidePlace, found
from stainapp.ui.field import single_shot
from stainapp.ui.saving import Saving

DELAY_MS = 150
"""Choices that follow one another faster, as while panning, are written together."""
SLIDE = "slide"


@dataclass(frozen=True, slots=True)
class Choice:
    """One thing that can be chosen in the window."""

    name: str
    read: Callable[[], Any]
    """Return it as JSON has it."""
    take: Callable[[Any], object]
    """Bring the window to it. May raise what wrong values raise."""
    on_slide: bool = False
    """Whether it means anything only once the session's slide is open."""


class WindowSession(QObject):
    """Writes choices down, and brings the window to those of a session.

    Args:
        saving: reads and writes.
        writes: False to remember and recall nothing, as for a picture.
    """

    recalled = Signal(object)  # Recalled
    """How the window was left last time; comes once, after `begin`."""
    slide_found = Signal(str, object)  # address, mpp: float | None
    """Where a session's slide lies now: it is to be opened."""
    slide_gone = Signal(object, object)  # SlidePlace, Path | None: the session's file
    failed = Signal(str)

    def __init__(
        self, saving: Saving, parent: QObject | None = None, *, writes: bool = True
    ) -> None:
        super().__init__(parent)
        self._saving, self._writes = saving, writes
        self._choices: list[Choice] = []
        self._journal: ChoiceJournal | None = None
        self._written: dict[str, Any] = {}
        self._awaited: SlidePlace | None = None
        self._waiting: dict[str, Any] = {}
        self._timer = single_shot(self, DELAY_MS, self._write)

    def add(self, *choices: Choice) -> None:
        self._choices.extend(choices)

    def begin(self) -> None:
        """Look how the window was left; `recalled` tells."""
        if self._writes:
            self._saving.run(take_up_window, self._on_taken_up, self._on_refused)
        else:
            self.recalled.emit(Recalled())

    @property
    def values(self) -> dict[str, Any]:
        """All that is chosen now."""
        return {choice.name: choice.read() for choice in self._choices}

    @property
    def unwritten(self) -> bool:
        """Whether something was chosen that nobody was asked to write down yet."""
        return self._timer.isActive()

    def note(self, *_: object) -> None:
        """Something was chosen: write down what, soon."""
        if self._journal is not None and self._awaited is None and not self._timer.isActive():
            self._timer.start()

    def restore(
        self, choices: Choices, folders: Iterable[Path] = (), session: Path | None = None
    ) -> None:
        """Bring the window to a session: to its slide, once that is found, and to all else.

        Args:
            choices: the session's.
            folders: where its slide may lie if it is not where it was.
            session: the file that the session was read from.
        """
        slide = SlidePlace.of_json(choices.get(SLIDE))
        if slide is None:
            return
        self.await_slide(slide, choices)
        self._saving.run(
            partial(_find, slide, tuple(folders), session),
            partial(self._on_searched, slide, session),
            self._on_refused,
        )

    def await_slide(self, slide: SlidePlace, choices: Choices) -> None:
        """Take choices up, some once this slide is open; until then nothing is written down."""
        self._awaited, self._waiting = slide, dict(choices)
        self._take(choices, on_slide=False)

    def slide_is_here(self, identity: str) -> None:
        """Take up what was waiting for this slide; if another was opened, forget it."""
        slide, self._awaited = self._awaited, None
        if slide is not None and slide.identity in ("", identity):
            self._take(self._waiting, on_slide=True)
        elif slide is not None:
            self.failed.emit(f"This is another slide than {slide.name}, which the session was of.")
        self._waiting = {}
        self.note()

    def give_up_slide(self) -> None:
        """Wait no more: the slide is gone, or does not open."""
        self._awaited, self._waiting = None, {}
        self.note()

    def forget_slide(self) -> None:
        """Go on without the session's slide, and do not ask for it again."""
        self._awaited, self._waiting = None, {}
        if self._journal is not None:
            self._written[SLIDE] = None
            self._saving.append(self._journal, lambda: [set_record({SLIDE: None})], quietly=True)

    def end(self) -> None:
        """Write down the last choices, and that the window was closed."""
        if self._journal is None:
            return
        self._timer.stop()
        journal, self._journal = self._journal, None
        changed = self._changed() if self._awaited is None else {}
        records = [*([set_record(changed)] if changed else []), ENDED]
        self._saving.append(journal, lambda: records, quietly=True)
        self._saving.run(journal.close, _nothing, _nothing)

    # parts

    def _write(self) -> None:
        changed = self._changed()
        if changed and self._journal is not None and self._awaited is None:
            self._written.update(changed)
            self._saving.append(self._journal, lambda: [set_record(changed)], quietly=True)

    def _changed(self) -> dict[str, Any]:
        """Return what is chosen otherwise than written; an empty window chooses nothing."""
        now = self.values
        if now.get(SLIDE) is None:
            return {}
        return {
            name: value
            for name, value in now.items()
            if name not in self._written or self._written[name] != value
        }

    def _take(self, choices: Choices, *, on_slide: bool) -> None:
        for choice in self._choices:
            if choice.on_slide == on_slide and choices.get(choice.name) is not None:
                try:
                    choice.take(choices[choice.name])
                except (AttributeError, IndexError, KeyError, TypeError, ValueError):
                    continue  # another version's, or written by hand: the window stays as it is

    def _on_taken_up(self, found: tuple[ChoiceJournal, Recalled]) -> None:
        self._journal, recalled = found
        self._written = dict(recalled.choices)
        self.recalled.emit(recalled)
        self.note()

    def _on_refused(self, sentence: str) -> None:
        self.failed.emit(sentence)
        if self._awaited is not None:
            self.give_up_slide()
        else:
            self.recalled.emit(Recalled())

    def _on_searched(self, slide: SlidePlace, session: Path | None, address: str) -> None:
        if self._awaited is not slide:
            return  # the user has opened another meanwhile
        if address:
            self.slide_found.emit(address, slide.mpp)
        else:
            self.slide_gone.emit(slide, session)


def _find(slide: SlidePlace, folders: tuple[Path, ...], session: Path | None) -> str:
    """Return where the slide lies; "" where it is gone."""
    try:
        return found(slide, folders, session)
    except SlideGoneError:
        return ""


def _nothing(_: object) -> None:
    pass
