"""Whether a window can be opened here. Asked before Qt is, which would end the process."""

import ctypes
import os
import sys
from importlib.util import find_spec
from pathlib import Path

from stainapp.errors import StainAppError

INSTEAD = "add --screenshot FILE to draw the window into a picture"


def require_display() -> None:
    """Check for a display and for the system libraries of Qt's X11 plugin.

    Raises:
        StainAppError: says what is missing, and what to do instead.
    """
    if not sys.platform.startswith("linux") or os.environ.get("QT_QPA_PLATFORM"):
        return
    if os.environ.get("WAYLAND_DISPLAY"):
        return
    if not os.environ.get("DISPLAY"):
        raise StainAppError(f"There is no display here to open a window on; {INSTEAD}.")
    plugin = _x11_plugin()
    if plugin is None:
        return
    try:
        ctypes.CDLL(str(plugin))
    except OSError as error:
        library = str(error).partition(":")[0]
        raise StainAppError(
            f"Qt cannot open a window because the system lacks {library}; install the package "
            f"that holds it (`python3 packaging/start.py` names it), or {INSTEAD}."
        ) from error


def _x11_plugin() -> Path | None:
    spec = find_spec("PySide6")
    if spec is None or spec.origin is None:
        return None
    plugin = Path(spec.origin).parent / "Qt" / "plugins" / "platforms" / "libqxcb.so"
    return plugin if plugin.is_file() else None
