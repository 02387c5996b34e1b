"""What the tests of slides share."""

from pathlib import Path

import pytest


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return tmp_path / "Färbung 1.ome.tiff"
