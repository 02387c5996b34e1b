"""A window's registration, begun in a process of its own that is left to be killed.

    python -m tests.ui.killed_registration FOLDER

The process that stands in for `stainapp register` takes its orders in FOLDER. Prints a line once
that one is at work.
"""

import sys
from pathlib import Path

from PySide6.QtCore import QCoreApplication

from stainapp.ui.registrar import Registrar, Registration, Task
from tests.ui import fake_registrar


def main(folder: Path) -> int:
    application = QCoreApplication([])
    registrar = Registrar((sys.executable, "-m", fake_registrar.__name__, str(folder)))
    run = Registration(registrar.words(Task("fixed", "moving", folder / "output.json")))
    run.progress.connect(_say)
    run.start()
    return application.exec()


def _say(phase: str, share: float) -> None:
    sys.stdout.write(f"{phase}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
