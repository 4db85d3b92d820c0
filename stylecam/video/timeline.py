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
