"""A model set beside its parent and the baselines."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from stainapp.models.stainer import Tiles
from stainapp.slides.phantom import PhantomSlide
from tests.models.factories import identity_model, resnet_model
from training.datasets import JudgeTiles
from training.evaluation import Subject, for_card, judge_model, stained_as_seen

PLACES = [(x, y) for x in (150, 420, 690) for y in (150, 420, 690)]


def cut(stain: str, seed: int) -> Tiles:
    slide = PhantomSlide(stain, (1024, 1024), seed=seed)
    return np.stack([slide.read(x, y, 0, 176, 176) for x, y in PLACES])


@pytest.fixture(scope="module")
def tiles() -> JudgeTiles:
    names = tuple(f"region {n % 3}" for n in range(len(PLACES)))
    return JudgeTiles(cut("H&E", 5), cut("PAS", 5), names, names)


def subject(folder: Path, tiles: JudgeTiles) -> Subject:
    return Subject(
        folder=folder,
        tiles=tiles,
        learnt=(cut("H&E", 6)[:4], cut("PAS", 6)[:4]),
        stains=("H&E", "PAS"),
        mpp=0.5,
        paired=True,
        device="cpu",
    )


def test_a_model_that_changes_nothing_fares_as_doing_nothing(
    tmp_path: Path, tiles: JudgeTiles
) -> None:
    table = judge_model(subject(identity_model(tmp_path / "same"), tiles)).table

    for measure in ("PSNR", "SSIM", "PAS error"):
        assert table.value(measure) == pytest.approx(table.value(measure, "untouched"), rel=1e-3)
    assert table.value("nuclei F1", "untouched") == 1.0


def test_the_parent_and_the_baselines_stand_beside_the_model(
    tmp_path: Path, tiles: JudgeTiles
) -> None:
    parent = resnet_model(tmp_path / "parent")
    asked = replace(subject(identity_model(tmp_path / "same"), tiles), parent=str(parent))

    table = judge_model(asked).table

    subjects = {row.subject for row in table.rows}
    assert {"model", "parent", "untouched", "reinhard", "macenko"} <= subjects
    assert table.value("PSNR", "parent") != table.value("PSNR", "model")


def test_the_way_back_is_judged_by_the_other_stains_tiles(
    tmp_path: Path, tiles: JudgeTiles
) -> None:
    forward = subject(identity_model(tmp_path / "same"), tiles)
    back = forward.reversed(identity_model(tmp_path / "back"))

    assert back.stains == ("PAS", "H&E")
    assert back.inverse == forward.folder
    verdict = judge_model(back)
    np.testing.assert_array_equal(verdict.source, tiles.target)
    assert verdict.table.value("cycle error") == pytest.approx(0, abs=5e-3)


def test_bare_glass_is_handed_through_as_the_viewer_does(tmp_path: Path) -> None:
    slide = PhantomSlide("H&E", (1024, 1024), seed=5)
    edge = np.stack([slide.read(0, y, 0, 176, 176) for y in (150, 420, 690)])
    inside = cut("H&E", 5)[:3]

    stained = stained_as_seen(resnet_model(tmp_path / "net"), np.concatenate([inside, edge]), "cpu")

    glass = (edge == edge[0, 0, 0]).all(axis=-1)
    assert glass.mean() > 0.2
    changed = (stained[3:] != edge).any(axis=-1)
    assert changed[glass].mean() < 0.05 < np.mean(stained[:3] != inside)


def test_a_card_keeps_every_figure_that_was_measured(tmp_path: Path, tiles: JudgeTiles) -> None:
    verdict = judge_model(subject(identity_model(tmp_path / "same"), tiles))

    kept = for_card(verdict.table, tiles)

    measured = [row for row in verdict.table.rows if row.estimate is not None]
    assert [(k["subject"], k["measure"]) for k in kept] == [
        (r.subject, r.measure) for r in measured
    ]
    assert all("region 0" in str(k["set"]) for k in kept)


def test_the_worst_tiles_are_drawn(tmp_path: Path, tiles: JudgeTiles) -> None:
    verdict = judge_model(subject(identity_model(tmp_path / "same"), tiles))

    verdict.draw_worst(tmp_path / "worst.png")

    scores = [one.score for one in verdict.table.worst]
    assert scores == sorted(scores)
    assert (tmp_path / "worst.png").stat().st_size > 1000


def test_real_tissue_is_set_beside_real_only_as_other_tiles_of_the_same_size(
    tmp_path: Path, tiles: JudgeTiles
) -> None:
    asked = replace(subject(identity_model(tmp_path / "same"), tiles), paired=False)
    smaller = (cut("H&E", 6)[:, :96, :96], cut("PAS", 6)[:, :96, :96])
    own = (tiles.source, tiles.target)

    shown = {
        name: "real" in {row.subject for row in judge_model(replace(asked, learnt=some)).table.rows}
        for name, some in (
            ("others", (cut("H&E", 6), cut("PAS", 6))),
            ("smaller", smaller),
            ("own", own),
        )
    }

    assert shown == {"others": True, "smaller": False, "own": False}
