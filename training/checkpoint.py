"""Everything a run needs to go on as if nothing had happened, in one file, written whole or not.

Chance needs no saving: it is drawn from the seed and the number of the image or step.
"""

import logging
import os
import zipfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import torch

from stainapp.errors import TrainingError
from training.method import Method

log = logging.getLogger(__name__)

SCHEMA = "stainapp.checkpoint/2"
KEPT = 2


def save(folder: Path, values: dict[str, Any], step: int) -> Path:
    """Write a checkpoint beside the earlier ones, then let go of all but the last two.

    Raises:
        OSError: it cannot be written, such as on a full disk; the earlier ones stay.
    """
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{step:09d}.pt"
    draft = folder / f"{step:09d}.tmp"
    try:
        with draft.open("wb") as file:
            torch.save({"schema": SCHEMA, "step": step, **values}, file)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
    except (OSError, RuntimeError) as error:  # torch raises the latter where a disk is full
        with suppress(OSError):
            draft.unlink()
        raise OSError(str(error)) from error
    cut_short = folder.glob("*.tmp")  # by a kill
    for old in (*found(folder)[:-KEPT], *cut_short):
        with suppress(OSError):
            old.unlink()
    return path


def found(folder: Path) -> list[Path]:
    """Return the checkpoints, the newest last."""
    return sorted(folder.glob("*.pt"))


def newest(folder: Path, say: Callable[[str], None]) -> dict[str, Any] | None:
    """Read the newest checkpoint that is whole; None where there is none.

    Args:
        folder: of the checkpoints.
        say: told of each damaged one, which is put aside.

    Raises:
        TrainingError: it was written by another version of the program.
    """
    left = found(folder)
    while left:
        path = left.pop()
        try:
            values = _read(path)
        except Exception as error:  # whatever damage makes the zip and pickle readers raise
            log.warning("%s cannot be read: %s", path, error)
            use = "the one before it is used" if left else "none is left, so the run starts anew"
            say(f"The checkpoint {path.name} is damaged; {use}.")
            with suppress(OSError):
                path.replace(path.with_suffix(".damaged"))
            continue
        if not isinstance(values, dict) or values.get("schema") != SCHEMA:
            raise TrainingError(
                f"{path} was written by another version of stainapp; "
                "go on with that one, or start anew in another folder."
            )
        return values
    return None


def _read(path: Path) -> Any:
    with zipfile.ZipFile(path) as file:
        damaged = file.testzip()  # torch passes over wrong checksums
    if damaged is not None:
        raise zipfile.BadZipFile(f"{damaged} has changed since it was written")
    return torch.load(path, map_location="cpu", weights_only=True)


def is_finite(method: Method) -> bool:
    """Tell whether all weights and their averages are numbers."""
    parts = [net.state_dict() for net in method.networks.values()]
    parts += [average.weights for average in method.averages.values()]
    tensors = (tensor for part in parts for tensor in part.values())
    return all(bool(tensor.isfinite().all()) for tensor in tensors)


def state_of(method: Method) -> dict[str, Any]:
    """Return everything that changes while a method learns."""
    return {
        "networks": {name: net.state_dict() for name, net in method.networks.items()},
        "averages": {name: one.state() for name, one in method.averages.items()},
        "optimisers": {name: one.state_dict() for name, one in method.optimisers.items()},
        "pools": {name: pool.state() for name, pool in method.pools.items()},
        "scaler": method.scaler.state_dict(),
    }


def restore(method: Method, values: dict[str, Any], device: str) -> None:
    """Bring a method to where `state_of` was taken.

    Raises:
        TrainingError: it is of other networks.
    """
    try:
        for name, net in method.networks.items():
            net.load_state_dict(values["networks"][name], strict=True)
        for name, average in method.averages.items():
            average.restore(values["averages"][name])
        for name, optimiser in method.optimisers.items():
            optimiser.load_state_dict(values["optimisers"][name])
        for name, pool in method.pools.items():
            pool.restore(values["pools"][name], device)
        method.scaler.load_state_dict(values["scaler"])
    except (KeyError, RuntimeError, ValueError) as error:
        raise TrainingError(
            "The checkpoint is of another network than the recipe's; start anew in another folder."
        ) from error
