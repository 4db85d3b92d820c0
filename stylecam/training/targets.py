"""What the styles' own pictures say: Gram matrices, palettes and pieces, at each stroke.

Knows no network. Everything is asked for by rows of styles and by places in STROKES, (N,) each.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from stylecam.errors import SourceError, TrainingError
from stylecam.training import losses
from stylecam.training.data import to_short_side, to_tensor
from stylecam.training.encoder import Encoder
from stylecam.training.recipe import StyleRecipe
from stylecam.video.picture import read_picture

STROKES = (0.0, 0.5, 1.0)
"""Ways from the fine to the coarse code that are trained, each with the style picture at its size,
so that all that lies between paints well."""


class Targets:
    """Raises TrainingError where a style's picture cannot be read."""

    def __init__(self, styles: dict[str, StyleRecipe], data: Path, encoder: Encoder):
        self._pictures: list[list[np.ndarray]] = []
        grams, palettes = [], []
        for name, style in styles.items():
            try:
                picture = read_picture(data / style.picture)
            except SourceError as error:
                raise TrainingError(f"style {name}: {error}") from None
            self._pictures.append([to_short_side(picture, style.side(k)) for k in STROKES])
            images = [to_tensor(sized) for sized in self._pictures[-1]]
            with torch.no_grad():
                layers = zip(*(encoder(image) for image in images), strict=True)
                grams.append([torch.cat([losses.gram(one) for one in layer]) for layer in layers])
            palettes.append(torch.cat([losses.palette(image) for image in images]))
        self._grams = [torch.stack(layer) for layer in zip(*grams, strict=True)]
        self._palettes = torch.stack(palettes)

    def grams(self, rows: np.ndarray, strokes: np.ndarray) -> list[Tensor]:
        """Gram matrices, (N, C, C) for each layer of the encoder."""
        return [layer[rows, strokes] for layer in self._grams]

    def palettes(self, rows: np.ndarray, strokes: np.ndarray) -> Tensor:
        """Palettes, (N, D, QUANTILES), as `losses.palette` gives them."""
        return self._palettes[rows, strokes]

    def pieces(
        self, rng: np.random.Generator, rows: np.ndarray, strokes: np.ndarray, side: int
    ) -> Tensor:
        """A random square of each picture, (N, 3, side, side)."""
        squares = []
        for row, stroke in zip(rows, strokes, strict=True):
            picture = self._pictures[row][stroke]
            y, x = (int(rng.integers(n - side + 1)) for n in picture.shape[:2])
            squares.append(to_tensor(picture[y : y + side, x : x + side]))
        return torch.cat(squares)
