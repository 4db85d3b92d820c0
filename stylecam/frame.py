"""Defines what a frame is, and the checks that refuse anything else. Knows numpy only.

Everywhere in stylecam a picture is uint8 RGB (H, W, 3), C-contiguous, with sides of SMALLEST to
LARGEST.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from stylecam.errors import FrameError

SMALLEST = 32
"""The shortest side, in pixels, that the network can mirror and shrink."""

LARGEST = 8_192
"""The longest side, in pixels; above it, the network's feature maps would fill the memory."""


UNKNOWN_RATE = 30.0
"""Frames per second assumed for a source that does not tell its rate."""


@dataclass(frozen=True, slots=True)
class Frame:
    """One picture of a stream.

    `index` counts the frames that its source delivered, so gaps are drops. `time_s` is when it was
    taken, in seconds: by `time.monotonic()` for live sources, from the beginning for files.
    """

    pixels: np.ndarray
    index: int
    time_s: float


def check_size(name: str, pixels: np.ndarray) -> np.ndarray:
    """The same picture (H, W, 3). Raises FrameError, naming it, if its sides are out of range."""
    height, width = pixels.shape[:2]
    if min(height, width) < SMALLEST or max(height, width) > LARGEST:
        raise FrameError(
            f"{name} is {width}x{height}; its sides must have {SMALLEST} to {LARGEST} pixels"
        )
    return pixels


def check_pixels(pixels: object) -> np.ndarray:
    """The same picture, C-contiguous. Raises FrameError, saying what it got, if it is no frame."""
    wanted = f"expected uint8 RGB (H, W, 3) with sides of {SMALLEST} to {LARGEST}"
    if not isinstance(pixels, np.ndarray):
        raise FrameError(f"{wanted}, got {type(pixels).__name__}")
    got = f"{wanted}, got {pixels.dtype} {pixels.shape}"
    if pixels.dtype != np.uint8 or pixels.ndim != 3 or pixels.shape[2] != 3:
        raise FrameError(got)
    if min(pixels.shape[:2]) < SMALLEST or max(pixels.shape[:2]) > LARGEST:
        raise FrameError(got)
    return np.ascontiguousarray(pixels)
