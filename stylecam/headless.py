"""Runs the live pipeline without a window, to its end, a time limit or Ctrl-C. Prints nothing."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from stylecam.live import Control, Live, Snapshot
from stylecam.settings import Settings
from stylecam.video.recorder import Recorder
from stylecam.video.sources import open_source

POLL_S = 0.05
REPORT_S = 1.0


def run(
    source: str,
    settings: Settings,
    *,
    seconds: float | None,
    record: Path | None,
    report: Callable[[Snapshot], None] | None = None,
) -> Snapshot:
    """Paints `source` for `seconds` from its first frame on, or to its end. Raises StylecamError.

    `report` is called with the state every second. Returns the last state before it was stopped,
    with the figures of the finished recording.
    """
    if record:
        Recorder(record).close()  # refuses what cannot be written before a source is opened
    control = Control(settings.look, settings.mirror, settings.adaptive, record)
    opened = open_source(source, size=(settings.width, settings.height), rate=settings.rate)
    live = Live(opened, control, device=settings.device)
    live.start()
    try:
        with suppress(KeyboardInterrupt):
            _watch(live, seconds, report or (lambda shot: None))
        shot = live.snapshot()
    finally:
        live.stop()
    last = live.snapshot()
    if error := shot.error or shot.recording_error or last.recording_error:
        raise error
    return replace(shot, recorded_s=last.recorded_s, left_out=last.left_out)


def _watch(live: Live, seconds: float | None, report: Callable[[Snapshot], None]) -> None:
    began, told = None, time.monotonic()
    while not (shot := live.snapshot()).ended and not shot.recording_error:
        if began is None and shot.delivered:
            began = time.monotonic()
        if began is not None and seconds and time.monotonic() - began >= seconds:
            return
        if time.monotonic() - told >= REPORT_S:
            told = time.monotonic()
            report(shot)
        time.sleep(POLL_S)
