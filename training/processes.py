"""Several processes at one run, on one machine or many: `torch.distributed`, or just this one."""

import os
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

PATIENCE = timedelta(hours=2)
"""How long the others wait while the leading process validates, before they give it up."""


@dataclass(frozen=True, slots=True)
class Processes:
    """This process's place among those of the run."""

    rank: int = 0
    count: int = 1
    local_rank: int = 0

    @property
    def leads(self) -> bool:
        """Whether this one writes, measures and listens."""
        return self.rank == 0

    def shared(self, net: nn.Module) -> nn.Module:
        """Return a module whose gradients are the mean over all processes."""
        learns = any(weight.requires_grad for weight in net.parameters())
        return DistributedDataParallel(net) if self.count > 1 and learns else net

    def gathered(self, images: Tensor) -> Tensor:
        """Return the images of all processes, in order of rank."""
        if self.count == 1:
            return images
        images = images.contiguous()  # what is sent is memory, whatever its layout
        parts = [torch.empty_like(images) for _ in range(self.count)]
        dist.all_gather(parts, images)
        return torch.cat(parts)

    def mean(self, value: Tensor) -> Tensor:
        """Return a tensor's mean over all processes."""
        if self.count > 1:
            value = value.clone()
            dist.all_reduce(value)
            value /= self.count
        return value

    def told(self, value: Any) -> Any:
        """Return what the leading process says."""
        if self.count == 1:
            return value
        box = [value]
        dist.broadcast_object_list(box)
        return box[0]

    def wait(self) -> None:
        """Wait until all are here."""
        if self.count > 1:
            dist.barrier()

    def close(self) -> None:
        if self.count > 1:
            dist.destroy_process_group()


ALONE = Processes()


def join() -> Processes:
    """Join the processes that `torchrun` started; alone without it."""
    if int(os.environ.get("WORLD_SIZE", "1")) == 1:
        return ALONE
    # both, because words are passed on the processor even where tensors are not
    backend = "cpu:gloo,cuda:nccl" if torch.cuda.is_available() else "gloo"
    dist.init_process_group(backend, timeout=PATIENCE)
    return Processes(dist.get_rank(), dist.get_world_size(), int(os.environ.get("LOCAL_RANK", "0")))
