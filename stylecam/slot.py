"""Holds one frame between two threads; the newest replaces it. Knows neither of the threads."""

from __future__ import annotations

import threading

from stylecam.frame import Frame


class Slot:
    """`put` overwrites the frame; `take` waits for one and removes it."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._frame: Frame | None = None
        self._closed = False

    def put(self, frame: Frame) -> None:
        with self._changed:
            self._frame = frame
            self._changed.notify()

    def take(self) -> Frame | None:
        """The newest frame that was not taken yet, or None once the slot is closed and empty."""
        with self._changed:
            self._changed.wait_for(lambda: self._frame is not None or self._closed)
            frame, self._frame = self._frame, None
            return frame

    def newest(self, taken: Frame) -> Frame:
        """The frame that was put since `taken` was taken, or `taken` if there is none."""
        with self._changed:
            frame, self._frame = self._frame or taken, None
            return frame

    def close(self) -> None:
        with self._changed:
            self._closed = True
            self._changed.notify_all()
