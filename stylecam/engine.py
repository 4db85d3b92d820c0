"""StyleNet on a device: `engine.paint(picture, code)`. The answer is the same on each.

Knows no style and no stream.

OpenVINO runs it on CPUs, without torch: the graph is built from the folded weights, compiled for
each frame size and kept in a cache on disk. torch runs it on CUDA and MPS, and on CPUs that
OpenVINO does not serve.
"""

from __future__ import annotations

import ctypes.util
import importlib.util
import sys
from collections import OrderedDict
from contextlib import suppress
from functools import cache
from itertools import accumulate
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import platformdirs

from stylecam import assets, body
from stylecam.errors import EngineError
from stylecam.frame import check_pixels

DEVICES = ("auto", "cpu", "torch", "cuda", "mps")
"""`cpu` is OpenVINO, `torch` is torch on the CPU."""

CACHE_BYTES = 50_000_000

COMPILED_SIZES = 4
"""Frame sizes whose compiled networks are kept; a stream has one, a folder of pictures many."""


class Engine(Protocol):
    """A body on a device."""

    description: str
    """What a user is told: "OpenVINO CPU, bf16"."""
    threads: int
    """Of the CPU that it uses; 0 before the first picture."""

    def paint(self, picture: np.ndarray, code: np.ndarray) -> np.ndarray:
        """uint8 RGB (H, W, 3) and float32 (code_length,) → a new uint8 RGB (H, W, 3)."""
        ...


@cache
def weights() -> body.Weights:
    """The shipped body, unfolded."""
    return body.load(assets.BODY)


@cache
def body_id() -> str:
    """The shipped body's id, which styles must name."""
    return body.body_id(weights())


def open_engine(device: str = "auto", *, precision: str = "auto") -> Engine:
    """The engine for a device of DEVICES; `auto` takes CUDA, MPS, OpenVINO, torch, in this order.

    `precision` is auto (half on GPUs, bf16 where the CPU has it) or fp32. Raises EngineError.
    """
    if device not in DEVICES:
        raise EngineError(f"expected a device of {', '.join(DEVICES)}, got {device!r}")
    if device == "auto":
        device = _gpu() or ("cpu" if _has("openvino") else "torch")
    folded = body.fold(weights())
    if device == "cpu":
        if not _has("openvino"):
            raise EngineError("OpenVINO is not installed here; use the device torch")
        return OpenVINOEngine(folded, precision)
    if device != "torch" and device != _gpu():
        raise EngineError(f"there is no {device} device here; use the device auto")
    return TorchEngine(folded, "cpu" if device == "torch" else device, precision)


def cache_folder() -> Path:
    """Where compiled networks are kept."""
    return Path(platformdirs.user_cache_dir("stylecam", appauthor=False)) / "openvino"


def _openvino() -> Any:
    """The library, without its telemetry, which would report each start over the network."""
    sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]
    import openvino

    return openvino


def _has(module: str) -> bool:
    return importlib.util.find_spec(module) is not None


def _gpu() -> str:
    """cuda, mps or nothing. Looks for a driver first: importing torch takes seconds."""
    driver = "nvcuda" if sys.platform == "win32" else "cuda"
    if not _has("torch") or (sys.platform != "darwin" and not ctypes.util.find_library(driver)):
        return ""
    import torch

    if torch.cuda.is_available():
        return "cuda"
    return "mps" if torch.backends.mps.is_available() else ""


def _prune(folder: Path) -> None:
    """Removes the compiled networks used longest ago, beyond CACHE_BYTES: each size leaves one."""
    with suppress(OSError):
        blobs = sorted(folder.glob("*.blob"), key=lambda p: p.stat().st_mtime, reverse=True)
        sizes = accumulate(blob.stat().st_size for blob in blobs)
        for blob, size in zip(blobs, sizes, strict=True):
            if size > CACHE_BYTES:
                blob.unlink()


class OpenVINOEngine:
    """The folded body on the CPU. Not for two threads at once: a request's buffers are kept."""

    def __init__(self, folded: body.Weights, precision: str = "auto"):
        self._core = _openvino().Core()
        _prune(cache_folder())
        self._folded = folded
        able = self._core.get_property("CPU", "OPTIMIZATION_CAPABILITIES")
        half = precision == "auto" and "BF16" in able
        self._options = {
            "PERFORMANCE_HINT": "LATENCY",
            "INFERENCE_PRECISION_HINT": "bf16" if half else "f32",
            "CACHE_DIR": str(cache_folder()),
        }
        self.description = f"OpenVINO CPU, {'bf16' if half else 'fp32'}"
        self.threads = 0
        self._requests: OrderedDict[tuple[int, int], Any] = OrderedDict()

    def paint(self, picture: np.ndarray, code: np.ndarray) -> np.ndarray:
        picture = check_pixels(picture)
        request = self._request(*picture.shape[:2])
        inputs = [picture[None], np.ascontiguousarray(code, np.float32)[None]]
        # The result lies in the request's own buffer, which the next frame overwrites.
        return request.infer(inputs, share_inputs=True, share_outputs=True)[0][0].copy()

    def _request(self, height: int, width: int) -> Any:
        size = (height, width)
        if size not in self._requests:
            graph = _graph(self._folded, height, width)
            compiled = self._core.compile_model(graph, "CPU", self._options)
            self.threads = int(compiled.get_property("INFERENCE_NUM_THREADS"))
            self._requests[size] = compiled.create_infer_request()
            if len(self._requests) > COMPILED_SIZES:
                self._requests.popitem(last=False)
        self._requests.move_to_end(size)
        return self._requests[size]


def _graph(folded: body.Weights, height: int, width: int) -> Any:
    """`network.FoldedStyleNet` as an OpenVINO model, uint8 (1, H, W, 3) in and out."""
    from openvino import opset13 as op

    shape = body.width_of(folded)
    picture = op.parameter([1, height, width, 3], np.uint8, name="picture")
    code = op.parameter([1, shape.code_length], np.float32, name="code")
    norms = len(shape.norms)
    pieces = op.variadic_split(code, 1, np.array([*shape.norms, *shape.norms])).outputs()
    affines = zip(shape.norms, pieces[:norms], pieces[norms:], strict=True)

    def conv(x: Any, name: str, *, stride: int = 1) -> Any:
        y = op.convolution(x, folded[f"{name}.weight"], [stride] * 2, [1, 1], [1, 1], [1, 1])
        bias = folded.get(f"{name}.bias")
        return y if bias is None else op.add(y, bias.reshape(1, -1, 1, 1))

    def affine(x: Any) -> Any:
        channels, scale, shift = next(affines)
        per_channel = np.array([1, channels, 1, 1])
        scaled = op.multiply(x, op.reshape(scale, per_channel, False))
        return op.add(scaled, op.reshape(shift, per_channel, False))

    def conditional_norm(x: Any) -> Any:
        return affine(op.mvn(x, np.array([2, 3]), True, body.EPSILON, "inside_sqrt"))

    top, bottom, left, right = body.padding(height, width)
    x = op.pad(picture, np.array([0, top, left, 0]), np.array([0, bottom, right, 0]), "reflect")
    x = op.transpose(op.convert(x, np.float32), np.array([0, 3, 1, 2]))
    first = op.convolution(x, _unshuffled(folded), [2, 2], [2, 2], [2, 2], [1, 1])
    x = op.relu(op.add(first, folded["encoder1.conv.bias"].reshape(1, -1, 1, 1)))
    x = op.relu(conv(x, "encoder2.conv", stride=2))
    for i in range(shape.blocks):
        y = op.relu(conditional_norm(conv(x, f"residual{i}.conv1")))
        x = op.add(x, conditional_norm(conv(y, f"residual{i}.conv2")))
    x = op.relu(affine(op.depth_to_space(conv(x, "up.conv"), "depth_first", 2)))
    kernel, bias = _by_rows(folded)
    x = op.convolution(x, kernel, [1, 1], [1, 1], [1, 1], [1, 1])
    x = op.multiply(op.sigmoid(op.add(x, bias)), np.float32(255))
    x = op.convert(op.add(x, np.float32(0.5)), np.uint8)
    # Shuffled as bytes, in runs of two whole pixels: a quarter of the time that floats take.
    rows, columns = (top + height + bottom) // 2, (left + width + right) // 2
    x = op.reshape(op.transpose(x, np.array([0, 2, 3, 1])), np.array([rows, columns, 2, 6]), False)
    x = op.transpose(x, np.array([0, 2, 1, 3]))
    x = op.reshape(x, np.array([1, 2 * rows, 2 * columns, 3]), False)
    begin, end = np.array([top, left]), np.array([top + height, left + width])
    x = op.slice(x, begin, end, np.array([1, 1]), np.array([1, 2]))
    return _openvino().Model([x], [picture, code], "stylenet")


def _unshuffled(folded: body.Weights) -> np.ndarray:
    """pixel_unshuffle 2 and the 3x3 convolution after it as one 6x6 convolution of stride 2, from
    pixels of 0 to 255: it spares the processor the shuffling, which costs as much as the sums."""
    kernel = folded["encoder1.conv.weight"]
    phases = kernel.reshape(len(kernel), 3, 2, 2, 3, 3).transpose(0, 1, 4, 2, 5, 3)
    return (phases.reshape(len(kernel), 3, 6, 6) / 255).astype(np.float32)


def _by_rows(folded: body.Weights) -> tuple[np.ndarray, np.ndarray]:
    """The last convolution with its channels as (row, column, colour) of the pixels they become,
    where pixel_shuffle wants (colour, row, column)."""
    kernel, bias = folded["out.conv.weight"], folded["out.conv.bias"]
    kernel = kernel.reshape(3, 2, 2, *kernel.shape[1:]).transpose(1, 2, 0, 3, 4, 5)
    bias = bias.reshape(3, 2, 2).transpose(1, 2, 0)
    return np.ascontiguousarray(kernel).reshape(12, *kernel.shape[3:]), bias.reshape(1, 12, 1, 1)


class TorchEngine:
    """The folded body in torch: half precision and channels_last on CUDA, fp32 on the CPU."""

    def __init__(self, folded: body.Weights, device: str, precision: str = "auto"):
        import torch

        from stylecam import network

        self._torch = torch
        self._device = torch.device(device)
        half = precision == "auto" and device in ("cuda", "mps")
        self._dtype = torch.float16 if half else torch.float32
        net = network.folded(folded).requires_grad_(False)
        self._net = net.to(self._device, self._dtype).to(memory_format=torch.channels_last)
        name = {"cuda": "CUDA", "mps": "MPS", "cpu": "CPU"}[device]
        self.threads = torch.get_num_threads()
        self.description = f"torch {name}, {'fp16' if half else 'fp32'}"

    def paint(self, picture: np.ndarray, code: np.ndarray) -> np.ndarray:
        torch = self._torch
        with torch.inference_mode():
            uploaded = torch.from_numpy(check_pixels(picture)).to(self._device)
            image = uploaded.permute(2, 0, 1)[None].to(self._dtype) / 255
            row = torch.from_numpy(np.asarray(code, np.float32)).to(self._device, self._dtype)
            painted = self._net(image, row[None])[0].permute(1, 2, 0)
            return (painted * 255 + 0.5).to(torch.uint8).contiguous().cpu().numpy()
