"""Which of a run's models is kept."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from stainapp.models.stainer import Tiles
from tests.compare.tissue import tiles
from training import validation
from training.datasets import JudgeTiles
from training.validation import judge

UNPAIRED: Any = SimpleNamespace(paired=False, grey=False)


@pytest.fixture(scope="module")
def fixed() -> JudgeTiles:
    regions = tuple(map(str, range(36)))
    return JudgeTiles(tiles("H&E", seed=1), tiles("PAS", seed=2), regions, regions)


@pytest.mark.parametrize("good", ["forward", "inverse"])
def test_each_way_is_judged_by_itself(
    good: str, fixed: JudgeTiles, monkeypatch: pytest.MonkeyPatch
) -> None:
    perfect = {"forward": fixed.target, "inverse": fixed.source}

    def stained(folder: Path, shown: Tiles, *_: object) -> Tiles:
        return np.array(perfect[folder.name]) if folder.name == good else shown

    monkeypatch.setattr(validation, "stained_as_seen", stained)
    folders = {name: Path(name) for name in perfect}

    judged = judge(folders, fixed, "cpu", UNPAIRED)

    (other,) = judged.scores.keys() - {good}
    assert judged.scores[good] == pytest.approx(0.0, abs=0.01)
    assert judged.scores[other] > 1.0
