"""A training run from the command line: progress to the terminal, the log to the run's folder."""

from __future__ import annotations

import logging
import os
from collections.abc import Collection
from pathlib import Path

import torch
from rich.progress import MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from stylecam.errors import TrainingError
from stylecam.style import Style
from stylecam.training.checkpoint import CHECKPOINT
from stylecam.training.export import export
from stylecam.training.recipe import load_recipe
from stylecam.training.train import train

log = logging.getLogger(__name__)


def train_run(recipe: Path, data: Path, folder: Path, *, resume: bool) -> None:
    """Trains to the recipe's last step, or until Ctrl-C; the last checkpoint stays."""
    asked = load_recipe(recipe)
    if resume and not (folder / CHECKPOINT).exists():
        raise TrainingError(f"there is no run to resume in {folder}; leave --resume out to begin")
    compiled = _can_compile()
    columns = (*Progress.get_default_columns()[:2], MofNCompleteColumn(), TimeRemainingColumn())
    others = os.environ.get("RANK", "0") != "0"  # under torchrun one process reports
    with Progress(*columns, TextColumn("{task.fields[losses]}"), disable=others) as bars:
        bar = bars.add_task("training", total=asked.steps, losses="")
        try:
            for report in train(asked, data, folder, resume=resume, compiled=compiled):
                losses = " ".join(f"{name} {value:.3f}" for name, value in report.losses.items())
                bars.update(bar, completed=report.step, losses=losses)
        except KeyboardInterrupt:
            if (folder / CHECKPOINT).exists():
                bars.console.print(f"stopped; --resume goes on from {folder / CHECKPOINT}")


def _can_compile() -> bool:
    """Whether torch.compile works here: it halves a step's time, and needs a C++ compiler and
    Python's headers, which only trying tells."""
    try:
        torch.compile(lambda x: x + 1)(torch.ones(8))
    except Exception as error:
        log.warning("training without torch.compile, at half the speed: %s", type(error).__name__)
        return False
    return True


def export_run(
    recipe: Path, folder: Path, assets: Path, held_back: Collection[str] = ()
) -> list[Style]:
    """Writes the assets of the run in `folder`, as `export` does."""
    return export(load_recipe(recipe), folder / CHECKPOINT, assets, held_back)
