"""A run's life in a process of its own, that a test can watch, address and kill."""

import multiprocessing
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from stainapp.runs.folder import EventReader, RunFolder
from stainapp.runs.recipe import Recipe

PATIENCE_S = 120.0
PRELOADED = ["training.start", "torch._dynamo", "tests.training.lives", "stainapp.slides.phantom"]


class Life:
    """A process that works on a run; writes a line every step, so that it can be followed."""

    def __init__(self, recipe: Recipe, run: RunFolder, *, resume: bool = False) -> None:
        kinds = multiprocessing.get_all_start_methods()
        context = multiprocessing.get_context("forkserver" if "forkserver" in kinds else "spawn")
        if "forkserver" in kinds:  # torch is imported once, and each life is a fork of that
            context.set_forkserver_preload(PRELOADED)
        self.run, self._reader = run, EventReader(run.events_file)
        list(self._reader.new())  # of earlier lives
        self.events: list[dict[str, Any]] = []
        self.process = context.Process(target=teach, args=(recipe, run.path, resume), daemon=True)
        self.process.start()

    def wait_for(self, wanted: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        """Return the first event of this life that is wanted, once it is there."""
        deadline = time.monotonic() + PATIENCE_S
        while time.monotonic() < deadline:
            ended = self.process.exitcode is not None
            new = list(self._reader.new())
            self.events += new
            for event in new:
                if wanted(event):
                    return event
            if ended:
                break
            self.process.join(0.005)
        raise AssertionError(f"never happened; the last events were {self.events[-3:]}")

    def end(self) -> int | None:
        """Wait until it has ended; return its exit code."""
        self.process.join(PATIENCE_S)
        self.events += self._reader.new()
        return self.process.exitcode


def teach(recipe: Recipe, folder: Path, resume: bool) -> None:
    from training import reporter
    from training.processes import ALONE
    from training.start import start

    reporter.SAY_EVERY_S = 0.0
    torch.set_num_threads(1)
    start(recipe, RunFolder(folder), ALONE, resume=resume, device="cpu")


def is_step(event: dict[str, Any]) -> bool:
    return bool(event["event"] == "step")


def last_checkpoint(run: RunFolder) -> dict[str, Any]:
    path = sorted(run.checkpoints.glob("*.pt"))[-1]
    values: dict[str, Any] = torch.load(path, weights_only=True)
    return values


def differences(a: Any, b: Any, where: str = "") -> list[str]:
    """Return where two checkpoints differ, by a bit."""
    if isinstance(a, torch.Tensor):
        return [] if torch.equal(a, b) else [where]
    if isinstance(a, dict):
        if a.keys() != b.keys():
            return [f"{where}: other keys"]
        return [d for key in a for d in differences(a[key], b[key], f"{where}/{key}")]
    if isinstance(a, (list, tuple)):
        pairs = enumerate(zip(a, b, strict=True))
        return [d for n, (x, y) in pairs for d in differences(x, y, f"{where}/{n}")]
    return [] if a == b else [where]
