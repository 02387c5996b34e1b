"""A journal: whatever happens while it is written, what was written before is read again."""

import errno
import os
from pathlib import Path
from typing import Any

import pytest

from stainapp.errors import SessionError
from stainapp.session.journal import Content, Journal, encoded, read_journal

ONE, TWO, THREE = {"n": 1}, {"n": 2, "text": "Präparat \u0416"}, {"n": 3}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "deep" / "j.jsonl"


def read(path: Path) -> Content:
    content = read_journal(path)
    assert content is not None
    return content


def test_what_is_added_is_read_in_order(path: Path) -> None:
    assert read_journal(path) is None
    journal = Journal(path)

    journal.append([ONE, TWO])
    journal.append([THREE])
    Journal(path).append([ONE])

    assert read(path) == Content((ONE, TWO, THREE, ONE))


@pytest.mark.parametrize("cut", range(1, len(encoded([THREE])) + 1))
def test_a_line_torn_anywhere_is_ignored_and_the_rest_kept(path: Path, cut: int) -> None:
    Journal(path).append([ONE, TWO, THREE])
    path.write_bytes(path.read_bytes()[:-cut])

    assert read(path) == Content((ONE, TWO))

    Journal(path).append([ONE])
    assert read(path) == Content((ONE, TWO, ONE))


@pytest.mark.parametrize("line", [b"\0\0\0", b"[1]", b"{", b"[" * 100_000])
def test_a_damaged_line_is_told_and_what_stands_before_it_kept(path: Path, line: bytes) -> None:
    Journal(path).append([ONE])
    with path.open("ab") as file:
        file.write(line + b"\n" + encoded([TWO]))

    assert read(path) == Content((ONE,), damaged=True)


def test_each_addition_is_on_the_disk_before_it_counts(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced, real = list[bytes](), os.fsync

    def fsync(file: int) -> None:
        if path.exists():
            synced.append(path.read_bytes())
        real(file)

    monkeypatch.setattr(os, "fsync", fsync)
    Journal(path).append([ONE])

    assert synced[0] == encoded([ONE])


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EROFS])
def test_a_write_that_fails_halfway_leaves_nothing_behind_and_can_be_repeated(
    path: Path, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    journal = Journal(path)
    journal.append([ONE])

    def fails(_: int) -> None:
        raise OSError(code, os.strerror(code))  # all, or a part, is in the file by now

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", fails)
        with pytest.raises(SessionError, match=rf"{os.strerror(code)}\); free some space"):
            journal.append([TWO])
    path.write_bytes(path.read_bytes()[:-3])
    journal.append([THREE])

    assert read(path) == Content((ONE, THREE))


class Killed(BaseException):
    """The program ends here: nothing that catches errors may go on."""


def test_a_program_killed_while_compacting_leaves_the_old_journal_or_the_new(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Journal(path).append([ONE, TWO])

    def stop(*_: Any) -> None:
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", stop)
        with pytest.raises(Killed):
            Journal(path).rewrite([THREE])
    assert read(path) == Content((ONE, TWO))

    journal = Journal(path)
    journal.rewrite([THREE])
    journal.append([ONE])
    assert read(path) == Content((THREE, ONE))


def test_a_journal_that_may_not_be_read_is_not_taken_for_none(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Journal(path).append([ONE])

    def refuse(_: Path) -> bytes:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "read_bytes", refuse)
    with pytest.raises(SessionError, match="Permission denied"):
        read_journal(path)
