"""The live picture for whoever called the command: in a window, or without one and what is printed.

Knows settings and where a window can be; no frames, and no words on a command line.
"""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from stylecam.files import replacing
from stylecam.settings import DEMO_RECORDING, Look, Settings

if TYPE_CHECKING:
    from stylecam.live import Snapshot

DEMO_SECONDS = 10.0


def watch(
    source: str | None,
    headless: bool,
    seconds: float | None,
    record: Path | None,
    *,
    style: str | None = None,
    device: str | None = None,
    adaptive: bool | None = None,
    **look: Any,
) -> None:
    """The window if there can be one and nothing asks for none; options not given are None."""
    from stylecam import settings
    from stylecam.display import missing

    look = {name: value for name, value in look.items() if value is not None}
    if style is not None:
        from stylecam.style import parse

        look["style"] = parse(style)
    why = "" if headless or record else missing()
    if not (headless or seconds or record or why):
        from stylecam.gui import app as gui

        remembered = settings.load()
        changed = replace(remembered, look=replace(remembered.look, **look))
        if adaptive is not None:
            changed = replace(changed, adaptive=adaptive)
        code = gui.run(replace(changed, device=device or changed.device), source)
        raise typer.Exit(code)
    chosen = replace(Look(), **look)
    device = device or Settings.device
    adaptive = Settings.adaptive if adaptive is None else adaptive
    if source in (None, "demo"):
        seconds = seconds or DEMO_SECONDS
    if not why or source not in (None, "demo"):
        _headless(source or Settings.source, seconds, record, chosen, device, adaptive)
        return
    # Nobody sees it, so it goes into a file, which replaces an older one once it is whole.
    typer.echo(
        f"{why[0].upper()}{why[1:]}: painting {seconds:g} s of the demo into {DEMO_RECORDING}."
    )
    with replacing(Path(DEMO_RECORDING)) as beside:
        _headless("demo", seconds, beside, chosen, device, adaptive, called=DEMO_RECORDING)


def _headless(
    source: str,
    seconds: float | None,
    record: Path | None,
    look: Look,
    device: str,
    adaptive: bool,
    called: str = "",
) -> None:
    from stylecam import headless

    report = _status if sys.stderr.isatty() else None
    shot = headless.run(
        source,
        look,
        seconds=seconds,
        record=record,
        device=device,
        adaptive=adaptive,
        report=report,
    )
    typer.echo(
        f"{shot.fps:.1f} fps, latency {1000 * shot.latency_s:.0f} ms, "
        f"{shot.dropped} of {shot.delivered + shot.dropped} frames dropped, "
        f"on {shot.device}{_size(shot)}."
    )
    if record and record.exists():
        typer.echo(f"Recorded {shot.recorded_s:.1f} s into {called or record}.")


def _status(shot: Snapshot) -> None:
    counts = f"{shot.delivered} frames, {shot.fps:.0f} fps, {shot.dropped} dropped"
    line = f"{counts}{_size(shot)}; Ctrl-C stops"
    typer.echo(f"\r{line:72}", nl=False, err=True)


def _size(shot: Snapshot) -> str:
    return "" if shot.scale == 1 else f", at {shot.scale:.0%} size"
