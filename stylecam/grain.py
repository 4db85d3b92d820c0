"""Carries the grain, from which strokes in flat areas grow, with the camera. Knows no network.

With a fixed grain, strokes stay in place on the screen while the scene moves under them. So the
grain follows the camera's motion, which is that of the whole frame. It does not follow the motion
of a single object: where that is flat, its motion cannot be told, and the background behind it must
come back as it was.
"""

from __future__ import annotations

from functools import cache

import cv2
import numpy as np

from stylecam import body, motion
from stylecam.stabilizer import Moved

FINER = 2
"""Samples of the noise per cell, across and down."""

STRETCH = 1.5
"""Once zoomed by more than this, in or out, the noise goes back to rest: it would be blurred."""


class Grain:
    """The grain of a stream, frame by frame."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Puts the grain back to rest, as at a cut."""
        self._grain: np.ndarray | None = None
        self._places = np.eye(3)
        """Maps a small pixel to where its grain lies at rest, homogeneous (x, y)."""

    def carried(self, moved: Moved | None, size: tuple[int, int]) -> np.ndarray | None:
        """The grain of the next frame, of `size` (height, width), to which the scene `moved`:
        float32 of shape `body.cells`, or None if it is at rest. Without `moved` it is reset."""
        if moved is None:
            self.reset()
            return None
        before = motion.camera(moved.flow, moved.moving * moved.trusted)
        if before is not None:
            self._places = self._places @ np.vstack([before, [0, 0, 1]])
            zoom = np.sqrt(abs(np.linalg.det(self._places)))
            if not 1 / STRETCH < zoom < STRETCH:
                self.reset()
                return None
            self._grain = _at(self._places, moved.flow.shape[:2], size)
        return self._grain


def _at(places: np.ndarray, small: tuple[int, int], size: tuple[int, int]) -> np.ndarray:
    """The grain of a frame of `size`; `places` maps its pixels at `small` size to those at rest."""
    to_cells = np.eye(3)
    for axis in range(2):
        pixels = size[1 - axis] / small[1 - axis]  # per small pixel; centres lie at halves
        to_cells[axis, axis] = pixels / body.STRIDE
        to_cells[axis, 2] = (pixels / 2 + body.MARGIN) / body.STRIDE - 0.5
    in_noise = np.diag([FINER, FINER, 1]) @ to_cells @ places @ np.linalg.inv(to_cells)
    rows, columns = body.cells(*size)
    # OpenCV wraps coordinates that are near the tile, but a long pan leads many tiles away. So the
    # terms for rows and for columns are each wrapped before.
    noise, side = _between_cells(), FINER * body.GRAIN_SIDE
    x, y = (
        np.add.outer(
            np.float32((row * np.arange(rows) + begin) % side),
            np.float32(column * np.arange(columns) % side),
        )
        for column, row, begin in in_noise[:2]
    )
    return cv2.remap(noise, x, y, cv2.INTER_CUBIC, borderMode=cv2.BORDER_WRAP)


@cache
def _between_cells() -> np.ndarray:
    """`body.grain` with FINER times as many samples across and down, float32. Interpolated in
    the Fourier domain, so that it is as white between the cells as at them."""
    side, half = body.GRAIN_SIDE, body.GRAIN_SIDE // 2
    waves = np.fft.rfft2(body.grain(side, side))
    waves[half] /= 2  # the Nyquist frequency is shared by both signs
    waves[:, half] /= 2
    wider = np.zeros((FINER * side, FINER * side // 2 + 1), waves.dtype)
    wider[: half + 1, : half + 1], wider[-half:, : half + 1] = waves[: half + 1], waves[half:]
    return (np.fft.irfft2(wider, (FINER * side,) * 2) * FINER**2).astype(np.float32)
