"""What every test may use."""

import os
from pathlib import Path

import pytest

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

DATA = Path(os.environ.get("STAINAPP_TEST_DATA", Path(__file__).parents[2] / "shared" / "data"))


@pytest.fixture(scope="session")
def data() -> Path:
    """The folder of real slides; a test that needs it skips where it is absent."""
    if not DATA.is_dir():
        pytest.skip(f"no real slides at {DATA} (set STAINAPP_TEST_DATA)")
    return DATA


@pytest.fixture(autouse=True)
def _own_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No test reads or writes what the user's own program remembers."""
    monkeypatch.setenv("STAINAPP_HOME", str(tmp_path / "home"))
