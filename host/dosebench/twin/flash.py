"""NOR flash in memory: bits go from 1 to 0 when written, back to 1 only when a sector is erased."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from typing import Final, Literal

SECTOR_BYTES: Final = 4096
PAGE_BYTES: Final = 256
WRITE_US_PER_PAGE: Final = 400
"""Typical page program time of the W25Q family on RP2 boards, in microseconds (data sheet: 0.4 ms)."""
ERASE_US: Final = 45_000
"""Typical sector erase time, in microseconds (data sheet: 45 ms; worst 400 ms)."""

When = Literal["before", "torn", "after"]


class PowerCut(BaseException):
    """The supply failed inside a flash operation. Not an Exception: no firmware code can catch it."""


@dataclass
class CutPlan:
    """Cut the power at flash operation number `operation` (writes and erases, from 0): before, within, or after it."""

    operation: int
    when: When


@dataclass
class Flash:
    """Flash of `sectors` * 4096 bytes.

    Attributes:
        data: The content.
        operations: How many writes and erases were made.
        erases: Erase count per sector.
        cut: Where the power fails next, if anywhere.
        seed: Decides which bits a torn operation has reached.
    """

    sectors: int
    seed: int = 0
    data: bytearray = field(default_factory=bytearray)
    operations: int = 0
    erases: list[int] = field(default_factory=list)
    cut: CutPlan | None = None

    def __post_init__(self) -> None:
        if not self.data:
            self.data = bytearray(b"\xff" * (self.sectors * SECTOR_BYTES))
        if not self.erases:
            self.erases = [0] * self.sectors

    def read(self, address: int, length: int) -> bytes:
        """`length` bytes from `address`."""
        return bytes(self.data[address : address + length])

    def write(self, address: int, data: bytes) -> int:
        """Clear bits; return how many microseconds it takes."""
        when = self._next_operation()
        if when == "before":
            raise PowerCut
        reach = len(data)
        if when == "torn":
            reach = self._torn_rng().randrange(len(data))
        for at in range(reach):
            self.data[address + at] &= data[at]
        if when == "torn":
            self.data[address + reach] &= data[reach] | self._torn_rng().randrange(256)
        if when is not None:
            raise PowerCut
        pages = (address + len(data) - 1) // PAGE_BYTES - address // PAGE_BYTES + 1
        return pages * WRITE_US_PER_PAGE

    def erase(self, address: int) -> int:
        """Set a sector to ones; return how many microseconds it takes."""
        when = self._next_operation()
        if when == "before":
            raise PowerCut
        start = address - address % SECTOR_BYTES
        self.erases[start // SECTOR_BYTES] += 1
        if when == "torn":
            rng = self._torn_rng()
            for at in range(start, start + SECTOR_BYTES):
                self.data[at] |= rng.randrange(256)
            raise PowerCut
        self.data[start : start + SECTOR_BYTES] = b"\xff" * SECTOR_BYTES
        if when == "after":
            raise PowerCut
        return ERASE_US

    def _next_operation(self) -> When | None:
        number = self.operations
        self.operations += 1
        if self.cut is None or self.cut.operation != number:
            return None
        when = self.cut.when
        self.cut = None
        return when

    def _torn_rng(self) -> random.Random:
        return random.Random(self.seed * 1_000_003 + self.operations)
