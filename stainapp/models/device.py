"""Which device stains, in which precision, and how much at a time."""

import json
import logging
import os
import time
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from stainapp.errors import ModelError
from stainapp.models.card import ModelCard
from stainapp.settings import home

log = logging.getLogger(__name__)

DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}
WORTH = 1.2
"""A lower precision is used only where it is this many times as fast."""
TOLERANCE = 0.03
"""Largest deviation from fp32 a lower precision may have, over the result's largest value."""
CPU_PX = 1 << 18
"""Network pixels a batch on a processor: little, so that what is cancelled ends soon."""
ACCELERATOR_PX = 1 << 22
STRIP_PX = 1 << 14
"""Pixels in a row that a network of single pixels gets; a batch of them on an accelerator."""
LIVE_PLANES = 12
"""Full-size planes of ``ngf`` float32 channels that a generator is taken to hold at once."""


def choose_device(request: str = "auto") -> str:
    """Return "cpu", "mps", "cuda" or "cuda:<n>"; "auto" takes the fastest kind there is.

    Raises:
        ModelError: the device asked for is unknown or not there.
    """
    kind, _, number = request.partition(":")
    if request == "auto":
        return "cuda" if torch.cuda.is_available() else "mps" if _has_mps() else "cpu"
    if request == "cpu" or (request == "mps" and _has_mps()):
        return request
    if kind == "cuda" and (not number or number.isdecimal()):
        count = torch.cuda.device_count() if torch.cuda.is_available() else 0
        if int(number or 0) < count:
            return request
        there = f"this machine has {count}" if count else "PyTorch sees none on this machine"
        raise ModelError(f"There is no CUDA device {number or 0} ({there}); choose auto or cpu.")
    if request == "mps":
        raise ModelError("There is no Apple GPU for PyTorch on this machine; choose auto or cpu.")
    raise ModelError(f"{request!r} is no device; choose auto, cpu, cuda, cuda:<n> or mps.")


def choose_precision(device: str, request: str = "auto") -> str:
    """Return "fp32", "bf16" or "fp16"; "auto" is measured once per device and remembered.

    Raises:
        ModelError: the precision asked for is unknown.
    """
    if request in DTYPES:
        return request
    if request != "auto":
        raise ModelError(f"{request!r} is no precision; choose auto, {', '.join(DTYPES)}.")
    path = home() / "devices.json"
    known = _read(path)
    name = f"{_device_name(device)}, torch {torch.__version__}"
    if known.get(name) not in DTYPES:
        known[name] = _fastest(device)
        log.info("%s stains in %s", name, known[name])
        _write(path, known)
    return str(known[name])


def autocast(device: str, precision: str) -> Any:
    """Return the context in which a network runs in ``precision``."""
    if precision == "fp32":
        return nullcontext()
    return torch.autocast(device.partition(":")[0], dtype=DTYPES[precision])


def batch_for(device: str, card: ModelCard) -> int:
    """Return how many of the card's tiles go through the network at once, at least 1."""
    budget = CPU_PX if device == "cpu" else ACCELERATOR_PX
    if device.startswith("cuda") and card.arch is not None:
        free, _total = torch.cuda.mem_get_info(torch.device(device))
        budget = min(budget, free // 2 // (4 * LIVE_PLANES * card.arch.ngf))
    if card.pixelwise:
        return max(1, budget // STRIP_PX) if device != "cpu" else 1
    return max(1, budget // card.tile**2)


def is_out_of_memory(error: BaseException) -> bool:
    """Tell whether torch ran out of memory, which each kind of device says in its own words."""
    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return True
    text = str(error).lower()
    return isinstance(error, RuntimeError) and (
        "out of memory" in text or "can't allocate memory" in text or "not enough memory" in text
    )


def free_memory(device: str) -> None:
    """Give cached blocks back, so that a smaller piece finds room."""
    if device.startswith("cuda"):
        torch.cuda.empty_cache()
    elif device == "mps":
        torch.mps.empty_cache()


def use_cores() -> None:
    """Leave one core to the window and to reading, unless the environment says how many to use."""
    cores = os.cpu_count() or 1
    if "OMP_NUM_THREADS" not in os.environ and cores > 2:
        torch.set_num_threads(min(torch.get_num_threads(), cores - 1))


def _has_mps() -> bool:
    return torch.backends.mps.is_available()


def _device_name(device: str) -> str:
    if device.startswith("cuda"):
        return torch.cuda.get_device_name(torch.device(device))
    return f"{device} {torch.backends.cpu.get_cpu_capability()} x{torch.get_num_threads()}"


def _fastest(device: str) -> str:
    """Time a small network in each precision the device may have."""
    generator = torch.Generator().manual_seed(0)
    net = nn.Sequential(*[nn.Conv2d(64, 64, 3, padding=1) for _ in range(3)])
    for weight in net.parameters():
        nn.init.normal_(weight, 0.0, 0.04, generator=generator)
    net.to(device)
    x = torch.randn(1, 64, 128, 128, generator=generator)
    x = x.to(device, memory_format=torch.channels_last)
    exact, seconds = _timed(net, x, device, "fp32")
    best = "fp32"
    for precision in ("bf16",) if device == "cpu" else ("bf16", "fp16"):
        try:
            result, taken = _timed(net, x, device, precision)
        except RuntimeError as error:  # the device does not know this type
            log.debug("%s cannot compute in %s: %s", device, precision, error)
            continue
        off = float((result - exact).abs().max() / exact.abs().max())
        # the second is measured against the first, so that equal speed keeps the safer bf16
        if off < TOLERANCE and taken * WORTH < seconds:
            best, seconds = precision, taken
    return best


def _timed(net: nn.Module, x: Tensor, device: str, precision: str) -> tuple[Tensor, float]:
    """Return the result in float32 and the seconds of the fastest of five runs."""
    best = float("inf")
    with torch.inference_mode(), autocast(device, precision):
        for _ in range(6):
            start = time.perf_counter()
            result = net(x).float()
            result[0, 0, 0, 0].item()  # waits for the device
            best = min(best, time.perf_counter() - start)
    return result, best


def _read(path: Path) -> dict[str, Any]:
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return values if isinstance(values, dict) else {}


def _write(path: Path, values: dict[str, Any]) -> None:
    draft = path.with_suffix(f".{os.getpid()}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        draft.write_text(json.dumps(values, indent=2), encoding="utf-8")
        draft.replace(path)
    except OSError as error:  # it is measured again next time
        log.warning("%s cannot be written: %s", path, error)
