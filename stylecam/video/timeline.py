"""Makes one continuous timeline of a file's time stamps. Knows no packet and no picture."""

from __future__ import annotations

from fractions import Fraction

JUMP_S = Fraction(1, 2)
"""Time stamps that go back by less are out of order; by more, they start anew."""


class Timeline:
    """Counts times in seconds from `origin` or, without one, from the first that comes.

    Where time stamps start anew, as in joined files, the timeline goes on.
    """

    def __init__(self, origin: Fraction | None = None) -> None:
        self._origin = origin
        self._last: Fraction | None = None

    def passed(self, time_s: Fraction, lasts_s: Fraction) -> Fraction:
        """Returns the time since the origin; `lasts_s` is the duration of what came before it."""
        if self._origin is None:
            self._origin = time_s
        passed = time_s - self._origin
        if self._last is not None and passed < self._last - JUMP_S:
            passed = self._last + lasts_s
            self._origin = time_s - passed
        self._last = passed
        return passed


class Stamps:
    """Chooses, of a frame's two time stamps, the one that is in order. Some containers, such as
    AVI, store no presentation times, and those made up for them jump back and forth. (FFmpeg
    chooses in the same way.)"""

    def __init__(self) -> None:
        self._shown: int | None = None
        self._decoded: int | None = None
        self._step = 1
        self._faults = 0
        """How many more presentation times than decoding times have been out of order."""

    def best(self, shown: int, decoded: int | None) -> int:
        """Returns `shown`, unless more of those than of `decoded` have been out of order so far."""
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
