"""Copies the sound of a video file into a recording. Knows nothing of pictures."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from fractions import Fraction
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from stylecam.errors import RecordingError
from stylecam.video.timeline import Timeline

if TYPE_CHECKING:
    from av.audio.frame import AudioFrame
    from av.audio.stream import AudioStream
    from av.container import InputContainer, OutputContainer
    from av.packet import Packet

S = TypeVar("S")

PLAYABLE = {"aac", "mp3", "ac3", "eac3", "alac", "opus", "flac"}
"""Codecs copied as they are; players rarely accept others in an MP4, so those become AAC."""

LOWEST_MP3_RATE = 16_000
"""Samples per second below which MP4 does not accept MP3."""

AAC_RATE = 48_000
AAC_BITS_PER_S = 192_000


class CopiedSound:
    """Adds a sound track to `output` if `path` has readable sound, and fills it as far as asked.

    `begin_s`: the time, by the clock of `path`, at which the recording begins; sound before it is
    left out. Raises RecordingError if `path` cannot be read. Damaged sound is left out, too.
    """

    def __init__(self, path: Path, output: OutputContainer, begin_s: Fraction) -> None:
        import av

        try:
            self._input: InputContainer = av.open(f"file:{path}", metadata_errors="replace")
        except (av.FFmpegError, OSError, ValueError) as error:
            raise RecordingError(
                f"the sound of {path.name} cannot be read; record without it"
            ) from error
        self._output = output
        self._packets: Iterator[Packet] = iter(())
        self._timeline = Timeline(begin_s)
        self._written = -1
        """Decoding time of the last packet written, in ticks of its track: a file takes packets
        only in order, and one before 0 would shift the whole recording."""
        # A track whose codec FFmpeg does not know has no context.
        known = [track for track in self._input.streams.audio if track.codec_context]
        if source := max(known, key=_is_default, default=None):  # the first if none is default
            self._packets = self._copied(source) if _fits(source) else self._encoded(source)
        # The generator is started now, to add its track: a container takes none after its first
        # packet.
        self._next = next(self._packets, None)

    def until(self, time_s: float) -> None:
        """Writes the sound that begins before `time_s` seconds of the recording."""
        while (packet := self._next) is not None:
            if packet.pts is not None and packet.dts is not None and packet.time_base is not None:
                if packet.pts * packet.time_base >= time_s:
                    return
                if packet.pts >= 0 and packet.dts > self._written:
                    self._written = packet.dts
                    self._output.mux(packet)
            self._next = next(self._packets, None)

    def close(self) -> None:
        self._input.close()

    def _copied(self, source: AudioStream) -> Iterator[Packet]:
        track = self._output.add_stream_from_template(source)
        _name(track, source)
        tick_s, lasts = source.time_base or Fraction(1), 0
        for packet in self._demuxed(source):
            if packet.pts is None or packet.dts is None:
                continue
            now = round(self._timeline.passed(packet.dts * tick_s, lasts * tick_s) / tick_s)
            packet.pts += now - packet.dts
            packet.dts = now
            lasts = packet.duration or 0
            packet.stream = track
            yield packet

    def _encoded(self, source: AudioStream) -> Iterator[Packet]:
        from av import AudioResampler

        track = self._output.add_stream("aac", AAC_RATE, bit_rate=AAC_BITS_PER_S)
        # Not the source's own layout: many files tell only the number of channels.
        track.codec_context.layout = "mono" if source.channels == 1 else "stereo"
        _name(track, source)
        form, lasts_s = track.codec_context.layout, Fraction(0)
        resampler, before = AudioResampler("fltp", form, AAC_RATE), None
        for sound in self._decoded(source):
            if sound.pts is None or sound.time_base is None:
                continue
            passed = self._timeline.passed(sound.pts * sound.time_base, lasts_s)
            lasts_s = Fraction(sound.samples, sound.sample_rate)
            sound.pts = round(passed / sound.time_base)
            kind = sound.format.name, sound.layout.name, sound.sample_rate
            if before not in (None, kind):  # as in joined files
                yield from _each(track.encode, resampler.resample(None))
                resampler = AudioResampler("fltp", form, AAC_RATE)
            before = kind
            yield from _each(track.encode, resampler.resample(sound))
        yield from _each(track.encode, [*resampler.resample(None), None])

    def _demuxed(self, source: AudioStream) -> Iterator[Packet]:
        import av

        with suppress(av.FFmpegError):  # truncated file
            yield from self._input.demux(source)

    def _decoded(self, source: AudioStream) -> Iterator[AudioFrame]:
        import av

        for packet in self._demuxed(source):
            with suppress(av.FFmpegError):  # one damaged packet
                yield from source.decode(packet)


def _name(track: AudioStream, source: AudioStream) -> None:
    """Copies the language of the sound."""
    if source.language:
        track.metadata["language"] = source.language


def _is_default(track: AudioStream) -> bool:
    """Returns whether players would choose this track."""
    from av.stream import Disposition

    return bool(track.disposition & Disposition.default)


def _fits(source: AudioStream) -> bool:
    """Returns whether an MP4 accepts the track as it is."""
    codec = source.codec_context
    name = codec.codec.canonical_name
    return name in PLAYABLE and not (name == "mp3" and codec.sample_rate < LOWEST_MP3_RATE)


def _each(encode: Callable[[S], list[Packet]], sounds: Iterable[S]) -> Iterator[Packet]:
    return chain.from_iterable(map(encode, sounds))
