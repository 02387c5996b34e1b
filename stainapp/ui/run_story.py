"""What a run's log tells, event by event, and what state the run is in. Knows no Qt."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

State = Literal["new", "starting", "training", "paused", "done", "failed", "interrupted"]

STATE_WORDS: dict[State, str] = {
    "new": "not started",
    "starting": "starting…",
    "training": "training",
    "paused": "paused",
    "done": "ended",
    "failed": "failed",
    "interrupted": "interrupted",
}

Event = Mapping[str, Any]


@dataclass(slots=True)
class Curve:
    """A loss over the images seen."""

    images: list[int] = field(default_factory=list)
    values: list[float] = field(default_factory=list)

    def cut(self, images: int) -> None:
        """Forget what was computed after that many images."""
        kept = sum(1 for one in self.images if one <= images)
        del self.images[kept:], self.values[kept:]


@dataclass(slots=True)
class RunStory:
    """The log so far. `take` is given each event once, in order."""

    begun: bool = False
    """Whether the process that works on it now has said so."""
    start: Event = field(default_factory=dict)
    step: Event = field(default_factory=dict)
    curves: dict[str, Curve] = field(default_factory=dict)
    samples: list[Event] = field(default_factory=list)
    validations: list[Event] = field(default_factory=list)
    live: Event | None = None
    evaluations: list[Event] = field(default_factory=list)
    """One for each direction that was taught."""
    done: Event | None = None
    failure: str = ""
    paused: bool = False
    notice: str = ""
    checkpoints: int = 0

    @property
    def images(self) -> int:
        return int(self.step.get("images") or self.start.get("images") or 0)

    @property
    def total_images(self) -> int:
        return int(self.start.get("total_images") or 0)

    @property
    def share(self) -> float:
        """How much is done, 0..1."""
        return min(1.0, self.images / self.total_images) if self.total_images else 0.0

    def expect_start(self) -> None:
        """A process was just started: how the last one ended does not matter any more."""
        self.begun, self.paused, self.failure, self.done = False, False, "", None

    def take(self, events: Iterable[Event]) -> None:
        for event in events:
            taker = _TAKERS.get(str(event["event"]))
            if taker is not None:
                taker(self, event)


def state_of(story: RunStory, *, running: bool) -> State:
    """Return the state of a run, given whether a process works on it."""
    if story.done is not None:
        return "done"
    if story.failure:
        return "failed"
    if running:
        if not story.begun:
            return "starting"
        return "paused" if story.paused else "training"
    return "interrupted" if story.start else "new"


def _start(story: RunStory, event: Event) -> None:
    story.expect_start()
    story.begun, story.start, story.step = True, event, {}
    story.evaluations = []
    seen = int(event.get("images") or 0)
    for curve in story.curves.values():
        curve.cut(seen)
    story.samples = [one for one in story.samples if one.get("images", 0) <= seen]
    story.validations = [one for one in story.validations if one.get("images", 0) <= seen]


def _step(story: RunStory, event: Event) -> None:
    story.step = event
    for name, value in dict(event.get("losses") or {}).items():
        if isinstance(value, int | float) and math.isfinite(value):
            curve = story.curves.setdefault(name, Curve())
            curve.images.append(int(event.get("images") or 0))
            curve.values.append(float(value))


def _sample(story: RunStory, event: Event) -> None:
    story.samples.append(event)


def _validation(story: RunStory, event: Event) -> None:
    story.validations.append(event)


def _checkpoint(story: RunStory, _event: Event) -> None:
    story.checkpoints += 1


def _live(story: RunStory, event: Event) -> None:
    story.live = event


def _paused(story: RunStory, _event: Event) -> None:
    story.paused = True


def _going_on(story: RunStory, _event: Event) -> None:
    story.paused = False


def _notice(story: RunStory, event: Event) -> None:
    story.notice = str(event.get("message", ""))


def _evaluation(story: RunStory, event: Event) -> None:
    story.evaluations = [*story.evaluations, event]


def _done(story: RunStory, event: Event) -> None:
    story.done = event


def _failed(story: RunStory, event: Event) -> None:
    story.failure = str(event.get("message") or "The training failed; its log says why.")


_TAKERS = {
    "start": _start,
    "step": _step,
    "sample": _sample,
    "validation": _validation,
    "checkpoint": _checkpoint,
    "live": _live,
    "paused": _paused,
    "going-on": _going_on,
    "notice": _notice,
    "evaluation": _evaluation,
    "done": _done,
    "failed": _failed,
}
