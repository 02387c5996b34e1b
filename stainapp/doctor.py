"""Whether this machine has what stainapp needs, and what to do where it has not.

torch and Qt are tried in a process of their own: where they are broken they can end the
process that loads them. Nothing here uses the network.
"""

import os
import platform
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterable
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from json import dumps
from multiprocessing import get_context
from pathlib import Path
from typing import Any, Literal, TypeAlias

from stainapp import __version__
from stainapp.settings import home

State: TypeAlias = Literal["ok", "warn", "problem"]
STATES: tuple[State, ...] = ("ok", "warn", "problem")

GIB = 2**30
LITTLE_MEMORY_GIB = 4
LITTLE_DISK_GIB = 5
LIBRARIES = ("numpy", "pillow", "tifffile", "scikit-image", "safetensors", "pyqtgraph")
CODECS = ("JPEG", "JPEG2K", "DEFLATE", "ZSTD", "LZW")
REINSTALL = "Install stainapp anew: remove .venv and run python3 packaging/start.py."


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at."""

    name: str
    state: State
    value: str
    """What was found, for the person who reads it."""
    remedy: str = ""
    """What to do; empty where nothing is to be done."""


def report() -> dict[str, Any]:
    """Look at everything.

    Returns:
        ``{"stainapp": version, "state": worst, "findings": [{"name", "state", "value",
        "remedy"}, ...]}``, ready for JSON.
    """
    findings = [
        Finding("stainapp", "ok", __version__),
        Finding("Python", "ok", f"{platform.python_version()} at {sys.executable}"),
        Finding("system", "ok", platform.platform()),
        _processor(),
        _memory(),
        *_guarded("torch", _torch),
        *_guarded("Qt", _qt),
        _openslide(),
        _codecs(),
        _libraries(),
        _models(),
        _home(home()),
        _disk("disk, home", home()),
        _disk("disk, temporary", Path(tempfile.gettempdir())),
        Finding("network", "ok", "never used"),
    ]
    return {
        "stainapp": __version__,
        "state": max((finding.state for finding in findings), key=STATES.index),
        "findings": [asdict(finding) for finding in findings],
    }


def as_text(found: dict[str, Any]) -> str:
    """Lay a report out for a terminal: a line a finding, its remedy below it."""
    lines = []
    for finding in found["findings"]:
        lines.append(f"{finding['state']:8} {finding['name']:16} {finding['value']}")
        if finding["remedy"]:
            lines.append(f"{'':25} {finding['remedy']}")
    return "\n".join(lines)


def main(*, json: bool = False) -> int:
    """Print the report; return 1 where something must be mended before stainapp can work."""
    found = report()
    text = dumps(found, indent=2, ensure_ascii=False) if json else as_text(found)
    sys.stdout.write(text + "\n")
    return int(found["state"] == "problem")


# The machine


def _processor() -> Finding:
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return Finding("processor", "ok", f"{cores} cores, {platform.machine()}")


def _memory() -> Finding:
    size = _memory_bytes()
    if size is None:
        return Finding("memory", "warn", "unknown", "")
    value = f"{size / GIB:.1f} GiB"
    if size < LITTLE_MEMORY_GIB * GIB:
        remedy = "Close other programs, and prefer small models."
        return Finding("memory", "warn", value, remedy)
    return Finding("memory", "ok", value)


def _memory_bytes() -> int | None:
    if sys.platform == "win32":
        return _windows_memory_bytes()
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (ValueError, OSError):
        return None


def _windows_memory_bytes() -> int | None:
    import ctypes

    kilobytes = ctypes.c_ulonglong()
    kernel = getattr(ctypes, "windll").kernel32  # noqa: B009 - exists on Windows alone
    done = kernel.GetPhysicallyInstalledSystemMemory(ctypes.byref(kilobytes))
    return kilobytes.value * 1024 if done else None


def _home(folder: Path) -> Finding:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        remedy = "Set STAINAPP_HOME to a folder that you may write to."
        return Finding("home", "problem", f"{folder} is not writable ({error.strerror})", remedy)
    return Finding("home", "ok", str(folder))


def _disk(name: str, folder: Path) -> Finding:
    while not folder.exists():
        folder = folder.parent
    free = shutil.disk_usage(folder).free
    value = f"{free / GIB:.1f} GiB free at {folder}"
    if free < LITTLE_DISK_GIB * GIB:
        remedy = "Free some space: an exported slide takes a few gigabytes."
        return Finding(name, "warn", value, remedy)
    return Finding(name, "ok", value)


# The libraries


def _openslide() -> Finding:
    try:
        import openslide
    except (ImportError, OSError) as error:
        return Finding("OpenSlide", "problem", f"cannot be loaded ({error})", REINSTALL)
    return Finding("OpenSlide", "ok", openslide.__library_version__)


def _codecs() -> Finding:
    try:
        import imagecodecs
    except (ImportError, OSError) as error:
        return Finding("codecs", "problem", f"cannot be loaded ({error})", REINSTALL)
    missing = [name for name in CODECS if not getattr(imagecodecs, name).available]
    if missing:
        return Finding("codecs", "problem", f"{', '.join(missing)} missing", REINSTALL)
    return Finding("codecs", "ok", ", ".join(CODECS))


def _libraries() -> Finding:
    found, missing = [], []
    for name in LIBRARIES:
        try:
            found.append(f"{name} {version(name)}")
        except PackageNotFoundError:
            missing.append(name)
    if missing and not getattr(sys, "frozen", False):  # a packaged program has no metadata
        return Finding("libraries", "problem", f"{', '.join(missing)} missing", REINSTALL)
    return Finding("libraries", "ok", ", ".join(found))


def _models() -> Finding:
    from stainapp.models.store import default_store

    store = default_store()
    found, problems = store.list(), store.problems
    value = f"{len(found)} found" + (f"; {len(problems)} cannot be used" if problems else "")
    remedy = problems[0].reason if problems else ""
    return Finding("models", "warn" if problems else "ok", value, remedy)


# What is tried in a process of its own


def _guarded(name: str, look: Callable[[], list[Finding]]) -> Iterable[Finding]:
    context = get_context("spawn")
    try:
        with ProcessPoolExecutor(1, mp_context=context) as pool:
            return pool.submit(look).result()
    except BrokenProcessPool:
        return [Finding(name, "problem", "ends the program as it loads", REINSTALL)]
    except Exception as error:  # whatever a broken library raises is a finding, not a failure
        return [Finding(name, "problem", f"cannot be loaded ({error})", REINSTALL)]


def _torch() -> list[Finding]:
    import torch

    from stainapp.models.device import choose_device, choose_precision

    findings = [Finding("torch", "ok", f"{torch.__version__}, {torch.get_num_threads()} threads")]
    for index in range(torch.cuda.device_count()):
        gpu = torch.cuda.get_device_properties(index)
        value = f"{gpu.name}, {gpu.total_memory / GIB:.0f} GiB, bf16: "
        value += "yes" if torch.cuda.is_bf16_supported(including_emulation=False) else "no"
        findings.append(Finding(f"cuda:{index}", "ok", value))
    if torch.backends.mps.is_available():
        findings.append(Finding("mps", "ok", "Apple GPU"))
    device = choose_device()
    value = f"{device}, {choose_precision(device)} (the fastest that is accurate enough)"
    return [*findings, Finding("models run on", "ok", value)]


def _qt() -> list[Finding]:
    if not _has_display():
        os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
    from PySide6.QtCore import qVersion
    from PySide6.QtGui import QGuiApplication

    shown = QGuiApplication([]).platformName()
    value = f"{qVersion()}, platform {shown}"
    if shown == "offscreen":
        remedy = "There is no display; pictures of the window are made with --screenshot."
        return [Finding("Qt", "warn", value, remedy)]
    return [Finding("Qt", "ok", value)]


def _has_display() -> bool:
    names = ("DISPLAY", "WAYLAND_DISPLAY")
    return not sys.platform.startswith("linux") or any(os.environ.get(name) for name in names)
