"""StyleNet in torch: picture + code → picture, unfolded for training, folded for running.

Knows tensors only, nothing about files, devices or frames. The design follows Johnson et al. 2016
(arXiv 1603.08155) with Dumoulin et al.'s conditional instance norm (arXiv 1610.07629), at a
fraction of their size: everything but the first and last reshaping happens at 1/2 or 1/4 size.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from stylecam import body
from stylecam.body import EPSILON, MARGIN, STRIDE, WHITE, Weights, Width, padding, width_of

Norm = Callable[[Tensor, Tensor, Tensor], Tensor]
"""The norm of a residual block: takes x (N, C, H, W), scale and shift (N, C)."""

See = Callable[[Tensor], Tensor]
"""Replaces the input of a convolution, to imitate rounding (`StyleNet.rounding`)."""

Affines = Iterator[tuple[Tensor, Tensor]]
"""The (scale, shift) of each conditional norm in turn, each (N, C)."""


def conditional_instance_norm(x: Tensor, scale: Tensor, shift: Tensor) -> Tensor:
    """Normalises each channel of each picture to mean 0 and variance 1, then scales and shifts it.

    x is (N, C, H, W), scale and shift (N, C).
    """
    return conditional_affine(F.instance_norm(x, eps=EPSILON), scale, shift)


def conditional_affine(x: Tensor, scale: Tensor, shift: Tensor) -> Tensor:
    """x (N, C, H, W) · scale (N, C) + shift (N, C)."""
    return x * scale[..., None, None] + shift[..., None, None]


def _conv(into: int, out: int, *, stride: int = 1, bias: bool = False) -> nn.Conv2d:
    return nn.Conv2d(into, out, 3, stride, 1, bias=bias)


class _NormedConv(nn.Module):
    """Convolution, batch norm, ReLU; the norm folds away for inference."""

    def __init__(self, into: int, out: int, stride: int):
        super().__init__()
        self.conv = _conv(into, out, stride=stride)
        self.norm = nn.BatchNorm2d(out, eps=EPSILON)

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(self.norm(self.conv(x)))


class _FoldedConv(nn.Module):
    """What _NormedConv folds to."""

    def __init__(self, into: int, out: int, stride: int):
        super().__init__()
        self.conv = _conv(into, out, stride=stride, bias=True)

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(self.conv(x))


class _UpConv(nn.Module):
    """Nearest-neighbour x2, then convolution: trains without printing a grid."""

    def __init__(self, into: int, out: int, *, bias: bool):
        super().__init__()
        self.conv = _conv(into, out, bias=bias)

    def forward(self, x: Tensor) -> Tensor:
        return self.conv(F.interpolate(x, scale_factor=2, mode="nearest"))


class _SubPixelConv(nn.Module):
    """What _UpConv folds to."""

    def __init__(self, into: int, out: int, *, bias: bool):
        super().__init__()
        self.conv = nn.Conv2d(into, 4 * out, 2, padding=1, bias=bias)

    def forward(self, x: Tensor) -> Tensor:
        return F.pixel_shuffle(self.conv(x), 2)[..., 1:-1, 1:-1]


class _Residual(nn.Module):
    def __init__(self, channels: int, inner: int):
        super().__init__()
        self.conv1 = _conv(channels, inner)
        self.conv2 = _conv(inner, channels)

    def forward(self, x: Tensor, affines: Affines, norm: Norm, grain: Tensor, see: See) -> Tensor:
        """`grain` is (N, inner, H, W), or 1 in place of any of these."""
        y = F.relu(norm(self.conv1(see(x)), *next(affines)) + grain)
        return x + norm(self.conv2(see(y)), *next(affines))


class _Cut(torch.autograd.Function):
    """Clips to [0, 1]. Unlike clamp's gradient, this one pulls values beyond the range back in if a
    loss asks for it; unlike a straight-through one, it never pushes them further out."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        ctx.save_for_backward(x)
        return x.clamp(0, 1)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Tensor:
        (x,) = ctx.saved_tensors
        outward = (x < 0) & (grad > 0) | (x > 1) & (grad < 0)
        return grad.masked_fill(outward, 0)


class StyleNet(nn.Module):
    """The network as it is trained.

    Unlike Dumoulin et al., the decoder has a conditional scale and shift without instance norm.
    Normalising there would erase the frame's own brightness and contrast, which the identity code
    must reproduce, and the whole picture would change when something bright enters.
    """

    encoder: type[_NormedConv] | type[_FoldedConv] = _NormedConv
    decoder: type[_UpConv] | type[_SubPixelConv] = _UpConv

    def __init__(self, width: Width = Width()):
        super().__init__()
        self.width = width
        self.rounding = 0.0
        """Width, in 8-bit steps, of the random error added to the inputs of convolutions. Training
        with it makes the network steady in int8, too (Défossez et al. 2022, arXiv 2104.09987)."""
        self.encoder1 = self.encoder(12, width.half, 1)
        self.encoder2 = self.encoder(width.half, width.quarter, 2)
        for i in range(width.blocks):
            self.add_module(f"residual{i}", _Residual(width.quarter, width.inner))
        self.up = self.decoder(width.quarter, width.half, bias=False)
        self.out = self.decoder(width.half, 3, bias=True)

    def forward(
        self,
        image: Tensor,
        code: Tensor,
        margin: int = MARGIN,
        norm: Norm = conditional_instance_norm,
        grain: Tensor | None = None,
    ) -> Tensor:
        """(N, 3, H, W) RGB in [0, 1] and codes (N, code_length) → (N, 3, H, W) in [0, 1].

        H and W may be any above the margin: the picture is mirrored outwards, the result cropped.
        With `conditional_affine` as `norm`, codes must hold statistics (`body.given`). `grain` is
        `body.grain` unless given, (1 or N, 1, H', W') at 1/4 of the padded size.
        """
        height, width = image.shape[-2:]
        top, bottom, left, right = padding(height, width, margin)
        padded = F.pad(image, (left, right, top, bottom), mode="reflect")
        spared = body.spared(margin)
        painted = self.paint(padded, code, norm, grain, spared)
        around = margin - STRIDE * spared
        return painted[..., around : around + height, around : around + width]

    def paint(
        self,
        image: Tensor,
        code: Tensor,
        norm: Norm = conditional_instance_norm,
        grain: Tensor | None = None,
        spared: int = 0,
    ) -> Tensor:
        """`forward` without the margin: H and W must be multiples of 4. `spared` cells on each side
        are cut off before the decoder."""
        sizes, grained = list(self.width.norms), list(self.width.grained)
        scales, shifts, shares = code.split([sum(sizes), sum(sizes), sum(grained)], dim=-1)
        if grain is None:
            rows, columns = (side // STRIDE for side in image.shape[-2:])
            grain = _grain(rows, columns, image.dtype, image.device)
        grains = (share[..., None, None] * grain for share in shares.split(grained, dim=-1))
        affines = zip(scales.split(sizes, dim=-1), shifts.split(sizes, dim=-1), strict=True)
        x = self.encoder2(self._see(self.encoder1(F.pixel_unshuffle(image, 2))))
        for i, own in enumerate(grains):
            x = self.get_submodule(f"residual{i}")(x, affines, norm, own, self._see)
        scale, shift = next(affines)
        x = x[..., spared : x.shape[-2] - spared, spared : x.shape[-1] - spared]
        y = F.relu(conditional_affine(self.up(self._see(x)), scale, shift))
        return _Cut.apply(self.out(self._see(y)) / (2 * WHITE) + 0.5)

    def _see(self, x: Tensor) -> Tensor:
        """x (N, C, H, W) with the random error that `rounding` asks for."""
        if not self.rounding:
            return x
        with torch.no_grad():
            size = x.abs().amax((0, 2, 3), keepdim=True)
            step = size * (1 + (x.amin() < 0)) / 255  # of 0 to size, or of −size to size
            error = (torch.rand_like(x) - 0.5) * (self.rounding * step)
        return x + error


class FoldedStyleNet(StyleNet):
    """The network as it is run: batch norms gone, the decoder in sub-pixel form."""

    encoder = _FoldedConv
    decoder = _SubPixelConv


@lru_cache(maxsize=4)
def _grain(rows: int, columns: int, dtype: torch.dtype, device: torch.device) -> Tensor:
    """`body.grain` on the picture's device, cached: a stream needs the same for every frame."""
    with torch.inference_mode(False):  # so that training can use it, too
        return torch.from_numpy(body.grain(rows, columns)).to(device, dtype)


def folded(weights: Weights) -> FoldedStyleNet:
    """A FoldedStyleNet in evaluation mode with weights from `body.fold`. Raises ValueError if they
    do not fit."""
    net = FoldedStyleNet(width_of(weights))
    missing, unexpected = net.load_state_dict(
        {name: torch.from_numpy(array.copy()) for name, array in weights.items()}, strict=False
    )
    if strangers := [*missing, *unexpected]:
        raise ValueError(f"weights and network differ in {', '.join(strangers)}")
    return net.eval()
