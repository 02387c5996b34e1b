"""Opening what a comparison needs."""

from contextlib import ExitStack

import pytest

from stainapp.cancel import CancelToken
from stainapp.compare import opening
from stainapp.compare.opening import PairRequest, open_pair
from stainapp.models.slide_state import SlideState
from stainapp.models.stainer import Stainer
from stainapp.models.store import default_store
from stainapp.models.survey import survey
from stainapp.models.virtual_slide import VirtualSlide
from stainapp.slides.reader import SlideReader

HE = "phantom:he:900:5"


class SurveyedError(Exception):
    """Carries what was to be calibrated on the way back."""


def test_the_way_back_is_fitted_without_staining_the_whole_slide(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def calibrate(source: SlideReader, stainer: Stainer, **how: object) -> SlideState:
        if not isinstance(source, VirtualSlide):
            return SlideState()  # nothing is stained here
        monkeypatch.setattr(VirtualSlide, "read", None)
        assert survey(source) is survey(source.source)
        raise SurveyedError

    monkeypatch.setattr(opening, "calibrate_slide", calibrate)
    request = PairRequest(reference=HE, other=HE, model="he-to-pas-colon", other_mpp=0.5)

    with ExitStack() as opened, pytest.raises(SurveyedError):
        open_pair(request, default_store(), opened, CancelToken(), lambda _: None)
