"""Which network a checkpoint belongs to, told from the names and shapes of its tensors.

The published forks of CycleGAN and pix2pix differ in the positions of their layers and
hardly in anything else, so the names say nearly all. Works on outlines as on tensors.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Protocol, TypeVar

import torch

from stainapp.errors import ImportRefusedError
from stainapp.models.bridge_nets import GROUPS
from stainapp.models.card import Arch
from stainapp.models.networks import build

KNOWN_FAMILIES = (
    "ResNet generators of CycleGAN, StainGAN, CUT, ASP and PyramidPix2pix, "
    "U-Net generators of pix2pix, StainNet, and the U-Nets of I2SB"
)

MAX_BLOCKS = 64
MAX_DOWNS = 12

_WRAPPERS = ("state_dict", "model", "net", "G", "netG", "generator", "params", "ema")
_PREFIXES = ("module.", "_orig_mod.", "netG.", "gen.", "generator.", "diffusion_model.")
_SPECTRAL = re.compile(
    r"(?P<stem>.+)\.(?:weight_(?P<old>orig|u|v)"
    r"|parametrizations\.weight\.(?P<new>original|0\._u|0\._v))$"
)


class Shaped(Protocol):
    """A tensor, or the outline of one."""

    @property
    def shape(self) -> Sequence[int]: ...


T = TypeVar("T", bound=Shaped)


def named_weights(contents: object, kind: type[T], where: str) -> dict[str, T]:
    """Return a checkpoint's tensors by the names that they have in the network.

    Averages kept beside a network (`torch_ema`, as I2SB saves them) take its weights' places. One
    level of wrapping and the prefixes of training frameworks are taken off; counters and
    the running statistics of instance norms, which no generator uses, are left out.

    Raises:
        ImportRefusedError: there is no dictionary of named tensors in it.
    """
    contents = _averaged(contents, kind, where)
    inner = [contents.get(name) for name in _WRAPPERS] if isinstance(contents, dict) else []
    for found in (contents, *inner):
        if isinstance(found, dict) and found and _all_named(found, kind):
            return _without_idle_statistics(_without_prefixes(found))
    raise ImportRefusedError(
        f"{where} holds no state dict of one network: save the generator's alone, "
        "with torch.save(network.state_dict(), FILE)."
    )


def spectral_part(name: str) -> tuple[str, str] | None:
    """Split a spectrally normalised weight's name into its layer and "orig", "u" or "v"."""
    if (match := _SPECTRAL.match(name)) is None:
        return None
    part = match["old"] or {"original": "orig", "0._u": "u", "0._v": "v"}[match["new"]]
    return match["stem"], part


def detect(weights: Mapping[str, Shaped], where: str = "The checkpoint") -> Arch:
    """Return the network that tensors of these names and shapes fit into, exactly.

    Raises:
        ImportRefusedError: they are another network's; the message says whose, or which
            families are known.
    """
    shapes = _plain_shapes(_without_idle_statistics(_without_prefixes(weights)))
    if "rgb_trans.0.weight" in shapes:
        arch = _pixel(shapes, where)
    elif "model.model.0.weight" in shapes:
        arch = _unet(shapes, where)
    elif "input_blocks.0.0.weight" in shapes and "time_embed.0.weight" in shapes:
        arch = _adm(shapes, where)
    elif any(name.startswith("model.") and ".conv_block." in name for name in shapes):
        arch = _resnet(shapes, where)
    else:
        raise ImportRefusedError(_foreign(shapes, where))
    if arch.out_channels != 3 or arch.in_channels not in ((3, 6) if arch.of_bridge else (1, 3)):
        raise ImportRefusedError(
            f"{where} turns {arch.in_channels} channels into {arch.out_channels}: only networks "
            "from grey or RGB to RGB, or of bridges from 3 or 6 channels to 3, can be imported."
        )
    _check_fit(arch, shapes, where)
    return arch


def has_running_statistics(weights: Mapping[str, object]) -> bool:
    """Whether batch norms come with the statistics of their training."""
    return any(name.endswith(".running_mean") for name in weights)


def _all_named(found: dict[object, object], kind: type[T]) -> bool:
    return all(isinstance(k, str) and isinstance(v, kind) for k, v in found.items())


def _averaged(contents: object, kind: type[T], where: str) -> object:
    """Return the averages instead of the weights: they have no names, but the weights' order."""
    ema = contents.get("ema") if isinstance(contents, dict) else None
    if not isinstance(contents, dict) or not isinstance(ema, dict) or "shadow_params" not in ema:
        return contents
    net, averages = contents.get("net"), ema["shadow_params"]
    fits = (
        isinstance(net, dict)
        and _all_named(net, kind)
        and isinstance(averages, list)
        and all(isinstance(one, kind) for one in averages)
        and [tuple(w.shape) for w in net.values()] == [tuple(one.shape) for one in averages]
    )
    if not fits:
        raise ImportRefusedError(
            f"{where} has averages that do not fit its network: save the averaged network's "
            "state_dict alone."
        )
    assert isinstance(net, dict)
    return {"net": dict(zip(net, averages, strict=True))}


def _without_prefixes(weights: Mapping[str, T]) -> dict[str, T]:
    """Take framework prefixes off; where only some names have one, the others are dropped.

    The others are then a second network's, such as the discriminator's.
    """
    for prefix in _PREFIXES * 2:  # a framework may wrap another
        chosen = {n.removeprefix(prefix): w for n, w in weights.items() if n.startswith(prefix)}
        weights = chosen or weights
    return dict(weights)


def _without_idle_statistics(weights: Mapping[str, T]) -> dict[str, T]:
    kept = {name: w for name, w in weights.items() if not name.endswith(".num_batches_tracked")}
    idle = (".running_mean", ".running_var")
    return {
        name: w
        for name, w in kept.items()
        if not name.endswith(idle) or f"{name.rpartition('.')[0]}.weight" in kept
    }


def _plain_shapes(weights: Mapping[str, Shaped]) -> dict[str, tuple[int, ...]]:
    """Return name -> shape as if spectral norms were folded into their weights."""
    shapes = {}
    for name, weight in weights.items():
        stem, part = spectral_part(name) or (name.removesuffix(".weight"), "plain")
        if part not in ("u", "v"):
            shapes[name if part == "plain" else f"{stem}.weight"] = tuple(weight.shape)
    return shapes


def _pixel(shapes: Mapping[str, tuple[int, ...]], where: str) -> Arch:
    weights = {name: shape for name, shape in shapes.items() if name.endswith(".weight")}
    first, last = (weights.get(f"rgb_trans.{at}.weight", ()) for at in (0, 2 * (len(weights) - 1)))
    if any(len(shape) != 4 or shape[2:] != (1, 1) for shape in (first, last)):
        raise ImportRefusedError(f"{where} is a StainNet of larger kernels than 1 x 1: unknown.")
    return Arch(family="pixel", in_channels=first[1], out_channels=last[0], ngf=first[0],
                norm="none", layers=len(weights))  # fmt: skip


def _unet(shapes: Mapping[str, tuple[int, ...]], where: str) -> Arch:
    first, last = shapes["model.model.0.weight"], shapes.get("model.model.3.weight", ())
    if len(first) != 4 or len(last) != 4:
        raise ImportRefusedError(f"{where} is a U-Net without its first or last convolution.")
    downs, level = 1, "model.model.1.model."
    while f"{level}1.weight" in shapes:
        downs, level = downs + 1, f"{level}3.model."
    # The norm after the second convolution has a weight only if it is a batch norm.
    batch = len(shapes.get("model.model.1.model.2.weight", ())) == 1
    return Arch(family="unet", in_channels=first[1], out_channels=last[1], ngf=first[0],
                norm="batch" if batch else "instance", downs=downs)  # fmt: skip


def _adm(shapes: Mapping[str, tuple[int, ...]], where: str) -> Arch:
    """Count levels and blocks: a level's last block on the way up also enlarges."""
    stem, time = shapes["input_blocks.0.0.weight"], shapes["time_embed.0.weight"]
    count = len({name.split(".")[1] for name in shapes if name.startswith("output_blocks.")})
    enlarging = [
        at for at in range(count)
        if any(f"output_blocks.{at}.{place}.in_layers.2.weight" in shapes for place in (1, 2))
    ]  # fmt: skip
    each = enlarging[0] + 1 if enlarging else 0
    levels = count // each if each else 0
    firsts = [f"input_blocks.{1 + level * each}" for level in range(levels)]
    widths = [shapes.get(f"{name}.0.in_layers.2.weight", (0,))[0] for name in firsts]
    ngf = time[1] if len(time) == 2 else 0
    known = (
        len(stem) == 4
        and levels in range(2, MAX_DOWNS)
        and ngf > 0
        and all(width > 0 and width % ngf == 0 and width % GROUPS == 0 for width in widths)
        and each <= MAX_BLOCKS
    )
    if not known:
        raise ImportRefusedError(
            f"{where} is a diffusion network of a variant that is not known; known are "
            f"{KNOWN_FAMILIES}."
        )
    return Arch(
        family="adm",
        in_channels=stem[1],
        out_channels=shapes.get("out.2.weight", (0,))[0],
        ngf=ngf,
        norm="none",
        blocks=each - 1,
        mults=tuple(width // ngf for width in widths),
        attention=tuple(
            1 << level for level, name in enumerate(firsts) if f"{name}.1.qkv.weight" in shapes
        ),
    )


def _resnet(shapes: Mapping[str, tuple[int, ...]], where: str) -> Arch:
    found = (re.match(r"model\.(\d{1,4})\.conv_block\.", name) for name in shapes)
    positions = sorted({int(match[1]) for match in found if match})
    first, after = positions[0], positions[-1] + 1
    convolutions = tuple(
        index for index in range(8)
        if len(shapes.get(f"model.{first}.conv_block.{index}.weight", ())) == 4
    )  # fmt: skip
    paddings: dict[tuple[int, ...], tuple[str, bool]] = {
              (1, 5): ("reflect", False), (1, 6): ("reflect", True), (0, 3): ("zero", False),
              (0, 4): ("zero", True)}  # fmt: skip
    padded = paddings.get(convolutions)
    downsampling = {10: "strided", 12: "antialias"}.get(first)
    upsampling = _upsampling(shapes, after)
    stem = shapes.get("model.1.weight", ())
    last = shapes.get(f"model.{max(_positions(shapes))}.weight", ())
    if None in (padded, downsampling, upsampling) or len(stem) != 4 or len(last) != 4:
        raise ImportRefusedError(
            f"{where} is a ResNet generator of a variant that is not known (blocks at "
            f"{first}, convolutions at {convolutions}); known are {KNOWN_FAMILIES}."
        )
    padding, dropout = padded or ("reflect", False)
    norm_after = convolutions[0] + 1
    batch = len(shapes.get(f"model.{first}.conv_block.{norm_after}.weight", ())) == 1
    return Arch(
        family="resnet",
        in_channels=stem[1],
        out_channels=last[0],
        ngf=stem[0],
        norm="batch" if batch else "instance",
        dropout=dropout,
        blocks=len(positions),
        downsampling=downsampling,  # type: ignore[arg-type] # one of the literals above
        upsampling=upsampling,  # type: ignore[arg-type] # likewise
        padding=padding,  # type: ignore[arg-type] # likewise
    )


def _upsampling(shapes: Mapping[str, tuple[int, ...]], after: int) -> str | None:
    """Tell the decoder from where its first convolution lies behind the last block."""
    if f"model.{after}.filt" in shapes and f"model.{after + 1}.weight" in shapes:
        return "antialias"
    if len(weight := shapes.get(f"model.{after}.weight", ())) == 4:
        return "transpose" if weight[0] == 2 * weight[1] else None
    return "resize" if f"model.{after + 2}.weight" in shapes else None


def _positions(shapes: Mapping[str, tuple[int, ...]]) -> list[int]:
    return [
        int(m[1]) for name in shapes if (m := re.match(r"model\.(\d{1,4})\.weight$", name))
    ] or [0]


def _check_fit(arch: Arch, shapes: Mapping[str, tuple[int, ...]], where: str) -> None:
    """Refuse unless names and shapes are exactly those of the network; takes no memory."""
    if arch.family == "unet" and not 5 <= arch.downs <= MAX_DOWNS:
        raise ImportRefusedError(f"{where} is a U-Net of {arch.downs} levels, and not of 5 to 12.")
    if arch.blocks > MAX_BLOCKS:
        raise ImportRefusedError(f"{where} has more than {MAX_BLOCKS} residual blocks.")
    with torch.device("meta"):
        network = build(arch)
    expected = {name: tuple(tensor.shape) for name, tensor in network.state_dict().items()}
    stripped = () if has_running_statistics(shapes) else (".running_mean", ".running_var")
    optional = (".num_batches_tracked", *stripped)
    expected = {name: shape for name, shape in expected.items() if not name.endswith(optional)}
    different = sorted(
        name for name in expected.keys() | shapes.keys() if expected.get(name) != shapes.get(name)
    )
    if different:
        name = different[0]
        raise ImportRefusedError(
            f"{where} nearly is a {arch.family} network, but {name} is "
            f"{shapes.get(name, 'missing')} and should be {expected.get(name, 'absent')}; "
            f"known are {KNOWN_FAMILIES}."
        )


def _foreign(shapes: Mapping[str, tuple[int, ...]], where: str) -> str:
    """Name what the checkpoint is, if it is something that people do have lying about."""
    kinds = (
        ("input_blocks.0.0.weight", "is a diffusion network that is not told the time: unknown"),
        ("encoders.0.conv.weight", "is a U-Net of the encoders/decoders layout, which is not "
         "supported yet: import a pix2pix or CycleGAN generator"),
        ("mlp_0.0.weight", "is CUT's patch sampler (net_F): import the generator, net_G"),
    )  # fmt: skip
    for name, what in kinds:
        if name in shapes:
            return f"{where} {what}."
    if len(shapes.get("model.0.weight", ())) == 4:
        return f"{where} is a discriminator (net_D): import the generator, net_G."
    return f"{where} is of an unknown architecture; known are {KNOWN_FAMILIES}."
