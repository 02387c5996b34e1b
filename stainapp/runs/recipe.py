"""What a training is asked to do: ``recipe.toml``, complete and strict.

What is impossible by itself is refused here; what the slides say to it, when they are opened.

Relative paths are looked for beside the recipe. Amounts of work are counted in images, that
is steps times batch, so that a recipe means the same on one processor and on eight.
"""

import math
import re
import tomllib
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import tomli_w

from stainapp.errors import RecipeError
from stainapp.models.card import Arch, Bridge
from stainapp.runs.methods import METHODS, MethodName, Pairing, method_info
from stainapp.slides.scale import COARSEST_MPP, FINEST_MPP
from stainapp.strict import build

SCHEMA = "stainapp.recipe/1"
RECIPE_FILE = "recipe.toml"
PLAIN_ID = re.compile(r"[a-z0-9][a-z0-9.-]{0,99}")
MULTIPLE = 4
"""What the sides of tiles are multiples of, for each network there is; some need more."""
LEAST_TILE_PX, MOST_TILE_PX = 16, 4096

Problem = tuple[bool, str]
"""Whether something is wrong, and what."""

Split = Literal["auto", "train", "validation"]
Normalisation = Literal["auto", "none", "minmax", "percentile", "zscore"]


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
            _mpp(self.mpp),
        ]


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """Where tiles of one stain come from: a slide, or a folder of images."""

    slide: str = ""
    """A file, or an address such as ``phantom:he:8000:7``."""
    folder: str = ""
    """Images as PNG, JPEG or TIFF, each of them one region."""
    mpp: float | None = None
    """Scale of the files, where they do not say it."""
    regions: str = ""
    """GeoJSON whose regions are used; "" for all tissue of the slide."""
    only: tuple[str, ...] = ()
    """Ids, names or classes of the regions to use; () for all."""
    areas: tuple[tuple[float, float, float, float], ...] = ()
    """Instead of ``regions``: rectangles as x, y, width, height, in level-0 pixels."""
    pieces: tuple[int, ...] = ()
    """Without regions: which separate pieces of tissue, counted from the largest, from 1."""
    split: Split = "auto"

    def problems(self) -> list[Problem]:
        drawn = bool(self.regions or self.areas)
        sound = all(
            all(map(math.isfinite, area)) and area[2] > 0 and area[3] > 0 for area in self.areas
        )
        return [
            (bool(self.slide) == bool(self.folder), "names no place, or two; name slide or folder"),
            (
                bool(self.folder) and (drawn or bool(self.pieces)),
                "regions, areas and pieces are parts of a slide; leave them out with a folder",
            ),
            (bool(self.regions and self.areas), "has both regions and areas; leave one out"),
            (
                bool(self.only) and not self.regions,
                "only chooses among regions; name their file as regions",
            ),
            (
                drawn and bool(self.pieces),
                "pieces are for a slide without regions; leave one out",
            ),
            (not sound, "areas must be x, y, width, height, the last two above 0"),
            (any(n < 1 for n in self.pieces), "pieces are counted from 1"),
            (False, "") if self.mpp is None else _mpp(self.mpp),
        ]


@dataclass(frozen=True, slots=True, kw_only=True)
class Volumes:
    """How volumes are read and become 8-bit tiles; see `Data.volume_source`."""

    chunks_held: int = 8
    """Chunks, or blocks of chunks where one has no room for a tile, that tiles are drawn from by
    turns before the next ones; as many again are read meanwhile. More mixes more regions into
    neighbouring steps, and takes more memory."""
    tiles_per_chunk: int = 0
    """Tiles that each of them gives in an epoch; 0 for as many as lie side by side in it."""
    source_normalisation: Normalisation = "auto"
    """By which line numbers become grey levels, one for the whole volume: "none" as they are;
    "minmax" the least to the most; "percentile" those of ``percentiles``; "zscore" three standard
    deviations about the mean; "auto" none for uint8, else percentile."""
    target_normalisation: Normalisation = "auto"
    percentiles: tuple[float, float] = (0.5, 99.5)
    sample_chunks: int = 32
    """Chunks to learn from that are looked at, once, to estimate that line."""
    gap: int = 16
    """Voxels between what is learnt from and what is judged by, along the axis that parts them."""

    def problems(self) -> list[Problem]:
        low, high = self.percentiles
        return [
            _range("chunks_held", self.chunks_held, 1, 4096),
            _least("tiles_per_chunk", self.tiles_per_chunk, 0),
            (
                not 0 <= low < high <= 100,
                f"percentiles cannot be {list(self.percentiles)}; choose two of 0 to 100, the "
                "lower first",
            ),
            _least("sample_chunks", self.sample_chunks, 1),
            _least("gap", self.gap, 0),
        ]


@dataclass(frozen=True, slots=True, kw_only=True)
class Data:
    """The tiles, and how they are parted into those to learn from and those to judge by."""

    pairing: Pairing
    """"paired": each source has its target in the same frame; "self": the source is the
    target in grey (ITU-R 601); "alone": the target is what the teacher makes of the source."""
    source: tuple[Origin, ...] = ()
    target: tuple[Origin, ...] = ()
    root: str = ""
    """Instead of source and target: a folder with trainA, trainB and testA, testB."""
    aligned: str = ""
    """Instead: a folder of images A|B, source left and target right; or train and test in it."""
    manifest: str = ""
    """Instead: a CSV file with the columns source, target and, if wanted, group and split."""
    npz: str = ""
    """Instead: an archive with arr_0 and arr_1, (N, H, W, 3), uint8 or float of 0..255."""
    volume_source: str = ""
    """Instead: a Zarr, OME-Zarr or HDF5 array (z, y, x, c), c being 3, or 1 or absent if it is
    grey, as ``path::dataset``; uint8, uint16 or float. Its slices are cut at ``model.mpp``."""
    volume_target: str = ""
    """The target's, of 3 channels; alone where it is its own pair."""
    volumes: Volumes = Volumes()
    swap: bool = False
    """Whether A and B, or source and target, of such files change places."""
    tile_px: int = 256
    """Side of the square crops to learn from, at ``model.mpp``."""
    min_tissue: float = 0.5
    """Least share of tissue in a tile."""
    validation_share: float = 0.2
    """What "auto" keeps for validation: whole slides, else regions, else pieces of tissue."""
    validation_tiles: int = 32
    validation_px: int = 256

    def problems(self) -> list[Problem]:
        share = self.validation_share
        return [
            *self._place_problems(),
            _side("tile_px", self.tile_px),
            _side("validation_px", self.validation_px),
            _range("min_tissue", self.min_tissue, 0, 1),
            (not 0 < share < 1, f"validation_share cannot be {share:g}; choose above 0, below 1"),
            _least("validation_tiles", self.validation_tiles, 1),
        ]

    def _place_problems(self) -> list[Problem]:
        names = ("root", "aligned", "manifest", "npz")
        named = [name for name in names if getattr(self, name)]
        volumes = bool(self.volume_source or self.volume_target)
        named += ["volumes"] * volumes
        slides = bool(self.source or self.target)
        said = ", ".join(["source and target"] * slides + named) or "none"
        counts = len(self.source), len(self.target)
        both = f"there are {counts[0]} and {counts[1]}"
        return [
            (
                len(named) + slides != 1,
                "must name exactly one of source and target, root, aligned, manifest, npz and "
                "volume_target; "
                f"it names {said}",
            ),
            (
                slides and self.pairing == "unpaired" and 0 in counts,
                f"unpaired data needs both source and target, and {both}; add the other",
            ),
            (
                slides and self.pairing == "paired" and counts[0] != counts[1],
                f"paired data needs a target for each source, and {both}; make them as many",
            ),
            (
                self.pairing == "paired" and any(o.folder for o in self.source + self.target),
                "folders are not paired by the order of their files; list the pairs in a CSV "
                "file and name it as manifest",
            ),
            (
                bool(self.root) and self.pairing == "paired",
                "trainA and trainB are not paired by the order of their files; list the pairs in "
                "a CSV file and name it as manifest",
            ),
            (
                self.pairing == "self" and bool(self.source and self.target),
                'data that is its own pair needs one stain; leave out source, or pairing "self"',
            ),
            (
                volumes and bool(self.volume_source) == (self.pairing == "self"),
                'volumes are volume_source and volume_target, or with pairing "self" '
                "volume_target alone; name them so",
            ),
            (volumes and not self.volume_target, "volume_target is missing; name the target's"),
            (
                volumes and self.volume_source == self.volume_target,
                "volume_source and volume_target are the same; name another dataset",
            ),
            (
                volumes and self.swap,
                "swap is for files of A and B; exchange volume_source and volume_target instead",
            ),
            (
                self.pairing == "alone" and bool(self.target),
                "a teacher makes the target; leave out target",
            ),
            (
                self.pairing == "alone" and bool(named or any(o.folder for o in self.source)),
                "a teacher is fitted to whole slides; name slides as source instead of files",
            ),
        ]


@dataclass(frozen=True, slots=True, kw_only=True)
class Losses:
    """What the losses weigh. A method takes those that are its own."""

    adversarial: float = 1.0
    gan: Literal["lsgan", "bce"] = "lsgan"
    cycle: float = 10.0
    identity: float = 5.0
    identity_images: int = 0
    """CycleGAN: images after which the identity loss ends; 0 never. It guides the beginning, and
    later holds on to hues that a stain has to change."""
    l1: float = 100.0
    pyramid_octaves: int = 0
    """Pix2Pix and ASP: blurred octaves beside the full one, for pairs not aligned to the pixel;
    0..5. Pix2Pix weighs all alike, ASP the coarser more."""
    nce: float = 0.5
    """CUT and its kin: PatchNCE, by which each patch of what is made must be known by its source.
    CUT trains on the mean of this and ``nce_identity``, so half of each."""
    nce_identity: float = 0.5
    """The same for target images, which must come out as they went in; 0 spares their pass."""
    temperature: float = 0.07
    """What cosines of patches are divided by: the lower, the more the nearest others matter."""
    patches: int = 256
    """Of each image and layer that are compared."""
    flip_equivariance: bool = False
    """Whether half of the images go in mirrored, and are compared mirrored back."""
    supervised_nce: float = 10.0
    """ASP: the same between what is made and the target of its pair, each patch weighed by
    likeness as the rate falls."""
    mse: float = 100.0
    """U-Net: of the mean squared difference, in units of half the range of grey levels."""
    tissue_density: float = 0.15
    """U-Net: optical density ``-ln(v / 255)`` above which, in any channel, the target is tissue."""
    glass_weight: float = 0.1
    """U-Net: what a pixel of the rest counts beside one of tissue."""
    histogram: float = 1.0
    """U-Net: of the Kullback-Leibler divergence between the histograms of optical density of
    target and generated, in nats; 0 leaves it out."""
    histogram_bins: int = 32
    """U-Net: their bins, from 0 to an optical density of 3."""
    histogram_bandwidth: float = 0.1
    """U-Net: standard deviation, in optical density, of the Gaussian by which a pixel is shared
    among bins; about the distance of two bins."""
    density: float = 0.0
    """Distillation: weight of the difference in optical density, beside that in colour (`l1`)."""
    style: float = 1.0
    """Neural style transfer: weight of the style's statistics of features."""
    content: float = 1.0
    """Neural style transfer: weight of the structure that is kept."""
    vgg: str = ""
    """Neural style transfer: a file of VGG-19's weights (``features.N.weight``), whose features
    are used; "" for those of random filters, which need no file."""

    def problems(self) -> list[Problem]:
        anywhere = ("adversarial", "cycle", "identity", "l1", "mse", "histogram", "density")
        by_patches = ("nce", "nce_identity", "supervised_nce", "style", "content")
        return [
            *(_range(name, getattr(self, name), 0, 1e6) for name in anywhere + by_patches),
            _least("identity_images", self.identity_images, 0),
            _range("pyramid_octaves", self.pyramid_octaves, 0, 5),
            _range("temperature", self.temperature, 0.001, 10),
            _range("patches", self.patches, 2, 65_536),
            _range("tissue_density", self.tissue_density, 0, 2),
            _range("glass_weight", self.glass_weight, 0.001, 1),
            _range("histogram_bins", self.histogram_bins, 2, 256),
            _range("histogram_bandwidth", self.histogram_bandwidth, 0.01, 1),
        ]


UNSAID = Losses()


def losses_of(method: MethodName) -> Losses:
    """Return what a method's losses weigh where nobody says otherwise: as in its paper."""
    return Losses(**method_info(method).losses)


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
            _least("batch", self.batch, 1),
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
            _least("pool", self.pool, 0),
            _range("judge_images", self.judge_images, 1, 64),
            (
                self.judge_images > 1 and self.pool == 0,
                "judge_images needs a pool to take earlier images from; set pool to 50",
            ),
            _least("ndf", self.ndf, 1),
            _range("freeze_discriminator", self.freeze_discriminator, 0, 4),
            _range("density_jitter", self.density_jitter, 0, 0.5),
            _least("early_stop", self.early_stop, 0),
            _least("validate_every", self.validate_every, 1),
            _least("checkpoint_every", self.checkpoint_every, 1),
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


def read_recipe(path: Path, data: Path | None = None) -> Recipe:
    """Read a recipe, strictly; relative paths in it become absolute.

    Args:
        path: the recipe.
        data: a folder where its files are looked for, after the recipe's own; also those
            that are gone from where an absolute path says, by their name.

    Raises:
        RecipeError: the file is missing or no TOML, or a field is unknown, missing or
            impossible, or names a file that is in neither folder.
    """
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise RecipeError(f"The recipe {path} cannot be read ({error.strerror}).") from error
    except ValueError as error:
        raise RecipeError(f"The recipe {path} is no TOML: {error}.") from error
    return located(
        recipe_from(values, str(path)), path.resolve().parent, data.resolve() if data else None
    )


def located(recipe: Recipe, beside: Path, data: Path | None = None) -> Recipe:
    """Return the recipe with every path absolute, as `read_recipe` finds it from ``beside``.

    Raises:
        RecipeError: a file is in neither folder.
    """

    def found(path: str) -> str:
        if not path or is_address(path):
            return path
        places = [beside / path]  # an absolute path stays itself
        if data is not None:
            places += [data / path, data / Path(path).name]
        for place in places:
            if place.exists():
                return str(place)
        where = f"is not in {beside}" + (f" or {data}" if data else "")
        if Path(path).is_absolute():
            where = "does not exist" + (f" and is not in {data}" if data else "")
        raise RecipeError(
            f"The recipe names {path}, which {where}; "
            "correct the path, or say where it lies with --data."
        )

    return _with_paths(recipe, found)


def recipe_from(values: dict[str, Any], where: str) -> Recipe:
    """Build a recipe from parsed TOML; ``where`` names its origin in errors."""
    schema = values.get("schema", SCHEMA)
    if schema != SCHEMA:
        raise RecipeError(f"{where}: schema is {schema!r}, and this program reads {SCHEMA!r}.")
    said, method = values.get("losses", {}), values.get("method")
    own = [info.losses for info in METHODS if info.method == method]
    if own and isinstance(said, dict):
        values = {**values, "losses": {**own[0], **said}}
    return build(Recipe, values, where, RecipeError)


def write_recipe(recipe: Recipe, path: Path) -> None:
    """Write a recipe, every value stated, so that later defaults change nothing."""
    path.write_text(tomli_w.dumps(_plain(asdict(recipe))), encoding="utf-8")


def portable(recipe: Recipe) -> Recipe:
    """Return the recipe with files by name alone, to travel with the model it makes.

    Where they lay is nobody's business; ``stainapp train --data`` says where they lie now.
    """
    named = replace(recipe.model, teacher=Path(recipe.model.teacher).name)
    return _with_paths(
        replace(recipe, model=named), lambda path: path if is_address(path) else Path(path).name
    )


def _with_paths(recipe: Recipe, change: Callable[[str], str]) -> Recipe:
    """Return the recipe with each path of its data changed."""

    def origin(one: Origin) -> Origin:
        return replace(
            one,
            slide=change(one.slide),
            folder=change(one.folder),
            regions=change(one.regions),
        )

    def volume(address: str) -> str:
        path, *dataset = address.split("::", 1)
        return "::".join([change(path), *dataset])

    data, losses = recipe.data, recipe.losses
    changed = replace(
        data,
        source=tuple(map(origin, data.source)),
        target=tuple(map(origin, data.target)),
        root=change(data.root),
        aligned=change(data.aligned),
        manifest=change(data.manifest),
        npz=change(data.npz),
        volume_source=volume(data.volume_source),
        volume_target=volume(data.volume_target),
    )
    return replace(recipe, data=changed, losses=replace(losses, vgg=change(losses.vgg)))


def is_address(path: str) -> bool:
    """Tell a made-up slide, such as ``phantom:he``, from a file."""
    return path.startswith(("phantom:", "sample:"))


def _plain(value: Any) -> Any:
    """Turn tuples into lists and leave out None, which TOML does not know."""
    if isinstance(value, dict):
        return {name: _plain(one) for name, one in value.items() if one is not None}
    return [_plain(one) for one in value] if isinstance(value, (list, tuple)) else value


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
        _range("ngf", arch.ngf, 1, 1024),
        _range("blocks", arch.blocks, 0, 64),
        _range("downs", arch.downs, 1, 12),
        _range("layers", arch.layers, 1, 64),
        _range("classes", arch.classes, 1, 16),
    ]


def _range(name: str, value: float, least: float, most: float) -> Problem:
    """Refuse what is outside, and what is not a number."""
    wrong = not least <= value <= most
    return wrong, f"{name} cannot be {value:g}; choose {least:g} to {most:g}"


def _least(name: str, value: int, least: int) -> Problem:
    return value < least, f"{name} cannot be {value}; choose {least} or more"


def _mpp(value: float) -> Problem:
    return _range("mpp", value, FINEST_MPP, COARSEST_MPP)


def _side(name: str, value: int) -> Problem:
    wrong = value % MULTIPLE != 0 or not LEAST_TILE_PX <= value <= MOST_TILE_PX
    return wrong, (
        f"{name} cannot be {value}; choose a multiple of {MULTIPLE} "
        f"from {LEAST_TILE_PX} to {MOST_TILE_PX}"
    )
