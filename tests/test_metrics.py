"""What `evaluate` measures, against exact answers."""

import cv2
import numpy as np
import pytest
import torch

from stylecam import assets
from stylecam.errors import SourceError
from stylecam.evaluation import metrics
from stylecam.evaluation.evaluate import (
    PEER_STYLES,
    PHOTOS,
    Material,
    evaluate,
    read_photos,
    readable,
)
from stylecam.evaluation.streams import STILL_FRAMES
from stylecam.style import find
from stylecam.stylizer import Stylizer
from stylecam.training.data import to_tensor
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
    exposures = np.array([frame.mean() / photo.mean() for frame in metrics.still(photo, 40)])
    assert 0.001 < np.abs(np.diff(exposures)).mean() < 0.003
    assert 0.003 < np.abs(exposures - 1).max() < 0.006


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


def test_a_photo_is_panned_exactly_as_it_says(photo):
    frames, motion = metrics.panned(photo, 14)
    moved = [np.abs(motion(i)[:, 2]).max() for i in range(1, 14)]
    assert 0.5 < np.mean(moved) < 10  # pixels
    exact = metrics.exact_warp_error(frames, motion)
    wrong = metrics.exact_warp_error(frames, lambda i: cv2.invertAffineTransform(motion(i)))
    assert exact < 0.02  # of which the noise is 0.011
    assert wrong > 2 * exact


def test_warp_error_of_the_smallest_frames_is_a_number():
    source = DemoSource((32, 32), frames=12, paced=False)
    frames = [frame.pixels for frame in source.frames()]
    assert 0 < metrics.exact_warp_error(frames, source.motion) < 0.2


def test_what_was_hidden_is_no_warp_error(photo):
    patch, frames = np.ascontiguousarray(photo[100:180, 100:160, ::-1]), []
    for i in range(14):
        frames.append(photo.copy())
        frames[-1][100:180, 16 * i + 20 : 16 * i + 80] = patch
    assert metrics.clip_warp_error(frames, frames) < 0.018  # 0.027 if what was hidden counted


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


def test_content_is_that_of_features_without_their_mean_and_contrast(photo):
    encoder = load_encoder(assets.ENCODER)
    measure, other = metrics.StyleMeasure(encoder), np.ascontiguousarray(photo[::-1])
    _, content = measure.style_and_content(other, photo, measure.grams(photo))
    with torch.no_grad():
        a, b = (encoder(to_tensor(each))[2][0].numpy() for each in (other, photo))
    a, b = ((each - each.mean((1, 2), keepdims=True)) for each in (a, b))
    a, b = ((each / np.sqrt((each**2).mean((1, 2), keepdims=True) + 1e-5)) for each in (a, b))
    expected = 1 - np.mean(a * b) / np.sqrt((a**2).mean() * (b**2).mean())
    assert content == pytest.approx(expected, rel=1e-4)


class Same:
    """A rival that paints as we do."""

    def __init__(self, style):
        self._stylizer = Stylizer(style, "cpu", steadiness=0)

    def paint(self, picture, style=0):
        return picture

    def paint_like(self, picture, painting):
        return self._stylizer.still(picture)


class Nothing(Same):
    """A rival that leaves every picture as it is."""

    def paint_like(self, picture, painting):
        return picture


@pytest.mark.parametrize(("rival", "share"), [(Same, 0.0), (Nothing, 1.0)])
def test_a_rival_is_measured_alike(tmp_path, photo, rival, share):
    (tmp_path / "udnie.jpg").write_bytes((assets.STYLES / "udnie.jpg").read_bytes())
    write_picture(tmp_path / "photo.png", photo[:128, :160])
    material = Material([tmp_path / "photo.png"], paintings=tmp_path)
    row, identity, photos, *peers = evaluate(
        ["udnie"], material, rival=rival("udnie"), device="cpu"
    )
    assert row.at_most_half == share
    if rival is Same:
        assert (row.peer_style, row.peer_content) == (row.style, row.content)
    assert identity.psnr > 30
    seen = read_photos(material)[0]
    assert photos.flicker == pytest.approx(metrics.flicker(metrics.still(seen, STILL_FRAMES)))
    assert photos.photo_warp == pytest.approx(
        metrics.exact_warp_error(*metrics.panned(seen, STILL_FRAMES))
    )
    assert len(peers) == len(PEER_STYLES)
    assert all(peer.flicker == photos.flicker and peer.warp == photos.warp for peer in peers)
    assert row.steady_photo_warp < row.photo_warp


def test_a_photo_that_cannot_be_read_is_left_out_and_named_once(tmp_path, caplog):
    good, bad = tmp_path / "a.jpg", tmp_path / "b.jpg"
    good.write_bytes(assets.PORTRAIT.read_bytes())
    bad.write_bytes(assets.PORTRAIT.read_bytes()[:300])
    assert readable([good, bad]) == [good]
    assert caplog.text.count("b.jpg") == 1
    for paths, said in (([bad], "b.jpg is not a picture"), ([bad, bad], "none of the 2 pictures")):
        with pytest.raises(SourceError, match=said):
            readable(paths)


def test_a_style_is_measured_at_the_size_of_the_picture_that_it_was_learnt_from(tmp_path):
    side = find("shipwreck").side
    (tmp_path / "shipwreck.jpg").write_bytes(assets.PORTRAIT.read_bytes())
    material = Material([assets.PORTRAIT], paintings=tmp_path)
    row = next(evaluate(["shipwreck"], material, device="cpu"))
    assert min(row.sheets[PHOTOS][0].shape[:2]) == side != STYLE_SIDE


def test_flicker_is_measured_on_every_photo(tmp_path, photo):
    paths = tmp_path / "photo.png", tmp_path / "darker.png"  # too alike to be taken for a cut
    write_picture(paths[0], photo[:160])
    write_picture(paths[1], photo[:160] - photo[:160] // 16)

    def flickers(*photos):
        row = next(evaluate(["starry-night"], Material(photos), device="cpu"))
        return np.array([row.flicker, row.steady_flicker])

    one, other = flickers(paths[0]), flickers(paths[1])
    assert np.abs(one - other).min() > 1e-4
    np.testing.assert_allclose(flickers(*paths), (one + other) / 2)
