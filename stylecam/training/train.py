"""Runs a training: `train(recipe, data, folder)` is a generator of reports.

Knows no loss, no window and no command line. A run is a folder: run.json (the recipe), log.jsonl
(one line per report), latest.safetensors (all that resuming needs, replaced atomically) and
preview_*.jpg. If the caller stops iterating, the last checkpoint stays; a resumed run equals an
uninterrupted one. Under `torchrun` the same recipe runs in several processes; the first of them
writes.
"""

from __future__ import annotations

import dataclasses
import json
import os
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import closing
from dataclasses import dataclass
from itertools import islice
from math import inf
from pathlib import Path
from typing import Any

import torch

from stylecam.errors import TrainingError
from stylecam.files import replacing
from stylecam.training.checkpoint import CHECKPOINT
from stylecam.training.data import to_short_side, to_tensor
from stylecam.training.parallel import joined
from stylecam.training.recipe import Recipe
from stylecam.training.trainer import Trainer
from stylecam.video.picture import write_picture

REPORT_EVERY = 20
PREVIEW, PREVIEWED = 192, 4
"""Side of a preview in pixels, and the number of photos on the sheet."""
LOG = "log.jsonl"

OF_EXPORTS = ("title", "artist", "year", "source")
OF_KEEPING = ("checkpoint_every", "preview_every")
"""Keys of a style and of a whole recipe that have no effect on what is learnt."""


@dataclass(frozen=True)
class StepReport:
    """The state of a run; losses are means since the last report."""

    step: int
    steps: int
    seconds: float
    losses: dict[str, float]
    style_weights: dict[str, float]


def train(
    recipe: Recipe,
    data: Path,
    folder: Path,
    *,
    resume: bool = False,
    compiled: bool = False,
    stopped: Callable[[], bool] = lambda: False,
) -> Iterator[StepReport]:
    """Trains into `folder` and yields a report every few steps, until the recipe's last step or the
    first step after which `stopped` is true; that step is saved. Raises TrainingError."""
    run, checkpoint = folder / "run.json", folder / CHECKPOINT
    asked = json.loads(json.dumps(dataclasses.asdict(recipe)))
    if checkpoint.exists() and not resume:
        raise TrainingError(f"{folder} already holds a run; resume it or name another folder")
    if run.exists() and _recipe_of(run) != _relevant(asked):
        raise TrainingError(f"{folder} holds a run of another recipe; name another folder")
    begun = resume and checkpoint.exists()
    if begun:  # its warm start is no longer needed, and may be gone
        recipe = dataclasses.replace(recipe, warm_start="")
    with joined() as first, closing(Trainer(recipe, data, compiled=compiled)) as trainer:
        if begun:
            trainer.load(checkpoint)
        if first:
            folder.mkdir(parents=True, exist_ok=True)
            about = {"recipe": asked, "torch": torch.__version__}
            with replacing(run) as beside:
                beside.write_text(json.dumps(about, indent=1) + "\n")
            _cut_log(folder / LOG, trainer.step)
        yield from _steps(trainer, folder, first=first, stopped=stopped)


def _recipe_of(run: Path) -> dict[str, Any]:
    try:
        return _relevant(json.loads(run.read_text())["recipe"])
    except (ValueError, KeyError, TypeError, AttributeError):
        raise TrainingError(f"{run} is damaged; name another folder, or remove it") from None


def _relevant(recipe: dict[str, Any]) -> dict[str, Any]:
    """Returns what of a recipe affects learning; the rest matters only for saving or exporting."""

    def without(table: dict[str, Any], keys: Collection[str]) -> dict[str, Any]:
        return {key: value for key, value in table.items() if key not in keys}

    styles = {name: without(style, OF_EXPORTS) for name, style in recipe["styles"].items()}
    return {**without(recipe, OF_KEEPING), "styles": styles}


def _step(line: str) -> float:
    try:
        return float(json.loads(line)["step"])
    except (ValueError, TypeError, KeyError):  # cut short when the disk filled up
        return inf


def _cut_log(path: Path, step: int) -> None:
    """Removes reports after the step that training resumes from: they will be written again."""
    if path.exists():
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines(keepends=True)
        kept = [line for line in lines if _step(line) <= step]
        with replacing(path) as beside:
            beside.write_text("".join(kept), encoding="utf-8")


def _steps(
    trainer: Trainer, folder: Path, *, first: bool, stopped: Callable[[], bool]
) -> Iterator[StepReport]:
    recipe, began = trainer.recipe, time.monotonic()
    sums, summed = dict[str, torch.Tensor](), 0
    previewed = [
        to_tensor(to_short_side(photo, PREVIEW)[:PREVIEW, :PREVIEW])
        for photo in islice(trainer.photos.held_out(), PREVIEWED)
    ]
    with open(folder / LOG if first else os.devnull, "a", encoding="utf-8") as log:
        while trainer.step < recipe.steps:
            for name, value in trainer.advance().items():
                sums[name] = sums[name] + value if name in sums else value
            summed += 1
            last, stopping = trainer.step == recipe.steps, stopped()
            if first and (last or stopping or trainer.step % recipe.checkpoint_every == 0):
                trainer.save(folder / CHECKPOINT)
            if first and previewed and (last or trainer.step % recipe.preview_every == 0):
                sheet = trainer.preview(torch.cat(previewed))
                write_picture(folder / f"preview_{trainer.step:06d}.jpg", sheet)
            if last or trainer.step % REPORT_EVERY == 0:
                means = {name: value.item() / summed for name, value in sums.items()}
                weights = dict(zip(recipe.styles, trainer.style_weights.tolist(), strict=True))
                seconds = time.monotonic() - began
                report = StepReport(trainer.step, recipe.steps, seconds, means, weights)
                log.write(json.dumps(dataclasses.asdict(report)) + "\n")
                log.flush()
                sums, summed = {}, 0
                yield report
            if stopping:
                return
