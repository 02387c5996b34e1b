"""The values behind a preset that the dialog shows: where each lies, its words and its box."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import get_args

from PySide6.QtWidgets import QCheckBox, QComboBox, QDoubleSpinBox, QLineEdit, QSpinBox, QWidget

from stainapp.runs.methods import METHODS
from stainapp.runs.recipe_data import Normalisation

Box = QSpinBox | QDoubleSpinBox | QComboBox | QCheckBox | QLineEdit
JUDGED = tuple(info.method for info in METHODS if info.judged_channels)
"""Methods with discriminators."""


@dataclass(frozen=True, slots=True)
class Row:
    """One value: where it lies in `Values`, its words and its box."""

    part: str
    """"training", "losses", "network", "bridge", "volumes", or "" for the values themselves."""
    name: str
    words: str
    make: Callable[[QWidget], Box]
    hint: str
    methods: tuple[str, ...] = ()
    """Those that know it; () for all."""


def _whole(low: int, high: int, step: int = 1) -> Callable[[QWidget], Box]:
    def make(parent: QWidget) -> Box:
        box = QSpinBox(parent)
        box.setRange(low, high)
        box.setSingleStep(step)
        box.setGroupSeparatorShown(True)
        return box

    return make


def _real(low: float, high: float, decimals: int, step: float) -> Callable[[QWidget], Box]:
    def make(parent: QWidget) -> Box:
        box = QDoubleSpinBox(parent)
        box.setDecimals(decimals)
        box.setRange(low, high)
        box.setSingleStep(step)
        return box

    return make


def _choice(*names: str) -> Callable[[QWidget], Box]:
    def make(parent: QWidget) -> Box:
        box = QComboBox(parent)
        box.addItems(names)
        return box

    return make


PATCHWISE = ("cut", "fastcut", "asp")
GENERATORS = ("resunet", "resnet", "unet", "pixel")
NORMALISATIONS: tuple[str, ...] = get_args(Normalisation)
LEVELS = "How the numbers of the volume become grey levels, by one line for all of it"
FAMILIES = {"blocks": ("resunet", "resnet", "bridge"), "downs": ("unet",), "classes": ("dcgmm",)}
"""Those of networks that a value is of, where not of all."""
ROWS = (
    Row("training", "images", "Images", _whole(1, 100_000_000, 1_000), "Images to learn from"),
    Row("training", "batch", "Images a step", _whole(1, 256), "The batch"),
    Row("", "tile_px", "Crop (px)", _whole(32, 2048, 32), "Side of the crops at the model's scale"),
    Row("training", "rate", "Rate", _real(1e-6, 1e-2, 6, 5e-5), "Learning rate at the start"),
    Row("training", "ema", "Averaging", _real(0.0, 0.99999, 5, 0.001), "Kept of the mean, a step"),
    Row(
        "training",
        "judge_images",
        "Judged images",
        _whole(1, 64),
        "Real and generated images the discriminators learn from for each of the generators'",
        ("cyclegan", *PATCHWISE),
    ),
    Row(
        "training",
        "pool",
        "Earlier images",
        _whole(0, 1000, 10),
        "Kept to be judged again; 0 for the newest alone",
        ("cyclegan", *PATCHWISE),
    ),
    Row(
        "losses",
        "gan",
        "Adversarial loss",
        _choice("lsgan", "bce"),
        "Least squares or entropy",
        JUDGED,
    ),
    Row(
        "losses",
        "adversarial",
        "Its weight",
        _real(0.0, 100.0, 2, 0.5),
        "Adversarial weight",
        JUDGED,
    ),
    Row("losses", "cycle", "Cycle weight", _real(0, 1000, 1, 1), "There and back", ("cyclegan",)),
    Row("losses", "identity", "Identity weight", _real(0, 1000, 1, 1), "Own stain", ("cyclegan",)),
    Row(
        "losses",
        "identity_images",
        "Identity until",
        _whole(0, 100_000_000, 1_000),
        "Images after which the identity loss ends, so that hues may change; 0 never",
        ("cyclegan",),
    ),
    Row("losses", "nce", "NCE weight", _real(0, 100, 2, 0.5), "To the source", PATCHWISE),
    Row(
        "losses",
        "nce_identity",
        "NCE own stain",
        _real(0, 100, 2, 0.5),
        "PatchNCE weight of target images, which must stay; 0 spares their time",
        PATCHWISE,
    ),
    Row(
        "losses",
        "supervised_nce",
        "NCE of the pair",
        _real(0, 100, 2, 0.5),
        "PatchNCE weight of the target that a source is paired with",
        ("asp",),
    ),
    Row(
        "losses",
        "temperature",
        "Temperature",
        _real(0.001, 10, 3, 0.01),
        "Of PatchNCE: the lower, the more the nearest other patches matter",
        PATCHWISE,
    ),
    Row("losses", "patches", "Patches", _whole(2, 4096, 32), "Of an image and layer", PATCHWISE),
    Row(
        "losses",
        "flip_equivariance",
        "Mirror half",
        QCheckBox,
        "Half of the images go in mirrored, and are compared mirrored back",
        PATCHWISE,
    ),
    Row(
        "losses",
        "l1",
        "L1 weight",
        _real(0, 1000, 1, 10),
        "Weight of the pairs",
        ("pix2pix", "asp", "distil"),
    ),
    Row(
        "losses",
        "density",
        "Density weight",
        _real(0, 1000, 1, 1),
        "Weight of the difference in optical density",
        ("distil",),
    ),
    Row("losses", "style", "Style weight", _real(0, 1000, 1, 1), "Look of the style", ("nst",)),
    Row(
        "losses",
        "vgg",
        "VGG-19 weights",
        QLineEdit,
        "A file of your own with them; without one, filters drawn at random see the style",
        ("nst",),
    ),
    Row("losses", "content", "Content weight", _real(0, 1000, 1, 1), "Structure kept", ("nst",)),
    Row(
        "losses",
        "pyramid_octaves",
        "Pyramid octaves",
        _whole(0, 5),
        "Blurred octaves beside the full one, for pairs not aligned to the pixel",
        ("pix2pix", "asp"),
    ),
    Row("losses", "mse", "Squares weight", _real(0, 1000, 1, 10), "Weight of the pairs", ("unet",)),
    Row(
        "losses",
        "glass_weight",
        "Glass counts",
        _real(0.001, 1, 3, 0.05),
        "What a pixel of bare glass counts beside one of tissue",
        ("unet",),
    ),
    Row(
        "losses",
        "tissue_density",
        "Tissue from (OD)",
        _real(0, 2, 2, 0.05),
        "Optical density above which a pixel of the target is tissue",
        ("unet",),
    ),
    Row(
        "losses",
        "histogram",
        "Histogram weight",
        _real(0, 1000, 2, 0.5),
        "How much the densities that occur matter, wherever they lie; 0 leaves it out",
        ("unet",),
    ),
    Row(
        "losses",
        "histogram_bins",
        "Histogram bins",
        _whole(2, 256),
        "From 0 to an optical density of 3",
        ("unet",),
    ),
    Row(
        "losses",
        "histogram_bandwidth",
        "Bandwidth (OD)",
        _real(0.01, 1, 2, 0.05),
        "Over which a pixel is shared among bins; about the distance of two bins",
        ("unet",),
    ),
    Row(
        "bridge",
        "nfe",
        "Steps",
        _whole(1, 999),
        "Evaluations of the network when staining: few look smooth and are fast",
        ("i2sb",),
    ),
    Row(
        "bridge",
        "beta_max",
        "Noise",
        _real(0.01, 10.0, 2, 0.1),
        "How much chance there is on the way (beta_max); 1.0 is usual without any",
        ("i2sb",),
    ),
    Row(
        "bridge",
        "ot_ode",
        "Without chance",
        QCheckBox,
        "Walk along the mean of the way (OT-ODE): nothing is drawn",
        ("i2sb",),
    ),
    Row("network", "family", "Network", _choice(*GENERATORS), "The generator"),
    Row("network", "ngf", "Channels", _whole(4, 256, 8), "Of the generator's first layer"),
    Row("network", "blocks", "Blocks", _whole(1, 20), "Residual blocks of a ResNet or ResUNet"),
    Row("network", "downs", "Halvings", _whole(5, 9), "Halvings of a U-Net; 7 for 128 px crops"),
    Row("network", "classes", "Classes", _whole(1, 16), "Of tissue, each with its own colours"),
    Row(
        "training",
        "precision",
        "Precision",
        _choice("auto", "fp32", "bf16", "fp16"),
        "auto measures",
    ),
    Row(
        "training",
        "freeze_discriminator",
        "Frozen layers",
        _whole(0, 4),
        "Early layers of the discriminator that do not learn, when going on from a model",
    ),
    Row(
        "training",
        "keep",
        "Keep",
        _choice("best", "last"),
        "The model of the best validation, or the newest: distances may choose an early one",
    ),
    Row(
        "training",
        "early_stop",
        "Patience",
        _whole(0, 1000),
        "Validations without gain before the run ends; 0 never",
    ),
    Row(
        "training",
        "validate_every",
        "Validate every",
        _whole(1, 1_000_000, 500),
        "Images between two validations, each with a picture",
    ),
    Row(
        "",
        "validation_px",
        "Validation (px)",
        _whole(32, 2048, 32),
        "Side of the tiles to judge by; lower it where regions are small",
    ),
    Row(
        "",
        "validation_share",
        "Validation share",
        _real(0.01, 0.9, 2, 0.05),
        "Kept to judge by: whole slides, else regions, else pieces of tissue",
    ),
    Row(
        "volumes",
        "chunks_held",
        "Chunks at once",
        _whole(1, 4096),
        "That tiles are drawn from by turns: more mixes more of the volume, and takes more memory",
    ),
    Row(
        "volumes",
        "tiles_per_chunk",
        "Tiles a chunk",
        _whole(0, 100_000),
        "That each chunk gives in an epoch; 0 for as many as lie side by side in it",
    ),
    Row("volumes", "source_normalisation", "Source levels", _choice(*NORMALISATIONS), LEVELS),
    Row("volumes", "target_normalisation", "Target levels", _choice(*NORMALISATIONS), LEVELS),
    Row("", "seed", "Seed", _whole(0, 2**31 - 1), "The same seed gives the same run"),
    Row(
        "training",
        "diffaugment",
        "Disturb images alike",
        QCheckBox,
        "Before the discriminator (DiffAugment): for little data",
        JUDGED,
    ),
)
