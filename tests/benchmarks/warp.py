"""How fast a slide is read in the frame of another one, against the same slide read as it is.

A square field of tiles of tissue, row by row, as a view asks for them: on readers just opened, and
again in steps of half a tile, as whoever needs margins reads. The peer reads as many tiles of the
slide itself, around the same place. Seconds are of the processor; a figure is the peer's over ours.
"decoding alone" reads what the warped slide reads of the slide beneath it and does nothing with it:
no warped slide can be faster.

    python tests/benchmarks/warp.py [--json] [--quick] [--across 5]
"""

import argparse
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TypeAlias

import numpy as np

from stainapp.geometry import Rect
from stainapp.registration.align import align
from stainapp.registration.grid import Grid
from stainapp.registration.transform import Transform
from stainapp.registration.warped_slide import WarpedSlide
from stainapp.slides.opening import open_slide
from stainapp.slides.openslide_reader import OpenSlideReader
from stainapp.slides.reader import RgbImage, SlideInfo, SlideReader
from tests.benchmarks.measure import Figure, by_turns, ratio, real_slide, run

FIXED, MOVING, MPP = "melanosiscoli_HE.tiff", "melanosiscoli_PAS.tiff", 0.5
TISSUE = (2976.0, 8032.0)
"""The middle of a piece, on the fixed slide."""
TILE_PX = 512
LEAST = 0.5
FIELD_PX = 48.0
"""Between the nodes of a field that is made up here."""

Call: TypeAlias = tuple[int, int, int, int, int]
"""What `SlideReader.read` takes."""
Open: TypeAlias = Callable[[], SlideReader]


class Listening:
    """A reader that writes down what is read of another one."""

    def __init__(self, reader: SlideReader) -> None:
        self._reader = reader
        self.info = reader.info
        self.calls: list[Call] = []

    @property
    def damaged(self) -> tuple[Rect, ...]:
        return self._reader.damaged

    def read(self, x: int, y: int, level: int, width_px: int, height_px: int) -> RgbImage:
        self.calls.append((x, y, level, width_px, height_px))
        return self._reader.read(x, y, level, width_px, height_px)

    def close(self) -> None:
        self._reader.close()


def measure(arguments: argparse.Namespace) -> list[Figure]:
    paths = real_slide(FIXED), real_slide(MOVING)
    if paths[0] is None or paths[1] is None:
        return []
    return list(figures(paths[0], paths[1], arguments.across[0], quick=arguments.quick))


def figures(fixed: Path, moving: Path, across: int, *, quick: bool) -> Iterator[Figure]:
    plain = partial(open_slide, moving, mpp=MPP)
    with closing(open_slide(fixed, mpp=MPP)) as f, closing(plain()) as m:
        info, transforms = f.info, dict(made(f.info, m.info, quick=quick))
        if not quick:
            transforms["registered"] = align(f, m)
    for name, transform in transforms.items():
        pieces = f"{len(transform.pieces)} piece" + "s" * (len(transform.pieces) > 1)
        for level in range(1 if quick else len(info.levels)):
            title = f"{name}, {pieces}, level {level}"
            yield from of_field(title, plain, transform, info, level, across)
        through = partial(OpenSlideReader, moving)
        yield from of_field(f"{name}, {pieces}, OpenSlide", through, transform, info, 0, across)


def made(fixed: SlideInfo, moving: SlideInfo, *, quick: bool) -> Iterator[tuple[str, Transform]]:
    """Yield turns about the middle, stiff and with a field on top."""
    start = Transform.identity(fixed, moving)
    for degrees in (20,) if quick else (0, 20, 297):
        angle = np.deg2rad(degrees)
        turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        here, there = (np.array([i.width_px, i.height_px]) / 2 for i in (fixed, moving))
        matrix = np.column_stack([turn, there - turn @ here])
        stiff = replace(start, pieces=(matrix,))
        field = Grid.covering(fixed.width_px, fixed.height_px, FIELD_PX, 2)
        x, y = field.nodes.T
        wave = 20 * np.stack([np.sin(x / 700 + y / 900), np.cos(x / 800 - y / 600)], axis=1)
        values = wave.reshape(field.values.shape).astype(np.float32)
        yield f"turned by {degrees}", stiff
        yield f"turned by {degrees}, bent", replace(stiff, field=Grid(values, FIELD_PX))


def of_field(
    title: str, moving: Open, transform: Transform, fixed: SlideInfo, level: int, across: int
) -> Iterator[Figure]:
    with closing(moving()) as reader:
        beneath = reader.info
    there = transform.to_moving(np.array([TISSUE]))[0].tolist()
    for name, step, aim in (("", TILE_PX, LEAST), (", by half tiles", TILE_PX // 2, None)):
        count = across * TILE_PX // step
        ours = field(fixed, level, TISSUE, count, step)
        peers = field(beneath, level, there, count, step)[: len(ours)]
        things = {
            "ours": partial(warped_seconds, moving, transform, fixed, ours),
            "peer": partial(seconds, moving, peers),
            "decoding": partial(seconds, moving, beneath_calls(moving, transform, fixed, ours)),
        }
        found = by_turns(things, rounds=3)
        yield Figure(title + name, 1 / ratio(found["ours"], found["peer"]), "x", aim, lower=False)
        bound = 1 / ratio(found["decoding"], found["peer"])
        yield Figure(f"{title}{name}: decoding alone", bound, "x")


def field(
    info: SlideInfo, index: int, at: Sequence[float], count: int, step: int = TILE_PX
) -> list[Call]:
    """Return reads of ``count`` squared tiles around a place, or as many as the level has."""
    level = info.levels[index]
    spans = []
    for middle, size in zip(at, (level.width_px, level.height_px), strict=True):
        fitting = max(1, min(count, (size - TILE_PX) // step + 1))
        first = (middle / level.downsample - fitting * step / 2) // TILE_PX * TILE_PX
        last = (size - fitting * step) // TILE_PX * TILE_PX
        spans.append([max(0, int(min(first, last))) + n * step for n in range(fitting)])
    d = level.downsample
    return [
        (round(x * d), round(y * d), index, TILE_PX, TILE_PX) for y in spans[1] for x in spans[0]
    ]


def warped_seconds(
    moving: Open, transform: Transform, fixed: SlideInfo, calls: Sequence[Call]
) -> float:
    with closing(moving()) as reader:
        return spent(WarpedSlide(reader, transform, fixed), calls)


def beneath_calls(
    moving: Open, transform: Transform, fixed: SlideInfo, calls: Sequence[Call]
) -> list[Call]:
    with closing(moving()) as reader:
        heard = Listening(reader)
        read(WarpedSlide(heard, transform, fixed), calls)
    return heard.calls


def seconds(moving: Open, calls: Sequence[Call]) -> float:
    with closing(moving()) as reader:
        return spent(reader, calls)


def spent(reader: SlideReader, calls: Sequence[Call]) -> float:
    start = time.process_time()
    read(reader, calls)
    return time.process_time() - start


def read(reader: SlideReader, calls: Sequence[Call]) -> None:
    for call in calls:
        reader.read(*call)


if __name__ == "__main__":
    run("warp", measure, across=[5])
