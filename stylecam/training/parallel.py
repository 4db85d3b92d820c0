"""Processes that train together under `torchrun`. Knows no network and no picture."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import torch.distributed as dist
from torch import Tensor


@contextmanager
def joined() -> Iterator[bool]:
    """Joins the processes that `torchrun` started while the context lasts; yields whether this is
    the first of them. Outside of torchrun it is the only one."""
    if "TORCHELASTIC_RUN_ID" not in os.environ:
        yield True
        return
    dist.init_process_group("gloo")
    try:
        yield dist.get_rank() == 0
    finally:
        dist.destroy_process_group()


def processes() -> tuple[int, int]:
    """Returns how many processes train together, and the index of this one."""
    return (dist.get_world_size(), dist.get_rank()) if dist.is_initialized() else (1, 0)


def average(tensors: Iterable[Tensor | None]) -> None:
    """Replaces each tensor, in place, by its mean over all processes."""
    if dist.is_initialized():
        for tensor in tensors:
            if tensor is not None:
                dist.all_reduce(tensor)
                tensor /= dist.get_world_size()
