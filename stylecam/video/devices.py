"""Lists cameras by name without opening one. Knows neither Qt nor how to read a camera."""

from __future__ import annotations

import importlib
import sys
from dataclasses import dataclass
from pathlib import Path

import cv2

from stylecam.errors import SourceMissing

SYSFS = Path("/sys/class/video4linux")

BACKEND = {"linux": cv2.CAP_V4L2, "win32": cv2.CAP_DSHOW, "darwin": cv2.CAP_AVFOUNDATION}.get(
    sys.platform, cv2.CAP_ANY
)
"""The OpenCV backend that reads cameras here; `Camera.index` is an index in it."""


@dataclass(frozen=True, slots=True)
class Camera:
    """A connected camera. `path` is its device file on Linux, elsewhere whatever the system calls
    it, possibly empty."""

    index: int
    name: str
    path: str


def cameras(sysfs: Path = SYSFS) -> list[Camera]:
    """Returns the connected cameras by ascending index; none is opened, so no camera light goes on.

    Outside Linux, names need the package cv2-enumerate-cameras; without it the list is empty, but
    cameras can still be opened by number.
    """
    if sys.platform == "linux":
        return _linux(sysfs)
    try:
        enumerator = importlib.import_module("cv2_enumerate_cameras")
    except ImportError:
        return []
    found = [Camera(c.index, c.name, c.path or "") for c in enumerator.enumerate_cameras(BACKEND)]
    return sorted(found, key=lambda camera: camera.index)


def _linux(sysfs: Path) -> list[Camera]:
    found = []
    for node in sysfs.glob("video*"):
        number = node.name.removeprefix("video")
        # A camera's other nodes carry metadata, not pictures. It may be unplugged meanwhile.
        try:
            if not number.isdecimal() or (node / "index").read_text().strip() != "0":
                continue
            name = (node / "name").read_text(errors="replace").strip()
        except OSError:
            continue
        found.append(Camera(int(number), name or f"camera {number}", f"/dev/{node.name}"))
    return sorted(found, key=lambda camera: camera.index)


def find_camera(name: str, among: list[Camera]) -> Camera:
    """Returns the camera called `name`, else the only one whose name contains it, ignoring case.

    Raises SourceMissing, with a list of the cameras, if none or several match.
    """
    wanted = name.casefold()
    for fits in (
        [camera for camera in among if camera.name.casefold() == wanted],
        [camera for camera in among if wanted in camera.name.casefold()],
    ):
        if len(fits) == 1:
            return fits[0]
        if fits:
            raise SourceMissing(f"{len(fits)} cameras are called {name!r}; {listing(among)}")
    raise SourceMissing(f"there is no file or camera called {name!r}; {listing(among)}")


def listing(among: list[Camera]) -> str:
    """Returns the choices, as the end of an error message."""
    if not among:
        return "no cameras found; plug one in, give its number, or use demo"
    named = ", ".join(f"{camera.index} ({camera.name})" for camera in among)
    return f"choose a camera by its number: {named}"
