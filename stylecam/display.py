"""Whether a window could be seen here, found out before Qt is asked, which aborts where not."""

from __future__ import annotations

import ctypes
import os
import re
import socket
import sys
from pathlib import Path

from stylecam.errors import StylecamError

XCB = "libxcb-cursor.so.0"
"""The library that Qt needs on X11 and Debian does not install by itself."""


def missing() -> str:
    """Why no window can be seen here; empty if one can. StylecamError if a library is missing."""
    if sys.platform in ("win32", "darwin") or os.environ.get("QT_QPA_PLATFORM"):
        return ""
    if os.environ.get("WAYLAND_DISPLAY"):
        return ""
    display = os.environ.get("DISPLAY", "")
    if not display:
        return "there is no display here"
    if not _answers(display):
        return f"the display {display} does not answer"
    try:
        ctypes.CDLL(XCB)
    except OSError:
        raise StylecamError(
            f"Qt needs {XCB} to open a window; on Debian: sudo apt-get install libxcb-cursor0"
        ) from None
    return ""


def _answers(display: str) -> bool:
    """Whether a local X server listens; remote ones are taken at their word."""
    local = re.fullmatch(r"(?:unix)?:(\d+)(?:\.\d+)?", display)
    if not local:
        return True
    place = str(Path("/tmp/.X11-unix") / f"X{local[1]}")
    for address in (place, f"\0{place}"):  # a file, or Linux's abstract name
        with socket.socket(socket.AF_UNIX) as client:
            if client.connect_ex(address) == 0:
                return True
    return False
