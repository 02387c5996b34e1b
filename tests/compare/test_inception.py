"""FID, KID and IS by weights that the user gives. These are drawn at random."""

from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from stainapp.compare.evaluation import evaluate
from stainapp.compare.inception import KNOWN, Inception, InceptionV3
from stainapp.compare.instruments import Instruments
from stainapp.compare.question import Question, TileSet
from stainapp.compare.set_rows import Answers
from stainapp.errors import ImportRefusedError, ModelError
from stainapp.models.card import sha256_of
from stainapp.slides.reader import RgbImage
from tests.compare.tissue import MPP, tiles

PUBLISHED_PARAMETERS = {1008: 23_850_960, 1000: 23_834_568}
"""Of the graph of 2015-12-05, and of torchvision's without its auxiliary classifier."""


def drawn(classes: int) -> dict[str, Tensor]:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        net = InceptionV3(classes)
        for module in net.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight)
    return dict(net.state_dict())


@pytest.fixture(scope="module")
def weights() -> dict[str, Tensor]:
    return drawn(1008)


@pytest.fixture(scope="module")
def file(weights: dict[str, Tensor], tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("weights") / "weights-inception.pth"
    # As files of 2020 are written.
    torch.save(weights, path, _use_new_zipfile_serialization=False)
    return path


@pytest.mark.parametrize("classes", PUBLISHED_PARAMETERS)
def test_the_network_has_as_many_parameters_as_the_published_one(classes: int) -> None:
    with torch.device("meta"):
        net = InceptionV3(classes)

    assert sum(one.numel() for one in net.parameters()) == PUBLISHED_PARAMETERS[classes]


def test_fid_kid_and_is_are_measured_and_name_the_weights(file: Path) -> None:
    looked: list[int] = []

    class Counted(Inception):
        def __call__(self, tiles: RgbImage) -> Answers:
            looked.append(len(tiles))
            return super().__call__(tiles)

    he, pas = (
        TileSet(tiles(stain, seed, 64, 8), [str(n // 4) for n in range(8)], stain, MPP)
        for stain, seed in (("H&E", 1), ("PAS", 2))
    )
    subjects = {"model": pas.images, "untouched": he.images}

    instruments = Instruments(inception=Counted(file, device="cpu"))

    table = evaluate(Question(he, pas, paired=False), subjects, instruments=instruments)

    name = f"(Inception, 2015-12-05 layout, sha256 {sha256_of(file)[:8]})"
    assert looked == [8, 8, 8]
    assert table.value(f"FID {name}") == pytest.approx(0, abs=1e-6)
    fid, kid = (table.value(f"{one} {name}", "untouched") for one in ("FID", "KID"))
    assert fid is not None
    assert kid is not None
    assert fid > 0
    same = table.value(f"KID {name}")
    assert same is not None
    assert kid > abs(same)
    score = table.value(f"IS {name}")
    assert score is not None
    assert 1 <= score < 1008
    note = next(row.note for row in table.rows if row.measure == f"FID {name}")
    assert "only sets of as many tiles" in note


def test_without_weights_no_measure_is_called_fid_or_kid() -> None:
    he = TileSet(tiles("H&E", 1, 64, 8), ["a"] * 8, "H&E", MPP)

    table = evaluate(Question(he, he, paired=False), {"model": he.images})

    names = {row.measure for row in table.rows}
    assert {"FD-OD", "KD-OD"} <= names
    assert not any(name.startswith(("FID", "KID", "IS")) for name in names)


def test_torchvision_s_layout_is_accepted_and_named_as_another(tmp_path: Path) -> None:
    path = tmp_path / "inception_v3_google.pth"
    torch.save(drawn(1000) | {"AuxLogits.fc.bias": torch.zeros(1000)}, path)

    inception = Inception(path, device="cpu")

    assert inception.layout == "torchvision"
    assert inception(tiles("H&E", 1, 64, 1)).probabilities.shape == (1, 1000)


def test_a_published_file_is_known_by_its_sha256(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn, published = Inception(file, device="cpu"), next(iter(KNOWN))
    assert "layout" in drawn.name

    monkeypatch.setattr(drawn, "sha256", published)

    assert drawn.name == "Inception 2015-12-05, sha256 6726825d"


def test_a_stated_sha256_is_held_to(file: Path) -> None:
    found = sha256_of(file)

    assert Inception(file, found.upper(), "cpu").sha256 == found
    with pytest.raises(ModelError, match=f"{found} and not 00ff"):
        Inception(file, "00ff", "cpu")


def test_absent_weights_are_named_with_what_to_fetch(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"weights-inception-2015-12-05-6726825d\.pth"):
        Inception(tmp_path / "none.pth")


def test_what_is_not_inception_or_not_whole_is_refused(
    weights: dict[str, Tensor], tmp_path: Path
) -> None:
    path = tmp_path / "other.pth"
    torch.save({"fc.bias": torch.zeros(10)}, path)
    with pytest.raises(ImportRefusedError, match="does not hold Inception v3"):
        Inception(path)
    name = "Mixed_6b.branch7x7_2.conv.weight"
    torch.save({key: value for key, value in weights.items() if key != name}, path)
    with pytest.raises(ImportRefusedError, match=name):
        Inception(path)
    torch.save(weights | {"fc.bias": torch.full((1008,), torch.nan)}, path)
    with pytest.raises(ImportRefusedError, match="not finite"):
        Inception(path)
