"""What a report says in words: how it was measured, and what its figures cannot say."""

from collections.abc import Sequence

from stainapp.compare.comparison import Comparison
from stainapp.compare.instruments import Instruments
from stainapp.compare.intervals import RESAMPLES
from stainapp.compare.pair import Pair
from stainapp.compare.piece_sums import MARGIN_UM
from stainapp.compare.region_grid import PIECE_UM
from stainapp.compare.registration_error import NUCLEUS_RADIUS_UM
from stainapp.compare.segmenter import said_of


def methods(pair: Pair, comparison: Comparison, instruments: Instruments) -> Sequence[str]:
    """Return how the figures came about, a sentence or two each."""
    found = [
        f"Both slides were read at {comparison.mpp:.4g} um per pixel, in squares of "
        f"{PIECE_UM:g} um on a grid that begins at the slide's corner; a pixel belongs to a region "
        "if its centre lies inside. Nothing else was resampled, and no colours were adjusted.",
        "PSNR is 10 log10 of 255 squared over the mean squared difference of all pixels and "
        "channels. SSIM is that of Wang et al. (2004) with their Gaussian window, averaged over "
        "the region's pixels.",
    ]
    if pair.reference.stain == pair.other.stain:
        found.append(
            "Amounts of dyes are optical densities (-log10 of the transmitted light) along fixed, "
            "published directions (Ruifrok and Johnston, 2001). A dye's error is the mean absolute "
            "difference pixel by pixel; a mean amount is compared as other less reference."
        )
    finder = _capital(said_of(instruments.segmenter))
    found += [
        f"Nuclei are those whose centre lies inside; {MARGIN_UM:g} um around each square were "
        f"read along. Two nuclei are the same if their centres lie within {NUCLEUS_RADIUS_UM:g} um "
        f"and each has but one partner; F1 is over all of both. {finder}.",
        f"Intervals hold 95 % of {RESAMPLES} bootstrap resamples with a fixed seed. Over all "
        "regions whole regions were resampled, as squares of one region are alike; of one region "
        "its squares, so that its interval says nothing of others.",
        "Limits of agreement are those of Bland and Altman (1986), over regions: bias and bias "
        "plus and minus 1.96 standard deviations, each with its 95 % interval by Student's t.",
    ]
    if pair.error_um is not None:
        found.append(
            "Beside each figure stands the registration's own estimate of its error there. What is "
            "compared pixel by pixel or nucleus by nucleus is grey, and not to be read, where that "
            f"exceeds {NUCLEUS_RADIUS_UM:g} um, a nucleus' radius; what is summed up over a "
            "region, where it exceeds a tenth of the region's side. Over all regions only those "
            "count where the figure may be read."
        )
    return found


def limits(pair: Pair, comparison: Comparison) -> Sequence[str]:
    """Return what a reader must know before quoting a figure."""
    found = ["For research; not for diagnosis."]
    if pair.reference.identity != pair.other.identity:
        found.append(
            "Two sections are not the same tissue: nuclei are cut through or missing in one of "
            "them, so that even two perfect stains would not agree in every place."
        )
    if pair.error_um is None:
        found.append(
            "How well the slides lie on each other is not known, so nothing is greyed for it."
        )
    else:
        found.append("The registration error is an estimate that the registration makes of itself.")
    if pair.other.virtual:
        found.append(
            "A virtual stain shows what its target usually looks like. Good figures here say how "
            "like the real stain it is in these regions, not that a finding in it is true."
        )
    found.append(
        "The regions were chosen by somebody or by a rule; figures over them hold for such regions."
    )
    found += [str(limit) for limit in pair.other.origin.get("limits", ())]
    return found


def _capital(words: str) -> str:
    return words[:1].upper() + words[1:]
