"""The command line: its words and what they mean. What they do is in `commands`."""

import argparse
import math
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from stainapp import (
    __version__,
    commands,
    compare_commands,
    registration_commands,
    training_commands,
)
from stainapp.commands import DONE, FAILED, MISUSED, complain
from stainapp.errors import StainAppError

if TYPE_CHECKING:
    from stainapp.geometry import Rect

    Subparsers = argparse._SubParsersAction[argparse.ArgumentParser]  # noqa: SLF001 - has no public name

MOST_MAGNIFICATION = 40.0
LEAST_WINDOW_PX, MOST_WINDOW_PX = 300, 8000


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command and return its exit code: 0 done, 1 failed, 2 misused."""
    words = list(sys.argv[1:] if argv is None else argv)
    parser, names = _parser()
    if not words or (words[0] not in names and words[0] not in ("-h", "--help", "--version")):
        if words and is_no_slide(words[0]):
            complain(f"There is no command and no slide {words[0]!r}; see stainapp --help.")
            return MISUSED
        words.insert(0, "view")
    args = parser.parse_args(words)
    from stainapp.log import log_to_file

    log_to_file()
    try:
        code: int = args.run(args)
    except StainAppError as error:
        complain(str(error))
        return FAILED
    except KeyboardInterrupt:
        complain("Interrupted.")
        return FAILED
    except BrokenPipeError:
        # The reader of our output has gone (`stainapp models | head`): no news for anyone.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return DONE
    return code


def is_no_slide(word: str) -> bool:
    """Tell a mistyped command from a slide, whose name has a dot, a colon or a separator."""
    return word.isidentifier() and not Path(word).exists()


def _parser() -> tuple[argparse.ArgumentParser, set[str]]:
    parser = argparse.ArgumentParser(
        prog="stainapp",
        description="Whole-slide images with virtual staining, in a window or without one.",
        epilog="`stainapp SLIDE` opens the window. Coordinates are level-0 pixels.",
    )
    parser.add_argument("--version", action="version", version=f"stainapp {__version__}")
    to = parser.add_subparsers(required=True, metavar="COMMAND")
    for add in (
        _add_view,
        _add_info,
        _add_models,
        _add_stain,
        _add_register,
        _add_compare,
        _add_study,
        _add_train,
        _add_distil,
        _add_evaluate,
        _add_verify,
        _add_doctor,
    ):
        add(to)
    return parser, set(to.choices)


def _add_view(to: "Subparsers") -> None:
    view = to.add_parser("view", help="open the window")
    view.add_argument("slide", nargs="?", help="a slide, phantom:he:8000:7 or sample:ihc")
    view.add_argument("--new", action="store_true", help="do not go on with the last session")
    view.add_argument("--mpp", type=_positive, help="micrometres per level-0 pixel")
    view.add_argument("--model", metavar="ID", help="show this virtual stain")
    view.add_argument("--reference", metavar="SLIDE", help="lay this real slide over the first")
    view.add_argument(
        "--difference", action="store_true", help="show what differs in optical density"
    )
    view.add_argument("--template", type=Path, metavar="IMAGE", help="normalise to this image")
    view.add_argument(
        "--layout", choices=("single", "side-by-side", "curtain", "fade"), help="panes"
    )
    view.add_argument("--at", type=_pair, metavar="X,Y", help="centre of the view")
    view.add_argument("--zoom", type=_magnification, metavar="Z", help="magnification, up to 40")
    view.add_argument("--rotate", type=_finite, default=0.0, metavar="DEGREES")
    view.add_argument("--fade", type=_share, default=1.0, metavar="0..1", help="share of virtual")
    _add_strength(view)
    view.add_argument("--device", help="auto, cpu, cuda, cuda:<n> or mps")
    view.add_argument("--theme", choices=("system", "light", "dark"))
    view.add_argument("--size", type=_size, metavar="WxH", help="size of the window")
    view.add_argument(
        "--screenshot", type=Path, metavar="FILE", help="save the settled window; needs no display"
    )
    view.add_argument("--wait", type=_positive, default=600.0, metavar="SECONDS")
    view.set_defaults(run=commands.view)


def _add_info(to: "Subparsers") -> None:
    info = to.add_parser("info", help="what a slide says of itself")
    info.add_argument("slide")
    info.add_argument("--json", action="store_true")
    info.set_defaults(run=commands.info)


def _add_models(to: "Subparsers") -> None:
    models = to.add_parser("models", help="list, show, import and check models")
    models.add_argument("--json", action="store_true")
    models.set_defaults(run=commands.models_list)
    verbs = models.add_subparsers(metavar="VERB")
    listing = verbs.add_parser("list", help="all models")
    listing.set_defaults(run=commands.models_list)
    show = verbs.add_parser("show", help="a model's card")
    show.add_argument("model", metavar="MODEL", help="an id or a folder")
    show.set_defaults(run=commands.models_show)
    check = verbs.add_parser("check", help="check a model's folder")
    check.add_argument("folder", type=Path)
    check.set_defaults(run=commands.models_check)
    imports = verbs.add_parser("import", help="convert a published checkpoint")
    imports.add_argument("file", type=Path)
    imports.add_argument("--id", help="plain name for the model; by default the file's")
    imports.add_argument("--name", help="what the picker shows")
    imports.add_argument("--source-stain", required=True, metavar="STAIN")
    imports.add_argument("--target-stain", required=True, metavar="STAIN")
    imports.add_argument("--mpp", type=_positive, required=True, help="scale it was trained at")
    imports.add_argument("--norm-mode", choices=("frozen", "running", "batch", "none"))
    imports.add_argument("--licence", default="")
    imports.add_argument(
        "--kind",
        choices=("stainer", "segmenter"),
        default="stainer",
        help="a segmenter gives the probability of nuclei instead of a picture",
    )
    bridge = imports.add_argument_group("for I2SB", "as its training was told; see options.pkl")
    bridge.add_argument("--beta-max", type=_positive, metavar="B", help="0.3, or 1.0 for OT-ODE")
    bridge.add_argument("--ot-ode", action="store_true", help="its way is the mean, without noise")
    bridge.add_argument("--nfe", type=int, metavar="N", help="steps when staining; by default 4")
    imports.set_defaults(run=commands.models_import)
    for verb in (listing, show, check, imports):
        verb.add_argument("--json", action="store_true", default=argparse.SUPPRESS)


def _add_stain(to: "Subparsers") -> None:
    stain = to.add_parser("stain", help="stain slides into OME-TIFF files")
    stain.add_argument("slides", nargs="+", metavar="SLIDE")
    stain.add_argument("--model", required=True, metavar="MODEL", help="an id, or a model's folder")
    stain.add_argument("-o", "--output", required=True, type=Path, metavar="FILE_OR_DIR")
    stain.add_argument(
        "--region",
        type=_region,
        metavar="X,Y,W,H",
        help="write --region=-10,... where X is negative",
    )
    stain.add_argument("--mpp", type=_positive, metavar="M", help="scale of the slides")
    stain.add_argument("--template", type=Path, metavar="IMAGE", help="normalise to this image")
    _add_strength(stain)
    stain.add_argument("--device", default="auto", help="auto, cpu, cuda, cuda:<n> or mps")
    stain.add_argument("--precision", default="auto", choices=("auto", "fp32", "bf16", "fp16"))
    stain.add_argument(
        "--compression",
        default="deflate",
        choices=("deflate", "zstd", "jpeg"),
        help="lossless, or jpeg",
    )
    stain.add_argument("--resume", action="store_true", help="go on where an export stopped")
    stain.add_argument("--overwrite", action="store_true", help="replace files that exist")
    stain.set_defaults(run=commands.stain)


def _add_compare(to: "Subparsers") -> None:
    compare = to.add_parser("compare", help="measure one slide against another over regions")
    _add_pair(compare)
    compare.add_argument("-o", "--output", required=True, type=Path, metavar="HTML")
    compare.add_argument(
        "--regions",
        type=Path,
        metavar="GEOJSON",
        help="on the transform's fixed slide, else on REFERENCE; without it squares of tissue",
    )
    compare.add_argument("--mpp", type=_positive, metavar="M", help="scale to compare at")
    compare.add_argument("--pdf", action="store_true", help="write the report as PDF as well")
    _add_segmenter(compare)
    compare.add_argument("--json", action="store_true")
    compare.set_defaults(run=compare_commands.compare)


def _add_study(to: "Subparsers") -> None:
    study = to.add_parser("study", help="real or virtual: readers who do not know which is which")
    verbs = study.add_subparsers(required=True, metavar="VERB")
    make = verbs.add_parser("make", help="put the fields of regions into a random order")
    _add_pair(make)
    make.add_argument("-o", "--output", dest="folder", required=True, type=Path, metavar="DIR")
    make.add_argument("--regions", required=True, type=Path, metavar="GEOJSON")
    make.add_argument("--seed", type=int, metavar="N", help="of the order; by default drawn")
    make.set_defaults(run=compare_commands.study_make)
    read = verbs.add_parser("read", help="answer by keyboard; goes on where it was left")
    read.add_argument("folder", type=Path)
    read.add_argument("--reader", required=True, metavar="NAME")
    read.set_defaults(run=compare_commands.study_read)
    results = verbs.add_parser("results", help="who was right, and how far readers agree")
    results.add_argument("folder", type=Path)
    results.add_argument("-o", "--output", type=Path, metavar="CSV", help="measures")
    results.add_argument("--answers", type=Path, metavar="CSV", help="each answer and the truth")
    results.add_argument("--json", action="store_true")
    results.set_defaults(run=compare_commands.study_results)


def _add_pair(to: argparse.ArgumentParser) -> None:
    to.add_argument("reference", metavar="REFERENCE", help="what is true, such as a real PAS")
    to.add_argument("other", metavar="OTHER", help="what is set beside it")
    to.add_argument("--transform", metavar="JSON", help="joins the two, as register writes it")
    to.add_argument("--model", metavar="MODEL", help="take the virtual stain of OTHER")
    to.add_argument("--template", metavar="IMAGE", help="what the model normalises to")
    _add_strength(to)
    to.add_argument("--stain", metavar="STAIN", help="what both show; without it guessed")
    to.add_argument("--reference-mpp", type=_positive, metavar="M", help="its own scale")
    to.add_argument("--other-mpp", type=_positive, metavar="M", help="its own scale")
    to.add_argument("--device", default="auto", help="auto, cpu, cuda, cuda:<n> or mps")


def _add_segmenter(to: argparse.ArgumentParser) -> None:
    to.add_argument(
        "--segmenter", metavar="MODEL", help="an id or a folder; nuclei are found by it"
    )
    to.add_argument(
        "--dab-thresholds",
        type=_thresholds,
        metavar="WEAK,MODERATE,STRONG",
        help="mean optical density of DAB in a nucleus from which it counts; 0.2,0.4,0.6",
    )


def _add_register(to: "Subparsers") -> None:
    register = to.add_parser("register", help="lay a slide over another of the same block")
    register.add_argument("fixed", metavar="FIXED", help="the slide that stays")
    register.add_argument("moving", metavar="MOVING", help="the slide laid over it")
    register.add_argument("-o", "--output", required=True, type=Path, metavar="JSON")
    register.add_argument(
        "--map",
        type=Path,
        metavar="CSV",
        help="x,y on the moving slide; x,y,error_um on the fixed one go to JSON's name with "
        ".points.csv",
    )
    register.add_argument(
        "--landmarks",
        type=Path,
        metavar="CSV",
        help="matched points to go through: fixed x,fixed y,moving x,moving y",
    )
    register.add_argument(
        "--only-landmarks", action="store_true", help="go by the landmarks, and by nothing else"
    )
    register.add_argument(
        "--start", type=Path, metavar="CSV", help="two such rows that tell where it about lies"
    )
    register.add_argument(
        "--mirrored",
        action="store_true",
        help="MOVING lies upside down, which two rows cannot tell",
    )
    register.add_argument("--fixed-mpp", type=_positive, metavar="M", help="scale of FIXED")
    register.add_argument("--moving-mpp", type=_positive, metavar="M", help="scale of MOVING")
    register.add_argument("--json", action="store_true")
    register.add_argument(
        "--progress-json", action="store_true", help="progress and outcome as JSON lines"
    )
    register.add_argument(
        "--end-with-stdin",
        action="store_true",
        help="give up when standard input ends, as it does with the program that started this",
    )
    register.set_defaults(run=registration_commands.register)


def _add_strength(to: argparse.ArgumentParser) -> None:
    to.add_argument(
        "--strength",
        type=_share,
        default=1.0,
        metavar="0..1",
        help="how much of the stain",
    )


def _add_train(to: "Subparsers") -> None:
    train = to.add_parser("train", help="teach a model by a recipe")
    train.add_argument("recipe", nargs="?", type=Path, metavar="RECIPE.toml")
    train.add_argument("-o", "--output", type=Path, metavar="RUN", help="folder of the run")
    train.add_argument("--data", type=Path, metavar="DIR", help="where the recipe's files lie")
    train.add_argument("--resume", action="store_true", help="go on with a run")
    train.add_argument("--check", action="store_true", help="check and estimate; learn nothing")
    train.add_argument("--methods", action="store_true", help="list what can be taught, and when")
    train.add_argument("--device", default="auto", help="auto, cpu, cuda, cuda:<n> or mps")
    train.add_argument("--json", action="store_true", help="with --check or --methods")
    train.set_defaults(run=training_commands.train)


def _add_distil(to: "Subparsers") -> None:
    distil = to.add_parser("distil", help="teach a fast colour map what a model makes of slides")
    distil.add_argument("model", metavar="MODEL", help="the teacher: an id or a folder")
    distil.add_argument("--on", nargs="+", required=True, metavar="SLIDE", help="of its source")
    distil.add_argument("--mpp", type=_positive, metavar="M", help="scale of the slides")
    distil.add_argument("--id", help="of the new model; by default the teacher's with -fast")
    distil.add_argument("-o", "--output", type=Path, metavar="RUN", help="folder of the run")
    distil.add_argument("--device", default="auto", help="auto, cpu, cuda, cuda:<n> or mps")
    distil.set_defaults(run=training_commands.distil)


def _add_evaluate(to: "Subparsers") -> None:
    evaluate = to.add_parser("evaluate", help="measure models on what they have not learnt from")
    evaluate.add_argument("models", nargs="+", metavar="MODEL", help="an id or a folder")
    evaluate.add_argument(
        "--data",
        type=Path,
        required=True,
        metavar="PATH",
        help="a recipe or a run, whose held-out tiles are used; or a folder of A|B images, "
        "a folder with testA and testB, a CSV file of pairs, an npz archive",
    )
    evaluate.add_argument("--files", type=Path, metavar="DIR", help="where the recipe's files lie")
    evaluate.add_argument("-o", "--output", type=Path, metavar="JSON")
    evaluate.add_argument("--csv", type=Path, metavar="CSV")
    evaluate.add_argument(
        "--page", type=Path, metavar="HTML", help="a page with ranks, costs and pictures"
    )
    evaluate.add_argument(
        "--costs", action="store_true", help="measure seconds and memory as well, as --page does"
    )
    evaluate.add_argument(
        "--steps",
        type=_whole_numbers,
        default=(),
        metavar="N,N",
        help="of bridges, such as 1,4,32; by default as their cards say",
    )
    evaluate.add_argument("--figures", type=Path, metavar="DIR", help="the worst tiles, as PNG")
    evaluate.add_argument(
        "--inception",
        type=Path,
        metavar="FILE",
        help="weights of Inception v3, as torch-fidelity, pytorch-fid or torchvision publish them: "
        "adds FID, KID and IS",
    )
    evaluate.add_argument("--inception-sha256", metavar="HEX", help="what that file must have")
    _add_segmenter(evaluate)
    evaluate.add_argument("--device", default="auto", help="auto, cpu, cuda, cuda:<n> or mps")
    evaluate.add_argument("--json", action="store_true")
    evaluate.set_defaults(run=training_commands.evaluate)


def _add_verify(to: "Subparsers") -> None:
    verify = to.add_parser("verify", help="check a file that stainapp wrote")
    verify.add_argument("file", type=Path)
    verify.add_argument("--json", action="store_true")
    verify.set_defaults(run=commands.verify)


def _add_doctor(to: "Subparsers") -> None:
    doctor = to.add_parser("doctor", help="check this machine")
    doctor.add_argument("--json", action="store_true")
    doctor.set_defaults(run=commands.doctor)


def _whole_numbers(text: str) -> tuple[int, ...]:
    numbers = tuple(int(word) for word in text.split(",") if word.strip().isdecimal())
    if len(numbers) != len(text.split(",")) or 0 in numbers:
        raise argparse.ArgumentTypeError(f"{text!r} are no numbers of steps, such as 1,4,32")
    return numbers


def _finite(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise argparse.ArgumentTypeError(f"{text!r} is not a number")
    return value


def _positive(text: str) -> float:
    value = _finite(text)
    if value <= 0:
        raise argparse.ArgumentTypeError(f"{text} is not a positive number")
    return value


def _share(text: str) -> float:
    value = _finite(text)
    if not 0 <= value <= 1:
        raise argparse.ArgumentTypeError(f"{text} is not between 0 and 1")
    return value


def _magnification(text: str) -> float:
    value = _positive(text)
    if value > MOST_MAGNIFICATION:
        raise argparse.ArgumentTypeError(f"{text} is more than {MOST_MAGNIFICATION:g}")
    return value


def _numbers(text: str, count: int, example: str) -> tuple[float, ...]:
    parts = text.split(",")
    if len(parts) != count:
        raise argparse.ArgumentTypeError(f"{text!r} must be like {example}")
    return tuple(_finite(part) for part in parts)


def _pair(text: str) -> tuple[float, float]:
    x, y = _numbers(text, 2, "1200,3400")
    return x, y


def _thresholds(text: str) -> tuple[float, ...]:
    return _numbers(text, 3, "0.2,0.4,0.6")


def _region(text: str) -> "Rect":
    from stainapp.geometry import Rect

    x, y, width, height = _numbers(text, 4, "1000,2000,4096,4096")
    if width <= 0 or height <= 0:
        raise argparse.ArgumentTypeError(f"{text!r} has no area")
    return Rect(x, y, width, height)


def _size(text: str) -> tuple[int, int]:
    width, height = _numbers(text.replace("x", ","), 2, "1920x1080")
    if not (MOST_WINDOW_PX >= width >= LEAST_WINDOW_PX <= height <= MOST_WINDOW_PX):
        raise argparse.ArgumentTypeError(
            f"{text!r} is not between {LEAST_WINDOW_PX} and {MOST_WINDOW_PX} pixels a side"
        )
    return int(width), int(height)
