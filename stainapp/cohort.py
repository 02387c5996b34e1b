"""Slides stained into files without a window, one after another."""

from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from stainapp.cancel import CancelToken
from stainapp.errors import ExportError
from stainapp.geometry import Rect
from stainapp.models.calibration import calibrate_slide
from stainapp.models.card import ModelCard
from stainapp.models.compatibility import compatibility
from stainapp.models.opening import open_stainer
from stainapp.models.stainer import Notify, Stainer
from stainapp.models.template import read_template
from stainapp.models.virtual_slide import VirtualSlide, provenance
from stainapp.settings import home, load_note
from stainapp.slides.known_scale import open_with_scale
from stainapp.slides.ome_tiff import Compression
from stainapp.slides.reader import SlideReader
from stainapp.slides.stain_guess import guess_stain
from stainapp.slides.writer import write_slide

Progress = Callable[[int, int], None]
SUFFIXES = (".tif", ".tiff")


@dataclass(frozen=True, slots=True)
class ExportChoices:
    """How a file is written, whatever is in it."""

    compression: Compression = "deflate"
    """"deflate" and "zstd" keep every bit; "jpeg" is smaller."""
    resume: bool = False
    overwrite: bool = False


@dataclass(frozen=True, slots=True)
class StainJob:
    """One slide to be stained by one model into one file."""

    slide: str
    model: Path
    """The model's folder."""
    target: Path
    region: Rect | None = None
    """In level-0 pixels; None for the whole slide."""
    mpp: float | None = None
    """Micrometres per level-0 pixel, over what the file says."""
    device: str = "auto"
    precision: str = "auto"
    template: Path | None = None
    strength: float = 1.0
    """How much of the stain there is, 0..1."""
    choices: ExportChoices = ExportChoices()


def target_for(slide: str, model_id: str, output: Path, *, several: bool) -> Path:
    """Return the file a slide is stained into: ``output`` itself, or a file inside that folder."""
    if not several and output.suffix and not output.is_dir():
        return output
    stem = Path(slide).name.replace(":", "-")
    for suffix in (".ome", *SUFFIXES, ".svs", ".ndpi", ".png", ".jpg", ".dcm", ".mrxs"):
        stem = stem.removesuffix(suffix)
    return output / f"{stem}-{model_id}.ome.tiff"


def stain_slide(
    job: StainJob,
    *,
    token: CancelToken,
    progress: Progress | None = None,
    notify: Notify | None = None,
) -> Path:
    """Stain one slide into a pyramidal OME-TIFF and return where it lies.

    Raises:
        StainAppError: one sentence on what is wrong with the slide, the model or the file.
        Cancelled: the token was cancelled; nothing lies under the target's name.
    """
    say = notify or (lambda sentence: None)
    _make_folder(job.target.parent)
    with closing(open_with_scale(job.slide, job.mpp, say)) as source:
        template = read_template(job.template, ModelCard.read(job.model)) if job.template else None
        _check_device(job.device)
        stainer = open_stainer(
            job.model,
            device=job.device,
            precision=job.precision,
            template=template,
            notify=say,
        )
        misfit = _misfit(source, stainer)
        if misfit:
            say(f"{source.info.path.name}: {stainer.card.id} may not fit: {misfit}.")
        state = calibrate_slide(source, stainer, cache=home() / "calibrations", token=token)
        with closing(VirtualSlide(source, stainer, state, strength=job.strength)) as virtual:
            export_virtual(
                virtual,
                job.target,
                region=job.region,
                misfit=misfit,
                token=token,
                progress=progress,
                choices=job.choices,
            )
        _tell_afterwards(job, source, say)
        return job.target


def export_virtual(
    virtual: VirtualSlide,
    target: Path,
    *,
    region: Rect | None = None,
    misfit: str = "",
    token: CancelToken | None = None,
    progress: Progress | None = None,
    choices: ExportChoices = ExportChoices(),
) -> Path:
    """Write a virtual slide, or a region of it, with all that is known of how it was made.

    Args:
        virtual: what to write.
        target: the file to make.
        region: in level-0 pixels; None for the whole slide.
        misfit: why the model does not suit the slide, which is recorded; empty where it does.
        token: stops the export between two pieces of work.
        progress: called with the tiles written and all tiles.
        choices: compression, and what becomes of a file that is there.
    """
    info = virtual.info
    whole = Rect(0, 0, info.width_px, info.height_px)
    part = whole if region is None else region.intersected(whole)
    if part.empty:
        raise ExportError(
            f"The region lies outside {info.path.name}, which is "
            f"{info.width_px} x {info.height_px} px; give one inside it."
        )
    write_slide(
        virtual,
        target,
        region=part,
        provenance=provenance(virtual) | {"misfit": misfit},
        token=token,
        progress=progress,
        compression=choices.compression,
        resume=choices.resume,
        overwrite=choices.overwrite,
    )
    return target


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ExportError(
            f"The folder {folder} cannot be made ({error.strerror}); choose another one."
        ) from error


def _check_device(device: str) -> None:
    """Refuse a device that is not there, even where the method would not use it."""
    if device not in ("auto", "cpu"):
        from stainapp.models.device import choose_device  # loads torch, for which nobody waits else

        choose_device(device)


def _tell_afterwards(job: StainJob, source: SlideReader, say: Notify) -> None:
    """Say what is not as it was asked for."""
    info = source.info
    region, whole = job.region, Rect(0, 0, info.width_px, info.height_px)
    if region is not None and region.intersected(whole) != region:
        say(f"{info.path.name}: the region reaches past the slide and was cut at its edge.")
    if source.damaged:
        say(
            f"{info.path.name} is damaged: stand-ins from coarser levels were stained there "
            f"({len(source.damaged)} regions); the file says so."
        )


def _misfit(source: SlideReader, stainer: Stainer) -> str:
    """Return why the model may not suit the slide; a guessed stain is no reason to refuse."""
    noted = load_note(source.info.identity).stain
    stain = noted or guess_stain(source)
    return compatibility(stainer.card, stain, source.info.mpp, guessed=noted is None).reason
