"""Open a model folder; fit it to a slide; stain tiles. One interface for every method."""

from collections.abc import Callable
from pathlib import Path
from typing import Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from stainapp.cancel import CancelToken
from stainapp.errors import ModelError
from stainapp.models.card import ModelCard, sha256_of
from stainapp.models.slide_state import SlideState
from stainapp.models.torch_libraries import preload
from stainapp.slides.reader import RgbImage

Tiles: TypeAlias = NDArray[np.uint8]
"""``(N, H, W, 3)`` sRGB at the card's mpp; sides are multiples of ``card.multiple``."""
Notify: TypeAlias = Callable[[str], None]
"""Told in one sentence what the user should know, such as that memory ran out."""


class Stainer(Protocol):
    """One model on one device. Its methods may be called from several threads."""

    @property
    def card(self) -> ModelCard: ...

    @property
    def device(self) -> str: ...

    @property
    def precision(self) -> str:
        """One of "fp32", "bf16" and "fp16"."""
        ...

    @property
    def digest(self) -> str:
        """The same for the same pixels: card, weights and template."""
        ...

    @property
    def batch(self) -> int:
        """How many of the card's tiles are best given to `predict` at once."""
        ...

    @property
    def default_state(self) -> SlideState | None:
        """The state of a slide nothing is known of; None where the method must be calibrated."""
        ...

    def calibrate(self, tiles: Tiles, token: CancelToken | None = None) -> SlideState:
        """Fit the method to a slide by some of its tissue tiles.

        Raises:
            ModelError: the tiles show too little to fit to.
            DeviceMemoryError: not even one tile fits into memory.
            Cancelled: the token was cancelled.
        """
        ...

    def calibrate_and_predict(
        self, tiles: Tiles, token: CancelToken | None = None
    ) -> tuple[SlideState, Tiles]:
        """Do both in the one pass that calibration needs anyway.

        The tiles that come back may be fewer, the first ones, where memory was short.
        """
        ...

    def predict(self, tiles: Tiles, state: SlideState, token: CancelToken | None = None) -> Tiles:
        """Stain tiles by a slide's state, never by the tiles' own statistics.

        Raises:
            ModelError: the state is of another model.
            DeviceMemoryError: no device has room for the smallest piece.
            Cancelled: the token was cancelled.
        """
        ...


def open_stainer(
    folder: Path,
    *,
    device: str = "auto",
    precision: str = "auto",
    template: RgbImage | None = None,
    notify: Notify | None = None,
) -> Stainer:
    """Open a model folder, having verified every file against its card.

    Args:
        folder: holds ``card.json`` and what it names.
        device: "auto", "cpu", "mps", "cuda" or "cuda:<n>".
        precision: "auto" (measured once per device), "fp32", "bf16" or "fp16".
        template: an image to normalise to, instead of the card's reference.
        notify: told what the user should know while staining.

    Raises:
        ModelError: the card, the weights, the device or the template cannot be used.
    """
    from stainapp.models.classic_stainer import ClassicStainer

    card = ModelCard.read(folder)
    _verify(folder, card)
    if card.classic is not None:
        return ClassicStainer(card, template)
    if template is not None:
        raise ModelError(f"{card.name} cannot take a template image; Reinhard and Macenko can.")
    preload()
    from stainapp.models.network_stainer import NetworkStainer  # loads torch: only networks wait

    return NetworkStainer(card, folder, device, precision, notify)


def _verify(folder: Path, card: ModelCard) -> None:
    for name, expected in card.files.items():
        try:
            found = sha256_of(folder / name)
        except OSError as error:
            raise ModelError(
                f"{folder / name} cannot be read; install the model {card.id!r} again."
            ) from error
        if found != expected:
            raise ModelError(
                f"{folder / name} is not the file its card names; "
                f"install the model {card.id!r} again."
            )
