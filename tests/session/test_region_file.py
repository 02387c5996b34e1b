"""What earlier versions kept of a slide's regions is read, and nothing of it is ever lost."""

from pathlib import Path

import pytest

from stainapp.errors import RegionError
from stainapp.session.geojson import encoded
from stainapp.session.region_file import load, path_of
from stainapp.session.regions import Document, Region

SLIDE = "a" * 64
OLD = Document((Region.rectangle(0, 0, 5, 5, name="old"),))
NEW = Document((*OLD.regions, Region.rectangle(10, 0, 5, 5, name="new")))


def save(identity: str, document: Document) -> None:
    """As earlier versions did: the version before stays beside."""
    path = path_of(identity)
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.exists():
        path.replace(path.with_suffix(".geojson.bak"))
    path.write_bytes(encoded(document))


def loaded(identity: str = SLIDE) -> Document:
    found = load(identity)
    assert found is not None
    return found


def files() -> list[str]:
    return sorted(path.name for path in path_of(SLIDE).parent.iterdir())


def test_a_slide_has_the_regions_it_was_left_with() -> None:
    save(SLIDE, NEW)

    assert loaded() == NEW
    assert load("another") is None


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

    assert found == OLD
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
