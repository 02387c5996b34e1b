"""Open all that a pair needs, by the names of files and models."""

from collections.abc import Callable, Mapping
from contextlib import ExitStack, closing
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any

from stainapp.cancel import CancelToken
from stainapp.compare.pair import Pair, Side
from stainapp.compare.sides import in_one_frame, side_of, virtual_side
from stainapp.errors import ExportError, StainAppError
from stainapp.models.calibration import calibrate_slide
from stainapp.models.compatibility import compatibility
from stainapp.models.opening import open_stainer
from stainapp.models.store import Store
from stainapp.models.survey import adopt
from stainapp.models.template import read_template
from stainapp.models.virtual_slide import VirtualSlide
from stainapp.registration.transform import Transform
from stainapp.settings import home, load_note
from stainapp.slides.known_scale import open_with_scale
from stainapp.slides.provenance import read_provenance
from stainapp.slides.reader import RgbImage, SlideReader
from stainapp.slides.stain_guess import guess_stain

Say = Callable[[str], None]

TIFF_SUFFIXES = (".tif", ".tiff")


@dataclass(frozen=True, slots=True, kw_only=True)
class PairRequest:
    """Which two slides, and how they come into one frame."""

    reference: str
    """A file or an address, as `open_slide` takes it; so `other`."""
    other: str
    transform: str | None = None
    """File of the transform that joins the two, either way round."""
    model: str | None = None
    """Id or folder of the model whose stain of ``other`` is compared."""
    template: str | None = None
    """The image or slide that the model normalises to, in place of its own."""
    strength: float = 1.0
    """How much of the model's stain there is, 0..1."""
    stain: str | None = None
    """What both show, where the guess is wrong."""
    reference_mpp: float | None = None
    """Micrometres per level-0 pixel, over what the file says; so `other_mpp`."""
    other_mpp: float | None = None
    device: str = "auto"

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> "PairRequest":
        """Return a request from values that may hold more than it asks for."""
        return cls(**{one.name: values[one.name] for one in fields(cls) if one.name in values})

    def absolute(self) -> "PairRequest":
        """Return it with paths that hold from any folder; addresses stay as they are."""
        found = asdict(self)
        for name in ("reference", "other", "transform", "model", "template"):
            path = found[name]
            if path is not None and Path(path).exists():
                found[name] = str(Path(path).resolve())
        return PairRequest(**found)


def open_pair(
    request: PairRequest, store: Store, opened: ExitStack, token: CancelToken, say: Say
) -> Pair:
    """Open both slides and bring them into one frame.

    Args:
        request: what to open.
        store: where models are found.
        opened: closes what was opened.
        token: ends a calibration early.
        say: told in one sentence what the user should know.

    Raises:
        StainAppError: a slide, the model or the transform cannot be used.
        Cancelled: the token was cancelled.
    """
    transform = Transform.read(Path(request.transform)) if request.transform is not None else None

    def real(slide: str, mpp: float | None, option: str) -> SlideReader:
        return opened.enter_context(closing(open_with_scale(slide, mpp, say, option)))

    def side(slide: str, reader: SlideReader) -> Side:
        return side_of(reader, request.stain or stain_of(reader), _exported(slide))

    reference = real(request.reference, request.reference_mpp, "--reference-mpp")
    other = real(request.other, request.other_mpp, "--other-mpp")
    if request.model is None:
        beside = side(request.other, other)
    else:
        beside = _stained_side(request, other, store, opened, token, say)
    return in_one_frame(side(request.reference, reference), beside, transform)


def stain_of(reader: SlideReader) -> str:
    """Return what the user has said of a slide's stain, or a guess."""
    return load_note(reader.info.identity).stain or guess_stain(reader)


def _stained_side(
    request: PairRequest,
    slide: SlideReader,
    store: Store,
    opened: ExitStack,
    token: CancelToken,
    say: Say,
) -> Side:
    """Stain the other slide by the model, and back again by its inverse where it has one."""
    assert request.model is not None
    found = store.at(request.model)
    found.card.must_be("stainer")
    stain, guessed = stain_of(slide), load_note(slide.info.identity).stain is None
    misfit = compatibility(found.card, stain, slide.info.mpp, guessed=guessed).reason
    if misfit:
        say(f"{slide.info.path.name}: {found.card.id} may not fit: {misfit}.")

    def stained(
        folder: Path, source: SlideReader, template: RgbImage | None = None, strength: float = 1.0
    ) -> VirtualSlide:
        stainer = open_stainer(folder, device=request.device, template=template, notify=say)
        state = calibrate_slide(source, stainer, cache=home() / "calibrations", token=token)
        virtual = VirtualSlide(source, stainer, state, strength=strength)
        return opened.enter_context(closing(virtual))

    path = request.template
    template = None if path is None else read_template(Path(path), found.card)
    virtual, back = stained(found.folder, slide, template, request.strength), None
    if found.card.inverse is not None and request.strength == 1:  # it leads back from all of it
        adopt(virtual, slide)
        try:
            back = stained(store.find(found.card.inverse).folder, virtual)
        except StainAppError as error:  # the comparison does without
            say(f"There is no cycle error: {error}")
    made = virtual_side(virtual, stain, back)
    if path is None:
        return made
    return replace(made, origin={**made.origin, "template": Path(path).name})


def _exported(slide: str) -> dict[str, Any] | None:
    """Return what a file says of its origin where stainapp has written it."""
    path = Path(slide)
    if path.suffix.lower() not in TIFF_SUFFIXES or not path.is_file():
        return None
    try:
        return read_provenance(path)
    except ExportError:  # a reader has opened it: no TIFF that has a say
        return None
