"""The grain that strokes in flats grow from, carried along as the camera moves. Knows no network.

A fixed grain lets strokes stay on the screen while the scene moves under them. What a single thing
does is left alone: where it is flat, nothing tells how it moves, and what is behind it must come
back as it was. But a camera's motion is that of all, and takes all strokes along.
"""

from __future__ import annotations

from functools import cache

import cv2
import numpy as np

from stylecam import body, motion
from stylecam.stabilizer import Moved

FINER = 2
"""Places of the noise that are kept for each cell across and down."""

STRETCH = 1.5
"""Zoomed by more than that in or out since it was at rest, the noise begins anew: it would be
blurred."""


class Grain:
    """A stream's grain, frame by frame."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """To rest, as at a cut."""
        self._grain: np.ndarray | None = None
        self._places = np.eye(3)
        """From small pixels to those whose grain they have, homogeneous (x, y)."""

    def carried(self, moved: Moved | None, size: tuple[int, int]) -> np.ndarray | None:
        """The grain of the next frame, of `size` (height, width), to which the scene `moved`:
        float32 at `body.cells`, or nothing where it is at rest."""
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
    """The grain of a frame of `size` whose `small` pixels have that of these places."""
    to_cells = np.eye(3)
    for axis in range(2):
        pixels = size[1 - axis] / small[1 - axis]  # to a small one; centres lie at halves
        to_cells[axis, axis] = pixels / body.STRIDE
        to_cells[axis, 2] = (pixels / 2 + body.MARGIN) / body.STRIDE - 0.5
    in_noise = np.diag([FINER, FINER, 1]) @ to_cells @ places @ np.linalg.inv(to_cells)
    rows, columns = body.cells(*size)
    # OpenCV wraps round what lies near, not many tiles away, where a long pan leads: so rows and
    # columns are wrapped before, each by itself.
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
    """`body.grain` with FINER times as many places across and down, float32: between its cells it
    is what its waves make of it, so it is as white wherever it is looked at."""
    side, half = body.GRAIN_SIDE, body.GRAIN_SIDE // 2
    waves = np.fft.rfft2(body.grain(side, side))
    waves[half] /= 2  # the shortest wave, up and down at once, is half of each
    waves[:, half] /= 2
    wider = np.zeros((FINER * side, FINER * side // 2 + 1), waves.dtype)
    wider[: half + 1, : half + 1], wider[-half:, : half + 1] = waves[: half + 1], waves[half:]
    return (np.fft.irfft2(wider, (FINER * side,) * 2) * FINER**2).astype(np.float32)
