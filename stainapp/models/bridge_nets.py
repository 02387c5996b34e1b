"""The networks of bridges: they see a state, its source and the time, and tell the noise apart.

The small one is this program's own. The large one has the key layout of ADM (Dhariwal & Nichol
2021, arXiv 2105.05233), in which the weights of I2SB are published.
"""

import math
from itertools import pairwise

import torch
import torch.nn.functional as F  # noqa: N812 - the name PyTorch's own documentation gives it
from torch import Tensor, nn

from stainapp.models.card import Arch

GROUPS = 32


class BridgeUnet(nn.Module):
    """A small U-Net without norms, so that a tile's statistics change nothing.

    Ronneberger et al. 2015, of residual blocks that know the time (Perez et al. 2018, FiLM):
    one at each level on the way down and up, ``blocks`` of them at the deepest. Sides must be
    multiples of ``2 ** (levels - 1)``.
    """

    def __init__(self, arch: Arch) -> None:
        super().__init__()
        widths = [arch.ngf * m for m in arch.mults]
        known = 4 * arch.ngf
        self.time_px = arch.ngf
        self.time = _time_layers(arch.ngf)
        self.enter = _conv(arch.in_channels, widths[0])
        self.encoder = nn.ModuleList(TimedBlock(w, known) for w in widths[:-1])
        self.down = nn.ModuleList(nn.Conv2d(a, b, 3, 2, padding=1) for a, b in pairwise(widths))
        self.deep = nn.ModuleList(TimedBlock(widths[-1], known) for _ in range(arch.blocks))
        upwards = [(b, a) for a, b in pairwise(widths)][::-1]
        self.join = nn.ModuleList(_conv(below + w, w) for below, w in upwards)
        self.decoder = nn.ModuleList(TimedBlock(w, known) for _, w in upwards)
        self.leave = _conv(widths[0], arch.out_channels)

    def forward(self, x: Tensor, times: Tensor) -> Tensor:
        known = self.time(embedded(times, self.time_px))
        h = self.enter(x)
        skips = []
        for block, down in zip(self.encoder, self.down, strict=True):
            h = block(h, known)
            skips.append(h)
            h = down(h)
        for block in self.deep:
            h = block(h, known)
        for join, block in zip(self.join, self.decoder, strict=True):
            h = torch.cat([F.interpolate(h, scale_factor=2.0, mode="nearest"), skips.pop()], dim=1)
            h = block(join(h), known)
        return self.leave(F.silu(h))  # type: ignore[no-any-return] # Module calls are untyped

    @staticmethod
    def reach_px(arch: Arch) -> int:
        """Return how far an output pixel can see, whatever its phase."""
        levels = len(arch.mults) - 1
        reach = 0
        for pixel in range(1 << levels):
            low = high = pixel
            low, high = low - 1, high + 1  # leave
            for _ in range(levels):  # a block and a join, then what lies below
                low, high = (low - 3) // 2, (high + 3) // 2
            low, high = low - 2 * arch.blocks, high + 2 * arch.blocks
            for _ in range(levels):  # a halving, then a block
                low, high = 2 * low - 1 - 2, 2 * high + 1 + 2
            reach = max(reach, pixel - low + 1, high + 1 - pixel)  # enter
        return reach


class TimedBlock(nn.Module):
    """Two 3 x 3 convolutions added to their input; between them the time scales and shifts."""

    def __init__(self, channels: int, known: int) -> None:
        super().__init__()
        self.first, self.last = _conv(channels, channels), _conv(channels, channels)
        self.timed = nn.Linear(known, 2 * channels)

    def forward(self, x: Tensor, known: Tensor) -> Tensor:
        scale, shift = self.timed(F.silu(known))[..., None, None].chunk(2, dim=1)
        h = self.first(F.silu(x)) * (1 + scale) + shift
        return x + self.last(F.silu(h))  # type: ignore[no-any-return] # Module calls are untyped


class AdmUnet(nn.Module):
    """The U-Net of ADM, as I2SB uses it: group norms, and attention at the coarse levels.

    Its norms and its attention take in the whole tile, so what it gives depends on how the slide
    is cut: its tiles have the size it was taught at, lie on a grid of their own, and are blended
    where they overlap. Sides must be multiples of ``2 ** (levels - 1)``.
    """

    def __init__(self, arch: Arch) -> None:
        super().__init__()
        known, width = 4 * arch.ngf, arch.ngf * arch.mults[0]
        self.time_px = arch.ngf
        self.time_embed = _time_layers(arch.ngf)
        down: list[nn.Module] = [nn.ModuleList([_conv(arch.in_channels, width)])]
        widths = [width]
        for level, mult in enumerate(arch.mults):
            attends = 1 << level in arch.attention
            for _ in range(arch.blocks):
                down.append(_adm_layers(width, arch.ngf * mult, known, arch.head, attends=attends))
                width = arch.ngf * mult
                widths.append(width)
            if level < len(arch.mults) - 1:
                down.append(nn.ModuleList([AdmBlock(width, width, known, "down")]))
                widths.append(width)
        self.input_blocks = nn.ModuleList(down)
        self.middle_block = nn.ModuleList(
            [
                AdmBlock(width, width, known),
                Attention(width, arch.head),
                AdmBlock(width, width, known),
            ]
        )
        up: list[nn.Module] = []
        for level, mult in reversed(list(enumerate(arch.mults))):
            attends = 1 << level in arch.attention
            for number in range(arch.blocks + 1):
                inner = width + widths.pop()
                width = arch.ngf * mult
                layers = _adm_layers(inner, width, known, arch.head, attends=attends)
                if level and number == arch.blocks:
                    layers.append(AdmBlock(width, width, known, "up"))
                up.append(layers)
        self.output_blocks = nn.ModuleList(up)
        self.out = nn.Sequential(
            nn.GroupNorm(GROUPS, width), nn.SiLU(), _conv(width, arch.out_channels)
        )

    def forward(self, x: Tensor, times: Tensor) -> Tensor:
        known = self.time_embed(embedded(times, self.time_px))
        skips = []
        for layers in self.input_blocks:
            x = _through(layers, x, known)
            skips.append(x)
        x = _through(self.middle_block, x, known)
        for layers in self.output_blocks:
            x = _through(layers, torch.cat([x, skips.pop()], dim=1), known)
        return self.out(x)  # type: ignore[no-any-return] # Module calls are untyped


class AdmBlock(nn.Module):
    """A residual block whose second norm is scaled and shifted by the time.

    It may halve or double its sides between its first norm and its first convolution.
    """

    def __init__(self, inner: int, outer: int, known: int, resize: str = "") -> None:
        super().__init__()
        self.in_layers = nn.Sequential(nn.GroupNorm(GROUPS, inner), nn.SiLU(), _conv(inner, outer))
        self.emb_layers = nn.Sequential(nn.SiLU(), nn.Linear(known, 2 * outer))
        self.out_layers = nn.Sequential(
            nn.GroupNorm(GROUPS, outer), nn.SiLU(), nn.Identity(), _conv(outer, outer)
        )
        self.skip_connection = nn.Identity() if inner == outer else nn.Conv2d(inner, outer, 1)
        self._resize = resize

    def forward(self, x: Tensor, known: Tensor) -> Tensor:
        norm, activation, convolution = self.in_layers
        h = convolution(self._resized(activation(norm(x))))
        scale, shift = self.emb_layers(known)[..., None, None].chunk(2, dim=1)
        norm, *rest = self.out_layers
        h = norm(h) * (1 + scale) + shift
        for layer in rest:
            h = layer(h)
        return self.skip_connection(self._resized(x)) + h  # type: ignore[no-any-return] # untyped

    def _resized(self, x: Tensor) -> Tensor:
        if self._resize == "down":
            return F.avg_pool2d(x, 2)
        return F.interpolate(x, scale_factor=2.0, mode="nearest") if self._resize else x


class Attention(nn.Module):
    """Every position looks at all others of the tile (Vaswani et al. 2017), head by head."""

    def __init__(self, channels: int, head: int) -> None:
        super().__init__()
        self.norm = nn.GroupNorm(GROUPS, channels)
        self.qkv = nn.Conv1d(channels, 3 * channels, 1)
        self.proj_out = nn.Conv1d(channels, channels, 1)
        self._heads = max(1, channels // head)

    def forward(self, x: Tensor) -> Tensor:
        flat = x.flatten(2)
        # each head's queries, keys and values lie together
        parts = self.qkv(self.norm(flat)).unflatten(1, (self._heads, 3, -1)).transpose(-1, -2)
        query, key, value = parts.unbind(2)
        seen = F.scaled_dot_product_attention(query, key, value)
        seen = self.proj_out(seen.transpose(-1, -2).flatten(1, 2))
        return (flat + seen).view_as(x)  # type: ignore[no-any-return] # Module calls are untyped


def embedded(times: Tensor, width: int) -> Tensor:
    """Return sinusoids of the times, ``(N, width)``: Vaswani et al. 2017, cosines first."""
    half = width // 2
    rates = torch.exp(torch.arange(half, device=times.device) * (-math.log(10_000) / half))
    angles = times.float()[:, None] * rates
    waves = torch.cat([angles.cos(), angles.sin()], dim=1)
    return F.pad(waves, (0, width % 2))


def _time_layers(width: int) -> nn.Sequential:
    return nn.Sequential(nn.Linear(width, 4 * width), nn.SiLU(), nn.Linear(4 * width, 4 * width))


def _conv(inner: int, outer: int) -> nn.Conv2d:
    return nn.Conv2d(inner, outer, 3, padding=1)


def _adm_layers(inner: int, outer: int, known: int, head: int, *, attends: bool) -> nn.ModuleList:
    layers: list[nn.Module] = [AdmBlock(inner, outer, known)]
    return nn.ModuleList([*layers, Attention(outer, head)] if attends else layers)


def _through(layers: nn.Module, x: Tensor, known: Tensor) -> Tensor:
    assert isinstance(layers, nn.ModuleList)
    for layer in layers:
        x = layer(x, known) if isinstance(layer, AdmBlock) else layer(x)
    return x
