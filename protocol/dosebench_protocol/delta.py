"""Delta-coded journal records, from the receiving end: what `journal_stream` sends in the coding `delta`.

A record is told by what differs from the last one of its slot (kind modulo 16). Its number follows from the one before
it, and its chain value is computed: who has decoded a stretch holds the chain value at its end against one that the
device has told, and knows then that nothing was lost. `docs/PROTOCOL.md` shows the bytes.
"""

from __future__ import annotations

from hashlib import sha256
from struct import Struct as Packer
from typing import Final

from .errors import ProtocolError
from .tables import CHAIN_BYTES

SLOTS: Final = 16
"""Records are compared with the last one whose kind has the same remainder modulo this."""
DAY_MS: Final = 86_400_000
KIND_BIT: Final = 0x20
CODE_BIT: Final = 0x40
TIME_BIT: Final = 0x80
ESCAPE: Final = 0xF0
"""First byte of a number that stands as it is, in four bytes after it."""

_BODY = Packer("<IHIBB5I")
_TIME = Packer("<HI")
_MASK: Final = 0xFFFFFFFF


class DeltaError(ProtocolError):
    """Bytes that are no delta-coded records."""


class DeltaDecoder:
    """Takes the frames of one stream in their order.

    Args:
        first: Number of the first record.
        chain: Chain value of the record before it.
    """

    def __init__(self, first: int, chain: bytes) -> None:
        self.next = first
        self.chain = chain
        self._last = [[0] * 5 for _ in range(SLOTS)]
        self._codes = [0] * SLOTS
        self._kind = self._day = self._ms = 0

    def feed(self, data: bytes) -> list[bytes]:
        """The records in a frame's `data`, each as it is stored.

        Raises:
            DeltaError: The data end within a record, or hold what no device sends.
        """
        records = []
        at = 0
        try:
            while at < len(data):
                at, record = self._record(data, at)
                records.append(record)
        except IndexError:
            raise DeltaError("the data end within a record") from None
        if at > len(data):
            raise DeltaError("the data end within a record")
        return records

    def _record(self, data: bytes, at: int) -> tuple[int, bytes]:
        head = data[at]
        at += 1
        if head & KIND_BIT:
            self._kind = data[at]
            at += 1
        slot = self._kind % SLOTS
        if head & CODE_BIT:
            self._codes[slot] = data[at]
            at += 1
        at = self._time(data, at, head)
        last = self._last[slot]
        if changed := head & 0x1F:
            for number in range(5):
                if changed >> number & 1:
                    at, last[number] = _changed(data, at, last[number])
        body = _BODY.pack(self.next & _MASK, self._day, self._ms, self._kind, self._codes[slot], *last)
        self.chain = sha256(self.chain + body).digest()[:CHAIN_BYTES]
        self.next += 1
        return at, body + self.chain

    def _time(self, data: bytes, at: int, head: int) -> int:
        if head & TIME_BIT:
            if at + _TIME.size > len(data):
                raise DeltaError("the data end within a record")
            self._day, self._ms = _TIME.unpack_from(data, at)
            if self._ms >= DAY_MS:
                raise DeltaError(f"{self._ms} ms are more than a day")
            return at + _TIME.size
        at, passed = _number(data, at)
        days, self._ms = divmod(self._ms + passed, DAY_MS)
        self._day += days
        if self._day > 0xFFFF:
            raise DeltaError(f"day {self._day} does not fit into a record")
        return at


def _number(data: bytes, at: int) -> tuple[int, int]:
    """Where it ends, and a number of one to four bytes, whose first says by its leading ones how many follow."""
    first = data[at]
    if first < 0x80:
        return at + 1, first
    if first < 0xC0:
        return at + 2, (first & 0x3F) << 8 | data[at + 1]
    if first < 0xE0:
        return at + 3, (first & 0x1F) << 16 | data[at + 1] << 8 | data[at + 2]
    if first < ESCAPE:
        return at + 4, (first & 0x0F) << 24 | data[at + 1] << 16 | data[at + 2] << 8 | data[at + 3]
    raise DeltaError(f"no number begins with 0x{first:02x}")


def _changed(data: bytes, at: int, before: int) -> tuple[int, int]:
    if data[at] == ESCAPE:
        if at + 5 > len(data):
            raise DeltaError("the data end within a record")
        return at + 5, int.from_bytes(data[at + 1 : at + 5], "little")
    at, coded = _number(data, at)
    return at, (before + (coded >> 1 ^ -(coded & 1))) & _MASK
