"""Steadies a painted stream: keeps brushwork where the scene kept still, carries it where it moved.

Knows frames and nothing of what painted them. The last *output* is moved by the photo's optical
flow and mixed into the new painting wherever the photo says that it is the same place (Ruder et
al. 2016, arXiv 1604.08610, without their network's second input).
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, inf

import cv2
import numpy as np

from stylecam import motion

STILL_FRAMES = 72.0
"""Paintings whose mean is shown at full steadiness where the scene stands still. It is a running
mean, so it never ceases to correct towards the network's own answer, and nothing drifts."""

FIRST_FRAMES = 8.0
"""What the first painting of a scene counts for: better a picture that stays than one that settles
before one's eyes."""

MOVING_FRAMES = 2.45
"""The same where it moves. More would be steadier, and blur: each warp resamples the picture."""

CAREFUL_MOVING_FRAMES = 4.0
"""The same with a warp that blurs less, and takes two to three times as long."""

SIGHT = 9
"""Small pixels within which a change of the photo changes the painting: the network sees so far."""

FADE_LAG = 0.1
"""How far behind a fade may be shown, as a share of the code's length. Codes of two styles are
0.5 to 1.6 of it apart, a style's fine and coarse ones less."""

CUT_LEVELS = 14.0
"""Mean difference of small frames, after warping, from which on it is another scene."""

KNOWN = 0.5
"""Of a frame, what must be trusted for the last output to stand for its painting."""


@dataclass(frozen=True)
class Moved:
    """How a scene moved from one frame to the next, at small pixels."""

    flow: np.ndarray
    """As `motion` has it; 0 where nothing moved."""
    moving: np.ndarray
    trusted: np.ndarray
    """1 where the flow leads to what is there now, 0 where it does not."""
    shown: np.ndarray
    """What the last output shows, moved by it."""


class Stabilizer:
    """One painted frame after the other in, steadier ones out: `follow` with the photo, which may
    not be painted yet, then `steady` with its painting. `carry` does without one.

    The first frame, the first after a cut and the first of a new size come out as they went in.
    `careful` takes more time for the better picture: for files.
    """

    def __init__(self, *, careful: bool = False) -> None:
        self._flow = motion.Flow()
        self._interpolation = cv2.INTER_CUBIC if careful else cv2.INTER_LINEAR
        self._moving_frames = CAREFUL_MOVING_FRAMES if careful else MOVING_FRAMES
        self.reset()

    def reset(self) -> None:
        """Forgets the past; the next frame comes out as it went in."""
        self._last: np.ndarray = np.empty((0, 0, 4), np.float32)
        """The last output, RGBA: OpenCV warps four channels in half the time of three."""
        self._shown: np.ndarray = np.empty((0, 0), np.float32)
        """What the last output shows: the small frames, moved and mixed as their paintings were, so
        that what the output lags behind shows as a difference."""
        self._frames: np.ndarray = np.empty((0, 0), np.float32)
        """How many paintings the last output is the mean of, at each small pixel."""
        self._now: np.ndarray | None = None
        """The small frame that is to be steadied, if it is."""
        self._moved: Moved | None = None

    def follow(self, photo: np.ndarray, steadiness: float, change: float = 0.0) -> Moved | None:
        """How the scene moved since the last photo, uint8 RGB (H, W, 3); nothing where none is
        known, or another scene.

        `steadiness` from 0, as it went in, to 1. `change` tells how far the style has gone
        since the last frame, as a share of its code's length.
        """
        allowed = FADE_LAG / change if change else inf
        if steadiness == 0 or allowed <= 1:
            self.reset()
        self._moved = None
        if steadiness == 0:
            return None
        small = motion.shrink(photo)
        now = self._now = small.astype(np.float32)
        if self._last.shape[:2] != photo.shape[:2]:
            return None
        moved = self._moved = self._follow(small)
        if moved is None:
            return None
        most, least = (min(n**steadiness, allowed) for n in (STILL_FRAMES, self._moving_frames))
        still = moved.trusted * (1 - moved.moving)
        self._frames *= cv2.erode(still, np.ones((SIGHT, SIGHT), np.uint8))
        self._frames += 1
        np.clip(self._frames, least, most, out=self._frames)
        self._kept = moved.trusted * (1 - 1 / self._frames)
        self._shown = now + self._kept * (moved.shown - now)
        return moved

    def _follow(self, small: np.ndarray) -> Moved | None:
        """How the scene moved from what the last output shows to a small frame of its size; nothing
        where that is another scene."""
        now, size = small.astype(np.float32), self._last.shape[:2]
        flow = self._flow(small, cv2.convertScaleAbs(self._shown))
        moving = motion.moving(now, self._shown, flow)
        flow = motion.near_whole(flow * cv2.merge([moving, moving]), size)
        places = motion.positions(flow)
        shown = motion.warp(self._shown, places)
        if motion.difference(now, shown).mean() > CUT_LEVELS:
            return None
        return Moved(flow, moving, motion.trust(now, shown, places), shown)

    def steady(self, painted: np.ndarray) -> np.ndarray:
        """The painting of the photo that was followed last, steadied; of its kind."""
        if self._now is None:
            return painted
        if self._moved is None:
            return self._begin(self._now, painted)
        self._carry(self._moved)
        if self._interpolation == cv2.INTER_CUBIC:  # it overshoots: below black would turn bright
            np.clip(self._last, 0, 255, out=self._last)
        self._mix(painted, self._kept)
        cv2.convertScaleAbs(self._last, self._bytes)
        return cv2.cvtColor(self._bytes, cv2.COLOR_RGBA2RGB)

    def carry(self, photo: np.ndarray) -> np.ndarray | None:
        """The last output moved to where a photo shows its scene, in place of the photo's painting,
        uint8 RGB (H, W, 3); nothing where there is none of its size, or half of what it shows is
        new.

        What is remembered stays as it is: all frames until the next painting are carried from the
        same output, which is resampled once for each (the key frames of Zhu et al. 2017, arXiv
        1611.07715).
        """
        if self._last.shape[:2] != photo.shape[:2]:
            return None
        moved = self._follow(motion.shrink(photo))
        if moved is None or moved.trusted.mean() < KNOWN:
            return None
        carried = self._bytes
        if box := self._box(moved):
            places = motion.positions(moved.flow, carried.shape[:2], self._places)
            carried = carried.copy()
            carried[box] = motion.warp(self._bytes, places[box])
        return cv2.cvtColor(carried, cv2.COLOR_RGBA2RGB)

    def _begin(self, now: np.ndarray, painted: np.ndarray) -> np.ndarray:
        self._shown, self._frames = now, np.full_like(now, FIRST_FRAMES)
        self._bytes = cv2.cvtColor(painted, cv2.COLOR_RGB2RGBA)
        self._last = self._bytes.astype(np.float32)  # bytes would never correct what is near enough
        self._fresh = np.empty_like(self._last)
        self._places = np.empty((*painted.shape[:2], 2), np.float32)
        self._old_share, self._new_share = np.empty((2, *painted.shape[:2]), np.float32)
        return painted

    def _box(self, moved: Moved) -> tuple[slice, slice] | None:
        """Rows and columns in which something moves; all of them if they are most."""
        height, width = self._last.shape[:2]
        across, down = width / moved.flow.shape[1], height / moved.flow.shape[0]
        x, y, w, h = cv2.boundingRect((moved.moving > 0).view(np.uint8))
        if not w:
            return None
        if 2 * w * h > moved.moving.size:
            return np.s_[:, :]
        return np.s_[int(y * down) : ceil((y + h) * down), int(x * across) : ceil((x + w) * across)]

    def _carry(self, moved: Moved) -> None:
        """Moves the last output to now. What stands still stays untouched, and costs nothing."""
        box = self._box(moved)
        if box is None:
            return
        places = motion.positions(moved.flow, self._last.shape[:2], self._places)
        part = motion.warp(self._last, places[box], self._fresh[box], self._interpolation)
        if part.shape == self._last.shape:  # all of it, which spares a copy
            self._last, self._fresh = self._fresh, self._last
        else:
            self._last[box] = part

    def _mix(self, painted: np.ndarray, kept: np.ndarray) -> None:
        """Mixes what was carried into the new painting; `kept` is its share at small pixels."""
        height, width = painted.shape[:2]
        old, new = self._old_share, self._new_share
        cv2.resize(kept, (width, height), old, interpolation=cv2.INTER_LINEAR)
        np.subtract(1, old, out=new)
        np.copyto(self._fresh, cv2.cvtColor(painted, cv2.COLOR_RGB2RGBA, self._bytes))
        cv2.blendLinear(self._last, self._fresh, old, new, self._last)
