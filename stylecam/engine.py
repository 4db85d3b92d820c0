"""StyleNet on a device: `engine.paint(picture, code)`. The answer is the same on each.

Knows no style, and of a stream only that its statistics may be given instead of measured.

OpenVINO runs it on CPUs, without torch: `graph` makes models from the folded weights, which are
compiled for each frame size and kept in a `cache` on disk. torch runs it on CUDA and MPS, and on
CPUs that OpenVINO does not serve.
"""

from __future__ import annotations

import ctypes.util
import functools
import importlib.util
import platform
import sys
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Protocol

import numpy as np

from stylecam import assets, body, cache, graph
from stylecam.cache import COMPILED_MODELS
from stylecam.errors import EngineError
from stylecam.frame import check_pixels
from stylecam.settings import DEVICES, Settings
from stylecam.torch_engine import TorchEngine

PRECISIONS = ("auto", "int8", "fp32")

TIMED_SIZE, TIMED_FRAMES = (192, 256), 8
"""(height, width) and number of the frames by which int8 is compared with floats."""


class Engine(Protocol):
    """A body on a device."""

    description: str
    """What a user is told: "OpenVINO CPU, bf16"."""
    threads: int
    """Of the CPU that it uses; 0 before the first picture."""

    def prepare(self, height: int, width: int) -> None:
        """Does what takes long before the first frame of a stream of this size. May run beside
        painting, on another thread."""
        ...

    def paint(self, picture: np.ndarray, code: np.ndarray) -> np.ndarray:
        """uint8 RGB (H, W, 3) and float32 (code_length,) → a new uint8 RGB (H, W, 3), each picture
        by itself and in floats: the answer that all others are measured by."""
        ...

    def paint_measured(
        self,
        picture: np.ndarray,
        code: np.ndarray,
        statistics: np.ndarray | None = None,
        grain: np.ndarray | None = None,
    ) -> tuple[np.ndarray, np.ndarray]:
        """`paint` as `paint_given` paints, by the picture's own statistics unless others are given;
        and its own, the means and variances of what the instance norms saw, float32 (2,
        channels)."""
        ...

    def paint_given(
        self,
        picture: np.ndarray,
        code: np.ndarray,
        statistics: np.ndarray,
        grain: np.ndarray | None = None,
        meanwhile: Callable[[], object] | None = None,
    ) -> np.ndarray:
        """`paint` by these statistics instead of the picture's own; faster, and in int8 where the
        engine chose that. `grain` is that of `body.grain`, or as it has been carried. torch
        has `meanwhile` done while a GPU paints; OpenVINO, whose CPU is busy, never calls it."""
        ...


@functools.cache
def weights() -> body.Weights:
    """The shipped body, unfolded."""
    return body.load(assets.BODY)


@functools.cache
def body_id() -> str:
    """The shipped body's id, which styles must name."""
    return body.body_id(weights())


def open_engine(device: str = Settings.device, *, precision: str = "auto") -> Engine:
    """The engine for a device of DEVICES; `auto` takes CUDA, MPS, OpenVINO, torch, in this order.

    `precision` is one of PRECISIONS. auto: half on GPUs; on CPUs bf16 where the processor has that,
    and int8 for streams (`paint_given`) where that is faster still. fp32: nowhere less. int8: for
    streams whatever the time, by OpenVINO alone; torch takes fp32. Raises EngineError.
    """
    for name, choice, choices in (
        ("device", device, DEVICES),
        ("precision", precision, PRECISIONS),
    ):
        if choice not in choices:
            raise EngineError(f"expected a {name} of {', '.join(choices)}, got {choice!r}")
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


_making_core = threading.Lock()


def _core() -> Any:
    """OpenVINO's core, one for as long as the process lives. A core gives the thread that makes it
    a stack to handle signals on, and unmaps that where it ends: if that is on another thread, the
    first one's next Ctrl-C would crash the process."""
    with _making_core:  # a cache by itself would let two threads make one each
        return _made_core()


@functools.cache
def _made_core() -> Any:
    return graph.openvino().Core()


class OpenVINOEngine:
    """The folded body on the CPU. Not for two threads at once, but for `prepare`, since a request's
    buffers are kept."""

    def __init__(self, folded: body.Weights, precision: str = "auto"):
        self._core = _core()
        cache.sweep()
        self._folded, self._width = folded, body.width_of(folded)
        able = self._core.get_property("CPU", "OPTIMIZATION_CAPABILITIES")
        self._floats = "bf16" if precision != "fp32" and "BF16" in able else "fp32"
        self._ranges: body.Weights = {}
        if precision in ("auto", "int8"):
            self._ranges = body.load_ranges(assets.RANGES, body_id())
            if precision == "auto" and not self._int8_is_faster():
                self._ranges = {}
        self.description = f"OpenVINO CPU, {'int8' if self._ranges else self._floats}"
        self.threads = 0
        self._requests: OrderedDict[tuple[graph.Kind, int, int], tuple[Any, np.ndarray]]
        self._requests = OrderedDict()
        self._compiling = threading.Lock()

    def prepare(self, height: int, width: int) -> None:
        for kind in ("measured", "given"):
            self._request(kind, height, width)

    def paint(self, picture: np.ndarray, code: np.ndarray) -> np.ndarray:
        return _inside(picture, *self._infer("exact", picture, code, None))

    def paint_measured(
        self,
        picture: np.ndarray,
        code: np.ndarray,
        statistics: np.ndarray | None = None,
        grain: np.ndarray | None = None,
    ) -> tuple[np.ndarray, np.ndarray]:
        own = np.array([statistics is None], np.float32)
        if statistics is None:
            channels = sum(self._width.norms[:-1])
            statistics = np.zeros((2, channels), np.float32)
            # Who measures goes on with `paint_given`: compiled now, while all waits for the first
            # frame, and not while the second is due.
            self.prepare(*check_pixels(picture).shape[:2])
        *rows, measured = self._infer("measured", picture, code, grain, statistics, own)
        return _inside(picture, *rows), measured.copy()

    def paint_given(
        self,
        picture: np.ndarray,
        code: np.ndarray,
        statistics: np.ndarray,
        grain: np.ndarray | None = None,
        meanwhile: Callable[[], object] | None = None,
    ) -> np.ndarray:
        given = self._infer("given", picture, body.given(code, statistics, self._width), grain)
        return _inside(picture, *given)

    def _infer(
        self,
        kind: graph.Kind,
        picture: np.ndarray,
        code: np.ndarray,
        grain: np.ndarray | None,
        *more: np.ndarray,
    ) -> list[np.ndarray]:
        """The model's answers in the request's own buffers, which the next call overwrites."""
        picture = check_pixels(picture)
        request, at_rest = self._request(kind, *picture.shape[:2])
        grain = at_rest if grain is None else grain
        code = np.ascontiguousarray(code, np.float32)
        inputs = [picture[None], code[None], grain[None, None], *more]
        return list(request.infer(inputs, share_inputs=True, share_outputs=True).values())

    def _request(self, kind: graph.Kind, height: int, width: int) -> tuple[Any, np.ndarray]:
        """Who paints that, and the grain at rest."""
        key = (kind, height, width)
        if key not in self._requests:
            with self._compiling:
                if key not in self._requests:
                    self._compile(kind, height, width)
        self._requests.move_to_end(key)
        return self._requests[key]

    def _compile(self, kind: graph.Kind, height: int, width: int) -> None:
        compiled = self._compiled(kind, {} if kind == "exact" else self._ranges, height, width)
        self.threads = int(compiled.get_property("INFERENCE_NUM_THREADS"))
        request = compiled.create_infer_request()
        self._requests[kind, height, width] = request, body.grain(*body.cells(height, width))
        if len(self._requests) > COMPILED_MODELS:
            self._requests.popitem(last=False)

    def _compiled(self, kind: graph.Kind, ranges: body.Weights, height: int, width: int) -> Any:
        options = {
            "PERFORMANCE_HINT": "LATENCY",
            "INFERENCE_PRECISION_HINT": "bf16" if self._floats == "bf16" else "f32",
        }
        model = graph.model(kind, self._folded, ranges, height, width)
        with cache.alone() as here:
            if here:
                with suppress(RuntimeError):  # where nothing can be kept, or read
                    kept = {**options, "CACHE_DIR": str(here)}
                    compiled = self._core.compile_model(model, "CPU", kept)
                    cache.seal()
                    return compiled
        try:
            return self._core.compile_model(model, "CPU", options)
        except RuntimeError as error:
            reason = str(error).strip().splitlines()[-1]
            raise EngineError(f"OpenVINO cannot compile the network here: {reason}") from None

    def _int8_is_faster(self) -> bool:
        """Whether it is on this machine: timed at the first start, which takes about a second, then
        remembered beside the compiled networks."""
        machine = f"{platform.node()}, OpenVINO {graph.openvino().__version__}, {self._floats}"
        known = cache.recall("fastest")
        if machine in known:
            return bool(known[machine] == "int8")
        requests = [
            self._compiled("given", ranges, *TIMED_SIZE).create_infer_request()
            for ranges in ({}, self._ranges)
        ]
        code = np.zeros((1, self._width.code_length), np.float32)
        grain = body.grain(*body.cells(*TIMED_SIZE))[None, None]
        inputs = np.zeros((1, *TIMED_SIZE, 3), np.uint8), code, grain
        times: list[list[float]] = [[], []]
        for _ in range(TIMED_FRAMES):
            for taken, request in zip(times, requests, strict=True):
                began = time.perf_counter()
                request.infer(inputs)
                taken.append(time.perf_counter() - began)
        faster = min(times[1]) < min(times[0])
        cache.remember("fastest", known | {machine: "int8" if faster else self._floats})
        return faster


def _inside(picture: np.ndarray, *lines: np.ndarray) -> np.ndarray:
    """The part of what a model painted, its even and its odd rows, that the picture takes up."""
    around, width = graph.AROUND, picture.shape[1]
    inside = np.empty(picture.shape, np.uint8)
    for row in range(2):
        rows = inside[row::2]
        above, odd = divmod(around + row, 2)
        rows[:] = lines[odd][above : above + len(rows), around : around + width]
    return inside
