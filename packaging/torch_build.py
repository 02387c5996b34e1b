"""Which build of torch suits this machine.

The plain package brings gigabytes of CUDA libraries on Linux, needed or not. Nothing here
names a package index: pip's own settings hold, or the one the user gives.
"""

import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path

TORCH = "torch==2.13.0"
"""The version the project is tested with."""


def torch_choice(environment: Mapping[str, str]) -> list[str]:
    """Return what the user chose: a requirement, an index, both or neither."""
    names = ("STAINAPP_TORCH", "STAINAPP_TORCH_INDEX")
    return [f"{name}={environment[name]}" for name in names if environment.get(name)]


def torch_arguments(environment: Mapping[str, str]) -> list[str]:
    """Return pip's arguments that install torch."""
    index = environment.get("STAINAPP_TORCH_INDEX")
    requirement = environment.get("STAINAPP_TORCH") or TORCH
    return [requirement, *(["--index-url", index] if index else [])]


def must_avoid_cuda(platform: str, environment: Mapping[str, str], *, nvidia_gpu: bool) -> bool:
    """Return whether gigabytes of CUDA would be of no use, and nobody asked for them.

    On macOS and Windows torch comes without CUDA unless one names it.
    """
    chosen = bool(environment.get("STAINAPP_TORCH"))
    return platform.startswith("linux") and not nvidia_gpu and not chosen


def cuda_packages(names: Iterable[str]) -> list[str]:
    """Return those of ``names`` that only serve an NVIDIA GPU."""
    return sorted(name for name in names if name.lower().startswith(("nvidia-", "cuda-")))


def has_nvidia_gpu() -> bool:
    return shutil.which("nvidia-smi") is not None or Path("/proc/driver/nvidia").exists()
