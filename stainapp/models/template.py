"""The picture a model is to normalise to, read from an image or a slide. Knows no torch."""

from contextlib import closing
from pathlib import Path

import numpy as np

from stainapp.models.calibration import tissue_tiles
from stainapp.models.card import ModelCard
from stainapp.slides.opening import open_slide, read_whole
from stainapp.slides.reader import RgbImage


def read_template(path: Path, card: ModelCard) -> RgbImage:
    """Return a template (H, W, 3) as the model needs it.

    To what maps single pixels the whole slide from afar says enough, and so it does where the
    file does not tell its scale. A network that sees neighbours gets tissue at its own scale:
    tiles of a slide's calibration side by side.

    Raises:
        SlideError: the file cannot be read.
    """
    with closing(open_slide(path)) as reader:
        if not card.pixelwise and reader.info.mpp is not None:
            side = card.calibrate.tile_px // card.multiple * card.multiple
            tiles, _ = tissue_tiles(reader, card, card.calibrate.tiles, side)
            if len(tiles):
                return np.concatenate(list(tiles), axis=1)
    return read_whole(path)
