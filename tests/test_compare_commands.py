"""`stainapp compare`."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from stainapp.cli import main
from stainapp.commands import DONE, FAILED
from stainapp.compare.pair import Pair
from stainapp.registration.transform import Transform
from stainapp.session.geojson import write_geojson
from stainapp.session.reader_study import Answer, StudyFolder
from stainapp.session.regions import Region
from stainapp.slides.opening import open_slide
from stainapp.ui import study_window

DAB_MEASURES = ("optical density of dyes", "positive area", "positive nuclei and H-score")
HE, PAS = "phantom:he:700:5", "phantom:pas:700:5"


@pytest.fixture
def regions(tmp_path: Path) -> Path:
    path = tmp_path / "regions.geojson"
    write_geojson(path, [Region.rectangle(200 * n, 200, 180, 180, name=f"f{n}") for n in range(3)])
    return path


def test_two_slides_are_compared_without_a_window(
    tmp_path: Path, regions: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    page = tmp_path / "out" / "report.html"

    code = main(["compare", PAS, HE, "--regions", str(regions), "-o", str(page)])

    assert code == DONE
    assert page.read_text("utf-8").count("<h2") >= 5
    values = json.loads(page.with_suffix(".json").read_text("utf-8"))
    assert [one["name"] for one in values["regions"]] == ["f0", "f1", "f2"]
    assert page.with_suffix(".csv").is_file()
    assert "nuclei F1" in capsys.readouterr().out


def test_a_virtual_stain_of_the_other_slide_is_compared(
    tmp_path: Path, regions: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    page = tmp_path / "report.html"
    words = ["compare", HE, HE, "--model", "macenko", "--regions", str(regions), "-o", str(page)]

    assert main([*words, "--json"]) == DONE

    told = json.loads(capsys.readouterr().out)
    assert {one["error_um"] for one in told["figures"]} == {0.0}
    values = json.loads(page.with_suffix(".json").read_text("utf-8"))
    assert values["other"]["virtual"]
    assert values["other"]["model"] == "macenko"
    assert "VIRTUAL" in page.read_text("utf-8")


def told(capsys: pytest.CaptureFixture[str], *words: str) -> dict[str, Any]:
    assert main(["compare", *words, "--json"]) == DONE
    values: dict[str, Any] = json.loads(capsys.readouterr().out)
    return values


@pytest.mark.parametrize("model", ["reinhard", "macenko", "he-dcgmm"])
def test_dab_is_scored_in_a_slide_of_dab_that_was_normalised(
    tmp_path: Path, regions: Path, capsys: pytest.CaptureFixture[str], model: str
) -> None:
    dab = "phantom:dab:700:5"
    words = ["--model", model, "--regions", str(regions), "-o", str(tmp_path / "r.html")]

    brown = told(capsys, dab, dab, *words)
    pink = told(capsys, dab, HE, *words)

    assert {"positive area", "H-score"} <= {one["measure"] for one in brown["figures"]}
    assert not {"positive area", "H-score"} & {one["measure"] for one in pink["figures"]}
    reasons = {pink["not_measured"][what] for what in DAB_MEASURES}
    assert len(reasons) == 1
    assert reasons.pop().startswith("a normaliser changes colours and no dyes")


def test_the_model_is_compared_at_the_template_and_strength_that_are_asked_for(
    tmp_path: Path, regions: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    template = tmp_path / "pale.png"
    Image.fromarray(open_slide(PAS).read(0, 0, 0, 700, 700)).save(template)
    page = tmp_path / "r.html"
    words = [HE, HE, "--model", "reinhard", "--regions", str(regions), "-o", str(page)]

    own, to_template, none = (
        told(capsys, *words, *more)
        for more in ([], ["--template", str(template)], ["--strength", "0"])
    )

    psnr = [one["figures"][0]["estimate"] for one in (own, to_template, none)]
    assert len(set(psnr)) == 3
    assert max(psnr) == psnr[2]  # the slide itself
    assert main(["compare", *words, "--template", str(template)]) == DONE
    assert "pale.png" in page.read_text("utf-8")


def test_a_transform_joins_slides_of_different_size(
    tmp_path: Path, regions: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    larger = "phantom:pas:800:5"
    transform = tmp_path / "transform.json"
    Transform.identity(open_slide(HE).info, open_slide(larger).info).write(transform)
    words = ["compare", larger, HE, "-o", str(tmp_path / "r.html"), "--regions", str(regions)]

    assert main(words) == FAILED
    assert "register" in capsys.readouterr().err
    assert main([*words, "--transform", str(transform), "--json"]) == DONE
    assert len(json.loads(capsys.readouterr().out)["regions"]) == 3


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["nowhere.svs", HE], "nowhere.svs"),
        ([HE, PAS, "--mpp", "0.2"], "0.5 um/px"),
        ([HE, PAS, "--regions", "nowhere.geojson"], "nowhere.geojson"),
        ([HE, PAS, "--transform", "nowhere.json"], "nowhere.json"),
        ([HE, PAS, "--model", "macenco"], "macenko"),
    ],
)
def test_what_is_wrong_is_one_sentence_and_leaves_nothing(
    words: list[str], said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    page = tmp_path / "r.html"

    code = main(["compare", *words, "-o", str(page)])

    assert code == FAILED
    assert said in capsys.readouterr().err
    assert not page.exists()


def test_the_two_scanners_of_one_field_agree_but_for_their_colours(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    files = [data / "same-slide-two-scanners" / f"OS-2-{name}.ome.tif" for name in ("ndpi", "vsi")]
    first, second = (open_slide(path) for path in files)
    straight = Transform.identity(first.info, second.info)
    matrix = straight.pieces[0].copy()
    matrix[1, 2] = -5.25  # found by phase correlation
    transform = tmp_path / "transform.json"
    replace(straight, pieces=(matrix,), method="points").write(transform)
    regions = tmp_path / "r.geojson"
    write_geojson(regions, [Region.rectangle(500, 500, 600, 600)])
    words = ["--transform", str(transform), "--regions", str(regions)]

    code = main(
        ["compare", *map(str, files), *words, "-o", str(tmp_path / "report.html"), "--json"]
    )

    figures = json.loads(capsys.readouterr().out)["figures"]
    found = {one["measure"]: one for one in figures if one["region"] == "all regions"}
    assert code == DONE
    assert found["nuclei F1"]["estimate"] > 0.7
    assert found["SSIM"]["estimate"] > 0.5
    assert found["H-score"]["reference"] > found["H-score"]["other"]


def test_a_study_is_made_once_and_its_results_are_told(
    tmp_path: Path, regions: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder, measures, answers = tmp_path / "study", tmp_path / "m.csv", tmp_path / "a.csv"
    make = ["study", "make", PAS, HE, "--model", "macenko", "--regions", str(regions)]

    assert main([*make, "-o", str(folder), "--seed", "3"]) == DONE
    assert main([*make, "-o", str(folder)]) == FAILED
    study = StudyFolder.open(folder)
    assert study.study.slides["model"] == "macenko"
    for number in range(6):
        study.answer("anna", Answer(field=number, says_virtual=True, score=4, seconds=1.0))
    words = ["study", "results", str(folder), "-o", str(measures), "--answers", str(answers)]
    assert main(words) == DONE

    assert "right choices" in capsys.readouterr().out
    assert answers.read_text("utf-8").count("\n") == 7
    assert "anna,right choices,0.5" in measures.read_text("utf-8")


def test_a_study_is_opened_with_the_slides_it_was_made_of(
    tmp_path: Path,
    regions: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    folder = tmp_path / "study"
    make = ["study", "make", PAS, HE, "--regions", str(regions), "-o", str(folder)]
    seen: list[Pair] = []
    monkeypatch.setattr(study_window, "read_study", lambda *what: seen.append(what[2]))

    assert main(make) == DONE
    assert main(["study", "read", str(folder), "--reader", "anna"]) == DONE

    assert [side.reader.info.path.name for side in seen[0].sides] == [PAS, HE]
    assert "6 fields are left" in capsys.readouterr().out
    assert main(["study", "read", str(folder), "--reader", "an/na"]) == FAILED
