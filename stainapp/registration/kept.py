"""Where the transform and the landmarks of two slides are kept between runs."""

import hashlib
from pathlib import Path

from stainapp.settings import home


def transform_path(fixed: str, moving: str) -> Path:
    """Return the file for two slides of these `SlideInfo.identity`; the order matters."""
    return home() / "registrations" / f"{_key(fixed, moving)}.json"


def landmarks_path(fixed: str, moving: str) -> Path:
    """Return the file beside it."""
    return home() / "registrations" / f"{_key(fixed, moving)}.landmarks.csv"


def _key(fixed: str, moving: str) -> str:
    return hashlib.sha256(f"{fixed}\n{moving}".encode()).hexdigest()[:40]
