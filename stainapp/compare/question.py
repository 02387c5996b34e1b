"""What is asked of a model's pictures: made from which tiles, to be like which."""

from collections.abc import Sequence
from dataclasses import dataclass

from stainapp.errors import StainAppError
from stainapp.slides.reader import RgbImage


@dataclass(frozen=True, slots=True)
class TileSet:
    """Tiles of one stain at one scale."""

    images: RgbImage
    """``(N, H, W, 3)`` uint8."""
    regions: Sequence[str]
    """Where each comes from: what is resampled as a whole. A slide's name and its region's."""
    stain: str
    mpp: float

    def __post_init__(self) -> None:
        if self.images.ndim != 4 or not len(self.images) or len(self.images) != len(self.regions):
            raise StainAppError(
                f"{len(self.images)} tiles of {len(self.regions)} regions cannot be measured; "
                "name the region of each tile."
            )


@dataclass(frozen=True, slots=True)
class Question:
    """What is known beforehand; all but the pictures that are judged."""

    source: TileSet
    target: TileSet
    paired: bool
    """Whether target tile n shows the same pixels as source tile n."""
    another: TileSet | None = None
    """More real tiles of the target's stain, of other tissue: how far real is from real."""

    @property
    def normalises(self) -> bool:
        """Whether source and target are of one stain, so that what is asked is constancy."""
        return self.source.stain == self.target.stain

    def __post_init__(self) -> None:
        if self.paired and self.source.images.shape != self.target.images.shape:
            raise StainAppError(
                f"Source tiles of shape {self.source.images.shape} and target tiles of shape "
                f"{self.target.images.shape} are no pairs; cut both from the same places."
            )
