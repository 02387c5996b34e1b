"""Seeded model folders and small slides, so that a test needs no trained weights."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np
import torch
from safetensors.torch import save_file
from torch import nn

from stainapp.cancel import CancelToken
from stainapp.geometry import Rect
from stainapp.models import networks
from stainapp.models.card import (
    WEIGHTS_FILE,
    Arch,
    Bridge,
    Calibration,
    Classic,
    ModelCard,
    sha256_of,
)
from stainapp.models.opening import open_stainer
from stainapp.models.slide_state import SlideState
from stainapp.models.stainer import Stainer
from stainapp.slides.reader import Level, RgbImage, SlideInfo

MACENKO_REFERENCE = {
    "stain_matrix": [[0.5626, 0.2159], [0.7201, 0.8012], [0.4062, 0.5581]],
    "max_concentrations": [1.9705, 1.0308],
    "io": 240.0,
}
REINHARD_REFERENCE = {"lab_mean": [68.0, 20.0, -12.0], "lab_std": [14.0, 8.0, 7.0]}
REFERENCES: dict[str, dict[str, Any]] = {
    "reinhard": REINHARD_REFERENCE,
    "macenko": MACENKO_REFERENCE,
    "unmix": {
        "stain_matrix": [[0.650, 0.704, 0.286], [0.072, 0.990, 0.105], [0.268, 0.570, 0.776]],
        "keep": [1, 1, 0],
    },
}


def classic_model(folder: Path, kind: str, **changes: Any) -> Path:
    """Write a model folder of a method without weights."""
    card = ModelCard(
        id=kind,
        name=kind.capitalize(),
        method=kind,
        classic=Classic(kind=kind, reference=REFERENCES[kind]),  # type: ignore[arg-type] # checked
        source_stain="any",
        target_stain="any",
        calibrate=Calibration(tiles=4, tile_px=256),
    )
    replace(card, **changes).write(folder)
    return folder


def resnet_model(folder: Path, **changes: Any) -> Path:
    """Write a small CycleGAN generator whose output varies as much as a trained one's."""
    arch = Arch(family="resnet", ngf=4, blocks=2)
    return network_model(
        folder, arch, **({"tile": 256, "halo": 40, "multiple": 4, "norm_mode": "frozen"} | changes)
    )


def resunet_model(folder: Path, **changes: Any) -> Path:
    """Write a small ResUNet without norms, as they are taught."""
    arch = Arch(family="resunet", ngf=4, blocks=2, norm="none")
    return network_model(folder, arch, **({"tile": 256, "halo": 32, "multiple": 4} | changes))


def unet_model(folder: Path, **changes: Any) -> Path:
    """Write a small pix2pix generator with batch norms."""
    arch = Arch(family="unet", ngf=2, downs=6, norm="batch")
    values = {"tile": 128, "halo": 32, "multiple": 64, "blend": "overlap", "norm_mode": "batch"}
    return network_model(folder, arch, **(values | changes))


def pixel_model(folder: Path, **changes: Any) -> Path:
    """Write a StainNet-like colour map."""
    return network_model(folder, Arch(family="pixel", ngf=8), **({"mpp": None} | changes))


def bridge_model(folder: Path, **changes: Any) -> Path:
    """Write a small bridge of four steps."""
    arch = Arch(family="bridge", in_channels=6, ngf=4, mults=(1, 2), blocks=1, norm="none")
    values = {"tile": 256, "halo": 64, "multiple": 2, "bridge": Bridge(nfe=4)}
    return network_model(folder, arch, **(values | changes))


def adm_model(folder: Path, **changes: Any) -> Path:
    """Write a network of ADM's shape, far smaller than the published one."""
    arch = Arch(
        family="adm",
        in_channels=6,
        ngf=32,
        mults=(1, 2),
        blocks=1,
        attention=(2,),
        head=16,
        norm="none",
    )
    values = {"tile": 64, "halo": 16, "multiple": 2, "blend": "overlap"}
    return network_model(folder, arch, **(values | {"bridge": Bridge(nfe=2)} | changes))


def identity_model(folder: Path, **changes: Any) -> Path:
    """Write a 1 x 1 network that gives back what it gets."""
    arch = Arch(family="pixel", layers=1)
    folder = network_model(folder, arch, **({"mpp": None} | changes))
    weights = {"rgb_trans.0.weight": torch.eye(3).view(3, 3, 1, 1), "rgb_trans.0.bias": zeros()}
    return _with_weights(folder, weights)


def zeros() -> torch.Tensor:
    return torch.zeros(3)


def network_model(folder: Path, arch: Arch, **changes: Any) -> Path:
    """Write a model folder with weights drawn from seed 0."""
    net = networks.build(arch)
    draw_weights(net)
    folder.mkdir(parents=True, exist_ok=True)
    save_file({key: value.contiguous() for key, value in net.state_dict().items()},
              folder / WEIGHTS_FILE)  # fmt: skip
    values: dict[str, Any] = {
        "id": arch.family,
        "name": f"Test {arch.family}",
        "method": "test",
        "arch": arch,
        "source_stain": "any",
        "target_stain": "any",
        "mpp": 0.5,
        "tile": 256,
        "calibrate": Calibration(tiles=4, tile_px=128),
        "files": {WEIGHTS_FILE: sha256_of(folder / WEIGHTS_FILE)},
    }
    ModelCard(**(values | changes)).write(folder)
    return folder


def draw_weights(net: nn.Module) -> None:
    """Draw weights that keep a signal's spread from layer to layer (He et al. 2015).

    With the usual spread of 0.02 a fresh generator gives an even grey, in which no seam shows.
    """
    generator = torch.Generator().manual_seed(0)
    for module in net.modules():
        if isinstance(module, nn.Linear | nn.Conv1d):
            nn.init.normal_(module.weight, 0.0, 0.02, generator=generator)
            nn.init.zeros_(module.bias)  # type: ignore[arg-type] # they have one
        if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
            fan = module.weight[0].numel()
            if isinstance(module, nn.ConvTranspose2d):
                fan = module.weight.shape[0] * module.weight[0, 0].numel() // 4
            nn.init.normal_(module.weight, 0.0, (1.0 / max(1, fan)) ** 0.5, generator=generator)
            if module.bias is not None:
                nn.init.normal_(module.bias, 0.0, 0.05, generator=generator)


def _with_weights(folder: Path, weights: dict[str, torch.Tensor]) -> Path:
    save_file(weights, folder / WEIGHTS_FILE)
    card = ModelCard.read(folder)
    replace(card, files={WEIGHTS_FILE: sha256_of(folder / WEIGHTS_FILE)}).write(folder)
    return folder


class ArraySlide:
    """A slide in memory, its coarser levels being means; counts its reads."""

    def __init__(
        self, image: RgbImage, *, mpp: float | None = 0.5, downsamples: tuple[int, ...] = (1, 4)
    ) -> None:
        self.images = [_mean(image, factor) for factor in downsamples]
        levels = tuple(
            Level(level.shape[1], level.shape[0], float(factor))
            for level, factor in zip(self.images, downsamples, strict=True)
        )
        self.info = SlideInfo(
            path=Path("memory.tiff"), format="memory", levels=levels, identity="memory", mpp=mpp
        )
        self.damaged: tuple[Rect, ...] = ()
        self.reads: list[tuple[int, int, int, int, int]] = []
        self._lock = Lock()

    def read(self, x: int, y: int, level: int, width_px: int, height_px: int) -> RgbImage:
        with self._lock:
            self.reads.append((x, y, level, width_px, height_px))
        downsample = self.info.levels[level].downsample
        image = self.images[level]
        i, j = round(x / downsample), round(y / downsample)
        result = np.full((height_px, width_px, 3), 255, np.uint8)
        rows = slice(max(0, j), min(image.shape[0], j + height_px))
        columns = slice(max(0, i), min(image.shape[1], i + width_px))
        if rows.start < rows.stop and columns.start < columns.stop:
            result[rows.start - j : rows.stop - j, columns.start - i : columns.stop - i] = image[
                rows, columns
            ]
        return result

    def close(self) -> None:
        pass


def tissue_image(width: int = 1200, height: int = 1000, seed: int = 0) -> RgbImage:
    """Return a made-up section: nuclei on eosin, a hole of glass, and glass around it."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[0:height, 0:width]
    inside = ((x - width * 0.45) / (width * 0.4)) ** 2 + ((y - height / 2) / (height * 0.42)) ** 2
    amount = np.clip((1 - inside) * 8, 0, 1)
    amount *= np.hypot(x - width * 0.5, y - height * 0.45) > 0.09 * width
    texture = _mean_blur(rng.random((height, width)), 3)
    nuclei = _mean_blur((rng.random((height, width)) > 0.996) * 60.0, 4).clip(0, 1)
    eosin = amount * (0.5 + 2 * (texture - 0.5))
    absorbance = eosin[..., None] * np.array([0.07, 0.99, 0.11]) + (amount * nuclei * 1.4)[
        ..., None
    ] * np.array([0.65, 0.70, 0.29])
    image: RgbImage = np.clip(244 * np.exp(-absorbance), 0, 255).astype(np.uint8)
    return image


def _mean_blur(plane: np.ndarray[Any, Any], radius: int) -> np.ndarray[Any, Any]:
    for axis in (0, 1):
        plane = np.mean([np.roll(plane, k, axis) for k in range(-radius, radius + 1)], axis=0)
    return plane


def _mean(image: RgbImage, factor: int) -> RgbImage:
    height, width = image.shape[0] // factor, image.shape[1] // factor
    cut = image[: height * factor, : width * factor].astype(np.float32)
    blocks = cut.reshape(height, factor, width, factor, 3).mean(axis=(1, 3))
    result: RgbImage = np.rint(blocks).astype(np.uint8)
    return result


class FakeStainer:
    """A stainer that runs a function on tiles; the card says how they are cut."""

    device, precision, digest, batch = "cpu", "fp32", "fake", 2
    default_state: SlideState | None = SlideState()

    def __init__(self, run: Callable[[RgbImage], RgbImage] = np.copy, **changes: Any) -> None:
        values: dict[str, Any] = {
            "id": "fake",
            "name": "Fake",
            "method": "fake",
            "arch": Arch(family="resnet"),
            "source_stain": "any",
            "target_stain": "any",
            "mpp": 0.5,
            "tile": 128,
            "halo": 16,
            "background": "model",
            "files": {WEIGHTS_FILE: "0" * 64},
            "calibrate": Calibration(tiles=2, tile_px=64),
        }
        self.card = ModelCard(**(values | changes))
        self.batches: list[int] = []
        self._run = run

    def calibrate(self, tiles: RgbImage, token: CancelToken | None = None) -> SlideState:
        return self.calibrate_and_predict(tiles, token)[0]

    def calibrate_and_predict(
        self, tiles: RgbImage, token: CancelToken | None = None, **_: Any
    ) -> tuple[SlideState, RgbImage]:
        return SlideState(tiles=len(tiles)), self.predict(tiles, SlideState(), token)

    def predict(
        self, tiles: RgbImage, state: SlideState, token: CancelToken | None = None, **_: Any
    ) -> RgbImage:
        if token is not None:
            token.check()
        self.batches.append(len(tiles))
        return self._run(tiles)


MODELS: dict[str, Callable[[Path], Path]] = {
    "reinhard": lambda folder: classic_model(folder, "reinhard"),
    "macenko": lambda folder: classic_model(folder, "macenko"),
    "resnet": resnet_model,
    "resunet": resunet_model,
    "unet": unet_model,
    "pixel": pixel_model,
    "bridge": bridge_model,
}


def opened(name: str, folder: Path) -> Stainer:
    return open_stainer(MODELS[name](folder / name), device="cpu", precision="fp32")
