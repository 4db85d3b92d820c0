"""Measures steadiness: from frame to frame beside a peer, and over many minutes of a still scene.

Knows painters and Live only by their results. A stabiliser feeds its own output back, so it could
drift away from what the network paints. Hence the long run compares the current mean painting with
the one at the beginning and with the network's own answer to the same frames.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from itertools import count

import numpy as np

from stylecam.evaluation import metrics
from stylecam.evaluation.peer import smoothed
from stylecam.evaluation.process import resident_mb, threads
from stylecam.frame import Frame
from stylecam.live import Control, Live, Snapshot
from stylecam.settings import DEFAULT_STYLE, Look, Settings
from stylecam.stylizer import Stylizer
from stylecam.video.demo import DemoSource

STREAM = 24
"""Frames of each stream on which steadiness is measured."""

SMOOTH = 0.3
"""The value in the peer's own example of `--smooth`: the share of the last frame that it keeps."""

FRAMES = 32
"""Frames of the still scene, each with its own noise, shown again and again."""

MOMENTS = 10


@dataclass(frozen=True)
class Steadiness:
    """How steady a painter is, on the same frames as every other painter of a run."""

    name: str
    flicker: float
    """On a still scene with a camera's noise, in levels per frame."""
    warp: float
    """Warp error against the demo's exact motion."""
    sharpness: float
    """Mean absolute gradient on the demo, in levels."""


def compare(
    size: tuple[int, int], bare: metrics.Paint, steady: Stylizer, rival: metrics.Paint | None
) -> list[Steadiness]:
    """Measures each painter on a still scene and on the demo with its exact motion; the steady one
    also as it paints files and with every second frame carried."""
    demo = DemoSource(size, frames=STREAM, paced=False)
    moving = [frame.pixels for frame in demo.frames()]
    still = metrics.still(next(DemoSource(size, noise=0, paced=False).frames()).pixels, STREAM)

    def both(paint: metrics.Paint) -> tuple[list[np.ndarray], list[np.ndarray]]:
        return [paint(frame) for frame in still], [paint(frame) for frame in moving]

    def film(pictures: list[np.ndarray]) -> list[np.ndarray]:
        steady.reset()
        frames = (Frame(each, i, i / demo.rate) for i, each in enumerate(pictures))
        return [frame.pixels for frame in steady.film(frames)]

    painted = {"bare": both(bare)}
    for name, paint in (("steady", steady), ("every 2nd", _sparing(steady))):
        steady.reset()
        painted[name] = both(paint)
    painted["as a film"] = film(still), film(moving)
    if rival:
        a, b = painted["peer"] = both(rival)
        painted[f"peer, smooth {SMOOTH:g}"] = smoothed(a, SMOOTH), smoothed(b, SMOOTH)
    return [
        Steadiness(
            name,
            metrics.flicker(held),
            metrics.exact_warp_error(moved, demo.motion),
            metrics.sharpness(moved),
        )
        for name, (held, moved) in painted.items()
    ]


def _sparing(stylizer: Stylizer) -> metrics.Paint:
    """Returns a painter that carries every second frame where it can."""
    turn = count()

    def paint(pixels: np.ndarray) -> np.ndarray:
        carried = stylizer.carry(pixels) if next(turn) % 2 else None
        return stylizer(pixels) if carried is None else carried

    return paint


class StillSource:
    """The demo's first frame held still, with a camera's noise and exposure (`metrics.still`)."""

    name, live, mirrored = "a still scene", True, False

    def __init__(self, size: tuple[int, int], rate: float):
        scene = next(DemoSource(size, noise=0, paced=False).frames()).pixels
        self.pictures = metrics.still(scene, FRAMES)
        self.rate = rate

    def frames(self) -> Generator[Frame, None, None]:
        """Yields frames at `rate` per second, without end."""
        begin = time.monotonic()
        for index in count():
            due = begin + index / self.rate
            time.sleep(max(0.0, due - time.monotonic()))
            yield Frame(self.pictures[index % FRAMES], index, due)


@dataclass(frozen=True)
class Moment:
    """The state of a long run; differences are mean absolute levels."""

    minutes: float
    drift: float | None
    """From the mean painting at the beginning; None once the run has stopped."""
    from_network: float | None
    """From what the network alone paints of the same frames; None once the run has stopped."""
    fps: float
    memory_mb: float | None
    growth_mb: float | None
    """Resident memory above that at the beginning."""
    threads: int
    """Python's threads."""
    system_threads: int | None
    """Threads of the process, including those of libraries; None where the system does not tell."""


def long_run(
    size: tuple[int, int],
    minutes: float,
    *,
    rate: float = Settings.rate,
    device: str = Settings.device,
    steadiness: float = Look.steadiness,
) -> Iterator[Moment]:
    """Yields a moment at the beginning, MOMENTS on the way, and one after the pipeline has stopped.

    Frames are always painted at full size, so that the paintings can be compared. Raises
    StylecamError.
    """
    source = StillSource(size, rate)
    bare = Stylizer(DEFAULT_STYLE, device, steadiness=0)
    own = _mean([bare(picture) for picture in source.pictures])
    live = Live(source, Control(Look(steadiness=steadiness), adaptive=False), device=device)
    live.start()
    try:
        _shown(live, FRAMES)  # until it has settled
        first, memory, begin = _mean(_shown(live, FRAMES)), resident_mb(), time.monotonic()
        now, minute = first, 0.0
        for number in range(MOMENTS + 1):
            if number:
                time.sleep(max(0.0, begin + 60 * minutes * number / MOMENTS - time.monotonic()))
                now, minute = _mean(_shown(live, FRAMES)), (time.monotonic() - begin) / 60
            drift, off = (float(np.abs(now - other).mean()) for other in (first, own))
            yield _moment(minute, drift, off, live.snapshot(), memory)
    finally:
        live.stop()
    yield _moment((time.monotonic() - begin) / 60, None, None, live.snapshot(), memory)


def describe(moment: Moment) -> str:
    """Returns the moment as a line for people."""
    if moment.drift is None:
        words = "stopped"
    else:
        words = (
            f"drift {moment.drift:.2f} levels, {moment.from_network:.2f} from the network's own, "
            f"{moment.fps:.1f} fps"
        )
    memory = "" if moment.memory_mb is None else f", {moment.memory_mb:.0f} MB"
    grown = "" if moment.growth_mb is None else f" ({moment.growth_mb:+.1f})"
    system = "" if moment.system_threads is None else f" of {moment.system_threads}"
    return f"{moment.minutes:5.2f} min: {words}{memory}{grown}, {moment.threads}{system} threads"


def _moment(
    minutes: float, drift: float | None, off: float | None, shot: Snapshot, before: float | None
) -> Moment:
    memory = resident_mb()
    grown = None if memory is None or before is None else memory - before
    own, all_threads = threading.active_count(), threads()
    return Moment(minutes, drift, off, shot.fps, memory, grown, own, all_threads)


def _shown(live: Live, frames: int) -> list[np.ndarray]:
    """Returns the next painted frames."""
    seen: dict[int, np.ndarray] = {}
    while len(seen) < frames:
        shot = live.snapshot()
        if shot.error:
            raise shot.error
        if shot.frame is not None:
            seen.setdefault(shot.frame.index, shot.frame.pixels)
        time.sleep(0.002)
    return list(seen.values())


def _mean(pictures: list[np.ndarray]) -> np.ndarray:
    """Returns the mean picture, float32 (H, W, 3)."""
    return np.asarray(np.mean(pictures, axis=0, dtype=np.float32))
