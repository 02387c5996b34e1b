"""The log, seen from a process of its own: pytest puts its handlers on the root logger."""

import os
import subprocess
import sys
from pathlib import Path

CODE = "import logging, stainapp.log as log; log.log_to_file(); logging.warning('torn')"


def run_with_home(home: Path) -> str:
    """Log a warning with this home and return what reached the terminal."""
    done = subprocess.run(
        [sys.executable, "-c", CODE],
        env=os.environ | {"STAINAPP_HOME": str(home)},
        check=True,
        capture_output=True,
        text=True,
    )
    return done.stdout + done.stderr


def test_warnings_go_to_the_file_and_not_to_the_terminal(tmp_path: Path) -> None:
    terminal = run_with_home(tmp_path)

    assert terminal == ""
    assert "torn" in (tmp_path / "logs" / "stainapp.log").read_text(encoding="utf-8")


def test_a_home_that_cannot_be_written_stops_nothing(tmp_path: Path) -> None:
    blocker = tmp_path / "file"
    blocker.write_text("")

    assert run_with_home(blocker / "home") == ""
