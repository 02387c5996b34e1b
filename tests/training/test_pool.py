import torch

from training.image_pool import ImagePool


def numbered(first: int, count: int = 1) -> torch.Tensor:
    """Images whose every pixel is their number."""
    return torch.arange(first, first + count).float().view(-1, 1, 1, 1).expand(-1, 3, 2, 2)


def test_a_pool_of_none_shows_the_newest() -> None:
    images = numbered(0, 4)

    assert torch.equal(ImagePool(0, 1, 0).exchange(images, 0), images)


def test_until_it_is_full_a_pool_shows_what_it_takes_in() -> None:
    pool = ImagePool(5, 1, 0)

    assert torch.equal(pool.exchange(numbered(0, 5), 0), numbered(0, 5))
    assert len(pool.images) == 5


def test_a_full_pool_shows_about_half_of_the_time_an_earlier_image_and_keeps_the_new_one() -> None:
    pool = ImagePool(20, 1, 0)
    shown = torch.cat([pool.exchange(numbered(n), n) for n in range(1020)])[20:, 0, 0, 0]
    numbers = torch.arange(20, 1020).float()

    earlier = shown != numbers

    assert 0.45 < earlier.float().mean().item() < 0.55
    assert bool((shown[earlier] < numbers[earlier]).all())
    assert len(set(shown[earlier].tolist())) == int(earlier.sum())  # each is shown again but once
    held = {image[0, 0, 0].item() for image in pool.images}
    assert len(held) == 20
    assert held.isdisjoint(shown[earlier].tolist())


def test_images_in_one_batch_are_exchanged_as_if_one_by_one() -> None:
    one_by_one, together = ImagePool(3, 1, 0), ImagePool(3, 1, 0)

    single = torch.cat([one_by_one.exchange(numbered(n), n) for n in range(12)])
    batches = torch.cat([together.exchange(numbered(n, 4), n) for n in range(0, 12, 4)])

    assert torch.equal(single, batches)


def test_a_restored_pool_goes_on_as_the_first_would() -> None:
    one, other = ImagePool(3, 1, 0), ImagePool(3, 1, 0)
    one.exchange(numbered(0, 9), 0)

    other.restore(one.state(), "cpu")

    assert torch.equal(one.exchange(numbered(9, 9), 9), other.exchange(numbered(9, 9), 9))


def test_an_empty_pool_is_saved_and_restored_empty() -> None:
    pool = ImagePool(3, 1, 0)
    pool.restore(ImagePool(3, 1, 0).state(), "cpu")

    assert pool.images == []


def test_earlier_images_are_held_ones_and_a_function_of_the_number() -> None:
    pool = ImagePool(8, 1, 0)
    pool.exchange(numbered(0, 8), 0)

    drawn = torch.cat([pool.earlier(n, 2, again) for n in range(0, 40, 2) for again in (1, 2)])
    once_more = torch.cat([pool.earlier(n, 1, again) for n in range(2) for again in (1, 2)])

    values = drawn[:, 0, 0, 0]
    assert set(values.tolist()) == set(range(8))
    assert len(pool.images) == 8
    # number by number or two at once: the same
    assert torch.equal(once_more[:, 0, 0, 0], values[[0, 2, 1, 3]])
