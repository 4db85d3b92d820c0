"""The folded body as OpenVINO models, in floats or in int8. Compiles and runs nothing.

Pictures are uint8 (1, H, W, 3), codes float32 (1, code_length), grains as `body.grain` makes them
for the padded size, float32 (1, 1, H', W'). Three kinds of model share one builder:
`exact` normalises each frame by its own statistics; `measured` does so, or by given ones, and also
returns the frame's own; `given` takes statistics folded into the code (`body.given`), so that only
convolutions and affines are left.
"""

from __future__ import annotations

import sys
from typing import Any, Literal

import numpy as np

from stylecam import body

Kind = Literal["exact", "measured", "given"]

AROUND = 1
"""Extra pixels above and to the left of the frame in a painted picture."""


def openvino() -> Any:
    """Imports OpenVINO without its telemetry, which would report each start over the network."""
    sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]
    import openvino

    return openvino


def model(kind: Kind, folded: body.Weights, ranges: body.Weights, height: int, width: int) -> Any:
    """A picture, a code (for `given` with statistics in it) and a grain → the even rows of the
    painted picture and its odd ones, each uint8 (H', W', 3), with AROUND or more extra pixels on
    each side.

    `measured` also takes statistics as `body.given` does, float32 (2, channels), and the weight of
    the picture's own in a mean of both, float32 (1,); it also returns the picture's own.

    Inputs and weights of the convolutions in `ranges` (`body.load_ranges`, or empty) are rounded
    to 8 bits, so that OpenVINO computes them in int8 (Jacob et al. 2018, arXiv 1712.05877).
    """
    from openvino import opset13 as op

    shape = body.width_of(folded)
    picture = op.parameter([1, height, width, 3], np.uint8, name="picture")
    code = op.parameter([1, shape.code_length], np.float32, name="code")
    top, bottom, left, right = body.padding(height, width)
    rows, columns = body.cells(height, width)
    grain = op.parameter([1, 1, rows, columns], np.float32, name="grain")
    norms, sizes = len(shape.norms), [*shape.norms, *shape.norms, *shape.grained]
    pieces = op.variadic_split(code, 1, np.array(sizes)).outputs()
    affines = zip(pieces[:norms], pieces[norms : 2 * norms], strict=True)
    shares = iter(pieces[2 * norms :])
    spatial = np.array([2, 3])
    inputs = [picture, code, grain]
    seen: list[tuple[Any, Any]] = []
    if kind == "measured":
        normed = shape.norms[:-1]
        statistics = op.parameter([2, sum(normed)], np.float32, name="statistics")
        own = op.parameter([1], np.float32, name="own")
        inputs += [statistics, own]
        others = iter(op.variadic_split(statistics, 1, np.array(normed)).outputs())

    def rounded(x: Any, name: str, times: int = 1) -> Any:
        """`x` rounded as the input of convolution `name`, whose channels it holds `times` times."""
        if name not in ranges:
            return x
        share, low, high = _levels(ranges[name])
        column = np.tile(share, times).reshape(1, -1, 1, 1)
        return op.fake_quantize(x, low * column, high * column, low, high, 256)

    def convolved(x: Any, name: str, kernel: np.ndarray, *, pad: int, stride: int = 1) -> Any:
        weight = op.constant(np.ascontiguousarray(kernel))
        if name in ranges:
            share, _, _ = _levels(ranges[name])
            weight = _rounded_weight(kernel * share[:, None, None])
        return op.convolution(x, weight, [stride] * 2, [pad] * 2, [pad] * 2, [1, 1])

    def conv(x: Any, name: str, *, stride: int = 1) -> Any:
        kernel = folded[f"{name}.weight"]
        return convolved(rounded(x, name), name, kernel, pad=1, stride=stride)

    def biased(x: Any, bias: np.ndarray) -> Any:
        return op.add(x, bias.reshape(1, -1, 1, 1))

    def row(column: Any) -> Any:
        return op.reshape(column, np.array([1, -1]), False)

    def column(row: Any) -> Any:
        return op.reshape(row, np.array([1, -1, 1, 1]), False)

    def affine(x: Any, scale: Any, shift: Any) -> Any:
        return op.add(op.multiply(x, scale), shift)

    def norm(x: Any) -> Any:
        scale, shift = next(affines)
        if kind == "exact":
            x = op.mvn(x, spatial, True, body.EPSILON, "inside_sqrt")
        if kind == "measured":
            mean = op.reduce_mean(x, spatial, True)
            around = op.subtract(x, mean)
            variance = op.reduce_mean(op.multiply(around, around), spatial, True)
            seen.append((mean, variance))
            # As rows: with columns, OpenVINO would change the layout of the whole picture.
            mean, variance = (
                affine(op.subtract(row(each), other), own, other)
                for each, other in zip(
                    seen[-1], op.split(next(others), 0, 2).outputs(), strict=True
                )
            )
            scale = op.divide(scale, op.sqrt(op.add(variance, np.float32(body.EPSILON))))
            shift = op.subtract(shift, op.multiply(mean, scale))
        return affine(x, column(scale), column(shift))

    x = op.pad(picture, np.array([0, top, left, 0]), np.array([0, bottom, right, 0]), "reflect")
    x = op.transpose(op.convert(x, np.float32), np.array([0, 3, 1, 2]))
    first = "encoder1.conv"
    x = convolved(rounded(x, first), first, _unshuffled(folded), pad=2, stride=2)
    x = op.relu(biased(x, folded["encoder1.conv.bias"]))
    x = conv(x, "encoder2.conv", stride=2)
    x = op.relu(biased(x, folded["encoder2.conv.bias"]))
    for i in range(shape.blocks):
        y = norm(conv(x, f"residual{i}.conv1"))
        y = op.relu(op.add(y, op.multiply(grain, column(next(shares)))))
        x = op.add(x, norm(conv(y, f"residual{i}.conv2")))
    # Both pixel shuffles move long runs of bytes, many times faster than OpenVINO's own operation,
    # since channels are in the order of the pixels that they become. Affine, ReLU and rounding
    # come before the shuffle.
    four = np.tile(np.arange(shape.half), 4)
    scale, shift = next(affines)
    spared = body.spared()
    begin, end = np.array([spared] * 2), np.array([-spared] * 2)
    x = op.slice(rounded(x, "up.conv"), begin, end, np.array([1, 1]), spatial)
    rows, columns = rows - 2 * spared - 1, columns - 2 * spared - 1
    x = convolved(x, "up.conv", _by_place(folded["up.conv.weight"]), pad=0)
    x = op.relu(affine(x, *(column(op.gather(each, four, np.int64(1))) for each in (scale, shift))))
    x = op.transpose(rounded(x, "out.conv", 4), np.array([0, 2, 3, 1]))
    x = op.reshape(x, np.array([rows, columns, 2, 2 * shape.half]), False)
    x = op.transpose(x, np.array([0, 2, 1, 3]))
    x = op.reshape(x, np.array([1, 2 * rows, 2 * columns, shape.half]), False)
    x = op.transpose(x, np.array([0, 3, 1, 2]))
    # One convolution for the even rows and one for the odd ones, so that each paints whole rows.
    rows, columns = 2 * rows - 1, 2 * columns - 1
    kernel, bias = (_by_place(folded[f"out.conv.{each}"]) for each in ("weight", "bias"))
    answers = []
    for odd in range(2):
        own = np.s_[6 * odd : 6 * odd + 6]
        y = biased(convolved(x, "out.conv", kernel[own], pad=0), bias[own])
        if ranges:  # OpenVINO fuses this clipping and rounding into the convolution
            white, most = np.float32(body.WHITE), np.float32(255)
            y = op.fake_quantize(y, -white, white, np.float32(0), most, 256)
        else:
            y = op.multiply(y, np.float32(255 / (2 * body.WHITE)))
            y = op.clamp(op.add(y, np.float32(128)), 0.0, 255.0)
        y = op.transpose(op.convert(y, np.uint8), np.array([0, 2, 3, 1]))
        answers.append(op.reshape(y, np.array([rows, 2 * columns, 3]), False))
    if kind == "measured":
        means, variances = (op.concat(list(each), 1) for each in zip(*seen, strict=True))
        told = op.reshape(op.concat([means, variances], 0), np.array([2, -1]), False)
        answers.append(told)
    # OpenVINO numbers its default names on through all models of a process, so its cache would not
    # recognise this one.
    for i, answer in enumerate(answers):
        answer.output(0).set_names({f"answer{i}"})
    return openvino().Model(answers, inputs, kind)


def _levels(ranges: np.ndarray) -> tuple[np.ndarray, np.float32, np.float32]:
    """How to round a convolution's input of these ranges (2, C) to int8: the divisor of each
    channel, float32 (C,), and the least and greatest value that all channels have after it.

    One step size must suit all channels, so their differences in range are divided out and go into
    the weights (Xiao et al. 2023, arXiv 2211.10438). If all have the same range, as in a picture,
    the divisors are 1.
    """
    least, greatest = ranges
    size = np.maximum(np.maximum(-least, greatest), 1e-3)
    share = (size / size.max()).astype(np.float32)
    high = np.float32((size / share).max())
    return share, np.float32(-high * 128 / 127 if least.min() < 0 else 0), high


def _rounded_weight(kernel: np.ndarray) -> Any:
    """A kernel (out, in, h, w) in int8, with a step for each output. It uses half of the range,
    since processors without VNNI add pairs of products in 16 bits, where more might overflow."""
    from openvino import opset13 as op

    most = np.maximum(np.abs(kernel).max((1, 2, 3), keepdims=True), 1e-6) * np.float32(127 / 63)
    return op.fake_quantize(op.constant(kernel), -most, most, -most, most, 255)


def _unshuffled(folded: body.Weights) -> np.ndarray:
    """pixel_unshuffle 2 and the 3x3 convolution after it as one 6x6 convolution of stride 2, from
    pixels of 0 to 255. This saves the shuffling, which takes as long as the convolution."""
    kernel = folded["encoder1.conv.weight"]
    phases = kernel.reshape(len(kernel), 3, 2, 2, 3, 3).transpose(0, 1, 4, 2, 5, 3)
    return (phases.reshape(len(kernel), 3, 6, 6) / 255).astype(np.float32)


def _by_place(values: np.ndarray) -> np.ndarray:
    """Reorders values for the channels of a sub-pixel convolution from pixel_shuffle's order
    (channel, row, column) to (row, column, channel), that of the pixels that they become."""
    ordered = values.reshape(-1, 2, 2, *values.shape[1:])
    return np.moveaxis(ordered, 0, 2).reshape(values.shape)
