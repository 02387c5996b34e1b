"""Open a slide whose pixel size is known: from the file, from what was noted of it, or as told."""

from collections.abc import Callable

from stainapp.errors import UnknownScaleError
from stainapp.settings import load_note
from stainapp.slides.opening import open_slide
from stainapp.slides.reader import SlideReader
from stainapp.slides.scale import RECORDED_MPP, guess_mpp


def open_with_scale(
    slide: str, mpp: float | None, say: Callable[[str], None], option: str = "--mpp"
) -> SlideReader:
    """Open a slide and see that its scale is known.

    Args:
        slide: a file or an address, as `open_slide`.
        mpp: micrometres per level-0 pixel, over what the file says; None to go by that.
        say: told where the file says otherwise.
        option: how the user can state it.

    Raises:
        UnknownScaleError: neither the file nor the user says.
        SlideError: as `open_slide`.
    """
    reader = open_slide(slide, mpp=mpp)
    if reader.info.mpp is not None:
        recorded = reader.info.properties.get(RECORDED_MPP)
        if recorded is not None:
            say(f"{slide} records {recorded} um/px; taken as {reader.info.mpp:g} instead.")
        return reader
    identity, guess = reader.info.identity, guess_mpp(reader.info)
    reader.close()
    noted = load_note(identity).mpp
    if noted is not None:
        return open_slide(slide, mpp=noted)
    hint = f" (its objective suggests {guess:.3g}, which is only a guess)" if guess else ""
    raise UnknownScaleError(f"{slide} does not say how large its pixels are{hint}; give {option}.")
