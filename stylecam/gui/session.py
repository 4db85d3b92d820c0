"""Opens and closes live pipelines, one at a time, off the window's thread. Knows no widget.

One helper thread does everything that can take long (importing the engine, stopping a camera that
is still being opened) in the order asked for, so an old source is released before the next one is
opened.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from time import strftime
from typing import TYPE_CHECKING, NamedTuple

from stylecam.errors import RecordingError, StylecamError
from stylecam.settings import Settings

if TYPE_CHECKING:  # heavy: imported where used, after the first paint
    from stylecam.live import Control, Live, Snapshot
    from stylecam.video.sources import Source

log = logging.getLogger(__name__)

OpenSource = Callable[[str, Settings], "Source"]


def open_source(spec: str, settings: Settings) -> Source:
    """Returns the source that a word stands for; files play in a loop."""
    from stylecam.video import sources

    size = (settings.width, settings.height)
    return sources.open_source(spec, size=size, rate=settings.rate, loop=True)


def new_file(folder: Path, suffix: str) -> Path:
    """Returns an unused path in the folder, which is created if needed. Raises RecordingError."""
    from stylecam.video.recorder import free_path

    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise RecordingError(f"cannot make the folder {folder}: {error.strerror}") from None
    return free_path(folder, strftime("stylecam %Y-%m-%d %H.%M.%S"), suffix)


def short_name(spec: str) -> str:
    """Returns a source's name before it is open; of an address, without user name and password."""
    return spec.partition("://")[2].rpartition("@")[2] or Path(spec).name or spec


def status_line(shot: Snapshot, source: str) -> str:
    """Returns the state in a line. What matters most comes first: where there is little room, the
    end is cut off."""
    parts = [f"{shot.fps:.0f} fps", f"{shot.latency_s * 1000:.0f} ms"]
    if shot.waiting:
        parts = [f"Waiting for {source}…"]
    parts += shot.spared()
    if shot.recording:
        if shot.left_out:
            parts.append(f"{shot.left_out} not recorded")
        parts.append(shot.recording.name)
    parts += [f"{shot.dropped} dropped"] if shot.dropped else []
    return " · ".join([*parts, shot.device])


def _control(settings: Settings, recording: Path | None) -> Control:
    from stylecam.live import Control

    return Control(settings.look, settings.mirror, settings.adaptive, recording)


class Finished(NamedTuple):
    """A recording that ended, what broke it off, if anything, and the number of frames missing."""

    path: Path
    error: StylecamError | None
    left_out: int


class Session:
    """At most one running pipeline. Every method but `close` returns at once."""

    def __init__(self, open_source: OpenSource = open_source):
        self._open_source = open_source
        self._helper = ThreadPoolExecutor(1, "session")
        self._opening: Future[tuple[Source, Live]] | None = None
        self._running: Live | None = None  # used by the helper thread only
        self._settings = Settings()
        self._path: Path | None = None
        self._changed = False
        self._writing: Path | None = None
        self._told: StylecamError | None = None
        self._finished: deque[Finished] = deque()

    @property
    def active(self) -> bool:
        """Whether a source is shown or being opened."""
        return self._opening is not None

    def open(self, source: str | Source, settings: Settings) -> None:
        """Starts to show what a word stands for, or reopens a lost source, in place of the current
        one."""
        self.stop()
        self.update(settings, None)
        self._opening = self._helper.submit(self._start, source, settings)

    def update(self, settings: Settings, recording: Path | None) -> None:
        """Sets how to paint, and where to record, from the next frame on."""
        self._settings, self._path, self._changed = settings, recording, True

    def source(self) -> Source | None:
        """Returns the source that is shown, or None before it is known."""
        if self._opening is None or not self._opening.done() or self._opening.exception():
            return None
        return self._opening.result()[0]

    def snapshot(self) -> Snapshot | None:
        """Returns the pipeline's state, or why it cannot start; None while there is none."""
        if self._opening is None or not self._opening.done():
            return None
        error = self._opening.exception()
        if error:
            from stylecam.live import Snapshot

            if not isinstance(error, StylecamError):
                error = StylecamError(f"stylecam cannot start: {error!r}")
            return Snapshot(error=error)
        live = self._opening.result()[1]
        if self._changed:
            self._changed = False
            live.update(_control(self._settings, self._path))
        shot = live.snapshot()
        self._watch(shot)
        return shot

    def finished(self) -> Iterator[Finished]:
        """Yields the recordings that ended since the last call."""
        while self._finished:
            yield self._finished.popleft()

    def stop(self) -> None:
        """Releases the source; its recording is among the `finished` once the file is complete."""
        if self._opening is None:
            return
        self._opening.cancel()  # if it has not started yet
        self._opening = None
        self._helper.submit(self._release, self._path or self._writing, self._told)
        self._path = self._writing = self._told = None

    def close(self) -> None:
        """Waits until every thread has ended and every file is complete, and logs the recordings
        that `finished` has not yielded yet. Must be the last call."""
        self.stop()
        self._helper.shutdown()
        for path, broken, _ in self.finished():
            if broken:
                log.error("%s", broken)
            else:
                log.info("saved %s", path)

    def _watch(self, shot: Snapshot) -> None:
        error, path = shot.recording_error, self._writing or self._path
        broke = error is not None and error is not self._told
        ended = self._writing is not None and shot.recording != self._writing
        if path and (broke or (ended and error is self._told)):
            self._finished.append(Finished(path, error if broke else None, shot.left_out))
        self._told = error
        self._writing = shot.recording

    def _start(self, source: str | Source, settings: Settings) -> tuple[Source, Live]:
        from stylecam.live import Live

        if isinstance(source, str):
            source = self._open_source(source, settings)
        self._running = Live(source, _control(settings, None), device=settings.device)
        self._running.start()
        return source, self._running

    def _release(self, recording: Path | None, told: StylecamError | None) -> None:
        if self._running is None:
            return
        live, self._running = self._running, None
        live.stop()
        last = live.snapshot()
        error = last.recording_error
        whole = error is None and recording is not None and recording.exists()
        untold = error is not None and error is not told
        if recording and (whole or untold):
            self._finished.append(Finished(recording, error, last.left_out))
