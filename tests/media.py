"""Writes small videos with PyAV alone, so that stylecam reads files that it did not write."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np

EVEN = [Fraction(i, 30) for i in range(20)]

BT2020, LIMITED_RANGE = 9, 1
"""FFmpeg's numbers."""

TONE_HZ = 440
TONE_RATE = 48_000


def write_video(
    path: Path,
    times: list[Fraction],
    size: tuple[int, int] = (64, 48),
    sound: str | None = None,
    sound_s: float = 1.0,
    sound_rate: int = TONE_RATE,
    layout: str = "mono",
    widened: Fraction = Fraction(1),
    keyframe_every: int = 12,
) -> None:
    """Picture i has grey level 40 + 5 i (modulo 256), and a red top left quarter. `widened` is the
    width / height of the pixels. `sound` is the codec of a track with a tone of TONE_HZ, whose
    first half is silent."""
    import av

    with av.open(str(path), "w") as output:
        stream = output.add_stream("libx264", 30, options={"crf": "1", "bf": "2"})
        stream.width, stream.height, stream.pix_fmt = *size, "yuv420p"
        stream.codec_context.time_base = Fraction(1, 90_000)
        stream.codec_context.gop_size = keyframe_every
        if widened != 1:
            stream.codec_context.sample_aspect_ratio = widened
        if sound:
            track = output.add_stream(sound, sound_rate, layout=layout)
            t = np.arange(round(TONE_RATE * sound_s)) / TONE_RATE
            wave = 0.5 * np.sin(2 * np.pi * TONE_HZ * t) * (t >= sound_s / 2)
            tone = av.AudioFrame.from_ndarray(wave[None].astype(np.float32), "fltp", "mono")
            tone.sample_rate, tone.pts, tone.time_base = TONE_RATE, 0, Fraction(1, TONE_RATE)
            resampler = av.AudioResampler(track.format, layout, sound_rate)
            for part in resampler.resample(tone):
                output.mux(track.encode(part))
            output.mux(track.encode(None))
        for i, time_s in enumerate(times):
            pixels = np.full((size[1], size[0], 3), (40 + 5 * i) % 256, np.uint8)
            pixels[: size[1] // 2, : size[0] // 2] = (220, 30, 30)
            picture = av.VideoFrame.from_ndarray(pixels, "rgb24")
            picture.pts, picture.time_base = int(time_s * 90_000), Fraction(1, 90_000)
            output.mux(stream.encode(picture))
        output.mux(stream.encode(None))


def write_hdr(path: Path, level: int, transfer: int) -> None:
    """Plain grey of a 10-bit level, 64 to 940; `transfer` is FFmpeg's number of the function."""
    import av

    with av.open(str(path), "w") as output:
        stream = output.add_stream("libx264", 30)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p10le"
        for i in range(3):
            picture = av.VideoFrame(64, 48, "yuv420p10le")
            for plane, value in zip(picture.planes, (level, 512, 512), strict=True):
                plane.update(np.full(plane.buffer_size // 2, value, np.uint16))
            picture.pts, picture.time_base = i, Fraction(1, 30)
            for tagged in (stream.codec_context, picture):
                tagged.color_trc, tagged.color_primaries = transfer, BT2020
                tagged.colorspace, tagged.color_range = BT2020, LIMITED_RANGE
            output.mux(stream.encode(picture))
        output.mux(stream.encode(None))


def write_delayed(source: Path, path: Path, by_s: float) -> None:
    """Copies `source` into a transport stream whose times are all later by `by_s` seconds."""
    import av

    with (
        av.open(str(source)) as whole,
        av.open(str(path), "w", options={"mpegts_copyts": "1"}) as output,
    ):
        tracks = {s.index: output.add_stream_from_template(s) for s in whole.streams}
        for packet in whole.demux():
            if packet.pts is not None and packet.dts is not None:
                ticks = round(by_s / packet.time_base)
                packet.pts, packet.dts = packet.pts + ticks, packet.dts + ticks
                packet.stream = tracks[packet.stream_index]
                output.mux(packet)


def from_time(source: Path, path: Path, begin_s: float) -> None:
    """Copies the packets of a file from a time on, even if no key frame comes first."""
    import av

    with av.open(str(source)) as whole, av.open(str(path), "w") as output:
        tracks = {s.index: output.add_stream_from_template(s) for s in whole.streams}
        for packet in whole.demux():
            if packet.pts is not None and packet.pts * packet.time_base >= begin_s:
                packet.stream = tracks[packet.stream_index]
                output.mux(packet)


def write_slides(path: Path, stay_s: list[Fraction], tones: dict[int, bool] | None = None) -> None:
    """Writes grey pictures into a Matroska file, each shown for the seconds in `stay_s`. `tones`:
    the frequency in Hz of each sound track, a second long, and whether it is a default track."""
    import av
    from av.stream import Disposition

    with av.open(str(path), "w", format="matroska") as output:
        stream = output.add_stream("ffv1", 30)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        tracks = []
        for default in (tones or {}).values():
            track = output.add_stream("pcm_s16le", TONE_RATE, layout="mono")
            track.disposition = Disposition.default if default else Disposition(0)
            tracks.append(track)
        for frequency, track in zip(tones or (), tracks, strict=True):
            wave = np.sin(2 * np.pi * frequency * np.arange(TONE_RATE) / TONE_RATE)
            tone = av.AudioFrame.from_ndarray((9000 * wave[None]).astype(np.int16), "s16", "mono")
            tone.sample_rate, tone.pts, tone.time_base = TONE_RATE, 0, Fraction(1, TONE_RATE)
            output.mux(track.encode(tone))
        now = Fraction(0)
        for i, stays in enumerate(stay_s):
            picture = av.VideoFrame.from_ndarray(np.full((48, 64, 3), 60 + 50 * i, np.uint8))
            picture.pts, picture.time_base = int(now * 30), Fraction(1, 30)
            for packet in stream.encode(picture):
                packet.duration = int(stays / packet.time_base)
                output.mux(packet)
            now += stays
        output.mux(stream.encode(None))


def write_song(path: Path) -> None:
    """Writes a song, a second of silence, with cover art."""
    import av
    from av.stream import Disposition

    with av.open(str(path), "w") as output:
        track = output.add_stream("libmp3lame", TONE_RATE, layout="mono")
        cover = output.add_stream("mjpeg", 1)
        cover.width, cover.height, cover.pix_fmt = 64, 64, "yuvj420p"
        cover.disposition = Disposition.attached_pic
        output.mux(cover.encode(av.VideoFrame.from_ndarray(np.zeros((64, 64, 3), np.uint8))))
        tone = av.AudioFrame.from_ndarray(np.zeros((1, TONE_RATE), np.float32), "fltp", "mono")
        tone.sample_rate, tone.pts, tone.time_base = TONE_RATE, 0, Fraction(1, TONE_RATE)
        output.mux([*track.encode(tone), *track.encode(None)])
