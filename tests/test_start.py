"""What packaging/start.py decides, without a network and without making anything."""

import importlib
import json
import subprocess
import sys
import tomllib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement  # the library, which pytest brings

FOLDER = Path(__file__).parents[1] / "packaging"
UBUNTU = {"ID": "ubuntu", "ID_LIKE": "debian"}


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], Any]]:
    """Import a file of packaging/, which is a folder of scripts and no package."""
    monkeypatch.syspath_prepend(str(FOLDER))
    before = set(sys.modules)

    yield importlib.import_module

    for name in set(sys.modules) - before:
        if getattr(sys.modules[name], "__file__", None) and FOLDER.samefile(
            Path(str(sys.modules[name].__file__)).parent
        ):
            del sys.modules[name]


# torch


def test_cuda_is_avoided_only_on_linux_without_a_gpu_and_unasked(
    script: Callable[[str], Any],
) -> None:
    must_avoid = script("torch_build").must_avoid_cuda

    assert must_avoid("linux", {}, nvidia_gpu=False)
    assert not must_avoid("linux", {}, nvidia_gpu=True)
    assert not must_avoid("linux", {"STAINAPP_TORCH": "torch==2.13.0"}, nvidia_gpu=False)
    assert not must_avoid("darwin", {}, nvidia_gpu=False)
    assert not must_avoid("win32", {}, nvidia_gpu=False)


def test_torch_comes_from_where_the_user_says(script: Callable[[str], Any]) -> None:
    torch_build = script("torch_build")
    environment = {"STAINAPP_TORCH": "torch==2.12.1", "STAINAPP_TORCH_INDEX": "file:///wheels"}

    arguments = torch_build.torch_arguments(environment)

    assert arguments == ["torch==2.12.1", "--index-url", "file:///wheels"]
    assert torch_build.torch_arguments({}) == [torch_build.TORCH]


def test_the_pinned_torch_is_one_the_project_allows(script: Callable[[str], Any]) -> None:
    project = tomllib.loads((FOLDER.parent / "pyproject.toml").read_text(encoding="utf-8"))
    allowed = next(
        requirement
        for requirement in map(Requirement, project["project"]["dependencies"])
        if requirement.name == "torch"
    )

    pinned = script("torch_build").TORCH.split("==")[1]

    assert pinned in allowed.specifier


def test_cuda_packages_are_told_from_the_others(script: Callable[[str], Any]) -> None:
    names = ["torch", "nvidia-cublas", "cuda-toolkit", "numpy", "sympy"]

    heavy = script("torch_build").cuda_packages(names)

    assert heavy == ["cuda-toolkit", "nvidia-cublas"]


def test_without_a_gpu_a_cuda_build_is_refused_with_what_to_set(
    script: Callable[[str], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    environment = script("environment")
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.delenv("STAINAPP_TORCH", raising=False)
    monkeypatch.setattr(environment, "has_nvidia_gpu", lambda: False)
    monkeypatch.setattr(
        environment, "what_pip_would_install", lambda _: ["torch", "nvidia-cudnn-cu13"]
    )
    installed: list[Sequence[str]] = []
    monkeypatch.setattr(environment, "pip", lambda arguments, _: installed.append(arguments))

    with pytest.raises(environment.SetupError, match="STAINAPP_TORCH_INDEX"):
        environment.install_torch()

    assert installed == []


# The stamp


@pytest.mark.parametrize("changed", ["root", "python", "pyproject"])
def test_a_change_of_what_the_environment_is_made_from_makes_it_stale(
    script: Callable[[str], Any], changed: str
) -> None:
    environment = script("environment")
    wanted = environment.stamp_for("3.11.7", {}, development=False)

    stale = environment.is_current(wanted | {changed: "other"}, wanted)

    assert environment.is_current(wanted, wanted)
    assert not stale


def test_development_tools_serve_a_user_but_not_the_other_way_round(
    script: Callable[[str], Any],
) -> None:
    environment = script("environment")
    user = environment.stamp_for("3.11.7", {}, development=False)
    developer = environment.stamp_for("3.11.7", {}, development=True)

    assert environment.is_current(developer, user)
    assert not environment.is_current(user, developer)


def test_a_torch_once_chosen_stays_until_another_is_named(script: Callable[[str], Any]) -> None:
    environment = script("environment")
    chosen = {"STAINAPP_TORCH": "torch==2.12.1"}
    made = environment.stamp_for("3.11.7", chosen, development=False)

    unnamed = environment.stamp_for("3.11.7", {}, development=False)
    other = environment.stamp_for("3.11.7", {"STAINAPP_TORCH": "torch"}, development=False)

    assert environment.is_current(made, unnamed)
    assert not environment.is_current(made, other)


@pytest.mark.parametrize("content", [None, "", "{half", "[]"])
def test_an_interrupted_set_up_leaves_a_stamp_that_serves_nothing(
    script: Callable[[str], Any],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    content: str | None,
) -> None:
    environment = script("environment")
    monkeypatch.setattr(environment, "STAMP", tmp_path / "stamp.json")
    if content is not None:
        (tmp_path / "stamp.json").write_text(content, encoding="utf-8")

    stamp = environment.read_stamp()

    assert not environment.is_current(stamp, environment.stamp_for("3.11.7", {}, development=False))


class FakeSetUp:
    """Stands for all that set-up does to the machine, and remembers it."""

    def __init__(self, environment: Any, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.done: list[str] = []
        self.version: str | None = None
        self.imports = [True]
        for name in ("STAINAPP_TORCH", "STAINAPP_TORCH_INDEX"):
            monkeypatch.delenv(name, raising=False)
        monkeypatch.setattr(environment, "STAMP", folder / "stamp.json")
        monkeypatch.setattr(environment, "venv_version", lambda: self.version)
        monkeypatch.setattr(environment, "make_venv", self.make_venv)
        monkeypatch.setattr(environment, "install", lambda **_: self.done.append("install"))
        monkeypatch.setattr(environment, "imports_work", lambda: self.imports.pop(0))

    def make_venv(self) -> None:
        self.done.append("venv")
        self.version = "3.11.7"


@pytest.fixture
def fake(
    script: Callable[[str], Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> FakeSetUp:
    return FakeSetUp(script("environment"), tmp_path, monkeypatch)


def test_a_second_set_up_repeats_nothing(script: Callable[[str], Any], fake: FakeSetUp) -> None:
    environment = script("environment")

    environment.set_up(development=True)
    environment.set_up(development=True)

    assert fake.done == ["venv", "install"]


def test_a_broken_environment_is_made_anew_whatever_its_stamp_says(
    script: Callable[[str], Any], fake: FakeSetUp
) -> None:
    environment = script("environment")
    environment.set_up(development=False)
    fake.version, fake.imports = None, [True]

    environment.set_up(development=False)

    assert fake.done == ["venv", "install"] * 2


def test_half_an_installation_is_started_over(
    script: Callable[[str], Any], fake: FakeSetUp
) -> None:
    environment = script("environment")
    fake.version, fake.imports = "3.11.7", [False, True]

    environment.set_up(development=False)

    assert fake.done == ["install", "venv", "install"]


def test_an_installation_that_never_works_is_not_stamped(
    script: Callable[[str], Any], fake: FakeSetUp
) -> None:
    environment = script("environment")
    fake.imports = [False]

    with pytest.raises(environment.SetupError, match="cannot be imported"):
        environment.set_up(development=False)

    assert environment.read_stamp() == {}


# System libraries


def test_off_screen_drawing_needs_no_library_of_a_display(
    script: Callable[[str], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    libraries = script("qt_libraries")
    monkeypatch.setattr(sys, "platform", "linux")

    def nothing_loads(name: str) -> None:
        raise OSError(name)

    off_screen = libraries.missing_libraries(display=False, load=nothing_loads)
    windowed = libraries.missing_libraries(display=True, load=nothing_loads)

    assert "libEGL.so.1" in off_screen
    assert "libxcb-cursor.so.0" not in off_screen
    assert set(windowed) == set(libraries.DEBIAN_AND_ARCH)


@pytest.mark.parametrize(
    ("system", "command"),
    [
        (UBUNTU, "sudo apt-get install -y libegl1 libgl1"),
        ({"ID": "debian"}, "sudo apt-get install -y libegl1 libgl1"),
        ({"ID": "arch"}, "sudo pacman -S --needed libglvnd"),
        ({"ID": "fedora"}, "sudo dnf install -y 'libEGL.so.1()(64bit)' 'libGL.so.1()(64bit)'"),
        ({"ID": "rocky", "ID_LIKE": "rhel centos fedora"}, "sudo dnf install -y "),
        ({"ID": "opensuse-leap", "ID_LIKE": "suse opensuse"}, "sudo zypper install -y "),
        ({"ID": "unheard-of"}, ""),
    ],
)
def test_each_system_gets_its_own_command(
    script: Callable[[str], Any], system: dict[str, str], command: str
) -> None:
    install_command = script("qt_libraries").install_command

    given = install_command(("libEGL.so.1", "libGL.so.1"), system, root=False)

    assert given.startswith(command)
    assert bool(given) == bool(command)


def test_root_needs_no_sudo(script: Callable[[str], Any]) -> None:
    command = script("qt_libraries").install_command(("libGL.so.1",), UBUNTU, root=True)

    assert command == "apt-get install -y libgl1"


@pytest.mark.parametrize("command", ["apt-get install -y libgl1", ""])
def test_the_sentence_names_the_library_and_a_remedy(
    script: Callable[[str], Any], command: str
) -> None:
    sentence = script("qt_libraries").missing_sentence(("libGL.so.1",), command)

    assert "libGL.so.1" in sentence
    assert (command or "package manager") in sentence


def test_os_release_is_read_with_and_without_quotes(
    script: Callable[[str], Any], tmp_path: Path
) -> None:
    path = tmp_path / "os-release"
    path.write_text('# a comment\nID=ubuntu\nID_LIKE="debian other"\n\n', encoding="utf-8")
    os_release = script("qt_libraries").os_release

    fields = os_release(path)

    assert fields == {"ID": "ubuntu", "ID_LIKE": "debian other"}
    assert os_release(tmp_path / "absent") == {}


# The two commands


def test_every_check_runs_even_when_an_earlier_one_fails(
    script: Callable[[str], Any], capsys: pytest.CaptureFixture[str]
) -> None:
    start = script("start")
    ran: list[list[str]] = []

    def run(command: Sequence[str]) -> int:
        ran.append([Path(command[0]).name, *command[1:]])
        return {"mypy": 2, "ruff": 1}.get(ran[-1][0], 0)

    worst = start.run_checks(start.CHECKS, ["-k", "grid"], run)

    assert [command[0] for command in ran] == [check[0] for check in start.CHECKS]
    assert ran[-1] == ["pytest", "-k", "grid"]
    assert worst == 2
    assert capsys.readouterr().out.count("FAILED") == 3


def test_a_check_that_a_signal_ended_has_failed(script: Callable[[str], Any]) -> None:
    worst = script("start").run_checks([("pytest",)], [], lambda _: -11)

    assert worst > 0


def test_a_display_is_looked_for_on_linux_only(script: Callable[[str], Any]) -> None:
    has_display = script("start").has_display

    assert has_display("linux", {"DISPLAY": ":0"})
    assert has_display("linux", {"WAYLAND_DISPLAY": "wayland-0"})
    assert not has_display("linux", {"DISPLAY": ""})
    assert has_display("darwin", {})
    assert has_display("win32", {})


def test_an_older_python_is_told_so_in_one_sentence() -> None:
    source = (FOLDER / "start.py").read_text(encoding="utf-8")
    pretend = f"import sys; sys.version_info = (3, 9, 2); exec({source!r})"

    done = subprocess.run(
        [sys.executable, "-c", pretend], capture_output=True, text=True, check=False
    )

    assert done.returncode == 1
    assert done.stderr.startswith("stainapp needs Python 3.11 or newer, and this is Python 3.9")
    assert len(done.stderr.splitlines()) == 1


def test_qt_can_be_started_off_screen_here(
    script: Callable[[str], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    start = script("start")
    monkeypatch.setattr(start, "PYTHON", sys.executable)

    sound = start.qt_complaint({"QT_QPA_PLATFORM": "offscreen"})
    broken = start.qt_complaint({"QT_QPA_PLATFORM": "no-such-platform"})

    assert sound is None
    assert broken is not None


def test_without_a_display_the_sample_is_stained_and_pictured(
    script: Callable[[str], Any],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    start = script("start")
    monkeypatch.setattr(start, "OUT", tmp_path / "out")
    commands: list[Sequence[str]] = []

    def stainapp(arguments: Sequence[str]) -> int:
        commands.append(arguments)
        return 0

    monkeypatch.setattr(start, "stainapp", stainapp)

    code = start.stain_sample()

    assert code == 0
    assert [command[0] for command in commands] == ["stain", "view"]
    assert str(tmp_path / "out" / "window.png") in capsys.readouterr().out


def test_the_stamp_is_plain_json(script: Callable[[str], Any]) -> None:
    stamp = script("environment").stamp_for("3.11.7", {}, development=True)

    assert json.loads(json.dumps(stamp)) == stamp
