"""Flow, warping and the stabiliser: exact answers for known motion, figures for real paintings."""

import cv2
import numpy as np
import pytest

from stylecam import motion
from stylecam.stabilizer import KEEP_STILL, Stabilizer
from stylecam.stylizer import Stylizer
from stylecam.video.demo import DemoSource

SIZE = (320, 240)

FLOW_TOLERANCE = 0.3
"""Pixels."""


def noisy(picture: np.ndarray, rng: np.random.Generator, sigma: float = 2.0) -> np.ndarray:
    return np.clip(picture + rng.normal(0, sigma, picture.shape), 0, 255).round().astype(np.uint8)


def mean_difference(a: np.ndarray, b: np.ndarray) -> float:
    return float(np.abs(a.astype(int) - b).mean())


@pytest.fixture(scope="module")
def scene(photo):
    return cv2.resize(photo, SIZE, interpolation=cv2.INTER_AREA)


def test_a_known_shift_is_found_and_warps_back(scene):
    dx, dy = 3, -2
    before, now = scene[20:200, 20:280], scene[20 - dy : 200 - dy, 20 - dx : 280 - dx]
    small = [motion.shrink(np.ascontiguousarray(x)) for x in (now, before)]
    large = motion.enlarge(motion.Flow()(*small), before.shape[:2])
    found = np.median(large[20:-20, 20:-20], axis=(0, 1))
    assert found == pytest.approx([-dx, -dy], abs=FLOW_TOLERANCE)
    exact = np.full((*before.shape[:2], 2), (-dx, -dy), np.float32)
    back = motion.warp(np.ascontiguousarray(before), exact)
    assert np.array_equal(back[10:-10, 10:-10], now[10:-10, 10:-10])


def test_no_motion_warps_to_the_very_same(scene):
    assert np.array_equal(motion.warp(scene, np.zeros((240, 320, 2), np.float32)), scene)


def test_small_flow_enlarged_is_in_large_pixels():
    small = np.full((180, 320, 2), (1.0, -2.0), np.float32)
    large = motion.enlarge(small, (720, 1280))
    assert large.shape == (720, 1280, 2)
    assert np.allclose(large, (4.0, -8.0))


def test_what_appears_is_not_trusted_and_the_rest_is(scene):
    before = motion.shrink(scene)
    now = before.copy()
    now[80:160, 100:200] = 255 - now[80:160, 100:200]
    nowhere = np.zeros((*now.shape, 2), np.float32)
    trusted = motion.trust(now, before, nowhere)
    assert trusted[90:150, 110:190].mean() < 0.1
    assert trusted[10:60, 10:300].min() > 0.95
    outside = motion.trust(now, before, np.full((*now.shape, 2), (40, 0), np.float32))
    assert outside[:, -35:].max() < 0.5


def test_stillness_is_1_under_noise_and_0_under_motion(scene):
    rng = np.random.default_rng(0)
    before, now = (motion.shrink(noisy(scene, rng)) for _ in range(2))
    assert motion.stillness(now, before, motion.Flow()(now, before)).mean() > 0.6
    moved = np.full((*now.shape, 2), (1, 0), np.float32)
    assert motion.stillness(now, before, moved).max() == 0


def test_first_frame_new_size_and_cut_come_out_as_they_went_in(scene):
    steady = Stabilizer()
    painted = 255 - scene
    assert np.array_equal(steady(scene, painted), painted)
    steady(scene, painted)
    small = np.ascontiguousarray(scene[:120, :160])
    assert np.array_equal(steady(small, 255 - small), 255 - small)
    steady(scene, painted)
    steady(scene, painted)
    other = np.ascontiguousarray(scene[::-1, ::-1])
    assert np.array_equal(steady(other, scene), scene)
    steady.reset()
    assert np.array_equal(steady(scene, painted), painted)


@pytest.mark.parametrize("size", [(32, 32), (33, 47), (32, 500), (700, 33)])
def test_any_size_is_steadied(size):
    steady, picture = Stabilizer(), np.random.default_rng(0).integers(0, 255, (*size, 3), np.uint8)
    for _ in range(3):
        assert np.array_equal(steady(picture, picture), picture)


@pytest.mark.parametrize("level", [0, 128, 255])
def test_one_colour_and_black_frames_survive(level):
    steady, flat = Stabilizer(), np.full((64, 96, 3), level, np.uint8)
    for _ in range(3):
        assert np.array_equal(steady(flat, flat), flat)


def test_drawing_into_a_frame_does_not_reach_the_next(scene):
    steady = Stabilizer()
    for _ in range(3):
        out = steady(scene, scene.copy())
        assert np.array_equal(out, scene)
        out[:] = 0


def test_a_still_scene_follows_the_network_and_does_not_drift(scene):
    steady = Stabilizer()
    dark, light = scene // 2, scene // 2 + 60
    for _ in range(5):
        steady(scene, dark)
    for _ in range(25):
        out = steady(scene, light)
    # What is left is the rounding of the mix: half a level, over the share of the new.
    assert np.abs(out.astype(int) - light).max() <= 0.5 / (1 - KEEP_STILL) + 1


def test_no_ghost_is_left_behind_what_passes(scene):
    rng = np.random.default_rng(1)
    hand = np.ascontiguousarray(scene[60:140, 100:160, ::-1])
    steady = Stabilizer()
    for i in range(16):
        frame = scene.copy()
        x = 20 * i
        visible = min(60, SIZE[0] - x)
        frame[100:180, x : x + visible] = hand[:, :visible]
        frame = noisy(frame, rng)
        out = steady(frame, 255 - frame)
        if i > 4:
            passed = np.s_[105:175, max(0, x - 60) : x - 40]
            assert mean_difference(out[passed], 255 - frame[passed]) < 4


@pytest.fixture(scope="module")
def paintings():
    """The demo painted singly and steadied: photos, bare and steady outputs, and the source."""
    source = DemoSource(SIZE, frames=14, paced=False)
    bare = Stylizer("starry-night", "cpu", stabilize=False)
    steady = Stylizer("starry-night", "cpu", stabilize=True)
    frames = [frame.pixels for frame in source.frames()]
    return source, [bare(f) for f in frames], [steady(f) for f in frames]


def warp_error(source: DemoSource, outputs: list[np.ndarray]) -> float:
    """RMSE in [0, 1] against the output before, moved by the true motion, inside the frame."""
    errors = []
    for i in range(4, len(outputs)):
        moved = cv2.warpAffine(outputs[i - 1], source.motion(i), SIZE, flags=cv2.INTER_CUBIC)
        inside = np.s_[16:-16, 16:-16]
        errors.append(np.mean(((moved[inside].astype(float) - outputs[i][inside]) / 255) ** 2))
    return float(np.sqrt(np.mean(errors)))


def sharpness(outputs: list[np.ndarray]) -> float:
    """Mean absolute gradient across."""
    return float(np.mean([np.abs(np.diff(out.astype(int), axis=1)).mean() for out in outputs[4:]]))


def test_motion_is_steadier_and_stays_sharp(paintings):
    source, bare, steady = paintings
    assert warp_error(source, steady) < 0.7 * warp_error(source, bare)
    assert sharpness(steady) > 0.85 * sharpness(bare)


def test_a_still_scene_flickers_less_and_stays_sharp(scene):
    rng = np.random.default_rng(2)
    frames = [noisy(scene * (1 + wander), rng) for wander in rng.uniform(-0.005, 0.005, 10)]
    figures = []
    for stabilize in (False, True):
        stylizer = Stylizer("starry-night", "cpu", stabilize=stabilize)
        outputs = [stylizer(frame) for frame in frames]
        changes = [mean_difference(a, b) for a, b in zip(outputs[4:], outputs[3:], strict=False)]
        figures.append((np.mean(changes), sharpness(outputs)))
    (bare_flicker, bare_sharpness), (flicker, sharp) = figures
    assert flicker < 0.4 * bare_flicker
    assert sharp > 0.95 * bare_sharpness


def test_a_new_style_shows_at_once(scene):
    stylizer, single = Stylizer("starry-night", "cpu"), Stylizer("udnie", "cpu", stabilize=False)
    for _ in range(3):
        stylizer(scene)
    stylizer.style = "udnie"
    assert np.array_equal(stylizer(scene), single(scene))
