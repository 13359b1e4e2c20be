# The hardware's watchdog under the pump's: its time-out is shorter than the pump's, so it is fed in slices, but never
# once the pump's own deadline has passed, and never from an interrupt.

import time

from const import const
from machine import WDT

# Fed after three quarters of its time-out: what is left, two seconds on RP2040, is five of the slowest erases.
_PARTS = const(4)
_NO_SLICE_MS = const(3_600_000)


class Watchdog:
    """`most_ms`: the longest time-out of the hardware. Once it is armed nothing ends it."""

    def __init__(self, most_ms):
        self._most_ms = most_ms
        self._wdt = None
        self._timeout_ms = 0
        self._deadline = 0
        self._hardware_ms = 0
        self.slice_ms = _NO_SLICE_MS

    def arm(self, ms):
        """From now on the board is reset when this is not called again within `ms`. 0: it was never wanted."""
        if ms == 0:
            return
        self._deadline = time.ticks_add(time.ticks_ms(), ms)
        if ms != self._timeout_ms:
            self._timeout_ms = ms
            hardware_ms = min(ms, self._most_ms)
            self._hardware_ms = hardware_ms
            # With the whole time-out in the hardware, nothing else may feed it.
            self.slice_ms = hardware_ms - hardware_ms // _PARTS if ms > hardware_ms else _NO_SLICE_MS
            self._wdt = WDT(timeout=hardware_ms)
        self._wdt.feed()

    def feed(self):
        """Time passes as it should, in a wait or a step: keep the hardware quiet as long as it still bites in time."""
        if self.slice_ms == _NO_SLICE_MS:
            return
        if time.ticks_diff(self._deadline, time.ticks_ms()) > self._hardware_ms:
            self._wdt.feed()
