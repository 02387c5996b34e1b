"""Slides stained into files without a window, one after another."""

from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from stainapp.cancel import CancelToken
from stainapp.errors import ExportError, UnknownScaleError
from stainapp.geometry import Rect
from stainapp.models.calibration import calibrate_slide
from stainapp.models.compatibility import compatibility
from stainapp.models.stainer import Stainer, open_stainer
from stainapp.models.virtual_slide import VirtualSlide, provenance
from stainapp.settings import home, load_note
from stainapp.slides.ome_tiff import Compression
from stainapp.slides.opening import open_slide, read_whole
from stainapp.slides.reader import SlideReader
from stainapp.slides.scale import guess_mpp
from stainapp.slides.stain_guess import guess_stain
from stainapp.slides.writer import write_slide

Notify = Callable[[str], None]
Progress = Callable[[int, int], None]
SUFFIXES = (".tif", ".tiff")


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
    compression: Compression = "deflate"
    resume: bool = False
    overwrite: bool = False


def target_for(slide: str, model_id: str, output: Path, *, several: bool) -> Path:
    """Return the file a slide is stained into: ``output`` itself, or a file inside that folder."""
    if not several and output.suffix.lower() in SUFFIXES:
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
    with closing(_open_with_scale(job)) as source:
        template = read_whole(job.template) if job.template else None
        stainer = open_stainer(
            job.model,
            device=job.device,
            precision=job.precision,
            template=template,
            notify=say,
        )
        _warn(source, stainer, say)
        state = calibrate_slide(source, stainer, cache=home() / "calibrations", token=token)
        virtual = VirtualSlide(source, stainer, state)
        return export_virtual(
            virtual,
            job.target,
            region=job.region,
            token=token,
            progress=progress,
            compression=job.compression,
            resume=job.resume,
            overwrite=job.overwrite,
        )


def export_virtual(
    virtual: VirtualSlide,
    target: Path,
    *,
    region: Rect | None = None,
    token: CancelToken | None = None,
    progress: Progress | None = None,
    compression: Compression = "deflate",
    resume: bool = False,
    overwrite: bool = False,
) -> Path:
    """Write a virtual slide, or a region of it, with all that is known of how it was made."""
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
        provenance=provenance(virtual),
        token=token,
        progress=progress,
        compression=compression,
        resume=resume,
        overwrite=overwrite,
    )
    return target


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ExportError(
            f"The folder {folder} cannot be made ({error.strerror}); choose another one."
        ) from error


def _open_with_scale(job: StainJob) -> SlideReader:
    reader = open_slide(job.slide, mpp=job.mpp)
    if reader.info.mpp is not None:
        return reader
    identity, guess = reader.info.identity, guess_mpp(reader.info)
    reader.close()
    noted = load_note(identity).mpp
    if noted is not None:
        return open_slide(job.slide, mpp=noted)
    hint = f" (its objective suggests {guess:.3g}, which is only a guess)" if guess else ""
    raise UnknownScaleError(f"{job.slide} does not say how large its pixels are{hint}; give --mpp.")


def _warn(source: SlideReader, stainer: Stainer, say: Notify) -> None:
    """Say why the model may not suit the slide; the stain is only guessed, so do not refuse."""
    stain = load_note(source.info.identity).stain or guess_stain(source)
    fit = compatibility(stainer.card, stain, source.info.mpp)
    if not fit.ok:
        say(f"{source.info.path.name}: {stainer.card.id} may not fit: {fit.reason}.")
