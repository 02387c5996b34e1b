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


class _AdmRes(nn.Module):
    def __init__(self, inner: int, outer: int, emb: int, factor: float = 1.0) -> None:
        super().__init__()
        self.factor = factor
        self.in_layers = nn.Sequential(
            nn.GroupNorm(32, inner), nn.SiLU(), nn.Conv2d(inner, outer, 3, 1, 1)
        )
        self.emb_layers = nn.Sequential(nn.SiLU(), nn.Linear(emb, 2 * outer))
        self.out_layers = nn.Sequential(
            nn.GroupNorm(32, outer), nn.SiLU(), nn.Dropout(0.0), nn.Conv2d(outer, outer, 3, 1, 1)
        )
        self.skip_connection = nn.Conv2d(inner, outer, 1) if inner != outer else nn.Identity()

    def sized(self, x: Tensor) -> Tensor:
        if self.factor < 1:
            return (x[..., ::2, ::2] + x[..., 1::2, ::2] + x[..., ::2, 1::2] + x[..., 1::2, 1::2]
                    ) / 4  # fmt: skip
        return x.repeat_interleave(2, -1).repeat_interleave(2, -2) if self.factor > 1 else x

    def forward(self, x: Tensor, emb: Tensor) -> Tensor:
        h = self.in_layers[2](self.sized(self.in_layers[:2](x)))
        both = self.emb_layers(emb)
        half = both.shape[1] // 2
        scale, shift = both[:, :half, None, None], both[:, half:, None, None]
        h = self.out_layers[0](h) * (1 + scale) + shift
        return self.skip_connection(self.sized(x)) + self.out_layers[1:](h)  # type: ignore[no-any-return]


class _AdmAttention(nn.Module):
    def __init__(self, channels: int, head: int) -> None:
        super().__init__()
        self.norm, self.head = nn.GroupNorm(32, channels), head
        self.qkv = nn.Conv1d(channels, 3 * channels, 1)
        self.proj_out = nn.Conv1d(channels, channels, 1)

    def forward(self, x: Tensor, _emb: Tensor) -> Tensor:
        flat = x.reshape(*x.shape[:2], -1)
        all_heads, made = self.qkv(self.norm(flat)), []
        for first in range(0, all_heads.shape[1], 3 * self.head):  # heads first, then q, k, v
            q, k, v = all_heads[:, first : first + 3 * self.head].split(self.head, dim=1)
            weight = torch.einsum("bct,bcs->bts", q, k) / self.head**0.5
            made.append(torch.einsum("bts,bcs->bct", weight.softmax(-1), v))
        return (flat + self.proj_out(torch.cat(made, 1))).reshape(x.shape)  # type: ignore[no-any-return]


class _Adm(nn.Module):
    """The network of ADM; written from the list of what I2SB's 256 px checkpoint holds."""

    def __init__(self, channels: int, width: int, mults: tuple[int, ...], each: int,
                 attention: tuple[int, ...], head: int) -> None:  # fmt: skip
        super().__init__()
        self.width, emb = width, 4 * width
        self.time_embed = nn.Sequential(nn.Linear(width, emb), nn.SiLU(), nn.Linear(emb, emb))
        conv: nn.Module = nn.Conv2d(channels, width * mults[0], 3, 1, 1)
        blocks, chans, now = [nn.ModuleList([conv])], [width * mults[0]], width * mults[0]
        for level, mult in enumerate(mults):
            look = 2**level in attention
            for _ in range(each):
                parts: list[nn.Module] = [_AdmRes(now, width * mult, emb)]
                now = width * mult
                blocks.append(nn.ModuleList([*parts, *[_AdmAttention(now, head)] * look]))
                chans.append(now)
            if level + 1 < len(mults):
                blocks.append(nn.ModuleList([_AdmRes(now, now, emb, 0.5)]))
                chans.append(now)
        self.input_blocks = nn.ModuleList(blocks)
        self.middle_block = nn.ModuleList(
            [_AdmRes(now, now, emb), _AdmAttention(now, head), _AdmRes(now, now, emb)]
        )
        ups = []
        for level in range(len(mults) - 1, -1, -1):
            for turn in range(each + 1):
                parts = [_AdmRes(now + chans.pop(), width * mults[level], emb)]
                now = width * mults[level]
                parts += [_AdmAttention(now, head)] * (2**level in attention)
                parts += [_AdmRes(now, now, emb, 2.0)] * (level > 0 and turn == each)
                ups.append(nn.ModuleList(parts))
        self.output_blocks = nn.ModuleList(ups)
        self.out = nn.Sequential(nn.GroupNorm(32, now), nn.SiLU(), nn.Conv2d(now, 3, 3, 1, 1))

    def forward(self, x: Tensor, t: Tensor) -> Tensor:
        count = self.width // 2
        angles = t[:, None] * 10_000.0 ** (-torch.arange(count) / count)
        emb, kept = self.time_embed(torch.cat([angles.cos(), angles.sin()], 1)), []
        for number, block in enumerate(self.input_blocks):
            for part in block:  # type: ignore[attr-defined]
                x = part(x, emb) if number else part(x)
            kept.append(x)
        for part in self.middle_block:
            x = part(x, emb)
        for block in self.output_blocks:
            x = torch.cat([x, kept.pop()], 1)
            for part in block:  # type: ignore[attr-defined]
                x = part(x, emb)
        return self.out(x)  # type: ignore[no-any-return]


def adm(channels: int = 6, width: int = 32, mults: tuple[int, ...] = (1, 2, 4), each: int = 1,
        attention: tuple[int, ...] = (4,), head: int = 64) -> nn.Module:  # fmt: skip
    return _Adm(channels, width, mults, each, attention, head)


def i2sb_file(net: nn.Module, averages: list[Tensor]) -> dict[str, object]:
    """As I2SB saves it: the network within another module, and torch_ema's state."""
    return {
        "net": {f"diffusion_model.{name}": w for name, w in net.state_dict().items()},
        "ema": {"decay": 0.99, "num_updates": 7, "shadow_params": averages,
                "collected_params": None},
        "optimizer": {"state": {0: {"step": torch.tensor(3.0)}}, "param_groups": [{"lr": 5e-5}]},
        "sched": {"step_size": 1000, "gamma": 0.99, "last_epoch": 4},
    }  # fmt: skip


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
