"""Processes that train together under `torchrun`. Knows no network and no picture."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import torch.distributed as dist
from torch import Tensor


@contextmanager
def joined() -> Iterator[bool]:
    """The processes that `torchrun` started, joined for as long as this lasts; whether this is the
    first of them. Outside of torchrun it is the only one."""
    if "TORCHELASTIC_RUN_ID" not in os.environ:
        yield True
        return
    dist.init_process_group("gloo")
    try:
        yield dist.get_rank() == 0
    finally:
        dist.destroy_process_group()


def processes() -> tuple[int, int]:
    """How many processes train together, and which of them this is."""
    return (dist.get_world_size(), dist.get_rank()) if dist.is_initialized() else (1, 0)


def average(tensors: Iterable[Tensor | None]) -> None:
    """Gives every process the mean of what each of them has, in place."""
    if dist.is_initialized():
        for tensor in tensors:
            if tensor is not None:
                dist.all_reduce(tensor)
                tensor /= dist.get_world_size()
