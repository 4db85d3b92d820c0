"""What a frame is, and the check that refuses anything else. Knows numpy only.

Everywhere in stylecam a picture is uint8 RGB (H, W, 3), C-contiguous, sides of SMALLEST to LARGEST.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from stylecam.errors import FrameError

SMALLEST = 32
"""Pixels of the shortest side that the network can mirror and shrink."""

LARGEST = 8_192
"""Pixels of the longest side; the network's own pictures of a larger one would fill the memory."""


UNKNOWN_RATE = 30.0
"""Frames a second that a source which does not tell is taken to have."""


@dataclass(frozen=True, slots=True)
class Frame:
    """One picture of a stream.

    `index` counts the frames its source delivered, so gaps are drops. `time_s` is when it was
    taken, in seconds: on `time.monotonic()`'s clock for live sources, from the beginning for files.
    """

    pixels: np.ndarray
    index: int
    time_s: float


def check_size(name: str, pixels: np.ndarray) -> np.ndarray:
    """A picture (H, W, 3) that a user named, if its sides are a frame's; else FrameError."""
    height, width = pixels.shape[:2]
    if min(height, width) < SMALLEST or max(height, width) > LARGEST:
        raise FrameError(
            f"{name} is {width}x{height}; its sides must have {SMALLEST} to {LARGEST} pixels"
        )
    return pixels


def check_pixels(pixels: object) -> np.ndarray:
    """The picture itself, C-contiguous, if it is a frame's; else FrameError quoting both sides."""
    wanted = f"expected uint8 RGB (H, W, 3) with sides of {SMALLEST} to {LARGEST}"
    if not isinstance(pixels, np.ndarray):
        raise FrameError(f"{wanted}, got {type(pixels).__name__}")
    got = f"{wanted}, got {pixels.dtype} {pixels.shape}"
    if pixels.dtype != np.uint8 or pixels.ndim != 3 or pixels.shape[2] != 3:
        raise FrameError(got)
    if min(pixels.shape[:2]) < SMALLEST or max(pixels.shape[:2]) > LARGEST:
        raise FrameError(got)
    return np.ascontiguousarray(pixels)
