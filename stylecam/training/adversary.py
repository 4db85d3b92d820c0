"""A patch discriminator on encoder features: tells a style's own picture from paintings in it.

Knows features and rows of styles, no pictures. An option: Gram matrices compare statistics over
the whole picture, a discriminator sees the strokes themselves, patch by patch (Li & Wand 2016,
arXiv 1604.04382; here with an output for each style).
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

LAYER = 2
"""relu3_3: patches the size of a brush stroke."""

HIDDEN = 64
EPSILON = 1e-5
LEARNING_RATE = 4e-4
"""Whatever the painter's is: as that falls, the judge comes to be the faster, as Heusel et al. 2017
(arXiv 1706.08500) have it."""


class Adversary(nn.Module):
    """Scores patches, (N, h, w): above 0 real, below 0 painted. Features are (N, C, H, W)."""

    def __init__(self, channels: int, styles: int):
        super().__init__()
        self.patches = nn.Sequential(
            nn.Conv2d(channels, HIDDEN, 1),
            nn.LeakyReLU(0.2),
            nn.Conv2d(HIDDEN, HIDDEN, 3),
            nn.LeakyReLU(0.2),
        )
        self.heads = nn.Conv2d(HIDDEN, styles, 1)

    def forward(self, features: Tensor, rows: Tensor) -> Tensor:
        """The score of each patch of each picture, for the style in `rows`, (N,)."""
        # Sparse features of some hundreds become comparable numbers before anything is learnt.
        features = features.float()
        variance, mean = torch.var_mean(features, (1, 2, 3), correction=0, keepdim=True)
        normed = (features - mean) * torch.rsqrt(variance + EPSILON)
        scores = self.heads(self.patches(normed))
        return scores[torch.arange(len(rows)), rows]

    def hinge(self, real: Tensor, painted: Tensor, rows: Tensor) -> Tensor:
        """What the discriminator learns by: real patches above 1, painted ones below -1."""
        ours, theirs = self(painted.detach(), rows), self(real, rows)
        return F.relu(1 + ours).mean() + F.relu(1 - theirs).mean()

    def fooled(self, painted: Tensor, rows: Tensor) -> Tensor:
        """What the painter learns by, (N,): the lower, the more its patches pass for real."""
        return -self(painted, rows).mean((1, 2))
