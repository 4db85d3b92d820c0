"""All defaults, in one place, and the user's settings on disk. Knows no Qt and no network.

Of devices it knows only the names. The CLI and the window take their defaults from here. Settings
are frozen: a change is a new object.
"""

from __future__ import annotations

import dataclasses
import json
import logging
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from math import inf
from pathlib import Path
from typing import Any

import platformdirs

from stylecam.errors import SettingsError
from stylecam.files import replacing

log = logging.getLogger(__name__)

DEFAULT_STYLE = "starry-night"
DEMO_RECORDING = "stylecam-demo.mp4"
DEVICES = ("auto", "cpu", "torch", "cuda", "mps")
"""Where the network may run: `cpu` is OpenVINO, `torch` is torch on the CPU."""


@dataclass(frozen=True)
class Look:
    """How a frame is painted."""

    style: Mapping[str, float] = field(default_factory=lambda: {DEFAULT_STYLE: 1.0})
    """Style names and their shares of the blend."""
    strength: float = 1.0
    """0 is the photo, 1 the full style."""
    stroke: float = 0.5
    """The size of the brushwork, from 0 (fine) to 1 (coarse)."""
    preserve_color: bool = False
    """Keep the photo's colours and take only the brushwork."""
    steadiness: float = 0.7
    """How firmly brushwork is held, so that it does not flicker where the scene is still, without
    lagging where it moves: 0 is the bare network, 1 the firmest."""

    def __post_init__(self) -> None:
        for name in ("strength", "stroke", "steadiness"):
            if not 0 <= (value := getattr(self, name)) <= 1:
                raise SettingsError(f"expected a {name} from 0 to 1, got {value}")
        shares = list(self.style.values())
        if not all(isinstance(n, int | float) and 0 <= n < inf for n in shares) or not any(shares):
            raise SettingsError(
                f"expected style weights of 0 or more, not all 0, got {dict(self.style)}"
            )


@dataclass(frozen=True)
class Settings:
    """What the app remembers between runs."""

    look: Look = Look()
    source: str = "auto"
    """A camera's index or name, a file, a URL, `demo`, or `auto`: a camera if there is one."""
    mirror: bool = True
    """Show cameras as a mirror would; other sources are never mirrored."""
    width: int = 640
    height: int = 480
    rate: float = 30.0
    """Size and frames per second requested from cameras, which may deliver others."""
    adaptive: bool = True
    """Paint less of the live picture if that is needed to hold the source's frame rate."""
    device: str = "auto"
    """Where the network runs: one of DEVICES."""
    folder: str = ""
    """Where recordings and snapshots go; if empty, the user's Videos/stylecam."""

    def __post_init__(self) -> None:
        if (self.width, self.height) != (Settings.width, Settings.height):
            _check_size(self.width, self.height)
        if not 1 <= self.rate <= 240:
            raise SettingsError(f"expected 1 to 240 frames a second, got {self.rate}")
        if self.device not in DEVICES:
            devices = ", ".join(DEVICES)
            raise SettingsError(f"expected a device of {devices}, got {self.device!r}")

    def changed(self, **new: Any) -> Settings:
        """A copy with some settings replaced, by name. Fields of the look are named directly."""
        of_look = {name: new.pop(name) for name in list(new) if hasattr(self.look, name)}
        return replace(self, look=replace(self.look, **of_look), **new)

    def recordings(self) -> Path:
        """The folder of recordings and snapshots."""
        if self.folder:
            return Path(self.folder).expanduser()
        return Path(platformdirs.user_videos_dir()) / "stylecam"


def parse_size(text: str) -> tuple[int, int]:
    """`640x480` as (640, 480). Raises SettingsError."""
    width, _, height = text.lower().partition("x")
    if not (width.isdecimal() and height.isdecimal()):
        raise SettingsError(f"expected a size like 640x480, got {text!r}")
    size = int(width), int(height)
    _check_size(*size)
    return size


def _check_size(width: int, height: int) -> None:
    from stylecam.frame import LARGEST, SMALLEST  # loads numpy, which defaults do not need

    if not all(SMALLEST <= side <= LARGEST for side in (width, height)):
        raise SettingsError(
            f"expected sides of {SMALLEST} to {LARGEST} pixels, got {width}x{height}"
        )


def settings_path() -> Path:
    """The path of the user's settings."""
    return Path(platformdirs.user_config_dir("stylecam", appauthor=False)) / "settings.json"


def load(path: Path | None = None, tell: Callable[[str], object] = log.warning) -> Settings:
    """The user's settings, with defaults for all that are missing.

    If the file cannot be read, returns the defaults and passes the reason to `tell`. A damaged file
    is renamed to .broken.
    """
    path = path or settings_path()
    try:
        return read(path)
    except SettingsError as error:
        kept = ""
        if not isinstance(error.__cause__, OSError):  # it may be intact, and readable next time
            with suppress(OSError):
                kept = path.replace(path.with_suffix(".broken")).name
                kept = f" (the damaged file is kept as {kept})"
        tell(f"{error}; using the defaults{kept}")
        return Settings()


def read(path: Path) -> Settings:
    """The settings in a file; defaults if there is none. Raises SettingsError if it is damaged or
    cannot be read."""
    try:
        table = json.loads(path.read_text(encoding="utf-8"))
        entries = table.pop("look", {})
        if entries.get("stabilize") is False:  # an older file
            entries.setdefault("steadiness", 0.0)
        look = _known(Look, entries)
        return Settings(**{**_known(Settings, table), "look": Look(**look)})
    except FileNotFoundError:
        return Settings()
    except (OSError, SettingsError, *_DAMAGE) as error:
        raise SettingsError(f"settings in {path} are unreadable ({error})") from error


def save(settings: Settings, path: Path | None = None) -> None:
    """Writes the settings; the old file stays until the new one is complete. An old file that
    cannot be read is not replaced, since it may hold other settings. Raises SettingsError."""
    path = path or settings_path()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with suppress(FileNotFoundError):
            path.open("rb").close()
        with replacing(path) as beside:
            beside.touch(0o600)  # a camera's address may hold its password
            text = json.dumps(dataclasses.asdict(settings), indent=1)
            beside.write_text(text + "\n", encoding="utf-8")
    except OSError as error:
        raise SettingsError(f"cannot save settings to {path}: {error.strerror}") from None


_DAMAGE = (ValueError, TypeError, AttributeError, OverflowError, RecursionError)
"""What reading raises if a file is not JSON, or holds something other than settings."""


def _known(kind: type, table: dict[str, Any]) -> dict[str, Any]:
    """The entries that are fields of `kind` and valid. Others are ignored, so that files of older
    and newer versions load."""
    default, found = kind(), {}
    for entry in dataclasses.fields(kind):
        wanted, value = type(getattr(default, entry.name)), table.get(entry.name)
        if type(value) is int and wanted is float:
            value = float(value)
        if type(value) is not wanted:
            continue
        try:
            replace(default, **{entry.name: value})
        except SettingsError as error:
            log.warning("ignoring a setting: %s", error)
        else:
            found[entry.name] = value
    return found
