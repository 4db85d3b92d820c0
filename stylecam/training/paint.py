"""Paints one picture by optimising its pixels (Gatys et al. 2016): slow, a bound for any network.

Knows the training losses and no network: finds, for one photo and one style picture, what a body
learns to do in a single pass.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from stylecam.training import losses
from stylecam.training.data import to_tensor
from stylecam.training.encoder import Encoder
from stylecam.training.recipe import Recipe

STYLE_WEIGHT = 40.0
"""Weight of the style loss against content, so that content comes out near the shipped body's."""

STYLE_SIDE = 420
"""Short side of the style picture in pixels, which decides the size of the strokes."""

STEPS = 300

RATE = 0.02
"""Adam's learning rate, for pixels from 0 to 1; it falls to 0 along a cosine."""


@dataclass(frozen=True)
class Progress:
    """The state of a painting; the losses are those of its `step`, without weights."""

    step: int
    style: float
    content: float
    image: Tensor
    """(1, 3, H, W) RGB in [0, 1]."""

    def pixels(self) -> np.ndarray:
        """Returns the image as uint8 RGB (H, W, 3)."""
        return (self.image[0].permute(1, 2, 0) * 255).round().byte().numpy()


def paint(
    photo: np.ndarray, painting: np.ndarray, encoder: Encoder, *, steps: int = STEPS
) -> Iterator[Progress]:
    """Paints the photo, uint8 RGB (H, W, 3), in the style of a painting of any size.

    Starts with the photo itself, which is yielded as step 0, and yields after each step. Nothing in
    it is random.
    """
    image = to_tensor(photo).requires_grad_()
    with torch.no_grad():
        of_photo = encoder(image)
        grams = [losses.gram(layer) for layer in encoder(to_tensor(painting))]
    optimizer = torch.optim.Adam([image], RATE)
    falling = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, max(1, steps))
    for step in range(steps + 1):
        features = encoder(image)
        style, content = losses.style_loss(features, grams), losses.content_loss(features, of_photo)
        yield Progress(step, style.item(), content.item(), image.detach().clone())
        if step == steps:
            return
        smooth = losses.total_variation(image)
        total = STYLE_WEIGHT * style + content + Recipe.total_variation * smooth
        optimizer.zero_grad()
        total.sum().backward()
        optimizer.step()
        falling.step()
        with torch.no_grad():
            image.clamp_(0, 1)
