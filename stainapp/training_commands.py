"""What the commands that teach and judge models do."""

import argparse
import json
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from stainapp.commands import DONE, FAILED, MISUSED, complain, print_rows
from stainapp.errors import ExportError, StainAppError
from stainapp.progress import progress_line

if TYPE_CHECKING:
    from stainapp.compare.instruments import Instruments
    from stainapp.compare.ranking import Ranking
    from stainapp.models.store import Store
    from training.check import Estimate

LOOK_S = 0.5
"""Between two looks at how far a run is."""


def train(args: argparse.Namespace) -> int:
    if args.methods:
        return _methods(json_wanted=args.json)
    if args.recipe is None:
        complain("Name a recipe, stainapp train RECIPE.toml, or ask for --methods.")
        return MISUSED
    if args.check:
        return _check(args)
    from stainapp.runs.recipe_file import read_recipe
    from training.start import check_folder, checked, run_of, start_from

    recipe = read_recipe(args.recipe, args.data)
    run = run_of(args.recipe, recipe, args.output)
    check_folder(run, recipe, resume=args.resume)
    if not args.resume and sys.stderr.isatty():  # elsewhere nobody waits for it: --check tells
        complain(_in_words(checked(recipe, args.device).estimate))
    with _progress_of(run.events_file, recipe.model.id, recipe.training.images):
        _, why = start_from(
            args.recipe,
            output=run.path,
            data=args.data,
            resume=args.resume,
            device=args.device,
        )
    if why == "interrupted":
        complain(f"Interrupted; stainapp train {run.recipe_file} --resume goes on.")
        return FAILED
    print(run.model)
    return DONE


def distil(args: argparse.Namespace) -> int:
    from stainapp.models.store import default_store
    from stainapp.runs.distilling import distilling
    from stainapp.runs.folder import RunFolder
    from stainapp.settings import home
    from training.processes import ALONE
    from training.start import start

    found = default_store().at(args.model)
    recipe = distilling(found, args.on, mpp=args.mpp, model_id=args.id)
    run = RunFolder(args.output or home() / "runs" / recipe.model.id)
    with _progress_of(run.events_file, recipe.model.id, recipe.training.images):
        why = start(recipe, run, ALONE, resume=False, device=args.device)
    if why == "interrupted":
        complain(f"Interrupted; stainapp train {run.recipe_file} --resume goes on.")
        return FAILED
    print(run.model / recipe.model.id)
    return DONE


def _methods(*, json_wanted: bool) -> int:
    from stainapp.runs.methods import METHODS

    if json_wanted:
        print(json.dumps([asdict(one) for one in METHODS], indent=2))
    else:
        for one in METHODS:
            print(f"{one.method:<12}{one.name}: {one.when}")
    return DONE


def _check(args: argparse.Namespace) -> int:
    """Say whether a recipe will do, how it splits, and what it will take."""
    from stainapp.runs.recipe_file import read_recipe
    from training.start import checked

    try:
        found = checked(read_recipe(args.recipe, args.data), args.device)
    except StainAppError as error:
        if not args.json:
            raise
        print(json.dumps({"ok": False, "problem": str(error)}))
        return FAILED
    if args.json:
        print(json.dumps(found.values()))
        return DONE
    for part in found.split:
        print(f"{part.split:<12}{part.stain:<8}{part.name}")
    tiles = found.tiles
    print(f"Room for {tiles['train']} tiles to learn from and {tiles['validation']} to judge by.")
    if "far_off" in tiles:
        print(f"{tiles['far_off']} tiles are left out: their pairs are not registered well enough.")
    print(_in_words(found.estimate))
    return DONE


def evaluate(args: argparse.Namespace) -> int:
    from stainapp.compare.table import joined
    from stainapp.models.store import default_store
    from training.held_out import judge
    from training.report import page_of, ranked, reported

    store = default_store()
    _make_room(args)
    instruments = _instruments(args, store)
    models = [store.at(name) for name in args.models]
    found = judge(
        models,
        args.data,
        store,
        data=args.files,
        steps=args.steps,
        device=args.device,
        instruments=instruments,
    )
    rankings = [ranked(one, args.device, costs=bool(args.costs or args.page)) for one in found]
    for one in found if args.figures is not None else ():
        for name in one.models:
            one.verdict.draw_worst(args.figures / f"{name}.png", name)
    report = {
        "data": str(args.data),
        **_named(instruments),
        "comparisons": [reported(*pair) for pair in zip(found, rankings, strict=True)],
    }
    tables = [one.verdict.table for one in found]
    if args.output is not None:
        _write(args.output, json.dumps(report, indent=1, allow_nan=False) + "\n")
    if args.csv is not None:
        _write(args.csv, joined(tables).as_csv())
    if args.page is not None:
        _write(args.page, page_of(found, rankings))
    if args.json:
        print(json.dumps(report, indent=1, allow_nan=False))
    else:
        print_rows(joined(tables).rows)
        for ranking in rankings:
            _print_ranking(ranking)
    return DONE


def _print_ranking(ranking: "Ranking") -> None:
    """Print who is better over what all have, with what each costs."""
    if len(ranking.standings) < 2:
        return
    print(f"Mean rank in {', '.join(ranking.ranked_by) or 'nothing that all have'}:")
    for one in ranking.standings:
        costs = ", ".join(
            f"{value:.3g} {name}" for name, value in ranking.costs.get(one.subject, {}).items()
        )
        print(f"{one.mean_rank:>6.1f}  {one.subject:<32}{costs}".rstrip())


def _instruments(args: argparse.Namespace, store: "Store") -> "Instruments":
    """Return what the pictures are to be looked at with."""
    from stainapp.compare.dab import Thresholds
    from stainapp.compare.instruments import Instruments
    from stainapp.compare.network_segmenter import NetworkSegmenter
    from stainapp.compare.segmenter import Classical, Segmenter

    segmenter: Segmenter = Classical()
    if args.segmenter is not None:
        segmenter = NetworkSegmenter(store.at(args.segmenter).folder, args.device)
    inception = None
    if args.inception is not None:
        from stainapp.compare.inception import Inception

        inception = Inception(args.inception, args.inception_sha256, args.device)
    thresholds = Thresholds(*args.dab_thresholds) if args.dab_thresholds else Thresholds()
    return Instruments(inception, segmenter, thresholds)


def _named(instruments: "Instruments") -> dict[str, object]:
    """Return what figures can only be compared with if it was the same."""
    accuracy, inception = instruments.segmenter.accuracy, instruments.inception
    return {
        "segmenter": {
            "name": instruments.segmenter.name,
            "accuracy": asdict(accuracy) if accuracy else None,
        },
        "dab_thresholds": asdict(instruments.thresholds),
        "inception": {"layout": inception.layout, "sha256": inception.sha256}
        if inception
        else None,
    }


def _make_room(args: argparse.Namespace) -> None:
    """See, before anything is computed, that there is a folder for each file to be written."""
    files = [path for path in (args.output, args.csv, args.page) if path is not None]
    for folder in (*([args.figures] if args.figures else []), *(file.parent for file in files)):
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise ExportError(f"{folder} cannot be made ({error.strerror}).") from error
    for file in files:
        if file.is_dir():
            raise ExportError(f"{file} is a folder; name a file to be written.")


def _write(path: Path, text: str) -> None:
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise ExportError(f"{path} cannot be written ({error.strerror}).") from error


def _in_words(estimate: "Estimate") -> str:
    hours, minutes = divmod(max(1, round(estimate.seconds / 60)), 60)
    time = f"{hours} h {minutes} min" if hours else f"{minutes} min"
    return (
        f"About {time} at {estimate.images_per_s:.2g} images/s on {estimate.device} "
        f"({estimate.precision}), {estimate.memory_bytes / 2**30:.1f} GiB of memory and "
        f"{estimate.disk_bytes / 2**20:.0f} MiB on disk."
    )


@contextmanager
def _progress_of(events: Path, name: str, total: int) -> Iterator[None]:
    """Draw a bar on a terminal from what the run writes into its log."""
    from stainapp.runs.folder import EventReader

    reader, over = EventReader(events), threading.Event()

    def watch() -> None:
        with progress_line(name) as report:
            while not over.wait(LOOK_S):
                for event in reader.new():
                    if "images" in event:
                        report(event["images"], total)

    thread = threading.Thread(target=watch, name="progress", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
