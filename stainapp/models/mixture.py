"""A mixture of Gaussians in colour whose parameters belong to the slide.

A network tells how far a pixel is of each class; given that, mean and deviation of the classes
follow in closed form. Two slides of which both are known are mapped onto each other class by
class. Ghazvinian Zanjani et al., Deep convolutional Gaussian mixture model for stain-color
normalization of histopathological images, MICCAI 2018, LNCS 11071:274-282.
"""

import math
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from stainapp.errors import ModelError
from stainapp.models.slide_norm import OfSlide, calibrating, statistics

LEAST_STD = 0.02
"""Added to each deviation, as squares: what is of one colour is neither infinitely likely nor
divided by."""
PRIOR = 1e-4
"""Share of each class that is taken to look like the whole slide, so that none is empty."""
LEAST_SHARE = 2e-3
"""A class of this share, on the slide or the template, is half trusted."""
MOST_GAIN = 3.0
"""How many times its spread on the slide a class may get: more would be noise enlarged."""


class Classes(NamedTuple):
    """What the K classes of S slides look like, in density and two chromas."""

    mean: Tensor
    """(S, K, 3)."""
    std: Tensor
    """(S, K, 3), above 0."""
    share: Tensor
    """(S, K): of the pixels; adds up to 1 over K."""


def classes_of(hsd: Tensor, belongs: Tensor) -> Classes:
    """Fit the classes of slides, in closed form: the M-step.

    Args:
        hsd: (S, 3, P), the P pixels of each slide.
        belongs: (S, K, P), how far each is of each class: the E-step. Adds up to 1 over K.
    """
    x, g = hsd.unsqueeze(1), belongs.unsqueeze(2)
    share = belongs.mean(-1)
    weight = share.unsqueeze(-1) + PRIOR
    overall = x.mean(-1)
    mean = ((g * x).mean(-1) + PRIOR * overall) / weight
    spread = (x - overall.unsqueeze(-1)).square().mean(-1)
    variance = ((g * (x - mean.unsqueeze(-1)).square()).mean(-1) + PRIOR * spread) / weight
    return Classes(mean, torch.sqrt(variance + LEAST_STD**2), share)


def negative_log_likelihood(hsd: Tensor, belongs: Tensor, classes: Classes) -> Tensor:
    """Return the mean over all pixels of ``-log sum_k g_k N(x; mean_k, std_k)``.

    The logarithm of the sum is taken of logarithms. The method's published program adds up the
    densities and cuts the sum off at 1; but densities, unlike probabilities, do exceed 1, here
    wherever a class is narrow, and what is cut off has no gradient.

    Args:
        hsd: (S, 3, P).
        belongs: (S, K, P).
        classes: of each slide.
    """
    mean, std = (one.unsqueeze(-1) for one in (classes.mean, classes.std))
    off = ((hsd.unsqueeze(1) - mean) / std).square().sum(2)
    scale = std.log().sum(2) + 1.5 * math.log(2 * math.pi)
    tiny = torch.finfo(belongs.dtype).tiny  # a class that a pixel is surely not of
    return -torch.logsumexp(belongs.clamp_min(tiny).log() - off / 2 - scale, dim=1).mean()


def transfer(source: Classes, template: Classes) -> tuple[Tensor, Tensor]:
    """Return the maps ``gain * x + offset`` of the classes, (K, 3) each, of one slide onto another.

    ``(x - mean) / std * std' + mean'``. Of a class that the slide or the template hardly has,
    nothing is known: it is mapped as all pixels together are.
    """
    gain, offset = _onto(source.mean, source.std, template.mean, template.std)
    whole_gain, whole_offset = _onto(*_whole(source), *_whole(template))
    least = torch.minimum(source.share, template.share).unsqueeze(-1)
    trust = least / (least + LEAST_SHARE)
    return (
        (trust * gain + (1 - trust) * whole_gain)[0],
        (trust * offset + (1 - trust) * whole_offset)[0],
    )


def _onto(mean: Tensor, std: Tensor, goal: Tensor, width: Tensor) -> tuple[Tensor, Tensor]:
    gain = (width / std).clamp_max(MOST_GAIN)
    return gain, goal - gain * mean


def _whole(classes: Classes) -> tuple[Tensor, Tensor]:
    """Return mean and deviation of all pixels together, (S, 1, 3)."""
    share = classes.share.unsqueeze(-1)
    mean = (share * classes.mean).sum(1, keepdim=True)
    square = (share * (classes.std.square() + classes.mean.square())).sum(1, keepdim=True)
    return mean, torch.sqrt((square - mean.square()).clamp_min(LEAST_STD**2))


class SlideMixture(OfSlide):
    """Maps pixels from the classes of the slide to those of the template.

    What the slide looks like is taken and frozen as norm statistics are; see `slide_norm`. The
    template stays. Without one, as before an export, pixels are handed through.
    """

    kept = Classes._fields

    def __init__(self, classes: int) -> None:
        super().__init__()
        self.classes = classes
        for name in self.kept:
            self.register_buffer(name, None, persistent=False)
            self.register_buffer(f"template_{name}", None, persistent=False)

    def shapes(self) -> dict[str, tuple[int, ...]]:
        k = self.classes
        return {"mean": (k, 3), "std": (k, 3), "share": (k,)}

    def forward(self, hsd: Tensor, belongs: Tensor) -> Tensor:
        """Return ``hsd`` (N, 3, H, W) mapped; ``belongs`` is (N, K, H, W)."""
        if self.state == "calibrating":
            self.look()
            pooled = (one.transpose(0, 1).flatten(1).unsqueeze(0) for one in (hsd, belongs))
            self.set_arrays({n: a[0] for n, a in classes_of(*pooled)._asdict().items()})
        elif self.state == "unset":
            raise ModelError("The model needs a slide's statistics: calibrate it on tissue first.")
        template = self._classes("template_")
        source = self._classes("")
        if template is None or source is None:
            return hsd
        gain, offset = transfer(source, template)
        # added one by one: a matrix product would be taken in the precision of the network
        mapped = torch.zeros_like(hsd)
        for k in range(self.classes):
            mapped += belongs[:, k : k + 1] * (hsd * _planes(gain[k]) + _planes(offset[k]))
        return mapped

    def set_template(self, arrays: Mapping[str, NDArray[np.float32]]) -> None:
        """Normalise to a slide whose statistics `statistics` has given, without the layer's name.

        Raises:
            ModelError: they are of another model, or damaged.
        """
        self.check(arrays)
        device = next((b.device for b in self.buffers()), torch.device("cpu"))
        for name in self.kept:
            value = torch.tensor(arrays[name], dtype=torch.float32, device=device)
            setattr(self, f"template_{name}", value)

    def _classes(self, prefix: str) -> Classes | None:
        found = [getattr(self, prefix + name) for name in self.kept]
        return None if found[0] is None else Classes(*(one.unsqueeze(0) for one in found))


def _planes(values: Tensor) -> Tensor:
    return values.view(1, 3, 1, 1)


def take_template(net: nn.Module, pictures: Tensor) -> dict[str, NDArray[np.float32]]:
    """Let a network normalise to pictures from now on; return what they look like to it.

    Args:
        net: has a `SlideMixture`.
        pictures: (N, 3, H, W) of one slide, as the network takes them: one pass is enough.
    """
    with torch.inference_mode(), calibrating(net):
        net(pictures)
    found = statistics(net)
    set_template(net, found)
    return found


def set_template(net: nn.Module, arrays: Mapping[str, NDArray[np.float32]]) -> None:
    """Let a network normalise to a slide of which `slide_norm.statistics` tells.

    Raises:
        ModelError: they are of another model, or damaged.
    """
    for name, module in net.named_modules():
        if isinstance(module, SlideMixture):
            own = {k.removeprefix(f"{name}."): a for k, a in arrays.items()}
            module.set_template(own)
