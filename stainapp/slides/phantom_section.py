"""The phantom's section drawn block by block: what is in the tissue at each pixel.

A block is 256 px square at any level. At level 0 every nucleus is stamped; at 4 times
coarser its stamp is averaged exactly; at 16 it adds its area to the pixel it falls in; from
64 on crypts and nuclei are replaced by the mean of what stands there at that depth. What is
thinner than a pixel is weighted so that the mean of the light is kept, and not of the dye.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from stainapp.slides import phantom_tissue as anatomy
from stainapp.slides.phantom_profiles import DRAWN, RHO, STAMPED, depth_profile, round_profile, seen
from stainapp.slides.phantom_texture import (
    CLUMPS,
    FIBRES_ACROSS,
    FIBRES_ALONG,
    TURNS,
    VARIANTS,
    Map,
    averaged_stamp,
    stamps,
    texture,
)
from stainapp.slides.phantom_tissue import Floats, Rounds, Spots, Tissue

BLOCK_PX = 256
NODE_PX = 32
"""Level-0 pixels between the nodes where slow fields are evaluated."""
REACH_UM = 14.0
"""Half the size of the largest stamp, and a jitter."""


@dataclass(frozen=True, slots=True)
class Maps:
    """What is in the section, ``(256, 256)`` float32 each, 1 where it is fully there."""

    nuclei: Map
    marker: Map
    """Nuclei that carry the marker."""
    cytoplasm: Map
    """Cytoplasm, collagen and muscle."""
    basophilia: Map
    """Blue that is not in nuclei."""
    mucin: Map
    membrane: Map
    """Basement membranes."""
    blood: Map


@dataclass(frozen=True, slots=True)
class Frame:
    """Where a block lies, and the resolution it is drawn at."""

    left_um: float
    top_um: float
    pixel_um: float
    downsample: int
    left_px: int
    """In level-0 pixels."""
    top_px: int

    @classmethod
    def of(cls, mpp: float, downsample: int, column: int, row: int) -> "Frame":
        pixel_um, side = mpp * downsample, BLOCK_PX * downsample
        x, y = column * side, row * side
        return cls(x * mpp, y * mpp, pixel_um, downsample, x, y)

    @property
    def step(self) -> int:
        """Pixels between two nodes; the nodes of all levels lie at the same places."""
        return max(NODE_PX // self.downsample, 1)

    @property
    def nodes(self) -> tuple[Floats, Floats]:
        """Where slow fields are evaluated: x and y, flat."""
        at = np.arange(BLOCK_PX // self.step + 1) * self.step * self.pixel_um
        x, y = np.meshgrid(self.left_um + at, self.top_um + at)
        return x.ravel(), y.ravel()

    @property
    def side_um(self) -> float:
        return self.pixel_um * BLOCK_PX


def draw(tissue: Tissue, mpp: float, downsample: int, column: int, row: int) -> Maps | None:
    """Draw block ``(column, row)`` of a level; None where there is only glass."""
    frame = Frame.of(mpp, downsample, column, row)
    x, y = frame.nodes
    depth = tissue.depth(x, y)
    if depth.max() < -2 * frame.pixel_um:
        return None
    maps = _stroma(tissue, frame, mpp, depth)
    if downsample <= DRAWN:
        _draw_rounds_and_nuclei(maps, tissue, frame, mpp)
    return maps


def draw_labels(tissue: Tissue, mpp: float, column: int, row: int) -> NDArray[np.int32]:
    """Return the nucleus at each level-0 pixel of a block: its label, or 0."""
    labels = np.zeros((BLOCK_PX, BLOCK_PX), np.int32)
    frame = Frame.of(mpp, 1, column, row)
    for spots in _nuclei(tissue, frame, _rounds(tissue, frame)):
        for n, stamp, window in _stamps_in(spots, frame, mpp, "nucleus"):
            part = labels[window]
            np.maximum(part, np.where(stamp > 0.3, spots.label[n], 0), out=part)
    return labels


def _to_pixels(frame: Frame, values: Floats) -> Map:
    """Interpolate a slow field from the block's nodes to its pixels."""
    weights = _interpolation(frame.step)
    square = values.reshape(weights.shape[1], -1).astype(np.float32)
    pixels: Map = np.dot(np.dot(weights, square), weights.T)
    return pixels


@cache
def _interpolation(step: int) -> Map:
    """Matrix ``(256, nodes)`` of linear interpolation at pixel centres."""
    at = (np.arange(BLOCK_PX) + 0.5) / step
    nodes = np.arange(BLOCK_PX // step + 1)
    weights: Map = np.clip(1 - np.abs(at[:, None] - nodes[None]), 0, None).astype(np.float32)
    return weights


def _stroma(tissue: Tissue, frame: Frame, mpp: float, node_depth: Floats) -> Maps:
    """Everything between the round structures, from the depth and from fibre textures."""
    x, y = frame.nodes
    depth = _to_pixels(frame, node_depth)
    follicle = _to_pixels(frame, tissue.follicle(x, y, node_depth))
    turn = _to_pixels(frame, tissue.fibre_turn(x, y))
    start_um, profile = depth_profile(mpp, frame.downsample)
    index = np.clip((depth - start_um) * 4, 0, profile.shape[1] - 1).astype(np.intp)
    mean, gain, blue, nuclei, mucin, membrane = (row.take(index) for row in profile)
    fibres = texture(FIBRES_ALONG, mpp, frame.downsample, frame.left_px, frame.top_px)
    across = texture(FIBRES_ACROSS, mpp, frame.downsample, frame.left_px, frame.top_px)
    fibres = fibres + turn * (across - fibres)
    cytoplasm = mean + gain * fibres
    if frame.downsample <= STAMPED:
        clumps = texture(CLUMPS, mpp, frame.downsample, frame.left_px, frame.top_px)
        cytoplasm *= 1 + 0.10 * clumps
    np.maximum(cytoplasm, 0.25 * mean, out=cytoplasm)
    cytoplasm *= 1 - 0.5 * follicle
    blue += 0.25 * follicle * (mean > 0)
    if frame.downsample > DRAWN:
        fatty = _to_pixels(frame, tissue.fat(x, y))
        deep = (depth > anatomy.SUBMUCOSA_UM + 50) & (depth < anatomy.MUSCLE_UM - 50)
        cytoplasm *= 1 - 0.72 * (deep & (fatty > 0))
        nuclei += 0.55 * follicle * (mean > 0)
    zero = np.zeros_like(depth)
    return Maps(nuclei, 0.15 * nuclei, cytoplasm, blue, mucin, membrane, zero)


def _rounds(tissue: Tissue, frame: Frame) -> Rounds:
    return tissue.rounds(*_reach(frame))


def _nuclei(tissue: Tissue, frame: Frame, rounds: Rounds) -> tuple[Spots, Spots]:
    crypts = rounds.pick(rounds.kind == anatomy.CRYPT)
    return tissue.nuclei(*_reach(frame), rounds), tissue.crypt_nuclei(crypts)


def _reach(frame: Frame) -> tuple[float, float, float, float]:
    """Return left, top, right, bottom of all that can touch the block."""
    left, top = frame.left_um - REACH_UM, frame.top_um - REACH_UM
    side = frame.side_um + 2 * REACH_UM
    return left, top, left + side, top + side


def _draw_rounds_and_nuclei(maps: Maps, tissue: Tissue, frame: Frame, mpp: float) -> None:
    rounds = _rounds(tissue, frame)
    for n in range(len(rounds.x)):
        _draw_round(maps, rounds, n, frame)
    crypts = rounds.pick(rounds.kind == anatomy.CRYPT)
    if frame.downsample <= STAMPED:
        for _, stamp, window in _stamps_in(tissue.goblets(crypts), frame, mpp, "goblet"):
            maps.mucin[window] = np.maximum(maps.mucin[window], stamp)
            maps.cytoplasm[window] *= 1 - 0.62 * stamp
            maps.basophilia[window] *= 1 - 0.5 * stamp
        for spots in _nuclei(tissue, frame, rounds):
            positive = tissue.marker_positive(spots.label)
            for n, stamp, window in _stamps_in(spots, frame, mpp, "nucleus"):
                np.maximum(maps.nuclei[window], stamp, out=maps.nuclei[window])
                if positive[n]:
                    np.maximum(maps.marker[window], stamp, out=maps.marker[window])
        return
    spots, _ = _nuclei(tissue, frame, rounds)
    nuclei, marker = maps.nuclei, maps.marker
    nuclei += seen(_scatter(spots, frame, mpp))
    marker += 0.1 * nuclei


def _draw_round(maps: Maps, rounds: Rounds, n: int, frame: Frame) -> None:
    reach = rounds.radius[n] * 1.45
    x0, x1 = _span(rounds.x[n] - reach - frame.left_um, 2 * reach, frame.pixel_um)
    y0, y1 = _span(rounds.y[n] - reach - frame.top_um, 2 * reach, frame.pixel_um)
    if x0 >= x1 or y0 >= y1:
        return
    window = np.s_[y0:y1, x0:x1]
    centre_x, centre_y = rounds.x[n] - frame.left_um, rounds.y[n] - frame.top_um
    dx = ((np.arange(x0, x1) + 0.5) * frame.pixel_um - centre_x).astype(np.float32)
    dy = ((np.arange(y0, y1) + 0.5) * frame.pixel_um - centre_y).astype(np.float32)[:, None]
    square = dx * dx + dy * dy
    square += np.float32(1e-6)
    r = np.sqrt(square)
    # cos 2t and sin 2t from dx, dy alone: no arc tangent per pixel.
    cos2, sin2 = (dx * dx - dy * dy) / square, (2 * dx * dy) / square
    cos1, sin1 = dx / r, dy / r
    w = rounds.wobble[n].astype(np.float32)
    edge = 1 + w[0] * cos2 + w[1] * sin2
    edge += w[2] * (cos2 * cos1 - sin2 * sin1) + w[3] * (sin2 * cos1 + cos2 * sin1)
    edge *= np.float32(rounds.radius[n])
    table = round_profile(int(rounds.kind[n]), frame.downsample)
    index = np.minimum(r / edge * np.float32(1 / RHO[1]), len(RHO) - 1).astype(np.intp)
    keep = 1 - table[0].take(index)
    rows = (maps.cytoplasm, maps.basophilia, maps.nuclei, maps.mucin, maps.membrane, maps.blood)
    for target, row in zip(rows, table[1:], strict=True):
        part = target[window]
        if target is maps.cytoplasm or target is maps.basophilia:
            # Kept uneven inside as well, as cytoplasm is.
            part *= keep
        if row.any():
            part += row.take(index)


def _span(start_um: float, length_um: float, pixel_um: float) -> tuple[int, int]:
    first = max(int(start_um / pixel_um), 0) if start_um > 0 else 0
    return first, min(int(max(start_um + length_um, 0) / pixel_um) + 1, BLOCK_PX)


def _stamps_in(
    spots: Spots, frame: Frame, mpp: float, name: str
) -> Iterator[tuple[int, Map, tuple[slice, slice]]]:
    """Yield ``(index, stamp, window)`` of the spots that touch the block, cut to it."""
    d = frame.downsample
    px = np.rint(spots.x / mpp).astype(np.int64) - frame.left_px
    py = np.rint(spots.y / mpp).astype(np.int64) - frame.top_px
    bank = stamps(name, mpp)
    half = int(REACH_UM / mpp)
    size = BLOCK_PX * d
    near = (px > -half) & (px < size + half) & (py > -half) & (py < size + half)
    angle = np.rint(spots.angle * (TURNS / np.pi)).astype(np.int64) % TURNS
    for n in np.flatnonzero(near):
        kind, which = int(spots.kind[n]), int(angle[n] + TURNS * (spots.variant[n] % VARIANTS))
        half = bank[kind][which].shape[0] // 2
        x, y = int(px[n]) - half, int(py[n]) - half
        stamp = averaged_stamp(name, mpp, kind, which, d, x % d, y % d)
        x, y = x // d, y // d
        left, top = max(-x, 0), max(-y, 0)
        cut = stamp[top : max(BLOCK_PX - y, 0), left : max(BLOCK_PX - x, 0)]
        if cut.size:
            x, y = x + left, y + top
            yield int(n), cut, np.s_[y : y + cut.shape[0], x : x + cut.shape[1]]


def _scatter(spots: Spots, frame: Frame, mpp: float) -> Map:
    """Share of each pixel that nuclei cover, each put into the pixel of its centre."""
    x = np.floor((spots.x - frame.left_um) / frame.pixel_um).astype(np.int64)
    y = np.floor((spots.y - frame.top_um) / frame.pixel_um).astype(np.int64)
    inside = (x >= 0) & (x < BLOCK_PX) & (y >= 0) & (y < BLOCK_PX)
    mass = np.array([np.mean([s.sum() for s in kind]) for kind in stamps("nucleus", mpp)])
    total = np.bincount(
        (y * BLOCK_PX + x)[inside],
        mass[spots.kind[inside]] / frame.downsample**2,
        BLOCK_PX * BLOCK_PX,
    )
    cover: Map = total.reshape(BLOCK_PX, BLOCK_PX).astype(np.float32)
    return cover
