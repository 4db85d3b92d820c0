"""Turns a live webcam into a moving painting. Public names are imported when first used."""

from __future__ import annotations

import importlib
import os
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from stylecam.errors import StylecamError as StylecamError
    from stylecam.style import Style as Style
    from stylecam.style import styles as styles
    from stylecam.stylizer import Stylizer as Stylizer

__version__ = "0.1.0"

# OpenCV reads these once, when it is first imported. Values the user has set are kept.
for _name, _value in {
    "OPENCV_VIDEOIO_MSMF_ENABLE_HW_TRANSFORMS": "0",  # with "1", Windows takes 4 to 20 s to open
    "OPENCV_AVFOUNDATION_SKIP_AUTH": "1",  # OpenCV's own macOS prompt fails off the main thread
    "OPENCV_VIDEOIO_V4L_SELECT_TIMEOUT": "5",  # seconds until a silent Linux camera counts as lost
    "OPENCV_LOG_LEVEL": "ERROR",  # the sources report the same problems in one line
    "OPENCV_FFMPEG_LOGLEVEL": "-8",
}.items():
    os.environ.setdefault(_name, _value)

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
