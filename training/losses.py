"""The losses that several methods share. All give scalars; all are computed in float32."""

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F  # noqa: N812 - the name PyTorch's own documentation gives it
from torch import Tensor, nn

from training.batch_norm import ties_images


def gan_loss(scores: Tensor, kind: str, *, real: bool) -> Tensor:
    """Return how far scores are from those of real (or generated) images.

    "lsgan": least squares (Mao et al. 2017); "bce": cross entropy (Goodfellow et al. 2014).
    """
    wanted = torch.full_like(scores, float(real), dtype=torch.float32)
    if kind == "lsgan":
        return F.mse_loss(scores.float(), wanted)
    return F.binary_cross_entropy_with_logits(scores.float(), wanted)


def judge_loss(judge: nn.Module, real: Tensor, made: Tensor, kind: str) -> Tensor:
    """Return how badly a discriminator tells real images from generated ones.

    Half the sum, so that it learns more slowly than the generator (CycleGAN, section 7.1).
    """
    if ties_images(judge):  # the statistics of one kind would give the other away
        of_real, of_made = judge(real), judge(made)
    else:  # one larger batch fills the machine better
        of_real, of_made = judge(torch.cat([real, made])).chunk(2)
    return 0.5 * (gan_loss(of_real, kind, real=True) + gan_loss(of_made, kind, real=False))


def l1(a: Tensor, b: Tensor) -> Tensor:
    return F.l1_loss(a.float(), b.float())


def density_l1(a: Tensor, b: Tensor) -> Tensor:
    """Return the mean difference of optical density, to base 10, of images in -1..1."""
    x, y = (-torch.log10(((one.float() + 1) * 127.5 + 1).clamp(1, 256) / 256) for one in (a, b))
    return F.l1_loss(x, y)


def tissue_mse(made: Tensor, target: Tensor, density: float, glass: float) -> Tensor:
    """Return the mean squared distance, in which bare glass counts less than tissue.

    ``sum_p w_p (a_p - b_p)^2 / sum_p w_p`` of each image, then their mean; w is 1 where any
    channel of the target has an optical density above ``density``, else ``glass``.

    Args:
        made: (N, 3, H, W) in -1..1.
        target: the same.
        density: to base e, as `stainapp.models.optics.stained` counts it.
        glass: the weight of glass, above 0 to 1.
    """
    target = target.float()
    brightest = 255 * math.exp(-density) - 1
    tissue = (target.amin(dim=1, keepdim=True) + 1) * 127.5 < brightest
    weight = tissue.float() * (1 - glass) + glass
    squares = (made.float() - target).square().mean(dim=1, keepdim=True)
    return ((weight * squares).sum(dim=(1, 2, 3)) / weight.sum(dim=(1, 2, 3))).mean()


def pyramid_l1(a: Tensor, b: Tensor, weights: Sequence[float]) -> Tensor:
    """Return the weighted sum of L1 over the images and coarser ones, the finest first.

    Each octave is blurred (a 3 x 3 Gaussian of sigma 1, four times) and every second pixel
    is kept, so that a shift of a few pixels costs less and less (Liu et al. 2022, BCI,
    arXiv 2204.11425, section 4).
    """
    total = weights[0] * l1(a, b)
    for weight in weights[1:]:
        a, b = _octave(a), _octave(b)
        total = total + weight * l1(a, b)
    return total


def _octave(images: Tensor) -> Tensor:
    row = torch.exp(-0.5 * torch.tensor([1.0, 0.0, 1.0], device=images.device))
    row = row / row.sum()
    channels = images.shape[1]
    kernel = torch.outer(row, row).repeat(channels, 1, 1, 1)
    images = images.float()
    for _ in range(4):
        padded = F.pad(images, (1, 1, 1, 1), mode="reflect")
        images = F.conv2d(padded, kernel, groups=channels)
    return images[:, :, ::2, ::2]
