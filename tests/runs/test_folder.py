import errno
import json
import subprocess
import sys
from pathlib import Path
from threading import Event, Thread

import pytest

from stainapp.errors import TrainingError
from stainapp.runs.folder import EventReader, Events, RunFolder


def test_the_last_word_said_is_heard_and_a_wish_leaves_it_as_it_was(tmp_path: Path) -> None:
    run = RunFolder(tmp_path)
    assert run.control() == ("run", 0)

    run.say("pause")
    run.ask_for_live()
    word, wish = run.control()
    run.say("stop")

    assert word == "pause"
    assert wish > 0
    assert run.control() == ("stop", wish)


@pytest.mark.parametrize("said", ["", "{", "[]", '{"word": "dance", "live": "now"}', "\udcff"])
def test_a_word_that_makes_no_sense_means_go_on(said: str, tmp_path: Path) -> None:
    (tmp_path / "control.json").write_bytes(said.encode(errors="surrogateescape"))

    assert RunFolder(tmp_path).control() == ("run", 0)


def test_a_word_that_cannot_be_written_is_one_sentence_and_leaves_nothing_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = RunFolder(tmp_path)
    run.say("pause")

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", full)

    with pytest.raises(TrainingError, match="cannot be written \\(No space left"):
        run.say("stop")

    assert run.control()[0] == "pause"
    assert [path.name for path in tmp_path.iterdir()] == ["control.json"]


def test_one_process_at_a_time_works_on_a_run(tmp_path: Path) -> None:
    run = RunFolder(tmp_path)
    lock = run.lock()

    with pytest.raises(TrainingError, match="worked on by another process; stop that one"):
        run.lock()
    assert run.is_running()
    lock.release()

    assert not run.is_running()
    run.lock().release()


def test_a_run_is_deleted_whole_and_not_while_it_is_worked_on(tmp_path: Path) -> None:
    run, beside = RunFolder(tmp_path / "run"), tmp_path / "beside"
    run.checkpoints.mkdir(parents=True)
    beside.mkdir()
    (run.checkpoints / "1.pt").write_bytes(b"learnt")
    lock = run.lock()

    with pytest.raises(TrainingError, match="another process"):
        run.delete()
    assert (run.checkpoints / "1.pt").exists()
    lock.release()
    run.delete()

    assert list(tmp_path.iterdir()) == [beside]


def test_a_run_whose_files_are_held_is_told_in_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = RunFolder(tmp_path / "run")
    run.path.mkdir()

    def held(*_: object) -> None:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(Path, "rename", held)

    with pytest.raises(TrainingError, match=r"run cannot be deleted \(Permission denied\)"):
        run.delete()


def test_who_asks_whether_a_run_is_on_keeps_nobody_from_beginning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run, waited = RunFolder(tmp_path), Event()
    asking = run.lock()  # as `is_running` holds it for a moment

    def wait(_seconds: float) -> None:
        asking.release()
        waited.set()

    monkeypatch.setattr("stainapp.runs.folder.time.sleep", wait)

    run.lock().release()

    assert waited.is_set()


def test_the_lock_of_a_process_that_died_is_free(tmp_path: Path) -> None:
    code = (
        "import os, sys; from pathlib import Path; from stainapp.runs.folder import RunFolder;"
        "lock = RunFolder(Path(sys.argv[1])).lock(); os._exit(9)"
    )
    assert subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=False).returncode == 9
    run = RunFolder(tmp_path)

    assert run.lock_file.exists()
    assert not run.is_running()
    run.lock().release()


def test_a_reader_gives_each_event_once_and_waits_for_the_end_of_a_line(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    reader = EventReader(path)
    assert list(reader.new()) == []

    path.write_bytes(b'{"event": "start"}\n{"event": "st')
    first = [event["event"] for event in reader.new()]
    with path.open("ab") as file:
        file.write(b'ep"}\n')
    second = [event["event"] for event in reader.new()]

    assert (first, second) == (["start"], ["step"])
    assert list(reader.new()) == []


def test_damaged_lines_are_passed_over(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    path.write_bytes(b'\xff\x00\n[1]\n{"no": 1}\n{"event": "done"}\n')

    assert [event["event"] for event in EventReader(path).new()] == ["done"]


def test_a_log_cut_off_by_a_kill_is_gone_on_with_on_a_new_line(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    path.write_bytes(b'{"event": "start"}\n{"event": "ste')

    events = Events(path)
    events.write("start", step=3)
    events.close()

    assert [event.get("step") for event in EventReader(path).new()] == [None, 3]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="only Linux has a disk that is full")
def test_a_full_disk_loses_the_line_and_not_the_run() -> None:
    events = Events(Path("/dev/full"))

    for number in range(2000):
        events.write("step", step=number, losses={"l1": 1.0})

    events.close()


def test_lines_of_two_threads_stay_whole(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    events = Events(path)

    def write() -> None:
        for _ in range(100):
            events.write("step", text="x" * 500)

    threads = [Thread(target=write) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    events.close()

    lines = path.read_text(encoding="utf-8").splitlines()
    assert len([json.loads(line) for line in lines]) == 200
