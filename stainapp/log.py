"""Where the program's log goes: a file in the user's folder, never the terminal."""

import logging
import logging.handlers
from pathlib import Path

from stainapp.settings import home

LOG_BYTES = 1_000_000
KEPT_FILES = 3


def log_path() -> Path:
    return home() / "logs" / "stainapp.log"


def log_to_file() -> None:
    """Send everything logged to the file; where that cannot be written, nowhere.

    Libraries log damage of a slide tile by tile, and Python prints to the terminal what no
    handler takes; what the user must know is said in sentences instead.
    """
    root = logging.getLogger()
    if root.handlers:
        return
    try:
        log_path().parent.mkdir(parents=True, exist_ok=True)
        handler: logging.Handler = logging.handlers.RotatingFileHandler(
            log_path(), maxBytes=LOG_BYTES, backupCount=KEPT_FILES, encoding="utf-8", delay=True
        )
    except OSError:
        handler = logging.NullHandler()
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    root.addHandler(handler)
    root.setLevel(logging.INFO)
