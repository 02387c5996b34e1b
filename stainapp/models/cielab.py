"""sRGB and CIELAB (D65), and affine maps in CIELAB that run over uint8 pixels fast."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from stainapp.slides.reader import RgbImage

XYZ_OF_RGB = np.array(
    [[0.4124564, 0.3575761, 0.1804375],
     [0.2126729, 0.7151522, 0.0721750],
     [0.0193339, 0.1191920, 0.9503041]]
)  # fmt: skip
"""IEC 61966-2-1, linear sRGB -> XYZ."""
WHITE = XYZ_OF_RGB.sum(axis=1)
LAB_OF_ROOTS = np.array([[0.0, 116.0, 0.0], [500.0, -500.0, 0.0], [0.0, 200.0, -200.0]])
"""CIE 15: L, a, b from f(X/Xn), f(Y/Yn), f(Z/Zn), but for the offset of L."""
L_OFFSET = -16.0
KNEE = 6.0 / 29.0
STEPS = (1 << 16) - 1


def to_lab(pixels: RgbImage) -> NDArray[np.float32]:
    """Return CIELAB of sRGB pixels: ``(..., 3)`` uint8 -> float32, L in 0..100."""
    ratios = linear_table()[pixels] @ (XYZ_OF_RGB / WHITE[:, None]).T
    lab: NDArray[np.float64] = _root(ratios) @ LAB_OF_ROOTS.T
    lab[..., 0] += L_OFFSET
    return lab.astype(np.float32)


def linear_table() -> NDArray[np.float64]:
    """Return the linear light of each of the 256 sRGB values."""
    value = np.arange(256) / 255.0
    return np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4)


def lab_map(
    gain: NDArray[np.float64], offset: NDArray[np.float64]
) -> Callable[[RgbImage], RgbImage]:
    """Return the map ``lab_out = gain * lab_in + offset`` on ``(N, 3)`` uint8 sRGB pixels.

    The cube root and the two transfer curves are looked up in 65536 steps: within one grey
    level of the exact result, several times as fast, and the same for a pixel wherever it lies.
    """
    into = _rows(XYZ_OF_RGB / WHITE[:, None] * STEPS)
    lab_to_roots = np.linalg.inv(LAB_OF_ROOTS)
    between = lab_to_roots @ np.diag(gain) @ LAB_OF_ROOTS
    low = np.array([L_OFFSET, 0.0, 0.0])
    shift = (lab_to_roots @ (gain * low + offset - low)).astype(np.float32)
    rows_between = _rows(between)
    out = _rows(np.linalg.inv(XYZ_OF_RGB / WHITE[:, None]) * STEPS)
    linear = linear_table().astype(np.float32)
    roots = _root(np.arange(STEPS + 1) / STEPS).astype(np.float32)
    encoded = _encode(np.arange(STEPS + 1) / STEPS)

    def run(pixels: RgbImage) -> RgbImage:
        planes = [linear.take(pixels[:, channel]) for channel in range(3)]
        planes = [roots.take(_index(_sum(row, planes))) for row in into]
        planes = [_unroot(_sum(row, planes) + shift[i]) for i, row in enumerate(rows_between)]
        result = np.empty_like(pixels)
        for channel, row in enumerate(out):
            result[:, channel] = encoded.take(_index(_sum(row, planes)))
        return result

    return run


def _rows(matrix: NDArray[np.float64]) -> list[list[np.float32]]:
    return [[np.float32(value) for value in row] for row in matrix]


def _sum(row: list[np.float32], planes: list[NDArray[np.float32]]) -> NDArray[np.float32]:
    total = planes[0] * row[0]
    total += planes[1] * row[1]
    total += planes[2] * row[2]
    return total


def _index(value: NDArray[np.float32]) -> NDArray[np.intp]:
    value += np.float32(0.5)
    np.clip(value, np.float32(0), np.float32(STEPS), out=value)
    return value.astype(np.intp)


def _root(ratio: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.where(ratio > KNEE**3, np.cbrt(ratio), ratio / (3 * KNEE**2) + 4 / 29)


def _unroot(root: NDArray[np.float32]) -> NDArray[np.float32]:
    linear = (root - np.float32(4 / 29)) * np.float32(3 * KNEE**2)
    return np.where(root > np.float32(KNEE), root * root * root, linear)


def _encode(linear: NDArray[np.float64]) -> NDArray[np.uint8]:
    curve = np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)
    encoded: NDArray[np.uint8] = np.rint(curve * 255).astype(np.uint8)
    return encoded
