"""Whoever finds nuclei, and how well it is known to: every figure on nuclei names both."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from resources import resource
from stainapp.compare import nuclei
from stainapp.compare.nuclei import Labels
from stainapp.slides.reader import RgbImage


@dataclass(frozen=True, slots=True)
class Accuracy:
    """A segmenter against nuclei drawn by people, all fields taken together."""

    f1: float
    """Nuclei matched by their centres; see `Agreement`."""
    dice: float
    aji: float
    fields: int
    nuclei: int
    """How many were drawn."""

    def __str__(self) -> str:
        figures = f"F1 {self.f1:.2f}, Dice {self.dice:.2f}, AJI {self.aji:.2f}"
        return f"{figures} on {self.fields} annotated fields"


class Segmenter(Protocol):
    """Finds nuclei in tiles."""

    @property
    def name(self) -> str: ...

    @property
    def accuracy(self) -> Accuracy | None:
        """As it was measured; None where it was not."""
        ...

    def knows(self, stain: str) -> bool:
        """Return whether it can tell nuclei in a stain."""
        ...

    def __call__(self, tiles: RgbImage, mpp: float, stain: str) -> Sequence[Labels]:
        """Return the nuclei of each of the tiles, ``(N, H, W, 3)`` uint8.

        Raises:
            StainAppError: the stain or the scale is none it can be used on.
        """
        ...


def said_of(segmenter: Segmenter) -> str:
    """Return what is to stand beside each figure that rests on a segmenter."""
    return f"segmenter: {segmenter.name}, {segmenter.accuracy or 'its accuracy was not measured'}"


class Classical:
    """`nuclei.nuclei`: nothing about it was learnt."""

    name = "classical"

    @property
    def accuracy(self) -> Accuracy:
        """As `tests/benchmarks/nuclei.py --write` measured it."""
        return Accuracy(**json.loads(resource("segmenters/classical.json").read_text("utf-8")))

    def knows(self, stain: str) -> bool:
        return stain in nuclei.STAINS

    def __call__(self, tiles: RgbImage, mpp: float, stain: str) -> Sequence[Labels]:
        return [nuclei.nuclei(tile, mpp, stain) for tile in tiles]


MEASURES = {"f1": "nuclei F1", "dice": "nuclei Dice", "aji": "nuclei AJI"}
"""Names of an accuracy's figures among a card's metrics."""


def as_metrics(found: Accuracy) -> tuple[Mapping[str, Any], ...]:
    """Return an accuracy as a card's ``metrics`` hold it."""
    return tuple(
        {
            "set": f"{found.fields} annotated fields",
            "measure": measure,
            "estimate": getattr(found, name),
            "n": found.fields,
            "nuclei": found.nuclei,
        }
        for name, measure in MEASURES.items()
    )


def of_metrics(metrics: Sequence[Mapping[str, Any]]) -> Accuracy | None:
    """Return the accuracy that a card's metrics tell of; None where they do not."""
    rows = {row.get("measure"): row for row in metrics}
    found = [rows.get(measure) for measure in MEASURES.values()]
    if any(row is None or not {"estimate", "n", "nuclei"} <= row.keys() for row in found):
        return None
    first = rows[MEASURES["f1"]]
    figures = {name: float(rows[measure]["estimate"]) for name, measure in MEASURES.items()}
    return Accuracy(**figures, fields=int(first["n"]), nuclei=int(first["nuclei"]))
