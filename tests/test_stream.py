"""Statistics as a stream's memory: exact when a scene begins, calm when something enters it."""

from itertools import pairwise

import cv2
import numpy as np
import pytest

from stylecam import engine, stream
from stylecam.stream import Stream
from stylecam.video.demo import DemoSource

EXACT_LEVELS = 1.0
"""Mean absolute difference to the network with each frame's own statistics, in fp32."""

MOVING_LEVELS = 3.0
"""The same while the camera moves."""

FADE_LEVELS = 20.0
"""The same while a picture fades in from black or white. If new scenes were recognised by levels
alone, it would be several times that."""

SAME_LEVELS = 0.001
"""Sums in another order may round a few bytes differently."""

SETTLED = 75
"""Frames after which a change must be painted exactly: two and a half seconds of most cameras."""


@pytest.fixture(scope="module", params=["cpu", "torch"])
def painter(request):
    return engine.open_engine(request.param, precision="fp32")


@pytest.fixture
def code(library):
    return library["udnie"].fine


@pytest.fixture(scope="module")
def scene(photo):
    return cv2.resize(photo, (80, 64), interpolation=cv2.INTER_AREA)


def difference(a: np.ndarray, b: np.ndarray) -> float:
    return float(np.abs(a.astype(int) - b).mean())


def test_a_scene_begins_as_the_exact_network_paints_it(painter, library, scene, code):
    frames = Stream(painter)
    other = library["great-wave"].fine
    negative, small = 255 - scene, np.ascontiguousarray(scene[:40, :48])
    for picture, chosen in (
        (scene, code),
        (negative, code),  # a cut
        (negative, other),
        (small, other),
        (scene, code),
    ):
        assert difference(frames.paint(picture, chosen), painter.paint(picture, chosen)) <= (
            EXACT_LEVELS
        )
    frames.reset()
    darker = scene - scene // 16
    assert difference(frames.paint(darker, code), painter.paint(darker, code)) <= EXACT_LEVELS


def test_the_same_frame_again_is_the_same_painting(painter, scene, code):
    frames = Stream(painter)
    first = frames.paint(scene, code)
    for _ in range(3 * stream.MEASURED_EVERY):
        assert difference(frames.paint(scene, code), first) <= SAME_LEVELS


def test_what_enters_changes_the_rest_slowly(painter, scene, code):
    entered = scene.copy()
    entered[12:44, 44:76] = 235  # a fifth of the picture
    left = np.s_[:, :24]
    jump = difference(painter.paint(entered, code)[left], painter.paint(scene, code)[left])
    frames = Stream(painter)
    outputs = [frames.paint(scene, code)]
    outputs += [frames.paint(entered, code) for _ in range(SETTLED)]
    assert max(difference(b[left], a[left]) for a, b in pairwise(outputs)) < 0.25 * jump
    assert difference(outputs[-1][left], painter.paint(entered, code)[left]) <= EXACT_LEVELS


@pytest.mark.parametrize("level", [0, 128])
def test_what_appears_in_an_empty_scene_is_painted_as_the_exact_network_does(
    painter, scene, code, level
):
    nothing = np.full_like(scene, level)
    title = nothing.copy()
    title[20:48, 20:55] = scene[20:48, 20:55]  # a fifth of the picture
    frames = Stream(painter)
    for _ in range(3):
        frames.paint(nothing, code)
    assert difference(frames.paint(title, code), painter.paint(title, code)) <= EXACT_LEVELS


def test_a_stream_has_work_done_meanwhile_where_a_device_can(painter, scene, code):
    frames, done = Stream(painter), []
    for _ in range(3):  # the first of which is measured
        frames.paint(scene, code, None, lambda: done.append(1))
    assert len(done) == (0 if painter.description.startswith("OpenVINO") else 2)


class Counting:
    """An engine that counts how often a picture is painted by its own statistics."""

    def __init__(self, engine):
        self.engine, self.own = engine, 0

    def paint_measured(self, picture, code, statistics, grain):
        self.own += statistics is None
        return self.engine.paint_measured(picture, code, statistics, grain)

    def paint_given(self, *given):
        return self.engine.paint_given(*given)


def test_noise_alone_is_no_other_scene(painter, code):
    rng = np.random.default_rng(0)
    counting = Counting(painter)
    frames = Stream(counting)
    for _ in range(40):
        frames.paint(rng.normal(16.5, 2, (64, 80, 3)).round().clip(0, 255).astype(np.uint8), code)
    assert counting.own <= 4


def test_a_moving_camera_is_painted_nearly_as_the_exact_network_does(painter, code):
    frames = Stream(painter)
    pictures = [f.pixels for f in DemoSource((112, 96), frames=40, paced=False).frames()]
    gaps = [difference(frames.paint(each, code), painter.paint(each, code)) for each in pictures]
    assert max(gaps) <= MOVING_LEVELS


@pytest.mark.parametrize("level", [0, 255])
def test_light_after_a_blank_frame_is_painted_as_it_is(painter, scene, code, level):
    """A blank frame's variances are 0; kept for the next scene, they would blow up its contrast."""
    frames = Stream(painter)
    for _ in range(3):
        frames.paint(np.full_like(scene, level), code)
    assert difference(frames.paint(scene, code), painter.paint(scene, code)) <= EXACT_LEVELS
    for share in np.linspace(0, 1, 60):  # a slow fade
        picture = (level + share * (scene - float(level))).astype(np.uint8)
        painted = frames.paint(picture, code)
        assert difference(painted, painter.paint(picture, code)) <= FADE_LEVELS
    for _ in range(SETTLED):
        painted = frames.paint(scene, code)
    assert difference(painted, painter.paint(scene, code)) <= EXACT_LEVELS
