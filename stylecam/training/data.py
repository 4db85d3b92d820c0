"""Photos and style pictures for training, and the random crops that a step is made of.

Knows no network and no loss. Everything random is drawn from the generator handed in, so that a
step depends on its number alone and a resumed run sees what the uninterrupted one would.
"""

from __future__ import annotations

import fnmatch
import logging
from pathlib import Path

import cv2
import numpy as np
import torch
from torch import Tensor

from stylecam.errors import SourceError, TrainingError
from stylecam.video.picture import read_picture

log = logging.getLogger(__name__)


def to_short_side(picture: np.ndarray, side: int) -> np.ndarray:
    """The picture with its short side at `side` pixels, averaged down or cubic up."""
    height, width = picture.shape[:2]
    factor = side / min(height, width)
    size = (max(side, round(width * factor)), max(side, round(height * factor)))
    return cv2.resize(
        picture, size, interpolation=cv2.INTER_AREA if factor < 1 else cv2.INTER_CUBIC
    )


def to_tensor(picture: np.ndarray) -> Tensor:
    """uint8 (H, W, 3) → float (1, 3, H, W) in [0, 1]."""
    return torch.from_numpy(picture.copy()).permute(2, 0, 1)[None].float() / 255


class Photos:
    """Content photos: crops to learn from, and a hold-out that no crop comes from."""

    def __init__(self, root: Path, pattern: str, favour: dict[str, float], holdout_every: int):
        paths = sorted(root.glob(pattern))
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
        self._bad: set[Path] = set()

    def crop(self, rng: np.random.Generator, size: int, short_side: tuple[int, int]) -> Tensor:
        """A square of a random photo at a random scale, maybe mirrored: (1, 3, size, size)."""
        picture = self._readable(rng)
        low, high = short_side
        picture = to_short_side(picture, max(size, int(rng.integers(low, high + 1))))
        y = rng.integers(picture.shape[0] - size + 1)
        x = rng.integers(picture.shape[1] - size + 1)
        square = picture[y : y + size, x : x + size]
        return to_tensor(square[:, ::-1] if rng.random() < 0.5 else square)

    def _readable(self, rng: np.random.Generator) -> np.ndarray:
        """A random photo; one that cannot be read is named once and another drawn."""
        while len(self._bad) < len(self.paths):
            path = self.paths[rng.choice(len(self.paths), p=self.odds)]
            try:
                return read_picture(path)
            except SourceError as error:
                if path not in self._bad:
                    self._bad.add(path)
                    log.warning("skipping a photo: %s", error)
        raise TrainingError(f"none of the {len(self.paths)} photos can be read")
