"""The losses that turn a photo into a painting. Pure functions of tensors; they know no network.

Pictures are (N, 3, H, W) RGB in [0, 1]; features are the encoder's, from fine to coarse. Each loss
is returned per picture, (N,), so that each style can be weighted separately.
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
"""relu2_2 and relu3_3, which represent shapes without brushwork."""


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
"""Unit vectors in RGB along which palettes are compared: channels, brightness, opponent colours."""

SHADES = 32
"""Levels of red, green and blue each that a gamut distinguishes."""
RAREST = 1e-4
"""Share of a picture's pixels below which a colour does not belong to its gamut."""


NOISE = 0.03**2
"""Variance of brightness below which a window of a photo counts as flat."""

UNSEEN = 1e-5
"""Energy of detail, about one level, below which it does not matter where the detail lies."""

WINDOW = 32
LONGEST, TYPICAL = 11, 8
"""In pixels: the window in which a texture is searched for a rhythm, the longest period of a
rhythm, and the typical period of a weave."""
FAINTEST = 4.0
"""Power in a window below which a rhythm is invisible: a weave of about two levels."""


def gram(features: Tensor) -> Tensor:
    """Gram matrices (N, C, C) of features (N, C, H, W), averaged over the picture, in float32."""
    flat = features.float().flatten(2)
    return flat @ flat.transpose(1, 2) / flat.shape[2]


def style_loss(features: Features, targets: Sequence[Tensor]) -> Tensor:
    """Balanced Gram loss: per layer ‖G(y)−G(s)‖² / (‖G(y)‖²+‖G(s)‖²), mean over layers.

    It is in [0, 1] for every style, whereas raw Gram losses of two styles may differ a thousandfold
    (Cheng et al. 2021, arXiv 2104.10064). Targets are the style's Gram matrices, (N, C, C) each.
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
    """Mean absolute difference of neighbours, across plus down; a checkerboard of 0 and 1 has 2."""
    down = (image[..., 1:, :] - image[..., :-1, :]).abs().mean((1, 2, 3))
    across = (image[..., 1:] - image[..., :-1]).abs().mean((1, 2, 3))
    return down + across


def palette(image: Tensor) -> Tensor:
    """A picture's colour distribution, (N, D, QUANTILES): quantiles along each of DIRECTIONS.

    Uses every fourth pixel across and down, which is plenty for a distribution.
    """
    pixels = image[..., ::4, ::4].flatten(2)
    along = _directions(image.device) @ pixels
    positions = torch.linspace(0, along.shape[2] - 1, QUANTILES, device=image.device)
    return along.sort(2).values[..., positions.round().long()]


@lru_cache(maxsize=4)
def _directions(device: torch.device) -> Tensor:
    return torch.tensor(DIRECTIONS, device=device)


def palette_loss(image: Tensor, target: Tensor) -> Tensor:
    """Sliced Wasserstein distance between a picture's colours and a style's `palette`.

    The target is (N, D, QUANTILES). Gram matrices say little about colour, and the tone loss alone
    drains it; this loss brings out the darkest and the most vivid colours of the style (Pitié et
    al. 2005, as used by Heitz et al. 2021).
    """
    return (palette(image) - target).abs().mean((1, 2))


def gamut(image: Tensor) -> Tensor:
    """Returns the distance of each colour to the nearest one in a picture (1, 3, H, W), in RGB in
    [0, 1]: (SHADES, SHADES, SHADES), indexed by red, green and blue."""
    shades = (_colors(image)[0] * (SHADES - 1)).round().long()
    red, green, blue = shades.unbind(-1)
    places = (red * SHADES + green) * SHADES + blue
    shares = torch.bincount(places.flatten(), minlength=SHADES**3) / places.numel()
    its = shares >= shares.max().clamp(max=RAREST)
    squares = torch.where(its, 0.0, torch.inf).reshape(SHADES, SHADES, SHADES)
    axis = torch.linspace(0, 1, SHADES, device=image.device)
    apart = (axis[:, None] - axis).square()
    for dim in range(3):  # squared distances separate: minimise along one axis after another
        rows = squares.movedim(dim, -1)[..., None, :] + apart
        squares = rows.amin(-1).movedim(-1, dim)
    return squares.sqrt()


def gamut_loss(image: Tensor, target: Tensor) -> Tensor:
    """Mean distance of a picture's colours to the nearest one of a style's `gamut`, (N,); the
    target is (N, SHADES, SHADES, SHADES). Gram matrices and palettes see colours only through
    projections, so they let a network use colours that the style's picture does not contain."""
    places = _colors(image).flip(-1)[:, None] * 2 - 1  # grid_sample's x is the last dimension
    distances = F.grid_sample(target[:, None], places, align_corners=True)
    return distances.mean((1, 2, 3, 4))


def _colors(image: Tensor) -> Tensor:
    """A picture's colours averaged over 2x2 pixels, as seen from further away, (N, H/2, W/2, 3)."""
    return F.avg_pool2d(image, 2).permute(0, 2, 3, 1)


def tone_loss(image: Tensor, photo: Tensor) -> Tensor:
    """1 − correlation of brightness over 8x8 cells: keeps dark places dark, and leaves the palette
    free."""
    ours, theirs = (F.avg_pool2d(x.mean(1, keepdim=True), 8).flatten(1) for x in (image, photo))
    return 1 - F.cosine_similarity(
        ours - ours.mean(1, keepdim=True), theirs - theirs.mean(1, keepdim=True), eps=1e-4
    )


def structure_loss(image: Tensor, photo: Tensor) -> Tensor:
    """1 − the contrast and structure terms of SSIM (Wang et al. 2004) on brightness over 4x4 cells,
    in windows of 6x6 cells, weighted by how much structure the photo has there. It keeps eyes and
    mouths, where the tone loss would let a bright face wash out to white. Flat places hardly
    count."""
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
    """Measures how periodic each window of brightness is, (N, windows).

    The value is n Σ P² / (Σ P)² over the powers P of the n short waves in the window's gradient: 3
    for noise, dozens where a few waves hold all the power, as in a weave, and falling to 0 where
    the texture is too faint to see. The gradient is used because in brightness itself, a single
    stroke also puts most of its power into a few waves.
    """
    window, short, steepness = _waves(image.device)
    pieces = _windows(image)
    pieces = (pieces - pieces.mean((2, 3), keepdim=True)) * window
    power = torch.fft.rfft2(pieces).abs().square().flatten(2)[..., short] * steepness
    return power.shape[2] * power.square().sum(2) / (power.sum(2) + FAINTEST).square()


@lru_cache(maxsize=4)
def _waves(device: torch.device) -> tuple[Tensor, Tensor, Tensor]:
    """Returns the weights of a window's pixels, (WINDOW, WINDOW); the indices of its short waves;
    and the factor from each one's power to its gradient's, relative to a wave of period TYPICAL."""
    window = torch.hann_window(WINDOW)
    squares = torch.fft.fftfreq(WINDOW)[:, None].square() + torch.fft.rfftfreq(WINDOW).square()
    short = (squares > LONGEST**-2).flatten().nonzero()[:, 0]
    steepness = squares.flatten()[short] * TYPICAL**2
    kept = (window[:, None] * window, short, steepness)
    return kept[0].to(device), kept[1].to(device), kept[2].to(device)


def rhythm_loss(image: Tensor, photo: Tensor, target: Tensor) -> Tensor:
    """How much more rhythm (difference of logarithms) than the style's `target`, (N,), there is
    where the photo is flat, (N,). Gram matrices ask for texture everywhere without saying where,
    and what a network makes of a flat place is a weave."""
    variance = _windows(photo).var((2, 3))
    weight = NOISE / (variance + NOISE)
    excess = F.relu(rhythm(image).log1p() - target.log1p()[:, None])
    return (excess * weight).mean(1)


def _windows(image: Tensor) -> Tensor:
    """Returns overlapping windows of brightness, (N, windows, WINDOW, WINDOW)."""
    step = WINDOW // 2
    return image.mean(1).unfold(1, WINDOW, step).unfold(2, WINDOW, step).flatten(1, 2)


def grid_loss(image: Tensor) -> Tensor:
    """How unevenly the finest detail of brightness lies on the network's own grid of 4x4 pixels,
    (N,): the logarithm of the ratio between the arithmetic and the geometric mean of its energy at
    the 16 places of a cell. 0 for detail that ignores the grid. Whole-pixel motion between pairs of
    frames enforces this only for strokes that come from the photo; those that grow from the grain
    are as coarse as the grid."""
    brightness = image.mean(1, keepdim=True)
    fine = brightness - F.avg_pool2d(brightness, 3, 1, 1, count_include_pad=False)
    height, width = (side // STRIDE * STRIDE for side in fine.shape[-2:])
    places = F.pixel_unshuffle(fine[..., :height, :width], STRIDE)
    energy = places.square().mean((2, 3)) + UNSEEN
    return energy.mean(1).log() - energy.log().mean(1)


def identity_loss(image: Tensor, photo: Tensor) -> Tensor:
    """Root mean square difference from the photo: PSNR is −20 times its decimal logarithm."""
    # The constant is needed because the root's slope is infinite at 0.
    return ((image - photo).square().mean((1, 2, 3)) + 1e-8).sqrt()


def temporal_loss(again: Tensor, moved: Tensor, seen: Tensor) -> Tensor:
    """Mean |again − moved| where `seen`, (H, W), is 1: `again` is the painting of the moved photo,
    and `moved` the earlier painting moved likewise (Ruder et al. 2016; used in training by Gupta et
    al. 2017)."""
    return ((again - moved).abs() * seen).mean((1, 2, 3)) / seen.mean()
