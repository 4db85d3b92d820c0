"""Optical flow between two frames, warping by it, and where not to trust it. Pure functions.

Knows nothing about styles or the network. Works on *small* frames: grey (h, w), a quarter of the
frame's size, at which flow takes a fraction of a millisecond. Flow is float32 (h, w, 2), (x, y) in
small pixels, and backward: for each pixel of the current frame it says how far away it was in the
previous one, so that warping never leaves holes.
"""

from __future__ import annotations

from functools import lru_cache

import cv2
import numpy as np

from stylecam import resolution

SHRINK = 0.25

NARROWEST = 160
"""Least width in pixels to shrink a frame to, even if that is more than a quarter of its width."""

SHORTEST_SIDE = 48
"""Small pixels that the shorter side must have for flow."""

PATCH = 5
"""Small pixels, across and down, over which differences are averaged, to suppress noise."""

NOISE_LEVELS = 2.0
"""Difference, in levels of 255, up to which two small frames count as showing the same."""

TRUST_FALL = 0.45
"""Exponential rate at which trust falls with each level of difference above that."""

GAIN = (0.05, 0.15)
"""Levels by which the flow must explain a place better than rest does. Up to the first, the flow
may be due to noise and the place counts as still; from the second on, it counts as moving."""

SAMPLE_STEP = 8
"""Distance in small pixels, across and down, at which flow is sampled for the camera's motion."""

INLIER_DISTANCE = 0.75
"""Distance in small pixels from that motion up to which a sample is an inlier for RANSAC."""

INLIERS = 0.6
"""Share of the samples that must be inliers. With so many, one in three of the pairs that RANSAC
draws holds two of them."""

RANSAC_TRIES = 50
"""Iterations of RANSAC."""

REACH = 25
"""Small pixels, across and down, over which motion is judged, so that a flat place moves with its
surroundings."""


def shrink(pixels: np.ndarray) -> np.ndarray:
    """uint8 RGB (H, W, 3) → its small frame, uint8 (h, w)."""
    height, width = pixels.shape[:2]
    factor = min(1.0, max(SHRINK, NARROWEST / width))
    size = (max(1, round(height * factor)), round(width * factor))
    grey = resolution.shrink(cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY), size)
    return cv2.GaussianBlur(grey, (5, 5), 0)


class Flow:
    """Backward flow by dense inverse search (Kroeger et al. 2016, arXiv 1603.03590).

    Reuses its buffers from call to call: use one for each stream, and not on two threads at once.
    """

    def __init__(self) -> None:
        self._dis = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_ULTRAFAST)

    def __call__(self, now: np.ndarray, before: np.ndarray) -> np.ndarray:
        """Small frames → small flow, or zeros if a side is too short for DIS, which would crash."""
        if min(now.shape) < SHORTEST_SIDE:
            return np.zeros((*now.shape, 2), np.float32)
        return self._dis.calc(now, before, None)  # type: ignore[call-overload]


def enlarge(flow: np.ndarray, size: tuple[int, int], out: np.ndarray | None = None) -> np.ndarray:
    """Small flow enlarged to a frame of `size` (height, width), in its pixels, float32 (H, W, 2);
    written to `out` if that is given."""
    height, width = size
    scale = (width / flow.shape[1], height / flow.shape[0], 0, 0)
    pixels = cv2.multiply(flow, scale)  # type: ignore[call-overload]
    return cv2.resize(pixels, (width, height), out, interpolation=cv2.INTER_LINEAR)


def warp(
    picture: np.ndarray,
    flow: np.ndarray,
    out: np.ndarray | None = None,
    interpolation: int = cv2.INTER_LINEAR,
) -> np.ndarray:
    """The previous picture, (H, W) or (H, W, 3), warped to now by flow in its own pixels. Flow of
    only a part gives that part; the part's (x, y) corner must have been added to the flow."""
    how = interpolation | cv2.WARP_RELATIVE_MAP
    return cv2.remap(picture, flow, None, how, out, cv2.BORDER_REPLICATE)  # type: ignore[call-overload]


@lru_cache(maxsize=2)
def _grid(height: int, width: int) -> np.ndarray:
    """Each pixel's (x, y), float32 (h, w, 2); cached, since each frame needs it more than once."""
    across, down = np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32)
    return np.stack(np.meshgrid(across, down), -1)


def difference(now: np.ndarray, then: np.ndarray) -> np.ndarray:
    """Mean difference of two small frames, float32 (h, w), around each pixel, in levels."""
    return cv2.blur(cv2.absdiff(now, then), (PATCH, PATCH))


def moving(now: np.ndarray, before: np.ndarray, flow: np.ndarray) -> np.ndarray:
    """1 where the previous frame explains the current one better when warped by flow than as it
    was, 0 where nothing moved or nothing can be told, with soft transitions. float32 (h, w), like
    the frames."""
    as_it_was, warped = cv2.absdiff(now, before), cv2.absdiff(now, warp(before, flow))
    gain = cv2.blur(as_it_was - warped, (REACH, REACH))
    likely = np.clip((gain - GAIN[0]) / (GAIN[1] - GAIN[0]), 0, 1)
    return cv2.dilate(likely, np.ones((PATCH, PATCH), np.uint8))


def camera(flow: np.ndarray, known: np.ndarray) -> np.ndarray | None:
    """The camera's motion: the shift, rotation and zoom that most of the frame agrees on, as a
    (2, 3) matrix from small pixels now to where they were before, or None if there is none.
    `known` (h, w) is above 0.5 where the flow is reliable and something moves."""
    few = np.s_[SAMPLE_STEP // 2 :: SAMPLE_STEP, SAMPLE_STEP // 2 :: SAMPLE_STEP]
    told = known[few] > 0.5
    if told.mean() < INLIERS:
        return None
    now = _grid(*flow.shape[:2])[few]
    # One refining step is enough, since the problem is linear.
    before, inliers = cv2.estimateAffinePartial2D(
        now[told],
        (now + flow[few])[told],
        ransacReprojThreshold=INLIER_DISTANCE,
        maxIters=RANSAC_TRIES,
        refineIters=1,
    )
    return before if before is not None and inliers.sum() >= INLIERS * told.size else None


def trust(different: np.ndarray, flow: np.ndarray) -> np.ndarray:
    """1 where the previous small frame, warped by the flow, shows what is there now; 0 where it
    does not: occlusions, wrong flow, changed light, and what was outside the frame. Edges are soft.
    `different` is the `difference` of the current and the warped frame."""
    height, width = different.shape
    places = flow + _grid(height, width)
    inside = cv2.inRange(places, (0, 0), (width - 1, height - 1)).astype(np.float32) / 255
    alike = cv2.exp(np.minimum(TRUST_FALL * (NOISE_LEVELS - different), 0))
    return cv2.blur(cv2.erode(alike * inside, np.ones((3, 3), np.uint8)), (PATCH, PATCH))
