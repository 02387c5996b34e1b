"""Which of a run's models is kept."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from stainapp.models.stainer import Tiles
from tests.compare.tissue import tiles
from tests.models.factories import identity_model
from training import validation
from training.datasets import JudgeTiles
from training.validation import judge

UNPAIRED: Any = SimpleNamespace(paired=False, grey=False)


@pytest.fixture(scope="module")
def fixed() -> JudgeTiles:
    regions = tuple(map(str, range(36)))
    return JudgeTiles(tiles("H&E", seed=1), tiles("PAS", seed=2), regions, regions)


def test_doing_nothing_scores_one_for_each_way(fixed: JudgeTiles, tmp_path: Path) -> None:
    same = identity_model(tmp_path / "same")

    judged = judge({"forward": same, "inverse": same}, fixed, "cpu", UNPAIRED)

    assert judged.score == pytest.approx(2.0, rel=0.01)


@pytest.mark.parametrize("good", ["forward", "inverse"])
def test_either_way_counts_alike(
    good: str, fixed: JudgeTiles, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Though what doing nothing comes to differs between the ways."""
    perfect = {"forward": fixed.target, "inverse": fixed.source}

    def stained(folder: Path, shown: Tiles, _device: str) -> Tiles:
        return np.array(perfect[folder.name]) if folder.name == good else shown

    monkeypatch.setattr(validation, "stained_as_seen", stained)
    folders = {name: Path(name) for name in perfect}

    judged = judge(folders, fixed, "cpu", UNPAIRED)

    assert judged.score == pytest.approx(1.0, rel=0.01)
