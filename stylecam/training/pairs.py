"""What a training step sees: photos, two camera-like frames of each, and the motion between them.

Photos are read ahead of the step that needs them. Knows no network and no loss.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Generic, TypeVar

import numpy as np
import torch
from torch import Tensor

from stylecam.training.data import REACH, Motion, Photos, to_device
from stylecam.training.parallel import processes
from stylecam.training.recipe import Recipe

T = TypeVar("T")

AHEAD = 16
"""Steps whose photos are read in advance, so that a GPU does not wait for them."""

THREADS = min(8, os.cpu_count() or 1)


class Ahead(Generic[T]):
    """Prepares what later steps need on other threads, while earlier results are taken."""

    def __init__(self, make: Callable[[int], T]):
        self._make = make
        self._made: dict[int, Future[T]] = {}
        self._pool = ThreadPoolExecutor(THREADS, "photos")

    def take(self, step: int) -> T:
        """Returns what was made for a step, or raises what went wrong with it."""
        due = range(step, step + AHEAD)
        self._made = {n: self._made.get(n) or self._pool.submit(self._make, n) for n in due}
        return self._made[step].result()

    def close(self) -> None:
        """Joins the threads."""
        self._pool.shutdown(cancel_futures=True)


class Pairs:
    """Makes pairs of frames from the photos, as a recipe says, on a device."""

    def __init__(self, photos: Photos, recipe: Recipe, device: torch.device):
        self._photos, self._recipe, self._device = photos, recipe, device
        self._ahead = Ahead(self.cut)

    def take(self, step: int) -> tuple[np.random.Generator, Tensor, Tensor, Tensor, Motion]:
        """Returns the generator for all further randomness of a step, and its `frames`."""
        rng, squares = self._ahead.take(step)
        return rng, *self.frames(rng, squares)

    def close(self) -> None:
        """Ends the threads that read photos."""
        self._ahead.close()

    def cut(self, step: int) -> tuple[np.random.Generator, Tensor]:
        """Returns the generator for all randomness of a step, and the first thing drawn from it:
        squares of photos, uint8 (N, side, side, 3), with a border for motion."""
        recipe = self._recipe
        number, own = processes()
        rng = np.random.default_rng((recipe.seed, step * number + own))
        side = recipe.crop + 2 * (recipe.shift + REACH)
        squares = [
            self._photos.crop(rng, side, recipe.photo_short_side)
            for _ in range(recipe.photos_per_step)
        ]
        cut = torch.from_numpy(np.stack(squares))
        return rng, cut.pin_memory() if self._device.type == "cuda" else cut

    def frames(
        self, rng: np.random.Generator, squares: Tensor
    ) -> tuple[Tensor, Tensor, Tensor, Motion]:
        """Returns photos, two frames of each as a camera would take them, and the motion between.

        Each frame has its own noise, so that anything painted from noise alone would flicker.
        Photos also have a grain that a camera's frames lack; hidden under the noise, it cannot seed
        strokes.
        """
        recipe, device = self._recipe, self._device
        border = recipe.shift + REACH
        large = to_device(squares, device)
        photo = large[..., border:-border, border:-border].contiguous()
        motion = Motion.random(rng, recipe.crop, recipe.shift, recipe.zoom, recipe.flow, device)
        moved = motion(large, border)
        gains = 1 + rng.uniform(-recipe.gain, recipe.gain, (len(large), 1, 1, 1))
        gain = torch.from_numpy(gains.astype(np.float32)).to(device)
        spread = rng.uniform(0, recipe.noise)
        generator = torch.Generator(device).manual_seed(int(rng.integers(2**62)))

        def noisy(frame: Tensor) -> Tensor:
            noise = torch.randn(frame.shape, generator=generator, device=device)
            return (frame + spread * noise).clamp(0, 1)

        return photo, noisy(photo), noisy(moved * gain), motion
