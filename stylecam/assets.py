"""Paths of the files that ship with stylecam. Knows their names, not their contents."""

from __future__ import annotations

from pathlib import Path

_PACKAGED = Path(__file__).parent / "assets"
FOLDER = _PACKAGED if _PACKAGED.is_dir() else Path(__file__).parents[1] / "assets"
"""In the package when installed from a wheel, at the top of a checkout otherwise."""

BODY = FOLDER / "body.safetensors"
RANGES = FOLDER / "ranges.safetensors"
ENCODER = FOLDER / "encoder.safetensors"
IDENTITY = FOLDER / "identity.safetensors"
STYLES = FOLDER / "styles"
PORTRAIT = FOLDER / "portrait.jpg"
