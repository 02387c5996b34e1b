"""The generators: a card's `Arch` in, a network with freshly drawn weights out.

All take and give ``(N, channels, H, W)`` in the card's value range. Their state dicts have
the key layout of the checkpoints published by the CycleGAN, pix2pix, CUT and StainNet
families, so that importing one is a strict load; the ResUNet is this program's own.
"""

import math
from itertools import pairwise
from typing import Literal

import torch
from torch import Tensor, nn

from stainapp.models.blocks import BlurDown, BlurUp, ResidualBlock, SkipBlock, norm_layer
from stainapp.models.bridge_nets import AdmUnet, BridgeUnet
from stainapp.models.card import Arch
from stainapp.models.dcgmm import DCGMM_RADIUS, DcgmmNormaliser


class ResnetGenerator(nn.Module):
    """Encoder, residual blocks, decoder, tanh.

    Johnson et al. 2016 and Zhu et al. 2017 (CycleGAN, section 7.1); with fixed blurs around
    plain convolutions as in Park et al. 2020 (CUT). Sides must be multiples of 4.
    """

    def __init__(self, arch: Arch) -> None:
        super().__init__()
        ngf = arch.ngf
        layers: list[nn.Module] = [nn.ReflectionPad2d(3)]
        layers += _normed(nn.Conv2d(arch.in_channels, ngf, 7, bias=arch.norm != "batch"), arch)
        layers += _down(ngf, arch) + _down(2 * ngf, arch)
        for _ in range(arch.blocks):
            layers.append(ResidualBlock(4 * ngf, arch.norm, arch.padding, dropout=arch.dropout))
        layers += _up(4 * ngf, arch) + _up(2 * ngf, arch)
        layers += [nn.ReflectionPad2d(3), nn.Conv2d(ngf, arch.out_channels, 7), nn.Tanh()]
        self.model = nn.Sequential(*layers)

    def forward(self, x: Tensor) -> Tensor:
        return self.model(x)  # type: ignore[no-any-return] # Module calls are untyped


class ResUnetGenerator(nn.Module):
    """What changes of its input: a ResNet whose decoder also sees the encoder, added to the input.

    Residual blocks as in He et al. 2016, skips as in Ronneberger et al. 2015 (U-Net), together
    as in Zhang et al. 2018 (Deep residual U-Net). Detail need not go through the bottleneck, nor
    colour be learnt from nothing. Sides must be multiples of 4.
    """

    def __init__(self, arch: Arch) -> None:
        super().__init__()
        ngf, bias = arch.ngf, arch.norm != "batch"
        self.enter = nn.Sequential(
            nn.ReflectionPad2d(1), *_normed(nn.Conv2d(arch.in_channels, ngf, 3, bias=bias), arch)
        )
        self.down = nn.ModuleList(
            nn.Sequential(*_normed(nn.Conv2d(n, 2 * n, 3, 2, padding=1, bias=bias), arch))
            for n in (ngf, 2 * ngf)
        )
        self.blocks = nn.Sequential(
            *(
                ResidualBlock(4 * ngf, arch.norm, arch.padding, dropout=arch.dropout)
                for _ in range(arch.blocks)
            )
        )
        self.enlarge = nn.ModuleList(BlurUp(n) for n in (4 * ngf, 2 * ngf))
        self.join = nn.ModuleList(
            nn.Sequential(*_normed(nn.Conv2d(3 * n, n, 3, padding=1, bias=bias), arch))
            for n in (2 * ngf, ngf)
        )
        self.leave = nn.Sequential(nn.ReflectionPad2d(1), nn.Conv2d(ngf, arch.out_channels, 3))

    def forward(self, x: Tensor) -> Tensor:
        fine = self.enter(x)
        middle = self.down[0](fine)
        deep = self.blocks(self.down[1](middle))
        deep = self.join[0](torch.cat([self.enlarge[0](deep), middle], dim=1))
        deep = self.join[1](torch.cat([self.enlarge[1](deep), fine], dim=1))
        return x + self.leave(deep)  # type: ignore[no-any-return] # Module calls are untyped


class UnetGenerator(nn.Module):
    """U-Net with ``downs`` halvings and tanh (Isola et al. 2017, pix2pix, section 6.1.1).

    Sides must be multiples of ``2 ** downs``. Every output pixel sees the whole tile.
    """

    def __init__(self, arch: Arch) -> None:
        super().__init__()
        if arch.downs < 5:
            raise ValueError(f"a U-Net of this family has at least 5 halvings, not {arch.downs}")
        ngf, norm, inner = arch.ngf, arch.norm, arch.downs - 5
        deepest = SkipBlock(8 * ngf, 8 * ngf, norm, None, dropout=False)
        for _ in range(inner):
            deepest = SkipBlock(8 * ngf, 8 * ngf, norm, deepest, dropout=arch.dropout)
        for outer in (4 * ngf, 2 * ngf, ngf):
            deepest = SkipBlock(outer, 2 * outer, norm, deepest, dropout=False)
        outermost = nn.Module()
        outermost.model = nn.Sequential(
            nn.Conv2d(arch.in_channels, ngf, 4, stride=2, padding=1, bias=norm != "batch"),
            deepest,
            nn.ReLU(inplace=True),
            nn.ConvTranspose2d(2 * ngf, arch.out_channels, 4, stride=2, padding=1),
            nn.Tanh(),
        )
        self.model = outermost

    def forward(self, x: Tensor) -> Tensor:
        return self.model.model(x)  # type: ignore[no-any-return, operator] # Module is untyped


class PixelGenerator(nn.Module):
    """1 x 1 convolutions: a colour map that moves nothing (Kang et al. 2021, StainNet)."""

    def __init__(self, arch: Arch) -> None:
        super().__init__()
        widths = [arch.in_channels, *[arch.ngf] * (arch.layers - 1), arch.out_channels]
        layers: list[nn.Module] = []
        for wide, (inner, outer) in enumerate(pairwise(widths), start=1):
            layers.append(nn.Conv2d(inner, outer, 1))
            layers += [nn.ReLU(inplace=True)] if wide < arch.layers else []
        self.rgb_trans = nn.Sequential(*layers)

    def forward(self, x: Tensor) -> Tensor:
        return self.rgb_trans(x)  # type: ignore[no-any-return] # Module calls are untyped


def build(arch: Arch) -> nn.Module:
    """Return the network that ``arch`` describes, in evaluation mode, freshly initialised."""
    families = {
        "resnet": ResnetGenerator,
        "resunet": ResUnetGenerator,
        "unet": UnetGenerator,
        "pixel": PixelGenerator,
        "dcgmm": DcgmmNormaliser,
        "bridge": BridgeUnet,
        "adm": AdmUnet,
    }
    return families[arch.family](arch).eval()


def receptive_halo(arch: Arch) -> int:
    """Return how far, in pixels, an output pixel can see at most.

    The radii of all layers, each times the stride it works at: 84 for CycleGAN's nine blocks,
    60 for six, 93 and 69 for CUT's antialiased ones; more than its tile for a U-Net. For a
    network of a bridge it is that of one step; a global norm or attention counts for nothing.
    """
    if arch.family == "pixel":
        return 0
    if arch.family == "dcgmm":
        return DCGMM_RADIUS
    if arch.family == "bridge":
        return BridgeUnet.reach_px(arch)
    if arch.family == "adm":
        return 4 * (1 << len(arch.mults)) * arch.blocks
    if arch.family == "unet":
        return 4 * ((1 << arch.downs) - 1)
    rim, blur, decoder = 3, 0, 3
    if arch.family == "resunet":
        rim = 1
    else:
        blur = 1 if arch.downsampling == "antialias" else 0
        decoder = {"transpose": 1, "resize": 2, "antialias": 3}[arch.upsampling]
    encoder = (1 + blur) * (1 + 2)  # at strides 1 and 2
    return rim + encoder + 2 * 4 * arch.blocks + decoder * (2 + 1) + rim


def tiling(arch: Arch, steps: int = 1) -> tuple[int, int, int, Literal["crop", "overlap"]]:
    """Return ``(tile, halo, multiple, blend)`` in pixels, the card's defaults.

    A ResNet's influence falls off like a Gaussian well inside its radius: with frozen norms a
    halo of 64 px leaves nothing of the tile's border to see, and where that is less than three
    quarters of the radius, three quarters do. A U-Net sees its whole tile, so its tiles have
    the size they were trained at and overlap; so does ADM, whose norms see it too. A bridge
    sees farther with each of its ``steps``, and ever less of what it sees there.
    """
    if arch.family == "pixel":
        return 512, 0, 1, "crop"
    if arch.family == "adm":
        return 256, 64, 1 << (len(arch.mults) - 1), "overlap"
    if arch.family == "bridge":
        radius = receptive_halo(arch)
        halo = 8 * math.ceil(max(radius, min(steps * radius, 64)) / 8)
        return max(512, 4 * halo), halo, 1 << (len(arch.mults) - 1), "crop"
    if arch.family == "unet":
        side = 1 << arch.downs
        tile = max(256, side)
        return tile, tile // 4, side, "overlap"
    radius = receptive_halo(arch)
    halo = 8 * math.ceil(max(0.75 * radius, min(radius, 64)) / 8)
    return max(512, 4 * halo), halo, 4, "crop"


def _normed(convolution: nn.Module, arch: Arch) -> list[nn.Module]:
    channels: int = convolution.out_channels  # type: ignore[assignment] # all have it
    return [convolution, norm_layer(arch.norm, channels), nn.ReLU(inplace=True)]


def _down(channels: int, arch: Arch) -> list[nn.Module]:
    antialias = arch.downsampling == "antialias"
    stride, bias = 1 if antialias else 2, arch.norm != "batch"
    convolution = nn.Conv2d(channels, 2 * channels, 3, stride, padding=1, bias=bias)
    return _normed(convolution, arch) + ([BlurDown(2 * channels)] if antialias else [])


def _up(channels: int, arch: Arch) -> list[nn.Module]:
    half, bias = channels // 2, arch.norm != "batch"
    if arch.upsampling == "transpose":
        return _normed(
            nn.ConvTranspose2d(channels, half, 3, 2, padding=1, output_padding=1, bias=bias), arch
        )
    if arch.upsampling == "antialias":
        convolution = nn.Conv2d(channels, half, 3, padding=1, bias=bias)
        return [BlurUp(channels), *_normed(convolution, arch)]
    enlarge = [nn.Upsample(scale_factor=2, mode="nearest"), nn.ReflectionPad2d(1)]
    return [*enlarge, *_normed(nn.Conv2d(channels, half, 3, bias=bias), arch)]
