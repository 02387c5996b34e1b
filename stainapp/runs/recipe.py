"""What a training is asked to do, complete and strict.

What is impossible by itself is refused here; what the slides say to it, when they are opened.
Amounts of work are counted in images, that is steps times batch, so that a recipe means the same
on one processor and on eight.
"""

import re
from dataclasses import dataclass, field
from typing import Literal

from stainapp.errors import RecipeError
from stainapp.models.card import Arch, Bridge
from stainapp.runs.methods import MethodName, method_info
from stainapp.runs.problems import Problem, at_least, in_range, scale_problem
from stainapp.runs.recipe_data import Data
from stainapp.runs.recipe_losses import UNSAID, Losses, losses_of

SCHEMA = "stainapp.recipe/1"
PLAIN_ID = re.compile(r"[a-z0-9][a-z0-9.-]{0,99}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """The model that is made."""

    id: str
    name: str
    source_stain: str
    target_stain: str
    mpp: float
    """Micrometres per pixel at which tiles are cut and the network works."""
    parent: str = ""
    """Id or folder of a model to go on from; its network is used, and ``network`` is not."""
    teacher: str = ""
    """Distillation: id or folder of the model that makes the targets."""
    inverse_id: str = ""
    """CycleGAN: id of the model that leads back; "" for `id` with "-back"."""
    inverse_name: str = ""
    inverse_parent: str = ""
    tissue: tuple[str, ...] = ()
    licence: str = ""
    citation: tuple[str, ...] = ()
    limits: tuple[str, ...] = ()
    inverse_limits: tuple[str, ...] = ()
    background: Literal["pass", "model"] = "pass"
    """Whether bare glass is handed through, or has the look of the target's: see the card."""
    half: bool = True
    """Whether weights are stored as fp16, where that stays within one grey level."""

    def problems(self) -> list[Problem]:
        plain = "write lower-case letters, digits, dots and hyphens"
        back = self.inverse_id
        return [
            (not PLAIN_ID.fullmatch(self.id), f"id cannot be {self.id!r}; {plain}"),
            (
                bool(back) and not PLAIN_ID.fullmatch(back),
                f"inverse_id cannot be {back!r}; {plain}",
            ),
            (back == self.id, "inverse_id is the id; give the way back another"),
            (not self.name.strip(), "name is empty; say what the picker shows"),
            (not self.source_stain.strip(), "source_stain is empty; name it, such as H&E"),
            (not self.target_stain.strip(), "target_stain is empty; name it, such as PAS"),
            scale_problem(self.mpp),
        ]


@dataclass(frozen=True, slots=True, kw_only=True)
class Training:
    """How long, how fast, and what is done against over-fitting."""

    images: int = 200_000
    """Images to learn from in all."""
    constant_images: int | None = None
    """Images before the rate begins to fall linearly to 0; None for half of them."""
    batch: int = 1
    """Images a step, over all processes together."""
    rate: float = 2e-4
    betas: tuple[float, float] = (0.5, 0.999)
    precision: Literal["auto", "fp32", "bf16", "fp16"] = "auto"
    ema: float = 0.999
    """Share of the averaged weights that each step keeps."""
    pool: int = 50
    """Generated images the discriminator is shown again; 0 shows it the newest alone."""
    judge_images: int = 1
    """Images of each kind, real and generated, that the discriminators learn from for each image
    of a step: the newest, and earlier ones from the pools."""
    ndf: int = 64
    """Channels of the discriminator's first layer."""
    freeze_discriminator: int = 0
    """Early layers of the discriminator that do not learn, where the parent brings one."""
    turns: bool = True
    """Augmentation: flips and quarter turns."""
    density_jitter: float = 0.05
    """Augmentation: largest relative change of optical density, each channel by itself."""
    diffaugment: bool = False
    """Whether real and generated images are disturbed alike before the discriminator."""
    keep: Literal["best", "last"] = "best"
    """Which of the models that are validated is the run's: that of the best score, or the newest.
    A distance over few tiles may choose an early one that looks less like the stain."""
    early_stop: int = 0
    """Validations without gain before the run ends; 0 never."""
    validate_every: int = 2_000
    """Images between two validations, each with a picture of samples."""
    checkpoint_every: int = 1_000

    def problems(self) -> list[Problem]:
        constant, images = self.constant_images, self.images
        rate, betas = self.rate, self.betas
        return [
            at_least("batch", self.batch, 1),
            (images < self.batch, f"images is {images}, fewer than a batch; choose more"),
            (
                constant is not None and not 0 <= constant <= images,
                f"constant_images cannot be {constant}; choose 0 to {images}",
            ),
            (not 0 < rate <= 1, f"rate cannot be {rate:g}; choose above 0, such as 0.0002"),
            (
                not all(0 <= beta < 1 for beta in betas),
                f"betas cannot be {list(betas)}; choose both from 0 to below 1",
            ),
            (not 0 <= self.ema < 1, f"ema cannot be {self.ema:g}; choose from 0 to below 1"),
            at_least("pool", self.pool, 0),
            in_range("judge_images", self.judge_images, 1, 64),
            (
                self.judge_images > 1 and self.pool == 0,
                "judge_images needs a pool to take earlier images from; set pool to 50",
            ),
            at_least("ndf", self.ndf, 1),
            in_range("freeze_discriminator", self.freeze_discriminator, 0, 4),
            in_range("density_jitter", self.density_jitter, 0, 0.5),
            at_least("early_stop", self.early_stop, 0),
            at_least("validate_every", self.validate_every, 1),
            at_least("checkpoint_every", self.checkpoint_every, 1),
        ]


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """The contents of ``recipe.toml``."""

    schema: str = SCHEMA
    method: MethodName
    seed: int = 0
    model: Made
    network: Arch | None = None
    """None for the parent's."""
    data: Data
    losses: Losses = UNSAID
    """Unsaid: those of the method's paper."""
    training: Training = field(default_factory=Training)
    bridge: Bridge = field(default_factory=Bridge)
    """I2SB: the bridge that is taught, and how it is walked along when staining."""

    def __post_init__(self) -> None:
        if self.losses is UNSAID:
            object.__setattr__(self, "losses", losses_of(self.method))
        for place, problems in self._places():
            for wrong, why in problems:
                if wrong:
                    raise RecipeError(f"{place}{why}.")

    def _places(self) -> list[tuple[str, list[Problem]]]:
        origins = (("source", self.data.source), ("target", self.data.target))
        return [
            ("", [(not 0 <= self.seed < 2**63, f"seed cannot be {self.seed}; choose 0 or more")]),
            ("model: ", self.model.problems()),
            ("data: ", self.data.problems()),
            ("data.volumes: ", self.data.volumes.problems()),
            *(
                (f"data.{side} {n}: ", origin.problems())
                for side, some in origins
                for n, origin in enumerate(some, start=1)
            ),
            ("losses: ", self.losses.problems()),
            ("training: ", self.training.problems()),
            ("network: ", _network_problems(self.network) if self.network else []),
            ("bridge: ", self.bridge.problems()),
            ("", self._method_problems()),
        ]

    def _method_problems(self) -> list[Problem]:
        info, pairing = method_info(self.method), self.data.pairing
        wanted = " or ".join(f'"{one}"' for one in info.pairings)
        otherwise = f", {info.beside}" if info.beside else ""
        family = self.network.family if self.network else info.families[0]
        alone, teacher = pairing == "alone", self.model.teacher
        return [
            (
                family not in info.families,
                f"{self.method} does not teach a network of family {family}; "
                f"set network.family to {' or '.join(info.families)}",
            ),
            (
                pairing not in info.pairings,
                f"{self.method} does not learn from {pairing} data; "
                f"set data.pairing to {wanted}{otherwise}",
            ),
            (
                2**self.losses.pyramid_octaves > self.data.tile_px,
                f"tiles of {self.data.tile_px} px cannot be halved {self.losses.pyramid_octaves} "
                "times; lower losses.pyramid_octaves or choose larger tiles",
            ),
            (
                "bridge" in info.families and self.bridge.cond != "x1",
                "bridge.cond is x1 in training; leave it out",
            ),
            (
                alone and not teacher,
                f"{self.method} needs a teacher; set model.teacher to the id or folder of a model",
            ),
            (
                bool(teacher) and not alone,
                f"{self.method} has no teacher; leave out model.teacher, or set method to distil",
            ),
        ]


def _network_problems(arch: Arch) -> list[Problem]:
    bridge = arch.family == "bridge"
    return [
        (
            not bridge and (arch.in_channels, arch.out_channels) != (3, 3),
            "in_channels and out_channels are 3 in training; leave them out",
        ),
        (
            bridge and (arch.in_channels, arch.out_channels) != (6, 3),
            "in_channels of a bridge is 6 in training, the state and the source",
        ),
        (
            bridge and not (1 <= len(arch.mults) <= 6 and all(1 <= m <= 64 for m in arch.mults)),
            "mults of a bridge names each level's channels; choose such as [1, 2, 4]",
        ),
        in_range("ngf", arch.ngf, 1, 1024),
        in_range("blocks", arch.blocks, 0, 64),
        in_range("downs", arch.downs, 1, 12),
        in_range("layers", arch.layers, 1, 64),
        in_range("classes", arch.classes, 1, 16),
    ]
