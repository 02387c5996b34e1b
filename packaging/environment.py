"""The virtual environment ``.venv``: made, completed, repaired, and then left alone.

A stamp in it, written last, records what it was made from. A run that finds the same stamp
repeats nothing; one that finds none carries on where an interrupted one stopped.
"""

import hashlib
import importlib.util
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from qt_libraries import is_root
from torch_build import (
    TORCH,
    cuda_packages,
    has_nvidia_gpu,
    must_avoid_cuda,
    torch_arguments,
    torch_choice,
)

ROOT = Path(__file__).resolve().parents[1]
VENV = ROOT / ".venv"
BIN = VENV / ("Scripts" if os.name == "nt" else "bin")
PYTHON = str(BIN / "python")
STAMP = VENV / "stainapp-setup.json"


class SetupError(Exception):
    """Set-up cannot go on; the message is one sentence with the remedy."""


def set_up(*, development: bool) -> None:
    """Make or complete ``.venv``; return at once where it is complete."""
    version = venv_version()
    wanted = stamp_for(version or "", os.environ, development=development)
    if version and is_current(read_stamp(), wanted):
        return
    fresh = version is None
    if fresh:
        make_venv()
    install(development=development)
    sound = imports_work()
    if not sound and not fresh:
        say("An interrupted installation left half a package behind: starting over.")
        make_venv()
        install(development=development)
        sound = imports_work()
    if not sound:
        raise SetupError(
            "The installation is complete, but torch, OpenSlide or stainapp cannot be imported: "
            f"run {PYTHON} -c 'import torch, openslide, stainapp' to see why."
        )
    stamp = stamp_for(venv_version() or "", os.environ, development=development)
    STAMP.write_text(json.dumps(stamp, indent=2), encoding="utf-8")


def stamp_for(
    version: str, environment: Mapping[str, str], *, development: bool
) -> dict[str, object]:
    """Return what an environment is made from; equal stamps need no new installation."""
    return {
        "root": str(ROOT),  # an editable installation breaks when the folder moves
        "python": version,
        "pyproject": hashlib.sha256((ROOT / "pyproject.toml").read_bytes()).hexdigest(),
        "torch": torch_choice(environment),
        "development": development,
    }


def is_current(stamp: Mapping[str, object], wanted: Mapping[str, object]) -> bool:
    """Return whether what was made serves what is wanted now.

    Development tools more than asked for do no harm, and a choice of torch once made
    stays until another one is named.
    """
    same = all(stamp.get(key) == wanted[key] for key in ("root", "python", "pyproject"))
    torch = wanted["torch"] in ([], stamp.get("torch"))
    return same and torch and (bool(stamp.get("development")) or not wanted["development"])


def read_stamp() -> dict[str, object]:
    try:
        stamp = json.loads(STAMP.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}  # no set-up was finished
    return stamp if isinstance(stamp, dict) else {}


def venv_version() -> str | None:
    """Return the version of the environment's Python, or None where it does not run."""
    code = "import pip, platform, sys; assert sys.version_info >= (3, 11);"
    code += "print(platform.python_version())"
    try:
        done = subprocess.run([PYTHON, "-c", code], capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return None
    return done.stdout.strip()


def make_venv() -> None:
    if importlib.util.find_spec("ensurepip") is None:
        package = "python{}.{}-venv".format(*sys.version_info[:2])
        raise SetupError(
            "This Python cannot make environments; on Debian and Ubuntu install what is missing "
            f"with:\n    {'' if is_root() else 'sudo '}apt-get install -y {package}"
        )
    say(f"Making an environment in {VENV} (once; a few minutes with the installation).")
    if call([sys.executable, "-m", "venv", "--clear", str(VENV)]) != 0:
        raise SetupError(f"The environment cannot be made in {VENV}: see the lines above.")


def install(*, development: bool) -> None:
    pip(["pip>=25.1"], "pip")  # the first with --group
    if not torch_is_there() or torch_choice(os.environ):
        install_torch()
    say("Installing stainapp" + (" with its development tools." if development else "."))
    pip(["-e", ".", *(["--group", "dev"] if development else [])], "stainapp")


def pip(arguments: Sequence[str], what: str) -> None:
    quiet = [] if sys.stdout.isatty() else ["--quiet"]
    command = [PYTHON, "-m", "pip", "install", "--disable-pip-version-check", "--no-input"]
    if call([*command, *quiet, *arguments]) != 0:
        raise SetupError(
            f"pip could not install {what}: see the lines above, and run this again to go on."
        )


def imports_work() -> bool:
    return call([PYTHON, "-c", "import torch, openslide, tifffile, stainapp"]) == 0


def torch_is_there() -> bool:
    code = "from importlib.metadata import version; version('torch')"
    return subprocess.run([PYTHON, "-c", code], capture_output=True, check=False).returncode == 0


def install_torch() -> None:
    arguments = torch_arguments(os.environ)
    gpu = has_nvidia_gpu()
    if must_avoid_cuda(sys.platform, os.environ, nvidia_gpu=gpu):
        heavy = cuda_packages(what_pip_would_install(arguments))
        if heavy:
            raise SetupError(
                f"There is no NVIDIA GPU here, and {arguments[0]} would bring {len(heavy)} CUDA "
                "packages of several gigabytes: set STAINAPP_TORCH_INDEX to the address of "
                "PyTorch's CPU packages, which its installation page shows for Linux, pip and "
                f"CPU (or set STAINAPP_TORCH={TORCH} to take it with CUDA all the same), and "
                "run this again."
            )
        say(f"Installing {arguments[0]}, the CPU build: there is no NVIDIA GPU here.")
    else:
        say(f"Installing {arguments[0]}" + (" for the NVIDIA GPU found here." if gpu else "."))
    pip(arguments, arguments[0])


def what_pip_would_install(arguments: Sequence[str]) -> list[str]:
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder, "report.json")
        pip(["--dry-run", "--ignore-installed", "--report", str(report), *arguments], arguments[0])
        installs = json.loads(report.read_text(encoding="utf-8"))["install"]
    return [install["metadata"]["name"] for install in installs]


def call(command: Sequence[str], folder: Path | None = ROOT) -> int:
    """Run a command with its output in sight, and return its exit code."""
    try:
        return subprocess.run(command, check=False, cwd=folder).returncode
    except FileNotFoundError:
        print(f"{command[0]} is not there: remove {VENV} and run this again.", file=sys.stderr)
        return 127


def say(text: str) -> None:
    print(text, flush=True)
