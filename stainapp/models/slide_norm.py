"""Normalisation whose statistics belong to the slide instead of to the tile.

Instance and batch normalisation look at the tile at hand, so two neighbouring tiles are
normalised differently and a seam shows. Statistics taken once from the slide's tissue and
then kept make every tile a piece of one and the same function of the slide.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Literal, TypeAlias

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812 - the name PyTorch's own documentation gives it
from numpy.typing import NDArray
from torch import Tensor, nn

from stainapp.cancel import CancelToken
from stainapp.errors import ModelError

NORMS = (nn.InstanceNorm2d, nn.BatchNorm2d)

State: TypeAlias = Literal["unset", "running", "calibrating", "frozen"]


class SlideNorm(nn.Module):
    """Normalise each channel by given statistics; stands in for an instance or batch norm.

    It is "unset" or "running" when made, by whether the norm it replaces had statistics of
    its own; `calibrating` and `set_statistics` make it "frozen". Training mode is ignored.
    """

    def __init__(self, replaced: nn.InstanceNorm2d | nn.BatchNorm2d) -> None:
        super().__init__()
        stored = replaced.running_mean is not None and replaced.running_var is not None
        self.state: State = "running" if stored else "unset"
        self.token: CancelToken | None = None
        self.channels = replaced.num_features
        self.eps = replaced.eps
        self.weight = replaced.weight
        self.bias = replaced.bias
        self.register_buffer(
            "mean", replaced.running_mean if stored else torch.zeros(self.channels)
        )
        self.register_buffer("var", replaced.running_var if stored else torch.ones(self.channels))
        self.mean: Tensor
        self.var: Tensor

    def forward(self, x: Tensor) -> Tensor:
        """Return ``x`` (N, C, H, W) normalised in one fused operation."""
        if self.state == "calibrating":
            self._take_statistics(x)
        elif self.state == "unset":
            raise ModelError("The model needs a slide's statistics: calibrate it on tissue first.")
        return F.batch_norm(x, self.mean, self.var, self.weight, self.bias, False, 0.0, self.eps)

    def _take_statistics(self, x: Tensor) -> None:
        """Keep mean and biased variance over N, H and W: the law of total variance for free."""
        if self.token is not None:
            self.token.check()
        self.var, self.mean = torch.var_mean(x.float(), dim=(0, 2, 3), correction=0)


def freeze_norms(net: nn.Module) -> nn.Module:
    """Replace every instance and batch norm inside ``net``, in place, by a `SlideNorm`.

    Affine parameters, eps and, for batch norms, the running statistics are kept.

    Returns:
        The same ``net``.
    """
    for parent in list(net.modules()):
        for name, child in parent.named_children():
            if isinstance(child, NORMS):
                setattr(parent, name, SlideNorm(child))
    return net


@contextmanager
def calibrating(net: nn.Module, token: CancelToken | None = None) -> Iterator[None]:
    """Let each norm keep the statistics of the batch it sees next.

    Run all calibration tiles through ``net`` as ONE batch inside the context: each layer is
    normalised by the statistics it has just taken, so one pass is enough. Afterwards the
    norms are frozen; if the pass fails or is cancelled, they are as before.
    """
    norms = list(_norms(net).values())
    before = [(norm.state, norm.mean, norm.var) for norm in norms]
    for norm in norms:
        norm.state, norm.token = "calibrating", token
    try:
        yield
    except BaseException:
        for norm, (state, mean, var) in zip(norms, before, strict=True):
            norm.state, norm.mean, norm.var = state, mean, var
        raise
    else:
        for norm in norms:
            norm.state = "frozen"
    finally:
        for norm in norms:
            norm.token = None


def statistics(net: nn.Module) -> dict[str, NDArray[np.float32]]:
    """Return ``{"<layer>.mean": (C,), "<layer>.var": (C,)}`` of every `SlideNorm`."""
    return {
        f"{name}.{field}": getattr(norm, field).detach().float().cpu().numpy().copy()
        for name, norm in _norms(net).items()
        for field in ("mean", "var")
    }


def set_statistics(net: nn.Module, arrays: Mapping[str, NDArray[np.float32]]) -> None:
    """Freeze every `SlideNorm` of ``net`` at given statistics, as `statistics` returns them.

    Raises:
        ModelError: an array is missing, left over, of the wrong length, not finite, or a
            variance is negative; ``net`` is then unchanged.
    """
    norms = _norms(net)
    expected = {f"{name}.{field}" for name in norms for field in ("mean", "var")}
    if wrong := expected ^ arrays.keys():
        raise ModelError(f"The slide's statistics are of another model: {min(wrong)!r} differs.")
    for key, array in arrays.items():
        channels = norms[key.rpartition(".")[0]].channels
        sound = array.shape == (channels,) and bool(np.isfinite(array).all())
        if not sound or (key.endswith(".var") and array.min() < 0):
            raise ModelError(f"The slide's statistics are damaged at {key!r}: calibrate it again.")
    for name, norm in norms.items():
        device = norm.mean.device
        norm.mean = torch.tensor(arrays[f"{name}.mean"], dtype=torch.float32, device=device)
        norm.var = torch.tensor(arrays[f"{name}.var"], dtype=torch.float32, device=device)
        norm.state = "frozen"


def _norms(net: nn.Module) -> dict[str, SlideNorm]:
    return {name: module for name, module in net.named_modules() if isinstance(module, SlideNorm)}
