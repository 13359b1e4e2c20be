"""Electrical and flash figures of the parts that every bench of a pump has."""

from __future__ import annotations

from typing import Final

SECTOR_BYTES: Final = 4096
PAGE_BYTES: Final = 256
WRITE_US_PER_PAGE: Final = 400
"""Typical page program time of the W25Q family on RP2 boards, in microseconds (data sheet: 0.4 ms)."""
ERASE_US: Final = 45_000
"""Typical sector erase time, in microseconds (data sheet: 45 ms; worst 400 ms)."""

RAIL_MV: Final = 3_300
"""Supply of the converter, in mV: the most that it reads, and that a sensor can give."""
BATTERY_DIVIDER: Final = 2
"""The battery is read through a divider by two, so that its channel reaches 6600 mV."""
