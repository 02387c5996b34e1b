"""What each command does. Each imports what it needs when run, so that none waits for another."""

import argparse
import json
import os
import signal
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stainapp.cancel import CancelToken
from stainapp.errors import Cancelled, StainAppError

if TYPE_CHECKING:
    from stainapp.compare.table import Row

DONE, FAILED, MISUSED = 0, 1, 2
MOST_LETTERS = 120


def view(args: argparse.Namespace) -> int:
    if args.model is not None:
        from stainapp.models.store import default_store

        # A wrong name ends here, not in a window without stain.
        default_store().find(args.model).card.must_be("stainer")
    if args.screenshot is not None:
        os.environ["QT_QPA_PLATFORM"] = "offscreen"
    from stainapp.display import require_display

    require_display()
    if sys.platform == "win32":
        # torch 2.9 and later fail to load there once Qt has been (pytorch issue 166628).
        import torch  # noqa: F401
    from stainapp.ui.app import ViewOptions, run_app

    return run_app(
        ViewOptions(
            slide=args.slide,
            mpp=args.mpp,
            model=args.model,
            reference=args.reference,
            difference=args.difference,
            template=args.template,
            layout=args.layout,
            at=args.at,
            zoom=args.zoom,
            rotate=args.rotate,
            fade=args.fade,
            strength=args.strength,
            device=args.device,
            theme=args.theme,
            fresh=args.new,
            size=args.size,
            screenshot=args.screenshot,
            wait_s=args.wait,
        )
    )


def info(args: argparse.Namespace) -> int:
    from stainapp.slides.opening import open_slide
    from stainapp.slides.scale import guess_mpp
    from stainapp.slides.stain_guess import guess_stain

    with closing(open_slide(args.slide)) as reader:
        info = reader.info
        facts = {
            "path": str(info.path),
            "format": info.format,
            "width_px": info.width_px,
            "height_px": info.height_px,
            "mpp": info.mpp,
            "mpp_guess": guess_mpp(info) if info.mpp is None else None,
            "objective": info.objective,
            "icc": info.icc,
            "stain_guess": guess_stain(reader),
            "associated": list(info.associated),
            "levels": [asdict(level) for level in info.levels],
            "identity": info.identity,
            "damaged_regions": len(reader.damaged),
            "properties": dict(info.properties),
        }
    if args.json:
        print(json.dumps(facts, indent=2, ensure_ascii=False))
        return DONE
    for name, value in facts.items():
        if name == "levels":
            for level in info.levels:
                print(
                    f"{'level':<17}{level.width_px} x {level.height_px}  1/{level.downsample:.4g}"
                )
        elif name == "properties":
            for key, text in sorted(info.properties.items()):
                print(f"  {key}: {shortened(text)}")
        else:
            words = ", ".join(value) if isinstance(value, list) else value
            print(f"{name:<17}{'not recorded' if words in (None, '') else words}")
    return DONE


def shortened(text: str) -> str:
    """Cut what fills screens: some formats keep whole tables in one property."""
    return text if len(text) <= MOST_LETTERS else f"{text[:MOST_LETTERS]}… ({len(text)} letters)"


def models_list(args: argparse.Namespace) -> int:
    from stainapp.models.store import default_store

    store = default_store()
    found = store.list()
    if args.json:
        print(json.dumps([asdict(one.card) for one in found], indent=2, ensure_ascii=False))
    else:
        for one in found:
            card = one.card
            scale = f"{card.mpp:g} um/px" if card.mpp else "any scale"
            stains = f"{card.source_stain} -> {card.target_stain}"
            if card.kind == "segmenter":
                stains = f"nuclei in {card.source_stain}"
            print(f"{card.id:<26}{stains:<32}{scale:<14}{card.licence}")
    for problem in store.problems:
        complain(problem.reason)
    return DONE


def models_show(args: argparse.Namespace) -> int:
    from stainapp.models.store import default_store

    found = default_store().at(args.model)
    print(json.dumps(asdict(found.card), indent=2, ensure_ascii=False))
    return DONE


def models_check(args: argparse.Namespace) -> int:
    from stainapp.models.store import check

    card = check(args.folder)
    if args.json:
        print(json.dumps({"id": card.id, "version": card.version, "ok": True}))
    else:
        print(
            f"{card.id} {card.version}: the card and {len(card.files)} files are as they should be."
        )
    return DONE


def models_import(args: argparse.Namespace) -> int:
    from stainapp.models.card import Bridge
    from stainapp.models.checkpoints import import_checkpoint
    from stainapp.models.store import plain_id
    from stainapp.settings import home

    model_id = args.id or plain_id(args.file)
    said = {"beta_max": args.beta_max, "ot_ode": args.ot_ode or None, "nfe": args.nfe}
    told = {name: value for name, value in said.items() if value is not None}
    card = import_checkpoint(
        args.file,
        home() / "models",
        id=model_id,
        name=args.name or f"{args.source_stain} to {args.target_stain} ({model_id})",
        source_stain=args.source_stain,
        target_stain=args.target_stain,
        mpp=args.mpp,
        norm_mode=args.norm_mode,
        bridge=Bridge(**told) if told else None,
        licence=args.licence,
        kind=args.kind,
    )
    if args.json:
        print(json.dumps(asdict(card), indent=2, ensure_ascii=False))
    else:
        print(f"{card.id}: {card.method}, {card.parameters:,} parameters, imported and probed.")
    return DONE


def stain(args: argparse.Namespace) -> int:
    from stainapp.cohort import ExportChoices, StainJob, stain_slide, target_for
    from stainapp.models.store import default_store
    from stainapp.progress import progress_line

    model = default_store().at(args.model)
    model.card.must_be("stainer")
    several = len(args.slides) > 1
    if several and args.region is not None:
        complain("--region takes one slide; run one command a slide.")
        return MISUSED
    choices = ExportChoices(args.compression, args.resume, args.overwrite)
    failures = 0
    with cancelled_by_signals() as token:
        for slide in args.slides:
            target = target_for(slide, model.card.id, args.output, several=several)
            job = StainJob(
                slide=slide,
                model=model.folder,
                target=target,
                region=args.region,
                mpp=args.mpp,
                device=args.device,
                precision=args.precision,
                template=args.template,
                strength=args.strength,
                choices=choices,
            )
            try:
                with progress_line(Path(slide).name) as progress:
                    stain_slide(job, token=token, progress=progress, notify=complain)
            except Cancelled:
                complain(f"{slide}: stopped; nothing lies under {target}.")
                return FAILED
            except StainAppError as error:
                complain(str(error))
                failures += 1
            else:
                print(target)
    return FAILED if failures else DONE


def verify(args: argparse.Namespace) -> int:
    from stainapp.slides.provenance import verify_slide

    facts = verify_slide(args.file)
    if args.json:
        print(json.dumps(facts, indent=2, ensure_ascii=False))
    else:
        print(verdict(args.file, facts))
    return DONE


def verdict(path: Path, facts: Mapping[str, Any]) -> str:
    """Say in words what `verify_slide` found."""
    width, height = facts["levels"][0]
    said = facts["provenance"]
    size = f"{width} x {height} px, levels: {len(facts['levels'])}, tiles: {facts['tiles']}"
    damaged = facts["damaged_tiles"]
    state = "is as it was written" if damaged else "is sound"
    origin = f"from {said.get('source_file', 'an unnamed slide')}"
    if said.get("virtual"):
        model = f"{said.get('model')} {said.get('model_version')}"
        origin = f"VIRTUAL: {said.get('target_stain')} by {model}, {origin}; research use only"
    lines = [f"{path} {state}: {size}, at {facts['mpp']} um/px.", f"{origin}."]
    if said.get("misfit"):
        lines.append(f"The model may not fit that slide: {said['misfit']}.")
    if damaged:
        lines.append(f"Tiles that show a stand-in for damage of the source: {damaged}.")
    return "\n".join(lines)


def doctor(args: argparse.Namespace) -> int:
    from stainapp.doctor import main as doctor

    return doctor(json=args.json)


@contextmanager
def cancelled_by_signals() -> Iterator[CancelToken]:
    """Turn Ctrl-C and SIGTERM into a request to stop; a second one ends the program at once."""
    token = CancelToken()

    def stop(number: int, _frame: object) -> None:
        token.cancel()
        signal.signal(number, signal.SIG_DFL)

    before = [(number, signal.signal(number, stop)) for number in (signal.SIGINT, signal.SIGTERM)]
    try:
        yield token
    finally:
        for number, handler in before:
            signal.signal(number, handler)


def complain(sentence: str) -> None:
    print(f"stainapp: {sentence}", file=sys.stderr)


def print_rows(rows: Sequence["Row"]) -> None:
    """Print a line a row, and below what is to be said of several."""
    notes: dict[str, int] = {}
    width = max((len(row.measure) for row in rows), default=0) + 2
    for row in rows:
        mark = f"({notes.setdefault(row.note, len(notes) + 1)})" if row.note else ""
        if row.estimate is None:
            value = "not measured"
        else:
            value = f"{row.estimate:.4g} [{row.low:.4g}, {row.high:.4g}] {row.unit}"
        print(f"{row.subject:<22}{row.measure:<{width}}{value:<34}{mark}".rstrip())
    for note, number in notes.items():
        print(f"({number}) {note}")
