"""A training checkpoint: named tensors and strings in one safetensors file, written atomically.

Knows nothing about networks and losses.
"""

from __future__ import annotations

from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from stylecam.errors import TrainingError
from stylecam.files import replacing

CHECKPOINT = "latest.safetensors"
"""The checkpoint's name in a run's folder."""


def write_checkpoint(path: Path, tensors: dict[str, Tensor], metadata: dict[str, str]) -> None:
    """Replaces the checkpoint at `path` atomically, or raises TrainingError and keeps the old
    one."""
    try:
        with replacing(path) as beside:
            save_file({k: v.contiguous().clone() for k, v in tensors.items()}, beside, metadata)
    except (OSError, SafetensorError) as error:
        raise TrainingError(
            f"cannot write {path}, so the previous checkpoint is kept: {error}"
        ) from None


def read_checkpoint(path: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Returns all tensors and the metadata of a checkpoint. Raises TrainingError."""
    try:
        with safe_open(path, framework="pt") as file:
            return {name: file.get_tensor(name) for name in file.keys()}, file.metadata() or {}
    except FileNotFoundError:
        raise TrainingError(f"no checkpoint at {path}") from None
    except (OSError, SafetensorError) as error:
        raise TrainingError(f"{path} is not a whole checkpoint ({error})") from None


def flat(prefix: str, optimizer: torch.optim.Optimizer) -> dict[str, Tensor]:
    """Returns an optimizer's state as named tensors."""
    return {
        f"{prefix}.{i}.{name}": torch.as_tensor(value)
        for i, state in optimizer.state_dict()["state"].items()
        for name, value in state.items()
    }


def unflatten(prefix: str, optimizer: torch.optim.Optimizer, tensors: dict[str, Tensor]) -> None:
    """Restores an optimizer's state from tensors that include those made by `flat`."""
    state: dict[int, dict[str, Tensor]] = {}
    for name, value in tensors.items():
        if name.startswith(f"{prefix}."):
            _, i, entry = name.split(".")
            state.setdefault(int(i), {})[entry] = value
    groups = optimizer.state_dict()["param_groups"]
    optimizer.load_state_dict({"state": state, "param_groups": groups})
