"""Writes frames to an H.264 MP4 that survives a crash. Knows nothing of where they come from."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import replace
from fractions import Fraction
from io import FileIO
from itertools import count
from math import inf
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

import cv2
import numpy as np

from stylecam.errors import RecordingError
from stylecam.frame import UNKNOWN_RATE, Frame, check_pixels
from stylecam.video.sound import CopiedSound

if TYPE_CHECKING:  # imported where used: on macOS cv2 and av define the same camera classes
    import av

TICKS_PER_S = 90_000
KEYFRAME_TICKS = TICKS_PER_S
FRAGMENT_US = 500_000
"""The most that a crash can lose: half of the second that is promised."""

BT709, FULL_RANGE, LIMITED_RANGE, KEY_FRAME = 1, 2, 1, 1
TO_NEAREST = 2 + 0x40000
"""FFmpeg's numbers. The last one is swscale's flags: bilinear, and rounding to nearest, not
down."""

FULL_DISK = {errno.ENOSPC, errno.EFBIG, errno.EDQUOT}


def check_name(path: Path) -> None:
    """Raises RecordingError if the path is not named as an MP4."""
    if path.suffix.lower() != ".mp4":
        mp4 = path.with_suffix(".mp4").name
        raise RecordingError(f"videos are written as MP4: write {mp4}, not {path.name}")


def free_path(folder: Path, stem: str, suffix: str = ".mp4") -> Path:
    """Returns `folder`/`stem``suffix`, or with -2, -3, … after the stem: the first that is free."""
    names = (f"{stem}{'' if n == 1 else f'-{n}'}{suffix}" for n in count(1))
    return next(folder / name for name in names if not os.path.lexists(folder / name))


class Recorder:
    """Writes frames to `path`, an .mp4 that must not exist yet; a context manager.

    The first frame sets the size; an odd side is extended by a copy of its last row or column,
    since H.264 stores colours for pairs of them. Later frames of another size are fitted into it,
    with black bars. Times are kept to 1/90000 s and start at 0; one that does not advance is moved
    on by one tick. `rate` (frames per second) is a hint, and decides how long the last frame is
    shown.

    `audio_from`: a file whose sound is included; `audio_begin_s` is the time by that file's clock
    at which the frames' `time_s` is 0, as in `FileSource.begin_s`.

    Every method may raise RecordingError. After that, what was written before stays playable,
    nothing more can be put, and closing raises nothing. For use by one thread at a time.
    """

    def __init__(
        self,
        path: Path | str,
        rate: float = UNKNOWN_RATE,
        audio_from: Path | None = None,
        audio_begin_s: Fraction = Fraction(0),
    ) -> None:
        self.path = Path(path)
        self.frames = 0
        self._rate = rate
        self._audio_from, self._audio_begin_s = audio_from, audio_begin_s
        self._tick = self._key_tick = 0
        self._movie: _Movie | None = None
        self._whole = False
        check_name(self.path)
        # Under its final name from the start, not renamed at the end: a recording must survive the
        # death of the program, and be where the user looks for it.
        try:
            self._file = _File(self.path)
        except OSError as error:
            raise self._explained(error) from error

    @property
    def seconds(self) -> float:
        """How long the recording plays so far, in seconds."""
        return self._tick / TICKS_PER_S + 1 / self._rate if self.frames else 0.0

    def put(self, frame: Frame) -> None:
        """Adds `frame`, within a few milliseconds. Raises FrameError if it is not a valid frame."""
        pixels = check_pixels(frame.pixels)
        if self._file.closed:
            raise RecordingError(f"the recording {self.path.name} has ended; start a new one")
        with self._abandoned_on_error():
            if self._movie is None:
                self._begin_s = frame.time_s
                size = pixels.shape[1], pixels.shape[0]
                begin_s = self._audio_begin_s + Fraction(self._begin_s)
                self._movie = _Movie(self._file, size, self._rate, self._audio_from, begin_s)
            tick = round((frame.time_s - self._begin_s) * TICKS_PER_S)
            if self.frames:
                tick = max(tick, self._tick + 1)
            is_key = self.frames == 0 or tick - self._key_tick >= KEYFRAME_TICKS
            if is_key:
                self._key_tick = tick
                self._file.check()
            self._movie.write(pixels, tick, is_key)
            self._tick = tick
            self.frames += 1

    def play_out(self, last: Frame, stays_s: float) -> None:
        """Ends a film as its source ends: the last frame, which has already been put, is shown for
        `stays_s` seconds instead of 1 / `rate`, and the sound goes on to its end."""
        self._whole = True
        if stays_s > 1.5 / self._rate:
            self.put(replace(last, time_s=last.time_s + stays_s - 1 / self._rate))

    def close(self) -> None:
        """Completes the file, or removes it if it has no frame. Calling it again does nothing."""
        if self._file.closed:
            return
        with self._abandoned_on_error():
            if self._movie is not None:
                self._movie.finish(inf if self._whole else self.seconds)
        self._file.close()
        if not self.frames:
            self.path.unlink(missing_ok=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        with suppress(RecordingError) if error else nullcontext():  # keep the first error
            self.close()

    @contextmanager
    def _abandoned_on_error(self) -> Iterator[None]:
        import av

        try:
            yield
        except (OSError, av.FFmpegError, RecordingError) as error:
            # Closed before the movie is released, so that nothing more is written.
            self._file.close()
            self._movie = None
            if not self.frames:
                self.path.unlink(missing_ok=True)
            if isinstance(error, RecordingError):
                raise
            raise self._explained(self._file.error or error) from error

    def _explained(self, error: OSError | av.FFmpegError) -> RecordingError:
        import av

        if error.errno in FULL_DISK:
            return RecordingError(f"the disk of {self.path.parent} is full; free some space on it")
        if error.errno == errno.EEXIST:
            return RecordingError(f"{self.path} exists already; choose another name")
        if isinstance(error, av.FFmpegError):  # from a codec or the format, not the folder
            return RecordingError(f"{self.path.name} cannot be written: {error}")
        return RecordingError(
            f"{self.path} cannot be written ({error.strerror}); choose another folder"
        )


class _Movie:
    """An MP4 with one H.264 track and, if there is any sound, one of sound."""

    def __init__(
        self,
        file: _File,
        size: tuple[int, int],
        rate: float,
        audio_from: Path | None,
        begin_s: Fraction,
    ) -> None:
        import av
        from av.video.reformatter import VideoReformatter

        self._reformatter = VideoReformatter()  # kept, since making one takes longer than using it
        self._size = size
        # Fragments make every half second readable as soon as it is written; closing turns the file
        # into an ordinary one that every player can seek in.
        options = {
            "movflags": "hybrid_fragmented",
            "frag_duration": str(FRAGMENT_US),
            "flush_packets": "1",
        }
        self._output = av.open(file, "w", format="mp4", container_options=options)
        self._video = self._output.add_stream(
            "libx264",
            Fraction(rate).limit_denominator(TICKS_PER_S),
            # zerolatency holds no frames back in the encoder, where a crash would lose them.
            options={"preset": "veryfast", "crf": "20", "tune": "zerolatency", "forced-idr": "1"},
        )
        self._video.width, self._video.height = (side + side % 2 for side in size)
        self._video.pix_fmt = "yuv420p"
        codec = self._video.codec_context
        codec.time_base = Fraction(1, TICKS_PER_S)
        codec.thread_count = 2
        codec.colorspace = codec.color_primaries = codec.color_trc = BT709
        codec.color_range = LIMITED_RANGE
        self._sound = CopiedSound(audio_from, self._output, begin_s) if audio_from else None

    def write(self, pixels: np.ndarray, tick: int, is_key: bool) -> None:
        import av

        width, height = self._size
        if pixels.shape[:2] != (height, width):
            pixels = _fitted(pixels, width, height)
        if width % 2 or height % 2:
            edges = (0, height % 2, 0, width % 2)
            pixels = cv2.copyMakeBorder(pixels, *edges, cv2.BORDER_REPLICATE)
        picture = self._reformatter.reformat(
            av.VideoFrame.from_numpy_buffer(pixels, "rgb24"),
            format="yuv420p",
            dst_colorspace=BT709,
            src_color_range=FULL_RANGE,
            dst_color_range=LIMITED_RANGE,
            interpolation=TO_NEAREST,
        )
        picture.pts = tick
        picture.time_base = Fraction(1, TICKS_PER_S)
        picture.pict_type = KEY_FRAME if is_key else 0
        self._output.mux(self._video.encode(picture))
        if self._sound:
            self._sound.until(tick / TICKS_PER_S)

    def finish(self, seconds: float) -> None:
        """Writes the sound up to `seconds`, and the file's index."""
        self._output.mux(self._video.encode(None))
        if self._sound:
            self._sound.until(seconds)
            self._sound.close()
        self._output.close()


class _File:
    """The file as the muxer sees it.

    After a failed write it accepts no more: the muxer's last act is to overwrite the beginning of
    the file, which must not happen unless everything before has been written.
    """

    def __init__(self, path: Path) -> None:
        self._raw = FileIO(path, "xb")
        self.error: OSError | None = None

    def write(self, data: bytes) -> int:
        rest = memoryview(data)
        try:
            while rest and not self.error:
                rest = rest[self._raw.write(rest) :]
        except OSError as error:
            self.error = error
        # FFmpeg expects an error number; it cannot handle exceptions.
        return -(self.error.errno or errno.EIO) if self.error else len(data)

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        return self._raw.seek(offset, whence)

    def tell(self) -> int:
        return self._raw.tell()

    def check(self) -> None:
        """Raises OSError if the file was deleted, which writing to it would not reveal."""
        if os.fstat(self._raw.fileno()).st_nlink == 0:
            raise FileNotFoundError(errno.ENOENT, "it was deleted")

    def close(self) -> None:
        self._raw.close()

    @property
    def closed(self) -> bool:
        return self._raw.closed


def _fitted(pixels: np.ndarray, width: int, height: int) -> np.ndarray:
    """Returns the picture scaled to fit, and centred on black."""
    scale = min(width / pixels.shape[1], height / pixels.shape[0])
    inner = max(1, round(pixels.shape[1] * scale)), max(1, round(pixels.shape[0] * scale))
    how = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    small = cv2.resize(pixels, inner, interpolation=how)
    left, top = (width - inner[0]) // 2, (height - inner[1]) // 2
    edges = (top, height - inner[1] - top, left, width - inner[0] - left)
    return cv2.copyMakeBorder(small, *edges, cv2.BORDER_CONSTANT)
