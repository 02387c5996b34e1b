"""The methods that can be trained: what each needs and makes, and when to use it. No torch."""

from dataclasses import dataclass
from typing import Literal

MethodName = Literal["cyclegan", "pix2pix", "distil", "nst"]
Pairing = Literal["unpaired", "paired", "self", "alone"]
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
    whole_target: bool = False
    """Whether its target is a style, of which nothing needs to be held out."""
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
        "distil",
        "Distillation",
        "For a fast stand-in of a model that is there already: a colour map that runs live and "
        "cannot draw; a minute or two on a processor, most of it the teacher's.",
        pairings=("alone",),
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
        citation="Gatys LA, Ecker AS, Bethge M. Image style transfer using convolutional neural "
        "networks. CVPR 2016, 2414-2423.",
    ),
)


def method_info(method: str) -> MethodInfo:
    return next(one for one in METHODS if one.method == method)
