"""Measures the input ranges of a body's convolutions, for int8. Trains and rounds nothing."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import product

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from stylecam import body, network

OUTLIERS = 0.005
"""Share of the values cut off at either end, so that the rest is rounded more finely."""

BYTES = np.array([[0] * 3, [255] * 3], np.float32)
"""Least and greatest input of the first convolution, which sees a picture's bytes, (2, 3)."""


def chart(height: int, width: int) -> np.ndarray:
    """Returns large patches of black, white and the most vivid colours, uint8 RGB (height, width,
    3): values that photos may lack, but a stage light or a jersey may have."""
    corners = np.array(list(product((0, 255), repeat=3)), np.uint8).reshape(2, 4, 3)
    return cv2.resize(corners, (width, height), interpolation=cv2.INTER_NEAREST)


@torch.no_grad()
def ranges(
    folded: body.Weights, pictures: Sequence[Tensor], codes: Iterable[np.ndarray]
) -> body.Weights:
    """Returns the least and greatest value of each input channel over all pictures and codes,
    without OUTLIERS, as float32 (2, C) by the name of each convolution. The pictures are
    (1, 3, H, W) RGB in [0, 1]."""
    net = network.folded(folded)
    inputs: dict[str, Tensor] = {}

    def watch(name: str, conv: nn.Module) -> None:
        conv.register_forward_pre_hook(lambda _, seen: inputs.update({name: seen[0]}))

    for name, module in net.named_modules():
        if isinstance(module, nn.Conv2d) and name != "encoder1.conv":
            watch(name, module)
    found: dict[str, list[np.ndarray]] = {}
    for code, picture in product(codes, pictures):
        top, bottom, left, right = body.padding(*picture.shape[-2:])
        padded = F.pad(picture, (left, right, top, bottom), mode="reflect")
        net.paint(padded, torch.from_numpy(code)[None])
        for name, x in inputs.items():
            values = x[0].flatten(1)
            beyond = max(1, round(OUTLIERS * values.shape[1]))
            least = values.kthvalue(beyond).values
            greatest = values.kthvalue(values.shape[1] + 1 - beyond).values
            found.setdefault(name, []).append(torch.stack([least, greatest]).numpy())
    return {"encoder1.conv": BYTES} | {
        name: np.stack([np.min(pairs, 0)[0], np.max(pairs, 0)[1]]) for name, pairs in found.items()
    }
