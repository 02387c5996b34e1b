"""What pictures are looked at with, where there is a choice."""

from dataclasses import dataclass, field

from stainapp.compare.dab import Thresholds
from stainapp.compare.segmenter import Classical, Segmenter
from stainapp.compare.set_rows import Looker


@dataclass(frozen=True, slots=True)
class Instruments:
    """Those that need nothing from outside, unless others are given."""

    inception: Looker | None = None
    """For FID, KID and IS; without it there are none."""
    segmenter: Segmenter = field(default_factory=Classical)
    thresholds: Thresholds = field(default_factory=Thresholds)
    """Of DAB."""
