"""The methods that can be trained: what each needs and makes, and when to use it. No torch."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

MethodName = Literal[
    "cyclegan", "pix2pix", "cut", "fastcut", "asp", "unet", "dcgmm", "i2sb", "distil", "nst"
]
Pairing = Literal["unpaired", "paired", "self", "alone"]
"""How source and target belong together, see `stainapp.runs.recipe_data.Data.pairing`."""


@dataclass(frozen=True, slots=True)
class MethodInfo:
    method: MethodName
    name: str
    when: str
    """One sentence for the dialog: when to use it, and what it costs."""
    pairings: tuple[Pairing, ...]
    """What it can learn from, the usual one first."""
    citation: str
    """For the cards of its models."""
    both_ways: bool = False
    """Whether it teaches the way back as well."""
    judged_channels: int = 0
    """Channels that its discriminators see: 3, 6 where they judge pairs, 0 where it has none."""
    families: tuple[str, ...] = ("resnet", "resunet", "unet", "pixel")
    """Of networks that it can teach; see `Arch.family`."""
    one_stain: bool = False
    """Whether source and target are of one stain: it teaches a normaliser."""
    limit: str = ""
    """What its models cannot know, where that is not as of others with such data."""
    whole_target: bool = False
    """Whether its target is a style, of which nothing needs to be held out."""
    beside: str = ""
    """What to do with data of another pairing, for the sentence that refuses it."""
    losses: Mapping[str, Any] = field(default_factory=dict)
    """What its losses weigh where that differs from `stainapp.runs.recipe_losses.Losses`."""


ROUGH_PAIRS: MethodName = "asp"
"""For pairs that are registered: they meet only roughly."""
CUT_PAPER = (
    "Park T, Efros AA, Zhang R, Zhu JY. Contrastive learning for unpaired image-to-image "
    "translation. ECCV 2020, arXiv 2007.15651."
)
METHODS = (
    MethodInfo(
        "cyclegan",
        "CycleGAN",
        "For two stains on different sections or slides, of which no pixel matches another; "
        "teaches both directions.",
        pairings=("unpaired", "paired"),
        both_ways=True,
        judged_channels=3,
        citation="Zhu JY, Park T, Isola P, Efros AA. Unpaired image-to-image translation using "
        "cycle-consistent adversarial networks. ICCV 2017, arXiv 1703.10593.",
    ),
    MethodInfo(
        "pix2pix",
        "Pix2Pix",
        "For pairs of the same tissue in the same frame, or grey to colour; "
        "learns faster and keeps structures best.",
        pairings=("paired", "self"),
        judged_channels=6,
        beside="or method to cyclegan",
        citation="Isola P, Zhu JY, Zhou T, Efros AA. Image-to-image translation with conditional "
        "adversarial networks. CVPR 2017, arXiv 1611.07004.",
    ),
    MethodInfo(
        "cut",
        "CUT",
        "For two stains without pairs, where only the one direction is wanted: patches hold the "
        "picture to its source; three fifths of a CycleGAN's time.",
        pairings=("unpaired", "paired"),
        judged_channels=3,
        citation=CUT_PAPER,
    ),
    MethodInfo(
        "fastcut",
        "FastCUT",
        "As CUT in two thirds of its time, for a first look: held to its source more tightly, so "
        "that it changes colours well and structures less.",
        pairings=("unpaired", "paired"),
        judged_channels=3,
        citation=CUT_PAPER,
        losses={"nce": 10.0, "nce_identity": 0.0, "flip_equivariance": True},
    ),
    MethodInfo(
        "asp",
        "ASP",
        "For pairs that meet only roughly, such as registered neighbouring sections: trusts a "
        "patch of the target by how well it fits; a little longer than FastCUT.",
        pairings=("paired",),
        judged_channels=3,
        beside="or method to cut",
        citation="Li F, Hu Z, Chen W, Kak A. Adaptive supervised PatchNCE loss for learning "
        "H&E-to-IHC stain translation with inconsistent groundtruth image pairs. MICCAI 2023, "
        "arXiv 2303.06193.",
        losses={"nce": 10.0, "nce_identity": 0.0, "l1": 10.0, "pyramid_octaves": 5},
    ),
    MethodInfo(
        "unet",
        "U-Net regression",
        "For pairs aligned to the pixel, where a stable run matters more than fine texture: "
        "no discriminator, so a step costs least; what the source cannot tell comes out blurred.",
        pairings=("paired", "self"),
        beside="or method to cyclegan",
        citation="Ronneberger O, Fischer P, Brox T. U-Net: convolutional networks for biomedical "
        "image segmentation. MICCAI 2015, arXiv 1505.04597.",
    ),
    MethodInfo(
        "dcgmm",
        "DCGMM (normaliser)",
        "For two slides of one stain that differ in colour: the source's are shown in the colours "
        "of the target, tissue class by tissue class; minutes on a processor.",
        pairings=("unpaired", "paired"),
        families=("dcgmm",),
        one_stain=True,
        limit="It recolours classes of tissue, told by density alone, and draws nothing: what "
        "differs in hue within a class stays so, and what a slide has more of is not evened out.",
        citation="Ghazvinian Zanjani F, Zinger S, de With PHN. Deep convolutional Gaussian mixture "
        "model for stain-color normalization of histopathological images. MICCAI 2018, LNCS "
        "11071:274-282.",
    ),
    MethodInfo(
        "i2sb",
        "Schrödinger bridge (I2SB)",
        "For the pairs of Pix2Pix, without an adversary: steadier to teach, and it draws from what "
        "is likely where the stain is open; each of its steps costs a whole generator's pass.",
        pairings=("paired", "self"),
        families=("bridge",),
        beside="or method to cyclegan",
        citation="Liu GH, Vahdat A, Huang DA, Theodorou EA, Nie W, Anandkumar A. I2SB: "
        "Image-to-image Schrödinger bridge. ICML 2023, arXiv 2302.05872.",
    ),
    MethodInfo(
        "distil",
        "Distillation",
        "For a fast stand-in of a model that is there already: a colour map that runs live and "
        "cannot draw; a minute or two on a processor, most of it the teacher's.",
        pairings=("alone",),
        losses={"l1": 1.0},
        citation="Kang H, Luo D, Feng W, et al. StainNet: a fast and robust stain normalization "
        "network. Front Med 2021, 8:746307.",
    ),
    MethodInfo(
        "nst",
        "Neural style transfer",
        "For the look of one picture or slide, on slides of another stain: a colour map that runs "
        "live and cannot draw; minutes on a processor.",
        pairings=("unpaired",),
        whole_target=True,
        limit="It imitates the look of a picture: no pixel was ever compared with the truth, and "
        "a colour does not show where that stain would bind.",
        citation="Gatys LA, Ecker AS, Bethge M. Image style transfer using convolutional neural "
        "networks. CVPR 2016, 2414-2423.",
    ),
)


NORMALISER: MethodName = "dcgmm"
"""What a normaliser to the open slide is taught by."""


def method_info(method: str) -> MethodInfo:
    return next(one for one in METHODS if one.method == method)
