"""Between tiles and what networks take: uint8 (N, H, W, 3) and float (N, 3, H, W) in -1..1."""

import torch
from torch import Tensor

from stainapp.models.optics import LUMA
from stainapp.models.stainer import Tiles


def memory_format(device: str, *, normed: bool = True) -> torch.memory_format:
    """Return the layout that networks learn fastest in: channels last (by a tenth to a fifth).

    On a processor norms would copy it back and forth (a fifth slower).
    """
    slower = device == "cpu" and normed
    return torch.contiguous_format if slower else torch.channels_last


def to_network(tiles: Tiles, device: str, *, grey: bool = False) -> Tensor:
    """Return tiles as a network takes them; in grey as a card with ``grey_input`` has them."""
    # (N, H, W, 3) seen as (N, 3, H, W) is what torch calls channels_last: nothing is copied
    x = torch.from_numpy(tiles).to(device).permute(0, 3, 1, 2).float()
    if grey:
        weights = torch.tensor(LUMA, device=device).view(1, 3, 1, 1)
        x = (x * weights).sum(1, keepdim=True).round().expand(-1, 3, -1, -1)
    return (x / 127.5 - 1).contiguous(memory_format=memory_format(device))


def from_network(y: Tensor) -> Tiles:
    """Return tiles from what a network gave."""
    y = ((y.float() + 1) * 127.5).round_().clamp_(0, 255).to(torch.uint8)
    tiles: Tiles = y.permute(0, 2, 3, 1).contiguous().cpu().numpy()
    return tiles
