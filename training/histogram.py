"""How far the optical densities of two images lie apart as a whole, whatever pixel has which.

A regression by squares alone answers doubt with the mean: pale, grey, without what is dark. The
densities that occur are known without doubt, and a histogram says them.
"""

import torch
from torch import Tensor

MOST_DENSITY = 3.0
"""Of the last bin, to base e; what is darker (12 grey levels of 255) counts as this."""
TINY = 1e-4
"""Added to each bin's share, so that an empty one costs a finite amount."""


def densities(images: Tensor) -> Tensor:
    """Return the optical density ``-ln((v + 1) / 255)`` of images, v being their grey levels.

    As `stainapp.models.optics.optical_density`, between 0 and `MOST_DENSITY`.

    Args:
        images: (N, C, H, W) in -1..1.
    """
    levels = (images.float() + 1) * 127.5
    return -torch.log((levels.clamp_min(0) + 1) / 255).clamp(-MOST_DENSITY, 0)


def soft_histogram(values: Tensor, bins: int, bandwidth: float) -> Tensor:
    """Return the share of pixels in each bin, (N, C, bins), differentiable.

    Each pixel is shared among bins by a Gaussian around it:
    ``w_b(x) = exp(-(x - c_b)^2 / (2 h^2)) / sum_c exp(-(x - c_c)^2 / (2 h^2))``, a Parzen window
    (Parzen 1962) as Ustinova & Lempitsky 2016 (arXiv 1611.00822) use it in a loss, so that each
    channel's shares add up to 1.

    Args:
        values: (N, C, H, W) densities, 0 to `MOST_DENSITY`.
        bins: how many; their centres lie evenly from 0 to `MOST_DENSITY`.
        bandwidth: h, in optical density; where it is far below the bins' distance, a pixel
            between two centres feels no gradient.
    """
    centres = torch.linspace(0, MOST_DENSITY, bins, device=values.device)
    away = (values.flatten(2).unsqueeze(-1) - centres) / bandwidth
    return torch.softmax(-0.5 * away.square(), dim=-1).mean(dim=2)


def histogram_divergence(made: Tensor, target: Tensor, bins: int, bandwidth: float) -> Tensor:
    """Return the divergence of Kullback & Leibler (1951) between histograms of optical density.

    ``sum_b p_b ln(p_b / q_b)``, p of the target and q of what was made; the mean over images and
    channels, in nats. What the target shows and the other lacks costs most.

    Args:
        made: (N, C, H, W) in -1..1.
        target: the same.
        bins: of the histograms.
        bandwidth: see `soft_histogram`.
    """
    p = soft_histogram(densities(target), bins, bandwidth) + TINY
    q = soft_histogram(densities(made), bins, bandwidth) + TINY
    return (p * (p / q).log()).sum(dim=-1).mean()
