"""A patch discriminator on encoder features: tells a style's picture from paintings in that style.

Knows features and style rows, but no pictures. It is optional: Gram matrices compare statistics of
the whole picture, while a discriminator judges the strokes themselves, patch by patch (Li & Wand
2016, arXiv 1604.04382; here with one output per style).
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

LAYER = 2
"""relu3_3: its patches are the size of a brush stroke."""

HIDDEN = 64
EPSILON = 1e-5
LEARNING_RATE = 4e-4
"""Constant, whatever the painter's rate: as that decays, the discriminator becomes the faster
learner, as Heusel et al. 2017 (arXiv 1706.08500) recommend."""


class Adversary(nn.Module):
    """Scores patches, (N, h, w): above 0 for real, below 0 for painted. Features are
    (N, C, H, W)."""

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
        """Returns the patch scores of each picture, (N, h, w), for its style in `rows`, (N,)."""
        # Normalise the features, which are sparse and reach some hundreds, before any learnt layer.
        features = features.float()
        variance, mean = torch.var_mean(features, (1, 2, 3), correction=0, keepdim=True)
        normed = (features - mean) * torch.rsqrt(variance + EPSILON)
        scores = self.heads(self.patches(normed))
        return scores[torch.arange(len(rows)), rows]

    def hinge(self, real: Tensor, painted: Tensor, rows: Tensor) -> Tensor:
        """The discriminator's loss: pushes real patches above 1 and painted ones below -1."""
        ours, theirs = self(painted.detach(), rows), self(real, rows)
        return F.relu(1 + ours).mean() + F.relu(1 - theirs).mean()

    def fooled(self, painted: Tensor, rows: Tensor) -> Tensor:
        """The painter's loss, (N,): the lower, the more of its patches pass for real."""
        return -self(painted, rows).mean((1, 2))
