"""A stainer applied to a slide, as a slide: what is seen, compared and exported alike."""

import hashlib
import math
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stainapp import __version__
from stainapp.cancel import CancelToken
from stainapp.geometry import Rect
from stainapp.models.background import MARGIN_PX, tissue_share, with_glass
from stainapp.models.card import WEIGHTS_FILE
from stainapp.models.mosaic import Mosaic
from stainapp.models.slide_state import SlideState
from stainapp.models.stainer import Stainer
from stainapp.models.strength import blended
from stainapp.models.working_scale import WorkingScale, margin_px, resample
from stainapp.slides.reader import Level, RgbImage, SlideInfo, SlideReader
from stainapp.slides.scale import RECORDED_MPP

LIVE_COST = 4.4
"""Network pixels per shown pixel that can be waited for: one level down, with some slack."""
CACHE_BYTES = 192 << 20
PIECE_PX = 1 << 24
"""Working pixels held at once; a coarser read is made in pieces."""


class VirtualSlide:
    """A slide as a model would have stained it, in its source's frame and levels.

    A pixel is the same however the slide is cut into reads. `read` is always exact; where
    that takes long, `is_live` says so. The source and the stainer stay their owner's.
    """

    def __init__(
        self,
        source: SlideReader,
        stainer: Stainer,
        state: SlideState,
        *,
        strength: float = 1.0,
        cache_bytes: int = CACHE_BYTES,
        mosaic: Mosaic | None = None,
    ) -> None:
        """Bind a model and what it knows of the slide to the slide.

        Args:
            source: the real slide; it stays open as long as this one.
            stainer: the model.
            state: from `calibrate_slide`.
            strength: how much of the stain there is: 0 for the slide itself, 1 for all of it.
            cache_bytes: bound of the stained tiles remembered.
            mosaic: what another virtual slide has stained of the same, to share it.

        Raises:
            UnknownScaleError: the model needs a scale and the slide's is not known.
        """
        self.source, self.stainer, self.state = source, stainer, state
        self.strength = strength
        self._info = _info_of(source, stainer, state, strength)
        self._cache_bytes = cache_bytes
        self.scale: WorkingScale | None = None
        """The network's resolution; None where each pixel is stained by itself."""
        if not stainer.card.pixelwise:
            assert stainer.card.mpp is not None
            self.scale = WorkingScale.at(source, stainer.card.mpp)
            self._mosaic = (
                mosaic.shared()
                if mosaic is not None
                else Mosaic(self.scale, stainer, state, cache_bytes, self._walked)
            )

    def at_strength(self, strength: float) -> "VirtualSlide":
        """Return the same slide with more or less of the stain; it is closed by itself.

        What was stained so far serves it too, but for a bridge, which is walked less far.
        """
        return VirtualSlide(
            self.source,
            self.stainer,
            self.state,
            strength=strength,
            cache_bytes=self._cache_bytes,
            mosaic=None if self.scale is None or self._is_bridge else self._mosaic,
        )

    @property
    def _is_bridge(self) -> bool:
        """Whether the method itself knows what lies between; others are blended."""
        return self.stainer.card.bridge is not None

    @property
    def _walked(self) -> float:
        """How far the method goes."""
        return self.strength if self._is_bridge else 1.0

    @property
    def info(self) -> SlideInfo:
        return self._info

    @property
    def damaged(self) -> tuple[Rect, ...]:
        return self.source.damaged

    def is_live(self, level: int) -> bool:
        """Tell whether `level` is cheap enough to be stained exactly while it is looked at."""
        if self.scale is None:
            return True
        return (self._info.levels[level].downsample / self.scale.step) ** 2 <= LIVE_COST

    def read(
        self,
        x: int,
        y: int,
        level: int,
        width_px: int,
        height_px: int,
        *,
        token: CancelToken | None = None,
    ) -> RgbImage:
        """Return a stained region, as `SlideReader.read`; (x, y) goes to the nearest pixel.

        Raises:
            SlideError: the source cannot be read there.
            DeviceMemoryError: no device has room for the smallest piece.
            Cancelled: the token was cancelled.
        """
        if token is not None:
            token.check()
        if self.strength <= 0:
            return self.source.read(x, y, level, width_px, height_px)
        stained = self._read_stained(x, y, level, width_px, height_px, token)
        if self.strength >= 1 or self._is_bridge:
            return stained
        source = self.source.read(x, y, level, width_px, height_px)
        return blended(source, stained, self.strength)

    def _read_stained(
        self, x: int, y: int, level: int, width: int, height: int, token: CancelToken | None
    ) -> RgbImage:
        downsample = self._info.levels[level].downsample
        i, j = round(x / downsample), round(y / downsample)
        if self.scale is None:
            return self._read_pixelwise(i, j, level, width, height, token)
        return self._read_network(i, j, level, width, height, token)

    def close(self) -> None:
        """End the reading thread. The source is closed by who opened it."""
        if self.scale is not None:
            self._mosaic.close()

    def _read_pixelwise(
        self, i: int, j: int, level: int, width: int, height: int, token: CancelToken | None
    ) -> RgbImage:
        """Stain the level's own pixels; the glass around them decides the soft edge."""
        passes = self.stainer.card.background == "pass"
        pad = MARGIN_PX if passes else 0
        downsample = self._info.levels[level].downsample
        x, y = round((i - pad) * downsample), round((j - pad) * downsample)
        source = self.source.read(x, y, level, width + 2 * pad, height + 2 * pad)
        stained = source[pad : pad + height, pad : pad + width].copy()
        if not passes:
            stained = self._predict_one(stained, token)
            _whiten(stained, i, j, self._info.levels[level])
            return stained
        share = tissue_share(source, self.state.glass, i - pad, j - pad)
        share = share[pad : pad + height, pad : pad + width]
        rows, columns = _spans(share)
        tissue = stained[rows, columns]
        if tissue.size:
            predicted = self._predict_one(tissue, token)
            stained[rows, columns] = with_glass(predicted, tissue, share[rows, columns])
        return stained

    def _predict_one(self, image: RgbImage, token: CancelToken | None) -> RgbImage:
        tiles = np.ascontiguousarray(image)[None]
        stained: RgbImage = self.stainer.predict(tiles, self.state, token)[0]
        return stained

    def _read_network(
        self, i: int, j: int, level: int, width: int, height: int, token: CancelToken | None
    ) -> RgbImage:
        assert self.scale is not None
        ratio = self._info.levels[level].downsample / self.scale.step
        if math.isclose(ratio, 1.0, rel_tol=1e-9):
            return self._mosaic.read(i, j, width, height, token)
        result = np.empty((height, width, 3), np.uint8)
        side = max(1, int(math.sqrt(PIECE_PX) / ratio))
        for top in range(0, height, side):
            for left in range(0, width, side):
                rows, columns = min(side, height - top), min(side, width - left)
                result[top : top + rows, left : left + columns] = self._resampled(
                    i + left, j + top, ratio, columns, rows, token
                )
        _whiten(result, i, j, self._info.levels[level])
        return result

    def _resampled(
        self, i: int, j: int, ratio: float, width: int, height: int, token: CancelToken | None
    ) -> RgbImage:
        """Return pixels of a level from the working pixels they cover."""
        margin = margin_px(ratio)
        left, top = math.floor(i * ratio) - margin, math.floor(j * ratio) - margin
        right = math.ceil((i + width) * ratio) + margin
        bottom = math.ceil((j + height) * ratio) + margin
        stained = self._mosaic.read(left, top, right - left, bottom - top, token)
        box = (i * ratio - left, j * ratio - top, width * ratio, height * ratio)
        return resample(stained, box, (width, height))


def provenance(virtual: VirtualSlide) -> dict[str, Any]:
    """Return where a virtual slide's pixels come from, as plain values for an export."""
    card, source = virtual.stainer.card, virtual.source.info
    return {
        "virtual": True,
        "program": "stainapp",
        "version": __version__,
        "model": card.id,
        "model_name": card.name,
        "model_version": card.version,
        "model_digest": virtual.stainer.digest,
        "weights_sha256": card.files.get(WEIGHTS_FILE, ""),
        "source_stain": card.source_stain,
        "target_stain": card.target_stain,
        "source_file": source.path.name,
        "source_identity": source.identity,
        "mpp": source.mpp,
        "recorded_mpp": source.properties.get(RECORDED_MPP, source.mpp),
        "working_mpp": virtual.scale.mpp if virtual.scale else None,
        "icc": source.icc,
        "device": virtual.stainer.device,
        "precision": virtual.stainer.precision,
        "calibration_tiles": virtual.state.tiles,
        "calibration_digest": virtual.state.digest,
        "strength": virtual.strength,
        "bare_glass": "unstained" if card.background == "pass" else "stained",
        "licence": card.licence,
        "limits": list(card.limits),
        "intended_use": card.intended_use,
    }


def _info_of(
    source: SlideReader, stainer: Stainer, state: SlideState, strength: float
) -> SlideInfo:
    info = source.info
    parts = [info.identity, str(info.mpp), stainer.digest, state.digest, stainer.precision]
    if strength < 1:
        parts.append(f"strength {strength!r}")
    identity = hashlib.sha256("\n".join(parts).encode()).hexdigest()
    return replace(
        info, format="virtual", identity=f"virtual-{identity}", associated=(), properties={}
    )


def _spans(share: NDArray[np.uint8]) -> tuple[slice, slice]:
    """Return the rows and the columns between which there is anything but glass."""
    where = (np.flatnonzero(share.any(axis=axis)) for axis in (1, 0))
    rows, columns = (slice(at[0], at[-1] + 1) if len(at) else slice(0) for at in where)
    return rows, columns


def _whiten(image: RgbImage, i: int, j: int, level: Level) -> None:
    """Make white what lies outside the level, whose pixel ``(i, j)`` is the image's first."""
    image[: max(0, -j)] = 255
    image[:, : max(0, -i)] = 255
    image[max(0, level.height_px - j) :] = 255
    image[:, max(0, level.width_px - i) :] = 255
