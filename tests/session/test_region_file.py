"""Autosaved regions: whatever happens while they are written, some good version is read again."""

import os
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from stainapp.errors import RegionError
from stainapp.session.geojson import read_document
from stainapp.session.region_file import load, path_of, save
from stainapp.session.regions import Document, Region, RegionSet
from stainapp.slides.phantom import PhantomSlide
from tests.session.qupath import TODAY, written

SLIDE = "a" * 64
OLD = Document((Region.rectangle(0, 0, 5, 5, name="old"),))
NEW = Document((*OLD.regions, Region.rectangle(10, 0, 5, 5, name="new")))


def loaded(identity: str = SLIDE) -> Document:
    found = load(identity)
    assert found is not None
    return found.document


def files() -> list[str]:
    return sorted(path.name for path in path_of(SLIDE).parent.iterdir())


def test_a_slide_has_the_regions_it_was_left_with() -> None:
    identity = PhantomSlide().info.identity
    regions = RegionSet()
    regions.add(OLD.regions[0])

    save(identity, regions)

    assert loaded(identity) == regions.document
    assert load(SLIDE) is None


def test_removing_the_last_region_is_remembered_too() -> None:
    save(SLIDE, OLD)
    save(SLIDE, Document())

    assert loaded() == Document()


def test_what_an_imported_file_said_is_autosaved(tmp_path: Path) -> None:
    document = read_document(written(tmp_path / "a.geojson", TODAY))
    regions = RegionSet()
    regions.extend(document.regions, document.others)

    save(SLIDE, regions)

    assert loaded().others == document.others
    assert loaded().regions[0].extra == document.regions[0].extra


def test_the_version_before_is_kept_beside() -> None:
    save(SLIDE, OLD)
    save(SLIDE, NEW)

    assert read_document(path_of(SLIDE).with_suffix(".geojson.bak")) == OLD
    assert files() == [f"{SLIDE}.geojson", f"{SLIDE}.geojson.bak"]


@pytest.mark.parametrize("identity", ["../../etc/passwd", "a/b", "A" * 300, "\u00e9", "", "x\0y"])
def test_no_identity_leads_out_of_the_folder(identity: str) -> None:
    save(identity, OLD)

    assert loaded(identity) == OLD
    assert path_of(identity).parent == path_of(SLIDE).parent


def test_identities_that_look_alike_do_not_share_a_file() -> None:
    save("a:b", OLD)
    save("a/b", NEW)

    assert (loaded("a:b"), loaded("a/b")) == (OLD, NEW)


@pytest.mark.parametrize("content", [b"", b'{"type": "Feat', b"\0" * 500])
def test_a_damaged_file_is_put_aside_and_the_version_before_used(content: bytes) -> None:
    save(SLIDE, OLD)
    save(SLIDE, NEW)
    path_of(SLIDE).write_bytes(content)
    told: list[str] = []

    found = load(SLIDE, warn=told.append)

    assert found is not None
    assert found.document == OLD
    (sentence,) = told
    assert "put aside as" in sentence
    assert path_of(SLIDE).with_suffix(".geojson.damaged").read_bytes() == content
    save(SLIDE, NEW)
    assert loaded() == NEW


def test_damaged_files_never_replace_one_another() -> None:
    contents = [b"first", b"second", b"third"]
    for content in contents:
        save(SLIDE, OLD)
        path_of(SLIDE).write_bytes(content)
        path_of(SLIDE).with_suffix(".geojson.bak").unlink(missing_ok=True)
        told: list[str] = []
        assert load(SLIDE, warn=told.append) is None
        assert "draw them again" in told[0]

    kept = [path.read_bytes() for path in path_of(SLIDE).parent.glob("*.damaged*")]
    assert sorted(kept) == sorted(contents)


def test_both_versions_damaged_are_both_kept_and_both_told() -> None:
    save(SLIDE, OLD)
    save(SLIDE, NEW)
    for name in files():
        (path_of(SLIDE).parent / name).write_bytes(b"?")
    told: list[str] = []

    assert load(SLIDE, warn=told.append) is None

    assert len(told) == 2
    assert files() == [f"{SLIDE}.geojson.bak.damaged", f"{SLIDE}.geojson.damaged"]


class Killed(BaseException):
    """The program ends here: nothing that catches errors may go on."""


@pytest.mark.parametrize("call", [1, 2])
def test_a_program_killed_while_saving_leaves_a_good_version(
    call: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    save(SLIDE, replace(OLD, regions=()))
    save(SLIDE, OLD)
    calls, real = [0], Path.replace

    def stop(self: Path, target: Path) -> Path:
        calls[0] += 1
        if calls[0] == call:
            raise Killed
        return real(self, target)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", stop)
        patch.setattr(Path, "unlink", lambda *_, **__: None)  # nobody tidies up
        with pytest.raises(Killed):
            save(SLIDE, NEW)

    assert loaded() == OLD
    save(SLIDE, NEW)
    assert loaded() == NEW


@pytest.mark.parametrize(
    ("module", "name"), [(os, "fsync"), (shutil, "copyfile"), (Path, "replace")]
)
def test_a_write_that_fails_says_so_and_changes_nothing(
    module: Any, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    save(SLIDE, OLD)

    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(module, name, full)
        with pytest.raises(RegionError, match=r"cannot be written \(No space left on device\); "):
            save(SLIDE, NEW)

    assert loaded() == OLD
    assert files() == [f"{SLIDE}.geojson"]


def test_a_file_that_may_not_be_read_is_not_taken_for_none(monkeypatch: pytest.MonkeyPatch) -> None:
    save(SLIDE, OLD)

    def refuse(_: Path) -> bytes:
        raise PermissionError(13, "Permission denied")

    with monkeypatch.context() as patch:
        patch.setattr(Path, "read_bytes", refuse)
        with pytest.raises(RegionError, match="Permission denied"):
            load(SLIDE)

    assert loaded() == OLD
    assert files() == [f"{SLIDE}.geojson"]
