"""What loads what: the window must open before torch, and the rest must do without Qt."""

import pkgutil
import subprocess
import sys

import pytest

import stainapp

CORE = (
    "slides",
    "tiles",
    "session",
    "registration",
    "runs",
    "strict",
    "errors",
    "cancel",
    "geometry",
    "settings",
)
TORCH_FREE_MODELS = ("card", "store", "compatibility", "optics", "slide_state", "preview")


def modules(*names: str) -> list[str]:
    """Return these modules of stainapp, and all that lie below them."""
    prefixes = tuple(f"stainapp.{name}." for name in names)
    below = (module.name for module in pkgutil.walk_packages(stainapp.__path__, "stainapp."))
    return [*(f"stainapp.{name}" for name in names), *(n for n in below if n.startswith(prefixes))]


def loaded_after(imports: list[str]) -> set[str]:
    """Return the top-level modules that a fresh Python holds after ``imports``."""
    code = f"import sys, {', '.join(imports)}; print(*{{n.split('.')[0] for n in sys.modules}})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return set(done.stdout.split())


def test_slides_and_tiles_load_neither_qt_nor_torch() -> None:
    loaded = loaded_after(modules(*CORE))

    assert "stainapp" in loaded
    assert not loaded & {"PySide6", "pyqtgraph", "torch"}


def test_what_the_picker_knows_of_models_loads_without_torch() -> None:
    loaded = loaded_after([f"stainapp.models.{name}" for name in TORCH_FREE_MODELS])

    assert not loaded & {"PySide6", "pyqtgraph", "torch"}


def test_the_window_loads_without_torch() -> None:
    loaded = loaded_after(modules("ui"))

    assert "PySide6" in loaded
    assert "torch" not in loaded


def test_the_command_line_loads_nothing_heavy_before_a_command_asks() -> None:
    loaded = loaded_after(["stainapp.__main__"])

    assert not loaded & {"PySide6", "pyqtgraph", "torch", "numpy", "openslide", "skimage"}


def test_models_and_training_load_without_qt() -> None:
    loaded = loaded_after([*modules("models"), "training"])

    assert "torch" in loaded
    assert not loaded & {"PySide6", "pyqtgraph"}


@pytest.mark.parametrize("name", ["core", "common", "utils", "helpers", "manager"])
def test_no_module_is_named_after_nothing(name: str) -> None:
    names = {
        m.name.rsplit(".", 1)[1] for m in pkgutil.walk_packages(stainapp.__path__, "stainapp.")
    }

    assert name not in names
