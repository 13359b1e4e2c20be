"""NOR flash in memory: bits go from 1 to 0 when written, back to 1 only when a sector is erased.

A torn operation leaves what real NOR flash may be left with, drawn from the seed: a write that stopped at a byte, or
lacks any of its bits, or a few; an erase of which a part, or any of the bits, or nearly all is done.
What was being changed when the power failed may be *unstable*: bits between 0 and 1 that read differently each time,
until they are programmed or erased again.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from typing import Literal

from dosebench.profile.parts import ERASE_US, PAGE_BYTES, SECTOR_BYTES, WRITE_US_PER_PAGE

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
        unstable: Bits that read at random, by address.
    """

    sectors: int
    seed: int = 0
    data: bytearray = field(default_factory=bytearray)
    operations: int = 0
    erases: list[int] = field(default_factory=list)
    cut: CutPlan | None = None
    unstable: dict[int, int] = field(default_factory=dict)
    reads: int = 0

    def __post_init__(self) -> None:
        if not self.data:
            self.data = bytearray(b"\xff" * (self.sectors * SECTOR_BYTES))
        if not self.erases:
            self.erases = [0] * self.sectors

    def read(self, address: int, length: int) -> bytes:
        """`length` bytes from `address`."""
        found = self.data[address : address + length]
        for at, mask in self.unstable.items():
            if address <= at < address + length:
                self.reads += 1
                found[at - address] ^= mask & random.Random(self.seed * 7_919 + self.reads).randrange(256)
        return bytes(found)

    def write(self, address: int, data: bytes) -> int:
        """Clear bits; return how many microseconds it takes."""
        when = self._next_operation()
        if when == "before":
            raise PowerCut
        if when == "torn":
            self._tear_write(address, data)
        else:
            for at, byte in enumerate(data):
                self.data[address + at] &= byte
                self.unstable.pop(address + at, None)
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
            self._tear_erase(start)
            raise PowerCut
        for at in [at for at in self.unstable if start <= at < start + SECTOR_BYTES]:
            del self.unstable[at]
        self.data[start : start + SECTOR_BYTES] = b"\xff" * SECTOR_BYTES
        if when == "after":
            raise PowerCut
        return ERASE_US

    def _tear_write(self, address: int, data: bytes) -> None:
        rng = self._torn_rng()
        kind = rng.randrange(4)
        reach = rng.randrange(len(data))
        for at, byte in enumerate(data):
            missing = 0
            if kind == 0:
                # Byte by byte, up to one.
                missing = 0 if at < reach else rng.randrange(256) if at == reach else 255
            elif kind == 1:
                # All cells at once, none of them for long enough.
                missing = rng.randrange(256)
            elif at == reach:
                # Nearly done: up to three bits of one byte.
                missing = 1 << rng.randrange(8) | 1 << rng.randrange(8) | 1 << rng.randrange(8)
            before = self.data[address + at]
            self.data[address + at] = before & (byte | missing)
            if kind == 3 and missing & before & ~byte:
                self.unstable[address + at] = missing & before & ~byte

    def _tear_erase(self, start: int) -> None:
        rng = self._torn_rng()
        kind = rng.randrange(4)
        reach = rng.randrange(SECTOR_BYTES)
        for at in range(start, start + SECTOR_BYTES):
            before = self.data[at]
            if kind == 0:
                self.data[at] = before | rng.randrange(256)
            elif kind == 1:
                self.data[at] = 255 if at - start < reach else before
            elif kind == 2:
                self.data[at] = before | rng.randrange(256) | rng.randrange(256) | rng.randrange(256)
            else:
                # Read as erased, and not for ever.
                self.data[at] = 255
                if before != 255 and rng.randrange(64) == 0:
                    self.unstable[at] = 255 & ~before

    def cut_next(self, when: When) -> None:
        """Cut the power at the next operation."""
        self.cut = CutPlan(self.operations, when)

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
