import csv
import io
import json

import numpy as np
import pytest

from stainapp.cancel import CancelToken
from stainapp.compare.baselines import fit_baselines
from stainapp.compare.dab import Thresholds
from stainapp.compare.evaluation import evaluate
from stainapp.compare.instruments import Instruments
from stainapp.compare.metrics import psnr, ssim
from stainapp.compare.question import Question, TileSet
from stainapp.compare.segmenter import Classical
from stainapp.compare.table import Table, from_dict, joined
from stainapp.errors import Cancelled, StainAppError
from stainapp.slides.reader import RgbImage
from tests.compare.tissue import MPP, tiles

COUNT = 12
KEPT = ("nuclei F1", "nuclei Dice", "nuclei AJI")
"""Against the source."""


def tile_set(stain: str, seed: int = 1, count: int = COUNT, side: int = 128) -> TileSet:
    images = tiles(stain, seed, side, count)
    return TileSet(images, [f"{seed}-{n // 3}" for n in range(count)], stain, MPP)


def nearly(images: RgbImage, seed: int = 0) -> RgbImage:
    """Noise that grows from tile to tile."""
    rng = np.random.default_rng(seed)
    scale = np.linspace(1, 12, len(images)).reshape(-1, 1, 1, 1)
    return np.clip(np.rint(images + scale * rng.normal(size=images.shape)), 0, 255).astype(np.uint8)


@pytest.fixture(scope="module")
def paired() -> Table:
    question = Question(tile_set("H&E"), tile_set("PAS"), paired=True)
    source, target = question.source.images, question.target.images
    return evaluate(question, {"model": nearly(target), "untouched": source})


@pytest.fixture(scope="module")
def unpaired() -> Table:
    question = Question(
        tile_set("H&E"), tile_set("PAS", 2), paired=False, another=tile_set("PAS", 3)
    )
    generated, source = tile_set("PAS").images, question.source.images
    baselines = fit_baselines(source, question.target.images)
    subjects = {name: run(source) for name, run in baselines.items()}
    return evaluate(question, {"model": generated} | subjects, {"model": nearly(source)})


def test_the_figures_of_pairs_are_the_means_over_tiles(paired: Table) -> None:
    target = tiles("PAS", count=COUNT)
    pairs = list(zip(target, nearly(target), strict=True))

    assert paired.value("PSNR") == pytest.approx(np.mean([psnr(*pair) for pair in pairs]))
    assert paired.value("SSIM") == pytest.approx(np.mean([ssim(*pair) for pair in pairs]))


def test_every_row_has_its_interval_and_its_regions(paired: Table) -> None:
    for row in paired.rows:
        if row.estimate is not None:
            assert row.low is not None
            assert row.high is not None
            assert row.low <= row.high
            assert (row.n, row.clusters, row.clustered) == (COUNT, 4, True)
            assert "only 4 regions" in row.note


def test_the_better_model_has_the_better_figures(paired: Table) -> None:
    compared = 0
    for row in paired.rows:
        other = paired.value(row.measure, "untouched")
        if row.subject == "model" and None not in (row.estimate, other):
            if row.measure in (*KEPT, "new structures on glass"):
                continue  # doing nothing keeps all content
            assert row.estimate is not None
            assert other is not None
            assert (row.estimate > other) == (row.better == "higher"), row.measure
            compared += 1
    assert compared >= 7


def test_what_cannot_be_measured_says_why(paired: Table) -> None:
    row = next(row for row in paired.rows if row.measure == "MS-SSIM")

    assert row.estimate is None
    assert "176 px" in row.note


def test_the_worst_tiles_come_first(paired: Table, unpaired: Table) -> None:
    assert {tile.index for tile in paired.worst[:3]} == {9, 10, 11}
    assert paired.worst[0].region == "1-3"
    assert [one.score for one in paired.worst] == sorted(one.score for one in paired.worst)
    assert paired.worst[0].measure == "SSIM"
    assert {tile.index for tile in unpaired.worst[:3]} <= {8, 9, 10, 11}
    assert unpaired.worst[0].measure == "cycle error"


def test_without_pairs_or_cycle_the_tile_least_like_the_target_is_worst() -> None:
    question = Question(tile_set("H&E"), tile_set("PAS", 2), paired=False)
    generated = tile_set("PAS").images.copy()
    generated[5] = question.source.images[5]

    found = evaluate(question, {"model": generated})

    assert found.worst[0].index == 5
    assert len(found.worst) == COUNT


def test_unpaired_true_stain_beats_every_baseline(unpaired: Table) -> None:
    distance = {row.subject: row.estimate for row in unpaired.rows if row.measure == "FD-OD"}

    model = distance.pop("model")
    real = distance.pop("real")
    assert model is not None
    assert real is not None
    assert set(distance) == {"untouched", "reinhard", "macenko", "mean and deviation"}
    assert all(other is not None and other > 2 * max(model, real) for other in distance.values())


def test_content_is_measured_against_the_source(unpaired: Table) -> None:
    model = unpaired.value("nuclei F1")

    assert model is not None
    assert 0.85 < model < 1
    assert unpaired.value("nuclei F1", "untouched") == 1
    assert unpaired.value("cycle error") is not None
    with pytest.raises(KeyError, match="cycle error of macenko"):
        unpaired.value("cycle error", "macenko")


def test_equal_questions_give_equal_bytes(paired: Table) -> None:
    question = Question(tile_set("H&E"), tile_set("PAS"), paired=True)
    source, target = question.source.images, question.target.images

    again = evaluate(question, {"model": nearly(target), "untouched": source})

    assert again.as_json() == paired.as_json()
    assert again.as_csv() == paired.as_csv()


def test_json_and_csv_hold_the_table(paired: Table) -> None:
    lines = list(csv.DictReader(io.StringIO(paired.as_csv())))

    assert from_dict(json.loads(paired.as_json())) == paired
    assert [line["measure"] for line in lines] == [row.measure for row in paired.rows]
    assert float(lines[0]["estimate"]) == paired.rows[0].estimate


def test_tables_join_and_keep_the_first_one_s_worst_tiles(paired: Table, unpaired: Table) -> None:
    both = joined([paired, unpaired])

    assert both.rows == paired.rows + unpaired.rows
    assert both.worst == paired.worst


def test_a_stain_without_nuclei_leaves_that_row_empty() -> None:
    question = Question(tile_set("unstained"), tile_set("H&E"), paired=True)

    found = evaluate(question, {"model": question.target.images})

    row = next(row for row in found.rows if row.measure == "nuclei F1")
    assert row.estimate is None
    assert "unstained" in row.note


def test_what_does_not_fit_together_is_refused() -> None:
    he, pas = tile_set("H&E"), tile_set("PAS", count=9)
    with pytest.raises(StainAppError, match="are no pairs"):
        Question(he, pas, paired=True)
    with pytest.raises(StainAppError, match="not made from tiles"):
        evaluate(Question(he, pas, paired=False), {"model": pas.images})
    with pytest.raises(StainAppError, match="12 tiles of 1 regions"):
        TileSet(he.images, ["a"], "H&E", MPP)


def test_a_cancelled_evaluation_stops() -> None:
    token = CancelToken()
    token.cancel()

    with pytest.raises(Cancelled):
        evaluate(
            Question(tile_set("H&E"), tile_set("PAS"), paired=True),
            {"model": tile_set("PAS").images},
            token=token,
        )


def test_too_few_tiles_for_a_distance_leave_the_other_measures() -> None:
    source, target = tile_set("H&E", count=3), tile_set("PAS", 2, count=3)
    another = tile_set("PAS", 3, count=3)
    question = Question(source, target, paired=False, another=another)

    table = evaluate(question, {"model": target.images})

    distances = [row for row in table.rows if row.measure == "FD-OD"]
    assert [(row.subject, row.estimate) for row in distances] == [("model", None), ("real", None)]
    assert table.value("mean PAS error") is not None


def test_pairs_are_measured_by_the_nuclei_of_the_target_too(paired: Table) -> None:
    for measure in KEPT:
        model = paired.value(f"{measure} to target")
        assert model is not None
        assert 0.6 < model < 1, measure
    row = next(row for row in paired.rows if row.measure == "nuclei F1 to target")
    assert "segmenter: classical, F1 0." in row.note
    assert "annotated fields" in row.note


def dab_table(*, paired: bool) -> Table:
    """Measure a picture that has lost half of the brown."""
    target = tile_set("DAB", 1 if paired else 2)
    images = tile_set("DAB").images
    glass = np.array([243, 242, 244])
    paler = (glass * (images / glass) ** 0.5).clip(0, 255).astype(np.uint8)
    source = tile_set("H&E")
    subjects = {"model": images, "paler": paler, "untouched": source.images}
    return evaluate(Question(source, target, paired=paired), subjects)


@pytest.fixture(scope="module")
def paired_dab() -> Table:
    return dab_table(paired=True)


def test_dab_is_scored_beside_the_real_section(paired_dab: Table) -> None:
    real = paired_dab.value("H-score", "real")
    assert real is not None
    assert 0 < real < 300
    assert paired_dab.value("H-score") == real
    assert paired_dab.value("positive nuclei") == paired_dab.value("positive nuclei", "real")
    assert paired_dab.value("H-score difference") == 0
    assert paired_dab.value("nuclear DAB distance") == 0


def test_what_has_lost_brown_scores_less(paired_dab: Table) -> None:
    row = next(
        row
        for row in paired_dab.rows
        if (row.subject, row.measure) == ("paler", "H-score difference")
    )

    assert row.estimate is not None
    assert row.high is not None
    assert row.estimate < row.high < 0
    assert row.estimate == pytest.approx(
        float(paired_dab.value("H-score", "paler") or 0)
        - float(paired_dab.value("H-score", "real") or 0)
    )
    assert "thresholds 0.2, 0.4, 0.6 OD" in row.note


def test_a_picture_that_is_not_in_dab_is_not_scored(paired_dab: Table) -> None:
    assert paired_dab.value("H-score", "untouched") is None
    assert not any(row.measure == "H-score" for row in dab_free().rows)


def dab_free() -> Table:
    pas = tile_set("PAS", count=8)
    return evaluate(Question(tile_set("H&E", count=8), pas, paired=True), {"model": pas.images})


def test_without_pairs_the_distributions_of_brown_are_compared() -> None:
    table = dab_table(paired=False)

    near, far = (table.value("nuclear DAB distance", name) for name in ("model", "paler"))
    assert near is not None
    assert far is not None
    assert 0 < near < far
    assert not any("difference" in row.measure for row in table.rows)


def test_a_laboratory_s_thresholds_are_used() -> None:
    dab = tile_set("DAB", count=8)
    lowest = Instruments(thresholds=Thresholds(0.001, 0.002, 0.003))

    table = evaluate(
        Question(dab, dab, paired=True), {"model": nearly(dab.images)}, instruments=lowest
    )

    share = table.value("positive nuclei")
    assert share is not None
    assert share > 0.95


def test_a_segmenter_that_does_not_know_the_stain_leaves_its_rows_empty() -> None:
    class Narrow(Classical):
        name = "narrow"

        def knows(self, stain: str) -> bool:
            return stain == "H&E"

    question = Question(tile_set("H&E", count=8), tile_set("PAS", count=8), paired=True)

    table = evaluate(
        question, {"model": question.target.images}, instruments=Instruments(segmenter=Narrow())
    )

    row = next(row for row in table.rows if row.measure == "nuclei AJI to target")
    assert row.estimate is None
    assert row.note == "narrow cannot tell nuclei in PAS"
