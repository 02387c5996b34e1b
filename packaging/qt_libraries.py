"""System libraries that Qt needs on Linux, and the one command that installs missing ones.

Qt's wheel brings Qt itself, not the window system below it. macOS and Windows have all of it.
"""

import ctypes
import os
import shlex
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

DEBIAN_AND_ARCH = {
    "libEGL.so.1": ("libegl1", "libglvnd"),
    "libGL.so.1": ("libgl1", "libglvnd"),
    "libX11.so.6": ("libx11-6", "libx11"),
    "libxkbcommon.so.0": ("libxkbcommon0", "libxkbcommon"),
    "libfontconfig.so.1": ("libfontconfig1", "fontconfig"),
    "libfreetype.so.6": ("libfreetype6", "freetype2"),
    "libglib-2.0.so.0": ("libglib2.0-0", "glib2"),
    "libdbus-1.so.3": ("libdbus-1-3", "dbus"),
    "libxkbcommon-x11.so.0": ("libxkbcommon-x11-0", "libxkbcommon-x11"),
    "libX11-xcb.so.1": ("libx11-xcb1", "libx11"),
    "libxcb-cursor.so.0": ("libxcb-cursor0", "xcb-util-cursor"),
    "libxcb-icccm.so.4": ("libxcb-icccm4", "xcb-util-wm"),
    "libxcb-image.so.0": ("libxcb-image0", "xcb-util-image"),
    "libxcb-keysyms.so.1": ("libxcb-keysyms1", "xcb-util-keysyms"),
    "libxcb-render-util.so.0": ("libxcb-render-util0", "xcb-util-renderutil"),
    "libxcb-randr.so.0": ("libxcb-randr0", "libxcb"),
    "libxcb-render.so.0": ("libxcb-render0", "libxcb"),
    "libxcb-shape.so.0": ("libxcb-shape0", "libxcb"),
    "libxcb-shm.so.0": ("libxcb-shm0", "libxcb"),
    "libxcb-sync.so.1": ("libxcb-sync1", "libxcb"),
    "libxcb-xfixes.so.0": ("libxcb-xfixes0", "libxcb"),
    "libxcb-xkb.so.1": ("libxcb-xkb1", "libxcb"),
}
"""Library -> its package in Debian and in Arch; dnf and zypper find packages by library."""

WINDOWS_ONLY = {name for name in DEBIAN_AND_ARCH if "xcb" in name or "-x11" in name}
"""Needed to show windows on a display, not to draw off screen."""


def missing_libraries(
    *, display: bool, load: Callable[[str], object] = ctypes.CDLL
) -> tuple[str, ...]:
    """Return the libraries that Qt will ask for and a Linux system cannot load."""
    if not sys.platform.startswith("linux"):
        return ()
    wanted = [name for name in DEBIAN_AND_ARCH if display or name not in WINDOWS_ONLY]
    return tuple(name for name in wanted if not _loads(name, load))


def install_command(missing: tuple[str, ...], system: Mapping[str, str], *, root: bool) -> str:
    """Return one shell command that installs ``missing``, or "" for an unknown system.

    Args:
        missing: library file names, as `missing_libraries` gives them.
        system: the fields of os-release, as `os_release` gives them.
        root: whether the user needs no sudo.
    """
    family = {system.get("ID", ""), *system.get("ID_LIKE", "").split()}
    sudo = "" if root else "sudo "
    by_library = " ".join(shlex.quote(f"{name}()(64bit)") for name in missing)
    if family & {"debian", "ubuntu"}:
        return f"{sudo}apt-get install -y {_packages(missing, 0)}"
    if "arch" in family:
        return f"{sudo}pacman -S --needed {_packages(missing, 1)}"
    if family & {"fedora", "rhel", "centos"}:
        return f"{sudo}dnf install -y {by_library}"
    if family & {"suse", "opensuse"}:
        return f"{sudo}zypper install -y {by_library}"
    return ""


def missing_sentence(missing: tuple[str, ...], command: str) -> str:
    """Say which libraries Qt lacks and what to do about it."""
    names = ", ".join(missing)
    remedy = f"install them with:\n    {command}" if command else "install them with your system's"
    return f"Qt lacks {names}; {remedy}" + (
        "" if command else " package manager and run this again."
    )


def os_release(path: Path = Path("/etc/os-release")) -> dict[str, str]:
    """Return the fields that name this Linux system; empty where it does not say."""
    if not path.is_file():
        return {}
    lines = path.read_text(encoding="utf-8").splitlines()
    pairs = (line.split("=", 1) for line in lines if "=" in line and not line.startswith("#"))
    return {key.strip(): value.strip().strip("\"'") for key, value in pairs}


def is_root() -> bool:
    return hasattr(os, "geteuid") and os.geteuid() == 0


def _packages(missing: tuple[str, ...], column: int) -> str:
    return " ".join(sorted({DEBIAN_AND_ARCH[name][column] for name in missing}))


def _loads(name: str, load: Callable[[str], object]) -> bool:
    try:
        load(name)
    except OSError:
        return False
    return True
