"""Generators as their authors publish them, written down from the layout of their keys.

They share nothing with `stainapp.models.networks`, so that an import which gives the same
pictures has understood the layout.
"""

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812 - the name PyTorch's own documentation gives it
from torch import Tensor, nn


class _Down(nn.Module):
    def __init__(self, channels: int) -> None:
        super().__init__()
        taps = np.array([1.0, 2.0, 1.0])
        kernel = torch.tensor(np.outer(taps, taps) / 16.0, dtype=torch.float32)
        self.register_buffer("filt", kernel[None, None].repeat(channels, 1, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        padded = nn.ReflectionPad2d(1)(x)
        return F.conv2d(padded, self.filt, stride=2, groups=x.shape[1])  # type: ignore[arg-type]


class _Up(nn.Module):
    def __init__(self, channels: int) -> None:
        super().__init__()
        taps = np.array([1.0, 3.0, 3.0, 1.0])
        kernel = torch.tensor(np.outer(taps, taps) / 16.0, dtype=torch.float32)
        self.register_buffer("filt", kernel[None, None].repeat(channels, 1, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        padded = nn.ReplicationPad2d(1)(x)
        wide = F.conv_transpose2d(
            padded, self.filt, stride=2, padding=2, groups=x.shape[1]  # type: ignore[arg-type]
        )  # fmt: skip
        return wide[:, :, 1:-1, 1:-1]


class _Add(nn.Module):
    def __init__(self, layers: list[nn.Module]) -> None:
        super().__init__()
        self.conv_block = nn.Sequential(*layers)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.conv_block(x)  # type: ignore[no-any-return]


class _Net(nn.Module):
    def __init__(self, layers: list[nn.Module]) -> None:
        super().__init__()
        self.model = nn.Sequential(*layers)

    def forward(self, x: Tensor) -> Tensor:
        return self.model(x)  # type: ignore[no-any-return]


def _norm(batch: bool, channels: int) -> nn.Module:
    return nn.BatchNorm2d(channels) if batch else nn.InstanceNorm2d(channels)


def _block(width: int, *, batch: bool, dropout: bool, zero: bool) -> nn.Module:
    layers: list[nn.Module] = [] if zero else [nn.ReflectionPad2d(1)]
    layers += [nn.Conv2d(width, width, 3, padding=int(zero), bias=not batch)]
    layers += [_norm(batch, width), nn.ReLU()]
    layers += [nn.Dropout(0.5)] if dropout else []
    layers += [] if zero else [nn.ReflectionPad2d(1)]
    layers += [nn.Conv2d(width, width, 3, padding=int(zero), bias=not batch), _norm(batch, width)]
    return _Add(layers)


def resnet(
    blocks: int, ngf: int = 4, *, batch: bool = False, dropout: bool = False, zero: bool = False,
    resize: bool = False,
) -> nn.Module:  # fmt: skip
    """CycleGAN (1.2017 on), StainGAN with dropout, PyramidPix2pix with batch norm."""
    bias = not batch
    layers: list[nn.Module] = [nn.ReflectionPad2d(3), nn.Conv2d(3, ngf, 7, bias=bias)]
    layers += [_norm(batch, ngf), nn.ReLU()]
    for width in (2 * ngf, 4 * ngf):
        layers += [nn.Conv2d(width // 2, width, 3, 2, 1, bias=bias), _norm(batch, width), nn.ReLU()]
    layers += [_block(4 * ngf, batch=batch, dropout=dropout, zero=zero) for _ in range(blocks)]
    for width in (2 * ngf, ngf):
        if resize:
            layers += [nn.Upsample(scale_factor=2), nn.ReflectionPad2d(1)]
            layers += [nn.Conv2d(2 * width, width, 3, bias=bias)]
        else:
            layers += [nn.ConvTranspose2d(2 * width, width, 3, 2, 1, 1, bias=bias)]
        layers += [_norm(batch, width), nn.ReLU()]
    return _Net([*layers, nn.ReflectionPad2d(3), nn.Conv2d(ngf, 3, 7), nn.Tanh()])


def antialiased_resnet(blocks: int, ngf: int = 4) -> nn.Module:
    """CUT; ASP before its spectral norm."""
    layers: list[nn.Module] = [nn.ReflectionPad2d(3), nn.Conv2d(3, ngf, 7)]
    layers += [nn.InstanceNorm2d(ngf), nn.ReLU()]
    for width in (2 * ngf, 4 * ngf):
        layers += [nn.Conv2d(width // 2, width, 3, 1, 1), nn.InstanceNorm2d(width), nn.ReLU()]
        layers += [_Down(width)]
    layers += [_block(4 * ngf, batch=False, dropout=False, zero=False) for _ in range(blocks)]
    for width in (2 * ngf, ngf):
        layers += [_Up(2 * width), nn.Conv2d(2 * width, width, 3, 1, 1)]
        layers += [nn.InstanceNorm2d(width), nn.ReLU()]
    return _Net([*layers, nn.ReflectionPad2d(3), nn.Conv2d(ngf, 3, 7), nn.Tanh()])


class _Skip(nn.Module):
    def __init__(self, layers: list[nn.Module], *, outermost: bool = False) -> None:
        super().__init__()
        self.model, self.outermost = nn.Sequential(*layers), outermost

    def forward(self, x: Tensor) -> Tensor:
        deep: Tensor = self.model(x)
        return deep if self.outermost else torch.cat([x, deep], 1)


def unet(downs: int, ngf: int = 4, *, batch: bool = True) -> nn.Module:
    """pix2pix; written from the outside in as the list of its levels' widths."""
    widths = [ngf, 2 * ngf, 4 * ngf, *[8 * ngf] * (downs - 3)]
    bias = not batch
    inner: nn.Module | None = None
    for level in range(downs - 1, 0, -1):
        outer, width = widths[level - 1], widths[level]
        layers: list[nn.Module] = [nn.LeakyReLU(0.2), nn.Conv2d(outer, width, 4, 2, 1, bias=bias)]
        if inner is not None:
            layers += [_norm(batch, width), inner]
        deep = width if inner is None else 2 * width
        layers += [nn.ReLU(), nn.ConvTranspose2d(deep, outer, 4, 2, 1, bias=bias)]
        layers += [_norm(batch, outer)]
        layers += [nn.Dropout(0.5)] if 4 <= level < downs - 1 else []
        inner = _Skip(layers)
    assert inner is not None
    outermost: list[nn.Module] = [nn.Conv2d(3, ngf, 4, 2, 1, bias=bias), inner, nn.ReLU()]
    outermost += [nn.ConvTranspose2d(2 * ngf, 3, 4, 2, 1), nn.Tanh()]
    return _Wrapped(_Skip(outermost, outermost=True))


class _Wrapped(nn.Module):
    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, x: Tensor) -> Tensor:
        return self.model(x)  # type: ignore[no-any-return]


class _StainNet(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.rgb_trans = nn.Sequential(
            nn.Conv2d(3, width, 1), nn.ReLU(), nn.Conv2d(width, width, 1), nn.ReLU(),
            nn.Conv2d(width, 3, 1),
        )  # fmt: skip

    def forward(self, x: Tensor) -> Tensor:
        return self.rgb_trans(x)  # type: ignore[no-any-return]


def stainnet(width: int = 32) -> nn.Module:
    return _StainNet(width)


def with_spectral_norm(net: nn.Module, *, parametrised: bool = False) -> nn.Module:
    """As ASP saves it: every convolution; u and v as after some steps of training."""
    wrap = nn.utils.parametrizations.spectral_norm if parametrised else nn.utils.spectral_norm
    for module in list(net.modules()):
        if isinstance(module, (nn.Conv2d, nn.ConvTranspose2d)):
            wrap(module)
    net.train()
    with torch.no_grad():
        for _ in range(3):
            net(torch.randn(1, 3, 32, 32))
    return net.eval()


def with_trained_statistics(net: nn.Module) -> nn.Module:
    """Give batch norms running statistics and affine parameters that are not trivial."""
    for module in net.modules():
        if isinstance(module, nn.BatchNorm2d):
            for tensor in (module.running_mean, module.bias):
                nn.init.normal_(tensor, 0.0, 0.1)  # type: ignore[arg-type]
            for tensor in (module.running_var, module.weight):
                nn.init.uniform_(tensor, 0.5, 1.5)  # type: ignore[arg-type]
    return net.eval()
