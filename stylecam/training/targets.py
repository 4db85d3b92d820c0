"""What the styles' own pictures say at each stroke: Gram matrices, colours, rhythm, pieces.

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
from stylecam.training.order import PHOTO, STROKES, Order
from stylecam.training.recipe import StyleRecipe
from stylecam.video.picture import read_picture


class Targets:
    """Raises TrainingError where a style's picture cannot be read."""

    def __init__(self, styles: dict[str, StyleRecipe], data: Path, encoder: Encoder):
        self._pictures: list[list[np.ndarray]] = []
        grams, palettes, gamuts, rhythms = [], [], [], []
        for name, style in styles.items():
            if (smallest := min(style.fine, style.coarse)) < losses.WINDOW:
                raise TrainingError(
                    f"style {name}: expected strokes from pictures of at least {losses.WINDOW} "
                    f"pixels, got {smallest}"
                )
            try:
                picture = read_picture(data / style.picture)
            except SourceError as error:
                raise TrainingError(f"style {name}: {error}") from None
            self._pictures.append([to_short_side(picture, style.side(k)) for k in STROKES])
            images = [to_tensor(sized).to(encoder.mean.device) for sized in self._pictures[-1]]
            with torch.no_grad():
                layers = zip(*(encoder(image) for image in images), strict=True)
                grams.append([torch.cat([losses.gram(one) for one in layer]) for layer in layers])
            palettes.append(torch.cat([losses.palette(image) for image in images]))
            gamuts.append(torch.stack([losses.gamut(image) for image in images]))
            rhythms.append(torch.cat([_rhythm(image) for image in images]))
        self._grams = [torch.stack(layer) for layer in zip(*grams, strict=True)]
        self._palettes = torch.stack(palettes)
        self._gamuts = torch.stack(gamuts)
        self._rhythms = torch.stack(rhythms)

    def grams(self, rows: np.ndarray, strokes: np.ndarray) -> list[Tensor]:
        """Gram matrices, (N, C, C) for each layer of the encoder."""
        return [layer[rows, strokes] for layer in self._grams]

    def palettes(self, rows: np.ndarray, strokes: np.ndarray) -> Tensor:
        """Palettes, (N, D, QUANTILES), as `losses.palette` gives them."""
        return self._palettes[rows, strokes]

    def rhythms(self, rows: np.ndarray, strokes: np.ndarray) -> Tensor:
        """How much `losses.rhythm` there is, (N,), where there is least: in textures, not edges."""
        return self._rhythms[rows, strokes]

    def between(
        self, order: Order, photos: Tensor, of_photos: losses.Features
    ) -> tuple[list[Tensor], Tensor, Tensor]:
        """The Gram matrices, palettes and rhythm, (N,), that an order's paintings of the photos,
        (N, 3, H, W) with these features, should have: between those of what is mixed, as much of
        each as of its code. Of palettes that is their barycenter."""
        share = torch.from_numpy(order.shares).to(photos.device)[:, None, None]
        plain = torch.from_numpy(order.others == PHOTO).to(photos.device)[:, None, None]

        def mixed(own: Tensor, other: Tensor, of_photo: Tensor) -> Tensor:
            return torch.where(plain, of_photo, other).lerp(own, share)

        # The row PHOTO is the last style's: any, since it is not looked at.
        own, other = (self.grams(rows, order.strokes) for rows in (order.rows, order.others))
        photo = [losses.gram(layer) for layer in of_photos]
        grams = [mixed(*layers) for layers in zip(own, other, photo, strict=True)]
        own_colors, other_colors = (
            self.palettes(rows, order.strokes) for rows in (order.rows, order.others)
        )
        colors = mixed(own_colors, other_colors, losses.palette(photos))
        rhythms = (
            self.rhythms(order.rows, order.strokes),
            self.rhythms(order.others, order.strokes),
            _rhythm(photos),
        )
        rhythm = mixed(*(each[:, None, None] for each in rhythms))[:, 0, 0]
        return grams, colors, rhythm

    def strangeness(self, painted: Tensor, order: Order) -> Tensor:
        """How far an order's paintings (N, 3, H, W) are from the colours that their styles have,
        (N,), but for mixed ones: what lies between two colours may be of neither."""
        pure = torch.from_numpy(order.shares == 1).to(painted.device)
        return pure * losses.gamut_loss(painted, self._gamuts[order.rows, order.strokes])

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


def _rhythm(pictures: Tensor) -> Tensor:
    """Of the quarter of windows with the least, (N,)."""
    return losses.rhythm(pictures).quantile(0.25, dim=1)
