"""The pieces that the generators are built from.

Attribute names and positions are those of the published checkpoints' keys, so that
`load_state_dict(strict=True)` reads a checkpoint as it is.
"""

import torch
import torch.nn.functional as F  # noqa: N812 - the name PyTorch's own documentation gives it
from torch import Tensor, nn

PADDINGS: dict[str, type[nn.Module]] = {
    "reflect": nn.ReflectionPad2d,
    "replicate": nn.ReplicationPad2d,
}


def norm_layer(kind: str, channels: int) -> nn.Module:
    """Return a norm as the CycleGAN family uses it; an instance norm has no parameters."""
    if kind == "batch":
        return nn.BatchNorm2d(channels)
    return nn.InstanceNorm2d(channels) if kind == "instance" else nn.Identity()


class ResidualBlock(nn.Module):
    """Two 3 x 3 convolutions added to their input (He et al. 2016, as in Johnson et al. 2016)."""

    def __init__(self, channels: int, norm: str, padding: str, *, dropout: bool) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for last in (False, True):
            if padding in PADDINGS:
                layers.append(PADDINGS[padding](1))
            zero = 1 if padding == "zero" else 0
            bias = norm != "batch"  # a batch norm's own shift takes its place
            layers.append(nn.Conv2d(channels, channels, 3, padding=zero, bias=bias))
            layers.append(norm_layer(norm, channels))
            if not last:
                layers.append(nn.ReLU(inplace=True))
                layers += [nn.Dropout(0.5)] if dropout else []
        self.conv_block = nn.Sequential(*layers)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.conv_block(x)  # type: ignore[no-any-return] # Module calls are untyped


class _Blur(nn.Module):
    """A fixed binomial low-pass filter per channel, against aliasing (Zhang 2019).

    The kernel is the buffer ``filt`` because checkpoints hold it.
    """

    filt: Tensor

    def __init__(self, channels: int, taps: tuple[float, ...], gain: float) -> None:
        super().__init__()
        row = torch.tensor(taps) / sum(taps)
        kernel = torch.outer(row, row) * gain
        self.register_buffer("filt", kernel.repeat(channels, 1, 1, 1))
        self.channels = channels


class BlurDown(_Blur):
    """Halve width and height by a 3 x 3 blur."""

    def __init__(self, channels: int) -> None:
        super().__init__(channels, (1, 2, 1), 1.0)

    def forward(self, x: Tensor) -> Tensor:
        padded = F.pad(x, (1, 1, 1, 1), mode="reflect")
        return F.conv2d(padded, self.filt, stride=2, groups=self.channels)


class BlurUp(_Blur):
    """Double width and height by a 4 x 4 blur."""

    def __init__(self, channels: int) -> None:
        super().__init__(channels, (1, 3, 3, 1), 4.0)

    def forward(self, x: Tensor) -> Tensor:
        padded = F.pad(x, (1, 1, 1, 1), mode="replicate")
        # Padding 3 crops what the four taps and the one replicated pixel have added.
        return F.conv_transpose2d(padded, self.filt, stride=2, padding=3, groups=self.channels)


class SkipBlock(nn.Module):
    """One level of a U-Net: down, what lies deeper, up, joined with its own input.

    Ronneberger et al. 2015, in the form of Isola et al. 2017. Recursive, as the keys of the
    published checkpoints are: ``model.1.model.3.model.3...``.
    """

    def __init__(self, outer: int, inner: int, norm: str, below: nn.Module | None,
                 *, dropout: bool) -> None:  # fmt: skip
        super().__init__()
        bias = norm != "batch"
        down: list[nn.Module] = [
            nn.LeakyReLU(0.2),
            nn.Conv2d(outer, inner, 4, stride=2, padding=1, bias=bias),
        ]
        if below is not None:
            down += [norm_layer(norm, inner), below]
        up_in = inner if below is None else 2 * inner
        up = [
            nn.ReLU(inplace=True),
            nn.ConvTranspose2d(up_in, outer, 4, stride=2, padding=1, bias=bias),
            norm_layer(norm, outer),
        ]
        self.model = nn.Sequential(*down, *up, *([nn.Dropout(0.5)] if dropout else []))

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([x, self.model(x)], dim=1)
