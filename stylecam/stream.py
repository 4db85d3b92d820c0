"""Paints a stream's frames with an engine. Its memory is the statistics of the instance norms.

The means and variances of a scene change slowly. They are measured now and then, and all frames but
a scene's first are painted by their running average. That is faster than by each frame's own, and
keeps the whole picture from changing when one thing enters it. Knows engines and codes, and nothing
about styles or flow.
"""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np

from stylecam.engine import Engine
from stylecam.frame import check_pixels

MEASURED_EVERY = 7
"""Every so many frames the statistics are measured. Such a frame takes longer."""

RATE = 0.05
"""Share of its distance to the last measured statistics that the average moves at each frame."""

CELLS = (8, 6)
"""Cells across and down. A scene is recognised by the colours of its cells. Their standard
deviation, in levels, is called its contrast below."""

NEW_LEVELS = 12.0
"""Median change of the cells since the last measurement, in levels, above which it is a new scene.
A median, so that something that fills less than half of the picture may come and go."""

NEW_SHARE = 0.2
"""The same as a share of the contrast, used if it is less: when a scene fades in from black, the
statistics grow manyfold with each level."""

NOISE_LEVELS = 0.5
"""Median change that noise may cause. Up to this it is never a new scene."""

EMPTY_LEVELS = 4.0
"""Contrast below which a scene is empty, so that its statistics do not suit any other."""

GROWN = 1.5
"""After an empty scene, a new one has begun once the contrast is above GROWN times the empty one's
plus one level, even if only in a corner."""


class Stream:
    """Paints one frame after another. Not for two threads at once."""

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
        """uint8 RGB (H, W, 3) and float32 (code_length,) → a new uint8 RGB (H, W, 3). `grain` and
        `meanwhile` are as in `Engine.paint_given`.

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
        """Paints by the average, if there is one, and stores the picture's own statistics."""
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
    """The colours of a picture's CELLS, float32 (6, 8, 3), from some of its pixels, for speed."""
    few = cv2.resize(picture, (CELLS[0] * 8, CELLS[1] * 8), interpolation=cv2.INTER_NEAREST)
    return cv2.resize(few.astype(np.float32), CELLS, interpolation=cv2.INTER_AREA)
