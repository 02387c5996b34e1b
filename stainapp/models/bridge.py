"""The image-to-image Schrödinger bridge: its schedule, its posteriors, and the way along it.

Liu et al. 2023, I2SB: Image-to-Image Schrödinger Bridge, arXiv 2302.05872. Time runs from the
target x0 to the source x1, in ``interval`` times numbered from 0. Staining walks back, from the
last of them to `END`, where the target alone is left. The same mathematics teaches and stains.
"""

import math
from collections.abc import Callable
from functools import lru_cache
from itertools import pairwise
from typing import TypeAlias

import numpy as np
import torch
from torch import Tensor, nn

from stainapp.models.card import Bridge
from stainapp.models.place_noise import place_noise
from stainapp.models.stainer import Places

END = -1
"""Before the first time: the target itself, at which no variance is left."""
Network: TypeAlias = Callable[[Tensor, Tensor], Tensor]
"""``(N, C, H, W)`` and the time ``(N,)`` as it was taught -> ``(N, 3, H, W)``."""
Noise: TypeAlias = Callable[[int], Tensor]
"""Standard Gaussian ``(N, 3, H, W)`` for the time that a step arrives at."""


class Schedule:
    """How much chance there is between a time and either end; section 3.2 of the paper.

    The rate of the noise rises to the middle and falls again (appendix C, "symmetric").
    """

    def __init__(self, bridge: Bridge) -> None:
        count = bridge.interval
        low, high = math.sqrt(bridge.beta_min), math.sqrt(bridge.beta_max / count)
        rise = torch.linspace(low, high, count, dtype=torch.float64)[: count // 2].square()
        rate = torch.cat([rise, rise.flip(0)])
        self.forward = rate.cumsum(0)
        """Variance between the target and each time, ``(interval,)`` float64."""
        self.backward = rate.flip(0).cumsum(0).flip(0)
        """Variance between each time and the source."""
        self.share = self.backward / (self.forward + self.backward)
        """How much of the target there is in the mean at each time: nearly 1 to nearly 0."""
        self._times = torch.linspace(bridge.t0, 1, count, dtype=torch.float64) * count

    def noised(self, x0: Tensor, x1: Tensor, times: Tensor, noise: Tensor | None) -> Tensor:
        """Draw from q(x_t | x0, x1), equation 11; without noise it is the mean.

        Args:
            x0: the target, ``(N, C, H, W)``.
            x1: the source.
            times: one for each image, ``(N,)``.
            noise: standard Gaussian of the images' shape, or None.
        """
        share = _each(self.share, times, x0)
        mean = share * x0 + (1 - share) * x1
        if noise is None:
            return mean
        variance = self.forward * self.share  # of the product of two Gaussians
        return mean + _each(variance.sqrt(), times, x0) * noise

    def label(self, x: Tensor, x0: Tensor, times: Tensor) -> Tensor:
        """Return what the network has to answer at ``x``, equation 12."""
        return (x - x0) / _each(self.forward.sqrt(), times, x)

    def target(self, x: Tensor, answer: Tensor, times: Tensor) -> Tensor:
        """Return the target that an answer at ``x`` means."""
        return x - _each(self.forward.sqrt(), times, x) * answer

    def seen(self, times: Tensor) -> Tensor:
        """Return times as the network is told them, float32 of 0 to ``interval``."""
        return self._times.to(times.device)[times].float()

    def step(self, x: Tensor, x0: Tensor, start: int, stop: int, noise: Tensor | None) -> Tensor:
        """Return the state at an earlier time, drawn from p(x_m | x0, x_n), equation 4.

        Args:
            x: the state at time ``start``.
            x0: the target as it is thought to be.
            start: n.
            stop: m, earlier; `END` gives ``x0``.
            noise: standard Gaussian, or None for the mean: the deterministic way of section 3.3.
        """
        before, after = float(self.forward[start]), self._variance(stop)
        mean = x0 + (x - x0) * (after / before)
        if noise is None or stop == END:
            return mean
        return mean + math.sqrt(after * (before - after) / before) * noise

    def way(self, steps: int, strength: float = 1.0) -> list[int]:
        """Return the times to stop at, evenly spaced, from the source on.

        Args:
            steps: evaluations of the network; fewer where there are not so many times.
            strength: share of the target at which the way ends; 1 for `END`.
        """
        last = len(self.forward) - 1
        stop = 0 if strength >= 1 else int((self.share - strength).abs().argmin())
        count = min(steps, last - stop)
        times = [round(last - k * (last - stop) / max(1, count)) for k in range(count + 1)]
        return [*times[:-1], END] if strength >= 1 else times

    def _variance(self, time: int) -> float:
        return 0.0 if time == END else float(self.forward[time])


def applied(
    net: nn.Module,
    x: Tensor,
    bridge: Bridge | None,
    at: Places | None = None,
    strength: float = 1.0,
) -> Tensor:
    """Return what a network makes of tiles: a generator at once, one of a bridge step by step.

    Args:
        net: either.
        x: ``(N, C, H, W)`` in the card's value range.
        bridge: the card's; None for a generator.
        at: where each tile lies, for its noise; None for the corner.
        strength: see `walked`.
    """
    if bridge is None:
        return net(x)  # type: ignore[no-any-return] # Module calls are untyped
    places = np.zeros((len(x), 2), np.int64) if at is None else at
    height, width = x.shape[2:]

    def noise(step: int) -> Tensor:
        return place_noise(places, height, width, step=step, seed=bridge.seed, device=str(x.device))

    return walked(net, x, bridge, noise, strength)


@lru_cache(maxsize=8)
def schedule_of(bridge: Bridge) -> Schedule:
    """Return a bridge's schedule, the same one each time."""
    return Schedule(bridge)


def walked(net: Network, x1: Tensor, bridge: Bridge, noise: Noise, strength: float = 1.0) -> Tensor:
    """Return what a bridge makes of a source: algorithm 2 of the paper.

    The last step adds no noise: it is the mean of what may be there.

    Args:
        net: what was taught.
        x1: the source, ``(N, 3, H, W)``.
        bridge: the card's.
        noise: of each step but the last.
        strength: how far to walk: the share of the target in what comes out, 0..1.
    """
    schedule = schedule_of(bridge)
    x = x1
    legs = list(pairwise(schedule.way(bridge.nfe, strength)))
    for number, (start, stop) in enumerate(legs, start=1):
        times = torch.full((len(x1),), start, device=x1.device)
        answer = net(with_condition(x, x1, bridge), schedule.seen(times)).float()
        drawn = None if bridge.ot_ode or number == len(legs) else noise(stop)
        x = schedule.step(x, schedule.target(x, answer, times), start, stop, drawn)
    return x


def with_condition(x: Tensor, x1: Tensor, bridge: Bridge) -> Tensor:
    """Return what the network is given: the state, and the source where it sees that too."""
    return torch.cat([x, x1], dim=1) if bridge.cond == "x1" else x


def _each(values: Tensor, times: Tensor, like: Tensor) -> Tensor:
    """Return each image's value, to be multiplied with ``(N, C, H, W)``."""
    return values.to(times.device)[times].to(like.dtype).view(-1, 1, 1, 1)
