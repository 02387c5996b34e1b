import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from resources import resource
from stainapp import __version__
from stainapp.cli import main
from stainapp.commands import DONE, FAILED, MISUSED, verdict
from tests.models.factories import identity_model

SLIDE = "phantom:he:2000:3"


def test_the_version_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--version"])

    assert ended.value.code == 0
    assert __version__ in capsys.readouterr().out


def test_wrong_words_are_misuse() -> None:
    with pytest.raises(SystemExit) as ended:
        main(["stain", SLIDE])

    assert ended.value.code == 2


@pytest.mark.parametrize("region", ["1,2,3", "a,b,c,d", "0,0,0,5", "nan,0,10,10", "0,0,inf,5"])
def test_a_region_that_is_none_is_misuse(region: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["stain", SLIDE, "--model", "macenko", "-o", "x.tiff", "--region", region])

    assert ended.value.code == 2
    assert "--region" in capsys.readouterr().err


@pytest.mark.parametrize(
    "words", [["--zoom", "999"], ["--size", "0x0"], ["--rotate", "nan"], ["--mpp", "-1"]]
)
def test_a_view_that_is_none_is_misuse(words: list[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["view", SLIDE, *words])

    assert ended.value.code == 2


def test_a_mistyped_command_is_not_taken_for_a_slide(
    capsys: pytest.CaptureFixture[str],
) -> None:
    code = main(["infoo", SLIDE])

    assert code == MISUSED
    assert "infoo" in capsys.readouterr().err


def test_a_picture_of_a_model_that_is_not_there_fails(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    picture = tmp_path / "window.png"

    code = main(["view", SLIDE, "--model", "nope", "--screenshot", str(picture)])

    assert code == FAILED
    assert "nope" in capsys.readouterr().err
    assert not picture.exists()


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="displays by Linux's variables")
def test_a_machine_without_display_is_told_of_pictures(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM"):
        monkeypatch.delenv(name, raising=False)

    code = main(["view", SLIDE])

    assert code == FAILED
    assert "--screenshot" in capsys.readouterr().err


def test_info_tells_scale_and_levels(capsys: pytest.CaptureFixture[str]) -> None:
    code = main(["info", SLIDE, "--json"])

    facts = json.loads(capsys.readouterr().out)
    assert code == DONE
    assert facts["mpp"] == 0.5
    assert facts["levels"][0]["width_px"] == 2000


def test_info_on_a_missing_file_names_it(capsys: pytest.CaptureFixture[str]) -> None:
    code = main(["info", "nowhere.svs"])

    error = capsys.readouterr().err
    assert code == FAILED
    assert "nowhere.svs" in error
    assert error.count("\n") == 1


def test_models_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    code = main(["models", "list", "--json"])

    ids = {card["id"] for card in json.loads(capsys.readouterr().out)}
    assert code == DONE
    assert {"reinhard", "macenko"} <= ids


def test_an_unknown_model_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code = main(["stain", SLIDE, "--model", "macenco", "-o", str(tmp_path / "x.ome.tiff")])

    error = capsys.readouterr().err
    assert code == FAILED
    assert "macenco" in error
    assert "macenko" in error


@pytest.mark.parametrize("name", ["macenko", str(resource("models") / "macenko")])
def test_a_model_is_named_by_its_id_or_its_folder(
    name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["models", "show", name]) == DONE
    assert json.loads(capsys.readouterr().out)["id"] == "macenko"


def test_a_region_is_stained_into_a_file_that_verifies(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    target = tmp_path / "stained.ome.tiff"

    code = main(
        ["stain", SLIDE, "--model", "macenko", "-o", str(target), "--region", "300,300,700,600"]
    )

    assert code == DONE
    assert target.is_file()
    assert main(["verify", str(target), "--json"]) == DONE
    assert main(["info", str(target), "--json"]) == DONE
    out = capsys.readouterr().out
    assert '"width_px": 700' in out


def test_a_slide_without_scale_is_not_stained_unless_it_is_given(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    target = tmp_path / "x.ome.tiff"
    words = ["stain", "sample:ihc", "--model", "dab-to-haematoxylin", "-o", str(target)]

    refused = main(words)

    assert refused == FAILED
    assert "--mpp" in capsys.readouterr().err
    assert not target.exists()
    assert main([*words, "--mpp", "0.5"]) == DONE
    assert target.is_file()


def test_a_region_outside_the_slide_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    target = tmp_path / "x.ome.tiff"

    code = main(
        ["stain", SLIDE, "--model", "macenko", "-o", str(target), "--region", "9000,0,10,10"]
    )

    assert code == FAILED
    assert "outside" in capsys.readouterr().err
    assert not target.exists()


def test_an_export_of_a_damaged_slide_is_not_called_sound() -> None:
    facts = {
        "levels": [(512, 512)],
        "tiles": 1,
        "mpp": 0.5,
        "damaged_tiles": 4,
        "provenance": {"virtual": True},
    }

    words = verdict(Path("x.ome.tiff"), facts)

    assert "sound" not in words
    assert "damage" in words


def test_several_slides_go_into_a_folder(tmp_path: Path) -> None:
    slides = ["phantom:he:1500:1", "phantom:he:1500:2"]

    code = main(["stain", *slides, "--model", "macenko", "-o", str(tmp_path / "out")])

    assert code == DONE
    assert len(list((tmp_path / "out").glob("*.ome.tiff"))) == 2


@pytest.mark.skipif(sys.platform == "win32", reason="SIGTERM ends a Windows process at once")
def test_sigterm_in_mid_export_leaves_no_file(tmp_path: Path) -> None:
    target = tmp_path / "big.ome.tiff"
    command = [sys.executable, "-m", "stainapp", "stain", "phantom:he:30000:1"]
    process = subprocess.Popen(
        [*command, "--model", "macenko", "-o", str(target)],
        stderr=subprocess.PIPE,
        env=os.environ | {"STAINAPP_HOME": str(tmp_path / "home")},
        text=True,
    )
    try:
        while not list(tmp_path.glob("big.ome.tiff*part*")):
            assert process.poll() is None, process.communicate()[1]
        process.send_signal(signal.SIGTERM)
        _, error = process.communicate(timeout=120)
    finally:
        process.kill()

    assert process.returncode == FAILED
    assert "stopped" in error
    assert not target.exists()
    assert not list(tmp_path.glob("big*"))


def test_a_screenshot_shows_the_window_without_a_display(tmp_path: Path) -> None:
    picture = tmp_path / "window.png"
    command = [sys.executable, "-m", "stainapp", SLIDE, "--model", "macenko"]

    subprocess.run(
        [*command, "--layout", "side-by-side", "--screenshot", str(picture), "--size", "1000x700"],
        env=os.environ | {"STAINAPP_HOME": str(tmp_path / "home")},
        check=True,
        timeout=300,
    )

    assert picture.stat().st_size > 20_000


def test_a_segmenter_is_listed_as_what_it_is_and_stains_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("STAINAPP_HOME", str(tmp_path))
    identity_model(tmp_path / "models" / "finder", id="finder", kind="segmenter")

    assert main(["models"]) == 0
    line = next(one for one in capsys.readouterr().out.splitlines() if one.startswith("finder"))
    assert "nuclei in any" in line

    for words in (["view", SLIDE], ["stain", SLIDE, "-o", str(tmp_path / "out.tiff")]):
        assert main([*words, "--model", "finder"]) == 1
        assert "finds nuclei and makes no stain" in capsys.readouterr().err
