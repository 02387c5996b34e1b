"""The mathematics of the bridge: what must hold whatever the network."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor

from stainapp.models.bridge import END, Schedule, applied, walked
from stainapp.models.card import Bridge

COUNT = 1000


def pictures(seed: int, count: int = 2, side: int = 16) -> Tensor:
    chance = torch.Generator().manual_seed(seed)
    return torch.rand(count, 3, side, side, generator=chance, dtype=torch.float64) * 2 - 1


def gaussian(seed: int, like: Tensor) -> Tensor:
    chance = torch.Generator().manual_seed(seed)
    return torch.randn(like.shape, generator=chance, dtype=like.dtype)


def oracle(bridge: Bridge, x0: Tensor) -> Callable[[Tensor, Tensor], Tensor]:
    """Return a network that knows the target."""
    schedule = Schedule(bridge)
    every = schedule.seen(torch.arange(bridge.interval))

    def net(x: Tensor, times: Tensor) -> Tensor:
        numbers = torch.stack([(every - time).abs().argmin() for time in times])
        return schedule.label(x[:, :3], x0, numbers)

    return net


@pytest.mark.parametrize("ot_ode", [False, True])
@pytest.mark.parametrize("nfe", [1, 2, 7, 32, COUNT - 1])
def test_a_network_that_knows_the_target_is_led_there_in_any_number_of_steps(
    nfe: int, ot_ode: bool
) -> None:
    bridge = Bridge(nfe=nfe, ot_ode=ot_ode, beta_max=1.0 if ot_ode else 0.3)
    x0, x1 = pictures(1), pictures(2)

    found = walked(oracle(bridge, x0), x1, bridge, lambda step: gaussian(step, x1))

    torch.testing.assert_close(found, x0, atol=1e-5, rtol=0)


@pytest.mark.parametrize("cond", ["x1", "none"])
def test_one_step_takes_from_the_source_what_the_network_says_times_all_the_variance(
    cond: str,
) -> None:
    bridge = Bridge(nfe=1, cond=cond)  # type: ignore[arg-type] # one of the two
    x1, channels = pictures(2), 6 if cond == "x1" else 3
    asked: list[tuple[Tensor, Tensor]] = []

    def net(x: Tensor, times: Tensor) -> Tensor:
        asked.append((x, times))
        return torch.sin(3 * x[:, :3])

    found = walked(net, x1, bridge, lambda step: gaussian(step, x1))

    scale = Schedule(bridge).forward[-1].sqrt()
    torch.testing.assert_close(found, x1 - scale * torch.sin(3 * x1).float(), atol=1e-6, rtol=0)
    ((x, times),) = asked
    assert x.shape[1] == channels
    assert torch.equal(x[:, -3:], x1)
    assert times.tolist() == [COUNT] * 2


def test_the_label_is_how_far_off_the_target_a_state_is_in_deviations_since_it() -> None:
    bridge = Bridge()
    schedule, times = Schedule(bridge), torch.tensor([0, 700])
    x0, x1 = pictures(1), pictures(2)
    x = schedule.noised(x0, x1, times, gaussian(3, x0))

    label = schedule.label(x, x0, times)

    for n, time in enumerate(times):
        rate = Schedule(bridge).forward[time].sqrt()
        torch.testing.assert_close(label[n] * rate, x[n] - x0[n])
    torch.testing.assert_close(schedule.target(x, label, times), x0)


def test_a_state_is_drawn_from_the_product_of_the_gaussians_around_both_ends() -> None:
    schedule = Schedule(Bridge())
    time = torch.tensor([300])
    ahead, behind = float(schedule.forward[300]), float(schedule.backward[300])
    x0, x1 = pictures(1, 1), pictures(2, 1)

    mean = schedule.noised(x0, x1, time, None)
    drawn = schedule.noised(x0, x1, time, torch.ones_like(x0))

    torch.testing.assert_close(mean, (behind * x0 + ahead * x1) / (ahead + behind))
    variance = ahead * behind / (ahead + behind)
    torch.testing.assert_close((drawn - mean) ** 2, torch.full_like(x0, variance))


@pytest.mark.parametrize(("start", "between", "stop"), [(999, 500, 20), (600, 599, 0)])
def test_two_steps_back_are_one_as_long_as_the_target_stays(
    start: int, between: int, stop: int
) -> None:
    schedule = Schedule(Bridge())
    zero, one = torch.zeros(1, 3, 4, 4).double(), torch.ones(1, 3, 4, 4).double()

    def moments(n: int, m: int) -> tuple[float, float]:
        """Return how much of the state is kept, and the variance added."""
        kept = schedule.step(one, zero, n, m, None)
        added = schedule.step(zero, zero, n, m, one)
        return float(kept.mean()), float(added.mean()) ** 2

    (first, noise), (second, more) = moments(start, between), moments(between, stop)

    kept, added = moments(start, stop)
    assert kept == pytest.approx(first * second)
    assert added == pytest.approx(second**2 * noise + more)


def test_walking_back_from_the_source_gives_what_teaching_shows_at_each_time() -> None:
    schedule = Schedule(Bridge())
    zero, one = torch.zeros(1, 3, 4, 4).double(), torch.ones(1, 3, 4, 4).double()

    for time in (10, 400, 900):
        walked_back = (
            schedule.step(one, zero, COUNT - 1, time, None),
            schedule.step(zero, zero, COUNT - 1, time, one),
        )
        when = torch.tensor([time])
        shown = schedule.noised(zero, one, when, None), schedule.noised(zero, zero, when, one)

        for back, taught in zip(walked_back, shown, strict=True):
            # a time's own variance is counted to both sides of it
            torch.testing.assert_close(back, taught, atol=2e-3, rtol=0)


def test_the_noise_is_the_same_from_either_end_and_strongest_in_the_middle() -> None:
    schedule = Schedule(Bridge())

    torch.testing.assert_close(schedule.forward.flip(0), schedule.backward)
    rate = schedule.forward.diff()
    assert int(rate.argmax()) in (COUNT // 2 - 2, COUNT // 2 - 1)
    half_way = (1e-4**0.5 + (0.3 / COUNT) ** 0.5) / 2  # where the published schedule turns back
    assert rate.max() == pytest.approx(half_way**2, rel=0.01)
    assert schedule.forward[0] == pytest.approx(1e-4)


@pytest.mark.parametrize("nfe", [1, 4, 32, 999])
def test_steps_are_evenly_spaced_from_the_source_to_the_target(nfe: int) -> None:
    way = Schedule(Bridge()).way(nfe)

    assert (way[0], way[-1], len(way)) == (COUNT - 1, END, nfe + 1)
    spaces = -np.diff([*way[:-1], 0])
    assert spaces.min() >= 1
    assert spaces.max() - spaces.min() <= 1


@pytest.mark.parametrize("ot_ode", [False, True])
def test_a_bridge_walked_part_of_the_way_stops_between_source_and_target(ot_ode: bool) -> None:
    bridge = Bridge(nfe=4, ot_ode=ot_ode)
    x0, x1 = pictures(1), pictures(2)

    for strength in (0.0, 0.25, 0.8):
        found = walked(oracle(bridge, x0), x1, bridge, lambda _: torch.zeros_like(x1), strength)
        expected = strength * x0 + (1 - strength) * x1
        torch.testing.assert_close(found, expected, atol=4e-3, rtol=0)
    nothing = walked(oracle(bridge, x0), x1, bridge, lambda _: torch.zeros_like(x1), 0.0)
    assert torch.equal(nothing, x1)


def test_the_last_step_and_a_way_without_chance_ask_for_no_noise() -> None:
    x1, asked = pictures(2), []

    def noise(step: int) -> Tensor:
        asked.append(step)
        return gaussian(step, x1)

    for ot_ode in (True, False):
        walked(lambda x, _: x[:, :3], x1, Bridge(nfe=3, ot_ode=ot_ode), noise)

    assert asked == [666, 333]


def test_a_generator_is_run_once_and_told_no_time() -> None:
    picture = pictures(1)

    assert torch.equal(applied(torch.nn.Tanh(), picture, None), picture.tanh())


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"interval": 1}, "interval"),
        ({"interval": 7}, "even"),
        ({"beta_max": 0.0}, "beta_max"),
        ({"beta_min": float("nan")}, "beta_min"),
        ({"nfe": 0}, "nfe"),
        ({"nfe": 1000}, "999"),
        ({"t0": 1.0}, "t0"),
        ({"seed": -1}, "seed"),
    ],
)
def test_impossible_values_are_named(changes: dict[str, float], word: str) -> None:
    wrong = [why for is_wrong, why in Bridge(**changes).problems() if is_wrong]  # type: ignore[arg-type] # what is tried

    assert wrong
    assert word in wrong[0]
