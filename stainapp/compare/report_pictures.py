"""The pictures of a report: where the regions lie, and how each looks on both sides."""

import base64
import io
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from stainapp.cancel import CancelToken
from stainapp.compare.comparison import Comparison, Place
from stainapp.compare.density import density
from stainapp.compare.difference_slide import FULL_OD, coloured
from stainapp.compare.figure import scale_bar
from stainapp.compare.pair import Pair, Side
from stainapp.geometry import Rect
from stainapp.models.working_scale import WorkingScale
from stainapp.session.regions import Region
from stainapp.slides.reader import RgbImage, SlideReader
from stainapp.slides.tissue import overview

MOST_FIELDS = 12
FIELD_PX = 360
FIELD_UM = 300.0
"""Of a larger region its middle is shown, so that nuclei are seen."""
OVERVIEW_PX = 640
BADGE = "VIRTUAL - research use only"
BADGE_GROUND, BADGE_INK = (106, 38, 201), (255, 255, 255)
"""As the window marks virtual pictures."""
OUTLINE, GREYED_OUTLINE = (20, 90, 230), (120, 120, 120)
DIFFERENCE = (
    f"In differences of optical density red is where {{}} is denser and blue where it is paler, "
    f"in full colour from {FULL_OD:g} on."
)
QUALITY = 88


@dataclass(frozen=True, slots=True)
class Picture:
    """One picture and what stands below it."""

    image: Image.Image
    caption: str


@dataclass(frozen=True, slots=True)
class Field:
    """A region as each side shows it, and how much denser the other side is."""

    place: Place
    pictures: tuple[Picture, ...]


def overviews(pair: Pair, comparison: Comparison) -> tuple[Picture, ...]:
    """Draw both slides as a whole, the regions on them numbered as in tables.

    A slide that is stained now is shown by its source: as a whole it would take long.
    """
    found = []
    for side in pair.sides:
        image, downsample = overview(side.real, OVERVIEW_PX)
        drawn = Image.fromarray(image.copy())
        _outlines(drawn, comparison, downsample)
        said = f"{side.name}, its source shown" if side.source is not None else side.name
        found.append(Picture(_marked(drawn, side.virtual and side.source is None), said))
    return tuple(found)


def fields(pair: Pair, comparison: Comparison, token: CancelToken | None = None) -> list[Field]:
    """Show up to `MOST_FIELDS` regions, spread over all of them.

    Raises:
        SlideError: a slide cannot be read there.
        Cancelled: the token was cancelled.
    """
    places = comparison.places
    chosen = np.linspace(0, len(places) - 1, min(MOST_FIELDS, len(places))).round().astype(int)
    found = []
    for number in chosen:
        if token is not None:
            token.check()
        found.append(_field(pair, places[number], comparison.mpp))
    return found


def _field(pair: Pair, place: Place, mpp: float) -> Field:
    window, px_um = _window(place.region.bounds, pair.frame_mpp, mpp)
    images = [_read(side.reader, window, px_um / pair.frame_mpp) for side in pair.sides]
    pictures = [
        _picture(image, side, place.region, window, px_um)
        for image, side in zip(images, pair.sides, strict=True)
    ]
    source = pair.other.source
    if source is not None and pair.other.identity != pair.reference.identity:
        image = _read(source, window, px_um / pair.frame_mpp)
        drawn = _framed(image, place.region, window)
        pictures.insert(0, Picture(_with_bar(drawn, px_um), "what the virtual stain is made from"))
    apart = (density(images[1]) - density(images[0])).mean(axis=-1)
    difference = Image.fromarray(coloured(apart))
    pictures.append(Picture(_with_bar(difference, px_um), "difference of optical density"))
    return Field(place, tuple(pictures))


def _window(bounds: Rect, frame_mpp: float, mpp: float) -> tuple[Rect, float]:
    """Return what to show of a region, in level-0 pixels, and the um of each pixel shown."""
    side_um = min(FIELD_UM, max(bounds.width, bounds.height) * frame_mpp)
    px_um = max(mpp, side_um / FIELD_PX)
    side = FIELD_PX * px_um / frame_mpp
    x, y = bounds.centre
    return Rect(x - side / 2, y - side / 2, side, side), px_um


def _read(reader: SlideReader, window: Rect, step: float) -> RgbImage:
    scale = WorkingScale(reader, step, near=0)
    return scale.read(round(window.x / step), round(window.y / step), FIELD_PX, FIELD_PX)


def _picture(image: RgbImage, side: Side, region: Region, window: Rect, px_um: float) -> Picture:
    drawn = _with_bar(_framed(image, region, window), px_um)
    return Picture(_marked(drawn, side.virtual), side.name)


def _framed(image: RgbImage, region: Region, window: Rect) -> Image.Image:
    drawn = Image.fromarray(image.copy())
    _outline(drawn, region, window, OUTLINE)
    return drawn


def _outlines(image: Image.Image, comparison: Comparison, downsample: float) -> None:
    whole = Rect(0, 0, image.width * downsample, image.height * downsample)
    draw, font = ImageDraw.Draw(image), ImageFont.load_default(14)
    for number, place in enumerate(comparison.places, start=1):
        grey = place.error.why_not("place", place.area_mm2)
        ink = GREYED_OUTLINE if grey else OUTLINE
        _outline(image, place.region, whole, ink)
        bounds = place.region.bounds
        at = (bounds.right / downsample + 3, bounds.y / downsample)
        draw.text(at, str(number), ink, font, stroke_width=2, stroke_fill=(255, 255, 255))


def _outline(image: Image.Image, region: Region, window: Rect, ink: tuple[int, int, int]) -> None:
    draw, scale = ImageDraw.Draw(image), image.width / window.width
    for polygon in region.polygons:
        for ring in polygon:
            points = [((x - window.x) * scale, (y - window.y) * scale) for x, y in ring]
            draw.line([*points, points[0]], ink, 2, joint="curve")


def _with_bar(image: Image.Image, px_um: float) -> Image.Image:
    scale_bar(ImageDraw.Draw(image), (0, 0), image.size, px_um, 13)
    return image


def _marked(image: Image.Image, virtual: bool) -> Image.Image:
    """Write onto a virtual picture that it is one; a caption can be cut off."""
    if virtual:
        draw, font = ImageDraw.Draw(image), ImageFont.load_default(13)
        draw.rectangle((0, 0, font.getlength(BADGE) + 14, 21), fill=BADGE_GROUND)
        draw.text((7, 11), BADGE, BADGE_INK, font, anchor="lm")
    return image


def as_data(image: Image.Image) -> str:
    """Return a picture as an address that holds it."""
    data = io.BytesIO()
    image.save(data, "JPEG", quality=QUALITY, subsampling=0)
    return f"data:image/jpeg;base64,{base64.b64encode(data.getvalue()).decode()}"


def svg_as_data(svg: str) -> str:
    """Return a drawing as an address that holds it."""
    return f"data:image/svg+xml;base64,{base64.b64encode(svg.encode()).decode()}"
