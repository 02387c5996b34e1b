"""An export says where it came from, and whether it is still what was written."""

from pathlib import Path

import numpy as np
import pytest
import tifffile

from stainapp.errors import ExportError
from stainapp.geometry import Rect
from stainapp.slides.provenance import read_provenance, verify_slide
from stainapp.slides.writer import write_slide
from tests.slides.gradient import RECORD, Gradient


def test_provenance_comes_back_as_it_was_given(target: Path) -> None:
    write_slide(Gradient(600, 600), target, provenance=RECORD)

    found = read_provenance(target)

    assert found is not None
    assert {key: found[key] for key in RECORD} == RECORD
    assert found["export"]["region"] == [0, 0, 600, 600]
    assert found["export"]["damaged_tiles"] == 0


def test_damage_in_the_source_is_counted(target: Path) -> None:
    reader = Gradient(1200, 600)
    reader.damaged = (Rect(600, 100, 50, 50),)

    write_slide(reader, target, provenance=RECORD)

    found = read_provenance(target)
    assert found is not None
    assert found["export"]["damaged_tiles"] == 1
    assert verify_slide(target)["damaged_tiles"] == 1


def test_a_foreign_file_has_no_provenance(tmp_path: Path) -> None:
    path = tmp_path / "plain.tiff"
    tifffile.imwrite(path, np.zeros((32, 32, 3), np.uint8), photometric="rgb")

    assert read_provenance(path) is None
    with pytest.raises(ExportError, match="carries no checksums"):
        verify_slide(path)


def test_verify_names_what_is_wrong_with_other_people_s_files(tmp_path: Path) -> None:
    text, gone = tmp_path / "text.ome.tiff", tmp_path / "gone.ome.tiff"
    text.write_text("no picture")
    expected = {
        text: "is no sound TIFF file; copy it again, or export it again.",
        gone: "does not exist; check the name.",
        tmp_path: "is a folder; name a file in it.",
    }

    for path, reason in expected.items():
        with pytest.raises(ExportError) as caught:
            verify_slide(path)
        assert str(caught.value) == f"{path} {reason}"


@pytest.mark.parametrize("kept", [0.0, 0.001, 0.3, 0.9, 0.97, 0.999])
def test_a_file_cut_short_is_said_in_one_sentence_and_nowhere_else(
    target: Path, kept: float, capfd: pytest.CaptureFixture[str]
) -> None:
    write_slide(Gradient(1100, 600), target, provenance=RECORD)
    content = target.read_bytes()
    target.write_bytes(content[: int(kept * len(content))])

    with pytest.raises(ExportError, match=r"; copy it again, or export it again\.$") as caught:
        verify_slide(target)

    assert str(caught.value).startswith(str(target))
    assert capfd.readouterr().err == ""


def test_a_flipped_bit_never_gets_past_as_another_kind_of_error(target: Path) -> None:
    write_slide(Gradient(600, 600), target, provenance=RECORD)
    content = target.read_bytes()
    with tifffile.TiffFile(target) as tiff:
        tiles = [(p.dataoffsets[-1], p.databytecounts[-1]) for p in tiff.pages]
    directories = max(offset + length for offset, length in tiles)
    random = np.random.default_rng(7)
    refusals = []

    for at in [*range(8), *random.integers(directories, len(content), 150)]:
        flipped = bytearray(content)
        flipped[at] ^= 1 << random.integers(8)
        target.write_bytes(flipped)
        try:
            verify_slide(target)
        except ExportError as error:
            refusals.append(str(error))

    assert len(refusals) > 50
    assert all(sentence.endswith("export it again.") for sentence in refusals)


def test_a_changed_size_is_found(target: Path) -> None:
    write_slide(Gradient(600, 600), target, provenance=RECORD)
    with tifffile.TiffFile(target, mode="r+") as tiff:
        tiff.pages.first.tags["ImageWidth"].overwrite(599)

    with pytest.raises(ExportError, match="not what was exported"):
        verify_slide(target)


def test_verify_finds_a_single_changed_byte(target: Path) -> None:
    write_slide(Gradient(1100, 600), target, provenance=RECORD)
    with tifffile.TiffFile(target) as tiff:
        at = tiff.pages.first.dataoffsets[1] + tiff.pages.first.databytecounts[1] // 2
    content = bytearray(target.read_bytes())
    content[at] ^= 1
    target.write_bytes(content)

    with pytest.raises(ExportError, match=r"(damaged|checksum differs).*; copy it again"):
        verify_slide(target)
