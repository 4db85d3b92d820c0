"""Streams that steadiness is measured on, and what painters make of them. Knows no style.

What moves exactly (the demo, photos before a camera held by hand), what stands still (photos), and
real clips.
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
"""Photos that are held still, and for how many frames: flicker differs much from one to the next.
"""
PANNED_PHOTOS = 4
"""Photos that a camera moves over, for as many frames."""
SHORTEST = metrics.SETTLED + 2
"""Frames of the shortest clip whose steadiness can be measured."""
STYLE_EVERY = 16
"""Frames of the demo of which the style of one is measured with and without the stabiliser."""
STRIP_FRAMES = 5
"""Frames one after the other that a strip of a clip shows, its last."""


@dataclass(frozen=True)
class Streams:
    """Frames, uint8 RGB (H, W, 3)."""

    still: list[list[np.ndarray]]
    """Each photo before a noisy camera on a tripod."""
    panned: list[tuple[list[np.ndarray], metrics.Motion]]
    """Photos before one that is held by hand, and its motion."""
    moving: list[np.ndarray]
    motion: metrics.Motion
    """The demo and its."""
    clips: dict[str, list[np.ndarray]]


@dataclass(frozen=True)
class Figures:
    """What a painter made of all of them."""

    flicker: float
    warp: float
    """Error on the demo, and below on the photos before a camera that moves."""
    photo_warp: float
    clip_warp: float | None
    still_sharpness: float
    sharpness: float
    """Where it moves."""
    settled: list[np.ndarray]
    """The last painted frame of each still photo."""
    moving: list[np.ndarray]
    """Painted frames of the demo, STYLE_EVERY apart."""
    strips: dict[str, list[np.ndarray]]
    """Of each clip the last STRIP_FRAMES."""


def streams_of(photos: Sequence[np.ndarray], clips: Sequence[Path]) -> Streams:
    """Of photos and video files. SourceError where a file is too short."""
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
    """What `paint` makes of them; `forget` makes a painter with a memory begin anew, which it does
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
