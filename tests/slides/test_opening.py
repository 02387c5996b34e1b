import math
import random
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tifffile

from stainapp.errors import SlideError, UnsupportedSlideError
from stainapp.slides.opening import associated_image, open_slide
from stainapp.slides.reader import SlideInfo
from stainapp.slides.scale import RECORDED_MPP, guess_mpp
from tests.slides.fakes import smooth
from tests.slides.test_tiff_reader import write_plain_pyramid


def look_everywhere(path: Path) -> int:
    """Read every level whole, as a viewer might; return how many parts were damaged."""
    reader = open_slide(path)
    for index, level in enumerate(reader.info.levels):
        height = min(level.height_px, 1200)
        region = reader.read(0, 0, index, level.width_px, height)
        assert region.shape == (height, level.width_px, 3)
    damaged = len(reader.damaged)
    reader.close()
    return damaged


def test_what_is_no_slide_is_answered_in_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "empty.svs").touch()
    (tmp_path / "text.svs").write_text("not a slide")
    (tmp_path / "notes.txt").write_text("not a slide")
    (tmp_path / "torn.tif").write_bytes(b"II*\0" + bytes(60))
    expected = {
        "": r"is a folder; open a slide file",
        "missing.svs": r"missing\.svs does not exist; check",
        "empty.svs": r"empty\.svs is empty; copy it again",
        "text.svs": r"text\.svs is not a slide, although its name ends in \.svs; copy",
        "notes.txt": r"notes\.txt is not a slide or an image of a known kind; open",
        "torn.tif": r"torn\.tif .*copy it again",
        "text.svs/inside.svs": r"inside\.svs cannot be read",
    }

    for name, sentence in expected.items():
        with pytest.raises(SlideError, match=sentence):
            open_slide(tmp_path / name)


def test_a_file_without_permission_is_answered_in_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_plain_pyramid(tmp_path / "mine.tif")

    def refuse(*_args: object, **_options: object) -> None:
        raise PermissionError

    monkeypatch.setattr(Path, "open", refuse)  # a superuser may read whatever its mode says

    with pytest.raises(SlideError, match=r"mine\.tif may not be read by you; ask"):
        open_slide(path)


def test_spaces_and_letters_of_all_kinds_may_be_in_a_path(tmp_path: Path) -> None:
    folder = tmp_path / "Präparate und Schnitte 切片 🔬"
    folder.mkdir()

    info = open_slide(write_plain_pyramid(folder / "Magen Ü 1.tif")).info

    assert [level.downsample for level in info.levels] == [1, 4]


def test_identity_follows_the_content_not_the_name(tmp_path: Path) -> None:
    first = write_plain_pyramid(tmp_path / "a.tif")
    same = shutil.copy(first, tmp_path / "b.tif")
    other = write_plain_pyramid(tmp_path / "c.tif", width=1026)

    identities = [open_slide(path).info.identity for path in (first, same, other)]

    assert identities[0] == identities[1] != identities[2]


def test_the_users_scale_replaces_the_files(tmp_path: Path) -> None:
    path = write_plain_pyramid(tmp_path / "a.tif")

    reader = open_slide(path, mpp=0.25)

    assert (open_slide(path).info.mpp, reader.info.mpp) == (None, 0.25)
    assert np.array_equal(reader.read(0, 0, 1, 50, 50), open_slide(path).read(0, 0, 1, 50, 50))


def test_a_recorded_scale_is_kept_beside_the_users(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, smooth(64, 64), resolution=(20_000, 20_000), resolutionunit=3)

    corrected, same = open_slide(path, mpp=0.25).info, open_slide(path, mpp=0.5).info

    assert (corrected.mpp, corrected.properties[RECORDED_MPP]) == (0.25, "0.5")
    assert (same.mpp, RECORDED_MPP in same.properties) == (0.5, False)


def test_an_unrecorded_scale_leaves_nothing_beside_the_users(tmp_path: Path) -> None:
    path = write_plain_pyramid(tmp_path / "a.tif")

    assert RECORDED_MPP not in open_slide(path, mpp=0.25).info.properties


@pytest.mark.parametrize("mpp", [0.0, -1.0, 0.009, 20.1, math.inf, math.nan])
@pytest.mark.parametrize("address", ["sample:ihc", "phantom:he:2000"])
def test_a_scale_that_no_microscope_has_is_refused(address: str, mpp: float) -> None:
    with pytest.raises(SlideError, match=r"A pixel size of .* give one from 0\.01 to 20 um"):
        open_slide(address, mpp=mpp)


def test_no_name_at_all_is_answered_in_one_sentence() -> None:
    with pytest.raises(SlideError, match=r"^No slide was named\.$"):
        open_slide("")


def test_the_libraries_print_nothing_of_a_slide_cut_off(tmp_path: Path) -> None:
    """In a process of its own: pytest listens to every log and warning."""
    path = write_plain_pyramid(tmp_path / "cut.tif")
    content = bytearray(path.read_bytes())
    directory = int.from_bytes(content[4:8], "little")
    content[directory + 6 : directory + 10] = b"\xff\xff\xff\xff"  # a tag's count beyond the file
    path.write_bytes(content)
    program = (
        "import sys; from stainapp.errors import SlideError;"
        "from stainapp.slides.opening import open_slide\n"
        "try: open_slide(sys.argv[1])\n"
        "except SlideError as error: print(error)"
    )

    told = subprocess.run(
        [sys.executable, "-c", program, path], check=True, capture_output=True, text=True
    )

    assert told.stderr == ""


def test_a_scale_is_guessed_only_from_an_objective(tmp_path: Path) -> None:
    info = SlideInfo(path=tmp_path, format="made", levels=(), identity="made", objective=20)

    assert guess_mpp(info) == 0.5
    assert guess_mpp(open_slide("sample:ihc").info) is None


@pytest.mark.parametrize("share", [0.05, 0.3, 0.7, 0.99])
def test_a_pyramid_cut_off_anywhere_opens_or_says_so(tmp_path: Path, share: float) -> None:
    path = write_plain_pyramid(tmp_path / "cut.tif")
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * share)])

    try:
        assert look_everywhere(path) > 0
    except SlideError as error:
        assert "cut.tif" in str(error)  # noqa: PT017 - either outcome is right


REAL = ("CMU-1-Small-Region.svs", "TCGA-CR-7395-01A-01-TS1.svs", "ndpi_test3-DAPI.ndpi")


@pytest.mark.parametrize(
    ("name", "share"),
    [*((name, share) for name in REAL for share in (0.001, 0.3, 0.7)), ("BS25_HE.tiff", 0.7)],
)
def test_a_real_slide_cut_off_opens_or_says_so(
    data: Path, tmp_path: Path, name: str, share: float
) -> None:
    path = tmp_path / f"cut {name}"
    with (data / "slides" / name).open("rb") as source:
        size = (data / "slides" / name).stat().st_size
        path.write_bytes(source.read(int(size * share)))

    try:
        look_everywhere(path)
    except SlideError as error:
        assert path.name in str(error)  # noqa: PT017 - either outcome is right


@pytest.mark.parametrize("name", REAL)
def test_bytes_flipped_in_the_middle_never_end_a_read(
    data: Path, tmp_path: Path, name: str
) -> None:
    source, path = data / "slides" / name, tmp_path / name
    content, dice = bytearray(source.read_bytes()), random.Random(7)
    for _ in range(200):
        content[dice.randrange(len(content) // 4, len(content) * 3 // 4)] ^= 0xFF
    path.write_bytes(content)

    try:
        look_everywhere(path)
    except SlideError as error:
        assert name in str(error)  # noqa: PT017 - either outcome is right


def test_the_known_bad_files_open_with_damage_or_say_so(data: Path) -> None:
    assert look_everywhere(data / "bad" / "osp_unreadable.svs") == 1
    with pytest.raises(UnsupportedSlideError, match=r"broken\.svs is not a slide"):
        open_slide(data / "bad" / "broken.svs")


def test_the_label_is_read_only_on_demand(data: Path) -> None:
    path = data / "slides" / "CMU-1-Small-Region.svs"

    assert "label" in open_slide(path).info.associated
    assert associated_image(path, "label").shape == (463, 387, 3)
    with pytest.raises(SlideError, match="has no image named 'barcode'"):
        associated_image(path, "barcode")


@pytest.mark.parametrize(
    "name", ["BS25_CHR.tiff", "melanosiscoli_PAS.tiff", "TCGA-CR-7395-01A-01-TS1.svs"]
)
def test_coarse_levels_lie_exactly_over_level_0_at_the_far_edge(data: Path, name: str) -> None:
    from skimage.registration import phase_cross_correlation

    reader = open_slide(data / "slides" / name)
    level = reader.info.levels[1]
    step = int(level.downsample)
    x, y = (int(side * 0.62) for side in (level.width_px, level.height_px))
    coarse = reader.read(x * step, y * step, 1, 256, 256).mean(axis=2)
    fine = reader.read(x * step, y * step, 0, 256 * step, 256 * step).mean(axis=2)
    fine = fine.reshape(256, step, 256, step).mean(axis=(1, 3))

    shift, *_ = phase_cross_correlation(fine, coarse, upsample_factor=20)

    assert np.abs(shift).max() <= 0.15
