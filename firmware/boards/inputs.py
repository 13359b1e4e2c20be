# What a bench reads: counters on pins, voltages, a load cell. Nothing here allocates once it is made.

import time

from const import const
from machine import Pin, disable_irq, enable_irq

_MASK = const(0x3FFFFFFF)
_HX711_BITS = const(24)
_HX711_SIGN = const(0x800000)
# One conversion takes 100 ms at its slow rate.
_HX711_MS_MAX = const(250)


class Pulses:
    """Counts rising edges. The interrupt touches one integer, and nothing else."""

    def __init__(self, pin):
        self._count = 0
        self._pin = Pin(pin, Pin.IN, Pin.PULL_UP)
        self._pin.irq(handler=self._edge, trigger=Pin.IRQ_RISING)

    def _edge(self, _pin):
        self._count += 1

    def value(self):
        return self._count


class Quadrature:
    """Counts both edges of A, up or down by B: a shaft that trembles on an edge counts to and fro and not on."""

    def __init__(self, a, b):
        self._count = 0
        self._b = Pin(b, Pin.IN, Pin.PULL_UP)
        self._a = Pin(a, Pin.IN, Pin.PULL_UP)
        self._a.irq(handler=self._edge, trigger=Pin.IRQ_RISING | Pin.IRQ_FALLING)

    def _edge(self, a):
        self._count += 1 if a.value() != self._b.value() else -1

    def value(self):
        return self._count


class Encoder:
    """Steps of the pump from counts of a shaft."""

    def __init__(self, counter, counts):
        self._counter = counter
        self._counts = counts

    def steps(self):
        # To the nearest: a count more or less at the end of a step is neither a lost step nor one too many.
        return (self._counter.value() + self._counts // 2) // self._counts & _MASK


class Commanded:
    """In place of an encoder: an open loop believes that what was commanded was done."""

    def __init__(self, motor):
        self._motor = motor

    def steps(self):
        return self._motor.made


class Voltage:
    """A channel behind a divider: millivolts at the pump's input. `sample()` reads so many `full` as `full_mv`."""

    def __init__(self, sample, full, full_mv, given):
        self._sample = sample
        self._num = full_mv * given["num"]
        self._den = full * given["den"]
        self._half = self._den // 2
        self._offset_mv = given.get("offset_mv", 0)

    def mv(self):
        return (self._sample() * self._num + self._half) // self._den + self._offset_mv


class LoadCell:
    """An HX711: a scale in the place of an analogue sensor, as the millivolts that it would show."""

    def __init__(self, given):
        self._data = Pin(given["data"], Pin.IN)
        self._clock = Pin(given["clock"], Pin.OUT, value=0)
        self._offset = given["offset"]
        self._num = given["num"]
        self._den = given["den"]
        self._raw = 0
        self._wait()

    def _wait(self):
        left = _HX711_MS_MAX
        while self._data.value() and left:
            time.sleep_ms(1)
            left -= 1

    def mv(self):
        # It converts on its own; between two conversions the last one holds.
        if not self._data.value():
            self._read()
        return (self._raw - self._offset) * self._num // self._den

    def _read(self):
        raw = 0
        left = _HX711_BITS
        while left:
            left -= 1
            raw = raw << 1 | self._bit()
        # The 25th pulse asks for channel A at gain 128 again.
        self._bit()
        self._raw = raw - 2 * _HX711_SIGN if raw & _HX711_SIGN else raw

    def _bit(self):
        # A clock that stays high for 60 us switches it off.
        state = disable_irq()
        self._clock.value(1)
        bit = self._data.value()
        self._clock.value(0)
        enable_irq(state)
        return bit


def counter(given):
    """The counter of an encoder or of a flow meter."""
    if given.get("kind") == "quadrature":
        return Quadrature(given["a"], given["b"])
    return Pulses(given["a"] if "a" in given else given["pin"])
