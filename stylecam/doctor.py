"""Checks, item by item, what is installed and works on this machine. Repairs nothing."""

from __future__ import annotations

import importlib.metadata
import platform
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from stylecam import __version__
from stylecam.errors import StylecamError


@dataclass(frozen=True)
class Item:
    """One thing that was checked, whether it is as it should be, and what was found."""

    name: str
    sound: bool
    finding: str


def checkup() -> Iterator[Item]:
    """Checks one thing after another. A check that raises gives an unsound item with the reason."""
    system = f"{platform.system()} {platform.machine()}, Python {platform.python_version()}"
    yield Item("stylecam", True, f"{__version__} on {system}")
    for name, look in _LOOKS.items():
        try:
            yield Item(name, True, look())
        except Exception as error:  # a failing check must not end the others
            yield Item(name, False, str(error) or repr(error))


def _styles() -> str:
    from stylecam import engine, style

    style.identity().fits(engine.body_id(), len(style.identity().fine))
    for path in style.user_folder().glob(f"*{style.SUFFIX}"):
        style.load_fitting(path)
    return f"{len(style.styles())} of body {engine.body_id()}"


def _network() -> str:
    import numpy as np

    from stylecam.stylizer import Stylizer

    stylizer = Stylizer()
    stylizer(np.zeros((32, 32, 3), np.uint8))
    return f"paints on {stylizer.description}"


def _opencv() -> str:
    found = {
        name: importlib.metadata.version(name)
        for flavour in ("", "-contrib")
        for kind in ("", "-headless")
        if _installed(name := f"opencv{flavour}-python{kind}")
    }
    if len(found) > 1:
        raise StylecamError(
            f"{' and '.join(found)} overwrite each other; uninstall all, then "
            "pip install opencv-python-headless"
        )
    if not found:
        raise StylecamError("no OpenCV package is installed; pip install opencv-python-headless")
    return ", ".join(f"{name} {version}" for name, version in found.items())


def _installed(name: str) -> bool:
    try:
        importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return False
    return True


def _recording() -> str:
    import av

    av.Codec("libx264", "w")
    return f"PyAV {av.__version__} with H.264"


def _window() -> str:
    from PyQt6.QtCore import PYQT_VERSION_STR, QT_VERSION_STR
    from PyQt6.QtGui import QImage  # on Linux, fails if a system library is missing

    from stylecam.display import missing

    del QImage
    if why := missing():
        return f"none: {why}"
    return f"PyQt6 {PYQT_VERSION_STR}, Qt {QT_VERSION_STR}"


def _cameras() -> str:
    from stylecam.video.devices import cameras

    return ", ".join(camera.name for camera in cameras()) or "none found; the demo needs none"


def _settings() -> str:
    from stylecam import settings

    settings.read(settings.settings_path())
    return str(settings.settings_path())


_LOOKS: dict[str, Callable[[], str]] = {
    "styles": _styles,
    "network": _network,
    "opencv": _opencv,
    "recording": _recording,
    "window": _window,
    "cameras": _cameras,
    "settings": _settings,
}
