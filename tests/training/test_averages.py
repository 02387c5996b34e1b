import pytest
import torch
from torch import nn

from training.averages import Averages


def one_weight(value: float) -> nn.Linear:
    net = nn.Linear(1, 1, bias=False)
    nn.init.constant_(net.weight, value)
    return net


def test_averages_follow_the_formula_from_their_first_update() -> None:
    averages = Averages(one_weight(1.0), decay=0.3)
    expected = 1.0

    for step, value in enumerate((2.0, -1.0, 4.0, 0.5), start=1):
        averages.update(one_weight(value))
        kept = min(0.3, (1 + step) / (10 + step))
        expected = kept * expected + (1 - kept) * value
        assert averages.weights["weight"].item() == pytest.approx(expected, rel=1e-6)


def test_after_many_updates_the_share_kept_is_the_decay() -> None:
    averages = Averages(one_weight(0.0), decay=0.9)
    averages.steps = 10_000

    averages.update(one_weight(1.0))

    assert averages.weights["weight"].item() == pytest.approx(0.1)


def test_counts_are_copied_and_no_gradient_flows_into_averages() -> None:
    net = nn.BatchNorm2d(2)
    averages = Averages(net, decay=0.5)
    net(torch.rand(2, 2, 4, 4))

    averages.update(net)

    assert averages.weights["num_batches_tracked"].item() == 1
    assert not any(one.requires_grad for one in averages.weights.values())


def test_restored_averages_go_on_where_they_were() -> None:
    one, other = Averages(one_weight(1.0), 0.9), Averages(one_weight(9.0), 0.9)
    one.update(one_weight(2.0))

    other.restore(
        {k: v.clone() if isinstance(v, torch.Tensor) else v for k, v in one.state().items()}
    )
    for averages in (one, other):
        averages.update(one_weight(3.0))

    assert torch.equal(one.weights["weight"], other.weights["weight"])
