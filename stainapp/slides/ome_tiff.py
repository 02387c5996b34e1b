"""The bytes of a pyramidal OME-TIFF around its tiles: header, directories and OME-XML.

Sub-resolutions are listed twice: as SubIFDs of the first page, where OME readers look, and
in the main chain of pages, where OpenSlide looks. Both lead to the same directories. The
tiles may lie anywhere in the file, so an exporter can append them as they become ready.

Source: TIFF 6.0 (Adobe, 1992); BigTIFF (LibTIFF); OME-TIFF specification 6.0 (OME).
"""

import json
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Literal, TypeAlias
from xml.sax.saxutils import escape

import imagecodecs
import numpy as np

from stainapp.slides.reader import RgbImage

Compression: TypeAlias = Literal["deflate", "zstd", "jpeg"]
TILE_PX = 512
DEFLATE_LEVEL = 1
"""Twice as fast as the usual 6, for a file 2 to 3 % larger."""
NAMESPACE = "stainapp/provenance/1"
"""Marks the annotation that holds the provenance, as JSON."""

_SHORT, _LONG, _RATIONAL, _ASCII, _LONG8, _IFD, _IFD8 = 3, 4, 5, 2, 16, 13, 18
_FORMATS = {
    _SHORT: "H",
    _LONG: "I",
    _RATIONAL: "I",
    _ASCII: "s",
    _LONG8: "Q",
    _IFD: "I",
    _IFD8: "Q",
}
_SCHEMES = {"deflate": 8, "zstd": 50000, "jpeg": 7}
_CLASSIC_LIMIT = 3_500_000_000
"""Bytes up to which 32-bit offsets surely suffice, directories included."""

Span: TypeAlias = tuple[int, int]
"""Offset and length of a tile's bytes in the file."""


@dataclass(frozen=True, slots=True)
class Layout:
    """What is decided before the first pixel."""

    sizes: tuple[tuple[int, int], ...]
    """Width and height of each level, finest first."""
    compression: Compression
    quality: int
    mpp: float | None

    @classmethod
    def of(
        cls, width_px: int, height_px: int, compression: Compression, quality: int,
        mpp: float | None,
    ) -> "Layout":  # fmt: skip
        """Halve, rounding up so that no edge is lost, until a level fits into one tile."""
        sizes = [(width_px, height_px)]
        while max(sizes[-1]) > TILE_PX:
            sizes.append((-(-sizes[-1][0] // 2), -(-sizes[-1][1] // 2)))
        return cls(tuple(sizes), compression, quality, mpp)

    @property
    def big(self) -> bool:
        """Whether 64-bit offsets (BigTIFF) could be needed."""
        return sum(w * h * 3 for w, h in self.sizes) > _CLASSIC_LIMIT

    def tiles(self, level: int) -> tuple[int, int]:
        """Return columns and rows of a level's tiles."""
        width, height = self.sizes[level]
        return -(-width // TILE_PX), -(-height // TILE_PX)

    @property
    def tile_count(self) -> int:
        return sum(int(np.prod(self.tiles(level))) for level in range(len(self.sizes)))

    def encode(self, tile: RgbImage) -> bytes:
        """Return the stored bytes of one whole tile."""
        if self.compression == "jpeg":
            return bytes(
                imagecodecs.jpeg8_encode(
                    tile, level=self.quality, colorspace="RGB", outcolorspace="YCBCR",
                    subsampling="420",
                )
            )  # fmt: skip
        differences = imagecodecs.delta_encode(tile, axis=1).tobytes()
        if self.compression == "zstd":
            return bytes(imagecodecs.zstd_encode(differences, level=6))
        return bytes(imagecodecs.deflate_encode(differences, level=DEFLATE_LEVEL))

    def decode(self, data: bytes) -> RgbImage:
        """Return the tile that `encode` made ``data`` from."""
        shape = (TILE_PX, TILE_PX, 3)
        if self.compression == "jpeg":
            tile: RgbImage = imagecodecs.jpeg8_decode(data)
            return tile
        codec = (
            imagecodecs.zstd_decode if self.compression == "zstd" else imagecodecs.deflate_decode
        )
        raw = codec(data, out=TILE_PX * TILE_PX * 3)
        differences = np.frombuffer(raw, np.uint8).reshape(shape)
        whole: RgbImage = imagecodecs.delta_decode(differences, axis=1)
        return whole


def header(layout: Layout, first_directory: int = 0) -> bytes:
    """Return the file's first bytes; the same length whatever ``first_directory``."""
    if layout.big:
        return struct.pack("<2sHHHQ", b"II", 43, 8, 0, first_directory)
    return struct.pack("<2sHI", b"II", 42, first_directory)


def directories(
    layout: Layout, tiles: Sequence[Sequence[Span]], description: str, software: str, start: int
) -> tuple[bytes, int]:
    """Return the directories of all levels and the offset of the first page's.

    Args:
        layout: sizes, compression and scale.
        tiles: spans of each level's tiles, row by row.
        description: the OME-XML, in ASCII.
        software: name and version of the program.
        start: where in the file the result will stand; even.
    """
    blob, following = bytearray(), 0
    places: list[int] = []
    # Coarsest first: each directory then knows where the next finer one's successor lies.
    for level in reversed(range(len(layout.sizes))):
        tags = _level_tags(layout, level, tiles[level])
        if level == 0:
            tags[270] = (_ASCII, description.encode("ascii") + b"\0")
            tags[305] = (_ASCII, software.encode("ascii") + b"\0")
            if places:
                tags[330] = (_IFD8 if layout.big else _IFD, places[::-1])
        data, offset = _directory(tags, start + len(blob), following, layout.big)
        blob += data
        following = offset
        places.append(offset)
    return bytes(blob), following


def _level_tags(layout: Layout, level: int, tiles: Sequence[Span]) -> dict[int, tuple[int, Any]]:
    width, height = layout.sizes[level]
    jpeg = layout.compression == "jpeg"
    number = _LONG8 if layout.big else _LONG
    tags: dict[int, tuple[int, Any]] = {
        254: (_LONG, [1 if level else 0]),
        256: (_LONG, [width]),
        257: (_LONG, [height]),
        258: (_SHORT, [8, 8, 8]),
        259: (_SHORT, [_SCHEMES[layout.compression]]),
        262: (_SHORT, [6 if jpeg else 2]),
        277: (_SHORT, [3]),
        284: (_SHORT, [1]),
        322: (_LONG, [TILE_PX]),
        323: (_LONG, [TILE_PX]),
        324: (number, [offset for offset, _ in tiles]),
        325: (number, [length for _, length in tiles]),
    }
    tags |= {530: (_SHORT, [2, 2])} if jpeg else {317: (_SHORT, [2])}
    if layout.mpp is not None:
        for tag, side, full in (
            (282, width, layout.sizes[0][0]),
            (283, height, layout.sizes[0][1]),
        ):
            tags[tag] = (_RATIONAL, _rational(10_000 / layout.mpp * side / full))
        tags[296] = (_SHORT, [3])
    return tags


def _rational(value: float) -> list[int]:
    """Return numerator and denominator, each below 2 ** 32."""
    fraction = Fraction(value).limit_denominator(max(int(2**31 / max(value, 1)), 1))
    return [fraction.numerator, fraction.denominator]


def _directory(
    tags: Mapping[int, tuple[int, Any]], start: int, following: int, big: bool
) -> tuple[bytes, int]:
    """Return one directory behind its long values, and the offset of the directory itself."""
    field, entry = (8, "<HHQ") if big else (4, "<HHI")
    values, entries = bytearray(), bytearray()
    for tag in sorted(tags):
        kind, value = tags[tag]
        if kind == _ASCII:
            count, raw = len(value), value
        else:
            raw = struct.pack(f"<{len(value)}{_FORMATS[kind]}", *value)
            count = len(value) // 2 if kind == _RATIONAL else len(value)
        if len(raw) > field:
            place = start + len(values)
            values += raw + b"\0" * (-len(raw) % 8)
            raw = struct.pack("<Q" if big else "<I", place)
        entries += struct.pack(entry, tag, kind, count) + raw.ljust(field, b"\0")
    head = struct.pack("<Q" if big else "<H", len(tags))
    tail = struct.pack("<Q" if big else "<I", following)
    directory = head + bytes(entries) + tail
    directory += b"\0" * (-len(directory) % 8)
    return bytes(values) + directory, start + len(values)


def ome_xml(layout: Layout, name: str, software: str, provenance: Mapping[str, Any]) -> str:
    """Return the OME-XML of the file, in ASCII; the default unit of PhysicalSize is um."""
    width, height = layout.sizes[0]
    quote = {'"': "&quot;"}
    scale = "" if layout.mpp is None else (
        f' PhysicalSizeX="{layout.mpp:.9g}" PhysicalSizeY="{layout.mpp:.9g}"'
    )  # fmt: skip
    record = escape(json.dumps(provenance, ensure_ascii=True, sort_keys=True, default=str))
    text = f"""<?xml version="1.0" encoding="UTF-8"?>
<OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06" \
xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" \
xsi:schemaLocation="http://www.openmicroscopy.org/Schemas/OME/2016-06 \
http://www.openmicroscopy.org/Schemas/OME/2016-06/ome.xsd" Creator="{escape(software, quote)}">
<Image ID="Image:0" Name="{escape(name, quote)}"><Pixels ID="Pixels:0" DimensionOrder="XYCZT" \
Type="uint8" SignificantBits="8" Interleaved="true" BigEndian="false" SizeX="{width}" \
SizeY="{height}" SizeC="3" SizeZ="1" SizeT="1"{scale}>\
<Channel ID="Channel:0:0" SamplesPerPixel="3"/><TiffData IFD="0" PlaneCount="1"/></Pixels>\
<AnnotationRef ID="Annotation:0"/></Image>
<StructuredAnnotations><CommentAnnotation ID="Annotation:0" Namespace="{NAMESPACE}">\
<Value>{record}</Value></CommentAnnotation></StructuredAnnotations>
</OME>"""
    return text.encode("ascii", "xmlcharrefreplace").decode("ascii")
