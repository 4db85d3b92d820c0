"""What a step of training paints: styles at strokes, and what they are mixed with.

Knows rows of styles and of codes; no picture and no network.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

STROKES = (0.0, 0.5, 1.0)
"""Ways from the fine to the coarse code that are trained, each with the style picture at its size,
so that all that lies between paints well."""

PHOTO = -1
"""The other "style" of a painting at part of its strength, in place of a row."""

SHARES = (0.25, 0.75)
"""Of a painting between two styles, the least and the most of the first."""


@dataclass(frozen=True)
class Order:
    """Paintings to make, (N,) each: styles at places in STROKES, and what they are mixed with."""

    rows: np.ndarray
    strokes: np.ndarray
    others: np.ndarray
    """Rows of styles, or PHOTO."""
    shares: np.ndarray
    """Of the first style, float32; 1 where nothing is mixed in."""

    @classmethod
    def random(
        cls, rng: np.random.Generator, rows: Sequence[int], paintings: int, blends: int
    ) -> Order:
        """Different ones of the rows of styles if there are enough, at any stroke; the last
        `blends`, but never the first painting, mixed with any of them or, as often, with the
        photo."""
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
        """How much of each code makes each painting, (N, 2 · styles + 1): codes are the fine ones
        of all styles, then the coarse ones, then identity."""
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
