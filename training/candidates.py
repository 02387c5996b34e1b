"""What a recipe's origins hold: slides opened once, and the regions or pieces of tissue on them."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from scipy.ndimage import binary_closing
from skimage.measure import label, regionprops
from skimage.morphology import disk

from stainapp.errors import RecipeError, RegionError, SlideError
from stainapp.geometry import Rect
from stainapp.models.survey import Survey, survey
from stainapp.models.working_scale import NEAR, WorkingScale
from stainapp.runs.recipe_data import Origin, Split
from stainapp.session.geojson import read_geojson
from stainapp.session.regions import Region
from stainapp.slides.opening import open_slide
from stainapp.slides.reader import SlideReader
from stainapp.slides.tissue import Mask
from training.registered import far_off, in_frame_of

RASTER_PX = 1024
"""Longer side of a candidate's rasters."""
SMALLEST_PIECE = 0.05
"""Of the largest piece's area; smaller ones are crumbs."""
SAME_STEP = 1e-3
"""Downsamples are rounded: 4.0003 is meant to be 4."""


@dataclass(frozen=True, eq=False)
class Candidate:
    """A region, a piece of tissue or an image that goes into one split as a whole."""

    name: str
    kind: Literal["region", "piece", "image"]
    """A region bounds its tiles, as an image does; tiles of a piece only keep out of others."""
    ties: frozenset[str]
    """Identities of the slides or images in its frame, and its group: what has one in common
    with another candidate may not be learnt from while the other is judged by."""
    reader: SlideReader
    scale: WorkingScale
    partner: WorkingScale | None
    """The target in the same frame, of a pair."""
    area: Rect
    """Where the rasters lie, in level-0 pixels."""
    inside: Mask
    """(H, W): the region itself."""
    tissue: Mask
    """(H, W): tissue within it."""
    split: Split
    far_off: Mask | None = None
    """(H, W): tissue where the two of a pair are not registered well enough to learn from."""

    @property
    def cell(self) -> float:
        """Level-0 pixels per raster pixel."""
        return float(self.area.width / self.inside.shape[1])


class Slides:
    """The slides of one data set, each opened once, closed together."""

    def __init__(self) -> None:
        self._open: dict[tuple[str, float | None], SlideReader] = {}

    def open(self, address: str, mpp: float | None) -> SlideReader:
        """Open a slide, or return it if it is open.

        Raises:
            RecipeError: it cannot be opened.
        """
        key = (address, mpp)
        if key not in self._open:
            try:
                self._open[key] = open_slide(address, mpp=mpp)
            except SlideError as error:
                raise RecipeError(str(error)) from error
        return self._open[key]

    def close(self) -> None:
        for reader in self._open.values():
            reader.close()
        self._open.clear()


def candidates_of(
    origin: Origin,
    slides: Slides,
    mpp: float,
    partner: Origin | None = None,
    max_error_um: float = 0.0,
) -> list[Candidate]:
    """Return the regions or pieces of a slide that an origin names.

    Args:
        origin: names a slide.
        slides: who keeps it open.
        mpp: the recipe's.
        partner: the target's slide where source and target lie in one frame, or are registered.
        max_error_um: of a registration; 0 for any.

    Raises:
        RecipeError: the slide, its scale, its regions or its tissue will not do.
    """
    reader = slides.open(origin.slide, origin.mpp)
    scale = working_scale(reader, mpp)
    target, ties = None, {reader.info.identity}
    if partner is not None:
        other = slides.open(partner.slide, partner.mpp)
        ties.add(other.info.identity)
        if partner.transform:
            other = in_frame_of(reader, other, partner.transform)
        target = partner_scale(reader, scale, other)
    look, drawn = survey(reader), bool(origin.regions or origin.areas)
    found = (
        [_of_region(region, look) for region in _regions(origin)]
        if drawn
        else _pieces(look, origin.pieces, reader.info.path.name)
    )
    return [
        Candidate(
            name=f"{reader.info.path.name}, {name}",
            kind="region" if drawn else "piece",
            ties=frozenset(ties),
            reader=reader,
            scale=scale,
            partner=target,
            area=area,
            inside=inside,
            tissue=tissue,
            split=origin.split,
            far_off=far_off(target.source, tissue, area, max_error_um) if target else None,
        )
        for name, area, inside, tissue in found
    ]


def working_scale(reader: SlideReader, mpp: float) -> WorkingScale:
    """Return the scale to cut tiles at.

    Raises:
        RecipeError: the slide has no scale, or is coarser than the recipe asks.
    """
    name, own = reader.info.path.name, reader.info.mpp
    if own is None:
        raise RecipeError(
            f"{name} does not say how large its pixels are; add mpp to it in the recipe."
        )
    if own > mpp * (1 + NEAR):
        raise RecipeError(
            f"{name} has {own:g} um/px, coarser than the recipe's {mpp:g}; "
            f"set model.mpp to {own:g} or more."
        )
    return WorkingScale.at(reader, mpp)


def partner_scale(source: SlideReader, scale: WorkingScale, target: SlideReader) -> WorkingScale:
    """Return the scale at which a target lies in the frame of its source, pixel on pixel.

    Raises:
        RecipeError: the two differ in size, or in their levels.
    """
    a, b = source.info, target.info
    if (a.width_px, a.height_px) != (b.width_px, b.height_px):
        raise RecipeError(
            f"{a.path.name} ({a.width_px} x {a.height_px} px) and {b.path.name} "
            f"({b.width_px} x {b.height_px} px) are no pair in one frame; "
            "register them first, or train CycleGAN on them unpaired."
        )
    found = WorkingScale(target, scale.step)
    if abs(found.step / scale.step - 1) > SAME_STEP:
        raise RecipeError(
            f"{a.path.name} and {b.path.name} have levels of different sizes near the recipe's "
            "scale; set model.mpp to that of their finest level, or export them again."
        )
    return found


def _regions(origin: Origin) -> list[Region]:
    if origin.areas:
        return [
            Region.rectangle(*area, name=f"area {area[0]:.0f},{area[1]:.0f}")
            for area in origin.areas
        ]
    path = Path(origin.regions)
    try:
        regions = read_geojson(path)
    except RegionError as error:
        raise RecipeError(str(error)) from error
    if not regions:
        raise RecipeError(f"{path} has no region; draw one on the slide.")
    wanted = set(origin.only)
    words = {word for r in regions for word in (r.id, r.name, r.classification)}
    if wanted - words:
        raise RecipeError(
            f"{path} has no region of the name, class or id {min(wanted - words)!r}; "
            "draw one or change `only`."
        )
    return [r for r in regions if not wanted or wanted & {r.id, r.name, r.classification}]


def _of_region(region: Region, look: Survey) -> tuple[str, Rect, Mask, Mask]:
    area, width, height, cell = _raster(region.bounds)
    y = area.y + (np.arange(height) + 0.5) * cell
    x = area.x + (np.arange(width) + 0.5) * cell
    on_slide = ((y >= 0) & (y < look.size_px[1]))[:, None] & (x >= 0) & (x < look.size_px[0])
    inside = region.mask(area.x, area.y, cell, width, height) & on_slide
    near = look.mask[
        np.clip(y / look.downsample, 0, look.mask.shape[0] - 1).astype(int)[:, None],
        np.clip(x / look.downsample, 0, look.mask.shape[1] - 1).astype(int),
    ]
    title = region.name or region.classification or f"region {region.id[:8]}"
    return title, area, inside, inside & near


def _raster(bounds: Rect) -> tuple[Rect, int, int, float]:
    cell = max(1.0, max(bounds.width, bounds.height) / RASTER_PX)
    sides = (bounds.width, bounds.height)  # a cell belongs to what its centre lies in
    width, height = (max(1, int(side / cell + 0.5)) for side in sides)
    return Rect(bounds.x, bounds.y, width * cell, height * cell), width, height, cell


def _pieces(look: Survey, wanted: Iterable[int], name: str) -> list[tuple[str, Rect, Mask, Mask]]:
    """Part a slide's tissue into separate pieces, the largest first."""
    closed = binary_closing(np.pad(look.mask, 8), disk(4))[8:-8, 8:-8]
    labels = np.asarray(label(closed))
    parts = sorted(regionprops(labels), key=lambda part: -part.area)
    if not parts:
        raise RecipeError(f"No tissue was found on {name}; draw regions on it, or leave it out.")
    parts = [part for part in parts if part.area >= SMALLEST_PIECE * parts[0].area]
    numbers = tuple(wanted) or tuple(range(1, len(parts) + 1))
    if not all(1 <= number <= len(parts) for number in numbers):
        raise RecipeError(f"{name} has {len(parts)} pieces of tissue; change `pieces`.")
    height, width = look.mask.shape
    area = Rect(0, 0, width * look.downsample, height * look.downsample)
    masks = [(number, labels == parts[number - 1].label) for number in numbers]
    return [(f"piece {number}", area, mask, mask & look.mask) for number, mask in masks]
