"""Methods over random images, without data, run folder or loop."""

import torch
from torch import Tensor

from stainapp.runs.recipe import Recipe
from training.build import build_method
from training.method import Images, Method, Setting
from training.processes import ALONE


def method_of(recipe: Recipe, precision: str = "fp32") -> Method:
    return build_method(Setting(recipe, "cpu", precision, ALONE))


def images(first: int = 0, count: int = 1, side: int = 48) -> Images:
    chance = torch.Generator().manual_seed(first)
    source, target = (torch.rand(count, 3, side, side, generator=chance) * 2 - 1 for _ in range(2))
    return Images(source, target, first=first, offset=0)


def weights(method: Method) -> dict[str, Tensor]:
    return {
        f"{name}.{key}": value.clone()
        for name, net in method.networks.items()
        for key, value in net.state_dict().items()
    }
