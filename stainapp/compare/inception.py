"""Inception v3 as FID, KID and the Inception Score look through it, from the user's own weights.

Nothing is downloaded. A file of weights is accepted in either of two published layouts, which
have the same names and differ in the number of classes:

    1008 classes  the graph of 2015-12-05 that published FIDs use, as torch-fidelity
                  (weights-inception-2015-12-05-6726825d.pth) and pytorch-fid (pt_inception-...)
                  give it; both names are of one file
    1000 classes  torchvision's inception_v3_google-*.pth, whose figures are another measure

The network: Szegedy et al., CVPR 2016 (Rethinking the Inception architecture), section 6 and
table 1, figures 5 to 7; without its auxiliary classifier.
"""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from stainapp.compare.set_rows import Answers
from stainapp.errors import ImportRefusedError, ModelError
from stainapp.models import checkpoint_file
from stainapp.models.card import sha256_of
from stainapp.models.device import choose_device
from stainapp.slides.reader import RgbImage

FEATURES = 2048
SIDE_PX = 299
KNOWN = {"6726825d0af5f729cebd5821db510b11b1cfad8faad88a03f1befd49fb9129b2": "2015-12-05"}
"""Sha256 -> name, of files that are known for certain; of others only the layout is."""
LAYOUTS = {1008: "2015-12-05", 1000: "torchvision"}
_BATCH = 8


class Inception:
    """The network with a user's weights, ready to look at tiles."""

    def __init__(self, path: Path, sha256: str | None = None, device: str = "auto") -> None:
        """Read the weights, as tensors alone.

        Args:
            path: the file.
            sha256: what it must have, in hex; None to only record what it has.
            device: as `choose_device` takes it.

        Raises:
            ModelError: there is no such file, or it has another sha256.
            ImportRefusedError: it is unsafe, damaged or of another network.
        """
        if not path.is_file():
            raise ModelError(
                f"There are no Inception weights at {path}: download "
                "weights-inception-2015-12-05-6726825d.pth of torch-fidelity on a machine with a "
                "network, and name the file here."
            )
        self.sha256 = sha256_of(path)
        if sha256 is not None and sha256.lower() != self.sha256:
            raise ModelError(
                f"{path} has the sha256 {self.sha256} and not {sha256.lower()}: "
                "it is another file, or damaged; download it again."
            )
        weights = _weights(path)
        classes = len(weights["fc.bias"])
        self.layout = LAYOUTS[classes]
        self._device = choose_device(device)
        self._net = InceptionV3(classes)
        self._net.load_state_dict(weights)
        self._net.eval().requires_grad_(False).to(self._device)

    @property
    def name(self) -> str:
        """Return what every figure names it by: figures of other weights cannot be compared."""
        known = KNOWN.get(self.sha256)
        what = f"Inception {known}" if known else f"Inception, {self.layout} layout"
        return f"{what}, sha256 {self.sha256[:8]}"

    @torch.inference_mode()
    def __call__(self, tiles: RgbImage) -> Answers:
        """Look at tiles ``(N, H, W, 3)`` uint8, each enlarged or reduced to 299 px."""
        features, probabilities = [], []
        for start in range(0, len(tiles), _BATCH):
            seen, logits = self._net(_prepared(tiles[start : start + _BATCH], self._device))
            features.append(seen.double().cpu().numpy())
            probabilities.append(logits.double().softmax(dim=1).cpu().numpy())
        return Answers(np.concatenate(features), np.concatenate(probabilities))


def _prepared(tiles: RgbImage, device: str) -> Tensor:
    """Return ``(N, 3, 299, 299)``, -1 to 1, resampled as torchmetrics does for its own."""
    pixels = torch.from_numpy(np.ascontiguousarray(tiles)).to(device).permute(0, 3, 1, 2).float()
    side = (SIDE_PX, SIDE_PX)
    resized = functional.interpolate(
        pixels, side, mode="bilinear", align_corners=False, antialias=True
    )
    return (resized - 128) / 128


def _weights(path: Path) -> dict[str, Tensor]:
    """Return the weights by the names of `InceptionV3`, having checked every shape.

    Raises:
        ImportRefusedError: names what does not fit.
    """
    contents = checkpoint_file.load(path)
    tensors = contents if isinstance(contents, Mapping) else {}
    bias = tensors.get("fc.bias")
    classes = len(bias) if isinstance(bias, Tensor) and bias.ndim == 1 else 0
    if classes not in LAYOUTS:
        raise ImportRefusedError(
            f"{path.name} does not hold Inception v3 as torch-fidelity, pytorch-fid or torchvision "
            "publish it; give one of these files."
        )
    with torch.device("meta"):
        expected = InceptionV3(classes).state_dict()
    found = {}
    for name, like in expected.items():
        tensor = tensors.get(name)
        if tensor is None and name.endswith("num_batches_tracked"):  # older files lack it
            tensor = torch.zeros((), dtype=torch.long)
        if not isinstance(tensor, Tensor) or tensor.shape != like.shape:
            raise ImportRefusedError(
                f"{path.name} is no whole Inception v3: {name!r} is missing or of another shape; "
                "download it again."
            )
        if not torch.isfinite(tensor).all():
            raise ImportRefusedError(f"{path.name} has numbers that are not finite, in {name!r}.")
        found[name] = tensor
    return found


class InceptionV3(nn.Module):
    """RGB ``(N, 3, 299, 299)`` in -1 to 1 -> features ``(N, 2048)`` and logits ``(N, classes)``.

    The graph of 2015-12-05 (1008 classes) averages over what lies inside the picture alone, and
    its last block takes a maximum where torchvision's (1000 classes) averages.
    """

    def __init__(self, classes: int) -> None:
        super().__init__()
        early = classes == 1008
        pool: nn.Module = nn.AvgPool2d(3, 1, 1, count_include_pad=not early)
        self.Conv2d_1a_3x3 = Unit(3, 32, 3, stride=2)
        self.Conv2d_2a_3x3 = Unit(32, 32, 3)
        self.Conv2d_2b_3x3 = Unit(32, 64, 3, padding=1)
        self.Conv2d_3b_1x1 = Unit(64, 80, 1)
        self.Conv2d_4a_3x3 = Unit(80, 192, 3)
        self.Mixed_5b = Fine(192, 32, pool)
        self.Mixed_5c = Fine(256, 64, pool)
        self.Mixed_5d = Fine(288, 64, pool)
        self.Mixed_6a = ToMiddle(288)
        self.Mixed_6b = Middle(128, pool)
        self.Mixed_6c = Middle(160, pool)
        self.Mixed_6d = Middle(160, pool)
        self.Mixed_6e = Middle(192, pool)
        self.Mixed_7a = ToCoarse(768)
        self.Mixed_7b = Coarse(1280, pool)
        self.Mixed_7c = Coarse(FEATURES, nn.MaxPool2d(3, 1, 1) if early else pool)
        self.fc = nn.Linear(FEATURES, classes)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        x = self.Conv2d_2b_3x3(self.Conv2d_2a_3x3(self.Conv2d_1a_3x3(x)))
        x = functional.max_pool2d(x, 3, 2)
        x = functional.max_pool2d(self.Conv2d_4a_3x3(self.Conv2d_3b_1x1(x)), 3, 2)
        x = self.Mixed_5d(self.Mixed_5c(self.Mixed_5b(x)))
        x = self.Mixed_6e(self.Mixed_6d(self.Mixed_6c(self.Mixed_6b(self.Mixed_6a(x)))))
        x = self.Mixed_7c(self.Mixed_7b(self.Mixed_7a(x)))
        features = x.mean(dim=(2, 3))
        return features, self.fc(features)


class Unit(nn.Module):
    """Convolution, batch norm, ReLU."""

    def __init__(
        self,
        before: int,
        after: int,
        size: int | tuple[int, int],
        stride: int = 1,
        padding: int | tuple[int, int] = 0,
    ) -> None:
        super().__init__()
        self.conv = nn.Conv2d(before, after, size, stride, padding, bias=False)
        self.bn = nn.BatchNorm2d(after, eps=0.001)

    def forward(self, x: Tensor) -> Tensor:
        return functional.relu(self.bn(self.conv(x)))


class Fine(nn.Module):
    """Figure 5: a 5 x 5 convolution beside two 3 x 3 ones, at 35 x 35."""

    def __init__(self, before: int, pooled: int, pool: nn.Module) -> None:
        super().__init__()
        self.branch1x1 = Unit(before, 64, 1)
        self.branch5x5_1 = Unit(before, 48, 1)
        self.branch5x5_2 = Unit(48, 64, 5, padding=2)
        self.branch3x3dbl_1 = Unit(before, 64, 1)
        self.branch3x3dbl_2 = Unit(64, 96, 3, padding=1)
        self.branch3x3dbl_3 = Unit(96, 96, 3, padding=1)
        self.branch_pool = Unit(before, pooled, 1)
        self._pool = pool

    def forward(self, x: Tensor) -> Tensor:
        five = self.branch5x5_2(self.branch5x5_1(x))
        three = self.branch3x3dbl_3(self.branch3x3dbl_2(self.branch3x3dbl_1(x)))
        return torch.cat([self.branch1x1(x), five, three, self.branch_pool(self._pool(x))], dim=1)


class ToMiddle(nn.Module):
    """Figure 10: 35 x 35 to 17 x 17 without losing detail to the pooling."""

    def __init__(self, before: int) -> None:
        super().__init__()
        self.branch3x3 = Unit(before, 384, 3, stride=2)
        self.branch3x3dbl_1 = Unit(before, 64, 1)
        self.branch3x3dbl_2 = Unit(64, 96, 3, padding=1)
        self.branch3x3dbl_3 = Unit(96, 96, 3, stride=2)

    def forward(self, x: Tensor) -> Tensor:
        three = self.branch3x3dbl_3(self.branch3x3dbl_2(self.branch3x3dbl_1(x)))
        return torch.cat([self.branch3x3(x), three, functional.max_pool2d(x, 3, 2)], dim=1)


class Middle(nn.Module):
    """Figure 6: 7 x 7 convolutions as rows and columns, at 17 x 17."""

    def __init__(self, inner: int, pool: nn.Module) -> None:
        super().__init__()
        row: tuple[int, int] = (1, 7)
        self.branch1x1 = Unit(768, 192, 1)
        self.branch7x7_1 = Unit(768, inner, 1)
        self.branch7x7_2 = _line(inner, inner, row)
        self.branch7x7_3 = _line(inner, 192, row[::-1])
        self.branch7x7dbl_1 = Unit(768, inner, 1)
        self.branch7x7dbl_2 = _line(inner, inner, row[::-1])
        self.branch7x7dbl_3 = _line(inner, inner, row)
        self.branch7x7dbl_4 = _line(inner, inner, row[::-1])
        self.branch7x7dbl_5 = _line(inner, 192, row)
        self.branch_pool = Unit(768, 192, 1)
        self._pool = pool

    def forward(self, x: Tensor) -> Tensor:
        once = self.branch7x7_3(self.branch7x7_2(self.branch7x7_1(x)))
        twice = self.branch7x7dbl_3(self.branch7x7dbl_2(self.branch7x7dbl_1(x)))
        twice = self.branch7x7dbl_5(self.branch7x7dbl_4(twice))
        return torch.cat([self.branch1x1(x), once, twice, self.branch_pool(self._pool(x))], dim=1)


class ToCoarse(nn.Module):
    """17 x 17 to 8 x 8."""

    def __init__(self, before: int) -> None:
        super().__init__()
        self.branch3x3_1 = Unit(before, 192, 1)
        self.branch3x3_2 = Unit(192, 320, 3, stride=2)
        self.branch7x7x3_1 = Unit(before, 192, 1)
        self.branch7x7x3_2 = _line(192, 192, (1, 7))
        self.branch7x7x3_3 = _line(192, 192, (7, 1))
        self.branch7x7x3_4 = Unit(192, 192, 3, stride=2)

    def forward(self, x: Tensor) -> Tensor:
        three = self.branch3x3_2(self.branch3x3_1(x))
        seven = self.branch7x7x3_3(self.branch7x7x3_2(self.branch7x7x3_1(x)))
        return torch.cat([three, self.branch7x7x3_4(seven), functional.max_pool2d(x, 3, 2)], dim=1)


class Coarse(nn.Module):
    """Figure 7: rows and columns side by side, at 8 x 8."""

    def __init__(self, before: int, pool: nn.Module) -> None:
        super().__init__()
        self.branch1x1 = Unit(before, 320, 1)
        self.branch3x3_1 = Unit(before, 384, 1)
        self.branch3x3_2a = _line(384, 384, (1, 3))
        self.branch3x3_2b = _line(384, 384, (3, 1))
        self.branch3x3dbl_1 = Unit(before, 448, 1)
        self.branch3x3dbl_2 = Unit(448, 384, 3, padding=1)
        self.branch3x3dbl_3a = _line(384, 384, (1, 3))
        self.branch3x3dbl_3b = _line(384, 384, (3, 1))
        self.branch_pool = Unit(before, 192, 1)
        self._pool = pool

    def forward(self, x: Tensor) -> Tensor:
        once = self.branch3x3_1(x)
        twice = self.branch3x3dbl_2(self.branch3x3dbl_1(x))
        parts = [
            self.branch1x1(x),
            self.branch3x3_2a(once),
            self.branch3x3_2b(once),
            self.branch3x3dbl_3a(twice),
            self.branch3x3dbl_3b(twice),
            self.branch_pool(self._pool(x)),
        ]
        return torch.cat(parts, dim=1)


def _line(before: int, after: int, size: tuple[int, int]) -> Unit:
    """Return a convolution along one direction that keeps the size."""
    return Unit(before, after, size, padding=(size[0] // 2, size[1] // 2))
