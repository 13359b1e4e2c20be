# Boards with an RP2040 or RP2350: Pico, Pico W, Pico 2.
#
# Stock firmware gives the whole flash to its file system, and formats it anew when that cannot be mounted. So the
# pump's sectors are files, and what must outlast even that lies in nobody's hands but the bench's (docs/MEMORY.md).

import machine
from const import const
from machine import ADC, Pin
from pump import wire

from boards import settings
from boards.chip import ChipBoard, slot_of
from boards.inputs import Voltage
from boards.pio import Pulser
from boards.segments import Segments

# Of the 24-bit counter of an RP2040; an RP2350's would take twice as much.
_WATCHDOG_MS = const(8_388)
_ADC_MAX = const(4_095)
_ADC_MV = const(3_300)


class Samples:
    """The converter's own twelve bits: of sixteen, products would pass 2^30."""

    def __init__(self, pin):
        self._adc = ADC(Pin(pin))

    def sample(self):
        return self._adc.read_u16() >> 4


class Board(ChipBoard):
    name = "rp2"
    watchdog_ms_max = _WATCHDOG_MS
    pulser = Pulser

    def voltage(self, given):
        return Voltage(Samples(given["pin"]).sample, _ADC_MAX, _ADC_MV, given)

    def why_reset(self):
        # A bite and a reset by software look the same here; a brown-out looks like power-on.
        bitten = machine.reset_cause() == machine.WDT_RESET
        return wire.RESET_CAUSE_WATCHDOG if bitten else wire.RESET_CAUSE_POWER_ON

    def storage(self, _given):
        return Segments(settings.ROOT + "/flash")


def board(slot=None, code=None):
    """`slot`: where the settings lie; `code`: where the code lies, when it is not there."""
    slot = slot or slot_of(__file__)
    return Board(slot, code or slot)
