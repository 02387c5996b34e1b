"""An instant, approximate stain: a look-up table in colour space, and a reader that applies it.

It knows colours and no shapes, so it stands in only until the exact tiles are there. Knows no
torch.
"""

import hashlib
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from stainapp.cancel import CancelToken
from stainapp.geometry import Rect
from stainapp.models.strength import blended
from stainapp.slides.reader import RgbImage, SlideInfo, SlideReader

NODES = 33
PRIOR = 8.0
"""Pixels' worth of trust in a node's neighbourhood: rare colours follow their neighbours."""
MOST_PIXELS = 1_000_000


def fit_lut(
    source_tiles: RgbImage,
    target_tiles: RgbImage,
    *,
    kept: tuple[int, int, int] | None = None,
    nodes: int = NODES,
) -> NDArray[np.float32]:
    """Fit a colour map to pairs of pixels.

    Each pair adds its change of colour to the nearest node. Nodes with few or no pixels take
    the mean change of an ever wider neighbourhood. White stays white.

    Args:
        source_tiles: ``(..., 3)`` uint8.
        target_tiles: the same shape.
        kept: sRGB of a colour that stays as it is, such as bare glass handed through.
        nodes: nodes along each axis of the colour cube.

    Returns:
        ``(nodes, nodes, nodes, 3)`` float32 in 0..1, indexed by blue, green, red: the order
        in which `PIL.ImageFilter.Color3DLUT` lies in memory.
    """
    source, target = source_tiles.reshape(-1, 3), target_tiles.reshape(-1, 3)
    step = max(1, len(source) // MOST_PIXELS)
    source, target = source[::step].astype(np.float32), target[::step].astype(np.float32)
    index = np.rint(source * ((nodes - 1) / 255)).astype(np.intp)
    flat = (index[:, 2] * nodes + index[:, 1]) * nodes + index[:, 0]
    size, shape = nodes**3, (nodes, nodes, nodes)
    weight = np.bincount(flat, minlength=size).reshape(shape).astype(np.float64)
    change = [
        np.bincount(flat, target[:, i] - source[:, i], minlength=size).reshape(shape)
        for i in range(3)
    ]
    sums: NDArray[np.float64] = np.stack([weight, *change], axis=-1)
    if kept is not None:
        sums[_around(kept, nodes)] = (len(source) / 8, 0, 0, 0)
    sums[-1, -1, -1] = (len(source) / 8, 0, 0, 0)
    return _table(_spread(sums))


def _around(colour: tuple[int, int, int], nodes: int) -> tuple[slice, slice, slice]:
    """Return the nodes between which a colour lies, blue first."""
    starts = [value * (nodes - 1) // 255 for value in reversed(colour)]
    blue, green, red = (slice(start, start + 2) for start in starts)
    return blue, green, red


def _spread(sums: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return each node's mean change, filled from ever wider neighbourhoods, ``(n, n, n, 3)``."""
    scales = [sums]
    while scales[-1][..., 0].min() <= 0:
        scales.append(_blurred(scales[-1], width=len(scales)))
    change = scales[-1][..., 1:] / scales[-1][..., :1]
    for scale in reversed(scales[:-1]):
        change = (scale[..., 1:] + PRIOR * change) / (scale[..., :1] + PRIOR)
    return change


def _blurred(sums: NDArray[np.float64], width: int) -> NDArray[np.float64]:
    """Add up each node's neighbours at most ``width`` away, nearer ones more."""
    for axis in range(3):
        for _ in range(width):
            pad = [(1, 1) if i == axis else (0, 0) for i in range(4)]
            padded = np.pad(sums, pad)
            count = sums.shape[axis]
            parts = [np.take(padded, range(k, k + count), axis) for k in range(3)]
            sums = 0.25 * parts[0] + 0.5 * parts[1] + 0.25 * parts[2]
    return sums


def _table(change: NDArray[np.float64]) -> NDArray[np.float32]:
    axis = np.linspace(0, 255, len(change))
    blue, green, red = np.meshgrid(axis, axis, axis, indexing="ij")
    table = np.clip((np.stack([red, green, blue], axis=-1) + change) / 255, 0, 1)
    table[-1, -1, -1] = 1.0  # what lies outside the slide stays white
    return table.astype(np.float32)


class PreviewSlide:
    """A slide seen through a colour look-up table, at any strength of the stain."""

    def __init__(
        self, source: SlideReader, lut: NDArray[np.float32], strength: float = 1.0
    ) -> None:
        self._source, self._lut, self._strength = source, lut, strength
        self._filter = ImageFilter.Color3DLUT(len(lut), lut.reshape(-1))
        sha = hashlib.sha256(source.info.identity.encode() + lut.tobytes())
        if strength < 1:
            sha.update(f"strength {strength!r}".encode())
        self._info = replace(
            source.info,
            format="preview",
            identity=f"preview-{sha.hexdigest()}",
            associated=(),
            properties={},
        )

    @property
    def info(self) -> SlideInfo:
        return self._info

    @property
    def damaged(self) -> tuple[Rect, ...]:
        return self._source.damaged

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
        if token is not None:
            token.check()
        source = self._source.read(x, y, level, width_px, height_px)
        stained = np.array(Image.fromarray(source).filter(self._filter))
        return blended(source, stained, self._strength)

    def at_strength(self, strength: float) -> "PreviewSlide":
        """Return the same preview with more or less of the stain."""
        return PreviewSlide(self._source, self._lut, strength)

    def close(self) -> None:
        """Do nothing: who opened the source closes it."""
