"""Steadies a painted stream: keeps brushwork where the scene is still, warps it where it moves.

Knows frames, and nothing about what painted them. The last *output* is warped by the optical flow
of the photos and mixed into the new painting wherever the photos show that it is the same place
(Ruder et al. 2016, arXiv 1604.08610, without their network's second input).
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, inf

import cv2
import numpy as np

from stylecam import motion

STILL_FRAMES = 72.0
"""Paintings whose mean is shown, at full steadiness, where the scene is still. It is a running
mean, so it always corrects towards the network's own output, and nothing drifts."""

FIRST_FRAMES = 8.0
"""Paintings that the first one of a scene counts as, so that the picture does not visibly settle
after it."""

MOVING_FRAMES = 2.3
"""The same where the scene moves. More would be steadier, but blur: each warp resamples."""

RESAMPLED = (cv2.INTER_NEAREST, cv2.INTER_CUBIC, cv2.INTER_NEAREST)
"""Interpolation for each plane (see `Stabilizer._last`). Linear would blur strokes more with every
frame. Cubic takes five times as long as nearest, so only green gets it, which is most of the
brightness; in the colour differences nearest is not noticed."""

IN_SIGHT = np.ones((9, 9), np.uint8)
"""Small pixels that influence the painting of the one in the middle: as far as the network sees."""

AHEAD = 0.5
"""Weight in `agree` of the next output, where it is trusted, relative to 1 for the one before."""

FADE_LAG = 0.1
"""How far the output may lag behind a fade of styles, as a share of the code's length. The codes of
two styles are 0.5 to 1.6 of it apart, a style's fine and coarse codes less."""

CUT_SHARE, CUT_LEVELS = 0.35, (4.0, 14.0)
"""Mean difference of small frames, after warping, above which the new one is another scene: a share
of its contrast (standard deviation), within limits in levels. Scenes with nothing in common differ
by two thirds of the contrast or more, motion within a scene by an eighth. The lower limit lies
above the flicker of light, the upper one below the difference of any two scenes."""

KNOWN = 0.5
"""Mean trust in a frame at which `carry` may use the last output in place of a painting."""


@dataclass(frozen=True)
class Moved:
    """How a scene moved from one frame to the next, for each small pixel."""

    flow: np.ndarray
    """Backward flow as in `motion`; 0 where nothing moved."""
    moving: np.ndarray
    trusted: np.ndarray
    """1 where the flow leads to what is there now, 0 where it does not, such as at occlusions."""
    shown: np.ndarray
    """The small frame that the last output shows, warped by the flow."""


class Stabilizer:
    """Turns painted frames, one after another, into steadier ones: call `follow` with the photo,
    which need not be painted yet, then `steady` with its painting. `carry` needs no painting.

    The first frame, the first after a cut and the first of a new size are returned unchanged.
    """

    def __init__(self) -> None:
        self._flow = motion.Flow()
        self.reset()

    def reset(self) -> None:
        """Forgets the past; the next frame is returned unchanged."""
        self._size = (0, 0)
        self._last: list[np.ndarray] = []
        """The last output, of that (height, width), in three planes: red − green, green and
        blue − green. float32, 255 being white: bytes would never correct differences of a few
        levels."""
        self._fresh: list[np.ndarray] = []
        self._own: list[np.ndarray] = []
        """Buffer for the result of `agree`, made when that is first called."""
        self._shown: np.ndarray = np.empty((0, 0), np.float32)
        """What the last output shows: the small frames, warped and mixed as their paintings were,
        so that it differs from a new small frame wherever the output lags behind."""
        self._frames: np.ndarray = np.empty((0, 0), np.float32)
        """The number of paintings that the last output is the mean of, at each small pixel."""
        self._now: np.ndarray | None = None
        """The small frame whose painting comes next, or None if it is not to be steadied."""
        self._moved: Moved | None = None
        self._ready: list[np.ndarray] | None = None
        """The last output, warped to now, if `prepare` has done that."""

    def follow(self, photo: np.ndarray, steadiness: float, change: float = 0.0) -> Moved | None:
        """How the scene moved from what the last output shows to a photo, uint8 RGB (H, W, 3). None
        if no output is remembered, or one of another size or scene.

        `steadiness` goes from 0, at which nothing is remembered, to 1. `change` is how far the
        style's code has moved since the last frame, as a share of its length; after FADE_LAG or
        more, nothing is remembered either.
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
        """How the scene moved from what the last output shows to a small frame of its size, `now`
        being the same as float32; None if that is another scene."""
        flow = self._flow(small, cv2.convertScaleAbs(self._shown))
        moving = motion.moving(now, self._shown, flow)
        flow *= cv2.merge([moving, moving])
        shown = motion.warp(self._shown, flow)
        different = motion.difference(now, shown)
        if different.mean() > np.clip(CUT_SHARE * now.std(), *CUT_LEVELS):
            return None
        return Moved(flow, moving, motion.trust(different, flow), shown)

    def prepare(self) -> None:
        """Does the part of `steady` that needs no painting, so that it can run while the network
        paints: warps the last output to now. Optional."""
        if self._moved is not None and self._ready is None:
            self._ready = self._carried(self._moved)

    def steady(self, painted: np.ndarray) -> np.ndarray:
        """Steadies the painting of the photo last given to `follow`, uint8 RGB (H, W, 3)."""
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
        """Steadies the output before the last one, `steadied`, once more, by the last one. `photo`
        is its photo; all are uint8 RGB (H, W, 3). Some of the last output, warped back, is mixed in
        where both show the same, which also steadies what has only just appeared. This suits files,
        whose next frame can be waited for. `change` is as in `follow`, from `steadied` to the last
        output. The memory is not changed.
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
        """The last output warped to what a photo shows, in place of the photo's painting, uint8 RGB
        (H, W, 3). None if there is no output of that size, the photo shows another scene or one
        that is half new, or the style has changed too far since: `change` is as in `follow`.

        The memory is not changed: all frames until the next painting are carried from the same
        output, which is resampled only once for each (like the key frames of Zhu et al. 2017, arXiv
        1611.07715).
        """
        moved = self._moved_to(photo, change)
        if moved is None or moved.trusted.mean() < KNOWN:
            return None
        return self._painting(self._carried(moved))

    def _moved_to(self, photo: np.ndarray, change: float) -> Moved | None:
        """How the scene moved from what the last output shows to a photo; None if the photo is of
        another size or scene, or the style has changed too far."""
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
        """Splits a painting into planes like those of `_last`."""
        cv2.split(painted, self._bytes)
        for plane, whole in zip(planes, self._bytes, strict=True):
            np.copyto(plane, whole)
        red, green, blue = planes
        red -= green
        blue -= green

    def _painting(self, planes: list[np.ndarray]) -> np.ndarray:
        """Merges planes into a painting, clipped where cubic went below black or above white."""
        red, green, blue = planes
        cv2.add(red, green, self._bytes[0], None, cv2.CV_8U)
        cv2.add(green, 0, self._bytes[1], None, cv2.CV_8U)  # type: ignore[call-overload]
        cv2.add(blue, green, self._bytes[2], None, cv2.CV_8U)
        return cv2.merge(self._bytes)

    def _carried(self, moved: Moved) -> list[np.ndarray]:
        """The planes of the last output, warped to now; `_last` itself if nothing moves. Outside
        the box around all that moves, they are only copied if that is faster."""
        height, width = self._size
        across, down = width / moved.flow.shape[1], height / moved.flow.shape[0]
        x, y, w, h = cv2.boundingRect((moved.moving > 0).view(np.uint8))
        if not w:
            return self._last
        left, right = int(x * across), ceil((x + w) * across)
        top, bottom = int(y * down), ceil((y + h) * down)
        whole = 2 * w * h > moved.moving.size
        if whole:  # warping all takes less time than copying the rest
            left, top, right, bottom = 0, 0, width, height
        box = np.s_[top:bottom, left:right]
        flow = motion.enlarge(moved.flow, self._size, self._large_flow)[box]
        if not whole:  # the flow of a part must lead to places in the whole
            cv2.add(flow, (left, top, 0, 0), flow)  # type: ignore[call-overload]
        for last, fresh, how in zip(self._last, self._fresh, RESAMPLED, strict=True):
            if not whole:
                np.copyto(fresh, last)
            motion.warp(last, flow, fresh[box], how)
        return self._fresh

    def _mix(
        self, old: list[np.ndarray], new: list[np.ndarray], kept: np.ndarray, out: list[np.ndarray]
    ) -> None:
        """Mixes two sets of planes into `out`, which is one of them. `kept` is the share of the old
        ones at each small pixel."""
        olds, news = self._old_share, self._new_share
        cv2.resize(kept, self._size[::-1], olds, interpolation=cv2.INTER_LINEAR)
        np.subtract(1, olds, out=news)
        for before, now, mixed in zip(old, new, out, strict=True):
            cv2.blendLinear(before, now, olds, news, mixed)
