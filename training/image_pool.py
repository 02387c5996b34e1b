"""Images of earlier steps, shown to the discriminator again.

Shrivastava et al. 2017, as Zhu et al. 2017 (CycleGAN, section 4) use it: a discriminator that
sees only the newest images lets the generator run in circles.
"""

import numpy as np
import torch
from torch import Tensor


class ImagePool:
    """Up to ``size`` images, each kept until another takes its place.

    Chance depends on the image's number alone, and with several processes all keep the same
    pool: what one saves another can go on with.
    """

    def __init__(self, size: int, seed: int, stream: int) -> None:
        self.size, self._seed, self._stream = size, seed, stream
        self.images: list[Tensor] = []

    def exchange(self, images: Tensor, first: int) -> Tensor:
        """Return for each image (N, C, H, W) itself or, half of the time, an earlier one."""
        if self.size == 0:
            return images
        return torch.stack([self._one(image, first + n) for n, image in enumerate(images)])

    def earlier(self, first: int, count: int, again: int) -> Tensor:
        """Return for each of ``count`` numbers from ``first`` on an image that is held.

        Args:
            first: the first image's number.
            count: how many; at least one image must have been exchanged.
            again: tells several draws for one number apart.
        """
        chances = (
            np.random.default_rng((self._seed, 64 + self._stream, number, again))
            for number in range(first, first + count)
        )
        return torch.stack([self.images[int(rng.integers(len(self.images)))] for rng in chances])

    def _one(self, image: Tensor, number: int) -> Tensor:
        if len(self.images) < self.size:
            self.images.append(image.clone())
            return image
        rng = np.random.default_rng((self._seed, 64 + self._stream, number))
        if rng.random() < 0.5:
            return image
        place = int(rng.integers(self.size))
        earlier, self.images[place] = self.images[place], image.clone()
        return earlier

    def state(self) -> Tensor:
        """Return all images as one tensor; empty while there are none."""
        return torch.stack(self.images) if self.images else torch.empty(0)

    def restore(self, state: Tensor, device: str) -> None:
        self.images = list(state.to(device)) if state.numel() else []
