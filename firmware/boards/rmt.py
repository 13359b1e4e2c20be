# The ESP32's pulse generator: the RMT unit sends a list of levels and then rests at the idle one, without the program.

from const import const
from esp32 import RMT
from machine import Pin

_FREQUENCY = const(1_000_000)
# Levels of one long pulse: 32 times 32 ms, and no more, is what holds it.
_HOLD_LEVELS = const(32)
_DURATION_MAX = const(32_767)


class Pulser:
    """Pulses on a pin whose active level is `on`."""

    def __init__(self, pin, on, pulses):
        idle = 1 - on
        self._rmt = RMT(0, pin=Pin(pin), clock_div=RMT.source_freq() // _FREQUENCY, idle_level=bool(idle))
        # Before MicroPython 1.27 it cannot be stopped: what has begun ends by itself.
        self._cancel = getattr(self._rmt, "active", None)
        self._train = (on, idle) * pulses
        self._hold = (on,) * _HOLD_LEVELS
        # The longest list once, all of it idle: from here on nothing has to be allocated for one.
        self._rmt.write_pulses(1, (idle,) * max(len(self._train), len(self._hold)))

    def train(self, half_us):
        self._rmt.write_pulses(half_us, self._train)

    def hold(self, ms):
        """Active for so long, a second at most, then idle, whatever becomes of the program."""
        self._rmt.write_pulses(min(ms * 1_000 // _HOLD_LEVELS, _DURATION_MAX), self._hold)

    def stop(self):
        """Idle now, and nothing left to do."""
        # Stopping what has ended by itself would only reset the unit.
        if self._cancel is not None and not self._rmt.wait_done():
            self._cancel(False)
