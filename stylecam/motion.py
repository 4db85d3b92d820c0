"""Optical flow between two frames, warping by it, and where not to trust it. Pure functions.

Knows no style and no network. Frames are seen *small*: grey (h, w), a quarter of their size, at
which flow costs a fraction of a millisecond. Flow is float32 (h, w, 2), (x, y) in small
pixels, and backward: it says for each pixel of the frame now where it was before, so that warping
never leaves holes.
"""

from __future__ import annotations

from functools import lru_cache

import cv2
import numpy as np

from stylecam import resolution

SHRINK = 0.25

NARROWEST = 160
"""Pixels across below which a small frame is not made smaller."""

SHORTEST_SIDE = 48
"""Small pixels a side must have for flow."""

PATCH = 5
"""Small pixels over which differences are averaged, so that noise is no motion."""

NOISE_LEVELS = 2.0
"""Difference, in levels of 255, below which two small frames show the same."""

FALL = 0.45
"""How fast trust falls with each level of difference above that."""

GAIN = (0.05, 0.15)
"""Levels by which the flow must explain a place better than rest does to be more than a guess from
noise: up to the first it is one, from the second on it is none."""

SAMPLED = 8
"""Every so many small pixels, across and down, flow is looked at for the camera's motion."""

AGREED = 0.75
"""Small pixels from that motion within which a sample's flow is an inlier of RANSAC."""

MOST = 0.6
"""Share of the samples that must be inliers. Then two drawn at random both are in one of three."""

TRIES = 50
"""Of RANSAC."""

REACH = 25
"""Small pixels over which motion is judged, so that a flat place moves as its surroundings do."""


def shrink(pixels: np.ndarray) -> np.ndarray:
    """uint8 RGB (H, W, 3) → its small frame, uint8."""
    height, width = pixels.shape[:2]
    factor = min(1.0, max(SHRINK, NARROWEST / width))
    size = (max(1, round(height * factor)), round(width * factor))
    grey = resolution.shrink(cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY), size)
    return cv2.GaussianBlur(grey, (5, 5), 0)


class Flow:
    """Backward flow by dense inverse search (Kroeger et al. 2016, arXiv 1603.03590).

    Keeps its buffers from call to call: one for each stream, not for two threads at once.
    """

    def __init__(self) -> None:
        self._dis = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_ULTRAFAST)

    def __call__(self, now: np.ndarray, before: np.ndarray) -> np.ndarray:
        """Small frames → small flow; none where a side is too short for it, as DIS would crash."""
        if min(now.shape) < SHORTEST_SIDE:
            return np.zeros((*now.shape, 2), np.float32)
        return self._dis.calc(now, before, None)  # type: ignore[call-overload]


def enlarge(flow: np.ndarray, size: tuple[int, int], out: np.ndarray | None = None) -> np.ndarray:
    """Small flow as that of a frame of `size` (height, width), in its own pixels, float32
    (H, W, 2); in `out` if it is given."""
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
    """The picture before, (H, W) or (H, W, 3), moved to now by flow in its own pixels. Flow of a
    part of it gives that part, if the part's (x, y) corner has been added to it."""
    how = interpolation | cv2.WARP_RELATIVE_MAP
    return cv2.remap(picture, flow, None, how, out, cv2.BORDER_REPLICATE)  # type: ignore[call-overload]


@lru_cache(maxsize=2)
def _grid(height: int, width: int) -> np.ndarray:
    """Each pixel's own position, float32 (h, w, 2): kept, since a stream asks for it twice."""
    across, down = np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32)
    return np.stack(np.meshgrid(across, down), -1)


def difference(now: np.ndarray, then: np.ndarray) -> np.ndarray:
    """How much two small frames, float32 (h, w), differ round each pixel, in levels."""
    return cv2.blur(cv2.absdiff(now, then), (PATCH, PATCH))


def moving(now: np.ndarray, before: np.ndarray, flow: np.ndarray) -> np.ndarray:
    """1 where flow explains the frame now better than the one before does as it was, 0 where
    nothing moved or nothing can be told, float32 (h, w), soft between. Frames as float32."""
    as_it_was, warped = cv2.absdiff(now, before), cv2.absdiff(now, warp(before, flow))
    gain = cv2.blur(as_it_was - warped, (REACH, REACH))
    likely = np.clip((gain - GAIN[0]) / (GAIN[1] - GAIN[0]), 0, 1)
    return cv2.dilate(likely, np.ones((PATCH, PATCH), np.uint8))


def camera(flow: np.ndarray, known: np.ndarray) -> np.ndarray | None:
    """The camera's own motion: the shift, turn and zoom, (2, 3) from small pixels now to where they
    were before, that most of the frame agrees on; nothing where it does not move so. `known` (h, w)
    is above a half where flow can be told and is not rest."""
    few = np.s_[SAMPLED // 2 :: SAMPLED, SAMPLED // 2 :: SAMPLED]
    told = known[few] > 0.5
    if told.mean() < MOST:
        return None
    now = _grid(*flow.shape[:2])[few]
    # One step of refining is enough, since the problem is linear.
    before, inliers = cv2.estimateAffinePartial2D(
        now[told],
        (now + flow[few])[told],
        ransacReprojThreshold=AGREED,
        maxIters=TRIES,
        refineIters=1,
    )
    return before if before is not None and inliers.sum() >= MOST * told.size else None


def trust(different: np.ndarray, flow: np.ndarray) -> np.ndarray:
    """1 where the small frame before, warped by the flow, shows what is there now; 0 where it does
    not: occlusions, wrong flow, new light, and what was outside the frame. Soft edges. `different`
    is their `difference`."""
    height, width = different.shape
    places = flow + _grid(height, width)
    inside = cv2.inRange(places, (0, 0), (width - 1, height - 1)).astype(np.float32) / 255
    alike = cv2.exp(np.minimum(FALL * (NOISE_LEVELS - different), 0))
    return cv2.blur(cv2.erode(alike * inside, np.ones((3, 3), np.uint8)), (PATCH, PATCH))
