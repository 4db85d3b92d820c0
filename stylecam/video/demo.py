"""A video source that needs no camera: the portrait, as filmed by an unsteady hand.

Unlike a camera, it knows the exact motion between any two frames.
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
"""Side of the portrait in pixels, the unit of the camera's path below."""
VIEW = 440
"""Portrait pixels that the frame's longer side shows; the rest is room to move in."""
CENTRE_X = 250
TOP = 3
"""Row where the view at rest begins: above the hair, which starts at row 15."""

# (peak, seconds per period) of the sines that make up each movement. Peaks are in portrait pixels,
# for the turn in radians, for the zoom in logarithms. The sums keep the head in view.
PAN = ((15.0, 6.7), (2.5, 2.3), (0.4, 0.71))
TILT = ((2.4, 4.9), (0.9, 1.9), (0.3, 0.61))
TURN = ((0.018, 5.9), (0.003, 1.7))
ZOOM = ((0.035, 9.1),)

NOISE_SHIFT = 128
"""How much larger the noise tile is than a frame on each axis: there are 16384 different noises."""


class DemoSource:
    """The portrait panned, tilted, turned and zoomed, with sensor noise.

    `size` is (width, height) in pixels, `rate` in frames per second, `noise` the standard deviation
    in grey levels. The pixels depend only on these, on `seed` and on the frame's index. The stream
    ends before index `frames`, or never.

    `paced`: live at `rate`; if the consumer is a whole frame late, that frame is dropped, which
    leaves a gap in the index. Otherwise frames come as fast as asked for, none is dropped, and
    `time_s` = index / rate.
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
        """Returns the float64 (2, 3) that takes (x, y, 1) in pixels of the 512x512 portrait to
        pixels of frame `index`; whole numbers are pixel centres."""
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
        """Returns the float64 (2, 3) that takes (x, y, 1) in pixels of frame `index` - 1 to pixels
        of `index`."""
        return (_square(self.pose(index)) @ np.linalg.inv(_square(self.pose(index - 1))))[:2]

    def frames(self) -> Generator[Frame, None, None]:
        """Yields the frames. Raises SourceMissing if the portrait is not where it was installed."""
        portrait = read_picture(PORTRAIT)
        # Resized once, at high quality, so that each frame can be sampled cheaply at about 1:1.
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
        # As two unsigned halves: saturating 8-bit sums are several times faster than signed ones.
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
