"""A run's life in a process of its own, that a test can watch, address and kill."""

import multiprocessing
import os
import socket
import time
from collections.abc import Callable, Mapping
from contextlib import closing
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest
import torch

from stainapp.runs.folder import EventReader, RunFolder
from stainapp.runs.recipe import Recipe
from training.progress import Progress

PATIENCE_S = 120.0
NOTHING: Mapping[str, str] = MappingProxyType({})
PRELOADED = ["training.start", "torch._dynamo", "tests.training.lives", "stainapp.slides.phantom"]


class QuietWatch:
    """Measures nothing: every validation gains nothing after the first."""

    def __init__(self, *_: Any) -> None: ...

    def validate(self, progress: Progress) -> None:
        progress.judged_at = progress.images
        progress.without_gain += bool(progress.best)
        progress.best = {"forward": 1.0}

    def show_live(self, progress: Progress, wish: int) -> None: ...

    def conclude(self) -> None: ...


class Life:
    """A process that works on a run; writes a line every step, so that it can be followed.

    A quiet one validates nothing, which takes longer than all the learning.
    """

    def __init__(
        self,
        recipe: Recipe,
        run: RunFolder,
        *,
        resume: bool = False,
        quiet: bool = True,
        environment: Mapping[str, str] = NOTHING,
    ) -> None:
        kinds = multiprocessing.get_all_start_methods()
        context: Any = multiprocessing.get_context(
            "forkserver" if "forkserver" in kinds else "spawn"
        )
        if "forkserver" in kinds:  # torch is imported once, and each life is a fork of that
            context.set_forkserver_preload(PRELOADED)
        self.run, self._reader = run, EventReader(run.events_file)
        list(self._reader.new())  # of earlier lives
        self.events: list[dict[str, Any]] = []
        arguments = (recipe, run.path, resume, quiet, dict(environment))
        self.process = context.Process(target=teach, args=arguments, daemon=True)
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
        code: int | None = self.process.exitcode
        return code


def teach(
    recipe: Recipe, folder: Path, resume: bool, quiet: bool, environment: dict[str, str]
) -> None:
    from training import reporter
    from training.processes import join
    from training.start import start

    os.environ.update(environment)
    reporter.SAY_EVERY_S = 0.0
    if quiet:
        pytest.MonkeyPatch().setattr("training.loop.Watch", QuietWatch)
    torch.set_num_threads(1)
    with closing(join()) as processes:
        start(recipe, RunFolder(folder), processes, resume=resume, device="cpu")


def live_together(count: int, recipe: Recipe, run: RunFolder, *, resume: bool = False) -> None:
    """Let several processes work on a run until it ends, as torchrun would start them."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    place = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "WORLD_SIZE": str(count)}
    lives = [
        Life(
            recipe, run, resume=resume, environment={**place, "RANK": str(n), "LOCAL_RANK": str(n)}
        )
        for n in range(count)
    ]
    assert [life.end() for life in lives] == [0] * count


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
