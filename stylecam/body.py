"""The body's weights in numpy: layout, file, id, folding. Knows nothing about torch or devices.

The body is the part of the network that all styles share. A style is a *code*: the scales and
shifts of the body's conditional norms (Dumoulin et al. 2017, arXiv 1610.07629) and how much of a
fixed noise, the *grain*, each channel gets. Both torch and OpenVINO take their weights from here,
so that they run the same numbers.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from safetensors import SafetensorError, safe_open

from stylecam.errors import StyleError

Weights = dict[str, np.ndarray]

EPSILON = 1e-5
"""Added to the variance by every norm, in training and at run time."""

MARGIN = 24
"""Pixels by which a frame is mirrored outwards before the network, and cropped after it, so that
the convolutions' zero padding prints no border into the picture (Johnson et al. 2016 pad likewise).
As wide as TRAINED_MARGIN and the border that the loss encoder does not see: both lack strokes."""

TRAINED_MARGIN = 8
"""The margin in training. It is smaller because the network learns to paint a line at the edge of
the picture that the losses see; with MARGIN, that line lies outside the frame."""

STRIDE = 4
"""The network works at 1/4 size: padded sides are multiples of this."""

WHITE = 2.0
"""The last convolution's output for white. -WHITE is black, and values beyond are clipped: nearly a
sigmoid, which would take more time."""

GRAIN_SIDE = 256
"""Cells after which the grain repeats: about a thousand pixels."""

FORMAT = "2"


@dataclass(frozen=True)
class Width:
    """Channels at 1/2 size, channels at 1/4 size, the number of residual blocks, and the channels
    within each of them, between its two convolutions."""

    half: int = 16
    quarter: int = 32
    blocks: int = 3
    inner: int = 16

    @property
    def norms(self) -> tuple[int, ...]:
        """Channels of each conditional norm, in the order in which a code holds them."""
        return (self.inner, self.quarter) * self.blocks + (self.half,)

    @property
    def grained(self) -> tuple[int, ...]:
        """Channels that grain is added to in each block: the inner ones, after their norm."""
        return (self.inner,) * self.blocks

    @property
    def code_length(self) -> int:
        """Numbers in a code: all scales, then all shifts, each in the order of `norms`, then the
        shares of the grain in the order of `grained`."""
        return 2 * sum(self.norms) + sum(self.grained)


def padding(height: int, width: int, margin: int = MARGIN) -> tuple[int, int, int, int]:
    """Pixels to mirror (top, bottom, left, right) around a frame before the network."""
    return margin, margin + -height % STRIDE, margin, margin + -width % STRIDE


def spared(margin: int = MARGIN) -> int:
    """Cells of the margin, on each side, that the decoder need not see: all but the one on which
    the frame's own pixels depend."""
    return max(0, margin // STRIDE - 1)


def cells(height: int, width: int) -> tuple[int, int]:
    """Rows and columns of the network's 1/4-size grid for a frame, including its margin."""
    top, bottom, left, right = padding(height, width)
    return (top + height + bottom) // STRIDE, (left + width + right) // STRIDE


def grain(rows: int, columns: int) -> np.ndarray:
    """The noise from which strokes in flat areas grow, float32 (rows, columns) at 1/4 size. It is
    the same in every frame: strokes that grow from a camera's noise would flicker. StyleGAN's noise
    inputs do the same for still pictures (Karras et al. 2019, arXiv 1812.04948)."""
    tile = np.random.default_rng(0).standard_normal((GRAIN_SIDE, GRAIN_SIDE), np.float32)
    return tile[np.ix_(np.arange(rows) % GRAIN_SIDE, np.arange(columns) % GRAIN_SIDE)]


def load(path: Path) -> Weights:
    """The weights in a body file, float32, folded or not. Raises StyleError if it is not one."""
    return _read(path)[0]


def load_ranges(path: Path, identifier: str) -> Weights:
    """The ranges for int8 rounding: the least and greatest value of each input channel, float32
    (2, C), by the convolution's name. Raises StyleError if they belong to another body."""
    ranges, metadata = _read(path)
    if metadata.get("body") != identifier:
        raise StyleError(f"{path}: expected body {identifier}, got {metadata.get('body')}")
    return ranges


def _read(path: Path) -> tuple[Weights, dict[str, str]]:
    """A file's tensors as float32, and its metadata. Raises StyleError."""
    try:
        with safe_open(path, framework="numpy") as file:
            metadata = file.metadata() or {}
            weights = {name: file.get_tensor(name).astype(np.float32) for name in file.keys()}
    except FileNotFoundError:
        raise StyleError(f"no body at {path}; reinstall stylecam") from None
    except (OSError, SafetensorError, TypeError) as error:  # numpy has no bfloat16
        raise StyleError(f"{path} is damaged or not a body file ({error})") from None
    if metadata.get("format") != FORMAT:
        raise StyleError(f"{path}: expected body format {FORMAT}, got {metadata.get('format')}")
    for name, array in weights.items():
        if not np.isfinite(array).all():
            raise StyleError(f"{path}: {name} holds a number that is not finite")
    return weights, metadata


def width_of(weights: Weights) -> Width:
    """The width that folded or unfolded weights were made with."""
    encoder = weights["encoder2.conv.weight"]
    blocks = sum(name.endswith(".conv1.weight") for name in weights)
    inner = len(weights["residual0.conv1.weight"]) if blocks else 0
    return Width(half=encoder.shape[1], quarter=encoder.shape[0], blocks=blocks, inner=inner)


def body_id(weights: Weights) -> str:
    """A hash of exactly these weights, as half floats. A code fits only the body that it names."""
    digest = hashlib.sha256()
    for name in sorted(weights):
        digest.update(name.encode())
        digest.update(np.ascontiguousarray(weights[name], np.float16).tobytes())
    return digest.hexdigest()[:12]


def given(code: np.ndarray, statistics: np.ndarray, width: Width) -> np.ndarray:
    """Folds the statistics of the instance norms into a code, for a body that runs without them.

    `statistics` (2, C) are the means and variances of all channels that the norms see, in their
    order. The decoder's affine has no norm and is not changed. Returns float32 (code_length,).
    """
    code = code.astype(np.float32)
    affines = sum(width.norms)
    means, variances = statistics
    scales, shifts = code[: means.size], code[affines : affines + means.size]
    scales /= np.sqrt(variances + EPSILON)
    shifts -= means * scales
    return code


def fold(weights: Weights) -> Weights:
    """Turns unfolded weights into weights that compute the same function in fewer operations.

    Batch norms go into the convolutions before them. Each nearest x2 + convolution becomes one
    2x2 convolution to four times the channels, whose output is pixel-shuffled (Shi et al. 2016), at
    4/9 of the multiplications. Training the shuffled form directly prints a grid into the picture;
    folding after training is exact.
    """
    folded = {name: array for name, array in weights.items() if name.startswith("residual")}
    for layer in ("encoder1", "encoder2"):
        gain = weights[f"{layer}.norm.weight"] / np.sqrt(
            weights[f"{layer}.norm.running_var"] + EPSILON
        )
        bias = weights[f"{layer}.norm.bias"] - weights[f"{layer}.norm.running_mean"] * gain
        folded[f"{layer}.conv.weight"] = weights[f"{layer}.conv.weight"] * gain[:, None, None, None]
        folded[f"{layer}.conv.bias"] = bias
    folded["up.conv.weight"] = _sub_pixel(weights["up.conv.weight"])
    folded["out.conv.weight"] = _sub_pixel(weights["out.conv.weight"])
    folded["out.conv.bias"] = np.repeat(weights["out.conv.bias"], 4)
    return {name: np.ascontiguousarray(array, np.float32) for name, array in folded.items()}


def _sub_pixel(kernel: np.ndarray) -> np.ndarray:
    """The (4·out, in, 2, 2) kernel that equals nearest x2 followed by `kernel` (out, in, 3, 3).

    Each pixel of the large picture depends on 2x2 pixels of the small one. The four that depend on
    the same 2x2 come from one position of the convolution: its channel 4·c + 2·dy + dx is output
    channel c at row dy and column dx of the four, as pixel_shuffle orders them. The first four
    begin one pixel above and to the left of the picture.
    """
    # [dy, pixel, tap]: which of the kernel's three taps fall on the first and on the second small
    # pixel, in the large picture's odd (dy 0) and even (dy 1) rows; likewise columns.
    taps = np.array([[[1, 1, 0], [0, 0, 1]], [[1, 0, 0], [0, 1, 1]]])
    phases = np.einsum("ayk,bxl,oikl->oabiyx", taps, taps, kernel.astype(np.float64))
    out, _, _, into, _, _ = phases.shape
    return phases.reshape(4 * out, into, 2, 2).astype(np.float32)
