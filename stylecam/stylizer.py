"""One frame in, one stylized frame out, remembering the last. Knows no thread and no window."""

from __future__ import annotations

from collections.abc import Mapping

import cv2
import numpy as np

from stylecam import engine
from stylecam.errors import StyleError
from stylecam.frame import check_pixels
from stylecam.settings import DEFAULT_STYLE, Look
from stylecam.stabilizer import Stabilizer
from stylecam.stream import Stream
from stylecam.style import Style, blend, find, identity, strengthen

StyleChoice = str | Style | Mapping[str, float]
"""A name, a style, or names with their shares of a blend."""


class Stylizer:
    """Paints frames of a stream, one by one, in a style that may change between any two.

    >>> stylizer = Stylizer(style="great-wave")
    >>> painted = stylizer(frame)       # uint8 RGB (H, W, 3), any H and W ≥ 32, same shape out
    >>> stylizer.style = {"great-wave": 0.5, "the-scream": 0.5}

    Not for two threads at once. `device` is one of `engine.DEVICES`; `description` says what was
    chosen.
    """

    def __init__(
        self,
        style: StyleChoice = DEFAULT_STYLE,
        device: str = "auto",
        stabilize: bool = Look.stabilize,
        strength: float = Look.strength,
        preserve_color: bool = Look.preserve_color,
    ):
        chosen = engine.open_engine(device)
        self._stream = Stream(chosen)
        self._stabilizer = Stabilizer()
        self.description = chosen.description
        self.stabilize = stabilize
        self.preserve_color = preserve_color
        self._strength = strength
        self.style = style

    @property
    def style(self) -> StyleChoice:
        return self._style

    @style.setter
    def style(self, choice: StyleChoice) -> None:
        self._style_code = _code(choice)
        self._style = choice
        self.strength = self._strength

    @property
    def strength(self) -> float:
        """0 is the photo, 1 the full style: the way between two codes, not between two pictures."""
        return self._strength

    @strength.setter
    def strength(self, strength: float) -> None:
        self._code = strengthen(self._style_code, _fitting(identity()).code, strength)
        self._strength = strength
        self.reset()  # the last picture was in another style; a fade is smooth by itself

    def apply(self, look: Look) -> None:
        """Takes over a whole look; costs nothing where it is the last one."""
        if look.style != self._style:
            self.style = look.style
        if look.strength != self._strength:
            self.strength = look.strength
        if look.stabilize != self.stabilize:
            self.stabilize = look.stabilize
            self.reset()
        self.preserve_color = look.preserve_color

    def __call__(self, pixels: np.ndarray) -> np.ndarray:
        """The painted frame: uint8 RGB (H, W, 3) of the same shape. Raises FrameError."""
        pixels = check_pixels(pixels)
        painted = self._stream.paint(pixels, self._code)
        if self.stabilize:
            painted = self._stabilizer(pixels, painted)
        return with_colors_of(pixels, painted) if self.preserve_color else painted

    def reset(self) -> None:
        """Forgets the past, as at a cut."""
        self._stream.reset()
        self._stabilizer.reset()


def with_colors_of(photo: np.ndarray, painted: np.ndarray) -> np.ndarray:
    """The painting's brightness under the photo's colours, uint8 RGB (Gatys et al. 2016)."""
    colors = cv2.cvtColor(photo, cv2.COLOR_RGB2YCrCb)
    cv2.insertChannel(cv2.cvtColor(painted, cv2.COLOR_RGB2GRAY), colors, 0)
    return cv2.cvtColor(colors, cv2.COLOR_YCrCb2RGB)


def _code(choice: StyleChoice) -> np.ndarray:
    if isinstance(choice, str):
        return _fitting(find(choice)).code
    if isinstance(choice, Style):
        return _fitting(choice).code
    if isinstance(choice, Mapping):
        return blend({_fitting(find(name)): w for name, w in choice.items()})
    raise StyleError(f"expected a style's name, a Style or weights, got {type(choice).__name__}")


def _fitting(chosen: Style) -> Style:
    chosen.fits(engine.body_id(), len(identity().code))
    return chosen
