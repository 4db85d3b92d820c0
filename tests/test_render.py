"""Files in, painted files out, which are read again; broken files leave no trace."""

import subprocess
import sys
from fractions import Fraction

import av
import numpy as np
import pytest
from media import EVEN, write_slides, write_video

from stylecam import assets, render
from stylecam.errors import FrameError, RecordingError, SourceError, SourceMissing
from stylecam.stylizer import Stylizer
from stylecam.video.demo import DemoSource
from stylecam.video.media import FileSource
from stylecam.video.picture import read_picture, write_picture
from stylecam.video.recorder import Recorder

TIME_TOLERANCE_S = 0.002
SOUND_S = 0.05
"""Room for a frame of AAC, and for what its encoder adds at the start."""


@pytest.fixture(scope="module")
def stylizer():
    return Stylizer("great-wave", "cpu")


@pytest.fixture
def clip(tmp_path):
    path = tmp_path / "clip.mp4"
    with Recorder(path, 24.0) as recorder:
        for frame in DemoSource((162, 121), 24.0, frames=12, paced=False).frames():
            recorder.put(frame)
    return path


def test_a_picture(stylizer, photo, tmp_path):
    write_picture(tmp_path / "in.png", photo)
    seen = list(render.render(stylizer, tmp_path / "in.png", tmp_path / "new" / "out.png"))
    assert np.array_equal(read_picture(tmp_path / "new" / "out.png"), stylizer.still(photo))
    assert seen == [(1, 1)]


def test_a_video_keeps_every_frame_and_its_time(stylizer, clip, tmp_path):
    seen = list(render.render(stylizer, clip, tmp_path / "out.mp4"))
    before, after = list(FileSource(clip).frames()), list(FileSource(tmp_path / "out.mp4").frames())
    assert len(after) == len(before) == 12
    assert after[0].pixels.shape == before[0].pixels.shape
    for ours, theirs in zip(after, before, strict=True):
        assert abs(ours.time_s - theirs.time_s) < TIME_TOLERANCE_S
    assert seen[-1] == (12, 12)
    assert all(done < total for done, total in seen[:-1])
    assert sorted(p.name for p in tmp_path.iterdir()) == ["clip.mp4", "out.mp4"]


def test_a_video_ends_when_its_last_picture_and_its_sound_do(stylizer, tmp_path):
    source, out = tmp_path / "slides.mkv", tmp_path / "out.mp4"
    write_slides(source, [Fraction(1, 5), Fraction(1, 2)], {440: True})
    list(render.render(stylizer, source, out))
    with av.open(str(out)) as container:
        ends = {t.type: float(t.duration * t.time_base) for t in container.streams}
    assert ends["video"] == pytest.approx(0.7, abs=TIME_TOLERANCE_S)
    assert ends["audio"] == pytest.approx(1.0, abs=SOUND_S)


@pytest.mark.parametrize("second", [False, True])
def test_the_sound_is_that_which_players_choose(stylizer, tmp_path, second):
    source, out = tmp_path / "film.mkv", tmp_path / "out.mp4"
    write_slides(source, [Fraction(1)], {440: not second, 880: second})
    list(render.render(stylizer, source, out))
    with av.open(str(out)) as container:
        wave = np.hstack([f.to_ndarray()[0] for f in container.decode(audio=0)])[4800:43200]
    loudest = np.abs(np.fft.rfft(wave)).argmax() * 48_000 / len(wave)
    assert loudest == pytest.approx(880 if second else 440, abs=5)


def test_a_folder_takes_every_picture_and_video(clip, tmp_path):
    write_picture(tmp_path / "b.jpg", np.zeros((40, 40, 3), np.uint8))
    (tmp_path / "notes.txt").write_text("")
    for hidden in ("._b.jpg", ".clip.17.mp4"):  # left by a Mac, and by a killed writer
        (tmp_path / hidden).write_text("")
    jobs = render.jobs(tmp_path, tmp_path / "out")
    assert [(a.name, b.name) for a, b in jobs] == [("b.jpg", "b.jpg"), ("clip.mp4", "clip.mp4")]


def test_nothing_takes_the_place_of_something_else(clip, tmp_path):
    (tmp_path / "clip.mov").write_bytes(clip.read_bytes())
    names = [painted.name for _, painted in render.jobs(tmp_path, tmp_path / "out")]
    assert names == ["clip.mov.mp4", "clip.mp4"]
    with pytest.raises(RecordingError, match=r"clip\.mp4 already exists; name the file"):
        render.jobs(tmp_path / "clip.mov", tmp_path)
    (tmp_path / "clip.mov.mp4").write_bytes(clip.read_bytes())
    for folder in (tmp_path, tmp_path / "out"):
        with pytest.raises(RecordingError, match="would overwrite the painting of"):
            render.jobs(tmp_path, folder)


def test_pictures_of_a_folder_do_not_bleed_into_one_another(stylizer, photo, tmp_path):
    for name, picture in (("a.png", photo), ("b.png", 255 - (255 - photo) // 2)):
        write_picture(tmp_path / name, picture)
        list(render.render(stylizer, tmp_path / name, tmp_path / f"out-{name}"))
    alone = stylizer.still(read_picture(tmp_path / "b.png"))
    assert np.array_equal(read_picture(tmp_path / "out-b.png"), alone)


def test_a_target_without_suffix_is_a_folder(tmp_path):
    jobs = render.jobs(assets.PORTRAIT, tmp_path / "out")
    assert jobs == [(assets.PORTRAIT, tmp_path / "out" / "portrait.jpg")]


def test_what_is_not_there_is_refused(tmp_path):
    with pytest.raises(SourceMissing, match="no file"):
        render.jobs(tmp_path / "none.png", tmp_path / "out.png")
    with pytest.raises(SourceMissing, match="no pictures"):
        render.jobs(tmp_path, tmp_path / "out")
    (tmp_path / "file").write_text("")
    with pytest.raises(RecordingError, match="is a file; name a folder"):
        render.jobs(tmp_path, tmp_path / "file")


def truncated_jpeg(path):
    path.write_bytes(assets.PORTRAIT.read_bytes()[:300])


def empty(path):
    path.write_bytes(b"")


def text(path):
    path.write_text("not a picture " * 100)


@pytest.mark.parametrize("spoil", [truncated_jpeg, empty, text])
@pytest.mark.parametrize("suffix", [".jpg", ".mp4"])
def test_files_that_cannot_be_read_leave_no_trace(stylizer, tmp_path, spoil, suffix):
    spoil(tmp_path / f"in{suffix}")
    with pytest.raises(SourceError) as caught:
        list(render.render(stylizer, tmp_path / f"in{suffix}", tmp_path / f"out{suffix}"))
    assert "\n" not in str(caught.value)
    assert [p.name for p in tmp_path.iterdir()] == [f"in{suffix}"]


def test_a_damaged_video_gives_what_it_has_and_is_told_of(stylizer, tmp_path, caplog):
    write_video(tmp_path / "whole.mp4", EVEN)
    data = bytearray((tmp_path / "whole.mp4").read_bytes())
    end = data.index(b"moov") - 4  # of the data of the pictures
    data[end - 100 : end] = bytes(100)
    (tmp_path / "hurt.mp4").write_bytes(data)
    for name in ("whole", "hurt"):
        list(render.render(stylizer, tmp_path / f"{name}.mp4", tmp_path / f"{name}.out.mp4"))
    (said,) = caplog.messages
    assert "hurt.mp4 is damaged; what could be read of it is in" in said
    assert 1 <= sum(1 for _ in FileSource(tmp_path / "hurt.out.mp4").frames()) <= len(EVEN)


def test_a_picture_too_small_is_refused(stylizer, tmp_path):
    write_picture(tmp_path / "in.png", np.zeros((1, 1, 3), np.uint8))
    with pytest.raises(FrameError, match=r"in.png is 1x1; its sides must have 32 to 8192"):
        list(render.render(stylizer, tmp_path / "in.png", tmp_path / "out.png"))


def test_targets_that_cannot_be_written_are_refused(stylizer, clip, tmp_path):
    with pytest.raises(RecordingError, match="is also the input"):
        list(render.render(stylizer, clip, clip))
    with pytest.raises(RecordingError, match="as MP4: write out.mp4, not out.avi"):
        list(render.render(stylizer, clip, tmp_path / "out.avi"))
    with pytest.raises(RecordingError, match="as MP4: write out.mp4, not out.png"):
        list(render.render(stylizer, clip, tmp_path / "out.png"))
    (tmp_path / "phone.heic").write_text("")
    with pytest.raises(SourceError, match="phone.heic is not a picture that can be read"):
        list(render.render(stylizer, tmp_path / "phone.heic", tmp_path / "out.jpg"))
    (tmp_path / "file").write_text("")
    with pytest.raises(RecordingError, match="cannot make"):
        list(render.render(stylizer, clip, tmp_path / "file" / "x" / "out.mp4"))
    (tmp_path / "folder.mp4").mkdir()
    with pytest.raises(RecordingError, match="cannot write"):
        list(render.render(stylizer, clip, tmp_path / "folder.mp4"))
    with pytest.raises(RecordingError, match="name it"):
        list(render.render(stylizer, assets.PORTRAIT, tmp_path / "out.xyz"))


FULL = """
import resource, signal, sys
from pathlib import Path
import numpy as np
from stylecam.errors import RecordingError
from stylecam.video.picture import write_picture
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (9000, 9000))
noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
try:
    write_picture(Path(sys.argv[1]), noise)
except RecordingError as error:
    print(error)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="there is no RLIMIT_FSIZE")
def test_a_full_disk_leaves_the_old_picture_and_gives_a_plain_message(tmp_path):
    path = tmp_path / "out.png"
    path.write_text("old")
    done = subprocess.run(
        [sys.executable, "-c", FULL, path], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == f"cannot write {path}: File too large"
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_ceasing_to_iterate_leaves_nothing_behind(stylizer, clip, tmp_path):
    going = render.render(stylizer, clip, tmp_path / "out.mp4")
    assert next(going) == (1, 12)
    going.close()
    assert [p.name for p in tmp_path.iterdir()] == ["clip.mp4"]
