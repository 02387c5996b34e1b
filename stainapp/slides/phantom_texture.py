"""Periodic textures and stamps that the phantom's section is drawn with; made once."""

from functools import cache, lru_cache

import numpy as np
from numpy.typing import NDArray

Map = NDArray[np.float32]
FIBRES_ALONG, FIBRES_ACROSS, CLUMPS = 0, 1, 2
PERIOD_PX = 1024
TURNS = 16
"""Directions a stamp is drawn in, over half a turn."""
VARIANTS = 8

_NUCLEI = (
    # half length, half width in um, darkness, nucleolus
    (3.1, 2.9, 1.0, 0.0),
    (4.3, 3.0, 0.80, 0.6),
    (7.5, 1.5, 0.85, 0.0),
    (4.9, 2.5, 0.86, 0.5),
)
"""Lymphocyte, oval, spindle and epithelial, in the order of their numbers."""


def texture(kind: int, mpp: float, downsample: int, left_px: int, top_px: int) -> Map:
    """Return a block of a texture of mean 0 and deviation 1, averaged to the level.

    Its period is a multiple of the block, so a block never straddles its border.
    """
    whole = _averaged(kind, mpp, min(downsample, PERIOD_PX))
    period = whole.shape[0]
    if period < 256:
        return np.tile(whole, (256 // period, 256 // period))
    x, y = (left_px // downsample) % period, (top_px // downsample) % period
    return whole[y : y + 256, x : x + 256]


@cache
def _averaged(kind: int, mpp: float, downsample: int) -> Map:
    if downsample == 1:
        return _clumps(mpp) if kind == CLUMPS else _fibres(kind, mpp)
    fine = _averaged(kind, mpp, 1)
    side = PERIOD_PX // downsample
    mean: Map = fine.reshape(side, downsample, side, downsample).mean(axis=(1, 3))
    return mean


def _spectrum(seed: int) -> tuple[NDArray[np.complex128], Map, Map]:
    noise = np.random.default_rng(seed).standard_normal((PERIOD_PX, PERIOD_PX))
    frequency = np.fft.fftfreq(PERIOD_PX)
    return np.fft.fft2(noise), frequency[None, :], frequency[:, None]


def _fibres(kind: int, mpp: float) -> Map:
    """Wavy fibres: noise filtered far along one direction and little across it."""
    turn = (0.35, 1.65)[kind]
    noise, fx, fy = _spectrum(100 + kind)
    along = fx * np.cos(turn) + fy * np.sin(turn)
    across = fy * np.cos(turn) - fx * np.sin(turn)
    total = np.zeros((PERIOD_PX, PERIOD_PX))
    for length_um, width_um in ((22.0, 1.3), (50.0, 3.5)):
        soft = (along * length_um / mpp) ** 2 + (across * width_um / mpp) ** 2
        part = np.fft.ifft2(noise * np.exp(-2 * soft)).real
        total += part / part.std()
    return _unit(_waved(total, kind, mpp))


def _waved(image: NDArray[np.float64], kind: int, mpp: float) -> NDArray[np.float64]:
    """Shift pixels by a smooth periodic field, as collagen lies in waves."""
    noise, fx, fy = _spectrum(200 + kind)
    smooth = np.fft.ifft2(noise * np.exp(-2 * (fx**2 + fy**2) * (26 / mpp) ** 2)).real
    shift = np.rint(smooth / smooth.std() * 4 / mpp).astype(np.int64)
    y, x = np.indices(image.shape)
    shifted: NDArray[np.float64] = image[(y + shift) % PERIOD_PX, (x + shift) % PERIOD_PX]
    return shifted


def _clumps(mpp: float) -> Map:
    noise, fx, fy = _spectrum(300)
    square = (fx**2 + fy**2) / mpp**2
    return _unit(np.fft.ifft2(noise * np.exp(-2 * square * 1.1**2)).real)


def _unit(values: NDArray[np.float64]) -> Map:
    unit: Map = ((values - values.mean()) / values.std()).astype(np.float32)
    return unit


@cache
def stamps(name: str, mpp: float) -> tuple[tuple[Map, ...], ...]:
    """Return stamps by kind, then by variant and direction, all square with odd sides.

    "nucleus": amount of chromatin, 0..1, of each kind; "goblet": of mucin, one kind.
    """
    draw = _nucleus if name == "nucleus" else _goblet
    kinds = len(_NUCLEI) if name == "nucleus" else 1
    each = [(variant, turn) for variant in range(VARIANTS) for turn in range(TURNS)]
    return tuple(tuple(draw(kind, *of, mpp) for of in each) for kind in range(kinds))


@lru_cache(maxsize=16384)
def averaged_stamp(
    name: str, mpp: float, kind: int, which: int, downsample: int, x: int, y: int
) -> Map:
    """Return a stamp averaged to a coarser level; ``x, y`` is its place within a coarse pixel."""
    stamp, d = stamps(name, mpp)[kind][which], downsample
    if d == 1:
        return stamp
    side = -(-(stamp.shape[0] + d - 1) // d) * d
    canvas = np.zeros((side, side), np.float32)
    canvas[y : y + stamp.shape[0], x : x + stamp.shape[1]] = stamp
    mean: Map = canvas.reshape(side // d, d, side // d, d).mean(axis=(1, 3))
    return mean


def _grid(
    reach_um: float, turn: int, mpp: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    half = int(np.ceil(reach_um / mpp)) + 1
    steps = np.arange(-half, half + 1) * mpp
    angle = np.pi * turn / TURNS
    x, y = np.meshgrid(steps, steps)
    return x * np.cos(angle) + y * np.sin(angle), y * np.cos(angle) - x * np.sin(angle)


def _nucleus(kind: int, variant: int, turn: int, mpp: float) -> Map:
    length, width, dark, nucleolus = _NUCLEI[kind]
    rng = np.random.default_rng((kind, variant))
    length, width = length * rng.uniform(0.85, 1.15), width * rng.uniform(0.85, 1.15)
    bend = rng.uniform(-0.09, 0.09) if kind != 0 else 0.02
    u, v = _grid(max(length, width) * 1.15, turn, mpp)
    v = v + bend * (u / length) ** 2 * length
    q = np.sqrt((u / length) ** 2 + (v / width) ** 2)
    body = np.clip((1 - q) * width / mpp + 0.5, 0, 1)
    rim = np.exp(-(((q - 0.86) / 0.14) ** 2))
    chromatin = np.zeros_like(q)
    for _ in range(9):
        cu, cv = rng.uniform(-0.8, 0.8, 2) * (length, width)
        chromatin += rng.uniform(-1, 1) * np.exp(-((u - cu) ** 2 + (v - cv) ** 2) / 0.9**2)
    inside = 0.70 + 0.22 * rim + 0.24 * chromatin
    cu, cv = rng.uniform(-0.4, 0.4, 2) * (length, width)
    inside += nucleolus * 0.6 * np.exp(-((u - cu) ** 2 + (v - cv) ** 2) / 0.75**2)
    shade = dark * rng.uniform(0.85, 1.08)
    return (body * np.clip(inside, 0.35, 1.25) * shade).astype(np.float32)


def _goblet(kind: int, variant: int, turn: int, mpp: float) -> Map:
    rng = np.random.default_rng((9 + kind, variant))
    length, width = rng.uniform(6.2, 8.6), rng.uniform(3.6, 4.9)
    u, v = _grid(length * 1.2, turn, mpp)
    q = np.sqrt((u / length) ** 2 + (v / width) ** 2)
    body = np.clip((1 - q) * width / mpp / 1.5 + 0.5, 0, 1)
    foam = np.zeros_like(q)
    for _ in range(14):
        cu, cv = rng.uniform(-0.9, 0.9, 2) * (length, width)
        foam += rng.uniform(-1, 1) * np.exp(-((u - cu) ** 2 + (v - cv) ** 2) / 1.1**2)
    return (body * np.clip(0.85 + 0.15 * foam, 0.5, 1.1)).astype(np.float32)
