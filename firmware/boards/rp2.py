# Boards with an RP2040 or RP2350: Pico, Pico W, Pico 2.
#
# Stock firmware gives the whole flash to its file system, and formats it anew when that cannot be mounted. So the
# pump's sectors are files, and what must outlast even that lies in nobody's hands but the bench's (docs/MEMORY.md).

import machine
from machine import ADC, Pin
from pump import wire
from pump.wire import const

from boards import settings
from boards.chip import ChipBoard, slot_of
from boards.inputs import Voltage
from boards.pio import Pulser
from boards.segments import Segments

NAME = "rp2"
# Of its 24-bit counter on RP2040; RP2350 would take twice as much.
WATCHDOG_MS = const(8_388)
_ADC_MAX = const(4_095)
_ADC_MV = const(3_300)

__all__ = ("NAME", "WATCHDOG_MS", "Pulser", "board", "flash", "reset_cause", "voltage")


class _Samples:
    """The converter's own twelve bits: of sixteen, products would pass 2^30."""

    def __init__(self, pin):
        self._adc = ADC(Pin(pin))

    def sample(self):
        return self._adc.read_u16() >> 4


def voltage(given):
    return Voltage(_Samples(given["pin"]).sample, _ADC_MAX, _ADC_MV, given)


def reset_cause():
    # A bite and a reset by software look the same here; a brown-out looks like power-on.
    return wire.RESET_CAUSE_WATCHDOG if machine.reset_cause() == machine.WDT_RESET else wire.RESET_CAUSE_POWER_ON


def flash(_storage):
    return Segments(settings.ROOT + "/flash")


def board(slot=None, code=None):
    """`slot`: where the settings lie; `code`: where the code lies, when it is not there."""
    slot = slot or slot_of(__file__)
    return ChipBoard(__import__("boards.rp2").rp2, slot, code or slot)
