"""One frame in, one stylized frame out, with memory. Knows nothing about threads or windows."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace

import cv2
import numpy as np

from stylecam import engine
from stylecam.errors import StyleError
from stylecam.frame import Frame, check_pixels
from stylecam.grain import Grain
from stylecam.settings import DEFAULT_STYLE, Look, Settings
from stylecam.stabilizer import Stabilizer
from stylecam.stream import Stream
from stylecam.style import Style, blend, find, identity, strengthen

StyleChoice = str | Style | Mapping[str, float]
"""A name, a style, or names with their weights in a blend."""


class Stylizer:
    """Paints frames of a stream, one by one, in a style that may change between any two.

    >>> stylizer = Stylizer(style="great-wave")
    >>> painted = stylizer(frame)       # uint8 RGB (H, W, 3), H and W of 32 to 8192, same shape out
    >>> stylizer.style = {"great-wave": 0.5, "the-scream": 0.5}

    Not for two threads at once. `stabilize=False` is a steadiness of 0. `device` is one of
    `settings.DEVICES`; `description` says what was chosen. Raises EngineError if the device is not
    available, UnknownStyle or StyleError if the style cannot be used, and StyleError for a
    strength, stroke or steadiness outside 0 to 1.
    """

    def __init__(
        self,
        style: StyleChoice = DEFAULT_STYLE,
        device: str = Settings.device,
        stabilize: bool = True,
        strength: float = Look.strength,
        preserve_color: bool = Look.preserve_color,
        steadiness: float = Look.steadiness,
        stroke: float = Look.stroke,
    ):
        self._engine = engine.open_engine(device)
        self._stream = Stream(self._engine)
        self._stabilizer = Stabilizer()
        self._grain = Grain()
        self._painted_code: np.ndarray | None = None
        self.description = self._engine.description
        self.steadiness = steadiness if stabilize else 0.0
        self.preserve_color = preserve_color
        self._strength = strength
        self._stroke = stroke
        self._scale = 1.0
        self.style = style

    @property
    def style(self) -> StyleChoice:
        """The style, in the form in which it was given."""
        return self._style

    @style.setter
    def style(self, choice: StyleChoice) -> None:
        self._recode(choice, self._stroke, self._strength)

    @property
    def strength(self) -> float:
        """0 is the photo, 1 the full style. It interpolates between codes, not between pictures."""
        return self._strength

    @strength.setter
    def strength(self, strength: float) -> None:
        self._recode(self._style, self._stroke, strength)

    @property
    def stroke(self) -> float:
        """The size of the brushwork: 0 is fine, 1 coarse."""
        return self._stroke

    @stroke.setter
    def stroke(self, stroke: float) -> None:
        self._recode(self._style, stroke, self._strength)

    @property
    def scale(self) -> float:
        """Ratio of the sides that are painted to those at which paintings will be shown. Strokes
        are painted as much finer, as far as possible, so that they appear in the size asked for."""
        return self._scale

    @scale.setter
    def scale(self, scale: float) -> None:
        if scale != self._scale:
            self._scale = scale
            self._recode(self._style, self._stroke, self._strength)

    def _recode(self, choice: StyleChoice, stroke: float, strength: float) -> None:
        """Sets all that determines the code. If any of it raises StyleError, nothing is changed."""
        code = _code(choice, stroke)  # so that errors name the stroke asked for, not the scaled one
        if self._scale != 1:  # coarse strokes are twice as large as fine ones
            code = _code(choice, max(0.0, stroke + float(np.log2(self._scale))))
        code = strengthen(code, _fitting(identity()).fine, strength)
        self._style, self._stroke, self._strength, self._code = choice, stroke, strength, code

    @property
    def steadiness(self) -> float:
        """How firmly brushwork is held: 0 is the bare network, 1 the firmest."""
        return self._steadiness

    @steadiness.setter
    def steadiness(self, steadiness: float) -> None:
        if not 0 <= steadiness <= 1:
            raise StyleError(f"expected a steadiness from 0 to 1, got {steadiness}")
        self._steadiness = steadiness

    def apply(self, look: Look) -> None:
        """Sets a whole look; takes no time if it is the last one."""
        asked = (look.style, look.stroke, look.strength)
        if asked != (self._style, self._stroke, self._strength):
            self._recode(*asked)
        self.steadiness = look.steadiness
        self.preserve_color = look.preserve_color

    def __call__(self, pixels: np.ndarray) -> np.ndarray:
        """Paints a frame: uint8 RGB (H, W, 3) in and out. Raises FrameError."""
        pixels = check_pixels(pixels)
        return self._colored(pixels, self._paint(pixels))

    def _paint(self, pixels: np.ndarray) -> np.ndarray:
        change = _change(self._painted_code, self._code)
        self._painted_code = self._code
        moved = self._stabilizer.follow(pixels, self._steadiness, change)
        grain = self._grain.carried(moved, pixels.shape[:2])
        meanwhile = self._stabilizer.prepare
        return self._stabilizer.steady(self._stream.paint(pixels, self._code, grain, meanwhile))

    def _colored(self, photo: np.ndarray, painted: np.ndarray) -> np.ndarray:
        return with_colors_of(photo, painted) if self.preserve_color else painted

    def carry(self, pixels: np.ndarray) -> np.ndarray | None:
        """The last painting warped to what this frame shows: uint8 RGB (H, W, 3), in a quarter of
        the time that a new one takes. None if only a new one will do: for another scene, at
        steadiness 0, or after more than a small change of style. The stream's memory is not
        changed. Raises FrameError."""
        pixels = check_pixels(pixels)
        if self._steadiness == 0:
            return None
        carried = self._stabilizer.carry(pixels, _change(self._painted_code, self._code))
        return None if carried is None else self._colored(pixels, carried)

    def film(self, frames: Iterable[Frame]) -> Iterator[Frame]:
        """Paints a stream whose future is known, such as a file: each frame is also steadied by the
        next one. Raises FrameError."""
        last: tuple[Frame, np.ndarray, np.ndarray] | None = None
        for frame in frames:
            painted = self._paint(check_pixels(frame.pixels))
            if last is not None:
                before, steadied, code = last
                change = _change(code, self._code)
                agreed = self._stabilizer.agree(before.pixels, steadied, change)
                yield replace(before, pixels=self._colored(before.pixels, agreed))
            last = frame, painted, self._code
        if last is not None:
            yield replace(last[0], pixels=self._colored(last[0].pixels, last[1]))

    def still(self, pixels: np.ndarray) -> np.ndarray:
        """Paints a picture that belongs to no stream, as exactly as the engine can. The stream's
        memory is not changed. uint8 RGB (H, W, 3) in and out. Raises FrameError."""
        return self._colored(pixels, self._engine.paint(pixels, self._code))

    def prepare(self, size: tuple[int, int]) -> None:
        """Makes sure that the first frame of a (height, width) will not be delayed. May run on
        another thread while frames are painted."""
        self._engine.prepare(*size)

    def reset(self) -> None:
        """Forgets the past, as at a cut."""
        self._stream.reset()
        self._stabilizer.reset()
        self._grain.reset()


def with_colors_of(photo: np.ndarray, painted: np.ndarray) -> np.ndarray:
    """The painting's brightness with the photo's colours, uint8 RGB (Gatys et al. 2016)."""
    colors = cv2.cvtColor(photo, cv2.COLOR_RGB2YCrCb)
    cv2.insertChannel(cv2.cvtColor(painted, cv2.COLOR_RGB2GRAY), colors, 0)
    return cv2.cvtColor(colors, cv2.COLOR_YCrCb2RGB)


def _change(before: np.ndarray | None, now: np.ndarray) -> float:
    """Distance of a code from the one before, as a share of that one's length; 0 without one."""
    if before is None or before is now:
        return 0.0
    return float(np.linalg.norm(now - before) / np.linalg.norm(before))


def _code(choice: StyleChoice, stroke: float) -> np.ndarray:
    if isinstance(choice, str):
        return _fitting(find(choice)).at(stroke)
    if isinstance(choice, Style):
        return _fitting(choice).at(stroke)
    if isinstance(choice, Mapping):
        return blend({_fitting(find(name)): w for name, w in choice.items()}, stroke)
    raise StyleError(f"expected a style's name, a Style or weights, got {type(choice).__name__}")


def _fitting(chosen: Style) -> Style:
    chosen.fits(engine.body_id(), len(identity().fine))
    return chosen
