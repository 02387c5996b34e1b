"""Set up stainapp and start it, with nothing but a system Python.

Without a word it opens a sample slide; ``test`` runs every check; ``libraries`` prints the
command that installs what Qt lacks; anything else is handed to stainapp:

    python3 packaging/start.py
    python3 packaging/start.py test [PYTEST ARGUMENTS]
    python3 packaging/start.py view slide.svs
"""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence

if sys.version_info < (3, 11):  # noqa: UP036 - speaks to those who have an older one
    sys.exit(
        "stainapp needs Python 3.11 or newer, and this is Python {}.{}: install a newer one "
        "and start this file with it.".format(*sys.version_info[:2])
    )

from environment import BIN, PYTHON, ROOT, SetupError, call, say, set_up
from qt_libraries import (
    install_command,
    is_root,
    missing_libraries,
    missing_sentence,
    os_release,
)

OUT = ROOT / "out"
SAMPLE, MODEL, REGION = "phantom:he:8000:7", "he-to-pas-colon", "2000,2000,1024,1024"
PLACE = ("--at", "2600,2400", "--zoom", "10")
VIEW = ("view", SAMPLE, "--model", MODEL, "--layout", "side-by-side", *PLACE)
CHECKS: tuple[tuple[str, ...], ...] = (
    ("ruff", "format", "--check", "."),
    ("ruff", "check", "."),
    ("mypy",),
    ("lint-imports",),
    ("pytest",),
)


def main(arguments: Sequence[str]) -> int:
    if arguments[:1] == ["libraries"]:
        return print_library_command()
    testing = arguments[:1] == ["test"]
    try:
        set_up(development=testing)
        windowed = not arguments or arguments[0] in ("test", "view")
        display = windowed and can_show_windows()
    except SetupError as error:
        print(error, file=sys.stderr)
        return 1
    if testing:
        return run_checks(CHECKS, arguments[1:])
    if arguments:
        return stainapp(arguments)
    return show_sample() if display else stain_sample()


def can_show_windows() -> bool:
    """Return whether Qt can open a window here, or else only draw off screen.

    Raises:
        SetupError: Qt cannot even draw off screen; the message says what is missing.
    """
    display = has_display(sys.platform, os.environ)
    if display and qt_complaint({}) is None:
        return True
    complaint = qt_complaint({"QT_QPA_PLATFORM": "offscreen"})
    missing = missing_libraries(display=display) if display or complaint else ()
    if missing:
        command = install_command(missing, os_release(), root=is_root())
        raise SetupError(missing_sentence(missing, command))
    if complaint is not None:
        raise SetupError(f"Qt cannot start here: {complaint}")
    return False


def has_display(platform: str, environment: Mapping[str, str]) -> bool:
    if not platform.startswith("linux"):
        return True
    return bool(environment.get("DISPLAY") or environment.get("WAYLAND_DISPLAY"))


def qt_complaint(changes: Mapping[str, str]) -> str | None:
    """Start Qt in a process of its own, since it ends the process where it fails."""
    code = "import PySide6.QtWidgets as w; w.QApplication([])"
    command = [PYTHON, "-c", code]
    environment = {**os.environ, **changes}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    last = done.stderr.strip().splitlines()[-1:] or [f"it ended with code {done.returncode}"]
    return None if done.returncode == 0 else last[0]


def print_library_command() -> int:
    missing = missing_libraries(display=False)
    if missing:
        print(install_command(missing, os_release(), root=is_root()))
    return 0


def stainapp(arguments: Sequence[str]) -> int:
    return call([PYTHON, "-m", "stainapp", *arguments], folder=None)


def show_sample() -> int:
    return stainapp(VIEW)


def stain_sample() -> int:
    """Do the main job without a display: a stained file and a picture of the window."""
    say("There is no display here: staining a part of the sample slide off screen.")
    OUT.mkdir(exist_ok=True)
    stained, window = OUT / f"sample-{MODEL}.ome.tiff", OUT / "window.png"
    stained.unlink(missing_ok=True)  # of an earlier run
    code = stainapp(["stain", SAMPLE, "--model", MODEL, "--region", REGION, "-o", str(stained)])
    code = code or stainapp([*VIEW, "--screenshot", str(window)])
    if code == 0:
        say(f"Stained slide: {stained}\nThe window:    {window}")
    return code


def run_checks(
    checks: Sequence[Sequence[str]],
    pytest_arguments: Sequence[str],
    run: Callable[[Sequence[str]], int] = call,
) -> int:
    """Run every check, whatever the earlier ones say, and return the worst exit code."""
    lines, worst = [], 0
    for name, *arguments in checks:
        more = pytest_arguments if name == "pytest" else ()
        say(f"--- {' '.join((name, *arguments, *more))}")
        start = time.monotonic()
        code = run([str(BIN / name), *arguments, *more])
        seconds = time.monotonic() - start
        verdict = "ok" if code == 0 else "FAILED"
        lines.append(f"{verdict:7} {seconds:6.1f} s  {' '.join((name, *arguments[:1]))}")
        worst = max(worst, abs(code))
    say("\n" + "\n".join(lines))
    return worst


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except KeyboardInterrupt:
        sys.exit("Stopped; run the same command again to go on.")
