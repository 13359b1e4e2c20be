# A sounding tone on a pin. A pattern ends by itself, at the board's next look at it.

import time

from const import const
from machine import Pin

_SECOND_MS = const(1_000)
_NEVER = const(0x3FFFFFFF)
# Seconds of each pattern (R41): one tone of a second; two of them with a second between.
_SECONDS = (0, 1, 3)


class Tone:
    def __init__(self, given):
        """`given`: the tone of bench.json; None is a bench without one."""
        self._on = 1 if given is None else given["on"]
        self._pin = None if given is None else Pin(given["pin"], Pin.OUT, value=1 - self._on)
        self._seconds = 0
        self._began = 0

    def start(self, pattern):
        if self._pin is None:
            return
        self._seconds = _SECONDS[pattern]
        self._began = time.ticks_ms()
        self.play()
        if self._seconds == 0:
            self._pin.value(1 - self._on)

    def play(self):
        """Sound or be silent, as it is time for; return the milliseconds until that changes."""
        if self._seconds == 0:
            return _NEVER
        ms = time.ticks_diff(time.ticks_ms(), self._began)
        second = ms // _SECOND_MS
        if second >= self._seconds:
            self._seconds = 0
            self._pin.value(1 - self._on)
            return _NEVER
        self._pin.value(1 - self._on if second & 1 else self._on)
        return (second + 1) * _SECOND_MS - ms
