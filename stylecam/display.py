"""Tells whether a window can be shown, without asking Qt, which aborts the process if not."""

from __future__ import annotations

import ctypes
import os
import socket
import sys
from pathlib import Path

from stylecam.errors import StylecamError

XCB = "libxcb-cursor.so.0"
"""The library that Qt needs on X11 and that Debian does not install by default."""


def missing() -> str:
    """Why no window can be shown; "" if one can. Raises StylecamError if a library is missing."""
    if sys.platform in ("win32", "darwin") or os.environ.get("QT_QPA_PLATFORM"):
        return ""
    if _wayland_answers():
        return ""
    display = os.environ.get("DISPLAY", "")
    if not display:
        return "there is no display here"
    try:
        if not _answers():
            return f"the display {display} does not answer"
        ctypes.CDLL(XCB)
    except OSError:
        raise StylecamError(
            f"Qt needs {XCB} to open a window; on Debian: sudo apt-get install libxcb-cursor0"
        ) from None
    return ""


def _wayland_answers() -> bool:
    """Whether a compositor answers at WAYLAND_DISPLAY, which may be outdated under su and tmux."""
    name = os.environ.get("WAYLAND_DISPLAY", "")
    with socket.socket(socket.AF_UNIX) as probe:
        try:
            probe.connect(str(Path(os.environ.get("XDG_RUNTIME_DIR", ""), name)))
        except OSError:
            return False
        return True


def _answers() -> bool:
    """Whether an X server answers at DISPLAY, tested with libxcb, through which Qt connects."""
    xcb = ctypes.CDLL("libxcb.so.1")
    xcb.xcb_connect.restype = ctypes.c_void_p
    connection = ctypes.c_void_p(xcb.xcb_connect(None, None))
    failed = xcb.xcb_connection_has_error(connection)
    xcb.xcb_disconnect(connection)
    return not failed
