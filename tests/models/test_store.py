"""Models on disk: found, reported when broken, verified, removed."""

import logging
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from stainapp.errors import ModelCardError, ModelError
from stainapp.models.card import Arch, Classic, ModelCard, sha256_of
from stainapp.models.store import Store, check, default_store
from stainapp.settings import home

CLASSIC = ModelCard(
    id="plain",
    name="Plain",
    method="reinhard",
    classic=Classic(kind="reinhard", reference={"lab_mean": [1, 2, 3], "lab_std": [1, 1, 1]}),
    source_stain="H&E",
    target_stain="H&E",
)


def installed(root: Path, id: str, **changes: str) -> Path:  # noqa: A002 - the card's word
    folder = root / id
    replace(CLASSIC, id=id, **changes).write(folder)  # type: ignore[arg-type] # text fields only
    return folder


def network(root: Path, id: str = "net") -> Path:  # noqa: A002 - the card's word
    folder = root / id
    folder.mkdir(parents=True)
    (folder / "weights.safetensors").write_bytes(b"numbers")
    (folder / "trust.safetensors").write_bytes(b"more")
    files = {name: sha256_of(folder / name) for name in ("weights.safetensors",
                                                         "trust.safetensors")}  # fmt: skip
    card = replace(CLASSIC, id=id, classic=None, arch=Arch(family="resnet"), mpp=0.5, files=files)
    card.write(folder)
    return folder


@pytest.fixture
def places(tmp_path: Path) -> Store:
    return Store(user=tmp_path / "user", shipped=(tmp_path / "shipped",))


def test_shipped_models_come_first_and_are_marked(places: Store) -> None:
    installed(places.user, "a-mine")
    installed(places.shipped[0], "z-theirs")

    found = places.list()

    assert [(model.card.id, model.shipped) for model in found] == [
        ("z-theirs", True), ("a-mine", False)
    ]  # fmt: skip
    assert places.problems == ()


def test_folders_that_do_not_exist_hold_no_models(places: Store) -> None:
    assert places.list() == ()


def test_a_model_written_after_the_store_was_made_is_found(places: Store) -> None:
    assert places.list() == ()

    installed(places.user, "new")

    assert places.find("new").folder == places.user / "new"


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (lambda f: (f / "card.json").unlink(), "damaged or missing (No such file"),
        (lambda f: (f / "card.json").write_text("{"), "damaged or missing"),
        (lambda f: (f / "card.json").write_text('{"id": "bad", "oops": 1}'), "'oops'"),
        (lambda f: f.rename(f.with_name("other")), "rename the folder"),
    ],
)
def test_a_broken_folder_is_reported_and_the_others_are_still_there(
    spoil: object, reason: str, places: Store, caplog: pytest.LogCaptureFixture
) -> None:
    installed(places.user, "good")
    assert callable(spoil)
    spoil(installed(places.user, "bad"))

    with caplog.at_level(logging.INFO):
        found, problems = places.list(), places.problems

    assert [model.card.id for model in found] == ["good"]
    assert len(problems) == 1
    assert reason in problems[0].reason
    assert problems[0].folder.parent == places.user
    assert caplog.records == []


def test_a_place_that_cannot_be_looked_into_is_reported(places: Store) -> None:
    installed(places.shipped[0], "good")
    places.user.write_text("a file where the folder should be")

    assert [model.card.id for model in places.list()] == ["good"]
    assert [problem.folder for problem in places.problems] == [places.user]
    assert "are not seen" in places.problems[0].reason


def test_a_shipped_model_cannot_be_shadowed(places: Store) -> None:
    installed(places.shipped[0], "macenko")
    installed(places.user, "macenko", name="Another")

    assert places.find("macenko").shipped
    assert "is taken" in places.problems[0].reason


def test_half_written_models_are_not_seen(places: Store) -> None:
    shutil.move(installed(places.user, "half"), places.user / ".half.0123")

    assert places.list() == ()
    assert places.problems == ()


def test_an_id_that_is_misspelt_is_answered_with_near_ones(places: Store) -> None:
    installed(places.user, "macenko")
    installed(places.user, "he-to-pas")

    with pytest.raises(ModelError, match=r"did you mean macenko\?"):
        places.find("macneko")


def test_asking_for_a_broken_model_says_what_is_wrong_with_it(places: Store) -> None:
    (installed(places.user, "bad") / "card.json").write_text("{")

    with pytest.raises(ModelError, match=r"bad.card\.json is damaged or missing"):
        places.find("bad")


def test_only_the_users_own_models_can_be_removed(places: Store) -> None:
    mine, theirs = installed(places.user, "mine"), installed(places.shipped[0], "theirs")

    places.remove("mine")

    assert not mine.exists()
    with pytest.raises(ModelError, match="came with the program"):
        places.remove("theirs")
    assert theirs.exists()


def test_a_sound_folder_passes_the_check(tmp_path: Path) -> None:
    assert check(network(tmp_path)).id == "net"


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (lambda f: (f / "weights.safetensors").write_bytes(b"numbert"), "changed or is damaged"),
        (lambda f: (f / "trust.safetensors").unlink(), "missing"),
        (lambda f: (f / "extra.py").write_text(""), "not on the model's card"),
        (lambda f: (f / "sub").mkdir(), "no plain file"),
        (
            lambda f: (
                (f / "trust.safetensors").rename(f.parent / "t")
                and (f / "trust.safetensors").symlink_to(f.parent / "t")
            ),
            "no plain file",
        ),
    ],
)
def test_the_check_names_the_file_that_is_not_as_recorded(
    spoil: object, reason: str, tmp_path: Path
) -> None:
    folder = network(tmp_path)
    assert callable(spoil)
    spoil(folder)

    with pytest.raises(ModelError, match=reason):
        check(folder)


def test_a_card_whose_files_lead_elsewhere_is_refused(tmp_path: Path) -> None:
    folder = network(tmp_path)
    text = (folder / "card.json").read_text()
    (folder / "card.json").write_text(text.replace("trust.safetensors", "../../secret"))

    with pytest.raises(ModelCardError, match="not a plain file name"):
        check(folder)


def test_everything_that_ships_is_sound_and_says_its_limits() -> None:
    store = default_store()

    shipped = [model for model in store.list() if model.shipped]

    assert {"reinhard", "macenko", "dab-to-haematoxylin"} <= {m.card.id for m in shipped}
    assert store.problems == ()
    for model in shipped:
        card = check(model.folder)
        assert card.limits
        assert card.licence
        assert card.citation
        assert "not for diagnosis" in card.intended_use


def test_the_users_models_lie_in_the_programs_home() -> None:
    installed(home() / "models", "mine")

    assert not default_store().find("mine").shipped
