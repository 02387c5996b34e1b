"""Fit a model to a slide by some of its tissue, and remember the result on disk."""

import hashlib
import logging
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np

from stainapp.cancel import CancelToken
from stainapp.errors import ModelError
from stainapp.models.background import tissue_share, with_glass
from stainapp.models.card import ModelCard
from stainapp.models.preview import PreviewSlide, fit_lut
from stainapp.models.slide_state import SlideState
from stainapp.models.stainer import Places, Stainer, Tiles
from stainapp.models.survey import survey
from stainapp.models.working_scale import WorkingScale
from stainapp.slides.reader import RgbImage, SlideReader

log = logging.getLogger(__name__)

FORMAT = "calibration 2"
"""Part of every key: raise it when calibration itself changes."""
PREVIEW_SIDE_PX, PREVIEW_TILES = 64, 16
PREVIEW_CPU_PX = 1 << 14
"""Network pixels of a quick preview on a processor: half a second of a large generator."""
Progress = Callable[[int, int], None]
"""Told how many steps are done, of how many."""


def calibrate_slide(
    source: SlideReader,
    stainer: Stainer,
    *,
    cache: Path | None = None,
    token: CancelToken | None = None,
    progress: Progress | None = None,
) -> SlideState:
    """Return the state of a slide for a model: its statistics, its glass and its preview.

    Args:
        source: the real slide.
        stainer: the model.
        cache: folder where states are kept; None to keep none.
        token: ends the work early.
        progress: told of each tissue tile read, and of the end.

    Raises:
        UnknownScaleError: the model needs a scale and the slide's is not known.
        ModelError: the slide shows no tissue, and the model brings no statistics of its own.
        Cancelled: the token was cancelled.
    """
    known = remembered_state(source, stainer, cache) if cache else None
    if known is not None:
        return known
    card = stainer.card
    side = _rounded_up(card.calibrate.tile_px, card.multiple)
    tiles, at = tissue_tiles(source, card, card.calibrate.tiles, side, token, progress)
    state = _calibrated(source, stainer, tiles, at, token)
    if cache:
        try:
            state.save(_path(cache, source, stainer))
        except ModelError as error:  # the slide is calibrated again next time
            log.warning("%s", error)
    return state


def remembered_state(source: SlideReader, stainer: Stainer, cache: Path) -> SlideState | None:
    """Return what `calibrate_slide` has kept of this slide for this model; None where nothing."""
    path = _path(cache, source, stainer)
    if not path.exists():
        return None
    try:
        return SlideState.load(path)
    except ModelError as error:
        log.warning("%s", error)
        return None


def quick_preview(
    source: SlideReader, stainer: Stainer, token: CancelToken | None = None
) -> PreviewSlide:
    """Return a rough preview from a few small tiles, for the moment until a slide is calibrated.

    Raises:
        ModelError, UnknownScaleError, Cancelled: as `calibrate_slide`.
    """
    side = _rounded_up(PREVIEW_SIDE_PX, stainer.card.multiple)
    few = stainer.device == "cpu" and not stainer.card.pixelwise
    count = max(1, PREVIEW_CPU_PX // side**2) if few else PREVIEW_TILES
    tiles, at = tissue_tiles(source, stainer.card, count, side, token)
    state = _calibrated(source, stainer, tiles, at, token)
    assert state.lut is not None
    return PreviewSlide(source, state.lut)


def _calibrated(
    source: SlideReader, stainer: Stainer, tiles: Tiles, at: Places, token: CancelToken | None
) -> SlideState:
    """Return a state with its preview, from tissue or, on a blank slide, from the model alone."""
    glass = survey(source).glass
    kept = glass if stainer.card.background == "pass" else None
    if len(tiles):
        state, stained = stainer.calibrate_and_predict(tiles, token, at=at)
        tiles = tiles[: len(stained)]
        if kept:
            pairs = zip(stained, tiles, strict=True)
            stained = np.stack([with_glass(y, x, tissue_share(x, kept)) for y, x in pairs])
        return replace(state, glass=glass, lut=fit_lut(tiles, stained, kept=kept))
    known = stainer.default_state
    if known is None:
        raise ModelError(
            f"No tissue was found on {source.info.path.name}, and {stainer.card.name} needs "
            "some to adapt to the slide; choose a model with fixed statistics or another slide."
        )
    white = np.full((1, 1, 3), 255, np.uint8)
    return replace(known, glass=glass, lut=fit_lut(white, white))


def tissue_tiles(
    source: SlideReader,
    card: ModelCard,
    count: int,
    side: int,
    token: CancelToken | None = None,
    progress: Progress | None = None,
) -> tuple[Tiles, Places]:
    """Return ``(N, side, side, 3)`` of tissue at the network's scale, and where they lie.

    None of them on a blank slide.
    """
    # a pixelwise method knows no scale: the finest level's own pixels do
    mpp = None if card.pixelwise else card.mpp
    scale = WorkingScale(source, 1.0) if mpp is None else WorkingScale.at(source, mpp)
    places = survey(source).tissue(count, side * scale.step, card.calibrate.min_tissue)
    at = [(round(place.x / scale.step), round(place.y / scale.step)) for place in places]
    tiles: list[RgbImage] = []
    for number, (i, j) in enumerate(at):
        if token is not None:
            token.check()
        tiles.append(scale.read(i, j, side, side))
        if progress is not None:
            progress(number + 1, len(places))
    found = np.stack(tiles) if tiles else np.empty((0, side, side, 3), np.uint8)
    return found, np.array(at, np.int64).reshape(-1, 2)


def _path(cache: Path, source: SlideReader, stainer: Stainer) -> Path:
    return cache / f"{_key(source, stainer)}.npz"


def _key(source: SlideReader, stainer: Stainer) -> str:
    info = source.info
    parts = (FORMAT, info.identity, str(info.mpp), stainer.digest, stainer.precision)
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def _rounded_up(side: int, multiple: int) -> int:
    return -(-side // multiple) * multiple
