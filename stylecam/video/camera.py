"""Cameras and network streams, through OpenCV. Knows nothing of files or of other sources.

A camera that dies may block the thread that waits for it forever. So the thread that iterates over
`frames` opens, reads and releases the camera, no other thread touches the capture, and the owner of
that thread must be ready to abandon it.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Generator, Iterator
from dataclasses import replace
from itertools import count
from pathlib import Path
from urllib.parse import urlsplit

import cv2

from stylecam.errors import SourceBusy, SourceError, SourceLost, SourceMissing
from stylecam.frame import UNKNOWN_RATE, Frame
from stylecam.settings import Settings
from stylecam.video.devices import BACKEND, cameras, listing

UNREADABLE_S = 5.0
"""Seconds for which a device may deliver only damaged pictures before it counts as lost."""

NEARLY = 0.9
"""Share of a file's length from which on its end is taken as normal: the length includes sound,
which may outlast the picture."""


class CameraSource:
    """A local camera, by OpenCV's index or, on Linux, by device file.

    `size` (width, height in pixels) and `rate` (frames per second) are requests: the camera uses
    the nearest it supports, and `rate` then says what it promised. A damaged picture is skipped,
    and shows as a gap in the index.
    """

    live = True
    mirrored = True

    def __init__(
        self,
        camera: int | str,
        size: tuple[int, int] = (Settings.width, Settings.height),
        rate: float = Settings.rate,
    ) -> None:
        self.camera = camera
        self.size = size
        self.rate = rate
        names = [known.name for known in cameras() if camera in (known.index, known.path)]
        self.name = names[0] if names else f"camera {camera}"

    def frames(self) -> Generator[Frame, None, None]:
        """Yields frames until the camera goes away. Raises SourceMissing, SourceBusy or, after a
        first frame, SourceLost."""
        capture = cv2.VideoCapture(self.camera, BACKEND)
        try:
            if not capture.isOpened():
                raise self._refused()
            # MJPG before the size: uncompressed 720p comes at 10 frames per second over USB 2.
            capture.set(cv2.CAP_PROP_FOURCC, cv2.VideoWriter.fourcc(*"MJPG"))
            capture.set(cv2.CAP_PROP_FRAME_WIDTH, self.size[0])
            capture.set(cv2.CAP_PROP_FRAME_HEIGHT, self.size[1])
            capture.set(cv2.CAP_PROP_FPS, self.rate)
            # One buffer to fill while the other is decoded; with only one, every second frame would
            # be lost.
            capture.set(cv2.CAP_PROP_BUFFERSIZE, 2)
            self.rate = _promised_rate(capture, self.rate)
            yield from _read(capture, 0, self._stopped)
        finally:
            capture.release()

    def _refused(self) -> SourceError:
        device = self.camera if isinstance(self.camera, str) else f"/dev/video{self.camera}"
        if sys.platform == "linux":
            there = Path(device).exists()
            if there and not os.access(device, os.R_OK | os.W_OK):
                return SourceBusy(
                    f"{self.name} is closed to you; add yourself to the group 'video', "
                    "log in again and try again"
                )
        else:
            there = self.camera in [known.index for known in cameras()]
        if there:
            return self._held()
        found = cameras()
        what = listing(found) if found else "plug it in, or use demo"
        return SourceMissing(f"there is no camera {self.camera}; {what}")

    def _held(self) -> SourceBusy:
        allow = "" if sys.platform == "linux" else ", allow it in the system's privacy settings"
        return SourceBusy(
            f"{self.name} is in use by another program; close it{allow} and try again"
        )

    def _stopped(self, frames: int) -> SourceError:
        if frames == 0:
            return self._held()
        return SourceLost(f"{self.name} stopped sending pictures; plug it in again and try again")


class UrlSource:
    """A network stream: MJPEG over HTTP, RTSP, or whatever else FFmpeg reads.

    A server that is silent for `timeout_s` seconds counts as gone. An address may also be that of a
    whole file: then `live` is false once it is open, and the frames' times count from 0.
    """

    mirrored = False

    def __init__(self, url: str, timeout_s: float = 5.0) -> None:
        self.url = url
        self.timeout_s = timeout_s
        self.live = True
        self.rate = UNKNOWN_RATE
        # Without user name and password, since source names are shown, logged and recorded.
        shown = url.rpartition("@")[2]
        try:
            parts = urlsplit(url)
        except ValueError:  # its message quotes the whole address
            raise SourceMissing(f"{shown} is no address; check it") from None
        if not parts.netloc and parts.scheme != "file":
            raise SourceMissing(f"{shown} names no server; give an address as rtsp://server/stream")
        self.name = parts.netloc.rpartition("@")[2] + parts.path

    def frames(self) -> Generator[Frame, None, None]:
        """Yields frames until the stream stops. Raises SourceMissing if it cannot be opened,
        SourceLost when it stops; the end of a whole file raises nothing."""
        wait_ms = round(self.timeout_s * 1000)
        limits = [cv2.CAP_PROP_OPEN_TIMEOUT_MSEC, wait_ms, cv2.CAP_PROP_READ_TIMEOUT_MSEC, wait_ms]
        capture = cv2.VideoCapture(self.url, cv2.CAP_FFMPEG, limits)
        try:
            if not capture.isOpened():
                raise SourceMissing(
                    f"{self.name} sends no video; check the address and that its server runs"
                )
            self.rate = _promised_rate(capture, self.rate)
            length = capture.get(cv2.CAP_PROP_FRAME_COUNT)
            self.live = length <= 0
            for frame in _read(capture, length, self._stopped):
                yield frame if self.live else replace(frame, time_s=frame.index / self.rate)
        finally:
            capture.release()

    def _stopped(self, frames: int) -> SourceError:
        return SourceLost(f"{self.name} stopped sending video; check its server and try again")


def _promised_rate(capture: cv2.VideoCapture, otherwise: float) -> float:
    promised = capture.get(cv2.CAP_PROP_FPS)  # some report 0, -1 or a clock rate
    return promised if 1 <= promised <= 240 else otherwise


def _read(
    capture: cv2.VideoCapture, length: float, stopped: Callable[[int], SourceError]
) -> Iterator[Frame]:
    """Yields frames until they stop; then raises `stopped(number delivered)`, except near the end
    of a file of `length` frames (0 or less: no file)."""
    last_good = time.monotonic()
    delivered = 0
    for index in count():
        if not capture.grab():
            if 0 < NEARLY * length <= index:
                return
            raise stopped(delivered)
        now = time.monotonic()
        good, bgr = capture.retrieve()
        if good:
            last_good = now
            delivered += 1
            yield Frame(cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB), index, now)
        elif now - last_good > UNREADABLE_S:
            raise stopped(delivered)
