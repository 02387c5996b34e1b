"""Fields whose nuclei were drawn by people, and how well a segmenter finds them.

A folder of pairs ``NAME.png`` and ``NAME_labels.png``, the second with 0 for none and a number for
each nucleus.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import reduce
from operator import add
from pathlib import Path

import numpy as np
from PIL import Image

from stainapp.compare.agreement import agreement
from stainapp.compare.nuclei import Labels
from stainapp.compare.segmenter import Accuracy, Segmenter
from stainapp.errors import StainAppError
from stainapp.slides.reader import RgbImage

_TRUTH = "_labels"
FINE_MPP, COARSE_MPP = 0.15, 0.35
_LARGE_PX = 600


@dataclass(frozen=True, slots=True)
class Annotated:
    """A field and its nuclei."""

    image: RgbImage
    truth: Labels
    mpp: float


def annotated_fields(folder: Path) -> Iterator[Annotated]:
    """Read the fields of a folder, by name.

    Fields that do not say their scale are taken as one of two: those whose median nucleus covers
    more than 600 px as 0.15 um/px (about 60x), the others as 0.35 um/px.

    Raises:
        StainAppError: there are none, or a file cannot be read or does not fit the other.
    """
    drawn = sorted(folder.glob(f"*{_TRUTH}.png"))
    if not drawn:
        raise StainAppError(
            f"{folder} holds no annotated fields; name a folder of NAME.png and NAME{_TRUTH}.png."
        )
    for path in drawn:
        beside = path.with_name(path.name.replace(_TRUTH, ""))
        try:
            truth = np.array(Image.open(path)).astype(np.int32)
            image = np.array(Image.open(beside).convert("RGB"))
        except (OSError, ValueError) as error:
            raise StainAppError(f"{beside} and {path.name} cannot be read ({error}).") from error
        if truth.shape != image.shape[:2]:
            raise StainAppError(f"{path} is not of the size of {beside.name}; leave it out.")
        yield Annotated(image, truth, _guessed_mpp(truth))


def _guessed_mpp(truth: Labels) -> float:
    areas = np.bincount(truth.ravel())[1:]
    areas = areas[areas > 0]
    return FINE_MPP if len(areas) and np.median(areas) > _LARGE_PX else COARSE_MPP


def accuracy_on(
    fields: Sequence[Annotated], segmenter: Segmenter, stain: str = "haematoxylin"
) -> Accuracy:
    """Measure a segmenter on fields, all their nuclei taken together.

    Args:
        fields: at least one.
        segmenter: what is measured.
        stain: what the fields are stained with.

    Raises:
        StainAppError: the segmenter cannot tell nuclei in the stain.
    """
    counts = [
        agreement(field.truth, segmenter(field.image[None], field.mpp, stain)[0], field.mpp)
        for field in fields
    ]
    total = reduce(add, counts)
    f1, dice, aji = (round(one, 4) for one in (total.f1, total.dice, total.aji))
    return Accuracy(f1, dice, aji, fields=len(fields), nuclei=total.first)
