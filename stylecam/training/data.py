"""Training photos, the random crops that a step uses, and the motion between pairs of them.

Knows nothing about the network and the losses. All randomness comes from the generator passed in,
so that a step depends only on its number and a resumed run sees what an uninterrupted one would.
"""

from __future__ import annotations

import fnmatch
import logging
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from stylecam.body import STRIDE
from stylecam.errors import SourceError, TrainingError
from stylecam.video.picture import read_picture

log = logging.getLogger(__name__)


def to_short_side(picture: np.ndarray, side: int) -> np.ndarray:
    """Resizes a picture so that its short side has `side` pixels: averaging down, cubic up."""
    height, width = picture.shape[:2]
    factor = side / min(height, width)
    size = (max(side, round(width * factor)), max(side, round(height * factor)))
    return cv2.resize(
        picture, size, interpolation=cv2.INTER_AREA if factor < 1 else cv2.INTER_CUBIC
    )


def to_tensor(picture: np.ndarray) -> Tensor:
    """uint8 (H, W, 3) → float (1, 3, H, W) in [0, 1]."""
    return torch.from_numpy(picture.copy()).permute(2, 0, 1)[None].float() / 255


def to_device(pictures: Tensor, device: torch.device) -> Tensor:
    """uint8 (N, H, W, 3) → float (N, 3, H, W) in [0, 1] on a device. They travel as bytes, since a
    GPU would wait for floats."""
    return pictures.to(device, non_blocking=True).permute(0, 3, 1, 2).float() / 255


class Photos:
    """Content photos: crops to train on, and a hold-out set that is never cropped from."""

    def __init__(self, root: Path, pattern: str, favour: dict[str, float], holdout_every: int):
        if not pattern or Path(pattern).is_absolute():
            raise TrainingError(f"expected a pattern of photos below {root}, got {pattern!r}")
        try:
            paths = sorted(root.glob(pattern))
        except ValueError as error:  # "**.jpg", up to Python 3.12
            raise TrainingError(f"{pattern!r} is no pattern of photos: {error}") from None
        if not paths:
            raise TrainingError(f"no photos match {pattern} in {root}")
        self.holdout = paths[::holdout_every] if holdout_every else []
        self.paths = sorted(set(paths) - set(self.holdout))
        if not self.paths:
            raise TrainingError(f"all {len(paths)} photos in {root} are held out of training")
        odds = np.ones(len(self.paths))
        for glob, factor in favour.items():
            odds[[fnmatch.fnmatch(path.name, glob) for path in self.paths]] *= factor
        self.odds = odds / odds.sum()
        self._bad: dict[Path, SourceError] = {}

    def crop(self, rng: np.random.Generator, size: int, short_side: tuple[int, int]) -> np.ndarray:
        """Returns a square of a random photo, scaled and mirrored at random: uint8
        (size, size, 3)."""
        picture = self._readable(rng)
        low, high = short_side
        picture = to_short_side(picture, max(size, int(rng.integers(low, high + 1))))
        y = rng.integers(picture.shape[0] - size + 1)
        x = rng.integers(picture.shape[1] - size + 1)
        square = picture[y : y + size, x : x + size]
        return square[:, ::-1] if rng.random() < 0.5 else square

    def _readable(self, rng: np.random.Generator) -> np.ndarray:
        """Returns a random photo; one that cannot be read is logged once, and another is drawn."""
        while any(path not in self._bad for path in self.paths):
            path = self.paths[rng.choice(len(self.paths), p=self.odds)]
            if (picture := self._read(path)) is not None:
                return picture
        raise TrainingError(f"none of the {len(self.paths)} photos can be read")

    def held_out(self) -> Iterator[np.ndarray]:
        """Yields the hold-out photos that can be read, uint8 RGB (H, W, 3)."""
        for path in self.holdout:
            if (picture := self._read(path)) is not None:
                yield picture

    def _read(self, path: Path) -> np.ndarray | None:
        try:
            return read_picture(path)
        except SourceError as error:
            if self._bad.setdefault(path, error) is error:
                log.warning("skipping a photo: %s", error)
            return None


REACH = 4
"""Pixels of border, besides those for the shift, into which zoom and flow may move a picture."""

FLOW_CELLS = 4
"""Cells, across and down, of the grid at whose corners a smooth flow is drawn."""


@dataclass(frozen=True)
class Motion:
    """Where each pixel of a square picture was before: (x, y) in pixels, float32
    (size, size, 2)."""

    places: Tensor

    @classmethod
    def random(
        cls,
        rng: np.random.Generator,
        size: int,
        shift: int,
        zoom: float,
        flow: float,
        device: torch.device | None = None,
    ) -> Motion:
        """Draws one of three kinds of motion: none, a whole-pixel shift, or shift, zoom and flow.

        All are equally likely. No motion teaches the network to ignore noise; whole-pixel shifts
        teach it to paint a place alike wherever it falls on the network's grid. Neither resamples
        the picture, which would reward blur.
        """
        axis = torch.arange(size, dtype=torch.float32)
        places = torch.stack(torch.meshgrid(axis, axis, indexing="xy"), -1)
        kind = rng.integers(3)
        if kind:
            places = places + torch.from_numpy(rng.integers(-shift, shift + 1, 2)).float()
        if kind == 2:
            middle = (size - 1) / 2
            places = middle + (places - middle) * (1 + rng.uniform(-zoom, zoom))
            corners = rng.normal(0, flow, (FLOW_CELLS + 1, FLOW_CELLS + 1, 2)).astype(np.float32)
            bend = cv2.resize(corners, (size, size), interpolation=cv2.INTER_CUBIC)
            places = places + torch.from_numpy(bend)
        return cls(places.to(device))

    def __call__(self, pictures: Tensor, border: int = 0) -> Tensor:
        """Moves pictures (N, C, size + 2 border, size + 2 border) to (N, C, size, size)."""
        side = pictures.shape[-1]
        grid = (self.places + border) * (2 / (side - 1)) - 1
        return F.grid_sample(
            pictures,
            grid[None].expand(len(pictures), -1, -1, -1),
            mode="bicubic",
            padding_mode="border",
            align_corners=True,
        )

    def carry(self, grain: Tensor, margin: int) -> Tensor:
        """Moves the grain (side, side) of a picture with a margin along with the picture.

        The result stays as white as the input, since values between cells are interpolated by
        zero-padding the spectrum.
        """
        side, size = len(grain), self.places.shape[0]
        before = side * STRIDE // 2 - side // 2  # keeps the zero frequency in the centre
        around = (before, side * (STRIDE - 1) - before)
        waves = F.pad(torch.fft.fftshift(torch.fft.fft2(grain)), around * 2)
        field = torch.fft.ifft2(torch.fft.ifftshift(waves)).real * STRIDE**2
        cells = torch.arange(side, device=grain.device) * STRIDE
        at_rest = torch.stack(torch.meshgrid(cells, cells, indexing="xy"), -1)
        # Cells in the margin move like the nearest pixels of the picture.
        nearest = (at_rest + STRIDE // 2 - margin).clamp(0, size - 1)
        column, row = nearest.unbind(-1)
        places = at_rest + self.places[row, column] - nearest
        grid = places * (2 / (len(field) - 1)) - 1
        carried = F.grid_sample(
            field[None, None],
            grid[None],
            mode="bicubic",
            padding_mode="reflection",
            align_corners=True,
        )
        return carried[0, 0]

    def seen(self) -> Tensor:
        """Returns 1 where the pixel was inside the picture before, else 0; float32 (size, size)."""
        size = self.places.shape[0]
        return ((self.places >= 0) & (self.places <= size - 1)).all(-1).float()
