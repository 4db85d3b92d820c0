"""Runs StyleNet on a device: `engine.paint(picture, code)` gives the same result on each.

Knows nothing about styles, and of a stream only that its statistics may be given, not measured.

On CPUs OpenVINO runs it, without torch: `graph` makes models from the folded weights, which are
compiled for each frame size and kept in a `cache` on disk. torch runs it on CUDA and MPS, and on
CPUs that OpenVINO does not support.
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
"""(height, width) and number of the frames that are timed to compare int8 with floats."""


class Engine(Protocol):
    """A body on a device."""

    description: str
    """Shown to the user, such as "OpenVINO CPU, bf16"."""
    threads: int
    """Number of CPU threads that it uses; 0 in OpenVINO until it has compiled a network."""

    def prepare(self, height: int, width: int) -> None:
        """Does what takes long before the first frame of a stream of this size, such as compiling.
        May run on another thread while frames are painted."""
        ...

    def paint(self, picture: np.ndarray, code: np.ndarray) -> np.ndarray:
        """uint8 RGB (H, W, 3) and float32 (code_length,) → a new uint8 RGB (H, W, 3), by the
        picture's own statistics and in floats: the reference for the other two."""
        ...

    def paint_measured(
        self,
        picture: np.ndarray,
        code: np.ndarray,
        statistics: np.ndarray | None = None,
        grain: np.ndarray | None = None,
    ) -> tuple[np.ndarray, np.ndarray]:
        """`paint` in the precision of `paint_given`, by the picture's own statistics unless others
        are given. Also returns the picture's own: means and variances of the instance norms'
        inputs, float32 (2, channels)."""
        ...

    def paint_given(
        self,
        picture: np.ndarray,
        code: np.ndarray,
        statistics: np.ndarray,
        grain: np.ndarray | None = None,
        meanwhile: Callable[[], object] | None = None,
    ) -> np.ndarray:
        """`paint` by these statistics instead of the picture's own: faster, and in int8 if the
        engine chose that. `grain` is `body.grain` if None, else as `Grain.carried` returns it.
        torch calls `meanwhile` while a GPU paints; OpenVINO never does, as the CPU is busy."""
        ...


@functools.cache
def weights() -> body.Weights:
    """The weights of the shipped body, unfolded."""
    return body.load(assets.BODY)


@functools.cache
def body_id() -> str:
    """The shipped body's id, which styles must name."""
    return body.body_id(weights())


def open_engine(device: str = Settings.device, *, precision: str = "auto") -> Engine:
    """The engine for a device of DEVICES; `auto` tries CUDA, MPS, OpenVINO, torch, in this order.

    `precision` is one of PRECISIONS. auto: torch uses fp16 on GPUs and fp32 on CPUs; OpenVINO uses
    bf16 if the processor has it, else fp32, and int8 for streams (all but `paint`) if that is
    faster. fp32: everywhere. int8: OpenVINO uses it for streams even if slower; torch uses fp32.
    Raises EngineError.
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
            raise EngineError("OpenVINO is not installed here; use --device torch")
        return OpenVINOEngine(folded, precision)
    if device != "torch" and device != _gpu():
        raise EngineError(f"there is no {device} device here; use --device auto")
    return TorchEngine(folded, "cpu" if device == "torch" else device, precision)


def _has(module: str) -> bool:
    return importlib.util.find_spec(module) is not None


def _gpu() -> str:
    """cuda, mps, or "" for neither. Looks for a driver first: importing torch takes seconds."""
    driver = "nvcuda" if sys.platform == "win32" else "cuda"
    if not _has("torch") or (sys.platform != "darwin" and not ctypes.util.find_library(driver)):
        return ""
    import torch

    if torch.cuda.is_available():
        return "cuda"
    return "mps" if torch.backends.mps.is_available() else ""


_making_core = threading.Lock()


def _core() -> Any:
    """OpenVINO's core, made once and kept for as long as the process lives. A core gives the thread
    that makes it a stack for signal handlers, and unmaps it when the core is destroyed. If another
    thread destroyed it, the next Ctrl-C on the first one would crash the process."""
    with _making_core:  # functools.cache alone would let two threads each make one
        return _made_core()


@functools.cache
def _made_core() -> Any:
    return graph.openvino().Core()


class OpenVINOEngine:
    """The folded body on the CPU. Not for two threads at once, except for `prepare`, since the
    buffers of a request are reused."""

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
            # `paint_given` comes next: compile it now, while everything waits for the first frame,
            # and not when the second is due.
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
        """The model's outputs, in the request's own buffers, which the next call overwrites."""
        picture = check_pixels(picture)
        request, at_rest = self._request(kind, *picture.shape[:2])
        grain = at_rest if grain is None else grain
        code = np.ascontiguousarray(code, np.float32)
        inputs = [picture[None], code[None], grain[None, None], *more]
        return list(request.infer(inputs, share_inputs=True, share_outputs=True).values())

    def _request(self, kind: graph.Kind, height: int, width: int) -> tuple[Any, np.ndarray]:
        """The inference request for that size, compiled if need be, and the grain at rest."""
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
                with suppress(RuntimeError):  # if the cache cannot be written or read
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
        """Whether int8 is faster on this machine. Timed at the first start, which takes about a
        second, then remembered beside the compiled networks."""
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
    """Interleaves the even and the odd rows that a model painted, and crops them to the picture."""
    around, width = graph.AROUND, picture.shape[1]
    inside = np.empty(picture.shape, np.uint8)
    for row in range(2):
        rows = inside[row::2]
        above, odd = divmod(around + row, 2)
        rows[:] = lines[odd][above : above + len(rows), around : around + width]
    return inside
