"""The perceptual encoder: frozen VGG16 features that losses compare. Knows no loss and no style.

The weights are the VGG16 backbone of an edge-detection network (Xie & Tu 2015), because no package
ships an ImageNet VGG16; for style transfer they work as well. The features are sparse and scaled
differently from torchvision's, so every loss on them is relative.
"""

from __future__ import annotations

from pathlib import Path

import torch
import torch.nn.functional as F
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from stylecam.errors import TrainingError

LAYERS = ("relu1_2", "relu2_2", "relu3_3", "relu4_1")
"""The layers that losses see, from fine to coarse."""

_BLOCKS = {1: 2, 2: 2, 3: 3, 4: 1}
_MEAN_BGR = (104.00698793, 116.66876762, 122.67891434)


class Encoder(nn.Module):
    """VGG16 up to relu4_1 with average pooling; its file decides how many channels it has.

    It can look at a picture in several octaves, each half the size of the one before, so that
    structures larger than its receptive fields count too (Snelgrove 2017, SIGGRAPH Asia).
    """

    mean: Tensor
    channels: tuple[int, ...]
    """Channels of the features of LAYERS."""

    def __init__(
        self, weights: dict[str, Tensor], dtype: torch.dtype = torch.float32, octaves: int = 1
    ):
        super().__init__()
        self.octaves = octaves
        for block, convs in _BLOCKS.items():
            for i in range(1, convs + 1):
                name = f"conv{block}_{i}"
                kernel = weights[f"{name}.weight"]
                conv = nn.Conv2d(kernel.shape[1], kernel.shape[0], 3, padding=1)
                conv.load_state_dict({"weight": kernel, "bias": weights[f"{name}.bias"]})
                self.add_module(name, conv)
        self.channels = tuple(len(weights[f"conv{name[4:]}.bias"]) for name in LAYERS)
        self.dtype = dtype
        self.to(dtype).to(memory_format=torch.channels_last).requires_grad_(False).eval()
        self.register_buffer("mean", torch.tensor(_MEAN_BGR).view(1, 3, 1, 1))  # stays float32

    def forward(self, image: Tensor) -> tuple[Tensor, ...]:
        """Maps (N, 3, H, W) RGB in [0, 1] to the features of LAYERS, each (N, C, H / 2^k, W / 2^k),
        followed by those of any further octaves."""
        features: list[Tensor] = []
        for octave in range(self.octaves):
            features += self._layers(F.avg_pool2d(image, 2**octave))
        return tuple(features)

    def _layers(self, image: Tensor) -> list[Tensor]:
        x = (image.flip(1) * 255 - self.mean).to(self.dtype, memory_format=torch.channels_last)
        features = []
        for block, convs in _BLOCKS.items():
            if block > 1:
                x = F.avg_pool2d(x, 2)
            for i in range(1, convs + 1):
                x = F.relu(self.get_submodule(f"conv{block}_{i}")(x))
            features.append(x)
        return features


def load_encoder(path: Path, dtype: torch.dtype = torch.float32, octaves: int = 1) -> Encoder:
    """Loads an encoder from a safetensors file of conv{block}_{i}.weight and .bias. Raises
    TrainingError."""
    try:
        weights = {name: value.float() for name, value in load_file(path).items()}
        return Encoder(weights, dtype, octaves)
    except FileNotFoundError:
        raise TrainingError(f"no encoder at {path}") from None
    except (OSError, SafetensorError, KeyError) as error:
        raise TrainingError(f"{path} is not an encoder ({error!r})") from None
