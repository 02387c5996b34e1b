"""Colour normalisation fitted to a slide in closed form: Reinhard, Macenko, and unmixing.

Each `Normaliser` is fitted once to the stained pixels of all calibration tiles and then maps
every pixel by itself, so that its result knows no tiles. What `fit` finds in a slide and what
a card or a template image asks for have the same keys:

    reinhard  lab_mean (3), lab_std (3): CIELAB, D65, of stained pixels
    macenko   stain_matrix (3, 2): a unit column of absorbance for haematoxylin and eosin;
              max_concentrations (2): 99th percentiles; io: intensity of glass (240)
    unmix     stain_matrix (3, 3): a stain's absorbance a row; keep (3): share kept of each;
              io: intensity of glass (255). Nothing is fitted.
"""

import os
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from stainapp.errors import ModelError
from stainapp.models.cielab import lab_map, to_lab
from stainapp.models.optics import density_table, optical_density, stained, unmixing
from stainapp.slides.reader import RgbImage

Arrays: TypeAlias = dict[str, NDArray[np.float32]]
PixelMap: TypeAlias = Callable[[RgbImage], RgbImage]
"""``(N, 3)`` uint8 -> ``(N, 3)`` uint8, each pixel by itself."""

IO = 240.0
ALPHA = 1.0
"""Percent of the extreme angles that Macenko's method ignores at either end."""
LEAST_PIXELS = 500
"""Fewer stained pixels than these say nothing about a slide."""
MOST_PIXELS = 2_000_000
LEAST_ANGLE = 0.1
"""Radians; two stains closer than this cannot be told apart, as in a section of one stain."""
CHUNK = 1 << 15
"""Pixels mapped at a time, so that the intermediate planes stay in a core's cache."""


@dataclass(frozen=True, slots=True)
class Normaliser:
    """One method: how it is fitted, and the pixel map that follows from two fits."""

    fit: Callable[[RgbImage, Mapping[str, Any]], Arrays]
    """Tiles ``(N, H, W, 3)`` and the reference -> what the slide is like."""
    pixel_map: Callable[[Mapping[str, ArrayLike], Mapping[str, Any]], PixelMap]
    """What the slide is like, and the reference it shall be like."""


def fit(kind: str, tiles: RgbImage, reference: Mapping[str, Any]) -> Arrays:
    """Fit a method to the stained pixels of ``tiles``, ``(N, H, W, 3)``.

    Raises:
        ModelError: there are too few stained pixels.
    """
    return METHODS[kind].fit(tiles, reference)


def fit_template(kind: str, image: RgbImage) -> dict[str, Any]:
    """Return the reference that makes a method normalise to ``image``, ``(H, W, 3)``.

    Raises:
        ModelError: the method takes no template, or the image shows too little tissue.
    """
    if kind == "unmix":
        raise ModelError("Unmixing removes a stain and cannot take a template; leave it out.")
    return {key: value.tolist() for key, value in fit(kind, image[None], {}).items()}


def apply(
    kind: str, tiles: RgbImage, arrays: Mapping[str, ArrayLike], reference: Mapping[str, Any]
) -> RgbImage:
    """Map every pixel of ``tiles``, ``(..., 3)`` uint8, by what `fit` found."""
    pixel_map = METHODS[kind].pixel_map(arrays, reference)
    pixels = np.ascontiguousarray(tiles).reshape(-1, 3)
    result = np.empty_like(pixels)

    def run(start: int) -> None:
        result[start : start + CHUNK] = pixel_map(pixels[start : start + CHUNK])

    starts = range(0, len(pixels), CHUNK)
    workers = min(_cores(), len(starts) // 8)
    if workers > 1:
        with ThreadPoolExecutor(workers) as pool:
            list(pool.map(run, starts))
    else:
        for start in starts:
            run(start)
    return result.reshape(tiles.shape)


def _cores() -> int:
    return min(8, os.cpu_count() or 1)


def _stained_pixels(tiles: RgbImage, *, every_channel: bool) -> RgbImage:
    """Return the stained pixels, ``(N, 3)``, thinned evenly where there are very many."""
    pixels = tiles.reshape(-1, 3)
    pixels = pixels[:: max(1, len(pixels) // MOST_PIXELS)]
    pixels = pixels[stained(pixels, every_channel=every_channel)]
    if len(pixels) < LEAST_PIXELS:
        raise ModelError(
            f"Only {len(pixels)} stained pixels were found to fit the colours to; "
            "choose a slide or a template image that shows more tissue."
        )
    return pixels


def _fit_reinhard(tiles: RgbImage, _reference: Mapping[str, Any]) -> Arrays:
    """Reinhard et al., IEEE Comput Graph Appl 21(5):34-41 (2001), in CIELAB."""
    lab = to_lab(_stained_pixels(tiles, every_channel=False))
    # A slide of a single colour has no spread, and dividing by it would invent one.
    spread = np.maximum(lab.std(axis=0), 1.0)
    return {"lab_mean": lab.mean(axis=0), "lab_std": spread.astype(np.float32)}


def _reinhard_map(arrays: Mapping[str, ArrayLike], reference: Mapping[str, Any]) -> PixelMap:
    mean, spread = (np.asarray(arrays[key], np.float64) for key in ("lab_mean", "lab_std"))
    goal, width = (np.asarray(reference[key], np.float64) for key in ("lab_mean", "lab_std"))
    gain = width / spread
    return lab_map(gain, goal - gain * mean)


def _fit_macenko(tiles: RgbImage, reference: Mapping[str, Any]) -> Arrays:
    """Macenko et al., ISBI 2009, 1107-1110: stain vectors at the extremes of the angle."""
    io = float(reference.get("io", IO))
    pixels = _stained_pixels(tiles, every_channel=True)
    density = optical_density(pixels, io).astype(np.float64)
    stains = _extreme_stains(density)
    alone = _angle(stains) < LEAST_ANGLE
    if alone:  # its partner cannot be measured, so both are taken as known
        stains = np.asarray(reference.get("stain_matrix", MACENKO_STAINS), np.float64)
    highest = np.percentile(density @ np.linalg.pinv(stains).T, 99, axis=0)
    highest = np.maximum(highest, max(0.1, 0.1 * highest.max()))
    if alone:  # one factor for both: the slide becomes paler or darker and keeps its hue
        usual = np.asarray(reference.get("max_concentrations", MACENKO_AMOUNTS), np.float64)
        highest = highest.max() * usual / usual.max()
    return {
        "stain_matrix": stains.astype(np.float32),
        "max_concentrations": highest.astype(np.float32),
        "io": np.asarray(io, np.float32),
    }


MACENKO_STAINS = ((0.5626, 0.2159), (0.7201, 0.8012), (0.4062, 0.5581))
MACENKO_AMOUNTS = (1.9705, 1.0308)
"""Usual haematoxylin and eosin of the method's published implementations, and their amounts."""


def _extreme_stains(density: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the two stains as unit columns, ``(3, 2)``, haematoxylin first."""
    _, vectors = np.linalg.eigh(np.cov(density.T))
    plane = vectors[:, [2, 1]]
    plane = plane * np.where(plane.sum(axis=0) < 0, -1.0, 1.0)
    along, across = (density @ plane).T
    low, high = np.percentile(np.arctan2(across, along), [ALPHA, 100 - ALPHA])
    columns = [plane @ (np.cos(angle), np.sin(angle)) for angle in (low, high)]
    columns.sort(key=lambda column: float(column[0]), reverse=True)
    return np.stack(columns, axis=1)


def _angle(stains: NDArray[np.float64]) -> float:
    return float(np.arccos(np.clip(stains[:, 0] @ stains[:, 1], -1.0, 1.0)))


def _macenko_map(arrays: Mapping[str, ArrayLike], reference: Mapping[str, Any]) -> PixelMap:
    goal = np.asarray(reference["stain_matrix"], np.float64)
    scale = np.asarray(reference["max_concentrations"], np.float64)
    scale = scale / np.asarray(arrays["max_concentrations"], np.float64)
    matrix = goal @ np.diag(scale) @ np.linalg.pinv(np.asarray(arrays["stain_matrix"], np.float64))
    return density_map(matrix, float(np.asarray(arrays["io"])), float(reference.get("io", IO)))


def _fit_nothing(_tiles: RgbImage, _reference: Mapping[str, Any]) -> Arrays:
    return {}


def _unmix_map(_arrays: Mapping[str, ArrayLike], reference: Mapping[str, Any]) -> PixelMap:
    io = float(reference.get("io", 255.0))
    return density_map(unmixing(reference["stain_matrix"], reference["keep"]), io, io)


def density_map(matrix: NDArray[np.float64], white_in: float, white_out: float) -> PixelMap:
    """Return the map ``density_out = matrix @ density_in`` on uint8 pixels.

    Sums are taken plane by plane rather than by a matrix product, whose order of summation,
    and so the last bit, depends on how many pixels come at once.
    """
    table = density_table(white_in)
    rows = [[np.float32(-value) for value in row] for row in matrix]
    gain = np.float32(white_out)

    def run(pixels: RgbImage) -> RgbImage:
        planes = [table[pixels[:, channel]] for channel in range(3)]
        result = np.empty_like(pixels)
        for channel, row in enumerate(rows):
            exponent = planes[0] * row[0]
            exponent += planes[1] * row[1]
            exponent += planes[2] * row[2]
            np.exp(np.minimum(exponent, np.float32(1.0), out=exponent), out=exponent)
            exponent *= gain
            exponent -= np.float32(0.5)  # minus 1 as in `optical_density`, plus 0.5 to round
            np.clip(exponent, np.float32(0), np.float32(255), out=exponent)
            result[:, channel] = exponent
        return result

    return run


METHODS: Mapping[str, Normaliser] = {
    "reinhard": Normaliser(_fit_reinhard, _reinhard_map),
    "macenko": Normaliser(_fit_macenko, _macenko_map),
    "unmix": Normaliser(_fit_nothing, _unmix_map),
}
