"""Optical flow between two frames, warping by it, and where not to trust it. Pure functions.

Knows no style and no network. Frames are seen *small*: grey uint8 (h, w), at most SMALL_WIDTH
across, at which flow costs a fraction of a millisecond. Flow is float32 (h, w, 2), (x, y) in small
pixels, and backward: it says for each pixel of the frame now where it was before, so that warping
never leaves holes.
"""

from __future__ import annotations

from functools import lru_cache

import cv2
import numpy as np

SMALL_WIDTH = 240

SHORTEST_SIDE = 48
"""Small pixels a side must have for flow."""

PATCH = 5
"""Small pixels over which differences are averaged, so that noise is no motion."""

NOISE_LEVELS = 2.0
"""Difference, in levels of 255, below which two small frames show the same."""

FALL = 0.45
"""How fast trust falls with each level of difference above that."""

STILL, MOVING = 0.035, 0.14
"""Small pixels of motion up to which a place stands still, and from which on it moves."""


def shrink(pixels: np.ndarray) -> np.ndarray:
    """uint8 RGB (H, W, 3) → its small frame."""
    height, width = pixels.shape[:2]
    factor = min(1.0, SMALL_WIDTH / width)
    size = (round(width * factor), max(1, round(height * factor)))
    if factor <= 0.5:  # halving is many times faster than any other averaging
        pixels = cv2.resize(pixels, (width // 2, height // 2), interpolation=cv2.INTER_AREA)
    grey = cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY)
    return cv2.GaussianBlur(cv2.resize(grey, size, interpolation=cv2.INTER_AREA), (5, 5), 0)


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


def positions(motion: np.ndarray) -> np.ndarray:
    """Where each pixel was before, float32 (h, w, 2), for small or full-size flow."""
    return motion + _grid(*motion.shape[:2])


@lru_cache(maxsize=4)
def _grid(height: int, width: int) -> np.ndarray:
    """Each pixel's own position, float32 (h, w, 2): kept, since a stream asks for two sizes."""
    across, down = np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32)
    return np.stack(np.meshgrid(across, down), -1)


def enlarge(motion: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Small flow as flow of frames of `size` (height, width), in their pixels."""
    height, width = size
    scaled = motion.copy()
    scaled[..., 0] *= width / motion.shape[1]
    scaled[..., 1] *= height / motion.shape[0]
    return cv2.resize(scaled, (width, height), interpolation=cv2.INTER_LINEAR)


def warp(picture: np.ndarray, motion: np.ndarray) -> np.ndarray:
    """The picture before, moved to now, (H, W) or (H, W, 3), by flow of its own size."""
    places = positions(motion)
    return cv2.remap(  # type: ignore[call-overload]
        picture, places, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    )


def difference(now: np.ndarray, then: np.ndarray) -> np.ndarray:
    """How much two small frames differ round each pixel, float32 (h, w), in levels."""
    return cv2.blur(cv2.absdiff(now, then).astype(np.float32), (PATCH, PATCH))


def alike(levels: np.ndarray) -> np.ndarray:
    """1 where a difference may be noise, falling to 0: float32 (h, w)."""
    return np.exp(-FALL * np.maximum(levels - NOISE_LEVELS, 0), dtype=np.float32)


def stillness(now: np.ndarray, before: np.ndarray, motion: np.ndarray) -> np.ndarray:
    """1 where nothing moved, 0 where it did, float32 (h, w), soft between."""
    speed = cv2.blur(cv2.magnitude(*cv2.split(motion)), (2 * PATCH - 1, 2 * PATCH - 1))
    slow = np.clip((MOVING - speed) / (MOVING - STILL), 0, 1)
    still = slow * alike(difference(now, before))
    return cv2.erode(still, np.ones((PATCH, PATCH), np.uint8))


def trust(now: np.ndarray, warped: np.ndarray, motion: np.ndarray) -> np.ndarray:
    """1 where the small frame before, `warped` by `motion`, shows what is there now; 0 where it
    does not: occlusions, wrong flow, new light, and what was outside the frame. Soft edges."""
    height, width = motion.shape[:2]
    places = positions(motion)
    inside = cv2.inRange(places, (0, 0), (width - 1, height - 1)).astype(np.float32) / 255
    seen = alike(difference(now, warped)) * inside
    return cv2.blur(cv2.erode(seen, np.ones((3, 3), np.uint8)), (PATCH, PATCH))
