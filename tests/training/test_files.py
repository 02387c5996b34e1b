"""Tiles from files: what belongs together, what is refused, and in which words."""

import csv
import io
import stat
import threading
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from stainapp.errors import RecipeError
from stainapp.runs.recipe_data import Data, Origin
from stainapp.slides.phantom import PhantomSlide
from tests.training.pictures import folder, recipe, texture, write
from training import archive
from training.archive import read_archive
from training.datasets import Dataset
from training.files import file_candidates, images_in
from training.image_slides import FileSlide, OpenFiles

MPP = 0.5


def names(data: Data) -> tuple[list[str], list[str]]:
    source, target = file_candidates(data, OpenFiles(), MPP)
    return [one.name for one in source], [one.name for one in target]


def test_files_are_counted_as_people_do(tmp_path: Path) -> None:
    for name in ("10.bmp", "9.bmp", ".hidden.bmp", "b2.bmp", "b10.bmp"):
        write(tmp_path / name, texture(8, 8, 1))
    (tmp_path / "notes.txt").write_text("no image")

    assert [path.name for path in images_in(tmp_path)] == ["9.bmp", "10.bmp", "b2.bmp", "b10.bmp"]


@pytest.mark.parametrize("swap", [False, True])
def test_the_four_folders_are_source_and_target_to_learn_from_and_judge_by(
    tmp_path: Path, swap: bool
) -> None:
    for n, name in enumerate(("trainA", "trainB", "testA", "testB")):
        folder(tmp_path / name, 2, 10 * n)

    found = file_candidates(
        Data(pairing="unpaired", root=str(tmp_path), swap=swap), OpenFiles(), MPP
    )

    for candidates, letter in zip(found, "BA" if swap else "AB", strict=True):
        assert [(one.name, one.split) for one in candidates] == [
            (f"train{letter}/0.bmp", "train"),
            (f"train{letter}/1.bmp", "train"),
            (f"test{letter}/0.bmp", "validation"),
            (f"test{letter}/1.bmp", "validation"),
        ]


def test_files_to_judge_by_need_none_to_learn_from(tmp_path: Path) -> None:
    for n, name in enumerate(("testA", "testB")):
        folder(tmp_path / name, 2, 10 * n)
    folder(tmp_path / "pairs" / "test", 2, 40)

    for asked in (
        Data(pairing="unpaired", root=str(tmp_path)),
        Data(pairing="paired", aligned=str(tmp_path / "pairs")),
    ):
        source, _ = file_candidates(asked, OpenFiles(), MPP)
        assert [one.split for one in source] == ["validation"] * 2


def test_without_test_folders_whole_images_are_held_out(tmp_path: Path) -> None:
    folder(tmp_path / "trainA", 10, 0)
    folder(tmp_path / "trainB", 10, 20)

    data = Dataset(recipe(root=str(tmp_path)))

    for fields in (data.source_fields, data.target_fields):
        assert [field.split for field in fields].count("validation") == 2
    assert data.batch(0, 2).source.shape == (2, 64, 64, 3)
    data.close()


def test_halves_of_aligned_images_are_pairs(tmp_path: Path) -> None:
    left, right = texture(64, 64, 1), texture(64, 64, 2)
    for where, count in (("train", 9), ("val", 2)):
        for n in range(count):
            noise = texture(64, 64, 50 + n + 20 * (where == "val"))
            write(
                tmp_path / where / f"{n}.bmp",
                np.hstack([left // 2 + noise // 2, right // 2 + noise // 2]),
            )

    data = Dataset(recipe(pairing="paired", aligned=str(tmp_path)))
    tiles = data.judge_tiles()
    data.close()

    assert set(tiles.source_fields) == {"val/0.bmp", "val/1.bmp"}
    for name, source, target in zip(tiles.source_fields, tiles.source, tiles.target, strict=True):
        whole = np.asarray(Image.open(tmp_path / name))
        assert np.array_equal(np.hstack([source, target]), whole)


def test_reading_beyond_a_half_never_shows_the_other(tmp_path: Path) -> None:
    path = write(tmp_path / "a.bmp", texture(40, 20, 1))

    right = FileSlide(OpenFiles(), path, MPP, "right")
    pixels = right.read(-5, -3, 0, 30, 26)

    assert right.info.width_px == 20
    assert (pixels[:, :5] == 255).all()
    assert (pixels[:3] == 255).all()
    assert (pixels[23:] == 255).all()
    assert (pixels[:, 25:] == 255).all()
    assert np.array_equal(pixels[3:23, 5:25], np.asarray(Image.open(path))[:, 20:])


def test_an_image_without_two_halves_is_named(tmp_path: Path) -> None:
    write(tmp_path / "odd.bmp", texture(41, 20, 1))

    with pytest.raises(RecipeError, match=r"odd\.bmp is 41 px wide"):
        names(Data(pairing="paired", aligned=str(tmp_path)))


def manifest(path: Path, *rows: tuple[str, ...], header: str = "source,target,group,split") -> str:
    with path.open("w", newline="", encoding="utf-8-sig") as file:
        csv.writer(file).writerows([header.split(","), *rows])
    return str(path)


def test_a_manifest_pairs_by_its_lines_and_not_by_names(tmp_path: Path) -> None:
    folder(tmp_path / "he", 20, 0)
    folder(tmp_path / "pas", 20, 50)
    rows = [(f"he/{n}.bmp", f"pas/{19 - n}.bmp", f"case {n // 10}", "") for n in range(20)]
    listed = manifest(tmp_path / "pairs.csv", *rows)

    data = Dataset(recipe(pairing="paired", manifest=listed, tile_px=96, validation_px=96))
    splits = {field.name: field.split for field in data.source_fields}
    tiles = data.judge_tiles()
    data.close()

    assert len({splits[f"he/{n}.bmp"] for n in range(10)}) == 1
    assert len({splits[f"he/{n}.bmp"] for n in range(10, 20)}) == 1
    assert set(splits.values()) == {"train", "validation"}
    for name, target in zip(tiles.source_fields, tiles.target, strict=True):
        other = tmp_path / "pas" / f"{19 - int(Path(name).stem)}.bmp"
        assert np.array_equal(target, np.asarray(Image.open(other)))


@pytest.mark.parametrize(
    ("header", "row", "words"),
    [
        ("source,goal", ("he/0.bmp", "pas/0.bmp"), r"columns source, goal; .* source,target"),
        ("source,target,spilt", ("he/0.bmp", "pas/0.bmp", ""), "columns source, target, spilt"),
        ("source,target,split", ("he/0.bmp", "pas/0.bmp", "tset"), "line 2: split is 'tset'"),
        ("source,target", ("he/0.bmp", "pas/7.bmp"), r"line 2: there is no file .*pas/7\.bmp"),
        ("source,target", ("he/0.bmp",), "line 2 has more or fewer values"),
        ("source,target", ("he/0.bmp", "pas/big.bmp"), r"96 x 96 px\) and big\.bmp \(120 x 96 px"),
        ("source,target", ("he/0.bmp", "he/bad.bmp"), r"bad\.bmp"),
    ],
)
def test_a_wrong_manifest_is_refused_by_line(
    tmp_path: Path, header: str, row: tuple[str, ...], words: str
) -> None:
    folder(tmp_path / "he", 1, 0)
    folder(tmp_path / "pas", 1, 50)
    write(tmp_path / "pas" / "big.bmp", texture(120, 96, 3))
    (tmp_path / "he" / "bad.bmp").write_bytes(b"BM nothing")
    listed = manifest(tmp_path / "pairs.csv", row, header=header)

    with pytest.raises(RecipeError, match=words):
        names(Data(pairing="paired", manifest=listed))


def test_one_group_in_both_splits_is_refused(tmp_path: Path) -> None:
    folder(tmp_path, 20, 0)
    rows = [
        (f"{n}.bmp", f"{n + 10}.bmp", "case 1", "test" if n == 9 else "train") for n in range(10)
    ]
    listed = manifest(tmp_path / "pairs.csv", *rows)

    with pytest.raises(RecipeError, match="same image or of one group"):
        Dataset(recipe(pairing="paired", manifest=listed))


def test_a_single_group_cannot_be_split(tmp_path: Path) -> None:
    folder(tmp_path, 20, 0)
    rows = [(f"{n}.bmp", f"{n + 10}.bmp", "case 1", "") for n in range(10)]
    listed = manifest(tmp_path / "pairs.csv", *rows)

    with pytest.raises(RecipeError, match="none can be held out"):
        Dataset(recipe(pairing="paired", manifest=listed))


@pytest.mark.parametrize("key", ["tile_px", "validation_px"])
def test_images_smaller_than_a_tile_are_named(tmp_path: Path, key: str) -> None:
    sizes = {"tile_px": 96, "validation_px": 96} | {key: 128}
    folder(tmp_path / "a", 12, 0)
    folder(tmp_path / "b", 12, 30)
    source, target = ((Origin(folder=str(tmp_path / name)),) for name in "ab")

    with pytest.raises(
        RecipeError, match=rf"\(96 x 96 px\) and \d+ more is smaller than data\.{key}"
    ):
        Dataset(recipe(source=source, target=target, **sizes))


def test_images_of_a_stated_scale_are_resampled(tmp_path: Path) -> None:
    folder(tmp_path / "a", 12, 0, side=128)
    folder(tmp_path / "b", 12, 30, side=64)
    source = (Origin(folder=str(tmp_path / "a"), mpp=0.25),)

    data = Dataset(recipe(source=source, target=(Origin(folder=str(tmp_path / "b")),)))
    tiles = data.judge_tiles()
    data.close()

    whole = np.asarray(Image.open(tmp_path / tiles.source_fields[0]))
    halved = np.array(Image.fromarray(whole).reduce(2))
    assert np.abs(tiles.source[0].astype(int) - halved).max() <= 1


@pytest.mark.parametrize("mode", ["RGBA", "P", "I;16", "L"])
def test_images_of_any_depth_become_colour(tmp_path: Path, mode: str) -> None:
    grey = texture(64, 64, 1)[..., 0]
    made = {
        "RGBA": lambda: Image.fromarray(np.dstack([texture(64, 64, 1), grey])),
        "P": lambda: Image.fromarray(texture(64, 64, 1)).quantize(32),
        "I;16": lambda: Image.fromarray(grey.astype(np.uint16) * 257),
        "L": lambda: Image.fromarray(grey),
    }[mode]()
    made.save(tmp_path / "a.png")

    pixels = FileSlide(OpenFiles(), tmp_path / "a.png", MPP).read(0, 0, 0, 64, 64)

    assert pixels.shape == (64, 64, 3)
    assert pixels.std() > 5


def test_few_of_many_files_stay_open(tmp_path: Path) -> None:
    folder(tmp_path, 12, 0, side=8)
    files = OpenFiles(most=3)
    slides = [FileSlide(files, path, MPP) for path in images_in(tmp_path)]

    for one in slides * 2:
        one.read(0, 0, 0, 8, 8)

    assert len(files) <= 3
    files.close()
    assert len(files) == 0


def test_a_file_being_read_is_not_closed_by_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder(tmp_path, 4, 0, side=8)
    files = OpenFiles(most=1)
    paths = images_in(tmp_path)
    closed: list[str] = []
    held, go_on = threading.Event(), threading.Event()

    def hold() -> None:
        with files.reading(paths[0]) as reader:
            monkeypatch.setattr(reader, "close", lambda: closed.append("first"), raising=False)
            held.set()
            go_on.wait(10)

    thread = threading.Thread(target=hold)
    thread.start()
    assert held.wait(10)
    for path in paths[1:]:
        with files.reading(path):
            pass
    assert closed == []
    go_on.set()
    thread.join()
    with files.reading(paths[1]):
        pass
    assert closed == ["first"]


def test_the_stain_archive_of_the_phantom_is_read_whatever_its_numbers(tmp_path: Path) -> None:
    tiles = phantom_tiles()
    for kind in (np.uint8, np.float32, np.float16):
        np.savez_compressed(tmp_path / "stain.npz", *(one.astype(kind) for one in tiles))

        found = read_archive(tmp_path / "stain.npz")

        for one, other in zip(found, tiles, strict=True):
            assert one.dtype == np.uint8
            assert np.array_equal(one, other)


@pytest.mark.parametrize("swap", [False, True])
def test_archives_are_pairs_only_where_the_recipe_says_so(tmp_path: Path, swap: bool) -> None:
    a, b = phantom_tiles()
    path = tmp_path / "stain.npz"
    np.savez_compressed(path, A=a, B=b)
    asked: dict[str, Any] = {"npz": str(path), "swap": swap, "min_tissue": 0.0}

    paired = Dataset(recipe(pairing="paired", **asked))
    unpaired = Dataset(recipe(**asked))
    tiles = paired.judge_tiles()

    assert paired.paired
    assert not unpaired.paired
    first, second = (b, a) if swap else (a, b)
    for name, source, target in zip(tiles.source_fields, tiles.source, tiles.target, strict=True):
        number = int(name.split()[-1]) - 1
        assert np.array_equal(source, first[number])
        assert np.array_equal(target, second[number])
    paired.close()
    unpaired.close()


def test_unequal_arrays_are_no_pairs(tmp_path: Path) -> None:
    a, b = phantom_tiles()
    np.savez(tmp_path / "stain.npz", a, b[:-1])

    with pytest.raises(RecipeError, match=r"holds 12 and 11 images and so no pairs"):
        names(Data(pairing="paired", npz=str(tmp_path / "stain.npz")))


GOOD = np.full((2, 8, 8, 3), 9, np.uint8)


@pytest.mark.parametrize(
    ("bad", "words"),
    [
        (np.array([{}], object), "arr_1 holds Python objects"),
        (GOOD.astype(np.int64), "arr_1 holds int64"),
        (GOOD[..., :1], r"arr_1 has the shape \(2, 8, 8, 1\)"),
        (GOOD[0], r"arr_1 has the shape \(8, 8, 3\)"),
        (GOOD[:0], r"arr_1 has the shape \(0, 8, 8, 3\)"),
        (np.asfortranarray(GOOD), "arr_1 is stored column by column"),
        (GOOD / 255.0, r"arr_1 holds numbers that are not grey levels"),
        (GOOD / 127.5 - 1, r"arr_1 holds numbers that are not grey levels"),
        (np.where(GOOD > 0, np.nan, 0.0), r"arr_1 holds numbers that are not grey levels"),
        (GOOD * 40.0, r"arr_1 holds numbers that are not grey levels"),
    ],
)
def test_what_is_no_picture_in_an_archive_is_refused(tmp_path: Path, bad: Any, words: str) -> None:
    np.savez_compressed(tmp_path / "stain.npz", GOOD, bad)

    with pytest.raises(RecipeError, match=rf"stain\.npz: {words}"):
        read_archive(tmp_path / "stain.npz")


def test_an_archive_is_refused_by_what_it_claims_before_anything_is_decompressed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    np.savez_compressed(tmp_path / "stain.npz", GOOD, GOOD)
    monkeypatch.setattr(archive, "MOST_BYTES", 700)
    monkeypatch.setattr(archive, "_pixels", lambda *_: pytest.fail("was decompressed"))

    with pytest.raises(RecipeError, match="when decompressed"):
        read_archive(tmp_path / "stain.npz")


@pytest.mark.parametrize("kind", ["bomb", "link", "lie", "names", "text", "cut", "missing"])
def test_a_dishonest_or_broken_archive_is_refused(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "stain.npz"
    _break(path, kind)

    with pytest.raises(RecipeError, match=r"stain\.npz") as refused:
        read_archive(path)

    assert str(refused.value).endswith(".")


def _break(path: Path, kind: str) -> None:
    if kind == "missing":
        return
    if kind == "text":
        path.write_text("no archive")
        return
    if kind == "names":
        np.savez(path, images=GOOD, labels=GOOD)
        return
    if kind == "cut":
        np.savez(path, GOOD, GOOD)
        path.write_bytes(path.read_bytes()[:-40])
        return
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("arr_0.npy", _npy(GOOD))
        entry = zipfile.ZipInfo("arr_1.npy")
        entry.compress_type = zipfile.ZIP_DEFLATED
        if kind == "link":
            entry.external_attr = (stat.S_IFLNK | 0o777) << 16
            file.writestr(entry, "/etc/passwd")
        elif kind == "lie":  # the header promises more than there is
            file.writestr(entry, _npy(GOOD)[:-50])
        else:
            file.writestr(entry, _npy(GOOD))
    if kind == "bomb":  # the directory claims a terabyte
        _claim(path, 1 << 30)


def _npy(array: Any) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, array)
    return buffer.getvalue()


def _claim(path: Path, size: int) -> None:
    """Change the uncompressed size of the last entry in the archive's directory."""
    data = bytearray(path.read_bytes())
    at = data.rindex(b"PK\x01\x02") + 24
    data[at : at + 4] = size.to_bytes(4, "little")
    path.write_bytes(bytes(data))


def phantom_tiles() -> tuple[Any, Any]:
    """Return twelve tiles of the phantom in two stains, (12, 64, 64, 3)."""
    found = []
    for stain in ("H&E", "PAS"):
        slide = PhantomSlide(stain, (512, 512), 3)
        found.append(
            np.stack([slide.read(64 * n % 512, 64 * (n // 8), 0, 64, 64) for n in range(12)])
        )
    return found[0], found[1]
