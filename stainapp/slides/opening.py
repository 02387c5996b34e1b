"""Open whatever has pixels: a slide, an image, or an address of something made or shipped."""

import logging
import os
from contextlib import closing
from importlib.util import find_spec
from pathlib import Path

from stainapp.errors import SlideError, UnsupportedSlideError
from stainapp.geometry import Rect
from stainapp.slides.reader import RgbImage, SlideInfo, SlideReader
from stainapp.slides.scale import refuse_impossible, with_users_mpp

log = logging.getLogger(__name__)

PHANTOM, SAMPLE_IHC = "phantom:", "sample:ihc"

_TIFF_STARTS = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
_GENERIC_TIFF = "generic-tiff"
_SLIDE_SUFFIXES = {
    ".svs", ".ndpi", ".mrxs", ".scn", ".bif", ".vms", ".vmu", ".dcm", ".svslide", ".tif", ".tiff",
}  # fmt: skip


def open_slide(path: str | Path, *, mpp: float | None = None) -> SlideReader:
    """Open a slide; its reads do not fail on damaged parts, and it has levels down to a thumbnail.

    Args:
        path: a file; or ``phantom:STAIN[:SIZE[:SEED]]`` for the digital phantom; or
            ``sample:ihc`` for the real field that comes with scikit-image.
        mpp: micrometres per level-0 pixel, in place of what the file says; that stays in the
            property `RECORDED_MPP`.

    Raises:
        UnsupportedSlideError: it is no slide, or of a kind that no reader understands.
        SlideError: it is missing, empty, not allowed, or damaged beyond opening; or ``mpp``
            is no microscope's.
    """
    address = str(path)
    if not address:
        raise SlideError("No slide was named.")
    if mpp is not None:
        refuse_impossible(mpp)
    if address.startswith(PHANTOM):
        from stainapp.slides.phantom import open_phantom

        return _with_mpp(open_phantom(address), mpp)
    file = _sample_ihc() if address == SAMPLE_IHC else Path(path)
    _check(file)
    return _with_mpp(_tolerant(_open_raw(file)), mpp)


def read_whole(path: Path, side_px: int = 1024) -> RgbImage:
    """Read a whole image from its coarsest level that is still about ``side_px`` wide."""
    with closing(open_slide(path)) as reader:
        info = reader.info
        level = info.level_for_downsample(max(1.0, max(info.width_px, info.height_px) / side_px))
        size = info.levels[level]
        return reader.read(0, 0, level, size.width_px, size.height_px)


def associated_image(path: str | Path, name: str) -> RgbImage:
    """Read one of `SlideInfo.associated`; it may show a patient's name.

    Raises:
        SlideError: the slide has no such image, or it cannot be read.
    """
    from stainapp.slides.openslide_reader import read_associated

    file = Path(path)
    _check(file)
    return read_associated(file, name)


class _Scaled:
    """A reader of whose pixel size the user knows better."""

    def __init__(self, source: SlideReader, mpp: float) -> None:
        self._source = source
        self.info: SlideInfo = with_users_mpp(source.info, mpp)
        self.read = source.read
        self.close = source.close

    @property
    def damaged(self) -> tuple[Rect, ...]:
        return self._source.damaged


def _with_mpp(reader: SlideReader, mpp: float | None) -> SlideReader:
    return reader if mpp is None else _Scaled(reader, mpp)


def _tolerant(raw: SlideReader) -> SlideReader:
    """Make a reader never fail, then add levels, which so average what stands in for damage."""
    from stainapp.slides.damage import DamageTolerant
    from stainapp.slides.pyramid import with_levels

    return with_levels(DamageTolerant(raw), in_bands=getattr(raw, "in_bands", False))


def _open_raw(path: Path) -> SlideReader:
    import openslide

    vendor = openslide.OpenSlide.detect_format(path)
    if vendor is not None and vendor != _GENERIC_TIFF:
        from stainapp.slides.openslide_reader import OpenSlideReader

        return OpenSlideReader(path)
    if _is_tiff(path):
        return _open_tiff(path, openslide_too=vendor == _GENERIC_TIFF)
    from stainapp.slides.image_reader import ImageReader

    try:
        return ImageReader(path)
    except UnsupportedSlideError as error:
        raise _unsupported(path) from error


def _open_tiff(path: Path, *, openslide_too: bool) -> SlideReader:
    """Read a plain TIFF through tifffile where it can.

    Of these files OpenSlide knows neither sub-resolutions in SubIFDs nor an exact
    downsample, and it is slower (a quarter of the speed on JPEG tiles).
    """
    from stainapp.slides.tiff_reader import TiffReader

    try:
        return TiffReader(path)
    except SlideError as error:
        if not openslide_too:
            raise
        log.info("trying OpenSlide after: %s", error)
    from stainapp.slides.openslide_reader import OpenSlideReader

    return OpenSlideReader(path)


def _is_tiff(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(4) in _TIFF_STARTS


def _check(path: Path) -> None:
    """Answer the ordinary mistakes with one sentence each."""
    try:
        if path.is_dir():
            raise SlideError(
                f"{path} is a folder; open a slide file in it (of a DICOM slide, any one)."
            )
        if path.stat().st_size == 0:
            raise SlideError(f"{path} is empty; copy it again from where it came.")
        with path.open("rb") as file:
            file.read(1)
    except FileNotFoundError as error:
        raise SlideError(
            f"{path} does not exist; check the name, or the drive it is on."
        ) from error
    except PermissionError as error:
        raise SlideError(f"{path} may not be read by you; ask its owner for permission.") from error
    except (OSError, ValueError) as error:  # ValueError: a NUL in the name
        raise SlideError(f"{path} cannot be read ({error}); check the drive it is on.") from error


def _unsupported(path: Path) -> UnsupportedSlideError:
    if path.suffix.lower() in _SLIDE_SUFFIXES:
        return UnsupportedSlideError(
            f"{path} is not a slide, although its name ends in {path.suffix}; "
            f"copy it again from where it came."
        )
    return UnsupportedSlideError(
        f"{path} is not a slide or an image of a known kind; "
        f"open SVS, NDPI, MRXS, SCN, BIF, VMS, DICOM, TIFF, OME-TIFF, PNG or JPEG."
    )


def _sample_ihc() -> Path:
    """Find the image in scikit-image's wheel, without asking it to download anything."""
    spec = find_spec("skimage")
    if spec is None or spec.origin is None:
        raise SlideError(f"{SAMPLE_IHC} comes with scikit-image, which is missing; install it.")
    return Path(os.path.realpath(spec.origin)).parent / "data" / "ihc.png"
