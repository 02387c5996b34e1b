"""The stainer of the networks: torch at work, and what to do where memory runs out."""

import threading
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from stainapp.cancel import CancelToken
from stainapp.errors import DeviceMemoryError, ModelError
from stainapp.models import mixture, networks, slide_norm
from stainapp.models.bridge import applied
from stainapp.models.card import WEIGHTS_FILE, Arch, ModelCard
from stainapp.models.device import (
    STRIP_PX,
    autocast,
    batch_for,
    choose_device,
    choose_precision,
    free_memory,
    is_out_of_memory,
    use_cores,
)
from stainapp.models.optics import LUMA
from stainapp.models.slide_state import SlideState
from stainapp.models.stainer import Notify, Places, Tiles

STATISTICS = "statistics."
"""Prefix in the weights file of the training set's statistics, named as by `slide_norm`."""
TEMPLATE = "template."
"""The same of a normaliser's template, named as by `mixture`."""
CALIBRATION_BYTES = 1 << 31
"""What calibration's one batch may take on a processor, where too much ends the program."""


@dataclass(frozen=True, slots=True)
class _Work:
    """Tiles to stain, where they lie, and how far."""

    tiles: Tiles
    at: Places
    strength: float = 1.0

    @classmethod
    def of(cls, tiles: Tiles, at: Places | None = None, strength: float = 1.0) -> "_Work":
        return cls(tiles, np.zeros((len(tiles), 2), np.int64) if at is None else at, strength)

    def some(self, which: slice) -> "_Work":
        return _Work(self.tiles[which], self.at[which], self.strength)

    def piece(self, left: int, top: int, width: int, height: int) -> "_Work":
        tiles = np.ascontiguousarray(self.tiles[:, top : top + height, left : left + width])
        return _Work(tiles, self.at + np.array([left, top]), self.strength)


class NetworkStainer:
    """A network with its norms frozen per slide. Calls from several threads take turns."""

    def __init__(
        self, card: ModelCard, folder: Path, device: str, precision: str, notify: Notify | None
    ) -> None:
        assert card.arch is not None
        self.card = card
        self.arch: Arch = card.arch
        self.digest = card.digest
        self.device = choose_device(device)
        use_cores()
        self.precision = choose_precision(self.device, precision)
        self.batch = batch_for(self.device, card)
        self._notify = notify
        self._said: set[str] = set()
        self._lock = threading.RLock()
        self._net, self._stored = _load(card, folder)
        self._net.to(self.device, memory_format=torch.channels_last)  # type: ignore[call-overload] # its hints lack it
        self._installed: SlideState | None = None

    @property
    def default_state(self) -> SlideState | None:
        if self.card.norm_mode in ("running", "none"):
            return SlideState()
        return SlideState(arrays=self._stored) if self._stored else None

    def calibrate(self, tiles: Tiles, token: CancelToken | None = None) -> SlideState:
        return self.calibrate_and_predict(tiles, token)[0]

    def calibrate_and_predict(
        self, tiles: Tiles, token: CancelToken | None = None, *, at: Places | None = None
    ) -> tuple[SlideState, Tiles]:
        if self.card.norm_mode in ("running", "none"):
            state = SlideState()
            return state, self.predict(tiles, state, token, at=at)
        with self._lock:
            tiles = tiles[: self._most_calibration_tiles(tiles)]
            result = self._attempt_calibration(tiles, token)
            while result is None:
                if len(tiles) == 1 and self.device == "cpu":
                    raise DeviceMemoryError(
                        f"{self.card.name} needs more memory than this machine has free; "
                        "close other programs or choose a smaller model."
                    )
                if len(tiles) == 1:
                    self._move_to_cpu()
                else:
                    tiles = tiles[: len(tiles) // 2]
                    self._tell(
                        f"Memory is short: {self.card.name} is calibrated on "
                        f"{len(tiles)} tissue tiles only."
                    )
                result = self._attempt_calibration(tiles, token)
            state = SlideState(arrays=slide_norm.statistics(self._net), tiles=len(tiles))
            self._installed = state
            return state, result

    def predict(
        self,
        tiles: Tiles,
        state: SlideState,
        token: CancelToken | None = None,
        *,
        at: Places | None = None,
        strength: float = 1.0,
    ) -> Tiles:
        with self._lock:
            self._install(state)
            if not self.card.pixelwise:
                return self._in_batches(_Work.of(tiles, at, strength), token)
            strips = self._in_batches(_Work.of(_strips(tiles)), token)
            return strips.reshape(-1, 3)[: tiles.size // 3].reshape(tiles.shape)

    def _in_batches(self, work: _Work, token: CancelToken | None) -> Tiles:
        # Not range(..., self.batch): the batch may shrink on the way.
        done: list[Tiles] = []
        start = 0
        while start < len(work.tiles):
            if token is not None:
                token.check()
            size = self.batch
            done.append(self._stain(work.some(slice(start, start + size))))
            start += size
        return np.concatenate(done) if len(done) != 1 else done[0]

    def _install(self, state: SlideState) -> None:
        if state is self._installed:
            return
        if self.card.norm_mode not in ("running", "none"):
            slide_norm.set_statistics(self._net, state.arrays)
        self._installed = state

    def _stain(self, work: _Work) -> Tiles:
        """Stain one batch; where memory runs out, halve it, then cut the tile, then leave."""
        result = self._attempt(work)
        if result is not None:
            return result
        free_memory(self.device)
        half = len(work.tiles) // 2
        if half:
            self._shrink(half)
            parts = work.some(slice(0, half)), work.some(slice(half, None))
            return np.concatenate([self._stain(part) for part in parts])
        if self._can_cut(work.tiles):
            return self._stain_quarters(work)
        if self.device == "cpu":
            raise DeviceMemoryError(
                f"{self.card.name} needs more memory than this machine has free; "
                "close other programs or choose a smaller model."
            )
        self._move_to_cpu()
        return self._stain(work)

    def _tell(self, sentence: str) -> None:
        """Notify, but not again and again of the same."""
        if self._notify is not None and sentence not in self._said:
            self._said.add(sentence)
            self._notify(sentence)

    def _shrink(self, batch: int) -> None:
        if batch < self.batch:
            self.batch = batch
            self._tell(f"Memory is short on {self.device}: {batch} tiles are stained at a time.")

    def _can_cut(self, tiles: Tiles) -> bool:
        """A piece must see no more than the tile's halo, and must be smaller than the tile."""
        side = min(tiles.shape[1:3])
        return self.card.blend == "crop" and self._reach(side) <= 0.75 * side

    def _reach(self, side: int) -> int:
        """Return the side of a piece: half a tile and the halo, rounded up."""
        multiple = self.card.multiple
        return -(-(side // 2 + self.card.halo + multiple) // multiple) * multiple

    def _stain_quarters(self, work: _Work) -> Tiles:
        """Stain one tile as four pieces that overlap by the halo."""
        self._tell(f"Memory is short on {self.device}: tiles are stained in pieces.")
        height, width = work.tiles.shape[1:3]
        result = np.empty_like(work.tiles)
        for top, rows in _halves(height, self._reach(height)):
            for left, columns in _halves(width, self._reach(width)):
                piece = self._stain(work.piece(left, top, self._reach(width), self._reach(height)))
                inner = np.s_[rows.start - top : rows.stop - top]
                across = np.s_[columns.start - left : columns.stop - left]
                result[:, rows, columns] = piece[:, inner, across]
        return result

    def _move_to_cpu(self) -> None:
        self._tell(
            f"The memory of {self.device} is used up: staining goes on, slower, on the processor."
        )
        free_memory(self.device)
        self.device, self.precision = "cpu", "fp32"
        self._net.to("cpu")
        self.batch = batch_for("cpu", self.card)

    def _attempt(self, work: _Work) -> Tiles | None:
        """Return the stained tiles, or None where memory ran out.

        None rather than an exception, which would hold the tensors of the failed attempt.
        """
        try:
            return self._forward(work)
        except (RuntimeError, MemoryError) as error:
            if is_out_of_memory(error):
                return None
            raise

    def _attempt_calibration(self, tiles: Tiles, token: CancelToken | None) -> Tiles | None:
        free_memory(self.device)
        try:
            with slide_norm.calibrating(self._net, token):
                return self._forward(_Work.of(tiles))
        except (RuntimeError, MemoryError) as error:
            if is_out_of_memory(error):
                return None
            raise

    def _most_calibration_tiles(self, tiles: Tiles) -> int:
        if self.device != "cpu":
            return len(tiles)
        per_tile: int = 32 * self.arch.ngf * tiles.shape[1] * tiles.shape[2]
        return max(1, CALIBRATION_BYTES // per_tile)

    def _forward(self, work: _Work) -> Tiles:
        with torch.inference_mode():
            x = self._to_network(work.tiles)
            with autocast(self.device, self.precision):
                y = applied(self._net, x, self.card.bridge, work.at, work.strength)
            if self.precision != "fp32" and not bool(torch.isfinite(y).all()):
                self._tell(f"{self.card.name} overflows in {self.precision}: it runs in fp32.")
                self.precision = "fp32"
                y = applied(self._net, x, self.card.bridge, work.at, work.strength)
            return self._from_network(y)

    def _to_network(self, tiles: Tiles) -> Tensor:
        low, high = self.card.value_range
        # (N, H, W, 3) seen as (N, 3, H, W) is what torch calls channels_last: nothing is copied
        x = torch.from_numpy(tiles).to(self.device).permute(0, 3, 1, 2).float()
        if self.card.grey_input:
            weights = torch.tensor(LUMA, device=self.device).view(1, 3, 1, 1)
            channels = 3 if self.card.bridge else self.arch.in_channels
            x = (x * weights).sum(1, keepdim=True).round().expand(-1, channels, -1, -1)
        x = x * ((high - low) / 255) + low
        return x.contiguous(memory_format=torch.channels_last)

    def _from_network(self, y: Tensor) -> Tiles:
        low, high = self.card.value_range
        if y.shape[1] == 1:
            y = y.expand(-1, 3, -1, -1)
        y = (y.float() - low) * (255 / (high - low))
        y = y.round_().clamp_(0, 255).to(torch.uint8).permute(0, 2, 3, 1).contiguous()
        result: NDArray[np.uint8] = y.cpu().numpy()
        return result


def _strips(tiles: Tiles) -> Tiles:
    """Return all pixels in rows of `STRIP_PX`, ``(n, 1, STRIP_PX, 3)``, the last one filled up.

    For what maps single pixels shape does not matter, and what fits into a core's cache is
    several times as fast.
    """
    pixels = tiles.reshape(-1, 3)
    missing = -len(pixels) % STRIP_PX
    if missing:
        pixels = np.pad(pixels, ((0, missing), (0, 0)))
    return pixels.reshape(-1, 1, STRIP_PX, 3)


def _halves(side: int, reach: int) -> list[tuple[int, slice]]:
    """Return where two pieces of ``reach`` start, and which part of the result each gives."""
    return [(0, slice(0, side // 2)), (side - reach, slice(side // 2, side))]


def _own(tensor: Tensor) -> Tensor:
    """Return a copy that holds no file open; weights stored as fp16 become fp32."""
    return tensor.to(torch.float32 if tensor.is_floating_point() else tensor.dtype, copy=True)


def _taken(tensors: dict[str, Tensor], prefix: str) -> dict[str, NDArray[np.float32]]:
    """Take the tensors out whose names begin with a prefix, and return them without it."""
    names = [name for name in tensors if name.startswith(prefix)]
    return {name.removeprefix(prefix): tensors.pop(name).float().numpy() for name in names}


def _load(card: ModelCard, folder: Path) -> tuple[nn.Module, dict[str, NDArray[np.float32]]]:
    """Return the network, ready to be calibrated, and the statistics stored with it."""
    assert card.arch is not None
    path = folder / WEIGHTS_FILE
    try:
        tensors = load_file(path)
        statistics, template = _taken(tensors, STATISTICS), _taken(tensors, TEMPLATE)
        with torch.device("meta"):  # drawing weights that are replaced takes as long as reading
            net = networks.build(card.arch)
        net.load_state_dict({k: _own(v) for k, v in tensors.items()}, strict=True, assign=True)
        mixture.set_template(net, template)
    except (OSError, SafetensorError, RuntimeError, ValueError, ModelError) as error:
        raise ModelError(
            f"{path} does not hold the network its card describes; "
            f"install the model {card.id!r} again."
        ) from error
    net = slide_norm.freeze_norms(net).eval().requires_grad_(False)
    if statistics and card.norm_mode in ("frozen", "batch"):
        slide_norm.set_statistics(net, statistics)
    return net, statistics
