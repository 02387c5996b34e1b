"""Can a small network tell virtual tiles from real ones? 0.5 says that it cannot.

A classifier two-sample test: Lopez-Paz & Oquab, ICLR 2017. It finds what no fixed measure
looks for: checkerboards, too smooth a background, nuclei that never overlap.

So that nothing but the stain tells the sets apart, both must be cut at one scale, and both
go through the same crop, the same JPEG compression and the same 8 bits. A real tile that was
compressed in its slide and a virtual one that was not would otherwise be told by their blocks.
"""

import io
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor, nn
from torch.nn import functional

from stainapp.compare.intervals import Interval, interval
from stainapp.compare.table import Row, measured
from stainapp.errors import StainAppError
from stainapp.slides.reader import RgbImage

TILE_PX = 128


@dataclass(frozen=True, slots=True)
class Tiles:
    """Virtual and real tiles, and the region each comes from."""

    virtual: RgbImage
    """``(N, H, W, 3)`` uint8, 128 px a side or more; larger ones are cut into 128 px."""
    real: RgbImage
    virtual_regions: Sequence[Hashable]
    real_regions: Sequence[Hashable]


@dataclass(frozen=True, slots=True)
class Budget:
    """How hard the network tries; the default takes about a minute on two cores."""

    steps: int = 500
    batch: int = 32
    rate: float = 2e-3
    seed: int = 0
    jpeg_quality: int | None = 80
    """Of the round trip of both sets; None leaves them as they are."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the network could tell."""

    accuracy: Interval
    """On unseen tiles: the mean of the shares of virtual and of real tiles it gets right."""
    trained_on: int
    """Tiles it learned from."""
    seen_accuracy: float
    """On the tiles it learned from; near the unseen accuracy where it did not learn by heart."""
    scores: NDArray[np.float32] = field(repr=False)
    """How virtual each unseen tile looks to it, 0..1: virtual tiles first, then real ones."""


def two_sample(train: Tiles, test: Tiles, budget: Budget | None = None) -> Verdict:
    """Train the network on one set of regions and count what it tells apart in another.

    The same result for the same seed and number of threads on a CPU.

    Args:
        train: what it learns from.
        test: tiles of other regions; the caller decides which.
        budget: steps, seed and what is done to both sets.

    Raises:
        StainAppError: a region is in both sets, a set is empty, or tiles are too small.
    """
    budget = budget or Budget()
    _refuse_leaks(train, test)
    pixels, labels, _ = _prepared(train, budget.jpeg_quality)
    unseen, truth, regions = _prepared(test, budget.jpeg_quality)
    network = _trained(pixels, labels, budget)
    scores = _scores(network, unseen)
    rows = np.stack([(scores > 0.5) == truth, truth], axis=1)
    seen = np.stack([(_scores(network, pixels, ways=1) > 0.5) == labels, labels], axis=1)
    accuracy = interval(rows, regions, balanced, n=1000, seed=budget.seed)
    return Verdict(accuracy, len(pixels), balanced(seen), scores)


def as_row(subject: str, verdict: Verdict) -> Row:
    """Return the verdict as a row of a table."""
    note = f"0.5 = cannot tell; learned from {verdict.trained_on} tiles of other regions"
    measure = "two-sample accuracy"
    return measured(subject, measure, verdict.accuracy, "", "lower", note)


def balanced(rows: NDArray[np.bool_]) -> float:
    """Return the mean over both classes of the share that is right.

    Args:
        rows: ``(N, 2)`` bool: whether the answer is right, and whether the tile is virtual.
            A class that is not there (in a resample) is left out.
    """
    right, virtual = rows[:, 0].astype(bool), rows[:, 1].astype(bool)
    return float(np.mean([right[group].mean() for group in (virtual, ~virtual) if group.any()]))


def _refuse_leaks(train: Tiles, test: Tiles) -> None:
    pairs = (
        (train.virtual_regions, test.virtual_regions),
        (train.real_regions, test.real_regions),
    )
    for learned, asked in pairs:
        both = set(learned) & set(asked)
        if both:
            raise StainAppError(
                f"Region {min(map(str, both))} is among the tiles to learn from and among the "
                "unseen ones; split by region."
            )


def _prepared(
    tiles: Tiles, quality: int | None
) -> tuple[RgbImage, NDArray[np.bool_], list[Hashable]]:
    """Return 128 px tiles, whether each is virtual, and its region."""
    parts: list[RgbImage] = []
    labels: list[bool] = []
    regions: list[Hashable] = []
    for images, names, virtual in (
        (tiles.virtual, tiles.virtual_regions, True),
        (tiles.real, tiles.real_regions, False),
    ):
        if not len(images) or len(images) != len(names) or min(images.shape[1:3]) < TILE_PX:
            raise StainAppError(
                f"{len(images)} {'virtual' if virtual else 'real'} tiles of {len(names)} regions "
                f"cannot be told apart; give tiles of at least {TILE_PX} px, a region for each."
            )
        for image, name in zip(images, names, strict=True):
            cut = _cut(image)
            parts += [_through_jpeg(part, quality) for part in cut]
            labels += [virtual] * len(cut)
            regions += [name] * len(cut)
    return np.stack(parts), np.array(labels), regions


def _cut(image: RgbImage) -> list[RgbImage]:
    height, width = image.shape[:2]
    return [
        image[y : y + TILE_PX, x : x + TILE_PX]
        for y in range(0, height - TILE_PX + 1, TILE_PX)
        for x in range(0, width - TILE_PX + 1, TILE_PX)
    ]


def _through_jpeg(image: RgbImage, quality: int | None) -> RgbImage:
    if quality is None:
        return image
    file = io.BytesIO()
    Image.fromarray(image).save(file, "JPEG", quality=quality)
    return np.array(Image.open(file))


def _network() -> nn.Sequential:
    """Four strided convolutions, pooled over the tile: 80,000 weights.

    The first two are not normalised, which would take away the tile's own colour.
    """
    layers: list[nn.Module] = []
    for before, after in ((3, 16), (16, 32), (32, 64), (64, 96)):
        convolution = nn.Conv2d(before, after, 4 if before == 3 else 3, 2, 1)
        nn.init.kaiming_normal_(convolution.weight)
        layers += [
            convolution,
            nn.GroupNorm(1, after) if before >= 32 else nn.Identity(),
            nn.ReLU(),
        ]
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(96, 1))


def _trained(pixels: RgbImage, labels: NDArray[np.bool_], budget: Budget) -> nn.Sequential:
    rng = np.random.default_rng(budget.seed)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(budget.seed)
        network = _network()
    optimiser = torch.optim.AdamW(network.parameters(), lr=budget.rate, weight_decay=1e-2)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, budget.rate, budget.steps)
    classes = np.flatnonzero(labels), np.flatnonzero(~labels)
    half = budget.batch // 2
    answers = torch.cat([torch.ones(half), torch.zeros(half)])
    for _ in range(budget.steps):
        picks = np.concatenate([rng.choice(rows, half) for rows in classes])
        seen = _turned(_tensor(pixels[picks]), int(rng.integers(8)))
        loss = functional.binary_cross_entropy_with_logits(network(seen)[:, 0], answers)
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        schedule.step()
    network.eval()
    return network


def _turned(batch: Tensor, how: int) -> Tensor:
    """Turn by quarters and mirror: one of the eight ways a square can lie."""
    turned = torch.rot90(batch, how % 4, (2, 3))
    return turned.flip(3) if how >= 4 else turned


def _tensor(pixels: RgbImage) -> Tensor:
    values = torch.from_numpy(np.ascontiguousarray(pixels)).permute(0, 3, 1, 2)
    return values.to(torch.float32) / 127.5 - 1


@torch.inference_mode()
def _scores(network: nn.Sequential, pixels: RgbImage, ways: int = 8) -> NDArray[np.float32]:
    """Return how virtual each tile looks, ``(N,)``, 0..1: the mean over ways to lay it."""
    found = []
    for start in range(0, len(pixels), 64):
        batch = _tensor(pixels[start : start + 64])
        logits = torch.stack([network(_turned(batch, how))[:, 0] for how in range(ways)])
        found.append(torch.sigmoid(logits.mean(dim=0)).numpy())
    return np.concatenate(found).astype(np.float32)
