# Boards with an ESP32, S2, S3, C3 or C6.
#
# A partition of its own, where the flash has one, holds the pump's sectors as they are; else they are files.

import machine
from const import const
from esp32 import Partition
from machine import ADC, Pin
from pump import wire

from boards import settings
from boards.chip import ChipBoard, slot_of
from boards.inputs import Voltage
from boards.rmt import Pulser
from boards.segments import Segments

# The task watchdog takes any time-out; an hour is longer than any pump's.
_WATCHDOG_MS = const(3_600_000)
_SECTOR_BYTES = const(4_096)
_ERASE = const(6)
_UV_A_MV = const(1_000)


class Ring:
    """The flash contract on a partition. What the flash does not take is seen by whoever reads it back."""

    def __init__(self, label):
        self._partition = Partition(label)

    def read(self, address, buffer):
        self._partition.readblocks(address // _SECTOR_BYTES, buffer, address % _SECTOR_BYTES)

    def write(self, address, data):
        try:
            self._partition.writeblocks(address // _SECTOR_BYTES, data, address % _SECTOR_BYTES)
        except OSError:
            pass

    def erase(self, address):
        try:
            self._partition.ioctl(_ERASE, address // _SECTOR_BYTES)
        except OSError:
            pass


class Board(ChipBoard):
    name = "esp32"
    watchdog_ms_max = _WATCHDOG_MS
    pulser = Pulser

    def voltage(self, given):
        # The driver knows the converter's curve: it gives microvolts.
        return Voltage(ADC(Pin(given["pin"]), atten=ADC.ATTN_11DB).read_uv, _UV_A_MV, 1, given)

    def why_reset(self):
        cause = machine.reset_cause()
        if cause == machine.WDT_RESET:
            return wire.RESET_CAUSE_WATCHDOG
        if cause in (machine.HARD_RESET, machine.SOFT_RESET):
            return wire.RESET_CAUSE_SOFTWARE
        return wire.RESET_CAUSE_POWER_ON if cause == machine.PWRON_RESET else wire.RESET_CAUSE_UNKNOWN

    def storage(self, given):
        if given["kind"] == "partition":
            return Ring(given["label"])
        return Segments(settings.ROOT + "/flash")


def board(slot=None, code=None):
    """`slot`: where the settings lie; `code`: where the code lies, when it is not there."""
    slot = slot or slot_of(__file__)
    return Board(slot, code or slot)
