"""Hue, saturation and density: colour of light absorbed rather than of light let through.

Van der Laak et al., Cytometry 39:275-284 (2000), equations 2 to 5. How much stain there is
and which stain it is come apart: a section cut thicker has another density and the same chroma.
"""

import math

import torch
from torch import Tensor

WHITE = 256.0
LEAST_DENSITY = 0.05
"""Below it chroma is taken relative to this much: of bare glass there is noise alone to divide."""
CHROMA = (-1.0, 2.0)
"""What the first chroma can be where no channel absorbs less than nothing."""


def to_hsd(rgb: Tensor) -> Tensor:
    """Return density and the two chroma coordinates of pictures.

    Args:
        rgb: (N, 3, H, W) of 0..255, sRGB values taken as intensities.

    Returns:
        (N, 3, H, W): the mean D over the channels of ``OD = -ln((intensity + 1) / 256)``, and
        ``cx = OD_red / D - 1`` and ``cy = (OD_green - OD_blue) / (sqrt(3) D)``; both chromas are
        0 in grey, and fade to 0 where D is less than `LEAST_DENSITY`.
    """
    absorbed = -torch.log((rgb + 1) / WHITE)
    red, green, blue = absorbed.unbind(1)
    density = absorbed.mean(1)
    scale = density.clamp_min(LEAST_DENSITY)
    return torch.stack(
        [density, (red - density) / scale, (green - blue) / (math.sqrt(3) * scale)], dim=1
    )


def from_hsd(hsd: Tensor) -> Tensor:
    """Return pictures of 0..255, not rounded, from what `to_hsd` gives; its inverse.

    Where chroma says that a channel absorbs less than nothing it is white.
    """
    density, first, second = hsd.unbind(1)
    scale = density.clamp_min(LEAST_DENSITY)
    red = density + scale * first
    across = math.sqrt(3) * scale * second
    rest = density - scale * first / 2
    absorbed = torch.stack([red, rest + across / 2, rest - across / 2], dim=1)
    return (WHITE * torch.exp(-absorbed) - 1).clamp(0, 255)


def within_gamut(hsd: Tensor) -> Tensor:
    """Return the nearest density, and then the nearest chroma, that light can have.

    Density is 0 or more, the first chroma within `CHROMA`, and the second such that neither
    green nor blue absorbs less than nothing.
    """
    density, first, second = hsd.unbind(1)
    first = first.clamp(*CHROMA)
    most = (CHROMA[1] - first) / math.sqrt(3)
    second = torch.maximum(torch.minimum(second, most), -most)
    return torch.stack([density.clamp_min(0), first, second], dim=1)
