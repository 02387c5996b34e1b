"""Whether a model suits a slide, and the one short reason why not. Imports no torch."""

from collections.abc import Iterable
from dataclasses import dataclass

from stainapp.models.card import ANY_STAIN, UNKNOWN_STAIN, ModelCard

COARSEST = 1.3
"""A slide's pixels may be this many times as large as the network's; beyond it would be
enlarged, and a network does not find in it what it was trained to look for."""

DARK_FIELD = "fluorescence"
"""The one stain that is bright on black, where a model for any brightfield stain fails."""


@dataclass(frozen=True, slots=True)
class Compatibility:
    """The verdict; ``reason`` is empty where all is well."""

    ok: bool
    reason: str = ""


def compatibility(
    card: ModelCard, stain: str, mpp: float | None, *, guessed: bool = False
) -> Compatibility:
    """Judge a model for a slide.

    Args:
        card: the model.
        stain: the slide's stain, or "any" or "unknown" where it is not known.
        mpp: micrometres per level-0 pixel of the slide, None where not known.
        guessed: whether the stain is only a guess, which the reason then says.
    """
    needed = _needed_instead(card, stain)
    if needed:
        slide = f"looks like {stain}" if guessed else f"is {stain}"
        return Compatibility(False, f"{needed}; this slide {slide}")
    if card.mpp is None:
        return Compatibility(True)
    if mpp is None:
        return Compatibility(False, "needs the slide's pixel size, which is not known")
    if mpp > COARSEST * card.mpp:
        reason = f"needs {card.mpp:.2f} µm/px or finer; this slide has {mpp:.2f}"
        return Compatibility(False, reason)
    return Compatibility(True)


def sorted_for(
    cards: Iterable[ModelCard], stain: str, mpp: float | None, *, guessed: bool = False
) -> list[tuple[ModelCard, Compatibility]]:
    """Return each card with its verdict: compatible ones first, otherwise by name."""
    judged = [(card, compatibility(card, stain, mpp, guessed=guessed)) for card in cards]
    return sorted(judged, key=lambda pair: (not pair[1].ok, pair[0].name.casefold()))


def _needed_instead(card: ModelCard, stain: str) -> str:
    """Say what a model needs when the stain is another; empty when it may well fit."""
    if stain in (ANY_STAIN, UNKNOWN_STAIN, card.source_stain):
        return ""
    if card.grey_input and stain == card.target_stain:
        return ""  # it takes the grey of a slide: a normaliser of the stain it makes
    if card.source_stain != ANY_STAIN:
        return f"needs {card.source_stain}"
    return "made for brightfield" if stain == DARK_FIELD else ""
