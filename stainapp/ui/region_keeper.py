"""Keeps the open slide's regions: every step goes into the slide's journal as it is done."""

from functools import partial

from PySide6.QtCore import QObject, Signal

from stainapp.session.history import History
from stainapp.session.history_records import REDO, UNDO, records_of, step_record
from stainapp.session.region_journal import RegionJournal, TakenUp, WholeJournal, look_at, take_up
from stainapp.session.regions import BLANK
from stainapp.ui.region_editor import RegionEditor
from stainapp.ui.saving import Saving


class RegionKeeper(QObject):
    """Takes up a slide's regions with their history, and writes down what is done to them.

    Args:
        editor: whose regions are kept.
        saving: reads and writes.
        writes: False to show regions and leave their journals alone, as for a picture.
    """

    failed = Signal(str)

    def __init__(
        self,
        editor: RegionEditor,
        saving: Saving,
        parent: QObject | None = None,
        *,
        writes: bool = True,
    ) -> None:
        super().__init__(parent)
        self._editor, self._saving = editor, saving
        self._writes = writes
        self._identity, self._name = "", ""
        self._journal: RegionJournal | None = None
        self._left: dict[str, tuple[History, RegionJournal]] = {}
        """Of slides that were left before they could be written."""
        editor.stepped.connect(self._on_step)
        saving.saved.connect(self._on_saved)

    @property
    def identity(self) -> str:
        """The slide whose regions are open, or on their way."""
        return self._identity

    def open(self, identity: str, name: str) -> None:
        """Take up the regions of the slide with this `SlideInfo.identity`."""
        if identity == self._identity and self._editor.ready:
            return  # the same slide once more, with another scale perhaps
        self.leave()
        self._identity, self._name = identity, name
        if identity in self._left:
            history, self._journal = self._left.pop(identity)
            self._editor.show(history)
            return
        read = take_up if self._writes else _look
        self._saving.run(
            partial(read, identity, name), partial(self._on_taken_up, identity), self.failed.emit
        )

    def leave(self) -> None:
        """Let go of the slide's regions."""
        journal, self._journal = self._journal, None
        if journal is not None and self._saving.pending:
            self._left[self._identity] = self._editor.history, journal
        elif journal is not None:
            self._close(journal)
        self._identity = ""
        self._editor.leave()

    def adopt(self, identity: str, history: History, text: str) -> None:
        """Show what a session's file says of the open slide; undo brings back what was there.

        Where nothing was ever drawn here, its own steps come along and can be undone one by one.
        """
        editor, journal = self._editor, self._journal
        if identity != self._identity or not editor.ready:
            return
        here = editor.history
        blank = here.document == BLANK and not here.done and not here.undone
        if blank and journal is not None:
            editor.show(history)
            records = list(records_of(history, self._name))
            self._saving.append(WholeJournal(journal), lambda: records)
        elif here.document.regions != history.document.regions:
            editor.become(history.document, text)

    def close(self) -> None:
        """Let go of all journals; what was asked for is written first, by `Saving.close`."""
        self.leave()
        for _, journal in self._left.values():
            self._close(journal)
        self._left.clear()

    def _on_step(self, what: object) -> None:
        if self._journal is None:
            return
        history = self._editor.history
        if what == "do":
            step, classes = history.done[-1], history.document.classes
            self._saving.append(self._journal, lambda: [step_record(step, classes)])
        else:
            record = UNDO if what == "undo" else REDO
            self._saving.append(self._journal, lambda: [record])

    def _on_taken_up(self, identity: str, found: TakenUp) -> None:
        if identity != self._identity or self._editor.ready:
            if found.journal is not None:  # another slide was opened meanwhile
                self._close(found.journal)
            return
        for sentence in found.warnings:
            self.failed.emit(sentence)
        self._journal = found.journal
        self._editor.show(found.history, may_change=found.journal is not None)

    def _on_saved(self) -> None:
        for _, journal in self._left.values():
            self._close(journal)
        self._left.clear()

    def _close(self, journal: RegionJournal) -> None:
        self._saving.run(journal.close, _nothing, _nothing)


def _look(identity: str, name: str) -> TakenUp:
    """Return a slide's regions to look at."""
    return TakenUp(History(look_at(identity) or BLANK), None)


def _nothing(_: object) -> None:
    pass
