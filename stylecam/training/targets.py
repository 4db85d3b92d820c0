"""What the style pictures ask for at each stroke: Gram matrices, colours, rhythm, crops.

Knows nothing about the network. Everything is looked up by style rows and by indices into STROKES,
(N,) each.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from stylecam.errors import SourceError, TrainingError
from stylecam.training import losses
from stylecam.training.data import to_device, to_short_side, to_tensor
from stylecam.training.encoder import Encoder
from stylecam.training.order import PHOTO, STROKES, Order
from stylecam.training.recipe import StyleRecipe
from stylecam.video.picture import read_picture


class Targets:
    """The targets of all styles. Raises TrainingError if a picture is unreadable or too small."""

    def __init__(self, styles: dict[str, StyleRecipe], data: Path, encoder: Encoder):
        self._pictures: list[list[np.ndarray]] = []
        self._device = encoder.mean.device
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
            images = [to_tensor(sized).to(self._device) for sized in self._pictures[-1]]
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
        """Returns the Gram matrices, (N, C, C) for each layer of the encoder."""
        return [layer[rows, strokes] for layer in self._grams]

    def palettes(self, rows: np.ndarray, strokes: np.ndarray) -> Tensor:
        """Returns the palettes, (N, D, QUANTILES), as `losses.palette` computes them."""
        return self._palettes[rows, strokes]

    def rhythms(self, rows: np.ndarray, strokes: np.ndarray) -> Tensor:
        """Returns the `losses.rhythm`, (N,), of the windows with the least: of textures, not of
        edges."""
        return self._rhythms[rows, strokes]

    def between(
        self, order: Order, photos: Tensor, of_photos: losses.Features
    ) -> tuple[list[Tensor], Tensor, Tensor]:
        """Returns the Gram matrices, palettes and rhythm, (N,), that an order's paintings of the
        photos, (N, 3, H, W) with these features, should have. For a mixed painting they are
        interpolated with the same shares as the codes; for palettes this gives the barycenter."""
        share = torch.from_numpy(order.shares).to(photos.device)[:, None, None]
        plain = torch.from_numpy(order.others == PHOTO).to(photos.device)[:, None, None]

        def mixed(own: Tensor, other: Tensor, of_photo: Tensor) -> Tensor:
            return torch.where(plain, of_photo, other).lerp(own, share)

        # As a row, PHOTO (-1) picks the last style; `mixed` ignores what it gives.
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
        """Returns how far an order's paintings (N, 3, H, W) are from the colours of their styles,
        (N,); 0 for mixed ones, since a colour between two others may belong to neither style."""
        pure = torch.from_numpy(order.shares == 1).to(painted.device)
        return pure * losses.gamut_loss(painted, self._gamuts[order.rows, order.strokes])

    def pieces(
        self, rng: np.random.Generator, rows: np.ndarray, strokes: np.ndarray, side: int
    ) -> Tensor:
        """Returns a random square of each style picture, (N, 3, side, side)."""
        squares = []
        for row, stroke in zip(rows, strokes, strict=True):
            picture = self._pictures[row][stroke]
            y, x = (int(rng.integers(n - side + 1)) for n in picture.shape[:2])
            squares.append(picture[y : y + side, x : x + side])
        return to_device(torch.from_numpy(np.stack(squares)), self._device)


def _rhythm(pictures: Tensor) -> Tensor:
    """Returns the lower quartile of `losses.rhythm` over the windows of each picture, (N,)."""
    return losses.rhythm(pictures).quantile(0.25, dim=1)
