"""A slide as the window holds it, and what it takes to get there from a path."""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from PIL import Image
from PySide6.QtGui import QImage

from stainapp.models.card import UNKNOWN_STAIN
from stainapp.settings import SlideNote, load_note
from stainapp.slides.opening import open_slide
from stainapp.slides.reader import RgbImage, SlideReader
from stainapp.slides.scale import guess_mpp
from stainapp.slides.stain_guess import guess_stain

THUMBNAIL_PX = 160


@dataclass(frozen=True, slots=True)
class OpenedSlide:
    """One open slide with what is known and what is only guessed about it."""

    address: str
    """What the user asked for: a whole path, or the address of a made-up slide."""
    reader: SlideReader
    note: SlideNote
    """What the user has said of it."""
    guessed_stain: str
    guessed_mpp: float | None
    """From the recorded objective; to be shown as a guess, never used silently."""
    thumbnail: RgbImage

    @property
    def name(self) -> str:
        return self.reader.info.path.name

    @property
    def stain(self) -> str:
        """The stain to go by: the user's word, else the guess."""
        return self.note.stain or self.guessed_stain

    @property
    def stain_words(self) -> str:
        """The stain as a pane names it."""
        if self.stain == UNKNOWN_STAIN:
            return "unknown stain"
        return f"{self.stain} (guess)" if self.stain_is_guess else self.stain

    @property
    def stain_is_guess(self) -> bool:
        return self.note.stain is None

    def noted(self, note: SlideNote) -> "OpenedSlide":
        return replace(self, note=note)


def load_slide(address: str, mpp: float | None = None) -> OpenedSlide:
    """Open a slide with what is remembered of it. Reads files; not for the GUI thread.

    Args:
        address: a path, or the address of a made-up slide.
        mpp: micrometres per level-0 pixel, over what the file and the notes say.
    """
    reader = open_slide(address, mpp=mpp)
    note = load_note(reader.info.identity)
    if reader.info.mpp is None and note.mpp is not None:
        reader.close()
        reader = open_slide(address, mpp=note.mpp)
    try:
        thumbnail = _thumbnail(reader)
        stain = guess_stain(reader)
    except BaseException:
        reader.close()
        raise
    path = Path(address)
    place = str(path.absolute()) if path.exists() else address  # of a made-up slide
    return OpenedSlide(place, reader, note, stain, guess_mpp(reader.info), thumbnail)


def to_qimage(image: RgbImage) -> QImage:
    """Copy an RGB array into a QImage."""
    height, width, _ = image.shape
    return QImage(image.data, width, height, 3 * width, QImage.Format.Format_RGB888).copy()


def _thumbnail(reader: SlideReader) -> RgbImage:
    info = reader.info
    level = info.level_for_downsample(max(info.width_px, info.height_px) / THUMBNAIL_PX)
    size = info.levels[level]
    image = Image.fromarray(reader.read(0, 0, level, size.width_px, size.height_px))
    image.thumbnail((THUMBNAIL_PX, THUMBNAIL_PX))
    return np.array(image)
