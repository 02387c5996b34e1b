"""Published checkpoints made into models: read safely, recognised, converted, tried, kept.

A checkpoint is read once. What stays is a model folder with safetensors and a card; the
original is never opened again.
"""

import shutil
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal, TypeAlias

import torch
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.nn.functional import interpolate

from stainapp.errors import ImportRefusedError, ModelError
from stainapp.models import checkpoint_file, layouts
from stainapp.models.bridge import applied
from stainapp.models.card import (
    WEIGHTS_FILE,
    Arch,
    Bridge,
    Calibration,
    Kind,
    ModelCard,
    sha256_of,
)
from stainapp.models.layouts import detect
from stainapp.models.networks import build, tiling
from stainapp.models.pickle_outline import TensorOutline
from stainapp.models.slide_norm import calibrating, freeze_norms

__all__ = ["Suggestion", "detect", "import_checkpoint", "read_checkpoint", "suggest"]

NormMode: TypeAlias = Literal["frozen", "running", "batch", "none"]


@dataclass(frozen=True, slots=True)
class Suggestion:
    """What a checkpoint says of itself, so that only the rest need be asked."""

    arch: Arch
    family: str
    """In words, such as "ResNet generator, 9 blocks (CycleGAN)"."""
    method: str
    """Where the layout comes from, as a card's ``method``: "cyclegan", "pix2pix", "cut" ..."""
    norm_modes: tuple[NormMode, ...]
    """Those that the weights allow, the recommended one first."""
    parameters: int
    notes: tuple[str, ...] = ()
    """What the names of the tensors cannot tell, and what is assumed."""

    bridge: Bridge | None = None
    """Of a network of a bridge: the usual values, which no weights tell."""

    @property
    def norm_mode(self) -> NormMode:
        return self.norm_modes[0]


def suggest(path: Path) -> Suggestion:
    """Recognise a checkpoint from its outline; its numbers are not read.

    Raises:
        ImportRefusedError: it is unsafe, foreign, damaged or too large; says which.
    """
    weights = layouts.named_weights(checkpoint_file.outline(path), TensorOutline, path.name)
    if strange := next((name for name, w in weights.items() if not w.is_float), None):
        raise ImportRefusedError(f"{path.name} holds other numbers than floats, in {strange!r}.")
    arch = detect(weights, path.name)
    running = layouts.has_running_statistics(weights)
    spectral = any(layouts.spectral_part(name) for name in weights)
    method, published = _origin(arch, spectral=spectral)
    with torch.device("meta"):
        parameters = sum(parameter.numel() for parameter in build(arch).parameters())
    return Suggestion(
        arch=arch,
        family=f"{_shape_in_words(arch)} ({published})",
        method=method,
        norm_modes=_norm_modes(arch, running=running),
        parameters=parameters,
        notes=_notes(arch),
        bridge=Bridge(cond="x1" if arch.in_channels == 6 else "none") if arch.of_bridge else None,
    )


def read_checkpoint(path: Path) -> dict[str, Tensor]:
    """Read a generator's weights as finite float32 tensors, by the names that `build` gives.

    Spectral norms are folded into their weights (Miyato et al. 2018, equation 8). Batch norms
    that come without running statistics get neutral ones, which only the norm mode "running"
    would use, and `suggest` does not offer it then.

    Raises:
        ImportRefusedError: as `suggest`, or a number is not finite.
    """
    arch = suggest(path).arch
    contents = checkpoint_file.load(path)
    weights = _folded(layouts.named_weights(contents, Tensor, path.name), path.name)
    weights = {name: tensor.float().contiguous() for name, tensor in weights.items()}
    for name, tensor in weights.items():
        if not torch.isfinite(tensor).all():
            raise ImportRefusedError(f"{path.name} has numbers that are not finite, in {name!r}.")
    if arch.norm == "batch" and not layouts.has_running_statistics(weights):
        weights |= _neutral_statistics(arch)
    return weights


def import_checkpoint(  # noqa: PLR0913 - what the card must say and no file can
    path: Path,
    destination_root: Path,
    *,
    id: str,  # noqa: A002 - the card's word
    name: str,
    source_stain: str,
    target_stain: str,
    mpp: float | None,
    norm_mode: NormMode | None = None,
    bridge: Bridge | None = None,
    method: str = "",
    tissue: tuple[str, ...] = (),
    licence: str = "",
    citation: tuple[str, ...] = (),
    kind: Kind = "stainer",
) -> ModelCard:
    """Make a model folder ``destination_root/id`` from a published checkpoint.

    Args:
        path: a ``.pth``, ``.pt`` or ``.safetensors`` with one generator's weights.
        destination_root: folder of models; made if absent.
        id: the new folder's name.
        name: shown in the picker.
        source_stain: what the network was trained to read.
        target_stain: what it makes of it.
        mpp: micrometres per pixel it was trained at; None for pixelwise networks only.
        norm_mode: one of `Suggestion.norm_modes`; None for the recommended one.
        bridge: how the network of a bridge was taught; None for the usual values. Whether it
            sees the source is told by its weights.
        method: replaces the suggested one.
        tissue: as in the card.
        licence: as in the card.
        citation: as in the card.
        kind: as in the card.

    Returns:
        The card written. Nothing is left behind where an error is raised.

    Raises:
        ImportRefusedError: the checkpoint is unsafe, foreign or damaged, or its pictures
            are not finite, out of range or blank.
        ModelCardError: the id or mpp is impossible.
        ModelError: a model of that id is there already, or the folder cannot be written.
    """
    suggestion = suggest(path)
    mode = norm_mode or suggestion.norm_mode
    if mode not in suggestion.norm_modes:
        allowed = " or ".join(suggestion.norm_modes)
        raise ImportRefusedError(f"{path.name} cannot use norm mode {mode!r}: choose {allowed}.")
    if suggestion.bridge is None and bridge is not None:
        raise ImportRefusedError(f"{path.name} is no network of a bridge: leave its values out.")
    if suggestion.bridge is not None:
        bridge = replace(bridge or suggestion.bridge, cond=suggestion.bridge.cond)
    tile, halo, multiple, blend = tiling(suggestion.arch)
    draft = ModelCard(
        id=id,
        name=name,
        kind=kind,
        method=method or suggestion.method,
        arch=suggestion.arch,
        bridge=bridge,
        calibrate=Calibration(tiles=4) if bridge else Calibration(),  # each costs many a step
        source_stain=source_stain,
        target_stain=target_stain,
        tissue=tissue,
        mpp=mpp,
        tile=tile,
        halo=halo,
        multiple=multiple,
        blend=blend,
        grey_input=suggestion.arch.in_channels == 1,
        norm_mode=mode,
        files={WEIGHTS_FILE: ""},
        parameters=suggestion.parameters,
        imported_from={"file": path.name, "sha256": sha256_of(path), "family": suggestion.family},
        licence=licence or "unknown: see where the checkpoint was published",
        citation=citation,
        limits=("Imported: what it was trained on and how well is not known here.",
                *suggestion.notes),
        created=datetime.now(UTC).isoformat(timespec="seconds"),
    )  # fmt: skip
    _refuse_overwriting(destination_root / draft.id)
    weights = read_checkpoint(path)
    network = build(suggestion.arch)
    network.load_state_dict(weights, strict=True)
    probe(network, draft, path.name)
    return _write(draft, weights, destination_root)


def probe(network: nn.Module, card: ModelCard, where: str) -> None:
    """Stain one made-up tile and refuse a network whose answer is no picture.

    ``network`` is changed: its norms are frozen.
    """
    arch = card.arch or Arch(family="pixel")
    side, channels = max(256, card.multiple), 3 if card.bridge else arch.in_channels
    bridge = replace(card.bridge, nfe=1) if card.bridge else None
    generator = torch.Generator().manual_seed(0)
    coarse = torch.randn(1, channels, side // 16, side // 16, generator=generator)
    noise = torch.randn(1, channels, side, side, generator=generator)
    tile = torch.tanh(interpolate(coarse, size=(side, side), mode="bilinear") + 0.2 * noise)
    freeze_norms(network)
    with torch.inference_mode():
        if card.norm_mode in ("frozen", "batch"):
            with calibrating(network):
                network(tile)
        answer = applied(network, tile, bridge)
    if not torch.isfinite(answer).all() or answer.abs().max() > 2:
        raise ImportRefusedError(
            f"{where} gives numbers outside the range of pictures: its norm mode may be wrong, or "
            "its weights damaged."
        )
    if answer.std(dim=(0, 2, 3)).max() < 0.01:
        raise ImportRefusedError(
            f"{where} gives the same colour everywhere: its norm mode may be wrong, or its weights "
            "untrained."
        )


def _folded(weights: Mapping[str, Tensor], where: str) -> dict[str, Tensor]:
    """Replace each ``weight_orig, weight_u, weight_v`` by the weight that they stand for."""
    plain: dict[str, Tensor] = {}
    spectral: dict[str, dict[str, Tensor]] = {}
    for name, tensor in weights.items():
        if (found := layouts.spectral_part(name)) is None:
            plain[name] = tensor
        else:
            spectral.setdefault(found[0], {})[found[1]] = tensor.float()
    for stem, parts in spectral.items():
        if parts.keys() != {"orig", "u", "v"}:
            raise ImportRefusedError(f"{where} has an incomplete spectral norm at {stem!r}.")
        plain[f"{stem}.weight"] = _fold(parts["orig"], parts["u"], parts["v"], where)
    return plain


def _fold(weight: Tensor, u: Tensor, v: Tensor, where: str) -> Tensor:
    # Transposed convolutions are normalised along their second dimension.
    for matrix in (weight.flatten(1), weight.transpose(0, 1).flatten(1)):
        if matrix.shape == (u.numel(), v.numel()):
            return weight / torch.dot(u, matrix @ v)
    raise ImportRefusedError(f"{where} has a spectral norm whose vectors do not fit its weight.")


def _neutral_statistics(arch: Arch) -> dict[str, Tensor]:
    state = build(arch).state_dict()
    return {n: t for n, t in state.items() if n.endswith((".running_mean", ".running_var"))}


def _refuse_overwriting(folder: Path) -> None:
    if folder.exists():
        raise ModelError(f"A model {folder.name!r} is there already: choose another id.")


def _write(draft: ModelCard, weights: Mapping[str, Tensor], root: Path) -> ModelCard:
    """Write the model folder beside its place and move it there in one step."""
    folder, half = root / draft.id, root / f".{draft.id}.{uuid.uuid4().hex}"
    try:
        half.mkdir(parents=True)
        save_file(dict(weights), half / WEIGHTS_FILE)
        card = replace(draft, files={WEIGHTS_FILE: sha256_of(half / WEIGHTS_FILE)})
        card.write(half)
        _refuse_overwriting(folder)
        half.rename(folder)
    except OSError as error:
        raise ModelError(f"{folder} cannot be written: {error.strerror}.") from error
    finally:
        shutil.rmtree(half, ignore_errors=True)
    return card


def _norm_modes(arch: Arch, *, running: bool) -> tuple[NormMode, ...]:
    """Return what the weights allow, best first.

    Pix2pix is meant to run with the statistics of its input (Isola et al. 2017, section 3.1),
    so its running ones, where they are there at all, come second.
    """
    if arch.norm != "batch":
        return ("frozen",) if arch.norm == "instance" else ("none",)
    if not running:
        return ("batch",)
    return ("batch", "running") if arch.family == "unet" else ("running", "batch")


def _origin(arch: Arch, *, spectral: bool) -> tuple[str, str]:
    """Return the method, and whose published networks look like this."""
    of_family = {
        "pixel": ("stainnet", "StainNet"),
        "adm": ("i2sb", "I2SB"),
        "unet": ("pix2pix", "pix2pix"),
    }
    if arch.family in of_family:
        return of_family[arch.family]
    if spectral:
        return "asp", "ASP"
    if arch.downsampling == "antialias":
        return "cut", "CUT, FastCUT"
    if arch.norm == "batch":
        return ("deepliif", "DeepLIIF") if arch.padding == "zero" else ("pix2pix", "PyramidPix2pix")
    return ("staingan", "StainGAN") if arch.dropout else ("cyclegan", "CycleGAN")


def _shape_in_words(arch: Arch) -> str:
    if arch.family == "pixel":
        return f"Pixelwise network, {arch.layers} layers"
    if arch.of_bridge:
        return f"Bridge of ADM's shape, {len(arch.mults)} levels"
    if arch.family == "unet":
        return f"U-Net generator for {2**arch.downs} px"
    return f"ResNet generator, {arch.blocks} blocks"


def _notes(arch: Arch) -> tuple[str, ...]:
    if arch.of_bridge:
        return (
            f"Attention heads of {arch.head} channels are assumed, as published; weights do not "
            "tell.",
            "Its rate of noise, and whether its way is drawn or its mean, are as said when it was "
            "imported (beta_max and ot_ode in options.pkl, which is never opened).",
        )
    if arch.family != "resnet":
        return ()
    notes = []
    if arch.padding == "reflect":
        notes.append("Reflection padding is assumed; replication has the same layout.")
    if arch.upsampling == "resize":
        notes.append("Nearest-neighbour enlargement is assumed; bilinear has the same layout.")
    return tuple(notes)
