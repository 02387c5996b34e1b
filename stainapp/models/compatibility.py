"""Whether a model suits a slide, and the one short reason why not. Imports no torch."""

from collections.abc import Iterable
from dataclasses import dataclass

from stainapp.models.card import ANY_STAIN, ModelCard

COARSEST = 1.3
"""A slide's pixels may be this many times as large as the network's; beyond it would be
enlarged, and a network does not find in it what it was trained to look for."""


@dataclass(frozen=True, slots=True)
class Compatibility:
    """The verdict; ``reason`` is empty where all is well."""

    ok: bool
    reason: str = ""


def compatibility(card: ModelCard, stain: str, mpp: float | None) -> Compatibility:
    """Judge a model for a slide.

    Args:
        card: the model.
        stain: the slide's stain, or "any" where it is not known.
        mpp: micrometres per level-0 pixel of the slide, None where not known.
    """
    if ANY_STAIN not in (card.source_stain, stain) and card.source_stain != stain:
        return Compatibility(False, f"needs {card.source_stain}; this slide is {stain}")
    if card.mpp is None:
        return Compatibility(True)
    if mpp is None:
        return Compatibility(False, "needs the slide's pixel size, which is not known")
    if mpp > COARSEST * card.mpp:
        reason = f"needs {card.mpp:.2f} µm/px or finer; this slide has {mpp:.2f}"
        return Compatibility(False, reason)
    return Compatibility(True)


def sorted_for(
    cards: Iterable[ModelCard], stain: str, mpp: float | None
) -> list[tuple[ModelCard, Compatibility]]:
    """Return each card with its verdict: compatible ones first, otherwise by name."""
    judged = [(card, compatibility(card, stain, mpp)) for card in cards]
    return sorted(judged, key=lambda pair: (not pair[1].ok, pair[0].name.casefold()))
