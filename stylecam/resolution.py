"""Dynamic resolution: the size to paint a stream at so that its frame rate is held.

Knows times and sizes, and nothing of what paints.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from statistics import median

import cv2
import numpy as np

SCALES = tuple(2 ** (-step / 4) for step in range(13))
"""Shares of the source's sides: each costs 0.7 of the one before. Few, since the network is
compiled for each size."""

HIGHEST_RATE = 60.0
"""Frames a second that are worth a smaller picture."""

FIRST_PIXELS = 1280 * 720
"""Painted at most before anything is known of the machine."""

FEWEST_PIXELS = 320 * 180
"""Below, eyes and mouths are lost."""

FULL, EASY = 0.9, 0.8
"""Shares of a frame's time: a step that takes more than FULL is too slow, and a size is tried if
its step should take no more than EASY. The gap keeps noise from changing sizes to and fro."""

JUDGED = 10
"""Steps whose median is judged, so that single hiccups count for nothing."""

PATIENCE, LONGEST_PATIENCE = 9, 288
"""Easy judgements in a row before a larger size is tried; doubled each time that it fails."""

Ready = Callable[[tuple[int, int]], bool]
"""Whether a (height, width) can be painted without delay; whoever is asked sees to it that it soon
can."""


class WorkingSize:
    """Which size to paint at, from how long the steps before took."""

    def __init__(self) -> None:
        self.adaptive = True
        """Otherwise it is the source's own, as soon as that is ready."""
        self._source = (0, 0)
        self._rung, self._first = 0, True
        self._planned: int | None = None
        self._steps: list[float] = []
        self._begin()

    def choose(
        self, source: tuple[int, int], rate: float, ready: Ready = lambda size: True
    ) -> tuple[int, int]:
        """The (height, width) to paint the next frame at; `source` is its own, `rate` is in frames
        per second. A change waits, and steps are not judged, until its size is `ready`."""
        self._period = 1 / min(max(rate, 1.0), HIGHEST_RATE)
        if source != self._source:
            self._source = source
            pixels = source[0] * source[1]
            most = [i for i, scale in enumerate(SCALES) if pixels * scale**2 >= FEWEST_PIXELS]
            self._lowest = max(most, default=0)
            fitting = [i for i, scale in enumerate(SCALES) if pixels * scale**2 <= FIRST_PIXELS]
            self._move(min([*fitting, self._lowest]) if self.adaptive else 0)
            self._begin()
        if not self.adaptive:
            self._planned = 0 if self._rung else None
        if self._planned is not None and ready(self._size(self._planned)):
            self._move(self._planned)
        return self._size(self._rung)

    def took(self, seconds: float) -> None:
        """How long the step at the size last chosen took, from the source's frame to its painting.

        The first at each size is passed over, since the network is compiled in it.
        """
        if self._first or self._planned is not None or not self.adaptive:
            self._first = False
            self._steps.clear()
            return
        self._steps.append(seconds)
        if len(self._steps) == JUDGED:
            step = median(self._steps)
            self._steps.clear()
            self._judge(step)

    def _begin(self) -> None:
        self._easy = 0
        self._patience = PATIENCE
        self._since_rise = LONGEST_PATIENCE

    def _judge(self, step: float) -> None:
        self._since_rise += 1
        fitting = self._largest(step)
        if step > FULL * self._period:
            lower = min(max(fitting, self._rung + 1), self._lowest)
            if lower != self._rung:
                failed = self._since_rise <= self._patience
                self._patience = min(2 * self._patience, LONGEST_PATIENCE) if failed else PATIENCE
                self._planned = lower
        elif fitting < self._rung:
            self._easy += 1
            if self._easy >= self._patience:
                self._since_rise = 0
                self._planned = fitting
        else:
            self._easy = 0

    def _largest(self, step: float) -> int:
        """The largest size that should be easy, if a step's time goes with its pixels. (A part of
        it does not, so this is careful upwards, and downwards it is judged again.)"""
        for rung, scale in enumerate(SCALES[: self._lowest]):
            if step * (scale / SCALES[self._rung]) ** 2 <= EASY * self._period:
                return rung
        return self._lowest

    def _size(self, rung: int) -> tuple[int, int]:
        height, width = (max(32, round(side * SCALES[rung])) for side in self._source)
        return height, width

    def _move(self, rung: int) -> None:
        self._rung, self._planned = rung, None
        self._easy = 0
        self._first = True
        self._steps.clear()


class Preparation:
    """Compiles the network for another size on a thread of its own, while frames are painted at
    the one before: that takes as long as dozens of frames."""

    def __init__(self, prepare: Callable[[tuple[int, int]], None]):
        self._prepare = prepare
        self._pool = ThreadPoolExecutor(1, "prepare")
        self._size = (0, 0)
        self._done: Future[None] | None = None

    def ready(self, size: tuple[int, int]) -> bool:
        """Whether it is done for a (height, width); begins it otherwise. Raises what broke it."""
        if self._done is None or size != self._size:
            self._size, self._done = size, self._pool.submit(self._prepare, size)
        if not self._done.done():
            return False
        self._done.result()
        return True

    def close(self) -> None:
        """Joins the thread."""
        self._pool.shutdown(cancel_futures=True)


def paint(
    stylize: Callable[[np.ndarray], np.ndarray],
    pixels: np.ndarray,
    working: WorkingSize,
    rate: float,
    *,
    usual: bool = True,
    ready: Ready = lambda size: True,
) -> tuple[np.ndarray, float]:
    """`pixels` painted at the working size and brought back to their own, and the share of their
    sides at which they were painted. uint8 RGB (H, W, 3). The time of a step that is not a `usual`
    one decides nothing. Another size waits until it is `ready`."""
    began = time.perf_counter()
    height, width = pixels.shape[:2]
    size = working.choose((height, width), rate, ready)
    if size == (height, width):
        painted = stylize(pixels)
    else:
        # Cubic: linear blurs more, and adding the photo's edges looks no sharper at six times the
        # time.
        small = stylize(shrink(pixels, size))
        painted = cv2.resize(small, (width, height), interpolation=cv2.INTER_CUBIC)
    if usual:
        working.took(time.perf_counter() - began)
    return painted, size[1] / width


def shrink(pixels: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """uint8 RGB (H, W, 3) or grey (H, W) to (height, width), averaged: by halves, which is many
    times faster than other averaging, and the rest linearly."""
    height, width = size
    while pixels.shape[0] >= 2 * height and pixels.shape[1] >= 2 * width:
        half = (pixels.shape[1] // 2, pixels.shape[0] // 2)
        pixels = cv2.resize(pixels, half, interpolation=cv2.INTER_AREA)
    return cv2.resize(pixels, (width, height), interpolation=cv2.INTER_LINEAR)
