"""Classes of colour: fitted in closed form, blamed for their likelihood, mapped onto others."""

import numpy as np
import pytest
import torch
from torch import Tensor

from stainapp.errors import ModelError
from stainapp.models.mixture import (
    LEAST_STD,
    MOST_GAIN,
    Classes,
    SlideMixture,
    classes_of,
    negative_log_likelihood,
    transfer,
)

PIXELS = 4000


def chance(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def pixels(means: Tensor, stds: Tensor, seed: int = 0) -> tuple[Tensor, Tensor]:
    """Return (1, 3, P) drawn from K Gaussians of equal share, and which each is of, (1, K, P)."""
    kinds = torch.arange(PIXELS) % len(means)
    x = means[kinds] + stds[kinds] * torch.randn(PIXELS, 3, generator=chance(seed))
    belongs = torch.nn.functional.one_hot(kinds, len(means)).float()
    return x.T[None], belongs.T[None]


MEANS = torch.tensor([[0.1, 0.0, 0.1], [0.5, -0.2, 0.4], [1.1, -0.1, 0.3]])
STDS = torch.tensor([[0.1, 0.1, 0.1], [0.2, 0.1, 0.1], [0.3, 0.2, 0.1]])


def test_classes_that_are_told_apart_are_found_as_they_were_drawn() -> None:
    found = classes_of(*pixels(MEANS, STDS))

    torch.testing.assert_close(found.mean[0], MEANS, atol=0.03, rtol=0)
    torch.testing.assert_close(found.std[0], STDS, atol=0.02, rtol=0)
    torch.testing.assert_close(found.share[0], torch.full((3,), 1 / 3), atol=1e-3, rtol=0)


def test_a_class_without_a_pixel_looks_like_the_slide_and_nothing_is_no_number() -> None:
    x, belongs = pixels(MEANS, STDS)
    belongs = torch.cat([belongs, torch.zeros_like(belongs[:, :1])], dim=1).requires_grad_()

    found = classes_of(x, belongs)
    loss = negative_log_likelihood(x, belongs, found)
    loss.backward()

    torch.testing.assert_close(found.mean[0, 3], x[0].mean(1), atol=1e-3, rtol=0)
    assert bool(loss.isfinite())
    assert belongs.grad is not None
    assert bool(belongs.grad.isfinite().all())


def test_a_slide_of_one_colour_has_the_least_deviation() -> None:
    x = torch.full((1, 3, 50), 0.4)

    found = classes_of(x, torch.full((1, 2, 50), 0.5))

    torch.testing.assert_close(found.std, torch.full((1, 2, 3), LEAST_STD))
    assert bool(negative_log_likelihood(x, torch.full((1, 2, 50), 0.5), found).isfinite())


def test_the_likelihood_is_that_of_the_mixture() -> None:
    x, belongs = pixels(MEANS, STDS)
    belongs = torch.softmax(4 * belongs, dim=1)
    found = classes_of(x, belongs)

    normal = torch.distributions.Normal(found.mean[0], found.std[0])
    density = normal.log_prob(x[0].T.unsqueeze(1)).sum(-1).exp()
    expected = -(belongs[0].T * density).sum(1).log().mean()

    torch.testing.assert_close(negative_log_likelihood(x, belongs, found), expected)


def test_a_pixel_more_likely_than_one_still_teaches() -> None:
    x, belongs = pixels(MEANS, STDS / 10)  # so narrow that densities exceed 1 by far
    logits = (2 * belongs).requires_grad_()
    told = torch.softmax(logits, dim=1)

    loss = negative_log_likelihood(x, told, classes_of(x, told))
    loss.backward()

    assert loss.item() < 0
    assert logits.grad is not None
    assert (logits.grad.abs().sum(dim=1) > 0).float().mean() > 0.9


def test_pixels_of_a_class_get_its_colours_on_the_template() -> None:
    x, belongs = pixels(MEANS, STDS)
    goal, goal_belongs = pixels(MEANS + 0.2, STDS * 1.5, seed=1)
    source, template = classes_of(x, belongs), classes_of(goal, goal_belongs)

    gain, offset = transfer(source, template)
    mapped = sum(belongs[:, k : k + 1] * (x * gain[k].view(1, 3, 1) + offset[k].view(1, 3, 1))
                 for k in range(3))  # fmt: skip

    assert isinstance(mapped, Tensor)
    found = classes_of(mapped, belongs)
    torch.testing.assert_close(found.mean, template.mean, atol=0.01, rtol=0)
    torch.testing.assert_close(found.std, template.std, atol=0.01, rtol=0)


def test_a_slide_is_mapped_onto_itself_by_changing_nothing() -> None:
    own = classes_of(*pixels(MEANS, STDS))

    gain, offset = transfer(own, own)

    torch.testing.assert_close(gain, torch.ones(3, 3))
    torch.testing.assert_close(offset, torch.zeros(3, 3), atol=1e-6, rtol=0)


@pytest.mark.parametrize("lacking", ["slide", "template"])
def test_a_class_that_one_side_lacks_is_mapped_as_all_pixels_together(lacking: str) -> None:
    full = classes_of(*pixels(MEANS, STDS))
    other = classes_of(*pixels(MEANS + 0.3, STDS, seed=1))
    gone = torch.tensor([[0.5, 0.5, 0.0]])
    strange = Classes(full.mean.clone(), full.std, gone)
    strange.mean[0, 2] = 7.0  # what cannot be trusted must not matter

    pair = (strange, other) if lacking == "slide" else (other, strange)
    gain, offset = transfer(*pair)

    mapped = gain[2] * full.mean[0, :2].mean(0) + offset[2]
    assert mapped.abs().max() < 2


def test_noise_is_not_enlarged_without_bound() -> None:
    flat = classes_of(torch.full((1, 3, 50), 0.4), torch.full((1, 3, 50), 1 / 3))
    lively = classes_of(*pixels(MEANS, 3 * STDS))

    gain, offset = transfer(flat, lively)

    assert gain.max() <= MOST_GAIN
    assert bool(offset.isfinite().all())


def test_a_template_of_another_shape_or_of_no_numbers_is_refused() -> None:
    layer = SlideMixture(2)
    sound = {
        "mean": np.zeros((2, 3), np.float32),
        "std": np.ones((2, 3), np.float32),
        "share": np.full(2, 0.5, np.float32),
    }
    layer.set_template(sound)

    for name, wrong in (
        ("mean", np.full((2, 3), np.nan, np.float32)),
        ("std", -np.ones((2, 3), np.float32)),
        ("share", np.ones(3, np.float32)),
    ):
        with pytest.raises(ModelError, match=name):
            layer.set_template({**sound, name: wrong})
    with pytest.raises(ModelError, match="another model"):
        layer.set_template({"mean": sound["mean"]})
