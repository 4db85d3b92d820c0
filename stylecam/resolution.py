"""Dynamic resolution: how much of a stream to paint so that its frame rate is held.

On a slow machine every second frame is carried from the last painting, and if that is not enough,
paintings are smaller, too. Knows times and sizes, and nothing about what paints.
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
"""Shares of the source's sides. Each size has 0.7 times the pixels of the one before. They are few,
since the network is compiled for each size."""

HIGHEST_RATE = 60.0
"""Highest frame rate worth a smaller picture; a faster source is treated as having this one."""

FIRST_PIXELS = 1280 * 720
"""Pixels to start with at most, if the speed of the machine is not known."""

FEWEST_PIXELS = 320 * 180
"""With fewer pixels, eyes and mouths are lost."""

FULL, EASY = 0.9, 0.85
"""Shares of the time between frames. A step that takes more than FULL is too slow; a higher rung is
tried if its step should take no more than EASY. The gap keeps noise from switching back and
forth."""

LATEST_S = 0.038
"""Median seconds that a painting may take where the next frame is carried. One in twenty takes a
third more, and lagging behind one's own hand by more than 0.05 s is noticeable. It also means that
a slow source has all frames painted: half as many paintings would look like a slide show."""

CARRYING = 0.25
"""Share of a painting's time that carrying takes, as long as it has not been measured."""

PACES = 5
"""Latest judgements whose median is the pace. The last alone would not do: at the end of a stream
the machine is often busy with ending it."""

JUDGED = 10
"""Steps whose median is judged, so that a single slow one does not matter."""

IMPATIENCE = 2
"""Slow judgements in a row before a lower rung is taken."""

PATIENCE, LONGEST_PATIENCE = 9, 288
"""Easy judgements in a row before a higher rung is tried: at first, and at most. It is doubled each
time a higher rung fails."""

Ready = Callable[[tuple[int, int]], bool]
"""Returns whether a (height, width) can be painted without delay, and sees to it that it soon
can be."""


class Painter(Protocol):
    """What paints a stream, such as a Stylizer."""

    scale: float
    """Ratio of the sides that are painted to those at which the painting will be shown."""

    def __call__(self, pixels: np.ndarray) -> np.ndarray:
        """uint8 RGB (H, W, 3), painted."""
        ...

    def carry(self, pixels: np.ndarray) -> np.ndarray | None:
        """The last painting, warped to what these pixels show, or None if that will not do."""
        ...


@dataclass(frozen=True)
class Cost:
    """What a step costs."""

    pace: float
    """Seconds for each pixel painted."""
    carrying: float = CARRYING
    """Time for each pixel carried, as a share of `pace`."""
    spared: float = 0.5
    """Share of the frames that are carried, on rungs that carry."""


class WorkingSize:
    """Chooses the size to paint at, and whether to paint every frame, by the time of earlier steps.

    Its ladder has two rungs for each size, from the source's own downwards: on the first all frames
    are painted, on the second every other one is carried.
    """

    def __init__(self, pace: float | None = None) -> None:
        self._paces = deque([] if pace is None else [pace], maxlen=PACES)
        self.adaptive = True
        """If False, all frames are painted at the source's own size, as soon as that is ready."""
        self.able = True
        """Whether frames can be carried, which takes a stabiliser."""
        self._source = (0, 0)
        self._rung, self._first = 0, True
        self._planned: int | None = None
        self._period = 1.0
        self._painted: list[float] = []
        self._alone: list[float] = []
        self._carried: list[float] = []
        self._lately: deque[bool] = deque(maxlen=JUDGED)
        """For each of the last steps, whether it carried."""
        self._easy = self._slow = 0
        self._begin()

    @property
    def pace(self) -> float | None:
        """Seconds that the painter takes for each pixel, by the latest judgements or an earlier
        stream; None if it is not known yet."""
        return median(self._paces) if self._paces else None

    @property
    def scale(self) -> float:
        """Ratio of the sides that are painted to the source's."""
        return SCALES[self._rung // 2]

    @property
    def carried(self) -> bool:
        """Whether the last step carried the painting before."""
        return bool(self._lately) and self._lately[-1]

    @property
    def spares(self) -> bool:
        """Whether any of the last JUDGED steps carried."""
        return any(self._lately)

    @property
    def may_carry(self) -> bool:
        """Whether the frame that `choose` was last called for may be carried, not painted."""
        return self._carries(self._rung) and not self.carried

    def choose(
        self, source: tuple[int, int], rate: float, ready: Ready = lambda size: True
    ) -> tuple[int, int]:
        """The (height, width) to paint the next frame at. `source` is the frame's own, `rate` is in
        frames per second. A change of rung waits, and steps are not judged, until its size is
        `ready`; a new source size takes effect at once."""
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
        """Takes note of the `seconds` that the step at the size last chosen took, from the source's
        frame to its painting or what was carried in its place, and of those that the painter took
        `alone`, without resizing. A step that is not `usual` is not judged.

        Nor is the first at each size, since it may include compiling the network.
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
        """The rung that a source begins on. Also sets the lowest one that it may go to."""
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
        if self._carries(self._rung):  # the painter may refuse to, always or at times
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
        """The first rung, from this one downwards, whose steps should take no more than `share` of
        the time between frames and, if it carries, whose paintings meet LATEST_S. Or the lowest.

        Assumes that times are proportional to pixels. (Part of them is not. That makes upward steps
        cautious, and after a downward one the result is judged again.)
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
    the old one: compiling takes as long as dozens of frames."""

    def __init__(self, prepare: Callable[[tuple[int, int]], None]):
        self._prepare = prepare
        self._pool = ThreadPoolExecutor(1, "prepare")
        self._size = (0, 0)
        self._done: Future[None] | None = None

    def ready(self, size: tuple[int, int]) -> bool:
        """Whether a (height, width) is prepared; starts that if not. Raises any error of it."""
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
    """`pixels` painted, or the last painting carried to them, at the working size and resized to
    their own: uint8 RGB (H, W, 3). The time of a step that is not `usual` is not judged. A change
    of size waits until it is `ready`."""
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
        # Cubic: linear blurs more, and adding the photo's edges takes six times as long and looks
        # no sharper.
        answer = cv2.resize(answer, (width, height), interpolation=cv2.INTER_CUBIC)
    working.took(time.perf_counter() - began, alone=alone, carried=carried, usual=usual)
    return answer


def shrink(pixels: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """uint8 RGB (H, W, 3) or grey (H, W) reduced to (height, width): first by averaging to halves,
    which is many times faster than other averaging, then linearly."""
    height, width = size
    while pixels.shape[0] >= 2 * height and pixels.shape[1] >= 2 * width:
        half = (pixels.shape[1] // 2, pixels.shape[0] // 2)
        pixels = cv2.resize(pixels, half, interpolation=cv2.INTER_AREA)
    return cv2.resize(pixels, (width, height), interpolation=cv2.INTER_LINEAR)
