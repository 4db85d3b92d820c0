"""Shows the live picture in a window, or runs without one and prints what happens.

Knows settings and whether a window can be shown, and nothing about frames or the command line.
"""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from stylecam.errors import RecordingError, StylecamError
from stylecam.files import replacing
from stylecam.settings import DEMO_RECORDING, Settings, parse_size

if TYPE_CHECKING:
    from stylecam.live import Snapshot

DEMO_SECONDS = 10.0


def watch(
    source: str | None,
    headless: bool,
    seconds: float | None,
    record: Path | None,
    *,
    unseen: str = "demo",
    style: str | None = None,
    size: str | None = None,
    **options: Any,
) -> None:
    """Opens a window if one can be shown and no argument asks for running without.

    If `source` is None, the window shows the source that settings remember; without a window it is
    `unseen`. `options` are settings by name, for this run only; None for those not given.
    """
    from stylecam import settings
    from stylecam.display import missing

    options = {name: value for name, value in options.items() if value is not None}
    if style is not None:
        from stylecam.style import parse

        options["style"] = parse(style)
    if size is not None:
        options["width"], options["height"] = parse_size(size)
    windowless = headless or seconds or record
    try:
        why = "" if headless or record else missing()
    except StylecamError:
        if not windowless:
            raise
        why = ""
    if not (windowless or why):
        from stylecam.gui import app as gui

        troubles: list[str] = []
        remembered = settings.load(tell=troubles.append)
        raise typer.Exit(gui.run(remembered.changed(**options), source, remembered, troubles))
    from stylecam.video.devices import cameras  # loads OpenCV; a window must not wait for it

    chosen = Settings().changed(**options)
    source = unseen if source is None else source
    alone = source == "auto" and not cameras()
    if alone:
        typer.echo("No camera found; showing the demo.", err=True)
    if alone or source == "demo":
        seconds = seconds or DEMO_SECONDS
    if not why or source != "demo":
        _headless(source, seconds, record, chosen)
        return
    # Nobody can see it, so it is recorded to a file, which replaces an older one once complete.
    typer.echo(
        f"{why[0].upper()}{why[1:]}: painting {seconds:g} s of the demo into {DEMO_RECORDING}."
    )
    with replacing(Path(DEMO_RECORDING)) as beside:
        _headless("demo", seconds, beside, chosen, called=DEMO_RECORDING)


def _headless(
    source: str,
    seconds: float | None,
    record: Path | None,
    settings: Settings,
    called: str = "",
) -> None:
    from stylecam import headless

    with _status_line() as report:
        shot = headless.run(source, settings, seconds=seconds, record=record, report=report)
    if record and not record.exists():
        raise RecordingError("the source ended before its first frame, so nothing was recorded")
    typer.echo(
        f"{shot.fps:.1f} fps, latency {1000 * shot.latency_s:.0f} ms, "
        f"{shot.dropped} of {shot.delivered + shot.dropped} frames dropped, "
        f"{', '.join([f'on {shot.device}', *shot.spared()])}."
    )
    if record:
        missing = f", {shot.left_out} frames missing" if shot.left_out else ""
        typer.echo(f"Recorded {shot.recorded_s:.1f} s into {called or record}{missing}.")


@contextmanager
def _status_line() -> Iterator[Callable[[Snapshot], None] | None]:
    """Yields what shows snapshots on one line of the terminal, or None if there is no terminal."""
    if not sys.stderr.isatty():
        yield None
        return
    begun = False

    def report(shot: Snapshot) -> None:
        nonlocal begun
        begun = True
        counts = f"{shot.delivered} frames, {shot.fps:.0f} fps, {shot.dropped} dropped"
        line = f"{', '.join([counts, *shot.spared()])}; Ctrl-C stops"
        room = shutil.get_terminal_size().columns - 1  # a wrapped line could not be overwritten
        typer.echo(f"\r{line[:room]:{room}}", nl=False, err=True)

    try:
        yield report
    finally:
        if begun:
            typer.echo(err=True)
