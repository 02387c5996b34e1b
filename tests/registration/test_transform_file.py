import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from stainapp.errors import RegistrationError
from stainapp.registration.grid import Grid
from stainapp.registration.transform import Transform
from tests.registration.frames import bent, info, scattered, two_pieces


def full() -> Transform:
    """Return a transform that has one of everything."""
    fixed = info()
    error = Grid.covering(fixed.width_px, fixed.height_px, 50.0)
    error.values[:3] = np.nan
    return replace(
        bent(two_pieces(fixed, info(mpp=None))),
        error=error,
        method="automatic",
        landmarks=((1.5, 2.0, 3.0, 4.0),),
    )


def test_what_was_written_is_read_back_whole(tmp_path: Path) -> None:
    written, path, points = full(), tmp_path / "t.json", scattered(info())

    written.write(path)
    read = Transform.read(path)

    assert (read.fixed, read.moving, read.method) == (written.fixed, written.moving, "automatic")
    assert read.landmarks == written.landmarks
    assert read.digest == written.digest
    assert np.array_equal(read.to_moving(points), written.to_moving(points))
    assert np.array_equal(read.error_um(points), written.error_um(points), equal_nan=True)


def change(**values: object) -> Callable[[dict[str, Any]], object]:
    return lambda file: file.update(values)


def change_field(**values: object) -> Callable[[dict[str, Any]], object]:
    return lambda file: file["field"].update(values)


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (change(format="other"), "is not a transform"),
        (change(version=2), "version 2"),
        (change(speed=9), "unknown field 'speed'"),
        (lambda file: file.pop("pieces"), "'pieces' is missing"),
        (change(pieces=[], fixed_pieces=None, moving_pieces=None), "no usable map"),
        (change(pieces=[[[1, 0, 0], [2, 0, 0]]] * 2), "onto a line"),
        (change(pieces=[[[1, 0, 0], [0, 1, 0]]]), "names a piece that is not there"),
        (change(pieces=[[[1, 0], [0, 1]]]), "pieces cannot be"),
        (change(landmarks=[[1, 2, 3]]), "landmarks cannot be"),
        (change_field(data="!!"), "field is damaged"),
        (change_field(data="AAAA"), "field is damaged"),
        (change_field(shape=[4, 4, 2]), "field is incomplete"),
        (change_field(shape=[10**6, 10**6, 2]), "impossible shape"),
        (change_field(shape=[-1, 4, 2]), "impossible shape"),
        (change_field(spacing_px=0.0), "impossible shape"),
        (change_field(type="object"), "type cannot be"),
    ],
)
def test_a_spoilt_file_is_refused_in_one_sentence(
    tmp_path: Path, spoil: Callable[[dict[str, Any]], object], words: str
) -> None:
    path = tmp_path / "t.json"
    full().write(path)
    file = json.loads(path.read_text(encoding="utf-8"))
    spoil(file)
    path.write_text(json.dumps(file), encoding="utf-8")

    with pytest.raises(RegistrationError, match=words) as raised:
        Transform.read(path)

    assert str(path) in str(raised.value)


@pytest.mark.parametrize("content", [b"", b"\x89PNG\r\n", b"[1, 2", b"[]", b"[" * 100_000])
def test_a_file_that_is_no_transform_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "t.json"
    path.write_bytes(content)

    with pytest.raises(RegistrationError, match="is not a transform"):
        Transform.read(path)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(RegistrationError, match=r"gone\.json does not exist"):
        Transform.read(tmp_path / "gone.json")


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")

    with pytest.raises(RegistrationError, match="cannot be written"):
        full().write(tmp_path / "file" / "t.json")
