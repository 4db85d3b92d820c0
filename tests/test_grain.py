"""The grain against exact answers: at rest, shifted, zoomed, and put back to rest."""

import cv2
import numpy as np
import pytest

from stylecam import body, motion
from stylecam.grain import STRETCH, Grain
from stylecam.stabilizer import Moved

SIZE, SMALL = (480, 640), (120, 160)
EXACT = 1e-4
CAMERA_PIXELS = 0.15
"""Tolerance, in small pixels, of the camera's motion found in flow with noise of 0.2."""
WHITE = 0.05
"""How far a grain's standard deviation may be from 1, and its neighbours' correlation from 0."""


def moved(flow, *, share=1.0):
    """How a scene moved of which the left `share` moves by `flow`, trusted everywhere."""
    moving = np.zeros(SMALL, np.float32)
    moving[:, : round(share * SMALL[1])] = 1
    ones = np.ones(SMALL, np.float32)
    return Moved(np.float32(flow * moving[..., None]), moving, ones, 0 * ones)


def shift(across, down):
    return np.full((*SMALL, 2), (across, down), np.float32)


@pytest.mark.parametrize("size", [SIZE, (375, 601), (64, 80)])
def test_it_begins_at_rest_and_a_zero_shift_leaves_it_there(size):
    grain, rest = Grain(), body.grain(*body.cells(*size))
    assert grain.carried(None, size) is None
    assert grain.carried(moved(shift(0, 0), share=0), size) is None
    np.testing.assert_allclose(grain.carried(moved(shift(0, 0)), size), rest, atol=EXACT)


def test_it_moves_as_the_camera_does_and_back_again():
    grain, rest = Grain(), body.grain(*body.cells(*SIZE))
    for _ in range(3):
        carried = grain.carried(moved(shift(-1, 2)), SIZE)
    np.testing.assert_allclose(carried[:-6, 3:], rest[6:, :-3], atol=EXACT)
    assert grain.carried(moved(shift(0, 0), share=0), SIZE) is carried  # it stays where it is
    back = grain.carried(moved(shift(3, -6)), SIZE)
    np.testing.assert_allclose(back, rest, atol=EXACT)


@pytest.mark.parametrize("size", [SIZE, (2880, 3840)])
def test_it_goes_on_however_far_the_camera_pans(size):
    """It repeats after 1024 pixels; three times that is a whole number of small pixels, too."""
    grain, repeats = Grain(), 3 * body.STRIDE * body.GRAIN_SIDE * SMALL[1] // size[1]
    for way in ((64, 0), (-64, 0), (0, 64), (-64, -64)):
        for _ in range(repeats // 64):
            carried = grain.carried(moved(shift(*way)), size)
        np.testing.assert_allclose(carried, body.grain(*body.cells(*size)), atol=EXACT)


def test_it_is_as_white_between_cells():
    for part in (0.25, 0.5):
        carried = Grain().carried(moved(shift(part, part)), SIZE)
        assert carried.std() == pytest.approx(1, abs=WHITE)
        assert abs(np.corrcoef(carried[:, 1:].ravel(), carried[:, :-1].ravel())[0, 1]) < WHITE


def test_one_thing_that_moves_leaves_it_at_rest():
    assert Grain().carried(moved(shift(2, 0), share=0.5), SIZE) is None
    assert Grain().carried(moved(shift(2, 0), share=0.9), SIZE) is not None


def test_it_begins_anew_at_a_cut_and_when_it_was_stretched():
    y, x = np.mgrid[: SMALL[0], : SMALL[1]].astype(np.float32)
    closer = np.stack([x - 80, y - 60], -1) * np.float32(-0.04)
    grain, carried = Grain(), []
    for _ in range(round(np.log(STRETCH) / 0.04) + 1):
        carried.append(grain.carried(moved(closer), SIZE))
    assert carried[5] is not None
    assert sum(each is None for each in carried) == 1
    grain.carried(moved(shift(2, 0)), SIZE)
    assert grain.carried(None, SIZE) is None
    assert grain.carried(moved(shift(0, 0), share=0), SIZE) is None


def test_the_cameras_motion_is_found_despite_an_object_moving_in_front_of_it():
    y, x = np.mgrid[: SMALL[0], : SMALL[1]].astype(np.float32)
    exact = cv2.getRotationMatrix2D((80, 60), 2.0, 0.97)
    exact[:, 2] += (1.5, -1)
    flow = np.stack([x, y, np.ones_like(x)], -1) @ exact.T - np.stack([x, y], -1)
    flow += np.random.default_rng(0).normal(0, 0.2, flow.shape)
    flow[30:90, 40:90] = (3, 3)
    told = np.ones(SMALL, np.float32)
    np.testing.assert_allclose(motion.camera(np.float32(flow), told), exact, atol=CAMERA_PIXELS)
    told[:, : SMALL[1] // 2] = 0
    assert motion.camera(np.float32(flow), told) is None
