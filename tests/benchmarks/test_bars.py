import json

import pytest

from stainapp.compare.table import Row
from tests.benchmarks.bars import Finding, as_table, conclude, of_row


def test_a_bar_is_reached_from_the_side_that_is_better() -> None:
    assert Finding("distance", 0.05, bar=0.05).passed
    assert Finding("distance", 0.06, bar=0.05).passed is False
    assert Finding("PSNR", 28.0, bar=28.0, lower=False).passed
    assert Finding("PSNR", 27.9, bar=28.0, lower=False).passed is False


def test_what_could_not_be_measured_has_not_reached_its_bar() -> None:
    assert Finding("distance", None, bar=0.05).passed is False


def test_a_number_without_a_bar_has_no_verdict() -> None:
    assert Finding("distance", 0.06).passed is None


def test_a_row_keeps_its_interval_and_which_side_is_better() -> None:
    row = Row("model", "SSIM", 0.91, 0.90, 0.92, 48, 4, True, "", "higher", "only 4 regions")
    assert of_row(row, 0.9) == Finding(
        "model: SSIM", 0.91, 0.90, 0.92, bar=0.9, lower=False, note="only 4 regions"
    )


def test_one_missed_bar_fails_the_whole(capsys: pytest.CaptureFixture[str]) -> None:
    reached, missed = Finding("a", 1.0, bar=2.0), Finding("b", 3.0, bar=2.0)
    assert conclude("x", {}, [reached], as_text=True) == 0
    assert conclude("x", {}, [reached, missed], as_text=True) == 1
    capsys.readouterr()
    conclude("x", {"system": "y"}, [reached, missed], as_text=False)
    found = json.loads(capsys.readouterr().out)
    assert found["system"] == "y"
    assert [one["passed"] for one in found["findings"]] == [True, False]


def test_the_table_says_each_note_once() -> None:
    note = "only 4 regions"
    text = as_table("x", {}, [Finding("a", 1.0, note=note), Finding("b", 2.0, bar=1.0, note=note)])
    assert text.count(note) == 1
    assert "FAIL" in text
