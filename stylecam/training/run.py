"""Training and painting from the command line: progress to the terminal, results to files."""

from __future__ import annotations

import logging
import os
import signal
import threading
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
from rich.progress import MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from stylecam import assets
from stylecam.errors import FrameError, RecordingError, TrainingError
from stylecam.frame import LARGEST, SMALLEST, check_size
from stylecam.style import Style
from stylecam.training.checkpoint import CHECKPOINT
from stylecam.training.data import to_short_side
from stylecam.training.encoder import load_encoder
from stylecam.training.export import export
from stylecam.training.paint import STEPS, STYLE_SIDE, paint
from stylecam.training.recipe import load_recipe
from stylecam.training.train import train
from stylecam.video.picture import SUFFIXES, is_picture, read_picture, write_picture

log = logging.getLogger(__name__)


def train_run(recipe: Path, data: Path, folder: Path, *, resume: bool) -> None:
    """Trains to the recipe's last step. Ctrl-C or SIGTERM ends it after the current step, which is
    saved; a second one ends it at once, and the last checkpoint stays. The first one also ends it
    at once in a torchrun group or before the first step is done."""
    asked = load_recipe(recipe)
    if resume and not (folder / CHECKPOINT).exists():
        raise TrainingError(f"there is no run to resume in {folder}; leave --resume out to begin")
    compiled = _can_compile()
    columns = (*Progress.get_default_columns()[:2], MofNCompleteColumn(), TimeRemainingColumn())
    others = os.environ.get("RANK", "0") != "0"  # under torchrun only one process reports
    alone = "RANK" not in os.environ  # in a group, a process one step ahead would wait forever
    begun = False
    with Progress(*columns, TextColumn("{task.fields[losses]}"), disable=others) as bars:
        bar = bars.add_task("training", total=asked.steps, losses="")

        def gently() -> bool:
            if alone and begun:
                bars.console.print("stopping after this step; press Ctrl-C again to stop now")
            return alone and begun

        with _interruptible(gently) as interrupted:

            def stopped() -> bool:
                nonlocal begun
                begun = True  # a step is done; the first may compile for a minute
                return interrupted()

            steps = train(asked, data, folder, resume=resume, compiled=compiled, stopped=stopped)
            for report in steps:
                losses = " ".join(f"{name} {value:.3f}" for name, value in report.losses.items())
                bars.update(bar, completed=report.step, losses=losses)
        if interrupted() and not bars.finished:
            kept = (folder / CHECKPOINT).exists()
            after = f"use --resume to go on from {folder / CHECKPOINT}"
            bars.console.print(f"stopped; {after if kept else 'nothing has been saved yet'}")


def paint_run(content: Path, style: Path, out: Path, *, size: int, steps: int | None) -> None:
    """Paints to the last step, or until Ctrl-C, and writes the result. Raises StylecamError."""
    if not is_picture(out):
        raise RecordingError(f"cannot write {out}: name it {', '.join(sorted(SUFFIXES))}")
    if out.is_dir() or not out.parent.is_dir():
        raise RecordingError(f"cannot write {out}; choose a file in an existing folder")
    if out.resolve() in (content.resolve(), style.resolve()):
        raise RecordingError(f"{out} would be overwritten; choose another file")
    if not SMALLEST <= size <= LARGEST:
        raise FrameError(f"expected a short side of {SMALLEST} to {LARGEST} pixels, got {size}")
    steps = steps or STEPS
    photo, painting = read_picture(content), read_picture(style)
    photo = check_size(content.name, to_short_side(photo, size))
    painting = to_short_side(painting, STYLE_SIDE)
    progress = None
    with Progress() as bars, _interruptible() as interrupted:
        bar = bars.add_task("painting", total=steps)
        for progress in paint(photo, painting, load_encoder(assets.ENCODER), steps=steps):
            bars.update(bar, completed=progress.step)
            if interrupted():
                break
    if progress is not None:
        write_picture(out, progress.pixels())


@contextmanager
def _interruptible(gently: Callable[[], bool] = lambda: False) -> Iterator[Callable[[], bool]]:
    """Makes Ctrl-C and SIGTERM end the block quietly; yields a function that tells whether one
    came. The signal is also remembered, since Python drops an exception raised inside a finalizer
    or a callback from C. If `gently()` is true, the first signal is only remembered, and the block
    has to ask for it."""
    came = threading.Event()

    def interrupt(number: int, frame: object) -> None:
        first = not came.is_set()
        came.set()
        if not (first and gently()):
            raise KeyboardInterrupt

    before = [(each, signal.signal(each, interrupt)) for each in (signal.SIGINT, signal.SIGTERM)]
    try:
        yield came.is_set
    except KeyboardInterrupt:
        pass
    finally:
        for each, handler in before:
            signal.signal(each, handler)


def _can_compile() -> bool:
    """Returns whether torch.compile works here: it halves a step's time, but needs a C++ compiler
    and Python's headers, and the only way to find out is to try."""
    try:
        torch.compile(lambda x: x + 1)(torch.ones(8))
    except Exception as error:
        log.warning("training without torch.compile, at half the speed: %s", type(error).__name__)
        return False
    return True


def export_run(
    recipe: Path, folder: Path, target: Path, held_back: Collection[str] = ()
) -> list[Style]:
    """Writes the assets of the run in `folder` into `target`, as `export` does."""
    return export(load_recipe(recipe), folder / CHECKPOINT, target, held_back)
