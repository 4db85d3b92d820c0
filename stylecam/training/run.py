"""A training run from the command line: progress to the terminal, the log to the run's folder."""

from __future__ import annotations

import shutil
from collections.abc import Collection
from pathlib import Path

from rich.progress import MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from stylecam.style import Style
from stylecam.training.export import export
from stylecam.training.recipe import load_recipe
from stylecam.training.train import CHECKPOINT, train


def train_run(recipe: Path, data: Path, folder: Path, *, resume: bool) -> None:
    """Trains to the recipe's last step, or until Ctrl-C; the last checkpoint stays."""
    asked = load_recipe(recipe)
    columns = (*Progress.get_default_columns()[:2], MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, TextColumn("{task.fields[losses]}")) as bars:
        bar = bars.add_task("training", total=asked.steps, losses="")
        # torch.compile halves a step's time, and needs a compiler on this machine.
        compiled = any(shutil.which(name) for name in ("c++", "g++", "clang++", "cl"))
        try:
            for report in train(asked, data, folder, resume=resume, compiled=compiled):
                losses = " ".join(f"{name} {value:.3f}" for name, value in report.losses.items())
                bars.update(bar, completed=report.step, losses=losses)
        except KeyboardInterrupt:
            bars.console.print(f"stopped; --resume goes on from {folder / CHECKPOINT}")


def export_run(
    recipe: Path, folder: Path, assets: Path, held_back: Collection[str] = ()
) -> list[Style]:
    """Writes the assets of the run in `folder`, as `export` does."""
    return export(load_recipe(recipe), folder / CHECKPOINT, assets, held_back)
