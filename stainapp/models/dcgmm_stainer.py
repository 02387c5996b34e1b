"""The stainer of DCGMM: a network that can be given another template than its own."""

import hashlib
from pathlib import Path

import numpy as np

from stainapp.errors import ModelError
from stainapp.models.card import ModelCard
from stainapp.models.mixture import set_template
from stainapp.models.network_stainer import NetworkStainer
from stainapp.models.optics import stained
from stainapp.models.stainer import Notify, Tiles
from stainapp.slides.reader import RgbImage

LEAST_PIXELS = 500
"""Fewer stained pixels than these in its fullest tile say nothing about a template."""


class DcgmmStainer(NetworkStainer):
    """Normalises to what the model was taught with, or to an image: one pass over it is enough."""

    def __init__(
        self,
        card: ModelCard,
        folder: Path,
        device: str,
        precision: str,
        notify: Notify | None,
        template: RgbImage | None = None,
    ) -> None:
        super().__init__(card, folder, device, precision, notify)
        if template is not None:
            found = self.calibrate(tiles_of(template, card))
            set_template(self._net, found.arrays)
            self.digest = hashlib.sha256((card.digest + found.digest).encode()).hexdigest()


def tiles_of(image: RgbImage, card: ModelCard) -> Tiles:
    """Cut a template image (H, W, 3) into tiles of tissue, the fullest first.

    Raises:
        ModelError: it is too small, or shows too little tissue.
    """
    height, width = (n // card.multiple * card.multiple for n in image.shape[:2])
    side = min(height, width, card.calibrate.tile_px)
    if side < card.multiple:
        raise ModelError("The template image has only a few pixels; choose a larger one.")
    side -= side % card.multiple
    tiles = [
        image[top : top + side, left : left + side]
        for top in range(0, height - side + 1, side)
        for left in range(0, width - side + 1, side)
    ]
    shares = np.array([stained(tile, every_channel=False).mean() for tile in tiles])
    fullest = np.argsort(-shares, kind="stable")[: card.calibrate.tiles]
    least = min(card.calibrate.min_tissue, float(shares.max()))
    chosen = [tiles[n] for n in fullest if shares[n] >= least]
    if shares.max() * side**2 < LEAST_PIXELS:
        raise ModelError(
            "The template image shows hardly any stained tissue; choose one that shows more."
        )
    return np.ascontiguousarray(np.stack(chosen))
