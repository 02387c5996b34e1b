"""The methods that can be trained, and when to use each. Loads no torch."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class MethodInfo:
    method: str
    name: str
    when: str
    """One sentence for the dialog."""
    paired: bool
    """Whether each source tile needs its target in the same frame."""


METHODS = (
    MethodInfo(
        "cyclegan",
        "CycleGAN",
        "For two stains on different sections or slides, of which no pixel matches another; "
        "teaches both directions.",
        paired=False,
    ),
    MethodInfo(
        "pix2pix",
        "Pix2Pix",
        "For pairs of the same tissue in the same frame, or grey to colour; "
        "learns faster and keeps structures best.",
        paired=True,
    ),
)


def method_info(method: str) -> MethodInfo:
    return next(one for one in METHODS if one.method == method)
