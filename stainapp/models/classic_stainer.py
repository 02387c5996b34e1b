"""The stainer of the methods that are fitted in closed form. Knows no torch."""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from stainapp.cancel import CancelToken
from stainapp.errors import ModelError
from stainapp.models import normalisers
from stainapp.models.card import ModelCard
from stainapp.models.slide_state import SlideState
from stainapp.models.stainer import Places, Tiles
from stainapp.slides.reader import RgbImage


class ClassicStainer:
    """Reinhard, Macenko or unmixing; a pixel is mapped by itself, on the processor."""

    device = "cpu"
    precision = "fp32"
    batch = 8

    def __init__(self, card: ModelCard, template: RgbImage | None = None) -> None:
        classic = card.classic
        assert classic is not None
        self.card = card
        self._kind = classic.kind
        self._reference: Mapping[str, Any] = classic.reference
        self.digest = card.digest
        if template is not None:
            self._reference = normalisers.fit_template(classic.kind, template)
            text = card.digest + json.dumps(self._reference, sort_keys=True)
            self.digest = hashlib.sha256(text.encode()).hexdigest()

    @property
    def default_state(self) -> SlideState | None:
        return SlideState() if self._kind == "unmix" else None

    def calibrate(self, tiles: Tiles, token: CancelToken | None = None) -> SlideState:
        if token is not None:
            token.check()
        arrays = normalisers.fit(self._kind, tiles, self._reference)
        return SlideState(arrays=arrays, tiles=len(tiles))

    def calibrate_and_predict(
        self, tiles: Tiles, token: CancelToken | None = None, *, at: Places | None = None
    ) -> tuple[SlideState, Tiles]:
        state = self.calibrate(tiles, token)
        return state, self.predict(tiles, state, token)

    def predict(
        self,
        tiles: Tiles,
        state: SlideState,
        token: CancelToken | None = None,
        *,
        at: Places | None = None,
        strength: float = 1.0,
    ) -> Tiles:
        if token is not None:
            token.check()
        try:
            return normalisers.apply(self._kind, tiles, state.arrays, self._reference)
        except KeyError as error:
            raise ModelError(
                f"{self.card.name} lacks {error}: calibrate the slide for this model, "
                "or install the model again."
            ) from error
