"""The time stamps of a file as one line that goes on. Knows no packet and no picture."""

from __future__ import annotations

from fractions import Fraction

JUMP_S = Fraction(1, 2)
"""Times that run back by less are out of order, and no new beginning."""


class Timeline:
    """Counts times from `origin`, or else from the first that comes, in seconds.

    Where they begin anew, as in files that were joined, they are taken to go on.
    """

    def __init__(self, origin: Fraction | None = None) -> None:
        self._origin = origin
        self._last: Fraction | None = None

    def passed(self, time_s: Fraction, lasts_s: Fraction) -> Fraction:
        """The time since the origin; `lasts_s` is how long what came before it lasts."""
        if self._origin is None:
            self._origin = time_s
        passed = time_s - self._origin
        if self._last is not None and passed < self._last - JUMP_S:
            passed = self._last + lasts_s
            self._origin = time_s - passed
        self._last = passed
        return passed


class Stamps:
    """Of a frame's two time stamps, that which is in order. Some containers, as AVI, hold none of
    when frames are shown, and what is made up for them runs to and fro (so does FFmpeg choose)."""

    def __init__(self) -> None:
        self._shown: int | None = None
        self._decoded: int | None = None
        self._step = 1
        self._faults = 0
        """How many more stamps of showing than of decoding have been out of order."""

    def best(self, shown: int, decoded: int | None) -> int:
        """`shown`, unless more of those than of the others have been out of order so far."""
        if decoded is None and self._decoded is not None:  # the last frames have none
            decoded = self._decoded + self._step
        self._faults += self._shown is not None and shown <= self._shown
        self._shown = shown
        if decoded is None:
            return shown
        if self._decoded is not None:
            self._faults -= decoded <= self._decoded
            self._step = decoded - self._decoded
        self._decoded = decoded
        return decoded if self._faults > 0 else shown
