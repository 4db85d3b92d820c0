"""Sources against real media: what comes out, when, in which colours, and what is refused."""

from __future__ import annotations

import struct
import sys
import time
from collections.abc import Callable, Iterator
from fractions import Fraction
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from itertools import islice, pairwise
from pathlib import Path
from threading import Thread

import cv2
import numpy as np
import pytest
from media import EVEN, write_hdr, write_slides, write_song, write_video
from mjpeg import COLOUR, FRAMES, SIZE, MjpegServer

from stylecam.errors import (
    FrameError,
    SourceBusy,
    SourceError,
    SourceLost,
    SourceMissing,
    StylecamError,
)
from stylecam.frame import Frame, check_pixels
from stylecam.video.camera import CameraSource, UrlSource
from stylecam.video.demo import DemoSource
from stylecam.video.devices import cameras
from stylecam.video.media import FileSource, PictureSource
from stylecam.video.picture import SUFFIXES, write_picture
from stylecam.video.sources import open_source

CLIPS = Path(__file__).parents[1].parent / "shared" / "data" / "clips"

JPEG_LEVELS = 4
"""Largest error of a flat colour in JPEG."""
H264_LEVELS = 4
"""Largest error of a flat colour in H.264 with its limited range."""
LOSSY_LEVELS = 3
"""Mean difference of a smooth picture in a lossy format."""
WARP_LEVELS = 1.5
"""Mean difference between a frame and the one before, moved onto it: two bilinear samplings."""
TIMEOUT_S = 0.7


def check(frames: list[Frame]) -> None:
    for frame in frames:
        assert check_pixels(frame.pixels) is frame.pixels
        assert frame.pixels.flags.writeable
    assert not any(np.shares_memory(a.pixels, b.pixels) for a, b in pairwise(frames))


def one_line(error: pytest.ExceptionInfo[StylecamError]) -> str:
    assert "\n" not in str(error.value)
    return str(error.value)


# files


def test_a_file_gives_every_frame_at_its_own_time(tmp_path: Path) -> None:
    times = [Fraction(t, 1000) for t in (0, 10, 15, 200, 201, 900, 1000)]
    write_video(tmp_path / "clip.mp4", times)
    source = FileSource(tmp_path / "clip.mp4")
    frames = list(source.frames())
    check(frames)
    assert (source.name, source.live, source.mirrored) == ("clip.mp4", False, False)
    assert [frame.index for frame in frames] == list(range(7))
    assert [frame.time_s for frame in frames] == [float(t) for t in times]
    for i, frame in enumerate(frames):
        assert frame.pixels.shape == (48, 64, 3)
        assert np.abs(frame.pixels[40, 50].astype(int) - (40 + 5 * i)).max() <= H264_LEVELS
        assert np.abs(frame.pixels[10, 10].astype(int) - (220, 30, 30)).max() <= H264_LEVELS


def test_rate_and_length_are_known_once_a_frame_has_come(tmp_path: Path) -> None:
    write_video(tmp_path / "clip.mp4", [Fraction(i, 25) for i in range(25)])
    source = FileSource(tmp_path / "clip.mp4")
    next(source.frames())
    assert source.rate == pytest.approx(25, rel=0.02)
    assert source.seconds == pytest.approx(1.0, abs=0.05)


def test_a_loop_goes_on_counting(tmp_path: Path) -> None:
    write_video(tmp_path / "clip.mp4", EVEN[:5])
    frames = list(islice(FileSource(tmp_path / "clip.mp4", loop=True).frames(), 12))
    assert [frame.index for frame in frames] == list(range(12))
    assert np.diff([frame.time_s for frame in frames]) == pytest.approx(1 / 30)
    assert np.array_equal(frames[2].pixels, frames[7].pixels)


def set_matrix(path: Path, matrix: np.ndarray) -> None:
    """Replaces the display matrix of a file."""
    data = bytearray(path.read_bytes())
    place = data.index(b"tkhd") + 44
    data[place : place + 36] = matrix.astype(">i4").tobytes()
    path.write_bytes(data)


@pytest.mark.parametrize(
    ("across", "down", "corner"),
    [
        ((-1, 0), (0, 1), np.s_[:24, 32:]),
        ((1, 0), (0, -1), np.s_[24:, :32]),
        ((0, 1), (1, 0), np.s_[:32, :24]),
        ((0, -1), (-1, 0), np.s_[32:, 24:]),
    ],
    ids=["mirrored", "upside down", "transposed", "transposed and turned"],
)
def test_a_file_is_mirrored_as_it_was_filmed(
    tmp_path: Path, across: tuple[int, int], down: tuple[int, int], corner: tuple[slice, slice]
) -> None:
    """The red quarter must lie where the matrix puts the top left one."""
    path = tmp_path / "selfie.mp4"
    write_video(path, EVEN[:3])
    matrix = np.zeros((3, 3))
    matrix[:2, :2], matrix[2, 2] = np.array([across, down]) * 65536, 1 << 30
    set_matrix(path, matrix)
    (frame, *_) = FileSource(path).frames()
    check([frame])
    red = np.abs(frame.pixels.astype(int) - (220, 30, 30)).max(2) <= 6 * H264_LEVELS
    assert red[corner].mean() > 0.9
    assert red.sum() < 1.1 * red[corner].size


def test_times_advance_where_a_container_stores_no_presentation_times(tmp_path: Path) -> None:
    write_video(tmp_path / "old.avi", EVEN)
    times = [frame.time_s for frame in FileSource(tmp_path / "old.avi").frames()]
    assert len(times) == len(EVEN)
    # The first is shown by its presentation time, as it is not known yet that those are wrong.
    assert np.diff(times) == pytest.approx([2 / 30] + 18 * [1 / 30], abs=0.001)


def test_a_file_tells_how_long_its_last_picture_stays(tmp_path: Path) -> None:
    write_slides(tmp_path / "slides.mkv", [Fraction(1, 2), Fraction(3, 2)])
    source = FileSource(tmp_path / "slides.mkv")
    assert [frame.time_s for frame in source.frames()] == [0, 0.5]
    assert source.last_s == 1.5
    looped = islice(FileSource(tmp_path / "slides.mkv", loop=True).frames(), 4)
    assert [frame.time_s for frame in looped] == [0, 0.5, 2, 2.5]


def test_the_cover_of_a_song_is_no_video(tmp_path: Path) -> None:
    write_song(tmp_path / "song.mp3")
    with pytest.raises(SourceError, match=r"song\.mp3 is not a video"):
        next(FileSource(tmp_path / "song.mp3").frames())


@pytest.mark.parametrize("turn", [90, 180, 270])
def test_a_file_is_turned_as_it_was_filmed(tmp_path: Path, turn: int) -> None:
    path = tmp_path / "phone.mp4"
    write_video(path, EVEN[:3])
    cos, sin = {90: (0, 1), 180: (-1, 0), 270: (0, -1)}[turn]
    matrix = np.array([[cos, sin, 0], [-sin, cos, 0], [0, 0, 1]]) * [65536, 65536, 1 << 30]
    set_matrix(path, matrix)
    judge = cv2.VideoCapture(str(path))  # rotates by itself
    wanted = cv2.cvtColor(judge.read()[1], cv2.COLOR_BGR2RGB)
    judge.release()
    frames = list(FileSource(path).frames())
    check(frames)
    assert frames[0].pixels.shape == wanted.shape
    assert wanted.shape == ((48, 64, 3) if turn == 180 else (64, 48, 3))
    assert np.abs(frames[0].pixels.astype(int) - wanted).mean() <= H264_LEVELS


@pytest.mark.parametrize(("widened", "width"), [("4/3", 128), ("8/9", 85), ("1/1000", 96)])
def test_pixels_that_are_not_square_are_made_so(tmp_path: Path, widened: str, width: int) -> None:
    write_video(tmp_path / "dv.mp4", EVEN[:3], (96, 64), widened=Fraction(widened))
    frames = list(FileSource(tmp_path / "dv.mp4").frames())
    check(frames)
    assert {frame.pixels.shape for frame in frames} == {(64, width, 3)}
    red = np.abs(frames[0].pixels[10].astype(int) - (220, 30, 30)).max(1) <= 3 * H264_LEVELS
    assert np.count_nonzero(red) == pytest.approx(width / 2, abs=2)


def test_files_that_were_joined_go_on_where_the_times_begin_anew(tmp_path: Path) -> None:
    write_video(tmp_path / "a.ts", EVEN)
    write_video(tmp_path / "b.ts", EVEN)
    both = tmp_path / "both.ts"
    both.write_bytes((tmp_path / "a.ts").read_bytes() + (tmp_path / "b.ts").read_bytes())
    frames = list(FileSource(both).frames())
    assert len(frames) == 2 * len(EVEN)
    assert np.diff([frame.time_s for frame in frames]) == pytest.approx(1 / 30, abs=0.001)


@pytest.mark.parametrize(("white", "transfer"), [(721, 18), (572, 16)], ids=["HLG", "PQ"])
def test_white_of_hdr_is_white(tmp_path: Path, white: int, transfer: int) -> None:
    """By ITU-R BT.2408, white is at 75 % of the signal in HLG and at 58 % in PQ."""
    write_hdr(tmp_path / "phone.mp4", white, transfer)
    write_hdr(tmp_path / "grey.mp4", white, 1)
    for name, least, most in (("phone", 250, 255), ("grey", 140, 200)):
        for frame in FileSource(tmp_path / f"{name}.mp4").frames():
            assert least <= frame.pixels.min() <= frame.pixels.max() <= most


def test_sound_beside_the_picture_is_ignored(tmp_path: Path) -> None:
    write_video(tmp_path / "both.mkv", EVEN, sound="pcm_s16le")
    assert len(list(FileSource(tmp_path / "both.mkv").frames())) == len(EVEN)


def test_a_file_cut_short_gives_what_it_has(tmp_path: Path) -> None:
    path = tmp_path / "cut.mkv"
    write_video(path, EVEN)
    whole = list(FileSource(path).frames())
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 2 // 3])
    frames = list(FileSource(path).frames())
    assert 0 < len(frames) < len(EVEN)
    assert np.array_equal(frames[0].pixels, whole[0].pixels)


def nothing(path: Path) -> None:
    path.touch()


def text(path: Path) -> None:
    path.write_text("Dear diary,\n" * 500)


def beheaded(path: Path) -> None:
    write_video(path, EVEN)
    path.write_bytes(path.read_bytes()[:400])


@pytest.mark.parametrize(
    ("make", "suffix"),
    [
        (nothing, ".mp4"),
        (text, ".mp4"),
        (text, ".txt"),
        (text, ""),
        (beheaded, ".mp4"),
        (beheaded, ".mkv"),
    ],
)
def test_what_is_no_video_is_refused(
    tmp_path: Path, make: Callable[[Path], None], suffix: str
) -> None:
    path = tmp_path / f"thing{suffix}"
    make(path)
    with pytest.raises(SourceError) as refusal:
        next(FileSource(path).frames())
    assert path.name in one_line(refusal)
    assert "choose another" in one_line(refusal)


def test_sound_alone_is_no_video(tmp_path: Path) -> None:
    import av

    with av.open(str(tmp_path / "tone.wav"), "w") as output:
        sound = output.add_stream("pcm_s16le", 8000, layout="mono")
        tone = av.AudioFrame.from_ndarray(np.zeros((1, 8000), np.int16), "s16", "mono")
        tone.sample_rate = 8000
        output.mux(sound.encode(tone))
    with pytest.raises(SourceError, match="not a video"):
        next(FileSource(tmp_path / "tone.wav").frames())


def test_a_photo_in_tiles_is_refused_for_what_it_is(tmp_path: Path) -> None:
    encoded = cv2.imencode(".avif", np.zeros((64, 64, 3), np.uint8))[1].tobytes()
    assert encoded[8:12] == b"avif"
    (tmp_path / "photo.heic").write_bytes(encoded[:8] + b"heic" + encoded[12:])
    with pytest.raises(SourceError, match="photo.heic is a HEIC photo; save it as JPEG"):
        next(FileSource(tmp_path / "photo.heic").frames())


def test_a_missing_file(tmp_path: Path) -> None:
    for source in (FileSource(tmp_path / "no.mp4"), PictureSource(tmp_path / "no.png")):
        with pytest.raises(SourceMissing):
            next(source.frames())


@pytest.mark.skipif(sys.platform == "win32", reason="Windows allows no colon in names")
def test_a_colon_in_a_name_is_no_protocol(tmp_path: Path) -> None:
    write_video(tmp_path / "12.mp4", EVEN[:2])
    odd = tmp_path / "http:at 12:30.mp4"
    (tmp_path / "12.mp4").rename(odd)
    assert len(list(FileSource(odd).frames())) == 2


@pytest.mark.skipif(not CLIPS.is_dir(), reason="shared/data/clips is not here")
def test_real_clips_agree_with_a_second_reader() -> None:
    for name in ("intel_yes.mkv", "mdn_flower.mp4"):
        judge = cv2.VideoCapture(str(CLIPS / name))
        source = FileSource(CLIPS / name)
        frames = list(islice(source.frames(), 20))
        assert frames[0].time_s == 0
        assert np.diff([frame.time_s for frame in frames]).min() > 0
        for frame in frames:
            wanted = cv2.cvtColor(judge.read()[1], cv2.COLOR_BGR2RGB)
            assert frame.pixels.shape == wanted.shape
            assert np.abs(frame.pixels.astype(int) - wanted).mean() <= H264_LEVELS
        judge.release()


# pictures


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    pixels = np.full((40, 50, 3), COLOUR, np.uint8)
    path = tmp_path / "Gemälde.png"
    path.write_bytes(cv2.imencode(".png", cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR))[1].tobytes())
    return path


@pytest.mark.parametrize("suffix", sorted(SUFFIXES))
def test_a_picture_of_each_kind_comes_as_it_was_written(tmp_path: Path, suffix: str) -> None:
    ramp = np.linspace(0, 255, 80).astype(np.uint8)
    pixels = np.stack(np.broadcast_arrays(ramp, ramp[:60, None], ramp[::-1]), -1)
    path = tmp_path / f"ramp{suffix}"
    write_picture(path, pixels)
    (frame,) = PictureSource(path).frames()
    assert frame.pixels.shape == pixels.shape
    assert np.abs(frame.pixels.astype(int) - pixels).mean() <= LOSSY_LEVELS


@pytest.mark.parametrize("deep", [False, True])
@pytest.mark.parametrize("quarters", [0, 1, 2])
def test_what_is_transparent_lies_on_white(tmp_path: Path, deep: bool, quarters: int) -> None:
    """Also if the camera was rotated by this many quarter turns."""
    pixels = np.zeros((40, 60, 4), np.uint8)
    pixels[...] = (*COLOUR[::-1], 255)
    pixels[:, 20:40, 3], pixels[:, 40:, 3] = 51, 0
    wide = pixels.astype(np.uint16) * 257 if deep else pixels
    as_held = np.ascontiguousarray(np.rot90(wide, quarters))
    turn = struct.pack("<4sIHHHIII", b"II*\0", 8, 1, 0x112, 3, 1, (1, 6, 3)[quarters], 0)
    exif = [np.frombuffer(turn, np.uint8)]
    _, encoded = cv2.imencodeWithMetadata(".png", as_held, [cv2.IMAGE_METADATA_EXIF], exif)
    (tmp_path / "logo.png").write_bytes(encoded.tobytes())
    (frame,) = PictureSource(tmp_path / "logo.png").frames()
    fifth = [round(0.2 * colour + 0.8 * 255) for colour in COLOUR]
    for at, expected in ((10, COLOUR), (30, fifth), (50, [255] * 3)):
        assert np.abs(frame.pixels[:, at].astype(int) - expected).max() <= 1


def test_a_picture_comes_once(picture: Path) -> None:
    frames = list(PictureSource(picture).frames())
    check(frames)
    assert len(frames) == 1
    assert frames[0].time_s == 0
    assert (frames[0].pixels == COLOUR).all()


def test_a_picture_loops_at_its_rate(picture: Path) -> None:
    frames = list(islice(PictureSource(picture, rate=10, loop=True).frames(), 4))
    check(frames)
    assert [(frame.index, frame.time_s) for frame in frames] == [(i, i / 10) for i in range(4)]


@pytest.mark.parametrize("content", [b"", b"not a picture"])
def test_what_is_no_picture_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "thing.png").write_bytes(content)
    with pytest.raises(SourceError) as refusal:
        next(PictureSource(tmp_path / "thing.png").frames())
    assert "thing.png" in one_line(refusal)


def test_a_picture_too_small_for_the_network(tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "dot.png"), np.zeros((8, 8, 3), np.uint8))
    with pytest.raises(FrameError):
        next(PictureSource(tmp_path / "dot.png").frames())


# the demo


def demo(**options: object) -> DemoSource:
    return DemoSource(paced=False, **options)  # type: ignore[arg-type]


def test_the_demo_is_the_same_every_time() -> None:
    first, again = (list(demo(size=(160, 120), frames=5).frames()) for _ in range(2))
    check(first)
    assert [frame.index for frame in first] == list(range(5))
    assert [frame.time_s for frame in first] == [i / 30 for i in range(5)]
    for a, b in zip(first, again, strict=True):
        assert np.array_equal(a.pixels, b.pixels)
    other = next(demo(size=(160, 120), seed=1).frames())
    assert not np.array_equal(first[0].pixels, other.pixels)


@pytest.mark.parametrize("size", [(640, 480), (1280, 720), (480, 640), (64, 48)])
def test_the_demo_comes_in_any_size(size: tuple[int, int]) -> None:
    frame = next(demo(size=size).frames())
    check([frame])
    assert frame.pixels.shape == (size[1], size[0], 3)


def test_the_demos_motion_is_exact() -> None:
    size = (640, 480)
    source = demo(size=size, noise=0, frames=40)
    frames = [frame.pixels.astype(np.float32) for frame in source.frames()]
    inside = np.s_[16:-16, 16:-16]
    for i in (1, 17, 39):
        ahead = cv2.warpAffine(frames[i - 1], source.motion(i), size)
        back = cv2.warpAffine(frames[i - 1], cv2.invertAffineTransform(source.motion(i)), size)
        moved = np.abs(ahead - frames[i])[inside].mean()
        assert moved <= WARP_LEVELS
        assert np.abs(back - frames[i])[inside].mean() > 2 * moved


def test_the_demos_motion_leads_from_pose_to_pose() -> None:
    source = demo()
    points = np.array([[100.0, 200, 300], [50, 250, 400], [1, 1, 1]])
    before = np.vstack([source.pose(8) @ points, np.ones(3)])
    assert source.motion(9) @ before == pytest.approx(source.pose(9) @ points)


@pytest.mark.parametrize("size", [(640, 480), (1280, 720)])
def test_the_demos_head_never_leaves_the_picture(size: tuple[int, int]) -> None:
    head = np.array([[150, 300, 150, 300], [15, 15, 190, 190], [1, 1, 1, 1]])
    for seed in range(5):
        source = demo(size=size, seed=seed)
        for index in range(0, 6000, 13):
            x, y = source.pose(index) @ head
            assert x.min() >= 0
            assert x.max() <= size[0] - 1
            assert y.min() >= 0
            assert y.max() <= size[1] - 1


def test_the_demos_noise_is_as_strong_as_asked() -> None:
    clean = next(demo(size=(320, 240), noise=0).frames()).pixels.astype(int)
    noisy = [f.pixels - clean for f in demo(size=(320, 240), noise=2, frames=2).frames()]
    unclipped = (clean > 20) & (clean < 235)
    assert noisy[0][unclipped].std() == pytest.approx(2, abs=0.2)
    assert noisy[0][unclipped].mean() == pytest.approx(0, abs=0.05)


def test_the_paced_demo_is_live_and_its_gaps_are_what_was_missed() -> None:
    source = DemoSource((64, 48), rate=50, frames=60)
    assert source.live
    assert not source.mirrored
    begin = time.monotonic()
    got = []
    for frame in source.frames():
        assert begin <= frame.time_s <= time.monotonic()
        got.append(frame)
        if len(got) == 5:
            time.sleep(0.2)
    indices = [frame.index for frame in got]
    assert indices == sorted(set(indices))
    assert max(indices) < 60
    assert indices[5] - indices[4] >= 9  # 0.2 s late at 50 frames per second
    steps = np.diff([frame.time_s for frame in got])
    assert steps == pytest.approx(np.diff(indices) / 50)


def test_the_paced_demo_gives_a_punctual_reader_every_frame() -> None:
    frames = list(DemoSource((64, 48), rate=2, frames=3).frames())
    assert [frame.index for frame in frames] == [0, 1, 2]


# addresses


@pytest.fixture
def server() -> Iterator[MjpegServer]:
    with MjpegServer() as running:
        yield running


def test_a_stream_comes_in_its_colours(server: MjpegServer) -> None:
    source = UrlSource(server.url("/live"))
    begin = time.monotonic()
    frames = list(islice(source.frames(), 10))
    check(frames)
    assert source.live
    assert not source.mirrored
    assert [frame.index for frame in frames] == list(range(10))
    assert begin < frames[0].time_s < frames[-1].time_s < time.monotonic()
    assert frames[0].pixels.shape == (SIZE[1], SIZE[0], 3)
    assert np.abs(frames[0].pixels.astype(int) - COLOUR).max() <= JPEG_LEVELS


@pytest.mark.parametrize("end", ["/silent", "/hangup"])
def test_a_stream_that_stops_is_lost(server: MjpegServer, end: str) -> None:
    frames: list[Frame] = []
    iterator = UrlSource(server.url(end), TIMEOUT_S).frames()
    with pytest.raises(SourceLost) as loss:
        frames.extend(iterator)
    assert FRAMES - 1 <= len(frames) <= FRAMES
    assert "check" in one_line(loss)


def test_a_server_that_dies_is_lost(server: MjpegServer) -> None:
    stream = UrlSource(server.url("/live"), TIMEOUT_S).frames()
    next(stream)
    server.die()
    with pytest.raises(SourceLost):
        list(stream)


def test_a_dead_server_is_missing(server: MjpegServer) -> None:
    server.die()
    with pytest.raises(SourceMissing) as refusal:
        next(UrlSource(server.url("/live"), TIMEOUT_S).frames())
    assert "check the address" in one_line(refusal)


def test_an_address_is_named_without_its_password() -> None:
    assert UrlSource("rtsp://me:secret@10.0.0.7:554/door").name == "10.0.0.7:554/door"


# cameras


def test_a_camera_that_is_not_there() -> None:
    source = CameraSource(97)
    assert source.live
    assert source.mirrored
    assert source.name == "camera 97"
    with pytest.raises(SourceMissing) as refusal:
        next(source.frames())
    assert "97" in one_line(refusal)


@pytest.mark.skipif(sys.platform != "linux", reason="cameras are files on Linux only")
def test_a_device_that_is_there_but_cannot_be_had(tmp_path: Path) -> None:
    device = tmp_path / "video97"
    device.touch()
    with pytest.raises(SourceBusy) as refusal:
        next(CameraSource(str(device)).frames())
    assert "close it" in one_line(refusal)


# words


def test_what_a_word_stands_for(picture: Path, tmp_path: Path) -> None:
    write_video(tmp_path / "clip.mp4", EVEN[:2])
    opened = open_source("demo", size=(160, 120), rate=10)
    assert isinstance(opened, DemoSource)
    assert opened.size == (160, 120)
    assert opened.rate == 10
    assert isinstance(open_source("97"), CameraSource)
    assert isinstance(open_source("rtsp://10.0.0.7/door"), UrlSource)
    assert isinstance(open_source(str(picture)), PictureSource)
    clip = open_source(str(tmp_path / "clip.mp4"), loop=True)
    assert isinstance(clip, FileSource)
    assert clip.loop
    assert isinstance(open_source("auto"), CameraSource if cameras() else DemoSource)


def test_an_unknown_word_names_itself_and_what_there_is() -> None:
    with pytest.raises(SourceMissing) as refusal:
        open_source("no such thing")
    assert "no such thing" in one_line(refusal)
    assert all(camera.name in one_line(refusal) for camera in cameras())


@pytest.mark.parametrize(
    ("word", "said"),
    [
        ("{folder}", "is a folder"),
        ("{folder}/none.mp4", "there is no file"),
        ("rtsp://", "names no server"),
        ("rtsp:///me:secret@cam/x", "cam/x names no server"),
        ("rtsp://me:secret@ho\u2100st/x", "ho\u2100st/x is no address"),
        ("http:///stream", "names no server"),
    ],
)
def test_words_that_mean_no_source_are_refused_for_what_they_are(
    tmp_path: Path, word: str, said: str
) -> None:
    with pytest.raises(SourceMissing) as refusal:
        open_source(word.format(folder=tmp_path))
    assert said in one_line(refusal)
    assert "camera" not in one_line(refusal)


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def folder_at_an_address(tmp_path: Path) -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(_Quiet, directory=tmp_path)) as http:
        thread = Thread(target=http.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{http.server_port}"
        http.shutdown()
        thread.join()


def test_a_whole_file_at_an_address_has_its_own_times_and_an_end(
    tmp_path: Path, folder_at_an_address: str
) -> None:
    write_video(tmp_path / "clip.mp4", EVEN)
    source = UrlSource(f"{folder_at_an_address}/clip.mp4")
    frames = list(source.frames())
    assert not source.live
    assert len(frames) == len(EVEN)
    assert frames[-1].time_s == pytest.approx(float(EVEN[-1]), abs=1e-6)


def test_a_file_at_an_address_ends_with_its_picture_though_its_sound_goes_on(
    tmp_path: Path, folder_at_an_address: str
) -> None:
    write_video(tmp_path / "clip.mkv", EVEN, sound="pcm_s16le", sound_s=0.72)
    source = UrlSource(f"{folder_at_an_address}/clip.mkv")
    assert len(list(source.frames())) == len(EVEN)
    assert not source.live


def test_a_file_at_an_address_that_is_cut_short_is_lost(
    tmp_path: Path, folder_at_an_address: str
) -> None:
    path = tmp_path / "clip.mkv"
    write_video(path, EVEN)
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 2 // 3])
    frames: list[Frame] = []
    with pytest.raises(SourceLost):
        frames.extend(UrlSource(f"{folder_at_an_address}/clip.mkv").frames())
    assert 0 < len(frames) < len(EVEN)
