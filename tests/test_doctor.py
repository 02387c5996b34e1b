"""What the doctor says of this machine, and of worse ones."""

import json
import os
from pathlib import Path
from typing import NoReturn

import pytest

from stainapp import doctor
from stainapp.doctor import Finding


@pytest.fixture
def cheap(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave out what starts processes."""
    monkeypatch.setattr(doctor, "_guarded", lambda name, look: [Finding(name, "ok", "left out")])


def finding(found: dict[str, list[dict[str, str]]], name: str) -> dict[str, str]:
    return next(finding for finding in found["findings"] if finding["name"] == name)


def ends_the_process() -> NoReturn:
    os._exit(3)


def raises() -> NoReturn:
    raise ImportError("libtorch.so is damaged")


def test_this_machine_can_run_stainapp() -> None:
    found = doctor.report()

    problems = [finding for finding in found["findings"] if finding["state"] == "problem"]
    assert problems == []
    assert {"torch", "Qt", "OpenSlide", "codecs", "models", "network"} <= {
        finding["name"] for finding in found["findings"]
    }


def test_a_library_that_ends_its_process_is_a_finding() -> None:
    (found,) = doctor._guarded("torch", ends_the_process)

    assert found.state == "problem"
    assert found.remedy


def test_a_library_that_cannot_be_imported_is_named_with_the_reason() -> None:
    (found,) = doctor._guarded("torch", raises)

    assert found.state == "problem"
    assert "libtorch.so is damaged" in found.value


@pytest.mark.usefixtures("cheap")
def test_a_home_that_cannot_be_written_is_a_problem_with_a_remedy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    occupied = tmp_path / "a file, not a folder"
    occupied.touch()
    monkeypatch.setenv("STAINAPP_HOME", str(occupied / "home"))

    code = doctor.main()

    assert code == 1
    assert "STAINAPP_HOME" in capsys.readouterr().out


@pytest.mark.usefixtures("cheap")
def test_little_memory_and_a_full_disk_are_warnings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "_memory_bytes", lambda: 2 * doctor.GIB)
    monkeypatch.setattr(doctor, "LITTLE_DISK_GIB", 10**9)

    found = doctor.report()

    assert found["state"] == "warn"
    assert finding(found, "memory")["state"] == "warn"
    assert finding(found, "disk, home")["state"] == "warn"


@pytest.mark.usefixtures("cheap")
def test_the_json_says_what_the_text_says(capsys: pytest.CaptureFixture[str]) -> None:
    doctor.main(json=True)
    found = json.loads(capsys.readouterr().out)

    text = doctor.as_text(found)

    assert all(one["name"] in text and one["value"] in text for one in found["findings"])
