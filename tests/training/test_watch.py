"""Which models a run keeps."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from stainapp.models.card import ModelCard
from stainapp.runs.folder import EventReader, RunFolder
from tests.training.recipes import small
from training import watch
from training.processes import ALONE
from training.start import start
from training.swap import mend, swap
from training.validation import Judged
from training.watch import Watch


@pytest.mark.parametrize(("keep", "forward", "inverse"), [("best", 4, 2), ("last", 6, 6)])
def test_each_direction_keeps_the_model_of_its_own_best_moment_or_the_last(
    keep: str, forward: int, inverse: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tiles = np.full((1, 64, 64, 3), 200, np.uint8)
    scores: Iterator[dict[str, float]] = iter(
        (
            {"forward": 3.0, "inverse": 1.0},
            {"forward": 2.0, "inverse": float("nan")},
            {"forward": 4.0, "inverse": 2.0},
        )
    )

    def judged(*_: object) -> Judged:
        return Judged({}, next(scores), tiles, tiles, tiles, "real", (0,))

    monkeypatch.setattr(watch, "judge", judged)
    monkeypatch.setattr(Watch, "conclude", lambda _: None)
    run = RunFolder(tmp_path)

    recipe = small("cyclegan", images=6, validate_every=2, keep=keep)
    start(recipe, run, ALONE, resume=False, device="cpu")

    kept = {name: ModelCard.read(run.model / name).training for name in ("small", "small-back")}
    assert {name: facts["images"] for name, facts in kept.items()} == {
        "small": forward,
        "small-back": inverse,
    }
    said = [one for one in EventReader(run.events_file).new() if one["event"] == "validation"]
    assert [one["best"] for one in said] == [["forward", "inverse"], ["forward"], []]


def test_a_folder_whose_exchange_was_cut_short_is_put_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, draft = tmp_path / "model", tmp_path / "draft"
    for one in (folder, draft):
        one.mkdir()
        (one / "name").write_text(one.name)
    rename = Path.rename

    def killed(self: Path, target: Path) -> Path:
        if self == draft:
            raise KeyboardInterrupt
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", killed)
    with pytest.raises(KeyboardInterrupt):
        swap(draft, folder)
    assert not folder.exists()

    mend(folder)

    assert (folder / "name").read_text() == "model"
    monkeypatch.undo()
    swap(draft, folder)
    mend(folder)
    assert (folder / "name").read_text() == "draft"
    assert [one.name for one in tmp_path.iterdir()] == ["model"]
