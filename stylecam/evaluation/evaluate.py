"""Measures styles on photos and clips, beside the peer on the same ones. Knows no figures' meaning.

Style and content are measured on the photos, flicker on the first dozen of them held still, warp
error on the demo source, whose motion is known exactly, and on clips by their own flow.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, fields
from functools import partial
from itertools import islice
from pathlib import Path
from statistics import mean

import numpy as np
from torch import Tensor

from stylecam import assets
from stylecam.errors import SourceError, SourceMissing
from stylecam.evaluation import metrics
from stylecam.evaluation.peer import Peer
from stylecam.style import find, identity
from stylecam.stylizer import Stylizer
from stylecam.training.data import to_short_side
from stylecam.training.encoder import Encoder, load_encoder
from stylecam.training.paint import STEPS, STYLE_SIDE, paint
from stylecam.video.demo import DemoSource
from stylecam.video.media import FileSource
from stylecam.video.picture import is_picture, read_picture

PHOTO_SIDE = 336
"""Pixels of the short side at which photos are painted and compared."""

PHOTOS = "the photos"
"""The sheet of a row that shows them painted."""

STREAM_FRAMES = 40
STILL_PHOTOS, STILL_FRAMES = 12, 20
"""Photos that are held still, and for how many frames: flicker differs much from one to the next.
"""
SHORTEST = metrics.SETTLED + 2
"""Frames of the shortest clip whose steadiness can be measured."""
STYLE_EVERY = 16
"""Frames of the demo of which the style of one is measured with and without the stabiliser."""
STRIP_FRAMES = 5
"""Frames one after the other that a strip of a clip shows, its last."""

MORE_IS_BETTER = ("at_most_half", "still_sharpness", "steady_sharpness")

PEER_STYLES = (0, 5, 10, 15, 20, 25)
"""Of the peer's 26 built-in styles, those whose steadiness is measured."""


@dataclass
class Row:
    """What was measured of one style, or of the peer; None where nothing was asked for."""

    name: str
    style: float | None = None
    """Balanced Gram loss to the style picture, mean over photos."""
    content: float | None = None
    peer_style: float | None = None
    """The same of the peer's any-picture network, given the same style picture, of whatever size:
    it looks at 256x256 pixels of it and paints no more than 384 on the longer side, so its strokes
    are finer or softer than those of the picture at the size measured."""
    peer_content: float | None = None
    at_most_half: float | None = None
    """Share of the photos on which our style loss is at most half of the peer's."""
    optimum_style: float | None = None
    """The same of pictures optimised one by one (`training.paint`), the bound of any network."""
    optimum_content: float | None = None
    optimum_ratio: float | None = None
    """Our style loss : the optimum's, on the photos that were optimised."""
    flicker: float | None = None
    """Without the stabiliser, and below with it; levels."""
    steady_flicker: float | None = None
    warp: float | None = None
    steady_warp: float | None = None
    clip_warp: float | None = None
    steady_clip_warp: float | None = None
    still_sharpness: float | None = None
    """With : without the stabiliser, of the photos held still; and the same of the style loss."""
    still_style: float | None = None
    steady_sharpness: float | None = None
    """The same where it moves."""
    steady_style: float | None = None
    sheets: dict[str, list[np.ndarray]] = field(default_factory=dict, repr=False)
    """Pictures to look at by what they show, uint8 RGB: the photos' paintings after the style's own
    picture, and strips of frames from the clips."""


@dataclass(frozen=True)
class Material:
    """What to measure on: photos, clips, and the pictures that styles were learnt from."""

    photos: Sequence[Path]
    paintings: Path | None = None
    """Folder of NAME.jpg or .png for each style; without it style and content are left out."""
    clips: Sequence[Path] = ()
    encoder: Path = assets.ENCODER


def pictures_in(folder: Path) -> list[Path]:
    """The pictures of a folder, or the one picture itself."""
    found = sorted(p for p in folder.iterdir() if is_picture(p)) if folder.is_dir() else [folder]
    if not found:
        raise SourceMissing(f"there are no pictures in {folder}")
    return found


def evaluate(
    names: Sequence[str],
    material: Material,
    *,
    peer: bool,
    device: str,
    optimum: int = 0,
    steps: int | None = None,
) -> Iterator[Row]:
    """A row for each style as soon as it is measured; then all styles in two, identity, the peer.

    `optimum`: for so many photos, what optimising the picture itself in `steps` (else
    `paint.STEPS`) reaches, which takes minutes for each and needs the paintings.
    """
    paintings = {}
    for name in names:
        find(name)
        if material.paintings is not None:
            paintings[name] = _painting(material.paintings, name)
    encoder = load_encoder(material.encoder)
    measure = metrics.StyleMeasure(encoder)
    photos = read_photos(material)
    streams = _streams(photos, material.clips)
    rival = Peer(os.cpu_count() or 1) if peer else None
    bare, steady = Stylizer(names[0], device, steadiness=0), Stylizer(names[0], device)
    rows = []
    for name in names:
        bare.style = steady.style = name
        painted = [bare.still(photo) for photo in photos]
        row = Row(name, sheets={PHOTOS: painted})
        if painting := paintings.get(name):
            pixels = read_picture(painting)
            art = to_short_side(pixels, find(name).side or STYLE_SIDE)
            row.sheets[PHOTOS] = [art, *painted]
            grams = measure.grams(art)
            losses = _losses(measure, painted, photos, grams)
            row.style, row.content = map(float, losses.mean(0))
            if optimum:
                few = photos[:optimum]
                best = [_optimised(photo, art, encoder, steps or STEPS) for photo in few]
                row.sheets["optimised"] = [art, *best]
                reached = _losses(measure, best, few, grams).mean(0)
                row.optimum_style, row.optimum_content = map(float, reached)
                row.optimum_ratio = float(losses[:optimum, 0].mean()) / row.optimum_style
            if rival:
                theirs = [rival.paint_like(photo, pixels) for photo in photos]
                row.sheets["the peer"] = [art, *theirs]
                their_losses = _losses(measure, theirs, photos, grams)
                row.peer_style, row.peer_content = map(float, their_losses.mean(0))
                row.at_most_half = float(np.mean(losses[:, 0] <= their_losses[:, 0] / 2))
        single, held = (_measured(streams, each, each.reset) for each in (bare, steady))
        _steadiness(row, single, held)
        if painting:
            row.still_style = _style_ratio(measure, held.settled, single.settled, grams)
            row.steady_style = _style_ratio(measure, held.moving, single.moving, grams)
        rows.append(row)
        yield row
    if len(rows) > 1:
        yield from _over_all(rows)
    bare.style = identity()
    copies = [bare.still(photo) for photo in photos]
    fidelity = mean(metrics.psnr(a, b) for a, b in zip(copies, photos, strict=True))
    yield Row(f"identity ({fidelity:.1f} dB)", sheets={PHOTOS: copies})
    if rival:
        for number in PEER_STYLES:
            figures = _measured(streams, partial(rival.paint, style=number))
            sheets = {f"{name}, the peer": strip for name, strip in figures.strips.items()}
            yield Row(
                f"peer's style {number}",
                flicker=figures.flicker,
                warp=figures.warp,
                clip_warp=figures.clip_warp,
                sheets=sheets,
            )


def read_photos(material: Material) -> list[np.ndarray]:
    """The photos as they are measured, uint8 RGB."""
    return [_even(to_short_side(read_picture(path), PHOTO_SIDE)) for path in material.photos]


def _even(photo: np.ndarray) -> np.ndarray:
    """Cut to multiples of 8, which no network has to pad."""
    height, width = (side - side % 8 for side in photo.shape[:2])
    return np.ascontiguousarray(photo[:height, :width])


def _painting(folder: Path, name: str) -> Path:
    for path in (folder / f"{name}{suffix}" for suffix in (".jpg", ".png")):
        if path.exists():
            return path
    raise SourceMissing(f"there is no {name}.jpg or {name}.png in {folder}")


def _optimised(photo: np.ndarray, painting: np.ndarray, encoder: Encoder, steps: int) -> np.ndarray:
    *_, last = paint(photo, painting, encoder, steps=steps)
    return last.pixels()


def _losses(
    measure: metrics.StyleMeasure,
    painted: Sequence[np.ndarray],
    photos: Sequence[np.ndarray],
    grams: list[Tensor],
) -> np.ndarray:
    """Style and content loss of each photo's painting, (N, 2)."""
    pairs = zip(painted, photos, strict=True)
    return np.array([measure.style_and_content(a, b, grams) for a, b in pairs])


def _style_ratio(
    measure: metrics.StyleMeasure,
    ours: Sequence[np.ndarray],
    theirs: Sequence[np.ndarray],
    grams: list[Tensor],
) -> float:
    a, b = (mean(measure.style(frame, grams) for frame in frames) for frames in (ours, theirs))
    return a / b


def _over_all(rows: Sequence[Row]) -> Iterator[Row]:
    """The mean and the worst of each column in which all styles have a figure."""
    means, worsts = Row(f"mean of {len(rows)} styles"), Row("worst of them")
    for column in (column.name for column in fields(Row) if column.name not in ("name", "sheets")):
        values = [getattr(row, column) for row in rows]
        if None not in values:
            worst = min(values) if column in MORE_IS_BETTER else max(values)
            setattr(means, column, mean(values))
            setattr(worsts, column, worst)
    yield from (means, worsts)


@dataclass(frozen=True)
class _Streams:
    still: list[list[np.ndarray]]
    """Each photo before a noisy camera."""
    moving: list[np.ndarray]
    motion: Callable[[int], np.ndarray]
    clips: dict[str, list[np.ndarray]]


@dataclass(frozen=True)
class _Figures:
    flicker: float
    warp: float
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


def _streams(photos: Sequence[np.ndarray], clips: Sequence[Path]) -> _Streams:
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
    return _Streams(still, moving, demo.motion, taken)


def _measured(
    streams: _Streams, paint: metrics.Paint, forget: Callable[[], None] | None = None
) -> _Figures:
    """`forget` makes a painter with a memory begin anew, which it does before each stream."""

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
    for name, clip in streams.clips.items():
        painted = stream(clip)
        errors.append(metrics.clip_warp_error(clip, painted))
        strips[name] = painted[-STRIP_FRAMES:]
    return _Figures(
        mean(flickers),
        metrics.exact_warp_error(moving, streams.motion),
        mean(errors) if errors else None,
        mean(sharpnesses),
        metrics.sharpness(moving),
        settled,
        moving[metrics.SETTLED :: STYLE_EVERY],
        strips,
    )


def _steadiness(row: Row, single: _Figures, held: _Figures) -> None:
    """Takes over what was measured without and with the stabiliser."""
    row.flicker, row.steady_flicker = single.flicker, held.flicker
    row.warp, row.steady_warp = single.warp, held.warp
    row.clip_warp, row.steady_clip_warp = single.clip_warp, held.clip_warp
    row.still_sharpness = held.still_sharpness / single.still_sharpness
    row.steady_sharpness = held.sharpness / single.sharpness
    for words, figures in (("bare", single), ("steadied", held)):
        row.sheets |= {f"{name}, {words}": strip for name, strip in figures.strips.items()}
