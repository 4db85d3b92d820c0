"""Steadies a painted stream: keeps brushwork where the scene kept still, carries it where it moved.

Knows frames and nothing of what painted them. The last *output* is moved by the photo's optical
flow and mixed into the new painting wherever the photo says that it is the same place (Ruder et
al. 2016, arXiv 1604.08610, without their network's second input).
"""

from __future__ import annotations

import cv2
import numpy as np

from stylecam import motion

KEEP_STILL = 0.8
"""Share of the last output where the scene stands still; the rest corrects towards the network's
own answer, so that nothing drifts."""

KEEP_MOVING = 0.5
"""The same where it moves. More would be steadier, and blur: each warp resamples the picture. (A
cubic warp allows 0.7 for the same sharpness, at four times the time.)"""

CUT_LEVELS = 14.0
"""Mean difference of small frames, after warping, from which on it is another scene."""


class Stabilizer:
    """One painted frame after the other in, steadier ones out.

    The first frame, the first after a cut and the first of a new size come out as they went in.
    """

    def __init__(self) -> None:
        self._flow = motion.Flow()
        self.reset()

    def reset(self) -> None:
        """Forgets the past; the next frame comes out as it went in."""
        self._small: np.ndarray | None = None
        self._last: np.ndarray | None = None

    def __call__(self, photo: np.ndarray, painted: np.ndarray) -> np.ndarray:
        """`painted` from `photo`, both uint8 RGB (H, W, 3), steadied; of the same kind."""
        small = motion.shrink(photo)
        before, last = self._small, self._last
        self._small = small
        if before is None or last is None or last.shape != painted.shape:
            self._last = painted.copy()
            return painted
        moved = self._flow(small, before)
        still = motion.stillness(small, before, moved)
        moved *= (1 - still)[..., None]
        warped = motion.warp(before, moved)
        if motion.difference(small, warped).mean() > CUT_LEVELS:
            self._last = painted.copy()
            return painted
        share = motion.trust(small, warped, moved)
        share *= KEEP_MOVING + (KEEP_STILL - KEEP_MOVING) * still
        height, width = painted.shape[:2]
        kept = cv2.resize(share, (width, height), interpolation=cv2.INTER_LINEAR)
        carried = motion.warp(last, motion.enlarge(moved, (height, width)))
        self._last = cv2.blendLinear(carried, painted, kept, 1 - kept)
        return self._last.copy()  # whoever draws into his frame must not draw into our memory
