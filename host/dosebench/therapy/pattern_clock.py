"""The local time of day by which a flex pattern goes.

It is pump-local and set by a person. When the clock is set by up to 12 hours while it is known, the pattern does not
jump: it runs at twice the speed while it is behind the calendar and at half the speed while it is ahead, so that each
step of a day comes exactly once and in order (R65). A larger difference is a correction of the date, and is taken at
once. The pump's time has whole milliseconds; the speed of each is decided at its beginning.
"""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Final

from dosebench.base.units import DAY_MS, HOUR_MS

SLEW_MAX_MS: Final = 12 * HOUR_MS
"""Largest difference to a newly set calendar that the pattern makes good by its speed, in ms."""

SATURDAY: Final = 5
"""Weekday of day 0 of the calendar, 2000-01-01; Monday is 0."""


class PatternClock:
    """`at_ms` is its time in ms since 2000-01-01 00:00 local; `lag_ms` is how far the calendar is ahead of it."""

    def __init__(self) -> None:
        self.known = False
        self.at_ms = Fraction(0)
        self.lag_ms = Fraction(0)

    def set_calendar(self, local_days: int, local_ms: int) -> None:
        """The calendar shows `local_ms` of day `local_days` since 2000-01-01."""
        calendar = Fraction(local_days * DAY_MS + local_ms)
        self.lag_ms = calendar - self.at_ms
        if not self.known or abs(self.lag_ms) > SLEW_MAX_MS:
            self.at_ms, self.lag_ms = calendar, Fraction(0)
        self.known = True

    def lose_time(self) -> None:
        """A reset: the time is unknown until somebody sets it."""
        self.known = False
        self.lag_ms = Fraction(0)

    @property
    def weekday(self) -> int:
        """Weekday of the pattern, Monday is 0."""
        return int(self.at_ms // DAY_MS + SATURDAY) % 7

    @property
    def day_ms(self) -> Fraction:
        """Time of day of the pattern."""
        return self.at_ms % DAY_MS

    @property
    def speed(self) -> Fraction:
        """Pattern time per pump time."""
        if self.lag_ms > 0:
            return Fraction(2)
        return Fraction(1, 2) if self.lag_ms < 0 else Fraction(1)

    def pass_time(self, ms: int) -> None:
        """Let `ms` of pump time pass, at most `steady_ms` of it."""
        speed = self.speed
        self.at_ms += speed * ms
        self.lag_ms += (1 - speed) * ms

    def steady_ms(self) -> int | None:
        """Whole milliseconds for which the speed stays as it is; None for ever."""
        return math.ceil(self.lag_ms / (self.speed - 1)) if self.lag_ms else None

    def ms_until(self, day_ms: int) -> int:
        """Whole milliseconds until the time of day has reached `day_ms`, which is later today, at the present speed."""
        return math.ceil((day_ms - self.day_ms) / self.speed)
