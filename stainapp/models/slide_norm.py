"""Normalisation whose statistics belong to the slide instead of to the tile.

Instance and batch normalisation look at the tile at hand, so two neighbouring tiles are
normalised differently and a seam shows. Statistics taken once from the slide's tissue and
then kept make every tile a piece of one and the same function of the slide.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import ClassVar, Literal, TypeAlias

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812 - the name PyTorch's own documentation gives it
from numpy.typing import NDArray
from torch import Tensor, nn

from stainapp.cancel import CancelToken
from stainapp.errors import ModelError

NORMS = (nn.InstanceNorm2d, nn.BatchNorm2d)

State: TypeAlias = Literal["unset", "running", "calibrating", "frozen"]


class OfSlide(nn.Module):
    """A layer with statistics that belong to the slide, kept as buffers of its own.

    They are "unset" at first, or "running" where a checkpoint has brought them; `calibrating` and
    `set_statistics` make them "frozen". Training mode is ignored.
    """

    kept: ClassVar[tuple[str, ...]]
    """Names of the buffers. All but means are 0 or more."""

    def __init__(self) -> None:
        super().__init__()
        self.state: State = "unset"
        self.token: CancelToken | None = None

    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Return the shape of each statistic."""
        raise NotImplementedError

    def look(self) -> None:
        """End the calibration where it is cancelled."""
        if self.token is not None:
            self.token.check()

    def arrays(self) -> dict[str, Tensor]:
        return {name: getattr(self, name) for name in self.kept}

    def set_arrays(self, tensors: Mapping[str, Tensor]) -> None:
        for name, value in tensors.items():
            setattr(self, name, value)

    def check(self, arrays: Mapping[str, NDArray[np.float32]], layer: str = "template") -> None:
        """Refuse statistics that this layer cannot have.

        Raises:
            ModelError: one is missing, left over, of another shape, not finite or negative.
        """
        shapes = self.shapes()
        if wrong := shapes.keys() ^ arrays.keys():
            raise ModelError(
                f"The slide's statistics are of another model: '{layer}.{min(wrong)}' differs."
            )
        for name, array in arrays.items():
            sound = array.shape == shapes[name] and bool(np.isfinite(array).all())
            if not sound or (name != "mean" and array.min() < 0):
                raise ModelError(
                    f"The slide's statistics are damaged at '{layer}.{name}': calibrate it again."
                )


class SlideNorm(OfSlide):
    """Normalise each channel by given statistics; stands in for an instance or batch norm.

    It is "running" when made, if the norm it replaces had statistics of its own.
    """

    kept = ("mean", "var")

    def __init__(self, replaced: nn.InstanceNorm2d | nn.BatchNorm2d) -> None:
        super().__init__()
        stored = replaced.running_mean is not None and replaced.running_var is not None
        self.state = "running" if stored else "unset"
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

    def shapes(self) -> dict[str, tuple[int, ...]]:
        return {"mean": (self.channels,), "var": (self.channels,)}

    def forward(self, x: Tensor) -> Tensor:
        """Return ``x`` (N, C, H, W) normalised in one fused operation."""
        if self.state == "calibrating":
            self._take_statistics(x)
        elif self.state == "unset":
            raise ModelError("The model needs a slide's statistics: calibrate it on tissue first.")
        return F.batch_norm(x, self.mean, self.var, self.weight, self.bias, False, 0.0, self.eps)

    def _take_statistics(self, x: Tensor) -> None:
        """Keep mean and biased variance over N, H and W: the law of total variance for free."""
        self.look()
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
    """Let each layer of the slide keep the statistics of the batch it sees next.

    Run all calibration tiles through ``net`` as ONE batch inside the context: each layer works
    by the statistics it has just taken, so one pass is enough. Afterwards they are frozen; if
    the pass fails or is cancelled, they are as before.
    """
    layers = list(_layers(net).values())
    before = [(layer.state, layer.arrays()) for layer in layers]
    for layer in layers:
        layer.state, layer.token = "calibrating", token
    try:
        yield
    except BaseException:
        for layer, (state, arrays) in zip(layers, before, strict=True):
            layer.state = state
            layer.set_arrays(arrays)
        raise
    else:
        for layer in layers:
            layer.state = "frozen"
    finally:
        for layer in layers:
            layer.token = None


def statistics(net: nn.Module) -> dict[str, NDArray[np.float32]]:
    """Return ``{"<layer>.<name>": array}`` of every `OfSlide`, such as "mean" and "var", (C,)."""
    return {
        f"{name}.{kept}": array.detach().float().cpu().numpy().copy()
        for name, layer in _layers(net).items()
        for kept, array in layer.arrays().items()
    }


def set_statistics(net: nn.Module, arrays: Mapping[str, NDArray[np.float32]]) -> None:
    """Freeze every `OfSlide` of ``net`` at given statistics, as `statistics` returns them.

    Raises:
        ModelError: an array is missing, left over, of the wrong shape, not finite, or one that
            is no mean is negative; ``net`` is then unchanged.
    """
    layers = _layers(net)
    expected = {f"{name}.{kept}" for name, layer in layers.items() for kept in layer.kept}
    if wrong := expected ^ arrays.keys():
        raise ModelError(f"The slide's statistics are of another model: {min(wrong)!r} differs.")
    own = {
        name: {kept: arrays[f"{name}.{kept}"] for kept in layer.kept}
        for name, layer in layers.items()
    }
    for name, layer in layers.items():
        layer.check(own[name], name)
    device = next((weight.device for weight in net.parameters()), torch.device("cpu"))
    for name, layer in layers.items():
        layer.set_arrays(
            {k: torch.tensor(a, dtype=torch.float32, device=device) for k, a in own[name].items()}
        )
        layer.state = "frozen"


def _layers(net: nn.Module) -> dict[str, OfSlide]:
    return {name: module for name, module in net.named_modules() if isinstance(module, OfSlide)}
