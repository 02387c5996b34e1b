"""The methods that can be trained: what each needs and makes, and when to use it. No torch."""

from dataclasses import dataclass
from typing import Literal

MethodName = Literal["cyclegan", "pix2pix", "dcgmm"]
Pairing = Literal["unpaired", "paired", "self"]
"""How source and target belong together, see `stainapp.runs.recipe.Data.pairing`."""


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
    beside: str = ""
    """What to do with data of another pairing, for the sentence that refuses it."""


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
)


NORMALISER: MethodName = "dcgmm"
"""What a normaliser to the open slide is taught by."""


def method_info(method: str) -> MethodInfo:
    return next(one for one in METHODS if one.method == method)
