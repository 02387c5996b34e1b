"""What every method can do: be fitted to a slide, and stain tiles."""

from collections.abc import Callable
from typing import Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from stainapp.cancel import CancelToken
from stainapp.models.card import ModelCard
from stainapp.models.slide_state import SlideState

Tiles: TypeAlias = NDArray[np.uint8]
"""``(N, H, W, 3)`` sRGB at the card's mpp; sides are multiples of ``card.multiple``."""
Places: TypeAlias = NDArray[np.int64]
"""``(N, 2)``: column and row of each tile's first pixel, counted from the slide's corner at the
card's mpp. Only a method of chance looks at them, so that neighbouring tiles draw the same."""
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
        self, tiles: Tiles, token: CancelToken | None = None, *, at: Places | None = None
    ) -> tuple[SlideState, Tiles]:
        """Do both in the one pass that calibration needs anyway.

        The tiles that come back may be fewer, the first ones, where memory was short.
        """
        ...

    def predict(
        self,
        tiles: Tiles,
        state: SlideState,
        token: CancelToken | None = None,
        *,
        at: Places | None = None,
        strength: float = 1.0,
    ) -> Tiles:
        """Stain tiles by a slide's state, never by the tiles' own statistics.

        Args:
            tiles: what to stain.
            state: from `calibrate`.
            token: ends the work early.
            at: where the tiles lie; None puts each of them into the slide's corner.
            strength: how far a bridge is walked, 0..1; other methods know no way between.

        Raises:
            ModelError: the state is of another model.
            DeviceMemoryError: no device has room for the smallest piece.
            Cancelled: the token was cancelled.
        """
        ...
