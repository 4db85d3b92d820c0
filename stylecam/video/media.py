"""Video files and still pictures as sources. Knows nothing of devices, sound or pacing."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from contextlib import closing
from fractions import Fraction
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from stylecam.errors import SourceBusy, SourceError, SourceLost, SourceMissing
from stylecam.frame import UNKNOWN_RATE, Frame, check_pixels, check_size
from stylecam.video.picture import read_picture
from stylecam.video.timeline import Stamps, Timeline

if TYPE_CHECKING:  # imported where used: on macOS cv2 and av define the same camera classes
    from av.container import InputContainer
    from av.video.frame import VideoFrame
    from av.video.stream import VideoStream

UNTAGGED, BT709, HD_HEIGHT = 2, 1, 720
"""FFmpeg's numbers for colour matrices; untagged files of this height or more are BT.709."""

WIDEST_PIXEL = 4
"""Largest width / height, or height / width, of a file's pixels; beyond it the file is taken to be
wrong."""

PHOTOS = ("heic", "heix", "mif1")
"""Brands of files that hold a photo in tiles, of which FFmpeg would return only one."""

HDR = (16, 18)
"""FFmpeg's numbers for the HDR transfer functions, PQ and HLG, which look grey and pale on an
ordinary screen."""

EXACTLY = 2 + 0x40000 + 0x2000
"""swscale's flags: bilinear, for chroma too, and accurate rounding instead of down by a level."""


class FileSource:
    """A video file, rotated as it was filmed, in square pixels, timed exactly from its first frame.

    `loop`: start again at the end, with index and time continuing. `rate`, `seconds` (None if the
    file does not tell its length) and `begin_s`, the first frame's time by the file's own clock,
    are known once a frame has come; `last_s`, how long the last frame is shown, and `damaged`,
    whether some of the file could not be read, once it has ended.
    """

    live = False
    mirrored = False

    def __init__(self, path: Path | str, loop: bool = False) -> None:
        self.path = Path(path)
        self.loop = loop
        self.name = self.path.name
        self.rate = UNKNOWN_RATE
        self.seconds: float | None = None
        self.begin_s = Fraction(0)
        self.last_s = 0.0
        self.damaged = False

    def frames(self) -> Generator[Frame, None, None]:
        """Yields every frame that can be decoded, so a truncated file gives what it has.

        Raises SourceMissing: no such file. SourceBusy: no permission to read it. SourceError: not a
        video, or no frame in it. SourceLost: the disk went away meanwhile. FrameError: an
        impossible size.
        """
        index, begin = 0, 0.0
        while True:
            first, time_s = index, begin
            with closing(self._pictures()) as pictures:
                for pixels, passed_s in pictures:
                    time_s = begin + passed_s
                    yield Frame(check_pixels(check_size(self.name, pixels)), index, time_s)
                    index += 1
            if index == first:
                raise self._unusable("has no picture that can be read")
            if not self.loop:
                return
            begin = time_s + max(self.last_s, 1 / self.rate)

    def _pictures(self) -> Generator[tuple[np.ndarray, float], None, None]:
        from av.video.reformatter import VideoReformatter

        reformatter = VideoReformatter()  # kept, since making one takes longer than using it
        stamps, timeline, lasts_s = Stamps(), Timeline(), Fraction(0)
        for number, (picture, widened) in enumerate(self._decoded()):
            guess = BT709 if picture.height >= HD_HEIGHT else None
            own = BT709 if picture.color_trc in HDR else None
            rgb = reformatter.reformat(
                picture,
                width=max(1, round(picture.width * widened)),
                format="rgb24",
                src_colorspace=guess if picture.colorspace == UNTAGGED else None,
                dst_color_trc=own,
                dst_color_primaries=own,
                interpolation=EXACTLY,
            )
            pixels = _as_filmed(rgb.to_ndarray(), picture)
            self.last_s = 1 / self.rate
            stamp = None if picture.pts is None else stamps.best(picture.pts, picture.dts)
            if stamp is None or picture.time_base is None:  # raw streams carry no times
                yield pixels, number / self.rate
                continue
            time_s = stamp * picture.time_base
            if picture.duration:
                self.last_s = float(picture.duration * picture.time_base)
            if number == 0:
                self.begin_s, lasts_s = time_s, 1 / Fraction(self.rate)
            yield pixels, float(timeline.passed(time_s, lasts_s))

    def _decoded(self) -> Iterator[tuple[VideoFrame, Fraction]]:
        """Yields pictures, each with the width / height of its pixels."""
        import av

        with self._opened() as container:
            stream = _pictured(container)[0]
            stream.thread_type = "AUTO"
            self.rate = float(stream.average_rate or 0) or self.rate
            self.seconds = container.duration / av.time_base if container.duration else None
            widened = stream.sample_aspect_ratio or Fraction(1)
            if not 1 / WIDEST_PIXEL <= widened <= WIDEST_PIXEL:
                widened = Fraction(1)
            # The stream is named: phones and cameras add data tracks on which a bare demux fails.
            packets = container.demux(stream)
            while True:
                try:
                    packet = next(packets, None)
                except OSError as error:
                    raise SourceLost(
                        f"{self.name} can no longer be read; check its disk and try again"
                    ) from error
                except av.FFmpegError:  # truncated file
                    self.damaged = True
                    return
                if packet is None:
                    return
                self.damaged |= packet.is_corrupt
                try:
                    pictures = stream.decode(packet)
                except av.FFmpegError:  # one damaged packet; the next key frame recovers
                    self.damaged = True
                    continue
                yield from ((picture, widened) for picture in pictures)

    def _opened(self) -> InputContainer:
        import av

        if not self.path.is_file():
            raise SourceMissing(f"there is no file {self.path}; check its name")
        if self.path.stat().st_size == 0:
            raise self._unusable("is empty")
        try:
            # The prefix keeps a colon in a name from being taken for a protocol.
            container = av.open(f"file:{self.path}", metadata_errors="replace")
        except PermissionError as error:
            raise SourceBusy(f"{self.name} is closed to you; change its permissions") from error
        except (av.FFmpegError, OSError, ValueError) as error:
            raise self._unusable("is not a video, or was cut short") from error
        # FFmpeg would draw a text file as a terminal screen.
        if not _pictured(container) or container.format.name == "tty":
            container.close()
            raise self._unusable("is not a video")
        if container.metadata.get("major_brand") in PHOTOS:
            container.close()
            raise SourceError(f"{self.name} is a HEIC photo; save it as JPEG and choose that")
        return container

    def _unusable(self, why: str) -> SourceError:
        return SourceError(f"{self.name} {why}; choose another file")


def _pictured(container: InputContainer) -> list[VideoStream]:
    """Returns the tracks of moving pictures; the cover art of a song is not one."""
    from av.stream import Disposition

    return [t for t in container.streams.video if not t.disposition & Disposition.attached_pic]


def _as_filmed(pixels: np.ndarray, picture: VideoFrame) -> np.ndarray:
    """Rotates the pixels, and flips those of a front camera, by the frame's display matrix."""
    side = picture.side_data.get("DISPLAYMATRIX")
    if side is None:
        return pixels
    (a, b), (c, d) = np.frombuffer(side, np.int32).reshape(3, 3)[:2, :2]  # type: ignore[call-overload]
    if abs(b) > abs(a):  # rows become columns
        pixels, a, d = pixels.swapaxes(0, 1), c, b
    return pixels[:: -1 if d < 0 else 1, :: -1 if a < 0 else 1]


class PictureSource:
    """A still picture: once, or with `loop` again and again at `rate` frames per second."""

    live = False
    mirrored = False

    def __init__(self, path: Path | str, rate: float = UNKNOWN_RATE, loop: bool = False) -> None:
        self.path = Path(path)
        self.rate = rate
        self.loop = loop
        self.name = self.path.name

    def frames(self) -> Generator[Frame, None, None]:
        """Yields the picture, upright. Raises SourceMissing: no such file. SourceError: not a
        picture. FrameError: an impossible size."""
        pixels = check_size(self.name, read_picture(self.path))
        for index in count() if self.loop else (0,):
            yield Frame(pixels.copy(), index, index / self.rate)
