"""From open slides to a pair: what each side is, and both in one frame."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from stainapp.compare.pair import ErrorAt, Pair, Points, Side
from stainapp.errors import StainAppError
from stainapp.models.card import ANY_STAIN, UNKNOWN_STAIN
from stainapp.models.virtual_slide import VirtualSlide, provenance
from stainapp.registration.transform import Transform
from stainapp.registration.warped_slide import WarpedSlide
from stainapp.slides.reader import SlideInfo, SlideReader
from stainapp.slides.scale import RECORDED_MPP


def side_of(reader: SlideReader, stain: str, exported: Mapping[str, Any] | None = None) -> Side:
    """Return a slide from a file as a side of a pair.

    Args:
        reader: the open file.
        stain: what it shows.
        exported: what the file says of its origin, where stainapp has written it; see
            `stainapp.slides.provenance.read_provenance`. A virtual slide stays one.
    """
    info = reader.info
    facts = {
        "virtual": False,
        "source_file": info.path.name,
        "stain": stain,
        "width_px": info.width_px,
        "height_px": info.height_px,
        "mpp": info.mpp,
        "recorded_mpp": info.properties.get(RECORDED_MPP, info.mpp),
        "icc": info.icc,
    }
    name = info.path.name
    if exported is not None and exported.get("virtual"):
        facts = {key: value for key, value in exported.items() if key != "export"}
        name = f"virtual {stain}, {name}"
    return Side(reader, stain, name, info.mpp, info.identity, facts)


def virtual_side(
    virtual: VirtualSlide, source_stain: str, back: VirtualSlide | None = None
) -> Side:
    """Return what a model makes of a slide as a side of a pair.

    Args:
        virtual: the virtual slide.
        source_stain: what its source is stained with; a normaliser keeps it, whatever slide or
            image it normalises to.
        back: what the model's inverse makes of the virtual slide, where there is one.
    """
    card, info = virtual.stainer.card, virtual.source.info
    known = source_stain not in (ANY_STAIN, UNKNOWN_STAIN)
    stain = source_stain if card.normalises and known else card.target_stain
    # A model's picture holds nothing finer than it was taught at.
    scales = [mpp for mpp in (info.mpp, card.mpp if virtual.scale is not None else None) if mpp]
    return Side(
        virtual,
        stain,
        f"virtual {stain} of {info.path.name}",
        max(scales, default=None),
        info.identity,
        provenance(virtual),
        virtual.source,
        card.normalises,
        back,
    )


def in_one_frame(reference: Side, other: Side, transform: Transform | None = None) -> Pair:
    """Return both sides in one frame: that of the transform's fixed slide, whichever that is.

    Args:
        reference: what is true.
        other: what is set beside it.
        transform: joins the two, either way round; None where they are of one slide, or lie in
            one frame already.

    Raises:
        StainAppError: the transform joins other slides, or without one there is no common frame.
    """
    if transform is None:
        return _as_they_are(reference, other)
    joined_by = {
        "method": transform.method,
        "digest": transform.digest,
        "fixed": transform.fixed.name,
        "moving": transform.moving.name,
    }
    turned = transform.fixed.identity == other.identity
    base, moved = (other, reference) if turned else (reference, other)
    fixed = base.real.info
    transform.check(fixed, moved.real.info)
    moved = _moved(moved, transform, fixed, fixed.mpp)
    reference, other = (moved, base) if turned else (base, moved)
    return Pair(reference, other, _error_of(transform, fixed), joined_by)


def _as_they_are(reference: Side, other: Side) -> Pair:
    if reference.identity == other.identity:
        return Pair(reference, other, lambda points: np.zeros(len(points)))
    frames = [(s.real.info.width_px, s.real.info.height_px) for s in (reference, other)]
    if frames[0] != frames[1]:
        raise StainAppError(
            f"{reference.name} and {other.name} lie in no common frame; register them with "
            "stainapp register, and give the transform."
        )
    return Pair(reference, other)


def _moved(side: Side, transform: Transform, fixed: SlideInfo, fixed_mpp: float | None) -> Side:
    """Return a side in the frame of the fixed slide; its detail stays as fine as it was."""

    def warped(reader: SlideReader) -> SlideReader:
        return WarpedSlide(reader, transform, fixed)

    scales = [mpp for mpp in (side.mpp, fixed_mpp) if mpp is not None]
    return replace(
        side,
        reader=warped(side.reader),
        mpp=max(scales, default=None),
        source=_if_any(side.source, warped),
        back=_if_any(side.back, warped),
    )


def _if_any(
    reader: SlideReader | None, warped: Callable[[SlideReader], SlideReader]
) -> SlideReader | None:
    return None if reader is None else warped(reader)


def _error_of(transform: Transform, fixed: SlideInfo) -> ErrorAt | None:
    """Return the error in um by the scale that is known now, which the file may not have."""
    scale = fixed.mpp
    if transform.error is None or scale is None:
        return None

    def error_um(points: Points) -> Points:
        return transform.error_px(points) * scale

    return error_um
