"""Dynamic resolution: how much to paint of a stream so that its frame rate is held.

On a slow machine every second frame is carried from the last painting, and where that does not do,
paintings are smaller, too. Knows times and sizes, and nothing of what paints.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from math import inf
from statistics import median
from typing import Protocol

import cv2
import numpy as np

from stylecam.frame import SMALLEST

SCALES = tuple(2 ** (-step / 4) for step in range(13))
"""Shares of the source's sides: each costs 0.7 of the one before. Few, since the network is
compiled for each size."""

HIGHEST_RATE = 60.0
"""Frames a second that are worth a smaller picture."""

FIRST_PIXELS = 1280 * 720
"""Painted at most where nothing is known of the machine."""

FEWEST_PIXELS = 320 * 180
"""Below, eyes and mouths are lost."""

FULL, EASY = 0.9, 0.85
"""Shares of a frame's time: a step that takes more than FULL is too slow, and a higher rung is
tried if its step should take no more than EASY. The gap keeps noise from changing rungs to and
fro."""

LATEST_S = 0.038
"""What a painting may take, by the median, though the next frame is carried. Of twenty one takes a
third more, and behind one's own hand by more than a twentieth of a second, one notices. Of slow
sources, at which half as many paintings would look like a slide show, all are painted by this."""

CARRYING = 0.25
"""Share of a painting's time that carrying takes, where it is not known."""

PACES = 5
"""Judgements whose median is remembered: when it ends, the machine is often busy with the end."""

JUDGED = 10
"""Steps whose median is judged, so that single hiccups count for nothing."""

IMPATIENCE = 2
"""Slow judgements in a row before a lower rung is gone to."""

PATIENCE, LONGEST_PATIENCE = 9, 288
"""Easy judgements in a row before a higher rung is tried; doubled each time that it fails."""

Ready = Callable[[tuple[int, int]], bool]
"""Whether a (height, width) can be painted without delay; whoever is asked sees to it that it soon
can."""


class Painter(Protocol):
    """Who paints a stream, as a Stylizer does."""

    scale: float
    """Share of the sides at which a painting will be shown that it is painted at."""

    def __call__(self, pixels: np.ndarray) -> np.ndarray:
        """uint8 RGB (H, W, 3), painted."""
        ...

    def carry(self, pixels: np.ndarray) -> np.ndarray | None:
        """The last painting in its place, moved to what these pixels show, if that will do."""
        ...


@dataclass(frozen=True)
class Cost:
    """What steps cost."""

    pace: float
    """Seconds for each pixel painted."""
    carrying: float = CARRYING
    """Share of that for each pixel carried."""
    spared: float = 0.5
    """Share of the frames that are carried, where they may be."""


class WorkingSize:
    """Which size to paint at, and whether each frame, from how long the steps before took.

    Its ladder has two rungs for each size, from the source's own down: all frames painted, and
    every second one carried.
    """

    def __init__(self, pace: float | None = None) -> None:
        self._paces = deque([] if pace is None else [pace], maxlen=PACES)
        self.adaptive = True
        """Otherwise all is painted at the source's own size, as soon as that is ready."""
        self.able = True
        """Whether frames can be carried: without a stabiliser they cannot."""
        self._source = (0, 0)
        self._rung, self._first = 0, True
        self._planned: int | None = None
        self._period = 1.0
        self._painted: list[float] = []
        self._alone: list[float] = []
        self._carried: list[float] = []
        self._lately: deque[bool] = deque(maxlen=JUDGED)
        """Which of the last steps carried."""
        self._easy = self._slow = 0
        self._begin()

    @property
    def pace(self) -> float | None:
        """Seconds that a painter takes for each pixel, as it was judged of late, be it in an
        earlier stream; None before it is known."""
        return median(self._paces) if self._paces else None

    @property
    def scale(self) -> float:
        """Share of the source's sides that is painted at."""
        return SCALES[self._rung // 2]

    @property
    def carried(self) -> bool:
        """Whether the last step carried."""
        return bool(self._lately) and self._lately[-1]

    @property
    def spares(self) -> bool:
        """Whether frames have been carried of late."""
        return any(self._lately)

    @property
    def may_carry(self) -> bool:
        """Whether the frame that was chosen for last need not be painted."""
        return self._carries(self._rung) and not self.carried

    def choose(
        self, source: tuple[int, int], rate: float, ready: Ready = lambda size: True
    ) -> tuple[int, int]:
        """The (height, width) to paint the next frame at; `source` is its own, `rate` is in frames
        per second. A change waits, and steps are not judged, until its size is `ready`."""
        self._period = 1 / min(max(rate, 1.0), HIGHEST_RATE)
        if source != self._source:
            self._source = source
            first = self._first_rung()
            self._move(first if self.adaptive else 0)
            self._begin()
        if not self.adaptive:
            self._planned = 0 if self._rung else None
        if self._planned is not None and ready(self._size(self._planned)):
            self._move(self._planned)
        return self._size(self._rung)

    def took(
        self,
        seconds: float,
        *,
        alone: float | None = None,
        carried: bool = False,
        usual: bool = True,
    ) -> None:
        """How long the step at the size last chosen took, from the source's frame to its painting,
        or to what was carried in its place; and of that the painter `alone`, who does not change
        the size. One that is not a `usual` one decides nothing.

        The first at each size is passed over, since the network is compiled in it.
        """
        self._lately.append(carried)
        if not usual or self._first or self._planned is not None or not self.adaptive:
            self._first = self._first and not usual
            self._forget()
            return
        (self._carried if carried else self._painted).append(seconds)
        if not carried:
            self._alone.append(seconds if alone is None else alone)
        if len(self._painted) + len(self._carried) == JUDGED:
            self._judge()
            self._forget()

    def _begin(self) -> None:
        self._patience = PATIENCE
        self._since_rise = LONGEST_PATIENCE

    def _first_rung(self) -> int:
        """Where a source begins."""
        pixels = self._source[0] * self._source[1]
        enough = [i for i, scale in enumerate(SCALES) if pixels * scale**2 >= FEWEST_PIXELS]
        self._lowest = 2 * max(enough, default=0) + 1
        if (pace := self.pace) is not None:
            return self._first_fitting(FULL, 0, Cost(pace))
        fitting = [i for i, scale in enumerate(SCALES) if pixels * scale**2 <= FIRST_PIXELS]
        return 2 * min([*fitting, self._lowest // 2])

    def _judge(self) -> None:
        self._since_rise += 1
        painted, pixels = median(self._painted), self._pixels(self._rung)
        self._paces.append(median(self._alone) / pixels)
        cost = Cost(painted / pixels)
        if self._carried:
            cost = replace(cost, carrying=median(self._carried) / painted)
        if self._carries(self._rung):  # it may be refused, always or now and then
            cost = replace(cost, spared=len(self._carried) / JUDGED)
        if self._first_fitting(FULL, self._rung, cost) != self._rung:
            self._easy, self._slow = 0, self._slow + 1
            if self._slow >= IMPATIENCE and self._rung < self._lowest:
                failed = self._since_rise <= self._patience
                self._patience = min(2 * self._patience, LONGEST_PATIENCE) if failed else PATIENCE
                self._planned = self._first_fitting(FULL, self._rung + 1, cost)
            return
        self._slow = 0
        higher = self._first_fitting(EASY, 0, cost)
        self._easy = self._easy + 1 if higher < self._rung else 0
        if self._easy >= self._patience:
            self._since_rise = 0
            self._planned = higher

    def _first_fitting(self, share: float, rung: int, cost: Cost) -> int:
        """The first rung from this one on whose steps should leave time enough: `share` of a
        frame's, and of what is late at most. Or the lowest.

        Times go with pixels. (A part of them does not, so this is careful upwards, and downwards it
        is judged again.)
        """
        for lower in range(rung, self._lowest):
            painted = step = cost.pace * self._pixels(lower)
            latest = inf
            if self._carries(lower):
                step += cost.spared * (cost.carrying - 1) * painted
                latest = share / FULL * LATEST_S
            if step <= share * self._period and painted <= latest:
                return lower
        return self._lowest

    def _carries(self, rung: int) -> bool:
        return rung % 2 == 1 and self.able

    def _size(self, rung: int) -> tuple[int, int]:
        height, width = (max(SMALLEST, round(side * SCALES[rung // 2])) for side in self._source)
        return height, width

    def _pixels(self, rung: int) -> int:
        height, width = self._size(rung)
        return height * width

    def _move(self, rung: int) -> None:
        self._rung, self._planned = rung, None
        self._easy = self._slow = 0
        self._first = True
        self._forget()

    def _forget(self) -> None:
        self._painted.clear()
        self._alone.clear()
        self._carried.clear()


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
    painter: Painter,
    pixels: np.ndarray,
    working: WorkingSize,
    rate: float,
    *,
    usual: bool = True,
    ready: Ready = lambda size: True,
) -> np.ndarray:
    """`pixels` painted, or carried to, at the working size and brought back to their own: uint8 RGB
    (H, W, 3). The time of a step that is not a `usual` one decides nothing. Another size waits
    until it is `ready`."""
    began = time.perf_counter()
    height, width = pixels.shape[:2]
    size = working.choose((height, width), rate, ready)
    small = pixels if size == (height, width) else shrink(pixels, size)
    shrunk = time.perf_counter()
    painter.scale = working.scale
    answer = painter.carry(small) if working.may_carry else None
    carried = answer is not None
    if answer is None:
        answer = painter(small)
    alone = time.perf_counter() - shrunk
    if size != (height, width):
        # Cubic: linear blurs more, and adding the photo's edges looks no sharper at six times the
        # time.
        answer = cv2.resize(answer, (width, height), interpolation=cv2.INTER_CUBIC)
    working.took(time.perf_counter() - began, alone=alone, carried=carried, usual=usual)
    return answer


def shrink(pixels: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """uint8 RGB (H, W, 3) or grey (H, W) to (height, width), averaged: by halves, which is many
    times faster than other averaging, and the rest linearly."""
    height, width = size
    while pixels.shape[0] >= 2 * height and pixels.shape[1] >= 2 * width:
        half = (pixels.shape[1] // 2, pixels.shape[0] // 2)
        pixels = cv2.resize(pixels, half, interpolation=cv2.INTER_AREA)
    return cv2.resize(pixels, (width, height), interpolation=cv2.INTER_LINEAR)
