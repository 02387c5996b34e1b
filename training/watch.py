"""What the leading process does beside learning: models, samples and figures, for who watches."""

import logging
import math
import shutil
from collections.abc import Collection, Mapping
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any

from stainapp.compare.figure import abreast, figure
from stainapp.errors import StainAppError
from stainapp.models.card import ModelCard
from stainapp.runs.folder import RunFolder
from stainapp.runs.recipe import Recipe
from training.build import arch_of, inverse_parent
from training.datasets import JudgeTiles
from training.evaluation import LEARNT, Subject, for_card, judge_model
from training.export import Taught, export, model_ids
from training.method import HEADS, JUDGES, Method
from training.progress import Progress
from training.reporter import Reporter
from training.sources import TileSource
from training.swap import mend, swap
from training.validation import Judged, judge

log = logging.getLogger(__name__)

SHOWN = 6
"""Tiles in a picture of samples."""
NORM_PX = 16 * 256**2
"""Pixels of the training tiles that norm statistics are taken from."""


class Watch:
    """Writes the run folder's models and pictures."""

    def __init__(
        self,
        run: RunFolder,
        recipe: Recipe,
        data: TileSource,
        method: Method,
        report: Reporter,
        device: str,
    ) -> None:
        self._run, self._recipe, self._data, self._method = run, recipe, data, method
        self._report = report
        self._arch, self._device = arch_of(recipe), device
        for name in model_ids(recipe).values():
            mend(run.model / name)

    @cached_property
    def _judge_tiles(self) -> JudgeTiles:
        return self._data.judge_tiles()

    @cached_property
    def _norm_tiles(self) -> dict[str, Any]:
        side = self._recipe.data.tile_px
        source, target = self._data.calibration_tiles(max(1, NORM_PX // side**2), side)
        return {"forward": source, "inverse": target}

    def validate(self, progress: Progress) -> None:
        """Measure the averaged weights; keep those of each direction that are its best so far.

        Each by itself, since one way's best moment need not be the other's.
        """
        progress.judged_at = progress.images
        folders: dict[str, Path] = {}
        try:
            folders = self._export(self._candidates, progress)
            judged = judge(folders, self._judge_tiles, self._device, self._data)
            better = [name for name in folders if _gains(judged.scores[name], progress, name)]
            last = self._recipe.training.keep == "last"
            self._keep(folders, [*folders] if last else better)
        except OSError as error:
            self._report.notice(
                f"No model could be written ({error.strerror}); the one before it is kept. "
                "Free some disk space."
            )
            return
        except StainAppError as error:
            self._report.notice(f"The model of image {progress.images} was not measured: {error}")
            unjudged = [name for name in folders if name not in progress.best]
            self._keep(folders, unjudged)  # the newest is better than none
            return
        progress.without_gain = 0 if better else progress.without_gain + 1
        progress.best |= {name: judged.scores[name] for name in better}
        self._report.write(
            "validation",
            step=progress.step,
            images=progress.images,
            metrics=judged.metrics,
            scores=judged.scores,
            best=better,
        )
        self._draw(judged, progress)
        log.info("%s: %d images, %s", self._recipe.model.id, progress.images, judged.metrics)

    def conclude(self) -> None:
        """Set the best model beside its parent and the baselines; its card keeps the figures."""
        ids = model_ids(self._recipe)
        if not all((self._run.model / name).is_dir() for name in ids.values()):
            return
        for direction, subject in self._subjects(ids).items():
            try:
                self._judge_finally(direction, subject)
            except (StainAppError, OSError) as error:
                self._report.notice(f"{ids[direction]} could not be measured: {error}")

    def _subjects(self, ids: Mapping[str, str]) -> dict[str, Subject]:
        made = self._recipe.model
        inverse = self._run.model / ids["inverse"] if "inverse" in ids else None
        forward = Subject(
            folder=self._run.model / ids["forward"],
            tiles=self._judge_tiles,
            learnt=self._data.learnt_tiles(LEARNT),
            stains=(made.source_stain, made.target_stain),
            mpp=made.mpp,
            paired=self._data.paired,
            grey=self._data.grey,
            inverse=inverse,
            parent=made.parent,
            device=self._device,
        )
        if inverse is None:
            return {"forward": forward}
        back = replace(forward.reversed(inverse), parent=inverse_parent(self._recipe))
        return {"forward": forward, "inverse": back}

    def _judge_finally(self, direction: str, subject: Subject) -> None:
        verdict = judge_model(subject)
        card = ModelCard.read(subject.folder)
        replace(card, metrics=for_card(verdict.table, subject.tiles)).write(subject.folder)
        self._run.samples.mkdir(exist_ok=True)
        picture = self._run.samples / f"worst-{direction}.png"
        verdict.draw_worst(picture)
        self._report.write(
            "evaluation",
            direction=direction,
            model=f"{self._run.model.name}/{subject.folder.name}",
            **verdict.table.as_dict(),
            figure=f"{self._run.samples.name}/{picture.name}",
        )

    def show_live(self, progress: Progress, wish: int) -> None:
        """Write the averaged weights of this moment where the window looks for them."""
        try:
            self._export(self._run.live, progress)
        except OSError as error:
            self._report.notice(f"The weights could not be written ({error.strerror}).")
            return
        self._report.write(
            "live",
            step=progress.step,
            images=progress.images,
            model=f"{self._run.live.name}/{self._recipe.model.id}",
            wish=wish,
        )

    def _export(self, folder: Path, progress: Progress) -> dict[str, Path]:
        folder.mkdir(exist_ok=True)
        facts = {
            "images": progress.images,
            "steps": progress.step,
            **self._data.facts(),
        }
        folders = {}
        for direction, average in self._method.averages.items():
            taught = Taught(
                direction,
                average.weights,
                self._norm_tiles[direction],
                judge=self._state_of(JUDGES[direction]),
                heads=self._state_of(HEADS),
                template=self._norm_tiles["inverse" if direction == "forward" else "forward"],
            )
            export(folder, self._recipe, self._arch, taught, facts)
            folders[direction] = folder / model_ids(self._recipe)[direction]
        return folders

    def _state_of(self, name: str) -> dict[str, Any]:
        net = self._method.networks.get(name)
        return {} if net is None else net.state_dict()

    def _keep(self, folders: Mapping[str, Path], directions: Collection[str]) -> None:
        """Put the named candidates into the place of the best so far; let go of the others."""
        for name in directions:
            swap(folders[name], self._run.model / folders[name].name)
        shutil.rmtree(self._candidates, ignore_errors=True)

    @property
    def _candidates(self) -> Path:
        return self._run.path / "candidate"

    def _draw(self, judged: Judged, progress: Progress) -> None:
        path = self._run.samples / f"{progress.images:09d}.png"
        chosen = range(min(SHOWN, len(judged.source)))
        rows = [(judged.source[n], judged.made[n], judged.beside[n]) for n in chosen]
        headings = ("source", "generated", judged.beside_name)
        try:
            self._run.samples.mkdir(exist_ok=True)
            figure(*abreast(rows, headings), path, self._recipe.model.mpp)
        except (StainAppError, OSError) as error:
            self._report.notice(f"No picture of samples was written: {error}")
            return
        self._report.write(
            "sample",
            step=progress.step,
            images=progress.images,
            file=f"{self._run.samples.name}/{path.name}",
            worst=list(judged.worst),
        )


def _gains(score: float, progress: Progress, direction: str) -> bool:
    return math.isfinite(score) and score < progress.best.get(direction, math.inf)
