"""What one piece of a region adds to its measures: sums over pixels and over nuclei.

Sums, because they are the same however a region is cut: of a whole region they are those of its
pieces, and so memory does not grow with it.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from stainapp.compare.agreement import WITHIN_UM, centres, matches
from stainapp.compare.dab import GRADES, grades, nuclear_dab
from stainapp.compare.density import amounts, density, dyes_of
from stainapp.compare.instruments import Instruments
from stainapp.compare.metrics import ssim_map
from stainapp.compare.nuclei import COARSEST_MPP, Labels
from stainapp.compare.pair import Pair, Side
from stainapp.compare.region_grid import Grid, Mask, Piece
from stainapp.models.working_scale import WorkingScale
from stainapp.slides.reader import RgbImage

BROWN = "DAB"
MARKERS = {"DAB": "DAB", "PAS": "PAS"}
"""The dye of each stain whose area is asked for, by stain."""
RESIDUALS = {"DAB": "eosin"}
"""What a stain is taken apart into beside its dyes, so that the dyes come out right."""
SIDES = ("reference", "other")
SSIM_REACH_PX = 5
"""Half of SSIM's window."""
MARGIN_UM = 12.0
"""Read around each piece, so that nuclei at its edge are whole and have their neighbours."""


class Measurer:
    """Measures one piece of a pair after another. Cheap to make; keeps no pixels."""

    def __init__(self, pair: Pair, grid: Grid, mpp: float, instruments: Instruments) -> None:
        """Choose what can be measured of a pair.

        Args:
            pair: both slides.
            grid: whose pieces will be given.
            mpp: the scale they are compared at, that of the grid.
            instruments: who finds nuclei, and what counts as positive.
        """
        self.pair, self.mpp = pair, mpp
        self.stain = pair.reference.stain
        self.same_stain = pair.reference.stain == pair.other.stain
        dyes = dyes_of(self.stain) if self.same_stain else ()
        self.dyes = tuple(dye for dye in dyes if dye != RESIDUALS.get(self.stain))
        self.marker = MARKERS.get(self.stain) if self.same_stain else None
        self.thresholds = instruments.thresholds
        self.segmenter = instruments.segmenter
        known = all(self.segmenter.knows(side.stain) for side in pair.sides)
        self.finds_nuclei = known and mpp <= COARSEST_MPP
        self.scores = self.finds_nuclei and self.same_stain and self.stain == BROWN
        margin = max(SSIM_REACH_PX, round(MARGIN_UM / mpp) if self.finds_nuclei else 0)
        self._margin = margin
        self._step = grid.step
        self._scales = [WorkingScale(side.reader, grid.step, near=0) for side in pair.sides]
        source, back = pair.other.source, pair.other.back
        self.cycles = source is not None and back is not None
        both = (source, back) if source is not None and back is not None else ()
        self._cycle = [WorkingScale(reader, grid.step, near=0) for reader in both]

    def sums(self, piece: Piece) -> dict[str, float]:
        """Return what a piece adds, by the names that `region_measures` reads; all are finite."""
        images = [self._read(scale, piece) for scale in self._scales]
        inside = np.pad(piece.inside, self._margin)
        pixels = (images[0][inside], images[1][inside])
        found = {"px": float(inside.sum())}
        apart = pixels[0].astype(np.float64) - pixels[1]
        found["squared"] = float((apart * apart).mean(axis=1).sum())
        found["ssim"] = float(ssim_map(*images)[inside].sum(dtype=np.float64))
        if self.same_stain:
            found |= self._dyes(*pixels)
        if self.finds_nuclei:
            found |= self._nuclei(images, inside)
        if self._cycle:
            before, after = (density(self._read(scale, piece)[inside]) for scale in self._cycle)
            found["cycle"] = float(np.abs(before - after).mean(axis=1).sum(dtype=np.float64))
        return found

    def _read(self, scale: WorkingScale, piece: Piece) -> RgbImage:
        margin, (height, width) = self._margin, piece.inside.shape
        return scale.read(
            piece.i - margin, piece.j - margin, width + 2 * margin, height + 2 * margin
        )

    def _dyes(self, reference: RgbImage, other: RgbImage) -> dict[str, float]:
        """Sums over pixels ``(N, 3)`` of each dye's amount, and of how far the two lie apart."""
        ours, theirs = amounts(reference, self.stain), amounts(other, self.stain)
        found = {}
        for dye in self.dyes:
            found[f"{dye} apart"] = float(np.abs(ours[dye] - theirs[dye]).sum(dtype=np.float64))
            for side, one in zip(SIDES, (ours, theirs), strict=True):
                found[f"{dye} {side}"] = float(one[dye].sum(dtype=np.float64))
        if self.marker is not None:
            for side, one in zip(SIDES, (ours, theirs), strict=True):
                found[f"positive {side}"] = float((one[self.marker] >= self.thresholds.weak).sum())
        return found

    def _nuclei(self, images: list[RgbImage], inside: Mask) -> dict[str, float]:
        """Counts of the nuclei whose centre is inside, and of those that are in both pictures.

        A partner may lie outside: a nucleus at the region's edge is not lost for it.
        """
        sides = [
            _Nuclei.of(self._labels(image, side), inside)
            for image, side in zip(images, self.pair.sides, strict=True)
        ]
        partners = matches(sides[0].centres, sides[1].centres, WITHIN_UM / self.mpp)
        found = {}
        for name, one, met, image in zip(SIDES, sides, partners, images, strict=True):
            found[f"nuclei {name}"] = float(one.inside.sum())
            found[f"met {name}"] = float(one.inside[met].sum())
            if self.scores:
                counts = grades(nuclear_dab(image, one.labels)[one.inside], self.thresholds)
                found |= {f"grade {n} {name}": float(counts[n]) for n in range(GRADES)}
        return found

    def _labels(self, image: RgbImage, side: Side) -> Labels:
        return self.segmenter(image[None], self.mpp, side.stain)[0]


@dataclass(frozen=True, slots=True)
class _Nuclei:
    """The nuclei of one picture, and which of them count."""

    labels: Labels
    centres: NDArray[np.float64]
    inside: Mask
    """``(nuclei,)``."""

    @classmethod
    def of(cls, labels: Labels, inside: Mask) -> "_Nuclei":
        places = centres(labels)
        rows, columns = np.rint(places).astype(int).T.reshape(2, -1)
        return cls(labels, places, inside[rows, columns])
