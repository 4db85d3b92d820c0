"""Where the files that come with stylecam lie. Knows names, not contents."""

from __future__ import annotations

from pathlib import Path

_PACKAGED = Path(__file__).parent / "assets"
FOLDER = _PACKAGED if _PACKAGED.is_dir() else Path(__file__).parents[1] / "assets"
"""Inside the wheel, or at the top of a checkout."""

BODY = FOLDER / "body.safetensors"
RANGES = FOLDER / "ranges.safetensors"
ENCODER = FOLDER / "encoder.safetensors"
IDENTITY = FOLDER / "identity.safetensors"
STYLES = FOLDER / "styles"
PORTRAIT = FOLDER / "portrait.jpg"
