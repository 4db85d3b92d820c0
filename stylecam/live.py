"""The live pipeline: threads and a one-frame slot; the newest frame wins. Knows no Qt, no codecs.

    capture thread    for frame in source: slot.put(frame)        put overwrites
    stylize thread    frame = slot.take(); paint; publish         the newest, or wait
    prepare thread    compiles, while the size to paint at changes
    encode thread     while recording

Whoever shows it exchanges immutable objects with it: `update(control)` passes one in, `snapshot()`
returns one. The slot's condition and the recording's queue are its only locks.
"""

from __future__ import annotations

import logging
import platform
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable
from contextlib import closing
from dataclasses import dataclass, replace
from functools import partial
from itertools import pairwise
from math import inf
from pathlib import Path
from statistics import median
from typing import Any

import cv2

from stylecam import cache
from stylecam.errors import StylecamError
from stylecam.frame import Frame
from stylecam.resolution import Preparation, WorkingSize, paint
from stylecam.settings import Look, Settings
from stylecam.slot import Slot
from stylecam.stylizer import Stylizer
from stylecam.video.media import PictureSource
from stylecam.video.recording import Recording
from stylecam.video.sources import Source

log = logging.getLogger(__name__)

WINDOW_S = 1.5
"""Seconds over which fps is averaged and the median latency taken."""

LONGEST_PAUSE_S = 5.0
"""Longest wait for the next frame of a file. If times jump further ahead, it goes on at once."""

ANSWER_S = 5.0
"""How long a camera may take to be released."""

PACE = "pace"
"""Name in the cache under which the pace of each machine is remembered, so that the next stream
begins at a size that can be held."""

CAPTURES = 10
"""Frames by which the rate of a live source is measured."""


@dataclass(frozen=True)
class Control:
    """All that may change while the pipeline runs."""

    look: Look = Look()
    mirror: bool = Settings.mirror
    """Mirror the frames of sources that face the user."""
    adaptive: bool = Settings.adaptive
    """Paint only every second frame, or smaller, if needed to hold the source's frame rate. Frames
    keep their size, and none is left out."""
    recording: Path | None = None
    """While set, painted frames are written to this file."""


@dataclass(frozen=True)
class Snapshot:
    """The state of the pipeline at one moment."""

    frame: Frame | None = None
    """The newest frame, painted or with the last painting carried to it."""
    original: Frame | None = None
    """The frame it was painted from, mirrored likewise."""
    fps: float = 0.0
    """Frames per second over the last WINDOW_S."""
    latency_s: float = 0.0
    """Median time from capture until a frame is due to be shown, over the last WINDOW_S."""
    delivered: int = 0
    """Frames painted or carried to since the start."""
    dropped: int = 0
    """Frames of the source that are not among them, since the first that is."""
    scale: float = 1.0
    """Ratio of the sides that were painted to the frame's."""
    spares: bool = False
    """Whether some recent frames were not painted but had the last painting carried to them."""
    device: str = ""
    """What the network runs on; empty until the network is loaded."""
    opened: bool = False
    """Whether the source has delivered a frame."""
    waiting: bool = False
    """Whether no frame has come for longer than WINDOW_S and two frames of the source."""
    ended: bool = False
    """Whether no more frames will come."""
    error: StylecamError | None = None
    """Why it ended; None if it was stopped or the source had no more frames."""
    recording: Path | None = None
    """The file being written."""
    recorded_s: float = 0.0
    """Duration so far of the current recording, or that of the last one."""
    left_out: int = 0
    """Frames missing in that recording because they came faster than they could be written."""
    recording_error: StylecamError | None = None
    """Why the last recording failed; the picture goes on."""

    def spared(self) -> list[str]:
        """What is done to hold the source's frame rate, in words for the user."""
        size = [f"{self.scale:.0%} size"] if self.scale != 1 else []
        return [*size, *(["every 2nd frame painted"] if self.spares else [])]


class Live:
    """Paints a source as its frames come. Threads run from `start` to `stop`, which joins them."""

    def __init__(
        self,
        source: Source,
        control: Control = Control(),
        *,
        device: str = Settings.device,
        painter: Callable[..., Stylizer] = Stylizer,
    ):
        """`painter` makes the stylizer for a `device`; it is called on the stylize thread."""
        self._source = source
        self._control = control
        self._open_painter = partial(painter, device=device)
        self._captured = Slot()
        self._stopping = threading.Event()
        self._painting = threading.Event()
        self._state = Snapshot()
        self._until = self._state, 0.0
        """The state to show until the newest frame is due, and when that is. A carried frame takes
        so little time that it would be shown right after the last and long before the next."""
        self._failure: StylecamError | None = None
        self._recording: Recording | None = None
        self._recent: deque[tuple[float, float]] = deque()  # (time published, latency)
        self._published = inf
        self._latencies: deque[float] = deque(maxlen=4096)
        self._rate = inf
        """Measured frame rate of a live source, inf before: in the dark a camera delivers fewer
        frames than it promised, which leaves more time for each."""
        self._threads = [
            threading.Thread(target=self._guard, args=(work,), name=work.__name__, daemon=True)
            for work in (self._capture, self._stylize)
        ]

    def start(self) -> None:
        """Starts the threads, which open the source and load the network."""
        for thread in self._threads:
            thread.start()

    def update(self, control: Control) -> None:
        """Takes effect with the next frame."""
        self._control = control

    def snapshot(self) -> Snapshot:
        """The current state; cheap enough to ask for at every repaint."""
        running = any(thread.is_alive() for thread in self._threads)
        started = self._threads[0].ident is not None
        # Read in reverse order of writing, so that the state tells of a recording that ended.
        recording = self._recording
        state = self._state
        before, due = self._until
        if time.monotonic() < due:
            state = replace(state, frame=before.frame, original=before.original)
        if recording is not None:
            state = replace(
                state,
                recording=recording.path if recording.error is None else None,
                **_told(recording),
            )
        if time.monotonic() - self._published > max(WINDOW_S, 2 / self._source.rate):
            state = replace(state, waiting=True, fps=0.0)
        return replace(state, ended=started and not running, error=self._failure)

    def latencies(self) -> list[float]:
        """The latencies of the last frames, in seconds, oldest first."""
        return list(self._latencies)

    def stop(self) -> None:
        """Ends the threads and closes the recording. A camera that does not answer for ANSWER_S is
        abandoned; the network, which may be compiling, is waited for."""
        self._stopping.set()
        self._painting.set()
        self._captured.close()
        deadline = time.monotonic() + ANSWER_S
        capture, stylize = self._threads
        if capture.ident is None:
            return
        stylize.join()
        capture.join(max(0.0, deadline - time.monotonic()))
        if capture.is_alive():
            log.warning("%s did not answer within %.0f s", self._source.name, ANSWER_S)

    def _guard(self, work: Callable[[], None]) -> None:
        """Runs a thread's work. An error reaches the user and ends the other thread, too."""
        try:
            work()
        except StylecamError as error:
            self._failure = self._failure or error
        except Exception as error:
            log.exception("the live picture failed")
            self._failure = self._failure or StylecamError(f"internal error: {error!r}")
        finally:
            if self._failure:
                self._stopping.set()
            self._painting.set()
            self._captured.close()

    def _capture(self) -> None:
        began = 0.0
        captured: deque[tuple[int, float]] = deque(maxlen=CAPTURES)
        with closing(self._source.frames()) as frames:
            for frame in frames:
                if not self._source.live:
                    # A file delivers as fast as it is read: show each frame when it is due, and
                    # start the clock when the first is painted, so that its beginning is seen.
                    if began:
                        pause = began + frame.time_s - time.monotonic()
                        if pause > LONGEST_PAUSE_S:
                            began, pause = began - pause, 0.0
                        self._stopping.wait(pause)
                    frame = replace(frame, time_s=time.monotonic())
                else:
                    captured.append((frame.index, frame.time_s))
                    if len(captured) == CAPTURES:
                        self._rate = _rate(captured)
                if self._stopping.is_set():
                    return
                self._captured.put(frame)
                if not self._source.live and not began:
                    self._painting.wait()
                    began = time.monotonic()

    def _stylize(self) -> None:
        look, rested = None, None
        stylizer = self._open_painter()
        machine = f"{platform.node()}, {stylizer.description}"
        working = WorkingSize(known_pace(machine))
        self._state = replace(self._state, device=stylizer.description)
        preparation = Preparation(stylizer.prepare)
        try:
            while (frame := self._captured.take()) is not None:
                if not self._state.opened:
                    self._state = replace(self._state, opened=True)
                control = self._control
                working.adaptive = control.adaptive
                working.able = control.look.steadiness > 0
                if not self._painting.is_set():
                    # A live source goes on while the network is compiled: begin with its newest
                    # frame.
                    size = working.choose(frame.pixels.shape[:2], self._source.rate)
                    stylizer.prepare(size)
                    frame = self._captured.newest(frame)
                if control.mirror and self._source.mirrored:
                    frame = replace(frame, pixels=cv2.flip(frame.pixels, 1))
                stylizer.apply(control.look)
                # While a style fades into another, each step takes longer.
                look, usual = control.look, control.look == look
                if usual and isinstance(self._source, PictureSource):
                    # Once the look has settled, paint it once more, as exactly as possible.
                    stylizer.scale = 1.0
                    rested = stylizer.still(frame.pixels) if rested is None else rested
                    pixels = rested
                else:
                    rested, rate = None, min(self._source.rate, self._rate)
                    ready = preparation.ready
                    pixels = paint(stylizer, frame.pixels, working, rate, usual=usual, ready=ready)
                if not self._source.live and not self._painting.is_set():
                    # Its clock starts now, so that recordings do not include compiling.
                    frame = replace(frame, time_s=time.monotonic())
                painted = replace(frame, pixels=pixels)
                self._publish(painted, frame, working if rested is None else None)
                self._record(painted, control.recording)
        finally:
            self._record(None, None)
            preparation.close()
            if working.pace is not None:
                cache.remember(PACE, cache.recall(PACE) | {machine: working.pace})

    def _publish(self, painted: Frame, original: Frame, working: WorkingSize | None) -> None:
        """`working` tells how it was painted; None for a still picture at rest."""
        now, before = time.monotonic(), self._state
        latency = now - painted.time_s
        if working and working.carried:  # no sooner than the painting that it is carried from
            latency = max(latency, self._latencies[-1])
        self._until = before, painted.time_s + latency
        self._published = now
        self._painting.set()
        self._latencies.append(latency)
        self._recent.append((now, latency))
        while now - self._recent[0][0] > WINDOW_S:
            self._recent.popleft()
        span = now - self._recent[0][0]
        missed = painted.index - before.frame.index - 1 if before.frame else 0
        self._state = replace(
            before,
            frame=painted,
            original=original,
            scale=working.scale if working else 1.0,
            spares=working.spares if working else False,
            fps=(len(self._recent) - 1) / span if span > 0 else 0.0,
            latency_s=median(latency for _, latency in self._recent),
            delivered=before.delivered + 1,
            dropped=before.dropped + max(0, missed),
        )

    def _record(self, painted: Frame | None, path: Path | None) -> None:
        """Opens, feeds and closes the recording as asked; called by the stylize thread alone."""
        if self._recording is not None and self._recording.path != path:
            ended = self._recording
            ended.close()
            self._state = replace(self._state, **_told(ended))
            self._recording = None  # last, so that no snapshot misses its error
            return  # so that snapshots can show this before the next recording begins
        if path is not None and painted is not None:
            if self._recording is None:
                self._state = replace(self._state, recorded_s=0.0, left_out=0, recording_error=None)
                self._recording = Recording(path, self._source.rate)
            self._recording.put(painted)


def known_pace(machine: str) -> float | None:
    """`WorkingSize.pace` at the end of the last stream on `machine`, or None if not known."""
    pace = cache.recall(PACE).get(machine)
    return pace if isinstance(pace, float) and 0 < pace < inf else None


def _rate(captured: Iterable[tuple[int, float]]) -> float:
    """Frames per second that a source delivers, counting those that were left out, from the indices
    and times of some of its frames."""
    between = median((t - s) / (j - i) for (i, s), (j, t) in pairwise(captured))
    return 1 / between if between > 0 else inf


def _told(recording: Recording) -> dict[str, Any]:
    """The fields of a snapshot for a recording that runs or has just ended."""
    return {
        "recorded_s": recording.seconds,
        "left_out": recording.left_out,
        "recording_error": recording.error,
    }
