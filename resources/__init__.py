"""Data that ships with stainapp: icons, themes, models, help."""

from importlib.resources import files
from pathlib import Path


def resource(name: str) -> Path:
    """Return the shipped file or folder ``name``, such as ``"models/macenko"``.

    Raises:
        FileNotFoundError: nothing of that name ships.
    """
    found = Path(str(files(__name__))) / name
    if not found.exists():
        raise FileNotFoundError(f"no shipped resource is named {name!r}")
    return found
