"""What a training step paints: styles, their strokes, and what they are mixed with.

Knows rows of styles and of codes; no pictures and no network.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

STROKES = (0.0, 0.5, 1.0)
"""Positions from the fine to the coarse code that are trained, each with the style picture at its
own size, so that every position in between paints well."""

PHOTO = -1
"""Used in place of a second style's row: the style is mixed with the photo, at partial strength."""

SHARES = (0.25, 0.75)
"""The least and the greatest share of the first style in a mixed painting."""


@dataclass(frozen=True)
class Order:
    """Paintings to make, (N,) each: styles, strokes as indices into STROKES, and what to mix in."""

    rows: np.ndarray
    strokes: np.ndarray
    others: np.ndarray
    """Rows of styles, or PHOTO."""
    shares: np.ndarray
    """Share of the first style, float32; 1 where nothing is mixed in."""

    @classmethod
    def random(
        cls, rng: np.random.Generator, rows: Sequence[int], paintings: int, blends: int
    ) -> Order:
        """Draws different style rows if there are enough, each at any stroke. The last `blends`
        paintings, but never the first one, are mixed with any of the rows or, equally often, with
        the photo."""
        order = cls(
            rng.choice(rows, paintings, replace=len(rows) < paintings),
            rng.integers(0, len(STROKES), paintings),
            others=np.full(paintings, PHOTO),
            shares=np.ones(paintings, np.float32),
        )
        for i in range(max(1, paintings - blends), paintings):
            if rng.random() < 0.5:
                order.others[i] = rng.choice(rows)
            order.shares[i] = rng.uniform(*SHARES)
        return order

    def mix(self, styles: int) -> Tensor:
        """Returns how much of each code makes up each painting, (N, 2 · styles + 1): codes are the
        fine ones of all styles, then the coarse ones, then identity."""
        mix = torch.zeros(len(self.rows), 2 * styles + 1)
        for i, stroke in enumerate(self.strokes):
            coarse, share = STROKES[stroke], float(self.shares[i])
            for row, part in ((self.rows[i], share), (self.others[i], 1 - share)):
                if row == PHOTO:
                    mix[i, -1] += part
                else:
                    mix[i, row] += part * (1 - coarse)
                    mix[i, row + styles] += part * coarse
        return mix
