# The `esp32` module: the RMT unit, which sends a list of levels by itself, and a partition on the twin's flash.

import sys

from chip import Module
from world import FLASH_ERASE, FLASH_READ, FLASH_WRITE, WORLD

FREQUENCY = 80_000_000
DURATION_MAX = 32_767
SECTOR_BYTES = 4096


class RMT:
    def __init__(self, number, pin, clock_div, idle_level):
        if FREQUENCY // clock_div != 1_000_000:
            raise ValueError("the fake's tick is a microsecond")
        self._pin = pin.number
        self._idle = int(idle_level)
        self._levels = ()
        self._duration = 0
        self._at = 0
        self._left = 0
        self.running = False
        WORLD.level(self._pin, self._idle)
        WORLD.wave = self

    @staticmethod
    def source_freq():
        return FREQUENCY

    def write_pulses(self, duration, levels):
        if not 0 < duration <= DURATION_MAX:
            raise ValueError("duration")
        while self.running:
            WORLD.pass_us(1000)
        self._levels = levels
        self._duration = duration
        self._at = 0
        self._left = duration
        self.running = True
        WORLD.level(self._pin, levels[0])

    def wait_done(self):
        return not self.running

    def active(self, value):
        if value:
            raise ValueError("activate by calling write_pulses()")
        self._end()

    def _end(self):
        self.running = False
        WORLD.level(self._pin, self._idle)

    def run(self, limit):
        """Send for at most so many ticks, or until the shaft turns; return how many it were."""
        used = 0
        while used < limit and not WORLD.turn:
            some = min(self._left, limit - used)
            used += some
            self._left -= some
            if self._left:
                return used
            self._at += 1
            if self._at == len(self._levels):
                self._end()
                return used
            self._left = self._duration
            WORLD.level(self._pin, self._levels[self._at])
        return used


class Partition:
    def __init__(self, label):
        if label != "dosebench":
            raise OSError(2)

    def readblocks(self, block, buffer, offset):
        WORLD.call(FLASH_READ, block * SECTOR_BYTES + offset, len(buffer), 0, None, buffer)

    def writeblocks(self, block, data, offset):
        WORLD.call(FLASH_WRITE, block * SECTOR_BYTES + offset, 0, 0, data)

    def ioctl(self, operation, block):
        if operation != 6:
            raise OSError(22)
        WORLD.call(FLASH_ERASE, block * SECTOR_BYTES)


def install():
    esp32 = Module()
    esp32.RMT = RMT
    esp32.Partition = Partition
    sys.modules["esp32"] = esp32
