"""Streams on which steadiness is measured, and how painters do on them. Knows no styles.

They are frames whose motion is known exactly (the demo, and photos that a hand-held camera pans
over), photos held still, and real clips.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from statistics import mean

import numpy as np

from stylecam.errors import SourceError
from stylecam.evaluation import metrics
from stylecam.video.demo import DemoSource
from stylecam.video.media import FileSource

STREAM_FRAMES = 40
STILL_PHOTOS, STILL_FRAMES = 12, 20
"""Photos that are held still, and frames of each: flicker varies a lot between photos."""
PANNED_PHOTOS = 4
"""Photos that a hand-held camera pans over, for STILL_FRAMES frames each."""
SHORTEST = metrics.SETTLED + 2
"""Frames of the shortest clip whose steadiness can be measured."""
STYLE_EVERY = 16
"""Distance of the demo frames whose style loss is measured with and without the stabiliser."""
STRIP_FRAMES = 5
"""Consecutive frames that a strip of a clip shows: its last ones."""


@dataclass(frozen=True)
class Streams:
    """Frames of all streams, uint8 RGB (H, W, 3)."""

    still: list[list[np.ndarray]]
    """Each photo as a noisy camera on a tripod sees it."""
    panned: list[tuple[list[np.ndarray], metrics.Motion]]
    """Photos as a hand-held camera sees them, and its motion."""
    moving: list[np.ndarray]
    motion: metrics.Motion
    """The demo's frames and motion."""
    clips: dict[str, list[np.ndarray]]


@dataclass(frozen=True)
class Figures:
    """What was measured of a painter on all streams."""

    flicker: float
    warp: float
    """Warp error on the demo, and below on panned photos and on clips."""
    photo_warp: float
    clip_warp: float | None
    still_sharpness: float
    sharpness: float
    """On the demo, which moves."""
    settled: list[np.ndarray]
    """The last painted frame of each still photo."""
    moving: list[np.ndarray]
    """Painted frames of the demo, STYLE_EVERY apart."""
    strips: dict[str, list[np.ndarray]]
    """The last STRIP_FRAMES of each clip."""


def streams_of(photos: Sequence[np.ndarray], clips: Sequence[Path]) -> Streams:
    """Makes the streams from photos and video files. Raises SourceError if a file is too short."""
    demo = DemoSource(frames=STREAM_FRAMES, paced=False)
    taken = {
        path.name: [frame.pixels for frame in islice(FileSource(path).frames(), STREAM_FRAMES)]
        for path in clips
    }
    for name, frames in taken.items():
        if len(frames) < SHORTEST:
            raise SourceError(
                f"{name} has {len(frames)} frames; to be measured it needs {SHORTEST}"
            )
    moving = [frame.pixels for frame in demo.frames()]
    still = [metrics.still(photo, STILL_FRAMES) for photo in photos[:STILL_PHOTOS]]
    panned = [metrics.panned(photo, STILL_FRAMES) for photo in photos[:PANNED_PHOTOS]]
    return Streams(still, panned, moving, demo.motion, taken)


def measured(
    streams: Streams, paint: metrics.Paint, forget: Callable[[], None] | None = None
) -> Figures:
    """Measures `paint` on the streams; `forget` resets a painter with a memory, and is called
    before each stream."""

    def stream(frames: Sequence[np.ndarray]) -> list[np.ndarray]:
        if forget:
            forget()
        return [paint(frame) for frame in frames]

    moving = stream(streams.moving)
    errors, strips = [], {}
    flickers, sharpnesses, settled = [], [], []
    for photo in streams.still:
        painted = stream(photo)
        flickers.append(metrics.flicker(painted))
        sharpnesses.append(metrics.sharpness(painted))
        settled.append(painted[-1])
    panned = [metrics.exact_warp_error(stream(frames), how) for frames, how in streams.panned]
    for name, clip in streams.clips.items():
        painted = stream(clip)
        errors.append(metrics.clip_warp_error(clip, painted))
        strips[name] = painted[-STRIP_FRAMES:]
    return Figures(
        mean(flickers),
        metrics.exact_warp_error(moving, streams.motion),
        mean(panned),
        mean(errors) if errors else None,
        mean(sharpnesses),
        metrics.sharpness(moving),
        settled,
        moving[metrics.SETTLED :: STYLE_EVERY],
        strips,
    )
