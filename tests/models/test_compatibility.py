"""Which models the picker offers for a slide, and what it says of the others."""

from dataclasses import replace

import pytest

from stainapp.models.card import Arch, Classic, ModelCard
from stainapp.models.compatibility import compatibility, sorted_for
from stainapp.slides.stain_guess import UNKNOWN

PIXELWISE = ModelCard(
    id="pixelwise",
    name="Pixelwise",
    method="macenko",
    classic=Classic(kind="macenko"),
    source_stain="H&E",
    target_stain="H&E",
)
NETWORK = replace(
    PIXELWISE, id="network", name="Network", classic=None, arch=Arch(family="resnet"),
    mpp=0.25, files={"weights.safetensors": "0"},
)  # fmt: skip
ANY = replace(PIXELWISE, source_stain="any")
FROM_GREY = replace(PIXELWISE, source_stain="grey", grey_input=True)


@pytest.mark.parametrize(
    ("card", "stain", "mpp", "reason"),
    [
        (PIXELWISE, "H&E", None, ""),
        (PIXELWISE, "DAB", 0.5, "needs H&E; this slide is DAB"),
        (PIXELWISE, "any", None, ""),
        (PIXELWISE, "unknown", None, ""),
        (ANY, "DAB", None, ""),
        (ANY, "unknown", None, ""),
        (ANY, "fluorescence", None, "made for brightfield; this slide is fluorescence"),
        (PIXELWISE, "fluorescence", None, "needs H&E; this slide is fluorescence"),
        (replace(PIXELWISE, source_stain="fluorescence"), "fluorescence", None, ""),
        (FROM_GREY, "grey", None, ""),
        (FROM_GREY, "H&E", None, ""),
        (FROM_GREY, "PAS", None, "needs grey; this slide is PAS"),
        (replace(FROM_GREY, grey_input=False), "H&E", None, "needs grey; this slide is H&E"),
        (NETWORK, "unknown", 0.5, "needs 0.25 µm/px or finer; this slide has 0.50"),
        (NETWORK, "H&E", 0.25, ""),
        (NETWORK, "H&E", 0.05, ""),
        (NETWORK, "H&E", 0.325, ""),
        (NETWORK, "H&E", 0.5, "needs 0.25 µm/px or finer; this slide has 0.50"),
        (NETWORK, "H&E", None, "needs the slide's pixel size, which is not known"),
        (NETWORK, "PAS", None, "needs H&E; this slide is PAS"),
    ],
)
def test_a_model_that_does_not_suit_says_why_in_one_short_reason(
    card: ModelCard, stain: str, mpp: float | None, reason: str
) -> None:
    verdict = compatibility(card, stain, mpp)

    assert verdict.reason == reason
    assert verdict.ok == (reason == "")


@pytest.mark.parametrize(
    ("card", "stain", "reason"),
    [
        (PIXELWISE, "DAB", "needs H&E; this slide looks like DAB"),
        (ANY, "fluorescence", "made for brightfield; this slide looks like fluorescence"),
        (PIXELWISE, "H&E", ""),
    ],
)
def test_a_stain_that_is_only_a_guess_is_called_one(
    card: ModelCard, stain: str, reason: str
) -> None:
    assert compatibility(card, stain, None, guessed=True).reason == reason
    assert [verdict.reason for _, verdict in sorted_for([card], stain, None, guessed=True)] == [
        reason
    ]


def test_a_stain_that_could_not_be_guessed_rules_no_model_out() -> None:
    assert compatibility(PIXELWISE, UNKNOWN, None, guessed=True).ok


def test_compatible_models_come_first_and_then_names_decide() -> None:
    cards = [
        replace(NETWORK, id="a", name="A"),
        replace(PIXELWISE, id="c", name="c"),
        replace(PIXELWISE, id="b", name="B"),
        replace(PIXELWISE, id="d", name="D", source_stain="PAS"),
    ]

    judged = sorted_for(cards, "H&E", 0.5)

    assert [(card.id, verdict.ok) for card, verdict in judged] == [
        ("b", True), ("c", True), ("a", False), ("d", False)
    ]  # fmt: skip
