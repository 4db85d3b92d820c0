"""The body's weights as numpy arrays: layout, file, id, folding. Knows no torch and no device.

The body is the part of the network that all styles share; a style is a *code*, the scales and
shifts of its conditional norms (Dumoulin et al. 2017, arXiv 1610.07629) and its shares of a fixed
grain. Whoever runs the network (torch or OpenVINO) takes its weights from here, so that both run
the same numbers.
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
"""Added to variances by every norm, as in training."""

MARGIN = 24
"""Mirrored pixels put round the frame before the network and cut off after it, so that the zero
padding of its convolutions prints no border into the picture (Johnson et al. 2016 pad likewise). As
many as lie round what the encoder sees in training: what nobody judged is bare of strokes."""

TRAINED_MARGIN = 8
"""The same in training. It is less, since a network learns to paint a line where the picture ends
that it was judged by; at work that line lies outside the frame."""

STRIDE = 4
"""The network works at 1/4 size: padded sides are multiples of this."""

WHITE = 2.0
"""What the last convolution answers for white; the same below nothing is black, and what lies
beyond is cut off: nearly a sigmoid, which would cost time."""

GRAIN_SIDE = 256
"""Numbers after which the grain repeats: a thousand pixels."""

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
        """Channels of each conditional norm, in the order in which they lie in a code."""
        return (self.inner, self.quarter) * self.blocks + (self.half,)

    @property
    def grained(self) -> tuple[int, ...]:
        """Channels that grain is added to, block by block: those within, after their norm."""
        return (self.inner,) * self.blocks

    @property
    def code_length(self) -> int:
        """Numbers in a code: all scales, then all shifts, each in the order of `norms`, then the
        shares of the grain in the order of `grained`."""
        return 2 * sum(self.norms) + sum(self.grained)


def padding(height: int, width: int, margin: int = MARGIN) -> tuple[int, int, int, int]:
    """Pixels to mirror (top, bottom, left, right) round a frame before the network."""
    return margin, margin + -height % STRIDE, margin, margin + -width % STRIDE


def spared(margin: int = MARGIN) -> int:
    """Cells of a margin that the decoder is spared on each side: all but the one that it sees from
    within the frame."""
    return max(0, margin // STRIDE - 1)


def cells(height: int, width: int) -> tuple[int, int]:
    """Rows and columns at which the network works on a frame, its margin with it."""
    top, bottom, left, right = padding(height, width)
    return (top + height + bottom) // STRIDE, (left + width + right) // STRIDE


def grain(rows: int, columns: int) -> np.ndarray:
    """What strokes in flat places grow from, float32 (rows, columns) at 1/4 size: noise that stays
    the same from frame to frame, where a camera's own would make them flicker. StyleGAN's noise
    inputs do so for pictures (Karras et al. 2019, arXiv 1812.04948)."""
    tile = np.random.default_rng(0).standard_normal((GRAIN_SIDE, GRAIN_SIDE), np.float32)
    return tile[np.ix_(np.arange(rows) % GRAIN_SIDE, np.arange(columns) % GRAIN_SIDE)]


def load(path: Path) -> Weights:
    """The weights in a body file, float32, folded or not. Raises StyleError if it is no body."""
    return _read(path)[0]


def load_ranges(path: Path, identifier: str) -> Weights:
    """What int8 rounds by: the least and greatest value of a convolution's input channels, float32
    (2, C), by its name. Raises StyleError if they are not those of this body."""
    ranges, metadata = _read(path)
    if metadata.get("body") != identifier:
        raise StyleError(f"{path}: expected body {identifier}, got {metadata.get('body')}")
    return ranges


def _read(path: Path) -> tuple[Weights, dict[str, str]]:
    """A file's tensors as float32 and its metadata, or StyleError."""
    try:
        with safe_open(path, framework="numpy") as file:
            metadata = file.metadata() or {}
            weights = {name: file.get_tensor(name).astype(np.float32) for name in file.keys()}
    except FileNotFoundError:
        raise StyleError(f"no body at {path}; reinstall stylecam") from None
    except (OSError, SafetensorError, TypeError) as error:  # numpy has no bfloat16
        raise StyleError(f"{path} is not a whole body file ({error})") from None
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
    """A short name for exactly these weights, as half floats; codes only fit the body they name."""
    digest = hashlib.sha256()
    for name in sorted(weights):
        digest.update(name.encode())
        digest.update(np.ascontiguousarray(weights[name], np.float16).tobytes())
    return digest.hexdigest()[:12]


def given(code: np.ndarray, statistics: np.ndarray, width: Width) -> np.ndarray:
    """A code for the body without its instance norms, which have been multiplied into it.

    `statistics` (2, C) are the means and variances of all channels that the norms see, in their
    order; the decoder's affine, which sees no norm, stays as it is. float32 (code_length,).
    """
    code = code.astype(np.float32)
    affines = sum(width.norms)
    means, variances = statistics
    scales, shifts = code[: means.size], code[affines : affines + means.size]
    scales /= np.sqrt(variances + EPSILON)
    shifts -= means * scales
    return code


def gain(code: np.ndarray, width: Width) -> float:
    """How much a code makes of what the decoder sees, by the scales of its affine.

    Codes differ in it tenfold. int8 rounds the decoder's input multiplied by it, so that the same
    steps do for all of them.
    """
    affines = sum(width.norms)
    return float(np.sqrt(np.mean(code[affines - width.half : affines] ** 2)))


def fold(weights: Weights) -> Weights:
    """The same function in fewer operations, from unfolded weights.

    Batch norms go into the convolutions before them; each nearest x2 + convolution becomes one
    2x2 convolution to four times the channels, whose output is pixel-shuffled (Shi et al. 2016), at
    4/9 of the sums. Training the shuffled form directly prints a grid; folding it afterwards is
    exact.
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
    """The (4·out, in, 2, 2) kernel that equals nearest x2 then `kernel` (out, in, 3, 3).

    Each pixel of the large picture sees two by two of the small one. The four that see the same
    two by two are one place of the convolution: channel 4·c + 2·dy + dx is output channel c at row
    dy and column dx of them, the order of pixel_shuffle. They begin one pixel up and left of the
    picture.
    """
    # Which of the kernel's three taps fall on the first and the second of two pixels, in the large
    # picture's odd and even rows.
    taps = np.array([[[1, 1, 0], [0, 0, 1]], [[1, 0, 0], [0, 1, 1]]])
    phases = np.einsum("ayk,bxl,oikl->oabiyx", taps, taps, kernel.astype(np.float64))
    out, _, _, into, _, _ = phases.shape
    return phases.reshape(4 * out, into, 2, 2).astype(np.float32)
