"""Batch norm ties the images of a batch together: what must then be kept apart, or shared."""

from collections.abc import Callable

from torch import nn

from stainapp.errors import RecipeError
from training.processes import Processes


def ties_images(net: nn.Module) -> bool:
    """Tell whether what a net makes of one image depends on the others of its batch."""
    return any(isinstance(m, (nn.BatchNorm2d, nn.SyncBatchNorm)) for m in net.modules())


def synchronised(net: nn.Module, device: str, processes: Processes) -> nn.Module:
    """Return the net with statistics taken over the batches of all processes.

    Raises:
        RecipeError: torch cannot do that on this device.
    """
    if processes.count == 1 or not ties_images(net):
        return net
    if not device.startswith("cuda"):
        raise RecipeError(
            "The batch norm of this network needs the whole batch, which several processes "
            'share on CUDA alone; train in one process, or with norm = "instance".'
        )
    convert: Callable[[nn.Module], nn.Module] = nn.SyncBatchNorm.convert_sync_batchnorm
    return convert(net)
