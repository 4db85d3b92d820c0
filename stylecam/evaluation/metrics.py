"""Measures of a stylizer: style, content, identity, flicker, warp error, sharpness.

Knows pictures and features, and nothing of what painted them, so that a peer is measured alike.
Pictures are uint8 RGB (H, W, 3). Definitions differ between papers: compare only figures computed
by this module.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from stylecam.training import losses
from stylecam.training.data import to_tensor
from stylecam.training.encoder import Encoder

Paint = Callable[[np.ndarray], np.ndarray]
"""Photo → painting of the same shape; it may remember earlier frames."""

Motion = Callable[[int], np.ndarray]
"""i → the affine (2, 3) from pixels of frame i − 1 to those of frame i."""

CONTENT_LAYER = 2
"""relu3_3."""

SETTLED = 8
"""Frames that a painter with a memory may take to settle before it is measured."""

LUMA = np.array([0.299, 0.587, 0.114], np.float32)

EDGE = 24
"""Pixels at the borders that the exact warp error leaves out, or a quarter of the frame's short
side if that is less: what enters the frame is unknown."""


class StyleMeasure:
    """Distances of paintings to a style picture and to their photos, by an encoder's features."""

    def __init__(self, encoder: Encoder):
        self._encoder = encoder

    @torch.no_grad()
    def grams(self, picture: np.ndarray) -> list[Tensor]:
        """Returns the Gram matrices of a style picture, for `style`."""
        return [losses.gram(layer) for layer in self._encoder(to_tensor(picture))]

    @torch.no_grad()
    def style(self, painted: np.ndarray, grams: Sequence[Tensor]) -> float:
        """Returns the balanced Gram loss (`losses.style_loss`)."""
        return float(losses.style_loss(self._encoder(to_tensor(painted)), grams)[0])

    @torch.no_grad()
    def style_and_content(
        self, painted: np.ndarray, photo: np.ndarray, grams: Sequence[Tensor]
    ) -> tuple[float, float]:
        """Returns `style`, and as content 1 − cosine similarity of relu3_3, each channel of which
        is normalised to mean 0 and variance 1."""
        ours, theirs = (self._encoder(to_tensor(picture)) for picture in (painted, photo))
        a, b = (F.instance_norm(each[CONTENT_LAYER].float()).flatten() for each in (ours, theirs))
        content = 1 - F.cosine_similarity(a, b, dim=0)
        return float(losses.style_loss(ours, grams)[0]), float(content)


def psnr(painted: np.ndarray, photo: np.ndarray) -> float:
    """Peak signal-to-noise ratio in dB; infinite for identical pictures."""
    error = np.mean((painted.astype(np.float32) - photo) ** 2)
    return float(10 * np.log10(255**2 / error)) if error else float("inf")


def still(photo: np.ndarray, frames: int) -> list[np.ndarray]:
    """A photo as a camera on a tripod sees it: noise of σ = 2 levels, exposure within ±0.5 %."""
    rng = np.random.default_rng(0)
    exposure, seen = 0.0, []
    for _ in range(frames):
        exposure = float(np.clip(exposure + rng.normal(0, 0.002), -0.005, 0.005))
        seen.append(_noisy(photo * (1 + exposure), rng))
    return seen


def panned(photo: np.ndarray, frames: int) -> tuple[list[np.ndarray], Motion]:
    """A photo as a hand-held camera sees it, and its exact motion: shifted, turned and zoomed
    smoothly, by up to about a pixel per frame for each hundred across, with noise of σ = 2
    levels."""
    rng = np.random.default_rng(0)
    height, width = photo.shape[:2]
    speeds, phases = rng.uniform(0.1, 0.2, 4), rng.uniform(0, 2 * np.pi, 4)  # radians per frame

    def pose(i: int) -> np.ndarray:
        """Takes pixels of the photo to those of frame i, (3, 3)."""
        across, down, turn, zoom = np.sin(speeds * i + phases)
        turned = cv2.getRotationMatrix2D((width / 2, height / 2), 2 * turn, 1.25 + 0.05 * zoom)
        turned[:, 2] += 0.05 * width * across, 0.05 * height * down
        return np.vstack([turned, [0, 0, 1]])

    def motion(i: int) -> np.ndarray:
        return (pose(i) @ np.linalg.inv(pose(i - 1)))[:2]

    size = width, height
    seen = (
        cv2.warpAffine(photo, pose(i)[:2], size, borderMode=cv2.BORDER_REFLECT_101)
        for i in range(frames)
    )
    return [_noisy(frame, rng) for frame in seen], motion


def _noisy(photo: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    return np.clip(photo + rng.normal(0, 2, photo.shape), 0, 255).round().astype(np.uint8)


def flicker(frames: Iterable[np.ndarray]) -> float:
    """Mean absolute change of brightness from frame to frame, in levels."""
    lumas = [frame @ LUMA for frame in list(frames)[SETTLED:]]
    pairs = zip(lumas[1:], lumas, strict=False)
    return float(np.mean([np.abs(now - before).mean() for now, before in pairs]))


def sharpness(frames: Iterable[np.ndarray]) -> float:
    """Mean absolute gradient of brightness, across and down, in levels."""
    lumas = [frame @ LUMA for frame in list(frames)[SETTLED:]]
    return float(
        np.mean([sum(np.abs(np.diff(y, axis=axis)).mean() for axis in (0, 1)) for y in lumas])
    )


def exact_warp_error(frames: Sequence[np.ndarray], motion: Motion) -> float:
    """RMSE in [0, 1] between each frame and the one before it, moved by the true motion; no
    borders."""
    edge = min(EDGE, min(frames[0].shape[:2]) // 4)
    inside, errors = np.s_[edge:-edge, edge:-edge], []
    for i in range(SETTLED, len(frames)):
        height, width = frames[i].shape[:2]
        moved = cv2.warpAffine(frames[i - 1], motion(i), (width, height), flags=cv2.INTER_CUBIC)
        errors.append(_square_error(moved, frames[i])[inside].mean())
    return float(np.sqrt(np.mean(errors)))


def clip_warp_error(photos: Sequence[np.ndarray], frames: Sequence[np.ndarray]) -> float:
    """The same on real clips, by the photos' optical flow (DIS medium), over pixels that were
    inside the frame before and where forward and backward flow agree (|f+b|² ≤ 0.01 (|f|²+|b|²) +
    0.5, Lai et al. 2018)."""
    dis = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    greys = [cv2.cvtColor(photo, cv2.COLOR_RGB2GRAY) for photo in photos]
    height, width = greys[0].shape
    grid = np.stack(np.meshgrid(np.arange(width), np.arange(height)), -1).astype(np.float32)
    errors = []
    for i in range(SETTLED, len(frames)):
        backward = dis.calc(greys[i], greys[i - 1], None)  # type: ignore[call-overload]
        forward = dis.calc(greys[i - 1], greys[i], None)  # type: ignore[call-overload]
        places = grid + backward
        there = _sample(forward, places)
        lengths = (backward**2).sum(-1) + (there**2).sum(-1)
        seen = ((backward + there) ** 2).sum(-1) <= 0.01 * lengths + 0.5
        seen &= ((places >= 0) & (places <= (width - 1, height - 1))).all(-1)
        moved = _sample(frames[i - 1], places)
        errors.append(_square_error(moved, frames[i])[seen].mean())
    return float(np.sqrt(np.mean(errors)))


def _sample(picture: np.ndarray, places: np.ndarray) -> np.ndarray:
    return cv2.remap(  # type: ignore[call-overload]
        picture, places, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    )


def _square_error(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Returns the squared difference in [0, 1], mean over the channels, (H, W)."""
    return (((a.astype(np.float32) - b) / 255) ** 2).mean(2)
