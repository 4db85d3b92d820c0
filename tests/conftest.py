"""Shared fixtures: a home folder of its own for each test, the library of styles, a photo."""

import os

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

import numpy as np
import pytest

from stylecam import assets, cache, style
from stylecam.live import PACE
from stylecam.video.picture import read_picture


@pytest.fixture(autouse=True)
def home(tmp_path_factory, monkeypatch):
    """Gives each test its own folder for settings, data and recordings. The cache of compiled
    networks is shared, since compiling takes longer than any test; the remembered pace of the
    machine is deleted from it."""
    home = tmp_path_factory.mktemp("home")
    for name in ("CONFIG", "DATA", "STATE"):
        monkeypatch.setenv(f"XDG_{name}_HOME", str(home / name.lower()))
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.getbasetemp() / "cache"))
    (cache.folder() / f"{PACE}.json").unlink(missing_ok=True)
    return home


@pytest.fixture(scope="session")
def library() -> dict[str, style.Style]:
    return style.styles()


@pytest.fixture(scope="session")
def photo() -> np.ndarray:
    """Part of the portrait, uint8 RGB (288, 352, 3): a face and its surroundings."""
    return np.ascontiguousarray(read_picture(assets.PORTRAIT)[0:288, 80:432])
