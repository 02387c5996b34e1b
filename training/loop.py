"""The loop that teaches. It reads from top to bottom; every step is a function of its number."""

import logging
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from types import FrameType
from typing import Any

import numpy as np
import torch

from stainapp.errors import SlideError
from stainapp.models.device import choose_device, choose_precision
from stainapp.runs.folder import RunFolder
from stainapp.runs.recipe import Recipe
from training import checkpoint
from training.build import build_method
from training.datasets import Batch
from training.method import Images, Losses, NotFiniteError, Setting, rate_share
from training.prefetch import Prefetch
from training.processes import ALONE, Processes
from training.progress import Progress
from training.reporter import Reporter
from training.sources import TileSource, open_tiles
from training.tensors import to_network
from training.watch import Watch

log = logging.getLogger(__name__)

LOOK_S = 0.2
"""Between two looks whether a pause is over."""


def train(
    run: RunFolder, recipe: Recipe, processes: Processes = ALONE, device: str = "auto"
) -> str:
    """Teach until the recipe's images are seen or somebody says stop.

    Goes on from the newest checkpoint where there is one.

    Args:
        run: the folder, locked by the leading process.
        recipe: what to do; checked.
        processes: this one's place among those at work.
        device: "auto", "cpu", "cuda", "cuda:<n>" or "mps".

    Returns:
        Why it ended: "finished", "early", "stopped", or "interrupted" (by SIGINT or SIGTERM).

    Raises:
        StainAppError: it cannot go on; what was learnt until then is kept.
    """
    setting = setting_of(recipe, processes, device)
    with ExitStack() as stack:
        report = stack.enter_context(closing(Reporter(run, recipe, setting)))
        data = stack.enter_context(closing(open_tiles(recipe, device=device)))
        lesson = stack.enter_context(closing(Lesson(run, setting, report, data)))
        with interruptible() as interrupted:
            lesson.begin()
            while (why := lesson.why_to_end(interrupted)) is None:
                lesson.learn()
                lesson.validate_if_due()
                lesson.keep_if_due()
            lesson.end(why)
        lesson.conclude(why)
    return why


def setting_of(recipe: Recipe, processes: Processes, device: str) -> Setting:
    """Choose device and precision."""
    device = choose_device(device)
    if device == "cuda" and processes.count > 1:
        device = choose_device(f"cuda:{processes.local_rank}")
        torch.cuda.set_device(device)
    precision = choose_precision(device, recipe.training.precision)
    # measured at the same time on several processes it might differ
    return Setting(recipe, device, processes.told(precision), processes)


class Lesson:
    """One process's part in a run, from its newest checkpoint on."""

    def __init__(
        self, run: RunFolder, setting: Setting, report: Reporter, data: TileSource
    ) -> None:
        """Build the networks and bring them to where the newest checkpoint was.

        Raises:
            StainAppError: the recipe and its parent, or the checkpoint, will not do.
        """
        self.run, self.setting, self.report, self.data = run, setting, report, data
        self.recipe, self.processes = setting.recipe, setting.processes
        self.method = build_method(setting)
        self.watch = Watch(run, self.recipe, data, self.method, report, setting.device)
        self.progress = self._restored()
        self.batches = Prefetch(
            data,
            self.progress.images,
            self.recipe.training.batch,
            self.processes.rank,
            self.processes.count,
        )
        self._wish = 0
        self._kept: dict[str, Any] | None = None

    def close(self) -> None:
        self.batches.close()

    def begin(self) -> None:
        self._wish = self.processes.told(self.run.control()[1])
        self.report.start(self.progress, self.data)

    def why_to_end(self, interrupted: list[int]) -> str | None:
        """Do what is asked meanwhile; return why the run ends, or None."""
        paused = False
        while True:
            said = self.run.control(), bool(interrupted)
            (word, wish), interrupt = self.processes.told(said)
            if interrupt:
                return "interrupted"
            if wish != self._wish:
                self._wish = wish
                self._leading(lambda: self.watch.show_live(self.progress, self._wish))
            if word != "pause" or self._is_over():
                break
            if not paused:
                paused = True
                self._keep()
                self.report.paused(self.progress)
            time.sleep(LOOK_S)
        if paused:
            self.report.going_on(self.progress)
        return self._is_over() or ("stopped" if word == "stop" else None)

    def learn(self) -> None:
        """Take one step.

        Raises:
            NotFiniteError: nothing can be learnt any more.
            SlideError: a slide cannot be read any more; what was learnt until then is kept.
        """
        progress, training = self.progress, self.recipe.training
        share = rate_share(progress.images, training.images, training.constant_images)
        for optimiser in self.method.optimisers.values():
            for group in optimiser.param_groups:
                group["lr"] = training.rate * share
        # chance inside the networks, such as dropout, is a function of the step too
        torch.manual_seed(seed_of(self.recipe.seed, progress.step, self.processes.rank))
        losses = self.method.step(self._images(self._next_batch()))
        progress.step += 1
        progress.images += training.batch
        self.report.step(progress, self._means(losses), training.rate * share)

    def validate_if_due(self) -> None:
        if self._due(self.recipe.training.validate_every):
            self._validate()

    def keep_if_due(self) -> None:
        judged = self.progress.judged_at == self.progress.images
        if judged or self._due(self.recipe.training.checkpoint_every):
            self._keep()

    def end(self, why: str) -> None:
        """Leave behind what is needed to go on and, at the end, the best model."""
        if why in ("finished", "stopped") and self.progress.judged_at != self.progress.images:
            self._validate()
        self._keep()

    def conclude(self, why: str) -> None:
        """Take the best model's figures; who interrupts this loses nothing and can resume it."""
        if why != "interrupted":
            self._leading(self.watch.conclude)
            self.report.done(self.progress, why)
        self.processes.wait()

    def _is_over(self) -> str | None:
        if self.progress.images >= self.recipe.training.images:
            return "finished"
        return (
            "early" if 0 < self.recipe.training.early_stop <= self.progress.without_gain else None
        )

    def _next_batch(self) -> Batch:
        try:
            return self.batches.take()
        except SlideError:
            if self.processes.leads:  # the others still learn: nobody is waited for
                self._write_checkpoint()
            raise

    def _images(self, batch: Batch) -> Images:
        device = self.setting.device
        return Images(
            to_network(batch.source, device, grey=self.data.grey),
            to_network(batch.target, device),
            first=self.progress.images,
            offset=batch.first - self.progress.images,
        )

    def _means(self, losses: Losses) -> Losses:
        means = self.processes.mean(torch.stack(list(losses.values())))
        return dict(zip(losses, means, strict=True))

    def _due(self, every: int) -> bool:
        """Tell whether the last step crossed a multiple of ``every`` images."""
        images, batch = self.progress.images, self.recipe.training.batch
        return images // every > (images - batch) // every

    def _validate(self) -> None:
        self._refuse_nonsense()
        self._leading(lambda: self.watch.validate(self.progress))
        self.progress = Progress(**self.processes.told(self.progress.values()))

    def _keep(self) -> None:
        self._refuse_nonsense()
        self._leading(self._write_checkpoint)

    def _refuse_nonsense(self) -> None:
        """Let nothing be written that could not be gone on from."""
        if not checkpoint.is_finite(self.method):
            raise NotFiniteError

    def _write_checkpoint(self) -> None:
        reached = self.progress.values()
        if reached == self._kept:  # as at the end of a run, just after a validation
            return
        values = {"progress": reached, **checkpoint.state_of(self.method)}
        try:
            path = checkpoint.save(self.run.checkpoints, values, self.progress.step)
        except OSError as error:
            self.report.notice(
                f"A checkpoint could not be written ({error}); the one before it is kept. "
                "Free some disk space."
            )
        else:
            self._kept = reached
            self.report.checkpoint(self.progress, path)

    def _leading(self, work: Callable[[], None]) -> None:
        """Let the leading process work while the others wait, not counted as learning."""
        if self.processes.leads:
            with self.report.aside():
                work()
        self.processes.wait()

    def _restored(self) -> Progress:
        leads = self.processes.leads
        found = checkpoint.newest(self.run.checkpoints, self.report.notice) if leads else None
        values = self.processes.told(found)  # so that all go on from the same
        if values is None:
            return Progress()
        checkpoint.restore(self.method, values, self.setting.device)
        return Progress(**values["progress"])


def seed_of(*numbers: int) -> int:
    """Return a seed of 64 bits for torch; neighbouring numbers give unrelated ones."""
    return int(np.random.SeedSequence(numbers).generate_state(1, np.uint64)[0])


@contextmanager
def interruptible() -> Iterator[list[int]]:
    """Collect SIGINT and SIGTERM instead of dying of them, so that a checkpoint can be written."""
    received: list[int] = []

    def note(number: int, _frame: FrameType | None) -> None:
        received.append(number)

    before = {number: signal.signal(number, note) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield received
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
