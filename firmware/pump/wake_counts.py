# WakeCounts since the boot, by cause: they take most of the battery's energy.

from array import array

from const import const

# Causes, in the order of the `counters` message.
DELIVERY = const(0)
SENSORS = const(1)
WATCHDOG = const(2)
LINK = const(3)
OTHER = const(4)
_CAUSES = const(5)
_MINUTE_MS = const(60_000)


class WakeCounts:
    """Assigns each wake to what was due first, or to the link if a byte came before that."""

    def __init__(self):
        self.by_cause = array("i", [0] * _CAUSES)
        self.up_minutes = 0
        self._ms = 0
        self._cause = OTHER
        self.asked_ms = 0

    def record_sleep(self, ms, cause):
        """Stores that the pump sleeps for `ms` because of `cause`; returns `ms`."""
        self.asked_ms = ms
        self._cause = cause
        return ms

    def count_wake(self, passed):
        """Counts a wake after `passed` ms."""
        self.by_cause[LINK if passed < self.asked_ms else self._cause] += 1
        self._ms += passed
        while self._ms >= _MINUTE_MS:
            self._ms -= _MINUTE_MS
            self.up_minutes += 1
