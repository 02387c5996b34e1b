"""What `stainapp compare` does: opens both slides, measures them, and writes what was found."""

import argparse
import json
from contextlib import ExitStack, closing
from pathlib import Path
from typing import TYPE_CHECKING

from stainapp.cancel import CancelToken
from stainapp.commands import DONE, FAILED, cancelled_by_signals, complain
from stainapp.errors import Cancelled, ExportError
from stainapp.progress import progress_line

if TYPE_CHECKING:
    from stainapp.compare.comparison import Comparison
    from stainapp.compare.instruments import Instruments
    from stainapp.compare.pair import Pair, Side
    from stainapp.models.virtual_slide import VirtualSlide
    from stainapp.session.regions import Region
    from stainapp.slides.reader import SlideReader


def compare(args: argparse.Namespace) -> int:
    from stainapp.compare.comparison import compare as measured
    from stainapp.compare.report_files import ReportFiles

    files = ReportFiles(args.output)
    inputs = (args.reference, args.other, args.transform, args.regions)
    files.make_room(Path(path) for path in inputs if path is not None)
    with ExitStack() as opened, cancelled_by_signals() as token:
        try:
            pair = _pair(args, opened, token)
            regions = _regions(args, pair)
            instruments = _instruments(args)
            with progress_line(f"{pair.reference.name} | {pair.other.name}") as progress:
                found = measured(
                    pair,
                    regions,
                    mpp=args.mpp,
                    instruments=instruments,
                    token=token,
                    progress=progress,
                )
            report = files.write(pair, found, instruments, token)
        except Cancelled:
            complain(f"Stopped; nothing was written to {args.output}.")
            return FAILED
    if args.pdf:
        from stainapp.ui.report_pdf import write_pdf

        files.written.append(write_pdf(report, files.pdf))
    if args.json:
        print(json.dumps(found.as_dict(), indent=1, allow_nan=False))
    else:
        _print(found)
        print("\n".join(str(path) for path in files.written))
    return DONE


def _pair(args: argparse.Namespace, opened: ExitStack, token: CancelToken) -> "Pair":
    """Open both slides and bring them into one frame; they are closed with ``opened``."""
    from stainapp.compare.sides import in_one_frame, side_of
    from stainapp.registration.transform import Transform

    transform = Transform.read(args.transform) if args.transform is not None else None
    reader = _opened(args.reference, args.reference_mpp, "--reference-mpp", opened)
    reference = side_of(reader, args.stain or _stain(reader), _exported(args.reference))
    other = _opened(args.other, args.other_mpp, "--other-mpp", opened)
    if args.model is None:
        side = side_of(other, args.stain or _stain(other), _exported(args.other))
    else:
        side = _virtual(args, other, opened, token)
    return in_one_frame(reference, side, transform)


def _opened(slide: str, mpp: float | None, option: str, opened: ExitStack) -> "SlideReader":
    from stainapp.slides.known_scale import open_with_scale

    return opened.enter_context(closing(open_with_scale(slide, mpp, complain, option)))


def _virtual(
    args: argparse.Namespace, slide: "SlideReader", opened: ExitStack, token: CancelToken
) -> "Side":
    """Stain OTHER by the model, and back again by its inverse where it has one."""
    from stainapp.compare.sides import virtual_side
    from stainapp.models.compatibility import compatibility
    from stainapp.models.store import default_store
    from stainapp.settings import load_note

    store = default_store()
    found = store.at(args.model)
    found.card.must_be("stainer")
    stain, guessed = _stain(slide), load_note(slide.info.identity).stain is None
    misfit = compatibility(found.card, stain, slide.info.mpp, guessed=guessed).reason
    if misfit:
        complain(f"{slide.info.path.name}: {found.card.id} may not fit: {misfit}.")
    virtual = _stained(found.folder, slide, args.device, opened, token)
    inverse = found.card.inverse
    back = None
    if inverse is not None and any(one.card.id == inverse for one in store.list()):
        back = _stained(store.find(inverse).folder, virtual, args.device, opened, token)
    return virtual_side(virtual, stain, back)


def _stained(
    folder: Path, slide: "SlideReader", device: str, opened: ExitStack, token: CancelToken
) -> "VirtualSlide":
    from stainapp.models.calibration import calibrate_slide
    from stainapp.models.opening import open_stainer
    from stainapp.models.virtual_slide import VirtualSlide
    from stainapp.settings import home

    stainer = open_stainer(folder, device=device, notify=complain)
    state = calibrate_slide(slide, stainer, cache=home() / "calibrations", token=token)
    return opened.enter_context(closing(VirtualSlide(slide, stainer, state)))


def _stain(slide: "SlideReader") -> str:
    """Return what the user has said of a slide's stain, or a guess."""
    from stainapp.settings import load_note
    from stainapp.slides.stain_guess import guess_stain

    return load_note(slide.info.identity).stain or guess_stain(slide)


def _exported(slide: str) -> dict[str, object] | None:
    """Return what a file says of its origin where stainapp has written it."""
    from stainapp.slides.provenance import read_provenance

    path = Path(slide)
    if path.suffix.lower() not in (".tif", ".tiff") or not path.is_file():
        return None
    try:
        return read_provenance(path)
    except ExportError:  # the reader has opened it: no TIFF that has a say
        return None


def _regions(args: argparse.Namespace, pair: "Pair") -> "tuple[Region, ...]":
    if args.regions is not None:
        from stainapp.session.geojson import read_document

        return read_document(args.regions).regions
    from stainapp.compare.tissue_regions import tissue_regions

    regions = tissue_regions(pair)
    complain(f"No --regions were given; {len(regions)} squares of tissue are compared.")
    return regions


def _instruments(args: argparse.Namespace) -> "Instruments":
    """Return what the pictures are to be looked at with."""
    from stainapp.compare.dab import Thresholds
    from stainapp.compare.instruments import Instruments
    from stainapp.compare.segmenter import Classical, Segmenter

    segmenter: Segmenter = Classical()
    if args.segmenter is not None:
        from stainapp.compare.network_segmenter import NetworkSegmenter
        from stainapp.models.store import default_store

        segmenter = NetworkSegmenter(default_store().at(args.segmenter).folder, args.device)
    thresholds = Thresholds(*args.dab_thresholds) if args.dab_thresholds else Thresholds()
    return Instruments(None, segmenter, thresholds)


def _print(found: "Comparison") -> None:
    """Print a line a measure over all regions, and what is to be said of them below."""
    for one in found.of():
        interval = "" if one.low is None else f"[{one.low:.4g}, {one.high:.4g}]"
        sides = "" if one.reference is None else f"{one.other:.4g} against {one.reference:.4g}"
        grey = f"not to be read: {one.greyed}" if one.greyed else ""
        value = f"{one.estimate:.4g} {interval} {one.unit}"
        print(f"{one.measure:<20}{value:<38}{sides:<26}{grey}".rstrip())
    greyed = sum(any(one.greyed for one in found.of(place.name)) for place in found.places)
    print(f"Regions: {len(found.places)}, of which {greyed} have measures not to be read.")
    for note in found.notes:
        print(note)
