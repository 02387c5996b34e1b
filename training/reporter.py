"""What the leading process writes into the run's log; the others say nothing."""

import logging
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from torch import Tensor

from stainapp.runs.folder import Events, RunFolder
from stainapp.runs.recipe import Recipe
from training.method import Setting
from training.progress import Progress
from training.sources import TileSource

log = logging.getLogger(__name__)

SAY_EVERY_S = 1.0
"""Least time between two lines of losses."""
MEMORY = 0.9
"""Share of the measured speed that each new measurement leaves."""


class Reporter:
    """Writes events; see `stainapp.runs.folder.Events` for what they hold."""

    def __init__(self, run: RunFolder, recipe: Recipe, setting: Setting) -> None:
        self._events = Events(run.events_file) if setting.processes.leads else None
        self._recipe, self._setting = recipe, setting
        self._sums: defaultdict[str, list[Tensor]] = defaultdict(list)
        self._said = self._since = time.perf_counter()
        self._images = 0
        self._speed: float | None = None

    def close(self) -> None:
        if self._events is not None:
            self._events.close()

    def write(self, event: str, **values: Any) -> None:
        if self._events is not None:
            self._events.write(event, **values)

    def start(self, progress: Progress, data: TileSource) -> None:
        setting = self._setting
        self.write(
            "start",
            step=progress.step,
            images=progress.images,
            total_images=self._recipe.training.images,
            device=setting.device,
            precision=setting.precision,
            processes=setting.processes.count,
            tiles={
                "train": data.count_tiles("train"),
                "validation": data.count_tiles("validation"),
            },
            resumed=progress.step > 0,
        )
        self._said = self._since = time.perf_counter()

    def step(self, progress: Progress, losses: Mapping[str, Tensor], rate: float) -> None:
        """Take note of a step; write a line about once a second."""
        if self._events is None:
            return
        for name, loss in losses.items():
            self._sums[name].append(loss)
        self._images += self._recipe.training.batch
        last = progress.images >= self._recipe.training.images
        now = time.perf_counter()
        if now - self._said < SAY_EVERY_S and not last:
            return
        speed = self._images / max(now - self._since, 1e-9)
        known = self._speed
        self._speed = speed if known is None else MEMORY * known + (1 - MEMORY) * speed
        left = self._recipe.training.images - progress.images
        self.write(
            "step",
            step=progress.step,
            images=progress.images,
            losses={name: float(sum(x) / len(x)) for name, x in self._sums.items()},
            rate=rate,
            images_per_s=self._speed,
            eta_s=left / self._speed,
        )
        self._sums.clear()
        self._images = 0
        self._said = self._since = now

    @contextmanager
    def aside(self) -> Iterator[None]:
        """Do not count what is done inside as learning."""
        start = time.perf_counter()
        yield
        self._since += time.perf_counter() - start

    def notice(self, sentence: str) -> None:
        log.warning("%s", sentence)
        self.write("notice", message=sentence)

    def checkpoint(self, progress: Progress, path: Path) -> None:
        file = f"{path.parent.name}/{path.name}"
        self.write("checkpoint", step=progress.step, images=progress.images, file=file)

    def paused(self, progress: Progress) -> None:
        self.write("paused", step=progress.step, images=progress.images)

    def going_on(self, progress: Progress) -> None:
        self._since = time.perf_counter()
        self._images = 0
        self.write("going-on", step=progress.step, images=progress.images)

    def done(self, progress: Progress, why: str) -> None:
        model = f"model/{self._recipe.model.id}"
        self.write("done", step=progress.step, images=progress.images, model=model, why=why)
