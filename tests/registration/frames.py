"""Slides and maps whose every point is known."""

from dataclasses import replace
from pathlib import Path

import numpy as np

from stainapp.registration.grid import Grid, Points
from stainapp.registration.transform import Transform
from stainapp.slides.reader import Level, SlideInfo


def info(width: int = 2000, height: int = 1500, mpp: float | None = 0.5) -> SlideInfo:
    levels = (Level(width, height, 1.0), Level(width // 4, height // 4, 4.0))
    return SlideInfo(Path("made.svs"), "made", levels, f"made {width} {height}", mpp)


def turned(degrees: float, shift: tuple[float, float] = (0.0, 0.0), scale: float = 1.0) -> Points:
    """Return a similarity as a (2, 3) matrix."""
    angle = np.deg2rad(degrees)
    c, s = scale * np.cos(angle), scale * np.sin(angle)
    return np.array([[c, -s, shift[0]], [s, c, shift[1]]])


def bent(transform: Transform, amount_px: float = 20.0, spacing_px: float = 40.0) -> Transform:
    """Add a wave to a transform."""
    field = Grid.covering(transform.fixed.width_px, transform.fixed.height_px, spacing_px, 2)
    x, y = field.nodes.T
    wave = np.stack([np.sin(x / 150 + y / 210), np.cos(x / 180 - y / 160)], axis=1)
    values = (amount_px * wave).reshape(field.values.shape).astype(np.float32)
    return replace(transform, field=Grid(values, spacing_px))


def two_pieces(fixed: SlideInfo, moving: SlideInfo) -> Transform:
    """Return a transform whose left half turns by 90 degrees and whose right half shifts."""
    middle = fixed.width_px / 2
    labels = Grid.covering(fixed.width_px, fixed.height_px, 10.0)
    right = (labels.nodes[:, 0] >= middle).reshape(labels.values.shape)
    split = Grid(right.astype(np.uint8), 10.0)
    pieces = (turned(90, (middle, 200.0)), turned(0, (30.0, -20.0)))
    return replace(
        Transform.identity(fixed, moving), pieces=pieces, fixed_pieces=split, moving_pieces=split
    )


def scattered(slide: SlideInfo, count: int = 500, seed: int = 0) -> Points:
    low, high = (0, 0), (slide.width_px, slide.height_px)
    return np.random.default_rng(seed).uniform(low, high, (count, 2))
