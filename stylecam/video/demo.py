"""A moving picture that needs no camera: the portrait, filmed by an unsteady hand.

Knows the exact motion between any two frames, which no camera does.
"""

from __future__ import annotations

import math
import time
from collections.abc import Generator, Iterator
from itertools import count

import cv2
import numpy as np

from stylecam.assets import PORTRAIT
from stylecam.frame import Frame
from stylecam.settings import Settings
from stylecam.video.picture import read_picture

SIDE = 512
"""Pixels of the portrait's sides, the unit in which the camera's path is told."""
VIEW = 440
"""Pixels of the portrait that the frame's longer side sees; the rest is room to move in."""
CENTRE_X = 250
TOP = 3
"""Where the resting view begins: above the hair, which starts at row 15."""

# (peak, seconds per period) of the sines that make up each movement. Peaks are in portrait
# pixels, in radians for the turn, in logarithms for the zoom. Their sums keep the head in view.
PAN = ((15.0, 6.7), (2.5, 2.3), (0.4, 0.71))
TILT = ((2.4, 4.9), (0.9, 1.9), (0.3, 0.61))
TURN = ((0.018, 5.9), (0.003, 1.7))
ZOOM = ((0.035, 9.1),)

NOISE_SHIFT = 128
"""The noise tile is this much larger than a frame on each axis, so 16384 noises differ."""


class DemoSource:
    """The portrait panned, tilted, turned and zoomed, with a sensor's noise.

    `size` is (width, height) in pixels, `rate` in frames per second, `noise` the standard
    deviation in grey levels. The pixels depend on these, `seed` and the frame's index alone.
    The stream ends before index `frames`, or never.

    `paced`: live at `rate`; whoever comes a whole frame late finds it dropped, a gap in the index.
    Otherwise as fast as asked, none left out, `time_s` = index / rate.
    """

    name = "demo"
    mirrored = False

    def __init__(
        self,
        size: tuple[int, int] = (Settings.width, Settings.height),
        rate: float = Settings.rate,
        *,
        noise: float = 2.0,
        seed: int = 0,
        frames: int | None = None,
        paced: bool = True,
    ) -> None:
        self.size = size
        self.rate = rate
        self.noise = noise
        self.seed = seed
        self.limit = math.inf if frames is None else frames
        self.live = paced
        phases = np.random.default_rng(seed).uniform(0, 2 * math.pi, 9).tolist()
        self._pan, self._tilt = _waves(PAN, phases[:3]), _waves(TILT, phases[3:6])
        self._turn, self._zoom = _waves(TURN, phases[6:8]), _waves(ZOOM, phases[8:])

    def pose(self, index: int) -> np.ndarray:
        """float64 (2, 3): takes (x, y, 1) in pixels of the 512x512 portrait to pixels of frame
        `index`; whole numbers are the centres of pixels."""
        width, height = self.size
        scale = max(width, height) / VIEW
        time_s = index / self.rate
        turn, zoom = _at(self._turn, time_s), scale * math.exp(_at(self._zoom, time_s))
        cos, sin = zoom * math.cos(turn), zoom * math.sin(turn)
        x = CENTRE_X - 0.5 + _at(self._pan, time_s)
        y = TOP - 0.5 + height / scale / 2 + _at(self._tilt, time_s)
        return np.array(
            [
                [cos, -sin, (width - 1) / 2 - cos * x + sin * y],
                [sin, cos, (height - 1) / 2 - sin * x - cos * y],
            ]
        )

    def motion(self, index: int) -> np.ndarray:
        """float64 (2, 3): takes (x, y, 1) in pixels of frame `index` - 1 to pixels of `index`."""
        return (_square(self.pose(index)) @ np.linalg.inv(_square(self.pose(index - 1))))[:2]

    def frames(self) -> Generator[Frame, None, None]:
        """The frames; SourceMissing if the portrait is not where it was installed."""
        portrait = read_picture(PORTRAIT)
        # Resized once and well, so that each frame can be sampled cheaply, pixel for pixel.
        side = max(1, round(SIDE * max(self.size) / VIEW))
        how = cv2.INTER_AREA if side < SIDE else cv2.INTER_CUBIC
        canvas = cv2.resize(portrait, (side, side), interpolation=how)
        # OpenCV warps four channels in half the time of three.
        canvas = cv2.cvtColor(canvas, cv2.COLOR_RGB2RGBA)
        share = SIDE / side
        edge = share / 2 - 0.5
        to_portrait = np.array([[share, 0, edge], [0, share, edge], [0, 0, 1]])
        lighter, darker = self._noise_tiles()

        for index, time_s in self._beats():
            warp = self.pose(index) @ to_portrait
            moved = cv2.warpAffine(canvas, warp, self.size, borderMode=cv2.BORDER_REFLECT_101)
            pixels = cv2.cvtColor(moved, cv2.COLOR_RGBA2RGB)
            if self.noise:
                y, x = np.random.default_rng((self.seed, index)).integers(0, NOISE_SHIFT, 2)
                here = np.s_[y : y + self.size[1], x : x + self.size[0]]
                cv2.add(pixels, lighter[here], dst=pixels)
                cv2.subtract(pixels, darker[here], dst=pixels)
            yield Frame(pixels, index, time_s)

    def _noise_tiles(self) -> tuple[np.ndarray, np.ndarray]:
        # Two unsigned halves: saturating 8-bit sums are several times faster than signed ones.
        width, height = self.size
        noise = np.random.default_rng(self.seed).standard_normal(
            (height + NOISE_SHIFT, width + NOISE_SHIFT, 3), dtype=np.float32
        )
        noise = np.rint(noise * self.noise)
        return noise.clip(0, 255).astype(np.uint8), (-noise).clip(0, 255).astype(np.uint8)

    def _beats(self) -> Iterator[tuple[int, float]]:
        if not self.live:
            for index in count():
                if index >= self.limit:
                    return
                yield index, index / self.rate
        begin = time.monotonic()
        index = 0
        while index < self.limit:
            due = begin + index / self.rate
            time.sleep(max(0.0, due - time.monotonic()))
            yield index, due
            index = max(index + 1, math.floor((time.monotonic() - begin) * self.rate))


_Waves = tuple[tuple[float, float, float], ...]


def _waves(shape: tuple[tuple[float, float], ...], phases: list[float]) -> _Waves:
    pairs = zip(shape, phases, strict=True)
    return tuple((peak, 2 * math.pi / period, phase) for (peak, period), phase in pairs)


def _at(waves: _Waves, time_s: float) -> float:
    return sum(peak * math.sin(speed * time_s + phase) for peak, speed, phase in waves)


def _square(affine: np.ndarray) -> np.ndarray:
    return np.vstack([affine, [0.0, 0.0, 1.0]])
