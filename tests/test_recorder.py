"""Recordings written, reopened and measured, after a proper end and after crashes."""

from __future__ import annotations

import signal
import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from media import EVEN, TONE_RATE, from_time, write_delayed, write_video

from stylecam.errors import FrameError, RecordingError
from stylecam.frame import Frame
from stylecam.video.demo import DemoSource
from stylecam.video.media import FileSource
from stylecam.video.recorder import Recorder, free_path

FLAT_LEVELS = 3
"""Largest error of a flat colour, converted to limited-range BT.709 and back."""
PHOTO_LEVELS = 4.0
"""Mean difference of a noisy photo, encoded at the recorder's quality."""
PHOTO_BIAS = 2.0
"""Mean shift of a channel; a wrong matrix or range would shift it by 5 or more."""
TICK_S = 1 / 90_000
LOST_S = 1.0
"""The most that a crash may cost."""
SOUND_S = 0.05
"""How far sound may be shifted against the picture."""


def flat(colour: tuple[int, int, int], size: tuple[int, int] = (64, 48)) -> np.ndarray:
    return np.full((size[1], size[0], 3), colour, np.uint8)


def read(path: Path) -> list[Frame]:
    return list(FileSource(path).frames())


def one_line(error: pytest.ExceptionInfo[RecordingError]) -> str:
    assert "\n" not in str(error.value)
    return str(error.value)


def test_what_is_put_comes_back(tmp_path: Path) -> None:
    path = tmp_path / "out.mp4"
    frames = list(DemoSource((320, 240), frames=75, paced=False).frames())
    with Recorder(path) as recorder:
        for frame in frames:
            recorder.put(Frame(frame.pixels, frame.index, frame.time_s + 1234.5))
    assert (recorder.frames, recorder.path) == (75, path)
    assert recorder.seconds == pytest.approx(2.5)
    back = read(path)
    assert len(back) == 75
    for put, got in zip(frames, back, strict=True):
        assert got.pixels.shape == (240, 320, 3)
        assert got.time_s == pytest.approx(put.time_s, abs=TICK_S)
        error = got.pixels.astype(int) - put.pixels
        assert np.abs(error).mean() <= PHOTO_LEVELS
        assert np.abs(error.mean((0, 1))).max() <= PHOTO_BIAS


def test_the_file_is_what_players_expect(tmp_path: Path) -> None:
    import av

    path = tmp_path / "out.mp4"
    with Recorder(path, rate=25) as recorder:
        for i in range(60):
            recorder.put(Frame(flat((i, i, i)), i, i / 10))  # slower than the hint
    assert path.read_bytes()[4:8] == b"ftyp"
    with av.open(str(path)) as container:
        video = container.streams.video[0]
        codec = video.codec_context
        assert (codec.name, codec.pix_fmt, video.frames) == ("h264", "yuv420p", 60)
        assert (codec.colorspace, codec.color_primaries, codec.color_trc) == (1, 1, 1)
        assert codec.color_range == 1
        assert video.start_time == 0
        keys = [(p.pts or 0) / 90_000 for p in container.demux(video) if p.is_keyframe]
        assert keys[0] == 0
        assert np.diff([*keys, 5.9]).max() <= 1.0


@pytest.mark.parametrize(
    "colour",
    [
        (0, 0, 0),
        (255, 255, 255),
        (255, 0, 0),
        (0, 255, 0),
        (0, 0, 255),
        (210, 90, 30),
        (128, 128, 128),
    ],
)
def test_colours_come_back(tmp_path: Path, colour: tuple[int, int, int]) -> None:
    with Recorder(tmp_path / "out.mp4") as recorder:
        recorder.put(Frame(flat(colour), 0, 0.0))
    got = read(tmp_path / "out.mp4")[0].pixels
    assert np.abs(got.astype(int) - colour).max() <= FLAT_LEVELS


def test_uneven_times_come_back_exactly(tmp_path: Path) -> None:
    path = tmp_path / "out.mp4"
    times = np.cumsum([0, 0.033, 0.001, 0.7, 0.0333, 2.5, 0.02, 0.0001]).tolist()
    with Recorder(path) as recorder:
        for i, time_s in enumerate(times):
            recorder.put(Frame(flat((30 * i, 0, 0)), i, 50 + time_s))
    assert [frame.time_s for frame in read(path)] == pytest.approx(times, abs=TICK_S)


def test_times_that_stand_or_run_backwards_are_moved_on_by_a_tick(tmp_path: Path) -> None:
    path = tmp_path / "out.mp4"
    with Recorder(path) as recorder:
        for i, time_s in enumerate([1.0, 1.0, 0.2, 2.0]):
            recorder.put(Frame(flat((30 * i, 0, 0)), i, time_s))
    assert [f.time_s for f in read(path)] == pytest.approx([0, TICK_S, 2 * TICK_S, 1.0], abs=1e-9)


def test_an_odd_size_gains_a_copy_of_its_edge(tmp_path: Path) -> None:
    path = tmp_path / "out.mp4"
    pixels = flat((40, 40, 40), (641, 479))
    pixels[:, 600:] = (200, 60, 60)
    with Recorder(path) as recorder:
        recorder.put(Frame(pixels, 0, 0.0))
    got = read(path)[0].pixels
    assert got.shape == (480, 642, 3)
    assert np.abs(got[:, 610:].astype(int) - (200, 60, 60)).max() <= FLAT_LEVELS


def test_another_size_is_fitted_between_black_bars(tmp_path: Path) -> None:
    path = tmp_path / "out.mp4"
    with Recorder(path) as recorder:
        recorder.put(Frame(flat((200, 60, 60), (320, 240)), 0, 0.0))
        recorder.put(Frame(flat((60, 60, 200), (640, 360)), 1, 0.1))
        recorder.put(Frame(flat((60, 200, 60), (33, 99)), 2, 0.2))
    wide, tall = (frame.pixels.astype(int) for frame in read(path)[1:])
    assert wide.shape == tall.shape == (240, 320, 3)
    assert np.abs(wide[40:200] - (60, 60, 200)).max() <= 2 * FLAT_LEVELS
    assert max(wide[:24].max(), wide[-24:].max()) <= 2 * FLAT_LEVELS
    assert np.abs(tall[:, 130:190] - (60, 200, 60)).max() <= 2 * FLAT_LEVELS
    assert max(tall[:, :112].max(), tall[:, -112:].max()) <= 2 * FLAT_LEVELS


def test_what_is_no_frame_is_refused_and_the_recording_goes_on(tmp_path: Path) -> None:
    with Recorder(tmp_path / "out.mp4") as recorder:
        recorder.put(Frame(flat((1, 2, 3)), 0, 0.0))
        with pytest.raises(FrameError):
            recorder.put(Frame(np.zeros((48, 64), np.uint8), 1, 0.1))
        recorder.put(Frame(flat((1, 2, 3)), 2, 0.2))
    assert len(read(tmp_path / "out.mp4")) == 2


# names and ends


def test_a_free_name(tmp_path: Path) -> None:
    assert free_path(tmp_path, "night", ".mp4") == tmp_path / "night.mp4"
    (tmp_path / "night.mp4").touch()
    (tmp_path / "night-2.mp4").symlink_to("nowhere")
    assert free_path(tmp_path, "night", ".mp4") == tmp_path / "night-3.mp4"


def test_an_existing_file_stays(tmp_path: Path) -> None:
    path = tmp_path / "out.mp4"
    path.write_text("precious")
    with pytest.raises(RecordingError, match="exists already") as refusal:
        Recorder(path)
    assert "another name" in one_line(refusal)
    assert path.read_text() == "precious"


def test_a_name_of_another_format_is_refused(tmp_path: Path) -> None:
    for name in ("out.avi", "out"):
        with pytest.raises(RecordingError, match="written as MP4") as refusal:
            Recorder(tmp_path / name)
        assert name in one_line(refusal)
    assert list(tmp_path.iterdir()) == []


def test_a_recording_without_frames_leaves_no_file(tmp_path: Path) -> None:
    with Recorder(tmp_path / "out.mp4") as recorder:
        pass
    assert recorder.seconds == 0
    assert list(tmp_path.iterdir()) == []


def test_closing_twice_is_fine_and_putting_afterwards_is_not(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path / "out.mp4")
    recorder.put(Frame(flat((1, 2, 3)), 0, 0.0))
    recorder.close()
    recorder.close()
    with pytest.raises(RecordingError, match="has ended"):
        recorder.put(Frame(flat((1, 2, 3)), 1, 0.1))
    assert len(read(tmp_path / "out.mp4")) == 1


def test_an_exception_inside_the_block_still_completes_the_file(tmp_path: Path) -> None:
    def interrupted() -> None:
        with Recorder(tmp_path / "out.mp4") as recorder:
            recorder.put(Frame(flat((1, 2, 3)), 0, 0.0))
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert len(read(tmp_path / "out.mp4")) == 1


def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(RecordingError) as refusal:
        Recorder(tmp_path / "file" / "out.mp4")
    assert "choose another folder" in one_line(refusal)


def test_a_file_deleted_meanwhile_is_noticed(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path / "out.mp4")
    recorder.put(Frame(flat((1, 2, 3)), 0, 0.0))
    (tmp_path / "out.mp4").unlink()
    with pytest.raises(RecordingError, match="deleted"):
        recorder.put(Frame(flat((1, 2, 3)), 1, 1.5))
    recorder.close()


# crashes


def child(program: str, *arguments: object) -> subprocess.Popen[str]:
    preamble = (
        "import resource, signal, sys\n"
        "from pathlib import Path\n"
        "from stylecam.errors import RecordingError\n"
        "from stylecam.frame import Frame\n"
        "from stylecam.video.recorder import Recorder\n"
        "from stylecam.video.demo import DemoSource\n"
    )
    return subprocess.Popen(
        [sys.executable, "-c", preamble + program, *map(str, arguments)],
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[1],
    )


KILLED = """
with Recorder(sys.argv[1]) as recorder:
    for frame in DemoSource((320, 240)).frames():
        recorder.put(frame)
        print(recorder.seconds, flush=True)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="there is no SIGKILL")
@pytest.mark.parametrize("after_s", [0.8, 2.45, 3.1])
def test_a_killed_recording_loses_a_second_at_most(tmp_path: Path, after_s: float) -> None:
    path = tmp_path / "out.mp4"
    with child(KILLED, path) as process:
        assert process.stdout
        reported = 0.0
        while reported < after_s:
            reported = float(process.stdout.readline())
        process.send_signal(signal.SIGKILL)
        reported = [reported, *map(float, process.stdout.read().split())][-1]
    back = read(path)
    assert back[0].time_s == 0
    assert back[-1].time_s + 1 / 30 >= reported - LOST_S
    assert min(frame.pixels.std() for frame in back) > 20  # pictures, not plain grey


FULL = """
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
room = int(sys.argv[2])
resource.setrlimit(resource.RLIMIT_FSIZE, (room, room))
recorder = Recorder(sys.argv[1])
try:
    for frame in DemoSource((320, 240), frames=int(sys.argv[3]), paced=False).frames():
        recorder.put(frame)
    recorder.close()
except RecordingError as error:
    print(recorder.seconds, error)
for again in range(2):
    recorder.close()
try:
    recorder.put(frame)
except RecordingError as error:
    print(error)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="there is no RLIMIT_FSIZE")
@pytest.mark.parametrize("at_the_end", [False, True])
def test_a_full_disk_keeps_what_was_recorded(tmp_path: Path, at_the_end: bool) -> None:
    path = tmp_path / "out.mp4"
    room, frames = 150_000, 900
    if at_the_end:  # all pictures fit, but the index does not
        frames = 75
        with Recorder(tmp_path / "whole.mp4") as recorder:
            for frame in DemoSource((320, 240), frames=frames, paced=False).frames():
                recorder.put(frame)
        room = (tmp_path / "whole.mp4").stat().st_size - 200
    with child(FULL, path, room, frames) as process:
        said = process.communicate()[0].splitlines()
    assert process.returncode == 0
    assert len(said) == 2
    assert "is full; free some space" in said[0]
    assert "has ended" in said[1]
    back = read(path)
    assert back[-1].time_s + 1 / 30 >= float(said[0].split()[0]) - LOST_S
    assert len(back) > 20


# sound


def loudness(path: Path) -> tuple[str, np.ndarray]:
    """The codec, and the sound's root mean square in each hundredth of a second."""
    import av

    with av.open(str(path)) as container:
        sound = container.streams.audio[0]
        samples = np.zeros(60 * TONE_RATE, np.float32)
        end = 0
        for part in container.decode(sound):
            wave = part.to_ndarray()[0].astype(np.float32)
            wave = wave / 32768 if part.format.name.startswith("s16") else wave
            begin = round((part.time or 0) * TONE_RATE)
            skipped = max(0, -begin)
            end = begin + len(wave)
            samples[begin + skipped : end] = wave[skipped:]
        return sound.codec_context.name, np.sqrt(
            (samples[: end // 480 * 480].reshape(-1, 480) ** 2).mean(1)
        )


def begin_of(path: Path) -> Fraction:
    source = FileSource(path)
    next(source.frames())
    return source.begin_s


def with_its_sound(source: FileSource, path: Path) -> list[Frame]:
    """Records a file's frames along with its sound, and returns the frames."""
    frames = list(source.frames())
    with Recorder(path, source.rate, source.path, source.begin_s) as recorder:
        for frame in frames:
            recorder.put(frame)
    return frames


@pytest.mark.parametrize(
    ("container", "codec", "recorded"),
    [(".mp4", "aac", "aac"), (".mkv", "libmp3lame", "mp3float"), (".mkv", "pcm_s16le", "aac")],
)
def test_sound_goes_along_and_in_step(
    tmp_path: Path, container: str, codec: str, recorded: str
) -> None:
    source, path = tmp_path / f"in{container}", tmp_path / "out.mp4"
    write_video(source, [Fraction(i, 30) for i in range(60)], sound=codec, sound_s=2.0)
    with Recorder(path, audio_from=source) as recorder:
        for frame in FileSource(source).frames():
            recorder.put(frame)
    name, rms = loudness(path)
    assert name == recorded
    assert len(read(path)) == 60
    assert len(rms) / 100 == pytest.approx(2.0, abs=SOUND_S)
    onset = int(np.argmax(rms > 0.1)) / 100
    assert onset == pytest.approx(1.0, abs=SOUND_S)
    assert rms[-50:-10].mean() == pytest.approx(0.5 / 2**0.5, abs=0.02)


@pytest.mark.parametrize(
    ("codec", "rate", "layout"),
    [
        ("aac", TONE_RATE, "mono"),
        ("libmp3lame", TONE_RATE, "mono"),
        ("mp2", TONE_RATE, "mono"),
        ("mp2", 44_100, "mono"),
        ("mp2", TONE_RATE, "stereo"),
    ],
)
def test_sound_of_files_that_were_joined_goes_on(
    tmp_path: Path, codec: str, rate: int, layout: str
) -> None:
    times = [Fraction(i, 30) for i in range(60)]
    one, other = tmp_path / "one.ts", tmp_path / "other.ts"
    write_video(one, times, sound=codec, sound_s=2.0)
    write_video(other, times, sound=codec, sound_s=2.0, sound_rate=rate, layout=layout)
    source, path = tmp_path / "both.ts", tmp_path / "out.mp4"
    source.write_bytes(one.read_bytes() + other.read_bytes())
    with_its_sound(FileSource(source), path)
    assert len(read(path)) == 120
    _, rms = loudness(path)
    assert len(rms) / 100 == pytest.approx(4.0, abs=2 * SOUND_S)
    loud = rms > 0.1
    onsets = np.flatnonzero(loud[1:] & ~loud[:-1]) / 100
    assert onsets == pytest.approx([1.0, 3.0], abs=2 * SOUND_S)


@pytest.mark.parametrize("codec", ["aac", "mp2"])
@pytest.mark.parametrize("overlap_s", [0.03, 0.3])
def test_sound_of_files_that_were_joined_may_overlap(
    tmp_path: Path, codec: str, overlap_s: float
) -> None:
    times = [Fraction(i, 30) for i in range(60)]
    one, other = tmp_path / "one.ts", tmp_path / "other.ts"
    write_video(one, times, sound=codec, sound_s=2.0)
    write_delayed(one, other, 2 - overlap_s)
    source, path = tmp_path / "both.ts", tmp_path / "out.mp4"
    source.write_bytes(one.read_bytes() + other.read_bytes())
    with_its_sound(FileSource(source), path)
    assert len(read(path)) == 120
    _, rms = loudness(path)
    loud = rms > 0.1
    onsets = np.flatnonzero(loud[1:] & ~loud[:-1]) / 100
    assert onsets == pytest.approx([1.0, 3.0 - overlap_s], abs=2 * SOUND_S)


def test_sound_goes_on_after_packets_that_were_lost(tmp_path: Path) -> None:
    import av

    whole, source, path = tmp_path / "in.ts", tmp_path / "lossy.ts", tmp_path / "out.mp4"
    write_video(whole, [Fraction(i, 30) for i in range(60)], sound="mp2", sound_s=2.0)
    with av.open(str(whole)) as container:
        track = container.streams.audio[0].id
    data = whole.read_bytes()
    packets = [data[i : i + 188] for i in range(0, len(data), 188)]
    sounding = [i for i, each in enumerate(packets) if (each[1] & 31) << 8 | each[2] == track]
    for lost in sounding[20:200:60]:
        packets[lost] = b""
    source.write_bytes(b"".join(packets))
    with_its_sound(FileSource(source), path)
    _, rms = loudness(path)
    assert int(np.argmax(rms > 0.1)) / 100 == pytest.approx(1.0, abs=SOUND_S)
    assert len(rms) / 100 == pytest.approx(2.0, abs=2 * SOUND_S)


def test_sound_of_a_codec_too_slow_for_an_mp4_is_encoded_anew(tmp_path: Path) -> None:
    source, path = tmp_path / "in.avi", tmp_path / "out.mp4"
    write_video(source, EVEN, sound="libmp3lame", sound_rate=11_025)
    with_its_sound(FileSource(source), path)
    name, rms = loudness(path)
    assert name == "aac"
    assert int(np.argmax(rms > 0.1)) / 100 == pytest.approx(0.5, abs=2 * SOUND_S)


def test_sound_is_in_step_where_the_first_pictures_cannot_be_decoded(tmp_path: Path) -> None:
    whole, source, path = tmp_path / "in.ts", tmp_path / "late.ts", tmp_path / "out.mp4"
    times = [Fraction(i, 30) for i in range(60)]
    write_video(whole, times, sound="aac", sound_s=2.0, keyframe_every=20)
    from_time(whole, source, 0.3 + float(begin_of(whole)))
    frames = with_its_sound(FileSource(source), path)
    missing = round((frames[0].pixels[40, 50].mean() - 40) / 5)
    assert missing / 30 > 0.3 + 3 * SOUND_S
    _, rms = loudness(path)
    assert int(np.argmax(rms > 0.1)) / 100 == pytest.approx(1.0 - missing / 30, abs=SOUND_S)


def test_sound_of_an_unknown_codec_is_left_out(tmp_path: Path) -> None:
    source = tmp_path / "in.avi"
    write_video(source, EVEN, sound="pcm_s16le")
    data = bytearray(source.read_bytes())
    tag = data.index(b"strf", data.index(b"auds")) + 8
    assert data[tag : tag + 2] == b"\x01\x00"
    data[tag : tag + 2] = b"\x77\x66"
    source.write_bytes(data)
    assert len(with_its_sound(FileSource(source), tmp_path / "out.mp4")) == len(EVEN)
    assert len(read(tmp_path / "out.mp4")) == len(EVEN)


def test_copied_sound_is_bit_for_bit_the_same(tmp_path: Path) -> None:
    import av

    source, path = tmp_path / "in.mp4", tmp_path / "out.mp4"
    write_video(source, EVEN, sound="aac", sound_s=3.0)
    with Recorder(path, audio_from=source) as recorder:
        for frame in FileSource(source).frames():
            recorder.put(frame)

    def packets(file: Path) -> list[bytes]:
        with av.open(str(file)) as container:
            sound = container.streams.audio[0]
            return [bytes(p) for p in container.demux(sound) if p.size and (p.pts or 0) >= 0]

    copied, original = packets(path), packets(source)
    assert copied == original[: len(copied)]
    # It lasts no longer than the pictures, though the source's sound does.
    assert len(copied) * 1024 / TONE_RATE == pytest.approx(recorder.seconds, abs=SOUND_S)


def test_a_part_of_a_file_takes_that_parts_sound(tmp_path: Path) -> None:
    source, path = tmp_path / "in.mp4", tmp_path / "out.mp4"
    write_video(source, [Fraction(i, 30) for i in range(60)], sound="aac", sound_s=2.0)
    with Recorder(path, audio_from=source) as recorder:
        for frame in FileSource(source).frames():
            if frame.time_s >= 0.7:
                recorder.put(frame)
    _, rms = loudness(path)
    assert int(np.argmax(rms > 0.1)) / 100 == pytest.approx(0.3, abs=SOUND_S)


def test_a_file_without_sound_gives_a_silent_recording(tmp_path: Path) -> None:
    source, path = tmp_path / "in.mp4", tmp_path / "out.mp4"
    write_video(source, EVEN)
    with Recorder(path, audio_from=source) as recorder:
        for frame in FileSource(source).frames():
            recorder.put(frame)
    assert len(read(path)) == len(EVEN)


def test_sound_that_cannot_be_read(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path / "out.mp4", audio_from=tmp_path / "no.mp4")
    with pytest.raises(RecordingError, match=r"no\.mp4") as refusal:
        recorder.put(Frame(flat((1, 2, 3)), 0, 0.0))
    assert "without it" in one_line(refusal)
    recorder.close()
    assert list(tmp_path.iterdir()) == []


def test_a_long_recording_is_readable_while_it_is_made(tmp_path: Path) -> None:
    path = tmp_path / "out.mp4"
    with Recorder(path) as recorder:
        for frame in DemoSource((160, 120), frames=90, paced=False).frames():
            recorder.put(frame)
        assert len(read(path)) >= 60
