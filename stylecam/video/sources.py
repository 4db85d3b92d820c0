"""The contract of all frame sources, and which source a user's word stands for. Reads no frames."""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path
from typing import Protocol

from stylecam.errors import SourceMissing
from stylecam.frame import Frame
from stylecam.settings import Settings
from stylecam.video.camera import CameraSource, UrlSource
from stylecam.video.demo import DemoSource
from stylecam.video.devices import cameras, find_camera
from stylecam.video.media import FileSource, PictureSource
from stylecam.video.picture import is_picture


class Source(Protocol):
    """A source of frames. Nothing is opened before `frames` is iterated.

    `name`: what a user would call it. `live`: frames come at their own pace and `time_s` is
    `time.monotonic()` at capture; otherwise they come as fast as asked for, `time_s` counts from 0,
    and whoever shows them must pace them. `mirrored`: people expect to see themselves as in a
    mirror; the source itself never mirrors. `rate`: nominal frames per second, or UNKNOWN_RATE; for
    devices and files it is exact only once a frame has come.
    """

    @property
    def name(self) -> str: ...
    @property
    def live(self) -> bool: ...
    @property
    def mirrored(self) -> bool: ...
    @property
    def rate(self) -> float: ...

    def frames(self) -> Generator[Frame, None, None]:
        """Opens the source in the iterating thread, and releases it when that ends or is closed.

        The receiver owns the pixels of each frame. Raises SourceMissing, SourceBusy, SourceLost or
        SourceError, with one line that says what to do.
        """
        ...


def open_source(
    spec: str,
    *,
    size: tuple[int, int] = (Settings.width, Settings.height),
    rate: float = Settings.rate,
    loop: bool = False,
) -> Source:
    """Returns the source that a user's word stands for.

    `demo`; a camera's number or device file; an address with ://; a picture or video that exists;
    else a camera by its name or part of it. `auto`: the first camera, else the demo. `size`
    (width, height) and `rate` are for cameras and the demo, `rate` for pictures too, `loop` for
    files. Raises SourceMissing if it is none of these, listing the cameras if it may be a camera's
    name.
    """
    if spec == "auto":
        found = cameras()
        spec = str(found[0].index) if found else "demo"
    if spec == "demo":
        return DemoSource(size, rate)
    if spec.isdecimal():
        return CameraSource(int(spec), size, rate)
    if "://" in spec:
        return UrlSource(spec)
    try:
        path = Path(spec).expanduser()
        if path.is_char_device():
            return CameraSource(str(path), size, rate)
        if path.is_file():
            return PictureSource(path, rate, loop) if is_picture(path) else FileSource(path, loop)
        if path.is_dir():
            raise SourceMissing(f"{spec} is a folder; name a video or a picture in it")
    except (OSError, RuntimeError, ValueError) as error:  # no such user, name too long, NUL
        raise SourceMissing(f"there is no file {spec[:80]!r} ({error})") from None
    found = cameras()
    if path.name != spec and not any(spec.casefold() in each.name.casefold() for each in found):
        raise SourceMissing(f"there is no file {spec}")  # though camera names may hold a slash
    return CameraSource(find_camera(spec, found).index, size, rate)
