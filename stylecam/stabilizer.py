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

MOVING_FRAMES = 2.3
"""The same where it moves. More would be steadier, and blur: each warp resamples the picture."""

RESAMPLED = (cv2.INTER_NEAREST, cv2.INTER_CUBIC, cv2.INTER_NEAREST)
"""How each plane is. Linear blurs strokes away with every frame; cubic takes five times as long as
nearest, which one does not see in colours, and green is most of brightness."""

IN_SIGHT = np.ones((9, 9), np.uint8)
"""Small pixels round one whose change changes its painting, too: the network sees so far."""

AHEAD = 0.5
"""What the next painting counts for beside the output before it, where it is known."""

FADE_LAG = 0.1
"""How far behind a fade may be shown, as a share of the code's length. Codes of two styles are
0.5 to 1.6 of it apart, a style's fine and coarse ones less."""

CUT_SHARE, CUT_LEVELS = 0.35, (4.0, 14.0)
"""Mean difference of small frames, after warping, from which on it is another scene, as a share of
the contrast (standard deviation) of the new one: two that have nothing in common differ by two
thirds of that or more, and what moves in one by an eighth. No less levels than light wavers, and no
more than any scene differs by."""

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
    """

    def __init__(self) -> None:
        self._flow = motion.Flow()
        self.reset()

    def reset(self) -> None:
        """Forgets the past; the next frame comes out as it went in."""
        self._size = (0, 0)
        self._last: list[np.ndarray] = []
        """The last output of that (height, width) in planes: green, in the middle, and how much
        more there is of red and of blue. float32 of 0 to 255, since bytes would never correct what
        is near enough."""
        self._fresh: list[np.ndarray] = []
        self._own: list[np.ndarray] = []
        """Room for an output that agrees with what came after it, once one has been asked for."""
        self._shown: np.ndarray = np.empty((0, 0), np.float32)
        """What the last output shows: the small frames, moved and mixed as their paintings were, so
        that what the output lags behind shows as a difference."""
        self._frames: np.ndarray = np.empty((0, 0), np.float32)
        """How many paintings the last output is the mean of, at each small pixel."""
        self._now: np.ndarray | None = None
        """The small frame that is to be steadied, if it is."""
        self._moved: Moved | None = None
        self._ready: list[np.ndarray] | None = None
        """The last output, moved to now, where `prepare` has done that."""

    def follow(self, photo: np.ndarray, steadiness: float, change: float = 0.0) -> Moved | None:
        """How the scene moved since the last photo, uint8 RGB (H, W, 3); nothing where none is
        known, or another scene.

        `steadiness` from 0, as it went in, to 1. `change` tells how far the style has gone
        since the last frame, as a share of its code's length.
        """
        allowed = FADE_LAG / change if change else inf
        if steadiness == 0 or allowed <= 1:
            self.reset()
        self._moved = self._ready = None
        if steadiness == 0:
            return None
        small = motion.shrink(photo)
        now = self._now = small.astype(np.float32)
        if self._size != photo.shape[:2]:
            return None
        moved = self._moved = self._follow(small, now)
        if moved is None:
            return None
        most, least = (min(n**steadiness, allowed) for n in (STILL_FRAMES, MOVING_FRAMES))
        self._frames *= cv2.erode(moved.trusted * (1 - moved.moving), IN_SIGHT)
        self._frames += 1
        np.clip(self._frames, least, most, out=self._frames)
        self._kept = cv2.erode(moved.trusted, IN_SIGHT) * (1 - 1 / self._frames)
        self._shown = now + self._kept * (moved.shown - now)
        return moved

    def _follow(self, small: np.ndarray, now: np.ndarray) -> Moved | None:
        """How the scene moved from what the last output shows to a small frame of its size, which
        `now` is as float32; nothing where that is another scene."""
        flow = self._flow(small, cv2.convertScaleAbs(self._shown))
        moving = motion.moving(now, self._shown, flow)
        flow *= cv2.merge([moving, moving])
        shown = motion.warp(self._shown, flow)
        different = motion.difference(now, shown)
        if different.mean() > np.clip(CUT_SHARE * now.std(), *CUT_LEVELS):
            return None
        return Moved(flow, moving, motion.trust(different, flow), shown)

    def prepare(self) -> None:
        """What of `steady` needs no painting, so that it can be done while one is made."""
        if self._moved is not None and self._ready is None:
            self._ready = self._carried(self._moved)

    def steady(self, painted: np.ndarray) -> np.ndarray:
        """The painting of the photo that was followed last, steadied; of its kind."""
        if self._now is None:
            return painted
        if self._moved is None:
            return self._begin(self._now, painted)
        self.prepare()
        if self._ready is self._fresh:
            self._last, self._fresh = self._fresh, self._last
        self._take(painted, self._fresh)
        self._mix(self._last, self._fresh, self._kept, self._last)
        return self._painting(self._last)

    def agree(self, photo: np.ndarray, steadied: np.ndarray, change: float = 0.0) -> np.ndarray:
        """The output of the photo before the last one, both uint8 RGB (H, W, 3), once more: with
        some of the last output in it, moved back, where both show the same. So it is steadier, and
        also where nothing was known before, for whoever can wait for what comes, as files can.
        `change` is as in `follow`, to the last one. What is remembered stays as it is.
        """
        moved = self._moved_to(photo, change)
        if moved is None:
            return steadied
        kept = AHEAD * cv2.erode(moved.trusted, IN_SIGHT)
        if not self._own:
            self._own = self._planes()
        self._take(steadied, self._own)
        self._mix(self._carried(moved), self._own, kept / (1 + kept), self._own)
        return self._painting(self._own)

    def carry(self, photo: np.ndarray, change: float = 0.0) -> np.ndarray | None:
        """The last output moved to where a photo shows its scene, in place of the photo's painting,
        uint8 RGB (H, W, 3); nothing where there is none of its size, half of what it shows is new,
        or the style has gone too far since then: `change` is as in `follow`.

        What is remembered stays as it is: all frames until the next painting are carried from the
        same output, which is resampled once for each (the key frames of Zhu et al. 2017, arXiv
        1611.07715).
        """
        moved = self._moved_to(photo, change)
        if moved is None or moved.trusted.mean() < KNOWN:
            return None
        return self._painting(self._carried(moved))

    def _moved_to(self, photo: np.ndarray, change: float) -> Moved | None:
        """How the scene moved from what the last output shows to a photo of its size and style."""
        if self._size != photo.shape[:2] or change > FADE_LAG:
            return None
        small = motion.shrink(photo)
        return self._follow(small, small.astype(np.float32))

    def _begin(self, now: np.ndarray, painted: np.ndarray) -> np.ndarray:
        self._shown, self._frames = now, np.full_like(now, FIRST_FRAMES)
        self._size = height, width = painted.shape[:2]
        self._bytes = [np.empty(self._size, np.uint8) for _ in RESAMPLED]
        self._last, self._fresh, self._own = self._planes(), self._planes(), []
        self._large_flow = np.empty((height, width, 2), np.float32)
        self._old_share, self._new_share = np.empty((2, height, width), np.float32)
        self._take(painted, self._last)
        return painted

    def _planes(self) -> list[np.ndarray]:
        return [np.empty(self._size, np.float32) for _ in RESAMPLED]

    def _take(self, painted: np.ndarray, planes: list[np.ndarray]) -> None:
        """A painting into planes."""
        cv2.split(painted, self._bytes)
        for plane, whole in zip(planes, self._bytes, strict=True):
            np.copyto(plane, whole)
        red, green, blue = planes
        red -= green
        blue -= green

    def _painting(self, planes: list[np.ndarray]) -> np.ndarray:
        """Planes as a painting, cut off where cubic went below black or above white."""
        red, green, blue = planes
        cv2.add(red, green, self._bytes[0], None, cv2.CV_8U)
        cv2.add(green, 0, self._bytes[1], None, cv2.CV_8U)  # type: ignore[call-overload]
        cv2.add(blue, green, self._bytes[2], None, cv2.CV_8U)
        return cv2.merge(self._bytes)

    def _carried(self, moved: Moved) -> list[np.ndarray]:
        """The last output, moved to now; the very same if all stands still. What does is not
        warped, and costs next to nothing."""
        height, width = self._size
        across, down = width / moved.flow.shape[1], height / moved.flow.shape[0]
        x, y, w, h = cv2.boundingRect((moved.moving > 0).view(np.uint8))
        if not w:
            return self._last
        left, right = int(x * across), ceil((x + w) * across)
        top, bottom = int(y * down), ceil((y + h) * down)
        most = 2 * w * h > moved.moving.size
        if most:  # warping the rest, too, takes less time than copying it
            left, top, right, bottom = 0, 0, width, height
        box = np.s_[top:bottom, left:right]
        flow = motion.enlarge(moved.flow, self._size, self._large_flow)[box]
        if not most:  # the flow of a part leads to the whole
            cv2.add(flow, (left, top, 0, 0), flow)  # type: ignore[call-overload]
        for last, fresh, how in zip(self._last, self._fresh, RESAMPLED, strict=True):
            if not most:
                np.copyto(fresh, last)
            motion.warp(last, flow, fresh[box], how)
        return self._fresh

    def _mix(
        self, old: list[np.ndarray], new: list[np.ndarray], kept: np.ndarray, out: list[np.ndarray]
    ) -> None:
        """Mixes planes into `out`, one of the two; `kept` is the old ones' share at small
        pixels."""
        olds, news = self._old_share, self._new_share
        cv2.resize(kept, self._size[::-1], olds, interpolation=cv2.INTER_LINEAR)
        np.subtract(1, olds, out=news)
        for before, now, mixed in zip(old, new, out, strict=True):
            cv2.blendLinear(before, now, olds, news, mixed)
