"""The live pipeline on the demo and on files: the newest frame wins, no frame goes uncounted, and
every thread is joined."""

import itertools
import subprocess
import sys
import threading
import time
from dataclasses import replace

import av
import cv2
import numpy as np
import pytest

from stylecam import cache, headless
from stylecam.errors import RecordingError, SourceLost, SourceMissing, UnknownStyle
from stylecam.frame import Frame
from stylecam.live import PACE, Control, Live, Snapshot, known_pace
from stylecam.settings import Look, Settings
from stylecam.stylizer import Stylizer
from stylecam.video.demo import DemoSource
from stylecam.video.media import FileSource, PictureSource
from stylecam.video.picture import write_picture
from stylecam.video.recorder import Recorder
from stylecam.video.sources import open_source

PATIENCE_S = 60.0
SMALL = (160, 120)


def until(live: Live, condition, patience=PATIENCE_S):
    """Returns the first snapshot for which `condition` holds; raises the pipeline's own error."""
    deadline = time.monotonic() + patience
    while not condition(shot := live.snapshot()):
        if shot.error:
            raise shot.error
        assert not shot.ended, "the pipeline ended early"
        assert time.monotonic() < deadline, f"still waiting: {shot}"
        time.sleep(0.01)
    return shot


@pytest.fixture
def running():
    """Starts pipelines. At the end it stops them and checks that no thread is left."""
    before = set(threading.enumerate())
    lives = []

    def start(source, control=Control(), **options):
        lives.append(Live(source, control, **options))
        lives[-1].start()
        return lives[-1]

    yield start
    for live in lives:
        live.stop()
        assert live.snapshot().ended
    left = [t.name for t in set(threading.enumerate()) - before]
    assert not left


def test_the_demo_is_painted(running):
    live = running(DemoSource(SMALL), device="cpu")
    shot = until(live, lambda s: s.delivered >= 20)
    assert shot.frame.pixels.shape == (120, 160, 3)
    assert shot.frame.index == shot.original.index
    assert not np.array_equal(shot.frame.pixels, shot.original.pixels)
    assert shot.device.startswith("OpenVINO")
    assert 0 < shot.latency_s < PATIENCE_S
    assert len(live.latencies()) >= 20


class Burst:
    """One frame, then 40 at once when told to go on: faster than they can be painted."""

    name, live, mirrored, rate = "burst", True, False, 30.0

    def __init__(self, painted: threading.Event):
        self._painted = painted

    def frames(self):
        pixels = np.zeros((64, 64, 3), np.uint8)
        yield Frame(pixels, 0, time.monotonic())
        self._painted.wait(PATIENCE_S)
        for index in range(1, 41):
            yield Frame(pixels, index, time.monotonic())
        self._painted.clear()
        self._painted.wait(PATIENCE_S)


def test_no_frame_waits_for_the_network_to_be_compiled(running, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))  # where nothing is compiled yet
    live = running(DemoSource(SMALL, 60.0), device="cpu")
    until(live, lambda s: s.delivered >= 30)
    first, *others = live.latencies()
    assert first <= 3 * max(others)


def test_the_newest_frame_wins_and_gaps_are_counted(running):
    go_on = threading.Event()
    live = running(Burst(go_on), device="cpu")
    until(live, lambda s: s.delivered == 1)
    go_on.set()
    shot = until(live, lambda s: s.frame.index == 40)
    assert shot.delivered + shot.dropped == 41
    go_on.set()


class Stalling:
    """A camera with two frames, each of which comes only when an event is set."""

    name, live, mirrored, rate = "stalling", True, False, 30.0

    def __init__(self):
        self.answers, self.goes_on = threading.Event(), threading.Event()

    def frames(self):
        for index, told in enumerate((self.answers, self.goes_on)):
            told.wait(PATIENCE_S)
            yield Frame(np.zeros((64, 64, 3), np.uint8), index, time.monotonic())


def test_a_source_that_stalls_is_told_of(running):
    source = Stalling()
    live = running(source, device="cpu")
    shot = until(live, lambda s: s.device)
    assert not shot.opened
    source.answers.set()
    shot = until(live, lambda s: s.waiting)
    assert shot.opened
    assert (shot.delivered, shot.fps) == (1, 0.0)
    source.goes_on.set()
    while live.snapshot().waiting:
        time.sleep(0.01)
    assert live.snapshot().delivered == 2


def test_control_takes_effect_while_it_runs(running):
    live = running(DemoSource(SMALL, noise=0), Control(Look(strength=0.0)), device="cpu")
    near = until(live, lambda s: s.delivered > 3)
    live.update(Control(Look({"the-scream": 1.0})))
    far = until(live, lambda s: s.delivered > near.delivered + 3)

    def distance(shot):
        return np.abs(shot.frame.pixels.astype(int) - shot.original.pixels).mean()

    assert distance(near) < distance(far)


class Facing(DemoSource):
    """The demo as a camera that faces its user."""

    mirrored = True


@pytest.mark.parametrize(("source", "turned"), [(Facing, True), (DemoSource, False)])
def test_only_sources_that_face_their_user_are_mirrored(running, source, turned):
    live = running(source(SMALL, noise=0, paced=False, frames=1), device="cpu")
    while not (shot := live.snapshot()).ended:
        time.sleep(0.01)
    straight = next(DemoSource(SMALL, noise=0, paced=False).frames()).pixels
    expected = straight[:, ::-1] if turned else straight
    assert np.array_equal(shot.original.pixels, expected)


def test_a_file_plays_at_its_own_pace_and_ends(running, tmp_path):
    clip = tmp_path / "clip.mp4"
    with Recorder(clip, 20.0) as recorder:
        for frame in DemoSource(SMALL, 20.0, frames=10, paced=False).frames():
            recorder.put(frame)
    began = time.monotonic()
    live = running(FileSource(clip), device="cpu")
    while not (shot := live.snapshot()).ended:
        time.sleep(0.01)
    assert shot.error is None
    assert shot.frame.index == 9
    assert shot.delivered + shot.dropped == 10
    assert time.monotonic() - began >= 9 / 20


class Timed(DemoSource):
    """Notes when its only frame was asked for, and when another one was."""

    def frames(self):
        self.began = time.monotonic()
        yield from super().frames()
        self.asked_for_more = time.monotonic()


def test_the_clock_of_a_file_starts_when_its_first_frame_is_painted(running):
    source = Timed(SMALL, paced=False, frames=1)
    live = running(source, device="cpu")
    while not (shot := live.snapshot()).ended:
        time.sleep(0.01)
    # Loading the network and painting come before the frame's time: no recording may hold them.
    assert source.asked_for_more - shot.frame.time_s < shot.frame.time_s - source.began


def test_a_recording_holds_what_was_painted(running, tmp_path):
    path = tmp_path / "out.mp4"
    live = running(DemoSource(SMALL), Control(recording=path), device="cpu")
    until(live, lambda s: s.recording == path and s.recorded_s > 1)
    live.update(Control())
    shot = until(live, lambda s: s.recording is None)
    assert shot.recording_error is None
    with av.open(str(path)) as file:
        times = [frame.time for frame in file.decode(video=0)]
        assert file.streams.video[0].width == SMALL[0]
    assert times[-1] > 0.9
    assert np.all(np.diff(times) > 0)
    assert live.snapshot().delivered >= len(times)


FULL_DISK = """
import resource, signal, sys, time
from pathlib import Path
from stylecam.live import Control, Live
from stylecam.video.demo import DemoSource
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
path = Path(sys.argv[1])
live = Live(DemoSource((160, 120)), Control(recording=path), device="cpu")
live.start()
while live.snapshot().recorded_s < 1.5:
    time.sleep(0.01)
# No room for the table that closing writes.
room = path.stat().st_size
resource.setrlimit(resource.RLIMIT_FSIZE, (room, room))
live.update(Control())
while live.snapshot().recording is not None or live.snapshot().recording_error is None:
    time.sleep(0.01)
seen = live.snapshot().delivered
while live.snapshot().delivered < seen + 10:
    time.sleep(0.01)
live.stop()
print(live.snapshot().ended, live.snapshot().recording_error)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="there is no RLIMIT_FSIZE")
def test_a_disk_that_fills_up_as_a_recording_ends_leaves_the_picture_going(tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", FULL_DISK, str(tmp_path / "out.mp4")],
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
    )
    assert done.stdout.startswith("True the disk of"), done.stderr
    with av.open(str(tmp_path / "out.mp4")) as file:
        assert sum(1 for _ in file.decode(video=0)) > 10


def test_stopping_finishes_the_recording(running, tmp_path):
    path = tmp_path / "out.mp4"
    live = running(DemoSource(SMALL), Control(recording=path), device="cpu")
    until(live, lambda s: s.recorded_s > 0.5 and s.delivered > 10)
    live.stop()
    with av.open(str(path)) as file:
        assert sum(1 for _ in file.decode(video=0)) > 5


def test_what_the_encoder_could_not_follow_is_counted(tmp_path):
    path, live = tmp_path / "out.mp4", Live(DemoSource(SMALL))
    noise = np.random.default_rng(0).integers(0, 256, (1080, 1920, 3), np.uint8)
    for index in range(60):
        live._record(Frame(noise, index, index / 30), path)
    live._record(None, None)
    left_out = live.snapshot().left_out
    assert 0 < left_out < 60
    with av.open(str(path)) as movie:
        assert sum(1 for _ in movie.decode(video=0)) == 60 - left_out


def test_the_last_snapshot_has_the_whole_length_of_the_recording(tmp_path):
    path = tmp_path / "out.mp4"
    # So large that the encoder has not caught up yet when the time is over.
    large = replace(Settings(), width=1920, height=1080, device="cpu")
    shot = headless.run("demo", large, seconds=1.5, record=path)
    with av.open(str(path)) as movie:
        assert shot.recorded_s == pytest.approx(movie.duration / av.time_base, abs=0.01)


def test_a_recording_that_cannot_be_written_leaves_the_picture_going(running, tmp_path):
    (tmp_path / "file").write_text("")
    control = Control(recording=tmp_path / "file" / "out.mp4")
    live = running(DemoSource(SMALL), control, device="cpu")
    shot = until(live, lambda s: s.recording_error is not None)
    assert isinstance(shot.recording_error, RecordingError)
    until(live, lambda s: s.delivered > shot.delivered + 10)
    live.update(Control())
    until(live, lambda s: s.recording is None)


class Watched(Live):
    """Takes a snapshot whenever it changes its state or its recording."""

    def __setattr__(self, name, value):
        super().__setattr__(name, value)
        if name in ("_state", "_recording") and hasattr(self, "_threads"):
            self.seen.append(self.snapshot())


def test_no_snapshot_misses_what_broke_a_recording(tmp_path):
    (tmp_path / "file").write_text("")
    live, deadline = Watched(DemoSource(SMALL)), time.monotonic() + PATIENCE_S
    live.seen = []
    frame = Frame(np.zeros((64, 64, 3), np.uint8), 0, 0.0)
    live._record(frame, tmp_path / "file" / "out.mp4")
    while not live.snapshot().recording_error:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    live.seen.clear()
    live._record(None, None)
    assert len(live.seen) == 2
    assert all(shot.recording_error for shot in live.seen)
    assert live.snapshot().recording is None


def test_what_broke_a_recording_is_seen_before_the_next_begins(tmp_path):
    (tmp_path / "file").write_text("")
    live, deadline = Live(DemoSource(SMALL)), time.monotonic() + PATIENCE_S
    frame = Frame(np.zeros((64, 64, 3), np.uint8), 0, 0.0)
    live._record(frame, tmp_path / "file" / "out.mp4")
    while not live.snapshot().recording_error:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    live._record(frame, tmp_path / "next.mp4")
    assert live.snapshot().recording_error
    live._record(frame, tmp_path / "next.mp4")
    assert live.snapshot().recording_error is None
    live._record(None, None)
    assert (tmp_path / "next.mp4").exists()


class Dying(DemoSource):
    def frames(self):
        yield from DemoSource(SMALL, frames=3).frames()
        raise SourceLost("the camera was unplugged; plug it in and retry")


@pytest.mark.parametrize(
    ("source", "control", "error"),
    [
        (Dying(), Control(), SourceLost),
        (lambda: open_source("97"), Control(), SourceMissing),
        (DemoSource(SMALL), Control(Look({"no-such-style": 1.0})), UnknownStyle),
    ],
)
def test_what_breaks_a_thread_reaches_the_user(running, source, control, error):
    live = running(source() if callable(source) else source, control, device="cpu")
    with pytest.raises(error):
        until(live, lambda s: False)
    live.stop()
    assert isinstance(live.snapshot().error, error)


class Counted(Stylizer):
    """Counts its paintings; those of a stream take as long as on a slow machine."""

    def __init__(self, **options):
        super().__init__(**options)
        self.streamed = self.stills = 0

    def __call__(self, pixels):
        self.streamed += 1
        time.sleep(0.05)
        return super().__call__(pixels)

    def still(self, pixels):
        self.stills += 1
        return super().still(pixels)


def test_a_picture_is_painted_as_well_as_can_be_and_then_no_more(running, photo, tmp_path):
    write_picture(tmp_path / "photo.png", photo)
    made = []

    def painter(**options):
        made.append(Counted(**options))
        return made[0]

    source = PictureSource(tmp_path / "photo.png", loop=True)
    live = running(source, Control(Look({"udnie": 1.0})), device="cpu", painter=painter)
    shot = until(live, lambda s: s.delivered > 20)
    (counted,) = made
    assert (counted.streamed, counted.stills) == (1, 1)
    assert (shot.scale, shot.spares) == (1.0, False)
    assert np.array_equal(shot.frame.pixels, Stylizer("udnie", "cpu").still(photo))
    live.update(Control(Look({"the-scream": 1.0})))
    until(live, lambda s: counted.stills == 2)
    assert counted.streamed == 2
    shot = until(live, lambda s: s.delivered > shot.delivered + 20)
    assert np.array_equal(shot.frame.pixels, Stylizer("the-scream", "cpu").still(photo))
    assert (counted.streamed, counted.stills) == (2, 2)


def test_a_network_that_is_slow_to_open_is_waited_for(running, monkeypatch):
    monkeypatch.setattr("stylecam.live.ANSWER_S", 0.0)
    opening, opened = threading.Event(), threading.Event()

    def painter(**options):
        opening.set()
        time.sleep(0.5)
        opened.set()
        return Stylizer(**options)

    live = running(DemoSource(SMALL), device="cpu", painter=painter)
    assert opening.wait(PATIENCE_S)
    live.stop()
    assert opened.is_set()


def test_a_bug_in_a_source_is_reported(running, caplog):
    class Broken(DemoSource):
        def frames(self):
            raise ZeroDivisionError

    live = running(Broken(), device="cpu")
    with pytest.raises(Exception, match="internal error: ZeroDivisionError"):
        until(live, lambda s: False)
    assert "the live picture failed" in caplog.text


def test_a_large_source_is_painted_smaller_and_keeps_its_size(running, tmp_path):
    path = tmp_path / "out.mp4"
    control = Control(recording=path)
    live = running(DemoSource((1920, 1080), 10.0), control, device="cpu")
    shot = until(live, lambda s: s.delivered >= 2)
    assert shot.scale < 1
    assert shot.frame.pixels.shape == (1080, 1920, 3)
    live.update(replace(control, adaptive=False))
    shot = until(live, lambda s: s.scale == 1)
    assert shot.frame.pixels.shape == (1080, 1920, 3)
    live.stop()
    assert live.snapshot().recording_error is None
    with av.open(str(path)) as file:
        sizes = {(frame.width, frame.height) for frame in file.decode(video=0)}
    assert sizes == {(1920, 1080)}


def test_a_snapshot_says_what_is_done_to_hold_the_rate():
    assert Snapshot().spared() == []
    assert Snapshot(spares=True).spared() == ["every 2nd frame painted"]
    assert Snapshot(scale=0.84, spares=True).spared() == ["84% size", "every 2nd frame painted"]


class Slow:
    """Paints white, which takes too long; carries in no time, slightly darker. Counts both."""

    description = "slow"

    def __init__(self, seconds: float):
        self.seconds, self.painted, self.carried = seconds, 0, 0

    def apply(self, look):
        self.able = look.steadiness > 0

    def prepare(self, size):
        pass

    def __call__(self, pixels):
        time.sleep(self.seconds)
        self.painted += 1
        return np.full_like(pixels, 255)

    def carry(self, pixels):
        if not self.able:
            return None
        self.carried += 1
        return np.full_like(pixels, 254)


@pytest.mark.parametrize("steadiness", [0.0, 0.7])
def test_every_second_frame_is_carried_where_there_is_no_time_for_more(running, steadiness):
    slow = Slow(1.2 / 30)
    control = Control(Look(steadiness=steadiness))
    live = running(DemoSource(SMALL, 30.0), control, painter=lambda device: slow)
    until(live, lambda s: s.spares or s.delivered > 60)
    seen = []
    shot = until(live, lambda s: bool(seen.append(s.frame)) or s.delivered > 120)
    assert shot.spares == (slow.carried > 0) == (steadiness > 0)
    if steadiness:
        # All frames are seen equally long. A carried one is made right after the painting; shown at
        # once, it would be on screen five sixths of the time.
        painted = np.mean([frame.pixels.max() == 255 for frame in seen])
        assert 0.35 < painted < 0.65


@pytest.mark.parametrize("known", [False, True])
def test_the_next_picture_begins_where_the_last_one_ended(running, known):
    source = DemoSource((640, 480), 30.0)

    def open_slow(device):
        return Slow(1.3 / 30)

    if known:
        live = running(source, Control(Look(steadiness=0.0)), painter=open_slow)
        ended = until(live, lambda s: s.scale < 1)
        live.stop()
    live = running(source, Control(Look(steadiness=0.0)), painter=open_slow)
    shot = until(live, lambda s: s.delivered)
    assert shot.scale == (ended.scale if known else 1)


@pytest.mark.parametrize("pace", ["no number", -1.0, 0.0, float("nan"), float("inf"), None, [2.0]])
def test_a_pace_that_makes_no_sense_is_forgotten(pace):
    cache.remember(PACE, {"here": pace, "there": 2.0})
    assert known_pace("here") is None
    assert known_pace("there") == 2.0


def test_steps_during_a_fade_do_not_change_the_size(running):
    look = Look(steadiness=0.0)
    live = running(
        DemoSource((640, 480), 30.0), Control(look), painter=lambda device: Slow(1.5 / 30)
    )
    for i in itertools.count():
        live.update(Control(replace(look, strength=i % 100 / 100)))
        time.sleep(0.005)
        if (shot := live.snapshot()).delivered >= 60:
            break
    assert shot.scale == 1
    until(live, lambda s: s.scale < 1)


class Compiling(Slow):
    """A slow painter that takes until `may_end` is set to prepare another size."""

    def __init__(self):
        super().__init__(1.5 / 30)
        self.may_end = threading.Event()
        self.sizes = []

    def prepare(self, size):
        self.sizes.append(size)
        if len(self.sizes) > 1:
            self.may_end.wait()


def test_the_picture_goes_on_while_another_size_is_prepared(running):
    painter = Compiling()
    control = Control(Look(steadiness=0.0))
    live = running(DemoSource((640, 480), 30.0), control, painter=lambda device: painter)
    until(live, lambda s: len(painter.sizes) > 1)
    seen = live.snapshot().delivered
    assert until(live, lambda s: s.delivered >= seen + 10).scale == 1
    painter.may_end.set()
    until(live, lambda s: s.scale < 1)


def test_4k_is_painted(running):
    live = running(DemoSource((3840, 2160), 5.0, noise=0), device="cpu")
    shot = until(live, lambda s: s.delivered >= 2)
    assert shot.frame.pixels.shape == (2160, 3840, 3)
    assert shot.scale <= 0.3
    near = cv2.resize(shot.frame.pixels, (480, 270), interpolation=cv2.INTER_AREA)
    assert near.std() > 20  # a picture, not a plain colour


@pytest.mark.parametrize("rate", [1.0, 240.0])
def test_the_slowest_and_the_fastest_sources(running, rate):
    live = running(DemoSource(SMALL, rate), device="cpu")
    first = until(live, lambda s: s.delivered)
    shot = until(live, lambda s: s.delivered >= (3 if rate == 1 else 100))
    begin = first.frame.index - first.delivered - first.dropped + 1
    assert shot.delivered + shot.dropped == shot.frame.index - begin + 1
    assert shot.scale == 1


class Promising:
    """A camera that delivers fewer frames than it promised, as in the dark."""

    name, live, mirrored, rate = "promising", True, False, 240.0

    def frames(self):
        yield from DemoSource(SMALL, 12.0).frames()


def test_the_delivered_rate_counts_and_not_the_promised_one(running):
    live = running(Promising(), device="cpu", painter=Counted)  # takes a little over 50 ms
    shot = until(live, lambda s: s.delivered >= 60)
    assert shot.scale == 1
    assert not shot.spares  # as it would for the promised rate


class Leaping(DemoSource):
    """A file whose times leap an hour ahead in its middle."""

    def frames(self):
        for frame in super().frames():
            yield replace(frame, time_s=frame.time_s + (3600 if frame.index >= 3 else 0))


def test_a_file_whose_times_leap_ahead_goes_on(running):
    live = running(Leaping(SMALL, paced=False, frames=6), device="cpu")
    while not (shot := live.snapshot()).ended:
        time.sleep(0.01)
    assert (shot.delivered + shot.dropped, shot.frame.index) == (6, 5)


class Script:
    """Frames one by one: each waits until the one before is painted."""

    name, live, mirrored, rate = "script", True, False, 30.0

    def __init__(self, pictures, times=None):
        self.pictures, self.times = pictures, times
        self.pipeline: Live | None = None
        self.painted = []

    def frames(self):
        while self.pipeline is None:
            time.sleep(0.002)
        for index, pixels in enumerate(self.pictures):
            time_s = self.times[index] if self.times else time.monotonic()
            yield Frame(pixels, index, time_s)
            while (shot := self.pipeline.snapshot()).frame is None or shot.frame.index < index:
                if shot.error:
                    return
                time.sleep(0.002)
            self.painted.append(shot.frame.pixels)


def played(running, pictures, times=None, control=Control()):
    """What the pipeline painted of the pictures, and its last snapshot."""
    source = Script(pictures, times)
    live = source.pipeline = running(source, control, device="cpu")
    while not (shot := live.snapshot()).ended:
        time.sleep(0.01)
    live.stop()
    assert shot.error is None
    assert (shot.delivered, shot.dropped) == (len(pictures), 0)
    return source.painted, live.snapshot()


def test_times_that_jump_back_or_repeat(running, tmp_path):
    pictures = [f.pixels for f in DemoSource(SMALL, frames=8, paced=False).frames()]
    times = [100.0, 100.1, 100.1, 40.0, 40.1, 40.0, 1e6, 7.0]
    path = tmp_path / "out.mp4"
    _, shot = played(running, pictures, times, Control(recording=path))
    assert shot.recording_error is None
    with av.open(str(path)) as file:
        written = [frame.time for frame in file.decode(video=0)]
    assert len(written) == len(pictures)
    assert np.all(np.diff(written) > 0)


def test_frames_that_change_size_midway(running, tmp_path, photo):
    sizes = [(160, 120), (120, 160), (1920, 1080), (161, 119), (32, 32), (64, 400), (160, 120)]
    pictures = [cv2.resize(photo, size) for size in sizes]
    path = tmp_path / "out.mp4"
    painted, shot = played(running, pictures, control=Control(recording=path))
    assert [p.shape[1::-1] for p in painted] == sizes
    assert np.array_equal(painted[0], painted[-1])  # nothing of the others is left in it
    assert shot.recording_error is None
    with av.open(str(path)) as file:
        assert sum(1 for _ in file.decode(video=0)) == len(sizes)


def test_frozen_and_black_frames(running, photo):
    still = np.ascontiguousarray(photo[:120, :160])
    black, grey = np.zeros_like(still), np.full_like(still, 128)
    painted, _ = played(running, [still] * 12 + [black] * 4 + [grey] * 4 + [still] * 12)
    for run in (painted[:12], painted[12:16], painted[16:20], painted[20:]):
        # While the scene is frozen, the painting may change by rounding and no more.
        assert np.abs(run[-1].astype(int) - run[-2]).max() <= 1
    assert np.array_equal(painted[0], painted[20])  # after a cut back, the painting is the same


def test_stopping_before_starting_is_allowed():
    live = Live(DemoSource(SMALL))
    live.stop()
    assert not live.snapshot().ended
