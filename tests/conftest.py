"""What several tests need: the library of styles, a real photo, a home that is nobody's."""

import os

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

import numpy as np
import pytest

from stylecam import assets, cache, style
from stylecam.live import PACE
from stylecam.video.picture import read_picture


@pytest.fixture(autouse=True)
def home(tmp_path_factory, monkeypatch):
    """Settings, caches and recordings of a test go to a folder of its own; compiled networks are
    shared, since compiling takes longer than any test. How fast they ran is forgotten."""
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
    """The portrait, uint8 RGB (288, 352, 3) of it: a face and its surroundings."""
    return np.ascontiguousarray(read_picture(assets.PORTRAIT)[0:288, 80:432])
