"""Measures styles, and a peer, on the same photos and clips. Does not interpret the figures.

Style and content are measured on the photos, flicker on the first dozen of them held still, and
warp error on the demo source and on photos that a camera pans over, where the motion is known
exactly, and on clips by optical flow.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, fields
from functools import partial
from pathlib import Path
from statistics import mean
from typing import Protocol

import numpy as np
from torch import Tensor

from stylecam import assets
from stylecam.errors import SourceError, SourceMissing
from stylecam.evaluation import metrics
from stylecam.evaluation.streams import Figures, measured, streams_of
from stylecam.style import find, identity
from stylecam.stylizer import Stylizer
from stylecam.training.data import to_short_side
from stylecam.training.encoder import Encoder, load_encoder
from stylecam.training.paint import STEPS, STYLE_SIDE, paint
from stylecam.video.picture import is_picture, read_picture

log = logging.getLogger(__name__)

PHOTO_SIDE = 336
"""Short side, in pixels, at which photos are painted and compared."""

PHOTOS = "the photos"
"""Name of a row's sheet of painted photos."""

MORE_IS_BETTER = ("at_most_half", "still_sharpness", "steady_sharpness")

PEER_STYLES = (0, 5, 10, 15, 20, 25)
"""Those of the peer's 26 built-in styles whose steadiness is measured."""


@dataclass
class Row:
    """What was measured of one style, or of the peer; None for what was not measured."""

    name: str
    style: float | None = None
    """Balanced Gram loss against the style picture, mean over photos."""
    content: float | None = None
    psnr: float | None = None
    """Of the identity code, which should reproduce the photos; in dB."""
    peer_style: float | None = None
    """`style` of the peer's arbitrary-style network, given the same style picture at its full size:
    the network looks at 256x256 pixels of it and paints at most 384 on the longer side, so its
    strokes are finer or softer than those of the picture at the size measured."""
    peer_content: float | None = None
    at_most_half: float | None = None
    """Share of the photos on which our style loss is at most half of the peer's."""
    optimum_style: float | None = None
    """`style` of pictures optimised one by one (`training.paint`), the bound for any network."""
    optimum_content: float | None = None
    optimum_ratio: float | None = None
    """Our style loss / the optimum's, on the photos that were optimised."""
    flicker: float | None = None
    """In levels: without the stabiliser, and below with it."""
    steady_flicker: float | None = None
    warp: float | None = None
    """Warp error on the demo, and below on panned photos and on clips, each without and with the
    stabiliser."""
    steady_warp: float | None = None
    photo_warp: float | None = None
    steady_photo_warp: float | None = None
    clip_warp: float | None = None
    steady_clip_warp: float | None = None
    still_sharpness: float | None = None
    """With / without the stabiliser, on the photos held still; below, the style loss likewise."""
    still_style: float | None = None
    steady_sharpness: float | None = None
    """The same two ratios on the demo, which moves."""
    steady_style: float | None = None
    sheets: dict[str, list[np.ndarray]] = field(default_factory=dict, repr=False)
    """Pictures to look at, by caption, uint8 RGB: the painted photos after the style's own picture,
    and strips of frames from the clips."""


class Rival(Protocol):
    """What is measured for comparison, such as `Peer`; pictures are uint8 RGB (H, W, 3)."""

    def paint(self, picture: np.ndarray, style: int = 0) -> np.ndarray:
        """Paints in one of its own styles."""
        ...

    def paint_like(self, picture: np.ndarray, painting: np.ndarray) -> np.ndarray:
        """Paints in the style of `painting`."""
        ...


@dataclass(frozen=True)
class Material:
    """What to measure on: photos, clips, and the style pictures."""

    photos: Sequence[Path]
    paintings: Path | None = None
    """Folder with NAME.jpg or .png for each style; without it, style and content are left out."""
    clips: Sequence[Path] = ()
    encoder: Path = assets.ENCODER


def pictures_in(folder: Path) -> list[Path]:
    """Returns the pictures of a folder, or the one picture itself. Raises SourceMissing."""
    if not folder.exists():
        raise SourceMissing(f"there is no folder and no picture {folder}")
    found = sorted(p for p in folder.iterdir() if is_picture(p)) if folder.is_dir() else [folder]
    if not found:
        raise SourceMissing(f"there are no pictures in {folder}")
    return found


def evaluate(
    names: Sequence[str],
    material: Material,
    *,
    rival: Rival | None = None,
    device: str,
    optimum: int = 0,
    steps: int | None = None,
) -> Iterator[Row]:
    """Yields a row for each style as soon as it is measured, then rows to compare them with.

    These are the mean and the worst of all styles if there are several, identity, the photos
    themselves, and the PEER_STYLES if there is a `rival`.

    `optimum`: the number of photos for which to measure also what optimising the picture itself
    reaches in `steps` (default `paint.STEPS`), which takes minutes per photo and needs the
    paintings.
    """
    paintings = {}
    for name in names:
        find(name)
        if material.paintings is not None:
            paintings[name] = _painting(material.paintings, name)
            read_picture(paintings[name])  # now, not after an hour
    encoder = load_encoder(material.encoder)
    measure = metrics.StyleMeasure(encoder)
    photos = read_photos(material)
    streams = streams_of(photos, material.clips)
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
        single, held = (measured(streams, each, each.reset) for each in (bare, steady))
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
    yield Row("identity", psnr=fidelity, sheets={PHOTOS: copies})
    yield _of_others("the photos themselves", measured(streams, lambda photo: photo), "as it is")
    if rival:
        for number in PEER_STYLES:
            figures = measured(streams, partial(rival.paint, style=number))
            yield _of_others(f"peer's style {number}", figures, "the peer")


def readable(paths: Sequence[Path]) -> list[Path]:
    """Returns the pictures that can be read, and logs the rest. Raises SourceError if none can."""
    good = []
    for path in paths:
        try:
            read_picture(path)
            good.append(path)
        except SourceError as error:
            if len(paths) == 1:
                raise
            log.warning("skipped: %s", error)
    if not good:
        raise SourceError(f"none of the {len(paths)} pictures can be read")
    return good


def read_photos(material: Material) -> list[np.ndarray]:
    """Returns the photos as they are measured, uint8 RGB."""
    return [_even(to_short_side(read_picture(path), PHOTO_SIDE)) for path in material.photos]


def _even(photo: np.ndarray) -> np.ndarray:
    """Crops a photo to multiples of 8, so that no network has to pad it."""
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
    """Returns the style and content loss of each photo's painting, (N, 2)."""
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
    """Yields the mean and the worst of each column for which every style has a figure."""
    means, worsts = Row(f"mean of {len(rows)} styles"), Row("worst of them")
    for column in (column.name for column in fields(Row) if column.name not in ("name", "sheets")):
        values = [getattr(row, column) for row in rows]
        if None not in values:
            worst = min(values) if column in MORE_IS_BETTER else max(values)
            setattr(means, column, mean(values))
            setattr(worsts, column, worst)
    yield from (means, worsts)


def _of_others(name: str, figures: Figures, words: str) -> Row:
    """Returns a row for frames that have no stabiliser and no style picture."""
    return Row(
        name,
        flicker=figures.flicker,
        warp=figures.warp,
        photo_warp=figures.photo_warp,
        clip_warp=figures.clip_warp,
        sheets={f"{clip}, {words}": strip for clip, strip in figures.strips.items()},
    )


def _steadiness(row: Row, single: Figures, held: Figures) -> None:
    """Fills in what was measured without and with the stabiliser."""
    row.flicker, row.steady_flicker = single.flicker, held.flicker
    row.warp, row.steady_warp = single.warp, held.warp
    row.photo_warp, row.steady_photo_warp = single.photo_warp, held.photo_warp
    row.clip_warp, row.steady_clip_warp = single.clip_warp, held.clip_warp
    row.still_sharpness = held.still_sharpness / single.still_sharpness
    row.steady_sharpness = held.sharpness / single.sharpness
    for words, figures in (("bare", single), ("steadied", held)):
        row.sheets |= {f"{name}, {words}": strip for name, strip in figures.strips.items()}
