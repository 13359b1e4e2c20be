# Pump time: (day, ms of day) since commissioning. It cannot be set; the calendar is an offset on it.

from const import const

_GAP_MS_MAX = const(0x1FFFFFFF)
DAY_MS = const(86_400_000)
_TICKS_MASK = const(0x3FFFFFFF)


class Clock:
    """Extends a millisecond counter that wraps at 2^30 (12.4 days); update() must be called more often than that."""

    def __init__(self, ticks):
        self._ticks = ticks
        self.day = 0
        self.ms = 0
        self.known = False
        self._offset_days = 0
        self._offset_ms = 0
        self._check = 0
        self._sum = 0

    def resume_at(self, day, ms):
        """Continues from the last time in the journal: time without power does not count."""
        self.day = day
        self.ms = ms
        self._sum = day + ms

    def update(self, ticks):
        """Advances to `ticks`; returns the milliseconds since the last call."""
        passed = (ticks - self._ticks) & _TICKS_MASK
        self._ticks = ticks
        left = passed
        while left >= DAY_MS:
            left -= DAY_MS
            self.day += 1
            self._sum += 1
        self.ms += left
        self._sum += left
        if self.ms >= DAY_MS:
            self.ms -= DAY_MS
            self.day += 1
            self._sum -= DAY_MS - 1
        return passed

    def time_intact(self):
        """True if day and ms are the time that passed (see integrity/ram_check.py)."""
        return self.day + self.ms == self._sum

    def offset_intact(self):
        """True if the offset is the one that was set (see integrity/ram_check.py)."""
        return self._offset_days ^ self._offset_ms == self._check

    def ticks(self):
        """The counter at the last update()."""
        return self._ticks

    def set_local_time(self, days, ms):
        """Sets the calendar: days since 2000-01-01, and milliseconds of that day."""
        self.known = True
        self._offset_days = days - self.day
        self._offset_ms = ms - self.ms
        self._check = self._offset_days ^ self._offset_ms

    def local_days(self):
        ms = self.ms + self._offset_ms
        return self.day + self._offset_days + (-1 if ms < 0 else ms // DAY_MS)

    def local_ms(self):
        return (self.ms + self._offset_ms) % DAY_MS


def _earlier(day, ms, age):
    ms -= age
    while ms < 0:
        ms += DAY_MS
        day -= 1
    return day, ms


def between(day, ms, later_day, later_ms):
    """Milliseconds from one pump time to a later one, at most 2^29 - 1."""
    days = later_day - day
    if days > 5:
        return _GAP_MS_MAX
    return days * DAY_MS + later_ms - ms
