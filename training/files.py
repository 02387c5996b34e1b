"""Tiles that lie in files: each image is one candidate, and goes into one split as a whole.

What has been cut out by somebody is taken to be tissue; blank and blurred crops are passed over
when they are drawn. Nothing is ever paired by the order of files.
"""

import csv
import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from stainapp.errors import RecipeError
from stainapp.geometry import Rect
from stainapp.runs.recipe_data import Data, Origin, Split
from stainapp.slides.reader import SlideReader
from training.archive import read_archive
from training.candidates import Candidate, partner_scale, working_scale
from training.image_slides import ArraySlide, FileSlide, Half, OpenFiles

SUFFIXES = (".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp", ".webp")
RASTER_PX = 256
"""Longer side of an image's rasters; there may be thousands."""
SPLITS: dict[str, Split] = {
    "": "auto", "auto": "auto", "train": "train", "validation": "validation",
    "val": "validation", "valid": "validation", "test": "validation",
}  # fmt: skip
COLUMNS = ("source", "target", "group", "split")

Candidates = tuple[list[Candidate], list[Candidate]]
"""Of source and target; of pairs, all in the first."""


@dataclass(frozen=True, slots=True)
class _Row:
    """Two images that belong together, in this order: A and B, or source and target."""

    images: tuple[SlideReader, SlideReader]
    split: Split
    group: str = ""


def folder_candidates(
    origin: Origin, files: OpenFiles, mpp: float, split: Split | None = None
) -> list[Candidate]:
    """Return the images of a folder, each for itself.

    Args:
        origin: names the folder, and its images' scale if it is not the recipe's.
        files: who keeps them open.
        mpp: the recipe's.
        split: in place of the origin's.

    Raises:
        RecipeError: there is no folder, or no image in it, or one that cannot be read.
    """
    own = origin.mpp or mpp
    images = [FileSlide(files, path, own) for path in images_in(Path(origin.folder))]
    return [_candidate(image, mpp, split or origin.split) for image in images]


def file_candidates(data: Data, files: OpenFiles, mpp: float) -> Candidates:
    """Return what `Data.root`, `aligned`, `manifest` or `npz` holds; its scale is the recipe's.

    Raises:
        RecipeError: something is missing, damaged or does not belong together.
    """
    if data.root:
        return _of_root(data, files, mpp)
    if data.npz:
        return _of_archive(data, mpp)
    rows = list(
        _aligned_rows(Path(data.aligned), files, mpp)
        if data.aligned
        else _manifest_rows(Path(data.manifest), files, mpp)
    )
    return _of_rows(rows, data, mpp)


def images_in(folder: Path) -> list[Path]:
    """Return a folder's images, 2 before 10, without what lies deeper in it.

    Raises:
        RecipeError: there is no folder, or no image in it.
    """
    try:
        found = [
            path
            for path in folder.iterdir()
            if path.suffix.lower() in SUFFIXES and not path.name.startswith(".") and path.is_file()
        ]
    except OSError as error:
        raise RecipeError(f"{folder} is no folder that can be read ({error.strerror}).") from error
    if not found:
        raise RecipeError(f"{folder} holds no images; put PNG, JPEG or TIFF files there.")
    return sorted(found, key=lambda path: _natural(path.name))


def _of_root(data: Data, files: OpenFiles, mpp: float) -> Candidates:
    if data.pairing == "paired":
        raise RecipeError(
            f"The files of trainA and trainB in {data.root} are not paired by their order; "
            "list the pairs in a CSV file and name it as data.manifest."
        )
    letters = "BA" if data.swap else "AB"
    if data.pairing == "self":
        return _of_letter(Path(data.root), letters[1], files, mpp), []
    source, target = (_of_letter(Path(data.root), letter, files, mpp) for letter in letters)
    return source, target


def _of_letter(root: Path, letter: str, files: OpenFiles, mpp: float) -> list[Candidate]:
    """Read the folders of A or B; what is only judged by needs none to learn from."""
    learnt = root / f"train{letter}"
    judged = _first_folder(root, f"test{letter}", f"val{letter}")
    found = []
    if judged is None or learnt.is_dir():
        split: Split = "auto" if judged is None else "train"
        found = folder_candidates(Origin(folder=str(learnt)), files, mpp, split)
    if judged is not None:
        found += folder_candidates(Origin(folder=str(judged)), files, mpp, "validation")
    return found


def _aligned_rows(folder: Path, files: OpenFiles, mpp: float) -> Iterator[_Row]:
    halves: tuple[Half, Half] = ("left", "right")

    def rows(where: Path, split: Split) -> Iterator[_Row]:
        for path in images_in(where):
            left, right = (FileSlide(files, path, mpp, half) for half in halves)
            yield _Row((left, right), split, str(path))

    learnt = _first_folder(folder, "train")
    judged = _first_folder(folder, "test", "val", "validation")
    if learnt is not None:
        yield from rows(learnt, "auto" if judged is None else "train")
    elif judged is None:
        yield from rows(folder, "auto")
    if judged is not None:
        yield from rows(judged, "validation")


def _manifest_rows(path: Path, files: OpenFiles, mpp: float) -> Iterator[_Row]:
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            table = csv.DictReader(file, strict=True)
            _check_columns(table.fieldnames or (), path)
            lines = [(table.line_num, line) for line in table]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise RecipeError(f"The manifest {path} cannot be read as CSV ({error}).") from error
    if not lines:
        raise RecipeError(f"The manifest {path} lists no pair; add lines below its header.")
    for number, line in lines:
        where = f"{path}, line {number}"
        if None in line or None in line.values():
            raise RecipeError(f"{where} has more or fewer values than the header; correct it.")
        split = line.get("split", "").strip().lower()
        if split not in SPLITS:
            raise RecipeError(f"{where}: split is {split!r}; write train or validation.")
        source, target = (
            _listed(path.parent, line[name].strip(), where, files, mpp)
            for name in ("source", "target")
        )
        yield _Row((source, target), SPLITS[split], line.get("group", "").strip())


def _check_columns(names: Sequence[str], path: Path) -> None:
    unknown = [name for name in names if name not in COLUMNS]
    missing = [name for name in COLUMNS[:2] if name not in names]
    if unknown or missing or len(set(names)) < len(names):
        raise RecipeError(
            f"The manifest {path} has the columns {', '.join(names) or 'none'}; its first line "
            "must be source,target and, if wanted, group and split."
        )


def _listed(folder: Path, name: str, where: str, files: OpenFiles, mpp: float) -> FileSlide:
    if not name or not (folder / name).is_file():
        raise RecipeError(f"{where}: there is no file {folder / name}; correct the path.")
    return FileSlide(files, folder / name, mpp)


def _of_archive(data: Data, mpp: float) -> Candidates:
    path = Path(data.npz)
    first, second = (
        [ArraySlide(one, path / f"{word} {n}", mpp) for n, one in enumerate(array, start=1)]
        for word, array in zip("AB", read_archive(path), strict=True)
    )
    if data.pairing == "unpaired":
        source, target = (second, first) if data.swap else (first, second)
        return (
            [_candidate(one, mpp, "auto") for one in source],
            [_candidate(one, mpp, "auto") for one in target],
        )
    if data.pairing == "paired" and len(first) != len(second):
        raise RecipeError(
            f"{path} holds {len(first)} and {len(second)} images and so no pairs; "
            'save as many of both, or set data.pairing to "unpaired".'
        )
    if data.pairing == "self":
        return [_candidate(one, mpp, "auto") for one in (first if data.swap else second)], []
    rows = [_Row(images, "auto") for images in zip(first, second, strict=True)]
    return _of_rows(rows, data, mpp)


def _of_rows(rows: Sequence[_Row], data: Data, mpp: float) -> Candidates:
    pairs = [row.images[::-1] if data.swap else row.images for row in rows]
    if data.pairing == "paired":
        return [
            _candidate(source, mpp, row.split, row.group, target)
            for (source, target), row in zip(pairs, rows, strict=True)
        ], []
    source, target = (
        [
            _candidate(pair[n], mpp, row.split, row.group)
            for pair, row in zip(pairs, rows, strict=True)
        ]
        for n in (0, 1)
    )
    return (target, []) if data.pairing == "self" else (source, target)


def _candidate(
    image: SlideReader, mpp: float, split: Split, group: str = "", target: SlideReader | None = None
) -> Candidate:
    info, scale = image.info, working_scale(image, mpp)
    cell = max(1.0, max(info.width_px, info.height_px) / RASTER_PX)
    width, height = (math.ceil(side / cell - 1e-9) for side in (info.width_px, info.height_px))
    everywhere = np.broadcast_to(np.True_, (height, width))  # takes no memory
    ties = {info.identity} | ({f"group {group}"} if group else set())
    return Candidate(
        name=f"{info.path.parent.name}/{info.path.name}",
        kind="image",
        ties=frozenset(ties | ({target.info.identity} if target is not None else set())),
        reader=image,
        scale=scale,
        partner=None if target is None else partner_scale(image, scale, target),
        area=Rect(0, 0, width * cell, height * cell),
        inside=everywhere,
        tissue=everywhere,
        split=split,
    )


def _first_folder(folder: Path, *names: str) -> Path | None:
    return next((folder / name for name in names if (folder / name).is_dir()), None)


def _natural(name: str) -> list[tuple[bool, int, str]]:
    """Return a key that sorts numbers in names by size, and before words."""
    parts = re.findall(r"\d+|\D+", name)
    return [(False, int(part), "") if part.isdecimal() else (True, 0, part) for part in parts]
