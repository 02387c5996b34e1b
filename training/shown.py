"""What a discriminator is shown in a step: the newest images, real and generated, and earlier ones.

From one image a step it learns slowly, and a generator that changes little soon does as it likes
with it. It costs little beside the generators, so it can be shown several for each of theirs.
"""

import torch
from torch import Tensor

from training.augment import diff_augment
from training.image_pool import ImagePool
from training.method import Images, Setting

REAL, MADE = 0, 1
APART = 100
"""Between the streams of chance of several draws."""


class Shown:
    """The images, real and generated, that one discriminator sees."""

    def __init__(self, setting: Setting, stream: int) -> None:
        """Begin with none.

        Args:
            setting: recipe and processes.
            stream: tells the discriminators' chance apart.
        """
        self._processes, self._seed = setting.processes, setting.recipe.seed
        training = setting.recipe.training
        self._diffaugment, self._each = training.diffaugment, training.judge_images
        self._stream = 2 * stream
        self._made = ImagePool(training.pool, self._seed, stream)
        self._real = ImagePool(training.pool, self._seed, 8 + stream)

    def pools(self, name: str) -> dict[str, ImagePool]:
        """Return what has to be kept with a checkpoint, by name."""
        return {name: self._made} | ({f"real {name}": self._real} if self._each > 1 else {})

    def real(self, images: Tensor, step: Images) -> Tensor:
        """Return the real images of a step, each followed by earlier ones, all disturbed."""
        if self._each > 1:
            self._real.exchange(self._processes.gathered(images.float()), step.first)
        return self._all(images, self._real, REAL, step)

    def made(self, images: Tensor, step: Images) -> Tensor:
        """Return generated images; of the newest, half are exchanged for earlier ones."""
        everyones = self._processes.gathered(images.detach().float())
        newest = self._made.exchange(everyones, step.first)
        mine = newest[step.offset : step.offset + len(images)]
        return self._all(mine, self._made, MADE, step)

    def disturbed(self, images: Tensor, step: Images, stream: int) -> Tensor:
        """Return images as they are, or as DiffAugment leaves them."""
        if not self._diffaugment:
            return images
        return diff_augment(images, step.first + step.offset, self._seed, stream)

    def _all(self, newest: Tensor, pool: ImagePool, kind: int, step: Images) -> Tensor:
        first = step.first + step.offset
        groups = [newest.float()]
        groups += [pool.earlier(first, len(newest), again) for again in range(1, self._each)]
        stream = self._stream + kind
        return torch.cat(
            [self.disturbed(one, step, stream + APART * n) for n, one in enumerate(groups)]
        )
