"""The folded body in torch, for CUDA, MPS and CPUs without OpenVINO: an `engine.Engine`.

Knows nothing about styles, streams or other engines. torch is imported when the first is made.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable
from typing import Any

import numpy as np

from stylecam import body
from stylecam.cache import COMPILED_MODELS
from stylecam.frame import check_pixels


class TorchEngine:
    """The folded body in torch, in fp16 on CUDA and MPS if `precision` is auto, else in fp32. On
    CUDA, `paint_given`, which streams call most, is a CUDA graph."""

    def __init__(self, folded: body.Weights, device: str, precision: str = "auto"):
        import torch

        from stylecam import network

        self._torch, self._network = torch, network
        self._device = torch.device(device)
        half = precision == "auto" and device in ("cuda", "mps")
        self._dtype = torch.float16 if half else torch.float32
        net = network.folded(folded).requires_grad_(False)
        self._net = net.to(self._device, self._dtype).to(memory_format=torch.channels_last)
        name = {"cuda": "CUDA", "mps": "MPS", "cpu": "CPU"}[device]
        self.threads = torch.get_num_threads()
        self.description = f"torch {name}, {'fp16' if half else 'fp32'}"
        self._graphs: OrderedDict[tuple[int, int], _CudaGraph] = OrderedDict()
        self._using = threading.RLock()

    def prepare(self, height: int, width: int) -> None:
        """Captures the CUDA graph. The network serves all sizes, but a graph only one."""
        if self._device.type == "cuda":
            self._graph(height, width)

    def paint(self, picture: np.ndarray, code: np.ndarray) -> np.ndarray:
        return self._painted(picture, code, self._network.conditional_instance_norm, None)

    def paint_measured(
        self,
        picture: np.ndarray,
        code: np.ndarray,
        statistics: np.ndarray | None = None,
        grain: np.ndarray | None = None,
    ) -> tuple[np.ndarray, np.ndarray]:
        paint = self._network.conditional_instance_norm
        if statistics is not None:
            code = body.given(code, statistics, self._net.width)
            paint = self._network.conditional_affine
        seen = []

        def norm(x: Any, scale: Any, shift: Any) -> Any:
            seen.append(self._torch.var_mean(x[0].float(), (1, 2), correction=0))
            return paint(x, scale, shift)

        painted = self._painted(picture, code, norm, grain)
        variances, means = (self._torch.cat(each) for each in zip(*seen, strict=True))
        return painted, self._torch.stack([means, variances]).cpu().numpy()

    def paint_given(
        self,
        picture: np.ndarray,
        code: np.ndarray,
        statistics: np.ndarray,
        grain: np.ndarray | None = None,
        meanwhile: Callable[[], object] | None = None,
    ) -> np.ndarray:
        given = body.given(code, statistics, self._net.width)
        if self._device.type != "cuda":
            affine = self._network.conditional_affine
            return self._painted(picture, given, affine, grain, meanwhile)
        with self._using:
            graph = self._graph(*check_pixels(picture).shape[:2])
            return graph.paint(picture, given, grain, meanwhile)

    def _painted(
        self,
        picture: np.ndarray,
        code: np.ndarray,
        norm: Any,
        grain: np.ndarray | None,
        meanwhile: Callable[[], object] | None = None,
    ) -> np.ndarray:
        torch = self._torch

        def sent(row: np.ndarray) -> Any:
            return torch.from_numpy(np.asarray(row, np.float32)).to(self._device, self._dtype)

        with torch.inference_mode(), self._using:
            pixels = torch.from_numpy(check_pixels(picture)).to(self._device)
            own = None if grain is None else sent(grain)
            on_device = self._on_device(pixels, sent(code), own, norm)
            if meanwhile:
                meanwhile()
            painted: np.ndarray = on_device.cpu().numpy()
            return painted

    def _on_device(self, pixels: Any, row: Any, grain: Any, norm: Any) -> Any:
        """uint8 RGB (H, W, 3), a code and a grain or None, all on the device → uint8 RGB there."""
        torch = self._torch
        image = pixels.permute(2, 0, 1)[None].to(self._dtype, memory_format=torch.channels_last)
        if grain is not None:
            grain = grain[None, None]
        painted = self._net(image / 255, row[None], norm=norm, grain=grain)[0].permute(1, 2, 0)
        return (painted * 255 + 0.5).to(torch.uint8).contiguous()

    def _graph(self, height: int, width: int) -> _CudaGraph:
        """The graph for a size, captured if need be. During that, nothing else may use the GPU."""
        with self._using:
            if (height, width) not in self._graphs:
                self._graphs[height, width] = self._captured(height, width)
                if len(self._graphs) > COMPILED_MODELS:
                    self._graphs.popitem(last=False)
            self._graphs.move_to_end((height, width))
            return self._graphs[height, width]

    def _captured(self, height: int, width: int) -> _CudaGraph:
        torch, affine = self._torch, self._network.conditional_affine
        grain = body.grain(*body.cells(height, width))
        with torch.inference_mode():
            length = self._net.width.code_length
            return _CudaGraph(
                torch.zeros((height, width, 3), dtype=torch.uint8, pin_memory=True),
                torch.zeros(length, dtype=self._dtype, pin_memory=True),
                torch.from_numpy(grain).to(self._dtype).pin_memory(),
                self._device,
                lambda pixels, row, own: self._on_device(pixels, row, own, affine),
            )


class _CudaGraph:
    """Paints pictures of one size in a single launch: launching a network this small kernel by
    kernel takes longer than running it. Its buffers are reused: not for two threads at once."""

    def __init__(self, picture: Any, code: Any, grain: Any, device: Any, paint: Any):
        """`picture`, `code` and `grain`, which is at rest, are the pinned buffers to paint from.
        `paint`, from which the graph is captured, gets them on the device."""
        import torch

        self._torch = torch
        self._buffers = (picture, code, grain)
        self._at_rest = grain.numpy().copy()
        self._answer = torch.empty_like(picture, pin_memory=True)
        self._inputs = tuple(buffer.to(device) for buffer in self._buffers)
        aside = torch.cuda.Stream()
        aside.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(aside):  # warm up: what is set up on first use must not be captured
            for _ in range(3):
                paint(*self._inputs)
        torch.cuda.current_stream().wait_stream(aside)
        self._graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(self._graph, capture_error_mode="thread_local"):
            self._painted = paint(*self._inputs)

    def paint(
        self,
        picture: np.ndarray,
        code: np.ndarray,
        grain: np.ndarray | None,
        meanwhile: Callable[[], object] | None,
    ) -> np.ndarray:
        given = (picture, code, self._at_rest if grain is None else grain)
        with self._torch.inference_mode():
            for values, buffer, sent in zip(given, self._buffers, self._inputs, strict=True):
                buffer.numpy()[:] = values
                sent.copy_(buffer, non_blocking=True)
            self._graph.replay()
            self._answer.copy_(self._painted, non_blocking=True)
            if meanwhile:
                meanwhile()
            self._torch.cuda.current_stream().synchronize()
            painted: np.ndarray = self._answer.numpy().copy()
            return painted
