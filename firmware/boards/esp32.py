# Boards with an ESP32, S2, S3, C3 or C6.
#
# A partition of its own, where the flash has one, holds the pump's sectors as they are; else they are files.

import machine
from esp32 import Partition
from machine import ADC, Pin
from pump import wire
from pump.wire import const

from boards import settings
from boards.chip import ChipBoard, slot_of
from boards.inputs import Voltage
from boards.rmt import Pulser
from boards.segments import Segments

NAME = "esp32"
# The task watchdog takes any time-out; an hour is longer than any pump's.
WATCHDOG_MS = const(3_600_000)
_SECTOR_BYTES = const(4_096)
_ERASE = const(6)
_UV_A_MV = const(1_000)

__all__ = ("NAME", "WATCHDOG_MS", "Pulser", "board", "flash", "reset_cause", "voltage")


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


def voltage(given):
    # The driver knows the converter's curve: it gives microvolts.
    return Voltage(ADC(Pin(given["pin"]), atten=ADC.ATTN_11DB).read_uv, _UV_A_MV, 1, given)


def reset_cause():
    cause = machine.reset_cause()
    if cause == machine.WDT_RESET:
        return wire.RESET_CAUSE_WATCHDOG
    if cause in (machine.HARD_RESET, machine.SOFT_RESET):
        return wire.RESET_CAUSE_SOFTWARE
    return wire.RESET_CAUSE_POWER_ON if cause == machine.PWRON_RESET else wire.RESET_CAUSE_UNKNOWN


def flash(storage):
    if storage["kind"] == "partition":
        return Ring(storage["label"])
    return Segments(settings.ROOT + "/flash")


def board(slot=None, code=None):
    """`slot`: where the settings lie; `code`: where the code lies, when it is not there."""
    slot = slot or slot_of(__file__)
    return ChipBoard(__import__("boards.esp32").esp32, slot, code or slot)
