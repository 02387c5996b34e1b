"""What every method is to the loop: networks, optimisers, and a step."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias

import torch
from torch import Tensor, nn

from stainapp.errors import TrainingError
from stainapp.models.device import autocast
from stainapp.runs.recipe import Recipe
from training.averages import Averages
from training.processes import Processes

JUDGES = {"forward": "judge-target", "inverse": "judge-source"}
"""Which of a method's networks judges what a direction makes."""
HEADS = "heads"
"""That of a method's networks which describes patches, where it has one."""
Losses: TypeAlias = dict[str, Tensor]
"""Scalars by name, detached."""


@dataclass(frozen=True, slots=True)
class Images:
    """One process's share of a step, (N, 3, H, W) in -1..1."""

    source: Tensor
    target: Tensor
    first: int
    """Number of the first image of the whole step."""
    offset: int
    """Of this share within the step."""


ADVICE = (
    "The losses became infinite or no numbers, so the run stopped and keeps its last good "
    "checkpoint; lower training.rate (half is a start) or set training.precision to fp32 in the "
    "run's recipe.toml, and resume it."
)


class NotFiniteError(TrainingError):
    """A loss, a gradient or a weight is not a number any more."""

    def __init__(self, sentence: str = ADVICE) -> None:
        super().__init__(sentence)


LEAST_SCALE = 1.0
"""Of fp16 losses; where even this one overflows, the fault lies with the losses."""


class Memory(Protocol):
    """What a method remembers from step to step beside its weights."""

    def state(self) -> Any:
        """Return it as tensors and plain values."""
        ...

    def restore(self, state: Any, device: str) -> None: ...


class Method(Protocol):
    """One way to teach a generator."""

    generators: Mapping[str, nn.Module]
    """By direction: "forward", and "inverse" where one is taught as well."""
    networks: Mapping[str, nn.Module]
    """All of them, the discriminators too."""
    averages: Mapping[str, Averages]
    """Of the generators."""
    optimisers: Mapping[str, torch.optim.Optimizer]
    scaler: torch.amp.GradScaler

    @property
    def pools(self) -> Mapping[str, Memory]: ...

    def step(self, images: Images) -> Losses:
        """Learn from one batch.

        Raises:
            NotFiniteError: nothing can be learnt from it; the weights are as they were, or
                those of the generators have taken the step.
        """
        ...


@dataclass(frozen=True)
class Setting:
    """What a method works with besides its networks."""

    recipe: Recipe
    device: str
    precision: str
    processes: Processes

    def precise(self) -> Any:
        """Return the context in which networks run."""
        return autocast(self.device, self.precision)

    def adam(self, nets: Iterable[nn.Module]) -> torch.optim.Adam:
        """Return an optimiser of all weights of ``nets`` that learn."""
        training = self.recipe.training
        weights = [w for net in nets for w in net.parameters() if w.requires_grad]
        return torch.optim.Adam(weights, lr=training.rate, betas=training.betas)

    def scaler(self) -> torch.amp.GradScaler:
        return torch.amp.GradScaler(self.device.partition(":")[0], enabled=self.precision == "fp16")


def learn(loss: Tensor, optimiser: torch.optim.Optimizer, scaler: torch.amp.GradScaler) -> None:
    """Take one step down the gradient of a loss.

    Raises:
        NotFiniteError: the loss or its gradient is not finite; no weight has changed.
    """
    optimiser.zero_grad(set_to_none=True)
    scaler.scale(loss).backward()  # type: ignore[no-untyped-call] # torch's
    if scaler.is_enabled():  # it skips a step that overflows and lowers its scale
        if scaler.get_scale() < LEAST_SCALE:
            raise NotFiniteError
        scaler.step(optimiser)
        return
    gradients = [
        w.grad for group in optimiser.param_groups for w in group["params"] if w.grad is not None
    ]
    # the gradient of an absolute difference is a sign, also where that is no number
    if not bool(torch.isfinite(torch.nn.utils.get_total_norm(gradients) + loss.detach())):
        raise NotFiniteError
    optimiser.step()


def rate_share(images: int, total: int, constant: int | None) -> float:
    """Return the learning rate's share at an image: 1, then linearly to 0 (CycleGAN, section 5)."""
    start = total // 2 if constant is None else constant
    return 1.0 if images < start else max(0.0, (total - images) / max(1, total - start))
