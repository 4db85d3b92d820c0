"""A stream's frames through an engine: the statistics of its instance norms are its memory.

Mean and variance of a scene move slowly. They are measured now and then, and frames between are
painted by their running average, which is faster than by their own, and keeps the whole picture
from changing when one thing enters it. Knows engines and codes, and neither styles nor flow.
"""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np

from stylecam.engine import Engine
from stylecam.frame import check_pixels

MEASURED_EVERY = 7
"""Frames. One that is measured takes longer."""

RATE = 0.05
"""Share of the way to what was measured last that the average goes at each frame."""

CELLS = (8, 6)
"""Across and down: a scene is told by the mean colours of so many parts of it. Its contrast, below,
is their standard deviation, in levels."""

NEW_LEVELS = 12.0
"""Median change of a cell since the last measuring that makes it another scene. A median, so that
a thing that fills less than half of the picture may come and go."""

NEW_SHARE = 0.2
"""The same as a share of the contrast, where that is less: in a scene that comes out of black,
statistics grow many times with each level."""

NOISE_LEVELS = 0.5
"""Median change that noise makes, which never makes another scene."""

EMPTY_LEVELS = 4.0
"""Contrast below which a scene shows nothing, and its statistics suit nothing else."""

GROWN = 1.5
"""Times the contrast of an empty scene, and a level, above which another one has begun, be it in a
corner alone."""


class Stream:
    """Paints frame after frame. Not for two threads at once."""

    def __init__(self, engine: Engine):
        self._engine = engine
        self.reset()

    def reset(self) -> None:
        """Forgets the past, as at a cut."""
        self._average: np.ndarray | None = None

    def paint(
        self,
        picture: np.ndarray,
        code: np.ndarray,
        grain: np.ndarray | None = None,
        meanwhile: Callable[[], object] | None = None,
    ) -> np.ndarray:
        """uint8 RGB (H, W, 3) and float32 (code_length,) → a new uint8 RGB (H, W, 3), with the
        body's grain or one that has been carried. `meanwhile` is as for `Engine.paint_given`.

        The first frame, and the first of a new scene, size or code, is painted by its own
        statistics.
        """
        picture = check_pixels(picture)
        cells = _cells(picture)
        if self._is_new(picture, cells, code):
            self._average = None
            painted = self._measure(picture, cells, code, grain)
            self._average = self._measured
            return painted
        self._age += 1
        self._average = self._average + RATE * (self._measured - self._average)
        if self._age >= MEASURED_EVERY:
            return self._measure(picture, cells, code, grain)
        return self._engine.paint_given(picture, code, self._average, grain, meanwhile)

    def _measure(
        self,
        picture: np.ndarray,
        cells: np.ndarray,
        code: np.ndarray,
        grain: np.ndarray | None,
    ) -> np.ndarray:
        """The picture painted by the average, if there is one, and its own statistics kept."""
        painted, self._measured = self._engine.paint_measured(picture, code, self._average, grain)
        self._shape, self._cells, self._code = picture.shape, cells, code.copy()
        self._age = 0
        return painted

    def _is_new(self, picture: np.ndarray, cells: np.ndarray, code: np.ndarray) -> bool:
        if (
            self._average is None
            or picture.shape != self._shape
            or not np.array_equal(code, self._code)
        ):
            return True
        contrast = self._cells.std()
        if contrast < EMPTY_LEVELS and cells.std() > GROWN * contrast + 1:
            return True
        allowed = np.clip(NEW_SHARE * contrast, NOISE_LEVELS, NEW_LEVELS)
        return bool(np.median(np.abs(cells - self._cells)) > allowed)


def _cells(picture: np.ndarray) -> np.ndarray:
    """The picture in so few pixels, float32; from some of its own, which is enough and quick."""
    few = cv2.resize(picture, (CELLS[0] * 8, CELLS[1] * 8), interpolation=cv2.INTER_NEAREST)
    return cv2.resize(few.astype(np.float32), CELLS, interpolation=cv2.INTER_AREA)
