"""Measures against exact answers."""

import cv2
import numpy as np
import pytest

from stylecam import assets
from stylecam.evaluation import metrics
from stylecam.evaluation.evaluate import PHOTOS, Material, evaluate
from stylecam.style import find
from stylecam.training.encoder import load_encoder
from stylecam.training.paint import STYLE_SIDE
from stylecam.video.demo import DemoSource
from stylecam.video.picture import write_picture


def test_psnr():
    black, grey = np.zeros((32, 32, 3), np.uint8), np.full((32, 32, 3), 255, np.uint8)
    assert metrics.psnr(black, black) == float("inf")
    assert metrics.psnr(black, grey) == pytest.approx(0)
    assert metrics.psnr(black + 51, black) == pytest.approx(20 * np.log10(5))


def test_flicker_is_the_change_of_brightness():
    frames = [np.full((40, 40, 3), 100 + 3 * (i % 2), np.uint8) for i in range(20)]
    assert metrics.flicker(frames) == pytest.approx(3, abs=1e-4)


def test_a_still_scene_has_the_noise_and_wander_that_it_says(photo):
    frames = metrics.still(photo, 12)
    quiet = photo[(photo > 20).all(2) & (photo < 235).all(2)]
    seen = frames[3][(photo > 20).all(2) & (photo < 235).all(2)]
    assert np.std(seen.astype(float) - quiet * (seen.mean() / quiet.mean())) == pytest.approx(
        2, abs=0.1
    )
    assert abs(seen.mean() / quiet.mean() - 1) <= 0.006


def test_sharpness_of_a_ramp():
    ramp = np.repeat(np.arange(0, 120, 3, dtype=np.uint8)[None, :, None], 40, 0).repeat(3, 2)
    assert metrics.sharpness([ramp] * 12) == pytest.approx(3, abs=1e-4)


def test_warp_errors_are_small_for_the_true_motion_and_large_for_the_wrong():
    source = DemoSource((320, 240), noise=0, frames=14, paced=False)
    frames = [frame.pixels for frame in source.frames()]
    exact = metrics.exact_warp_error(frames, source.motion)
    wrong = metrics.exact_warp_error(frames, lambda i: cv2.invertAffineTransform(source.motion(i)))
    assert exact < 0.02 < wrong
    assert metrics.clip_warp_error(frames, frames) < 0.02
    assert metrics.clip_warp_error(frames, [frames[i % 2 * 7] for i in range(14)]) > 0.05


def test_what_comes_into_a_clip_is_no_warp_error(photo):
    pan = [np.ascontiguousarray(photo[:, 8 * i : 8 * i + 128]) for i in range(12)]
    assert metrics.clip_warp_error(pan, pan) < 0.004


def test_a_picture_is_its_own_style_and_content(photo):
    measure = metrics.StyleMeasure(load_encoder(assets.ENCODER))
    own = measure.grams(photo)
    assert measure.style_and_content(photo, photo, own) == pytest.approx((0, 0), abs=1e-5)
    style, content = measure.style_and_content(np.ascontiguousarray(photo[::-1]), photo, own)
    assert style < 0.2
    assert content > 0.5


def test_a_style_is_measured_at_the_size_of_the_picture_that_it_was_learnt_from(tmp_path):
    side = find("shipwreck").side
    (tmp_path / "shipwreck.jpg").write_bytes(assets.PORTRAIT.read_bytes())
    material = Material([assets.PORTRAIT], paintings=tmp_path)
    row = next(evaluate(["shipwreck"], material, peer=False, device="cpu"))
    assert min(row.sheets[PHOTOS][0].shape[:2]) == side != STYLE_SIDE


def test_flicker_is_measured_on_every_photo(tmp_path, photo):
    paths = tmp_path / "photo.png", tmp_path / "darker.png"  # too alike to be taken for a cut
    write_picture(paths[0], photo[:160])
    write_picture(paths[1], photo[:160] - photo[:160] // 16)

    def flickers(*photos):
        row = next(evaluate(["starry-night"], Material(photos), peer=False, device="cpu"))
        return np.array([row.flicker, row.steady_flicker])

    one, other = flickers(paths[0]), flickers(paths[1])
    assert np.abs(one - other).min() > 1e-4
    np.testing.assert_allclose(flickers(*paths), (one + other) / 2)
