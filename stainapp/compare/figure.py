"""Pictures side by side in a PNG: source | generated | target, one row a tile."""

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from stainapp.errors import ExportError, StainAppError
from stainapp.slides.reader import RgbImage

_GAP_PX = 6
_PAPER, _INK, _FAINT = (255, 255, 255), (24, 24, 28), (96, 96, 104)
_BARS_UM = (5, 10, 20, 50, 100, 200, 500, 1000)


def figure(
    rows: Sequence[Sequence[RgbImage]],
    headings: Sequence[str],
    path: Path,
    mpp: float | None = None,
    captions: Sequence[str] = (),
) -> None:
    """Write a PNG at once or not at all; a reader never sees half of it.

    Args:
        rows: pictures ``(H, W, 3)`` uint8, all of one size; one for each heading.
        headings: above the columns.
        path: the file to write or replace; its folder must be there.
        mpp: micrometres per pixel, for a scale bar in the first picture; None draws none.
        captions: a line below each row, or nothing.

    Raises:
        StainAppError: the pictures do not make a grid.
        ExportError: the file cannot be written.
    """
    image = grid(rows, headings, mpp, captions)
    part = path.with_name(f"{path.name}.{os.getpid()}.part")
    try:
        try:
            with part.open("wb") as file:
                image.save(file, "PNG")
            part.replace(path)
        finally:
            part.unlink(missing_ok=True)
    except OSError as error:
        raise ExportError(
            f"{path} could not be written ({error.strerror}); check the folder and the free space."
        ) from error


def grid(
    rows: Sequence[Sequence[RgbImage]],
    headings: Sequence[str],
    mpp: float | None = None,
    captions: Sequence[str] = (),
) -> Image.Image:
    """Return what `figure` writes."""
    height, width = _size(rows, headings, captions)
    font_px = int(np.clip(width // 14, 11, 28))
    line = int(1.6 * font_px)
    pitch = height + _GAP_PX + (line if captions else 0)
    size = (
        _GAP_PX + len(headings) * (width + _GAP_PX),
        line + _GAP_PX + len(rows) * pitch,
    )
    image = Image.new("RGB", size, _PAPER)
    draw, font = ImageDraw.Draw(image), ImageFont.load_default(font_px)
    for column, heading in enumerate(headings):
        x = _GAP_PX + column * (width + _GAP_PX)
        draw.text((x, line / 2 + 2), _fitting(heading, font, width), _INK, font, anchor="lm")
    for number, row in enumerate(rows):
        top = line + _GAP_PX // 2 + number * pitch
        for column, picture in enumerate(row):
            x = _GAP_PX + column * (width + _GAP_PX)
            image.paste(Image.fromarray(np.ascontiguousarray(picture)), (x, top))
        if captions:
            text = _fitting(captions[number], font, size[0] - 2 * _GAP_PX)
            draw.text((_GAP_PX, top + height + line / 2), text, _FAINT, font, anchor="lm")
    if mpp:
        scale_bar(draw, (_GAP_PX, line + _GAP_PX // 2), (width, height), mpp, font_px)
    return image


def abreast(
    rows: Sequence[Sequence[RgbImage]], headings: Sequence[str]
) -> tuple[Sequence[Sequence[RgbImage]], Sequence[str]]:
    """Return rows and headings with two rows in one, as fits a screen; an odd number stays."""
    if len(rows) % 2:
        return rows, headings
    pairs = zip(rows[::2], rows[1::2], strict=True)
    return [[*first, *second] for first, second in pairs], [*headings, *headings]


def _size(
    rows: Sequence[Sequence[RgbImage]], headings: Sequence[str], captions: Sequence[str]
) -> tuple[int, int]:
    shapes = {picture.shape for row in rows for picture in row}
    full = all(len(row) == len(headings) for row in rows) and len(captions) in (0, len(rows))
    if len(shapes) != 1 or not full:
        raise StainAppError(
            f"Pictures of {len(shapes)} sizes below {len(headings)} headings make no grid; "
            "give rows of equal pictures, one for each heading."
        )
    height, width, _ = shapes.pop()
    return height, width


def _fitting(text: str, font: ImageFont.FreeTypeFont | ImageFont.ImageFont, width: int) -> str:
    """Shorten a text to a width in pixels."""
    if font.getlength(text) <= width:
        return text
    while text and font.getlength(text + "...") > width:
        text = text[:-1]
    return text.rstrip() + "..."


def scale_bar(
    draw: ImageDraw.ImageDraw, corner: tuple[int, int], size: tuple[int, int], mpp: float, px: int
) -> None:
    """Draw a bar of at most a third of the width on its own ground, lower left."""
    fits = [um for um in _BARS_UM if um / mpp <= size[0] / 3]
    if not fits:
        return
    length, text = round(fits[-1] / mpp), f"{fits[-1]} um"  # Pillow's own font has no micro sign
    font = ImageFont.load_default(max(10, int(0.8 * px)))
    tall = int(1.9 * px)
    wide = max(length, int(font.getlength(text))) + 12
    x, y = corner[0] + 6, corner[1] + size[1] - tall - 6
    draw.rectangle((x, y, x + wide, y + tall), fill=_PAPER)
    draw.text((x + 6, y + tall * 0.36), text, _INK, font, anchor="lm")
    draw.rectangle((x + 6, y + tall - 6, x + 6 + length, y + tall - 4), fill=_INK)
