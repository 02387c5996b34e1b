"""What is done to tiles."""

import numpy as np
import torch

from tests.training.pictures import texture
from training.augment import Turn, diff_augment, draw_turn, jitter_density


def test_the_eight_ways_to_lay_a_square_are_all_drawn_and_differ() -> None:
    rng = np.random.default_rng(1)
    tile = texture(16, 16, 1)

    laid = {draw_turn(rng).apply(tile).tobytes() for _ in range(200)}

    assert len(laid) == 8


def test_no_turn_changes_nothing() -> None:
    tile = texture(16, 16, 1)

    assert np.array_equal(Turn(0, mirrored=False).apply(tile), tile)


def test_jitter_leaves_glass_white_and_order_as_it_is() -> None:
    ramp = np.repeat(np.arange(256, dtype=np.uint8)[None, :, None], 3, axis=2)

    for seed in range(20):
        changed = jitter_density(ramp, 0.3, np.random.default_rng(seed))
        assert (changed[:, 255] == 255).all()
        assert (np.diff(changed.astype(int), axis=1) >= 0).all()
        assert not np.array_equal(changed, ramp)


def test_jitter_stays_within_its_bound_of_density() -> None:
    tile = np.full((1, 1, 3), 100, np.uint8)
    own = np.log(255 / 100)

    for seed in range(50):
        changed = jitter_density(tile, 0.2, np.random.default_rng(seed))
        ratio = np.log(255 / changed) / own
        assert (np.abs(ratio - 1) <= 0.2 + 0.2 / 3 + 0.2**2 / 3 + 0.01).all()


def test_no_jitter_is_the_same_tile() -> None:
    tile = texture(16, 16, 1)

    assert jitter_density(tile, 0.0, np.random.default_rng(1)) is tile


def test_diffaugment_depends_on_number_seed_and_stream_alone() -> None:
    images = torch.rand(3, 3, 32, 32) * 2 - 1

    whole = diff_augment(images, 7, 5, 0)
    parts = torch.cat([diff_augment(images[n : n + 1], 7 + n, 5, 0) for n in range(3)])

    assert torch.equal(whole, parts)
    assert not torch.equal(whole, diff_augment(images, 7, 5, 1))
    assert not torch.equal(whole, diff_augment(images, 7, 6, 0))


def test_diffaugment_moves_all_pictures_of_an_image_alike_and_lets_gradients_through() -> None:
    single = torch.rand(1, 3, 32, 32) * 2 - 1
    pair = torch.cat([single, single], dim=1).requires_grad_()

    changed = diff_augment(pair, 0, 5, 0)
    changed.sum().backward()

    assert torch.equal(changed[:, :3], changed[:, 3:])
    assert pair.grad is not None
    assert pair.grad.abs().sum() > 0
