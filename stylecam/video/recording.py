"""A Recorder on a thread of its own, so that encoding blocks nobody. Does not know who records."""

from __future__ import annotations

import logging
import queue
import threading
from pathlib import Path

from stylecam.errors import RecordingError, StylecamError
from stylecam.frame import Frame
from stylecam.video.recorder import Recorder

log = logging.getLogger(__name__)

QUEUED_FRAMES = 16
"""Frames that may wait for the encoder; beyond that, a frame is left out of the recording and
counted."""


class Recording:
    """Writes the frames that are put to `path`, until it is closed or cannot continue.

    `error` tells why it cannot, `seconds` how long the file plays so far, and `left_out` how many
    frames came too fast to be written.
    """

    def __init__(self, path: Path, rate: float):
        self.path = path
        self.error: StylecamError | None = None
        self.seconds = 0.0
        self.left_out = 0
        self._rate = rate
        self._waiting: queue.Queue[Frame | None] = queue.Queue(QUEUED_FRAMES)
        self._over = False
        self._thread = threading.Thread(target=self._encode, name="encode", daemon=True)
        self._thread.start()

    def put(self, frame: Frame) -> None:
        try:
            self._waiting.put_nowait(frame)
        except queue.Full:
            self.left_out += 1

    def close(self) -> None:
        """Writes the frames that wait, then completes the file."""
        self._waiting.put(None)
        self._thread.join()

    def _encode(self) -> None:
        try:
            with Recorder(self.path, self._rate) as recorder:
                while (frame := self._next()) is not None:
                    recorder.put(frame)
                    self.seconds = recorder.seconds
        except StylecamError as error:
            self._give_up(error)
        except Exception as error:
            log.exception("the recording failed")
            self._give_up(RecordingError(f"the recording failed: {error!r}"))

    def _next(self) -> Frame | None:
        """Returns the next frame to write, or None once the recording is over."""
        frame = self._waiting.get()
        self._over = frame is None
        return frame

    def _give_up(self, error: StylecamError) -> None:
        self.error = error
        while not self._over:  # `close` must not wait for room in the queue
            self._next()
