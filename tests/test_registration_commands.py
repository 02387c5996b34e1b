import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from stainapp.cli import main
from stainapp.registration.transform import Transform

ROOT = Path(__file__).parents[1]
POINTS = "fx,fy,mx,my\n10,20,30,25\n200,40,220,45\n60,150,80,155\n"
"""A shift by 20 to the right and 5 down."""


@pytest.fixture
def slides(tmp_path: Path) -> tuple[str, str]:
    pixels = np.random.default_rng(0).integers(0, 255, (200, 300, 3), np.uint8)
    for name in ("fixed", "moving"):
        Image.fromarray(pixels).save(tmp_path / f"{name}.png")
    return str(tmp_path / "fixed.png"), str(tmp_path / "moving.png")


def words(slides: tuple[str, str], folder: Path, *more: str) -> list[str]:
    return ["register", *slides, "-o", str(folder / "t.json"), "--fixed-mpp", "0.5", *more]


def test_landmarks_alone_give_a_transform_a_summary_and_mapped_points(
    slides: tuple[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    landmarks, points = tmp_path / "landmarks.csv", tmp_path / "points.csv"
    landmarks.write_text(POINTS, encoding="utf-8")
    points.write_text("x,y\n120,55\n", encoding="utf-8")

    files = ["--landmarks", str(landmarks), "--map", str(points)]
    code = main(words(slides, tmp_path, *files, "--only-landmarks", "--json"))

    assert code == 0
    said = json.loads(capsys.readouterr().out)
    assert said["method"] == "points"
    assert said["pieces"][0]["mirrored"] is False
    found = Transform.read(tmp_path / "t.json").to_moving(np.array([[100.0, 50.0]]))
    assert np.allclose(found, [[120.0, 55.0]])
    mapped = (tmp_path / "t.points.csv").read_text(encoding="utf-8").splitlines()
    assert mapped == ["x,y,error_um", "100.00,50.00,"]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("x,y\n1,2\n3\n", "line 3 has not the 2 numbers"),
        ("x,y\n1,2\nleft,right\n", "line 3 is no row of numbers"),
        ("x,y\n1,nan\n", "line 2 has not the 2 numbers"),
        ("x,y\n", "holds no points"),
    ],
)
def test_a_bad_file_of_points_is_named_before_any_work(
    slides: tuple[str, str],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    content: str,
    said: str,
) -> None:
    points = tmp_path / "points.csv"
    points.write_text(content, encoding="utf-8")

    code = main(words(slides, tmp_path, "--map", str(points)))

    assert code == 1
    assert said in capsys.readouterr().err
    assert not (tmp_path / "t.json").exists()


def test_only_landmarks_without_landmarks_says_so(
    slides: tuple[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(words(slides, tmp_path, "--only-landmarks")) == 1
    assert "name a file of them" in capsys.readouterr().err


def test_a_registration_that_is_left_alone_ends_and_writes_nothing(
    slides: tuple[str, str], tmp_path: Path
) -> None:
    command = [sys.executable, "-m", "stainapp", *words(slides, tmp_path), "--end-with-stdin"]

    ended = subprocess.run(
        command, cwd=ROOT, stdin=subprocess.DEVNULL, capture_output=True, check=False
    )

    assert ended.returncode == 1
    assert ended.stderr == b""
    assert not (tmp_path / "t.json").exists()
