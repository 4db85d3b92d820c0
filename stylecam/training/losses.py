"""The losses that make a painting of a photo. Pure functions of tensors; know no network.

Pictures are (N, 3, H, W) RGB in [0, 1]; features are the encoder's, from fine to coarse. Each loss
is returned per picture, (N,), so that each style can be weighed by itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import torch
import torch.nn.functional as F
from torch import Tensor

from stylecam.body import STRIDE

Features = Sequence[Tensor]

CONTENT_LAYERS = (1, 2)
"""relu2_2 and relu3_3: shapes without brushwork."""


QUANTILES = 256
DIRECTIONS = [
    [1.0, 0.0, 0.0],
    [0.0, 1.0, 0.0],
    [0.0, 0.0, 1.0],
    [0.577, 0.577, 0.577],
    [0.707, -0.707, 0.0],
    [0.0, 0.707, -0.707],
    [0.707, 0.0, -0.707],
    [0.408, -0.816, 0.408],
]
"""Unit vectors in RGB along which palettes are compared: channels, brightness, opponents."""

SHADES = 32
"""Of red, green and blue each, that a gamut tells apart."""
RAREST = 1e-4
"""Share of a picture's pixels below which a colour is none of its gamut."""


NOISE = 0.03**2
"""Variance of brightness below which a window of a photo shows nothing."""

UNSEEN = 1e-5
"""Energy of detail, a level or so, of which it does not matter where it lies."""

WINDOW = 32
LONGEST, TYPICAL = 11, 8
"""The window, in pixels, in which a texture is searched for a rhythm, its longest period and that
of a weave."""
FAINTEST = 4.0
"""Power in a window below which a rhythm is not seen: a weave of two levels or so."""


def gram(features: Tensor) -> Tensor:
    """Gram matrices (N, C, C) of features (N, C, H, W), averaged over the picture, in float32."""
    flat = features.float().flatten(2)
    return flat @ flat.transpose(1, 2) / flat.shape[2]


def style_loss(features: Features, targets: Sequence[Tensor]) -> Tensor:
    """Balanced Gram loss: per layer ‖G(y)−G(s)‖² / (‖G(y)‖²+‖G(s)‖²), mean over layers.

    Cheng et al. 2021 (arXiv 2104.10064): in [0, 1] for every style, where raw Gram losses of two
    styles differ a thousandfold. Targets are the style's Gram matrices, (N, C, C) each.
    """
    losses = []
    for layer, target in zip(features, targets, strict=True):
        ours = gram(layer)
        size = ours.detach().square().sum((1, 2)) + target.square().sum((1, 2))
        losses.append((ours - target).square().sum((1, 2)) / size)
    return torch.stack(losses).mean(0)


def content_loss(features: Features, photo: Features) -> Tensor:
    """‖φ(y)−φ(c)‖² / ‖φ(c)‖² at each of CONTENT_LAYERS, summed over the layers."""
    losses = []
    for layer in CONTENT_LAYERS:
        ours, theirs = features[layer].float(), photo[layer].float()
        losses.append((ours - theirs).square().sum((1, 2, 3)) / theirs.square().sum((1, 2, 3)))
    return torch.stack(losses).sum(0)


def total_variation(image: Tensor) -> Tensor:
    """Mean absolute difference of neighbours, across and down; a checkerboard of 0 and 1 has 2."""
    down = (image[..., 1:, :] - image[..., :-1, :]).abs().mean((1, 2, 3))
    across = (image[..., 1:] - image[..., :-1]).abs().mean((1, 2, 3))
    return down + across


def palette(image: Tensor) -> Tensor:
    """The spread of a picture's colours, (N, D, QUANTILES): quantiles along each of DIRECTIONS.

    From every fourth pixel across and down, which is plenty for a distribution.
    """
    pixels = image[..., ::4, ::4].flatten(2)
    along = _directions(image.device) @ pixels
    positions = torch.linspace(0, along.shape[2] - 1, QUANTILES, device=image.device)
    return along.sort(2).values[..., positions.round().long()]


@lru_cache(maxsize=4)
def _directions(device: torch.device) -> Tensor:
    return torch.tensor(DIRECTIONS, device=device)


def palette_loss(image: Tensor, target: Tensor) -> Tensor:
    """Sliced Wasserstein distance of colours to a style's `palette`, (N, D, QUANTILES).

    Gram matrices say little of colour, and tone alone drains it: this makes the darkest and the
    most vivid colours of the style appear (Pitié et al. 2005, as Heitz et al. 2021 use it).
    """
    return (palette(image) - target).abs().mean((1, 2))


def gamut(image: Tensor) -> Tensor:
    """How far each colour is from the nearest that a picture (1, 3, H, W) has, in RGB in [0, 1]:
    (SHADES, SHADES, SHADES), by red, green and blue."""
    shades = (_colors(image)[0] * (SHADES - 1)).round().long()
    red, green, blue = shades.unbind(-1)
    places = (red * SHADES + green) * SHADES + blue
    shares = torch.bincount(places.flatten(), minlength=SHADES**3) / places.numel()
    its = shares >= shares.max().clamp(max=RAREST)
    squares = torch.where(its, 0.0, torch.inf).reshape(SHADES, SHADES, SHADES)
    axis = torch.linspace(0, 1, SHADES, device=image.device)
    apart = (axis[:, None] - axis).square()
    for dim in range(3):  # of squares, the nearest along all three is that along each in turn
        rows = squares.movedim(dim, -1)[..., None, :] + apart
        squares = rows.amin(-1).movedim(-1, dim)
    return squares.sqrt()


def gamut_loss(image: Tensor, target: Tensor) -> Tensor:
    """How far colours are from the nearest of a style's `gamut`, (N, SHADES, SHADES, SHADES): mean
    over the picture, (N,). Gram matrices and palettes, which know colours by their projections,
    let a network paint with some that the style's picture has nowhere."""
    places = _colors(image).flip(-1)[:, None] * 2 - 1  # grid_sample's x is the last dimension
    distances = F.grid_sample(target[:, None], places, align_corners=True)
    return distances.mean((1, 2, 3, 4))


def _colors(image: Tensor) -> Tensor:
    """The colours of a picture from where a dot of two pixels is one, (N, H/2, W/2, 3)."""
    return F.avg_pool2d(image, 2).permute(0, 2, 3, 1)


def tone_loss(image: Tensor, photo: Tensor) -> Tensor:
    """1 − correlation of brightness over cells of 8x8: dark stays dark, the palette stays free."""
    ours, theirs = (F.avg_pool2d(x.mean(1, keepdim=True), 8).flatten(1) for x in (image, photo))
    return 1 - F.cosine_similarity(
        ours - ours.mean(1, keepdim=True), theirs - theirs.mean(1, keepdim=True), eps=1e-4
    )


def structure_loss(image: Tensor, photo: Tensor) -> Tensor:
    """1 − the contrast and structure terms of SSIM (Wang et al. 2004) on brightness over cells of
    4x4, in windows of 6x6 cells, weighted by where the photo has any: eyes and mouth stay, where
    tone would let a bright face run out into white. Flats are left to the brush."""
    ours, theirs = (F.avg_pool2d(x.mean(1, keepdim=True), 4) for x in (image, photo))

    def covariance(a: Tensor, b: Tensor) -> Tensor:
        a, b, product = (F.avg_pool2d(x, 6, 1) for x in (a, b, a * b))
        return product - a * b

    variance = covariance(theirs, theirs)
    both, spread = 2 * covariance(ours, theirs), covariance(ours, ours) + variance
    weight = variance / (variance + NOISE)
    differing = 1 - (both + NOISE) / (spread + NOISE)
    return (differing * weight).sum((1, 2, 3)) / weight.sum((1, 2, 3)).clamp(min=1)


def rhythm(image: Tensor) -> Tensor:
    """How far windows of brightness are from a texture without a rhythm, (N, windows).

    n Σ P² / (Σ P)² of the n powers P of the short waves in a window's gradient: 3 for noise, dozens
    where few waves have all of the power, as in a weave; falling to 0 where there is too little to
    see. Of the gradient, since of brightness a single stroke, too, has most in few waves.
    """
    window, short, steepness = _waves(image.device)
    pieces = _windows(image)
    pieces = (pieces - pieces.mean((2, 3), keepdim=True)) * window
    power = torch.fft.rfft2(pieces).abs().square().flatten(2)[..., short] * steepness
    return power.shape[2] * power.square().sum(2) / (power.sum(2) + FAINTEST).square()


@lru_cache(maxsize=4)
def _waves(device: torch.device) -> tuple[Tensor, Tensor, Tensor]:
    """What weighs a window's pixels, (WINDOW, WINDOW); which of its waves are short; how much
    steeper each of those is than one of TYPICAL."""
    window = torch.hann_window(WINDOW)
    squares = torch.fft.fftfreq(WINDOW)[:, None].square() + torch.fft.rfftfreq(WINDOW).square()
    short = (squares > LONGEST**-2).flatten().nonzero()[:, 0]
    steepness = squares.flatten()[short] * TYPICAL**2
    kept = (window[:, None] * window, short, steepness)
    return kept[0].to(device), kept[1].to(device), kept[2].to(device)


def rhythm_loss(image: Tensor, photo: Tensor, target: Tensor) -> Tensor:
    """How much more rhythm, in logarithms, there is where the photo is flat than the style's
    `target`, (N,). Gram matrices ask for texture everywhere and for no place of it, and what a
    network can make of nothing is a weave."""
    variance = _windows(photo).var((2, 3))
    weight = NOISE / (variance + NOISE)
    excess = F.relu(rhythm(image).log1p() - target.log1p()[:, None])
    return (excess * weight).mean(1)


def _windows(image: Tensor) -> Tensor:
    """Overlapping windows of brightness, (N, windows, WINDOW, WINDOW)."""
    step = WINDOW // 2
    return image.mean(1).unfold(1, WINDOW, step).unfold(2, WINDOW, step).flatten(1, 2)


def grid_loss(image: Tensor) -> Tensor:
    """How unevenly the finest detail of brightness lies on the network's own grid of 4x4 pixels:
    the logarithm of how much its energy at the 16 places of a cell is above their geometric mean,
    (N,). 0 for what knows no grid. A motion of a pair by whole pixels asks for that only where
    strokes come from the photo; those of a grain are as coarse as the grid."""
    brightness = image.mean(1, keepdim=True)
    fine = brightness - F.avg_pool2d(brightness, 3, 1, 1, count_include_pad=False)
    height, width = (side // STRIDE * STRIDE for side in fine.shape[-2:])
    places = F.pixel_unshuffle(fine[..., :height, :width], STRIDE)
    energy = places.square().mean((2, 3)) + UNSEEN
    return energy.mean(1).log() - energy.log().mean(1)


def identity_loss(image: Tensor, photo: Tensor) -> Tensor:
    """Root mean square difference from the photo: PSNR is −20 times its decimal logarithm."""
    # The root's slope is infinite at 0.
    return ((image - photo).square().mean((1, 2, 3)) + 1e-8).sqrt()


def temporal_loss(again: Tensor, moved: Tensor, seen: Tensor) -> Tensor:
    """Mean |again − moved| where `seen`, (H, W), is 1: the network's picture of what moved, and
    its earlier picture moved likewise (Ruder et al. 2016; trained so by Gupta et al. 2017)."""
    return ((again - moved).abs() * seen).mean((1, 2, 3)) / seen.mean()
