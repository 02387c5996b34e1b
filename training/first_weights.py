"""Weights to begin with, drawn from one generator of chance."""

import torch
from torch import nn

from stainapp.models.blocks import ResidualBlock
from stainapp.models.bridge_nets import BridgeUnet, TimedBlock
from stainapp.models.networks import PixelGenerator, ResUnetGenerator

CONVOLUTIONS = (nn.Conv2d, nn.ConvTranspose2d)
NORMS = (nn.BatchNorm2d, nn.InstanceNorm2d)


def initialise(net: nn.Module, generator: torch.Generator) -> nn.Module:
    """Draw all weights of a net anew, in place.

    With instance or batch norms as the CycleGAN family does: convolutions from N(0, 0.02).
    Without, the scale of what a layer gives is that of its weights: their variance is 2 / inputs,
    as for ReLUs (He et al. 2015), and each residual block begins as nothing added (Zhang et al.
    2019, Fixup). A ResUNet begins near to handing its input through, but not so near that a cycle
    loss, which is least there, holds it; a network of a bridge, near to saying that nothing is off.
    So does a colour map begin near its input: what is told of a picture by statistics alone has
    many answers, and the one wanted lies near.
    """
    normed = any(isinstance(module, NORMS) for module in net.modules())
    for module in net.modules():
        _draw(module, generator, normed=normed)
    for module in net.modules():
        if isinstance(module, ResidualBlock) and not normed:
            nn.init.zeros_(_last_convolution(module).weight)
        for small in _nearly_nothing(module):
            nn.init.normal_(small.weight, 0.0, 0.02, generator=generator)
        if isinstance(module, PixelGenerator):
            _hand_through(module)
    return net


def _draw(module: nn.Module, generator: torch.Generator, *, normed: bool) -> None:
    if isinstance(module, CONVOLUTIONS):
        if normed:
            nn.init.normal_(module.weight, 0.0, 0.02, generator=generator)
        else:
            nn.init.kaiming_normal_(module.weight, generator=generator)
    elif isinstance(module, nn.Linear):
        nn.init.xavier_normal_(module.weight, generator=generator)
    elif isinstance(module, nn.BatchNorm2d):
        nn.init.normal_(module.weight, 1.0, 0.02, generator=generator)
    else:
        return
    if module.bias is not None:
        nn.init.zeros_(module.bias)


def _nearly_nothing(module: nn.Module) -> list[nn.Conv2d | nn.Linear]:
    """Return the layers of a module that begin as adding hardly anything."""
    if isinstance(module, ResUnetGenerator):
        return [_last_convolution(module.leave)]
    if isinstance(module, PixelGenerator):
        return [_last_convolution(module)]
    if isinstance(module, TimedBlock):
        return [module.last, module.timed]
    return [module.leave] if isinstance(module, BridgeUnet) else []


@torch.no_grad()
def _hand_through(net: PixelGenerator) -> None:
    """Lead the input through the first three channels, raised above 0 for the rectifiers."""
    layers = [module for module in net.modules() if isinstance(module, nn.Conv2d)]
    led = min(3, *(layer.out_channels for layer in layers))
    for layer in layers:
        layer.weight[:led] *= 0 if layer is not layers[-1] else 1
        layer.weight[range(led), range(led)] = 1
    first, last = layers[0].bias, layers[-1].bias
    if len(layers) > 1 and first is not None and last is not None:
        first[:led], last[:led] = 1, -1


def _last_convolution(net: nn.Module) -> nn.Conv2d:
    return [module for module in net.modules() if isinstance(module, nn.Conv2d)][-1]
