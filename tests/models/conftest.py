"""What the tests of virtual slides share."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from typing import Any

import pytest

from stainapp.models.slide_state import SlideState
from stainapp.models.stainer import Stainer
from stainapp.models.virtual_slide import VirtualSlide
from stainapp.slides.reader import SlideReader

Made = Callable[..., VirtualSlide]


@pytest.fixture
def virtual() -> Iterator[Made]:
    """Make virtual slides that end with the test."""
    with ExitStack() as stack:

        def make(source: SlideReader, stainer: Stainer, state: SlideState | None = None,
                 **options: Any) -> VirtualSlide:  # fmt: skip
            slide = VirtualSlide(source, stainer, state or SlideState(), **options)
            stack.enter_context(closing(slide))
            return slide

        yield make
