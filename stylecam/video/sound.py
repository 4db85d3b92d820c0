"""The sound of a video file, carried into a recording. Knows nothing of pictures."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from stylecam.errors import RecordingError

if TYPE_CHECKING:
    from av.audio.stream import AudioStream
    from av.container import InputContainer, OutputContainer
    from av.packet import Packet

T = TypeVar("T")

PLAYABLE = {"aac", "mp3", "ac3", "eac3", "alac", "opus", "flac"}
"""Codecs copied as they are; players rarely take others out of an MP4, so they become AAC."""

AAC_RATE = 48_000
AAC_BITS_PER_S = 192_000


class CopiedSound:
    """Adds a sound track to `output` if `path` has sound, and fills it as far as it is asked.

    `begin_s`: the time, counted from the first picture of `path`, that the recording calls 0;
    what sounds before it is left out. RecordingError if `path` cannot be read. A damaged track
    ends where the damage begins.
    """

    def __init__(self, path: Path, output: OutputContainer, begin_s: float) -> None:
        import av

        try:
            self._input: InputContainer = av.open(f"file:{path}", metadata_errors="replace")
        except (av.FFmpegError, OSError, ValueError) as error:
            raise RecordingError(
                f"the sound of {path.name} cannot be read; record without it"
            ) from error
        self._output = output
        self._packets: Iterator[Packet] = iter(())
        if self._input.streams.audio:
            self._begin_s = Fraction(begin_s)
            if self._input.streams.video:
                video = self._input.streams.video[0]
                self._begin_s += (video.start_time or 0) * (video.time_base or 0)
            source = self._input.streams.audio[0]
            fits = source.codec_context.codec.canonical_name in PLAYABLE
            self._packets = self._copied(source) if fits else self._encoded(source)
        # The generator adds its track now: a container takes none after its first packet.
        self._next = next(self._packets, None)

    def until(self, time_s: float) -> None:
        """Writes the sound that begins before `time_s` seconds of the recording."""
        while (packet := self._next) is not None:
            if packet.pts is not None and packet.time_base is not None:
                if packet.pts * packet.time_base >= time_s:
                    return
                # A negative time would move the whole recording back.
                if packet.pts >= 0:
                    self._output.mux(packet)
            self._next = next(self._packets, None)

    def close(self) -> None:
        self._input.close()

    def _copied(self, source: AudioStream) -> Iterator[Packet]:
        track = self._output.add_stream_from_template(source)
        begin = round(self._begin_s / (source.time_base or 1))
        for packet in _until_damage(self._input.demux(source)):
            if packet.pts is not None and packet.dts is not None:
                packet.pts -= begin
                packet.dts -= begin
                packet.stream = track
                yield packet

    def _encoded(self, source: AudioStream) -> Iterator[Packet]:
        track = self._output.add_stream("aac", AAC_RATE, bit_rate=AAC_BITS_PER_S)
        # Not the source's own layout: many files tell only how many channels there are.
        track.codec_context.layout = "mono" if source.channels == 1 else "stereo"
        for sound in _until_damage(self._input.decode(source)):
            if sound.pts is not None and sound.time_base is not None:
                sound.pts -= round(self._begin_s / sound.time_base)
                yield from track.encode(sound)
        yield from track.encode(None)


def _until_damage(items: Iterator[T]) -> Iterator[T]:
    import av

    try:
        yield from items
    except av.FFmpegError:
        return
