"""What a staining model is, without loading it. Imports no torch.

A model is a folder: ``card.json``, for networks ``weights.safetensors``, and nothing
that can be executed. Reading is strict: an unknown field is an error that names it.
"""

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

from stainapp.errors import ModelCardError, ModelError
from stainapp.strict import build

SCHEMA = "stainapp.card/1"
CARD_FILE = "card.json"
WEIGHTS_FILE = "weights.safetensors"
ANY_STAIN = "any"
UNKNOWN_STAIN = "unknown"
"""A slide's, where not even a guess was possible; never a model's."""

Kind = Literal["stainer", "segmenter"]

STAINS = ("H&E", "PAS", "DAB", "haematoxylin", "unstained", "grey", "fluorescence")
"""Stains the program names itself; a card may name others, such as "HER2 IHC"."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Arch:
    """A network's shape: all that `stainapp.models.networks.build` needs to know."""

    family: Literal["resnet", "resunet", "unet", "pixel", "dcgmm", "bridge", "adm"]
    in_channels: int = 3
    out_channels: int = 3
    ngf: int = 64
    """Channels of the first layer; the hidden width of a pixelwise net."""
    norm: Literal["instance", "batch", "none"] = "instance"
    dropout: bool = False
    """Whether the layout has dropout layers; they are never active when staining."""
    blocks: int = 9
    """ResNet and ResUNet: residual blocks."""
    downsampling: Literal["strided", "antialias"] = "strided"
    """ResNet: a strided convolution, or a plain one and a fixed [1, 2, 1] blur."""
    upsampling: Literal["transpose", "resize", "antialias"] = "transpose"
    """ResNet: transposed convolution; nearest resize or fixed blur, and a plain convolution."""
    padding: Literal["reflect", "replicate", "zero"] = "reflect"
    """ResNet and ResUNet: padding of the residual blocks."""
    downs: int = 8
    """U-Net: halvings; 7 for 128 px, 8 for 256 px, 9 for 512 px."""
    layers: int = 3
    """Pixelwise: 1 x 1 convolutions."""
    classes: int = 4
    """DCGMM: classes of tissue that are told apart."""
    mults: tuple[int, ...] = ()
    """Bridge and ADM: channels of each level, in those of the first layer."""
    attention: tuple[int, ...] = ()
    """ADM: reductions at which there is attention, such as 8, 16, 32."""
    head: int = 64
    """ADM: channels of an attention head."""

    @property
    def of_bridge(self) -> bool:
        """Whether it is a step of a bridge rather than a generator: it takes the time as well."""
        return self.family in ("bridge", "adm")


@dataclass(frozen=True, slots=True, kw_only=True)
class Bridge:
    """How a network of a bridge is walked along: see `stainapp.models.bridge`.

    Liu et al. 2023 (I2SB, arXiv 2302.05872). All but `nfe` and `seed` are as it was taught.
    """

    interval: int = 1000
    """Times between target and source."""
    beta_max: float = 0.3
    """What the noise's rate, over the whole interval, heads for until it turns back half way;
    1.0 is usual with `ot_ode`."""
    beta_min: float = 1e-4
    """Its rate at either end, of one time."""
    ot_ode: bool = False
    """Whether the way is the mean alone, without chance (the paper's section 3.3)."""
    cond: Literal["x1", "none"] = "x1"
    """Whether the network sees the source at each step, or the state alone."""
    nfe: int = 4
    """Evaluations of the network when staining."""
    t0: float = 1e-4
    """What the network is told of the first time, as a share of the interval."""
    seed: int = 0
    """Of the noise when staining."""

    def problems(self) -> list[tuple[bool, str]]:
        """Return whether each thing is wrong, and what."""
        least, most = self.beta_min, self.beta_max
        return [
            (
                not 2 <= self.interval <= 100_000 or self.interval % 2 != 0,
                f"interval cannot be {self.interval}; choose an even number from 2 to 100000",
            ),
            (not 0 < most <= 100, f"beta_max cannot be {most:g}; choose above 0, such as 0.3"),
            (not 0 < least <= 0.1, f"beta_min cannot be {least:g}; choose above 0, such as 0.0001"),
            (
                not 1 <= self.nfe < self.interval,
                f"nfe cannot be {self.nfe}; choose 1 to {self.interval - 1}",
            ),
            (not 0 <= self.t0 < 1, f"t0 cannot be {self.t0:g}; choose from 0 to below 1"),
            (not 0 <= self.seed < 2**63, f"seed cannot be {self.seed}; choose 0 or more"),
        ]


@dataclass(frozen=True, slots=True, kw_only=True)
class Classic:
    """A method fitted per slide in closed form, without weights."""

    kind: Literal["reinhard", "macenko", "unmix"]
    reference: Mapping[str, Any] = field(default_factory=dict)
    """What to normalise to; its keys are documented with each method in `normalisers`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibration:
    """How a slide's statistics are taken: from tissue tiles only, as one batch."""

    tiles: int = 16
    tile_px: int = 256
    min_tissue: float = 0.5
    """Least share of tissue in a calibration tile."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelCard:
    """The contents of ``card.json``."""

    id: str
    """Lower-case letters, digits and hyphens; the folder's name and the command line's."""
    name: str
    """Shown in the picker, such as "H&E to PAS (colon)"."""
    version: str = "1.0.0"
    schema: str = SCHEMA
    kind: Kind = "stainer"
    """"stainer": makes a picture in another stain. "segmenter": finds nuclei; channel 0 of its
    network is the probability that a pixel lies in a nucleus, and of three channels the second
    that it lies on a nucleus's boundary, as 0 and 1 at the ends of ``value_range``."""
    method: str
    """How it came about: "reinhard", "macenko", "unmix", "cyclegan", "pix2pix", "cut" ..."""
    arch: Arch | None = None
    """The network; None for a `classic` method."""
    classic: Classic | None = None
    bridge: Bridge | None = None
    """How the network is walked along, where it is one of a bridge; None for a generator."""
    source_stain: str
    """One of `STAINS`, another stain's name, or "any"."""
    target_stain: str
    """The same; "any" for a normaliser, which keeps the slide's stain."""
    tissue: tuple[str, ...] = ()
    mpp: float | None = None
    """Micrometres per pixel the network was trained at; None for pixelwise methods."""
    tile: int = 512
    """Side of the network's square input, in pixels at ``mpp``."""
    halo: int = 0
    """Border of each output that is thrown away ("crop") or blended ("overlap")."""
    multiple: int = 1
    """Input sides must be multiples of this."""
    blend: Literal["crop", "overlap"] = "crop"
    """"crop" for networks that see less than the halo; "overlap" for those that see it all."""
    value_range: tuple[float, float] = (-1.0, 1.0)
    """Numbers that 0 and 255 become before the network, and are after it."""
    grey_input: bool = False
    """Whether the network gets the ITU-R 601 luma, replicated to its input channels."""
    norm_mode: Literal["frozen", "running", "batch", "none"] = "none"
    """"frozen": instance statistics frozen per slide; "running": those stored in the weights;
    "batch": batch statistics, taken at calibration and then frozen."""
    calibrate: Calibration = field(default_factory=Calibration)
    background: Literal["pass", "model"] = "pass"
    """Whether bare glass is handed through unchanged or stained as well."""
    files: Mapping[str, str] = field(default_factory=dict)
    """File name -> sha256, of every file beside the card."""
    parameters: int = 0
    imported_from: Mapping[str, Any] = field(default_factory=dict)
    inverse: str | None = None
    """Id of the model that leads back, where there is one."""
    training: Mapping[str, Any] = field(default_factory=dict)
    metrics: tuple[Mapping[str, Any], ...] = ()
    licence: str = ""
    citation: tuple[str, ...] = ()
    intended_use: str = "Research viewing; not for diagnosis."
    limits: tuple[str, ...] = ()
    contact: str = ""
    created: str = ""

    def __post_init__(self) -> None:
        for wrong, why in self._problems():
            if wrong:
                raise ModelCardError(f"The model card {self.id!r} cannot be used: {why}.")

    def _problems(self) -> list[tuple[bool, str]]:
        needs_mpp = self.arch is not None and self.arch.family != "pixel"
        walked = self.arch is not None and self.arch.of_bridge
        sees = 6 if self.bridge is not None and self.bridge.cond == "x1" else 3
        unsafe = [name for name in self.files if Path(name).name != name or name in ("", "..")]
        return [
            (
                self.schema != SCHEMA,
                f"its schema is {self.schema!r}, and this program reads {SCHEMA!r}",
            ),
            (not re.fullmatch(r"[a-z0-9][a-z0-9.-]{0,99}", self.id), "its id is not a plain name"),
            ((self.arch is None) == (self.classic is None), "it must have either arch or classic"),
            (self.mpp is not None and not 0.01 < self.mpp < 100, f"mpp cannot be {self.mpp}"),
            (needs_mpp and self.mpp is None, "a network that sees neighbours needs mpp"),
            (not 16 <= self.tile <= 8192, f"tile cannot be {self.tile}"),
            (not 0 <= 2 * self.halo < self.tile, "two halos must fit into a tile"),
            (
                self.multiple < 1 or self.tile % self.multiple != 0,
                "tile must be a multiple of multiple",
            ),
            (
                self.arch is not None and WEIGHTS_FILE not in self.files,
                f"{WEIGHTS_FILE} has no sha256",
            ),
            (bool(unsafe), f"{unsafe} is not a plain file name"),
            (
                self.kind == "segmenter"
                and (self.arch is None or self.arch.out_channels not in (1, 3)),
                "a segmenter needs a network with one or three output channels",
            ),
            (
                walked != (self.bridge is not None),
                "bridge is for networks of bridges, which need it",
            ),
            (
                walked and self.arch is not None and self.arch.in_channels != sees,
                f"a bridge of these values needs {sees} in_channels",
            ),
            *((wrong, f"bridge: {why}") for wrong, why in (self.bridge or Bridge()).problems()),
        ]

    @property
    def pixelwise(self) -> bool:
        """Whether each pixel is stained by itself, so that scale and neighbours do not matter."""
        return self.arch is None or self.arch.family == "pixel"

    def must_be(self, kind: Kind) -> None:
        """Refuse a model of another kind.

        Raises:
            ModelError: says what it is, and what it can be used for.
        """
        if self.kind == kind:
            return
        if kind == "stainer":
            why = "finds nuclei and makes no stain; use it as stainapp evaluate --segmenter"
        else:
            why = "makes a stain and finds no nuclei; choose a segmenter, or leave it out"
        raise ModelError(f"{self.name} ({self.id}) {why}.")

    @property
    def takes_template(self) -> bool:
        """Whether it can normalise to an image of the user's instead of its own reference."""
        if self.classic is not None:
            return self.classic.kind in ("reinhard", "macenko")
        return self.arch is not None and self.arch.family == "dcgmm"

    @property
    def normalises(self) -> bool:
        """Whether it changes a slide's colours and none of its dyes."""
        return self.takes_template or self.target_stain == ANY_STAIN

    @property
    def digest(self) -> str:
        """Sha256 of the whole card, weights included through their own: the model's identity."""
        text = json.dumps(asdict(self), sort_keys=True, ensure_ascii=False)
        return hashlib.sha256(text.encode()).hexdigest()

    @classmethod
    def read(cls, folder: Path) -> "ModelCard":
        """Read a model folder's card, strictly.

        Raises:
            ModelCardError: there is no card, it is no JSON, or a field is unknown,
                missing or impossible.
        """
        path = folder / CARD_FILE
        try:
            values = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError, RecursionError) as error:  # the last: nested without end
            reason = getattr(error, "strerror", None) or error
            raise ModelCardError(
                f"{path} is damaged or missing ({reason}); "
                f"import the model again, or remove the folder."
            ) from error
        return card_from_json(values, str(path))

    def write(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        text = json.dumps(asdict(self), indent=2, ensure_ascii=False)
        (folder / CARD_FILE).write_text(text + "\n", encoding="utf-8")


def card_from_json(values: object, where: str) -> ModelCard:
    """Build a card from parsed JSON; ``where`` names its origin in errors."""
    if not isinstance(values, dict):
        raise ModelCardError(
            f"{where} is damaged (it must be a JSON object); "
            f"import the model again, or remove the folder."
        )
    _refuse_newer(values.get("schema"), where)  # first, as a newer card may have other fields
    return build(ModelCard, values, where, ModelCardError)


def sha256_of(path: Path) -> str:
    """Return the sha256 of a file in lower-case hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _refuse_newer(schema: object, where: str) -> None:
    found = (
        re.fullmatch(r"stainapp\.card/([0-9]{1,9})", schema) if isinstance(schema, str) else None
    )
    if found and int(found[1]) > int(SCHEMA.rpartition("/")[2]):
        raise ModelCardError(f"{where} was made by a newer stainapp; update it to read {schema!r}.")
