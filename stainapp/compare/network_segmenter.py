"""Nuclei found by a network, a model folder of the kind "segmenter"."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage

from stainapp.compare.nuclei import Labels, parted
from stainapp.compare.segmenter import Accuracy, of_metrics
from stainapp.models.card import ANY_STAIN
from stainapp.models.opening import open_stainer
from stainapp.slides.reader import RgbImage

_SMOOTH_UM = 0.4
"""Of the depth inside a nucleus, so that a ragged edge gives no second peak."""


class NetworkSegmenter:
    """Runs a network at its card's scale, and parts what it marks by watershed."""

    def __init__(self, folder: Path, device: str = "auto") -> None:
        """Open a model folder.

        Raises:
            ModelError: it is no segmenter, or cannot be used on this device.
        """
        self._stainer = open_stainer(folder, device=device, kind="segmenter")
        self._card = self._stainer.card

    @property
    def name(self) -> str:
        return f"{self._card.id} {self._card.version}"

    @property
    def accuracy(self) -> Accuracy | None:
        return of_metrics(self._card.metrics)

    def knows(self, stain: str) -> bool:
        return self._card.source_stain in (stain, ANY_STAIN)

    def __call__(self, tiles: RgbImage, mpp: float, stain: str) -> Sequence[Labels]:
        height, width = tiles.shape[1:3]
        scale = mpp / (self._card.mpp or mpp)
        sides = max(1, round(height * scale)), max(1, round(width * scale))
        seen = np.stack([_resized(tile, sides) for tile in tiles])
        maps = self._maps(seen)
        found = [
            self._labels(one[: sides[0], : sides[1]].astype(np.float32) / 255, mpp / scale)
            for one in maps
        ]
        return [_back(labels, (height, width)) for labels in found]

    def _maps(self, tiles: RgbImage) -> RgbImage:
        """Return what the network says, its tiles mirrored at the rim up to a size it takes."""
        multiple = self._card.multiple
        rims = [(0, -side % multiple) for side in tiles.shape[1:3]]
        filled = np.pad(tiles, ((0, 0), *rims, (0, 0)), mode="symmetric")
        state = self._stainer.default_state
        if state is None:
            count = min(self._card.calibrate.tiles, len(filled))
            chosen = np.linspace(0, len(filled) - 1, count).round().astype(int)
            state = self._stainer.calibrate(filled[chosen])
        return self._stainer.predict(filled, state)

    def _labels(self, maps: NDArray[np.float32], mpp: float) -> Labels:
        assert self._card.arch is not None
        inside = maps[..., 0] > 0.5
        core = inside & (maps[..., 1] < 0.5) if self._card.arch.out_channels == 3 else inside
        depth = ndimage.gaussian_filter(
            np.asarray(ndimage.distance_transform_edt(core), np.float32) * mpp, _SMOOTH_UM / mpp
        )
        return parted(inside, depth, mpp)


def _resized(tile: RgbImage, sides: tuple[int, int]) -> RgbImage:
    if tile.shape[:2] == sides:
        return tile
    return np.array(Image.fromarray(tile).resize(sides[::-1], Image.Resampling.BICUBIC))


def _back(labels: Labels, sides: tuple[int, int]) -> Labels:
    if labels.shape == sides:
        return labels
    image = Image.fromarray(labels).resize(sides[::-1], Image.Resampling.NEAREST)
    return np.array(image, np.int32)
