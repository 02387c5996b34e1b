"""What is done to tiles so that a network sees more than there is.

Turns and stain strength for what is learnt from; DiffAugment, the same for real and generated
images, for what a discriminator sees (Zhao et al. 2020, arXiv 2006.10738), with its colour
changes at 0.4 of the paper's strength and its square at half the side: in a stain the colour is
what is to be learnt.
"""

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812 - the name PyTorch's own documentation gives it
from torch import Tensor

from stainapp.slides.reader import RgbImage

WHITE = 255.0


@dataclass(frozen=True, slots=True)
class Turn:
    """One of the eight ways to lay a square."""

    quarters: int
    mirrored: bool

    def apply(self, tile: RgbImage) -> RgbImage:
        turned = np.rot90(tile, self.quarters)
        return np.ascontiguousarray(turned[:, ::-1] if self.mirrored else turned)


def draw_turn(rng: np.random.Generator) -> Turn:
    return Turn(int(rng.integers(4)), mirrored=bool(rng.integers(2)))


def jitter_density(tile: RgbImage, most: float, rng: np.random.Generator) -> RgbImage:
    """Scale the optical density by up to ``most``, alike and then each channel a little.

    Glass stays white: its density is zero. The whole is what staining time does, the channels'
    third of it what dyes and scanners do.
    """
    if most == 0:
        return tile
    gains = (1 + most * rng.uniform(-1, 1)) * (1 + most / 3 * rng.uniform(-1, 1, 3))
    share = np.maximum(np.arange(256), 1) / WHITE
    tables = np.rint(WHITE * share[:, None] ** gains).clip(0, 255).astype(np.uint8)
    return np.stack([tables[tile[..., c], c] for c in range(3)], axis=-1)


def diff_augment(images: Tensor, first: int, seed: int, stream: int) -> Tensor:
    """Shift brightness, saturation and contrast, move and cut out, alike for gradients.

    Args:
        images: (N, C, H, W) in -1..1; of C, each three channels are one picture.
        first: number of the first image, which with ``seed`` and ``stream`` decides the chance.
        seed: the run's.
        stream: tells the uses of one image apart.
    """
    changed = []
    for offset, image in enumerate(images):
        rng = np.random.default_rng((seed, 16 + stream, first + offset))
        changed.append(_moved(_coloured(image, rng), rng))
    return torch.stack(changed)


def _coloured(image: Tensor, rng: np.random.Generator) -> Tensor:
    brightness, saturation, contrast = (
        rng.uniform(-0.2, 0.2),
        rng.uniform(0.6, 1.4),
        rng.uniform(0.8, 1.2),
    )
    pictures = image.view(-1, 3, *image.shape[1:]) + brightness
    grey = pictures.mean(dim=1, keepdim=True)
    pictures = (pictures - grey) * saturation + grey
    mean = pictures.mean(dim=(1, 2, 3), keepdim=True)
    return ((pictures - mean) * contrast + mean).view(image.shape)


def _moved(image: Tensor, rng: np.random.Generator) -> Tensor:
    """Shift by up to an eighth, filled with the edge, and grey out a quarter-side square."""
    height, width = image.shape[1:]
    reach_y, reach_x = height // 8, width // 8
    y, x = int(rng.integers(2 * reach_y + 1)), int(rng.integers(2 * reach_x + 1))
    padded = F.pad(image[None], (reach_x, reach_x, reach_y, reach_y), mode="replicate")[0]
    moved = padded[:, y : y + height, x : x + width].clone()
    side = min(height, width) // 4
    top, left = int(rng.integers(height - side + 1)), int(rng.integers(width - side + 1))
    moved[:, top : top + side, left : left + side] = 0
    return moved
