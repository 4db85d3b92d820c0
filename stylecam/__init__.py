"""A live webcam as a moving painting. The public names, each loaded when it is first used."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from stylecam.errors import StylecamError as StylecamError
    from stylecam.style import Style as Style
    from stylecam.style import styles as styles
    from stylecam.stylizer import Stylizer as Stylizer

__version__ = "0.1.0"

_HOMES = {
    "StylecamError": "stylecam.errors",
    "Style": "stylecam.style",
    "styles": "stylecam.style",
    "Stylizer": "stylecam.stylizer",
}
__all__ = ["Style", "StylecamError", "Stylizer", "styles"]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'stylecam' has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)
