"""What `stainapp compare` and `stainapp study` do."""

import argparse
import json
import os
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from stainapp.commands import DONE, FAILED, cancelled_by_signals, complain, print_rows
from stainapp.errors import Cancelled, ExportError
from stainapp.progress import progress_line

if TYPE_CHECKING:
    from stainapp.compare.comparison import Comparison
    from stainapp.compare.instruments import Instruments
    from stainapp.compare.pair import Pair
    from stainapp.session.regions import Region


def compare(args: argparse.Namespace) -> int:
    from stainapp.compare.comparison import compare as measured
    from stainapp.compare.opening import PairRequest, open_pair
    from stainapp.compare.report_files import ReportFiles
    from stainapp.models.store import default_store

    files = ReportFiles(args.output)
    inputs = (args.reference, args.other, args.transform, args.template, args.regions)
    files.make_room(Path(path) for path in inputs if path is not None)
    with ExitStack() as opened, cancelled_by_signals() as token:
        try:
            request = PairRequest.of(vars(args))
            pair = open_pair(request, default_store(), opened, token, complain)
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
        os.environ["QT_QPA_PLATFORM"] = "offscreen"  # paper needs no display
        from stainapp.ui.report_pdf import write_pdf

        files.written.append(write_pdf(report, files.pdf))
    if args.json:
        print(json.dumps(found.as_dict(), indent=1, allow_nan=False))
    else:
        _print(found)
        print("\n".join(str(path) for path in files.written))
    return DONE


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


def study_make(args: argparse.Namespace) -> int:
    from secrets import randbelow

    from stainapp.compare.opening import PairRequest
    from stainapp.session.geojson import read_document
    from stainapp.session.reader_study import StudyFolder, make_study

    request = PairRequest.of(vars(args)).absolute()
    seed = randbelow(2**31) if args.seed is None else args.seed
    study = make_study(read_document(args.regions).regions, seed, asdict(request))
    StudyFolder.create(args.folder, study)
    print(f"{args.folder}: {len(study.fields)} fields; stainapp study read begins.")
    return DONE


def study_read(args: argparse.Namespace) -> int:
    from stainapp.display import require_display

    require_display()
    from stainapp.compare.opening import PairRequest, open_pair
    from stainapp.models.store import default_store
    from stainapp.session.reader_study import StudyFolder
    from stainapp.ui.study_window import read_study

    folder = StudyFolder.open(args.folder)
    folder.answers(args.reader)  # a wrong name ends here, not in a window
    with ExitStack() as opened, cancelled_by_signals() as token:
        request = PairRequest.of(folder.study.slides)
        pair = open_pair(request, default_store(), opened, token, complain)
        read_study(folder, args.reader, pair)
    left = len(folder.study.fields) - len(folder.answers(args.reader))
    print(f"{args.reader}: " + (f"{left} fields are left." if left else "all fields are answered."))
    return DONE


def study_results(args: argparse.Namespace) -> int:
    from stainapp.compare.study_results import results_of
    from stainapp.session.reader_study import StudyFolder

    table, answers = results_of(StudyFolder.open(args.folder))
    for path, text in ((args.answers, answers), (args.output, table.as_csv())):
        if path is not None:
            try:
                path.write_text(text, encoding="utf-8")
            except OSError as error:
                raise ExportError(f"{path} cannot be written ({error.strerror}).") from error
    if args.json:
        print(table.as_json(), end="")
    else:
        print_rows(table.rows)
    return DONE
