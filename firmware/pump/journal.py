# The journal: fixed records in a ring of flash sectors, gap-free sequence, hash chain.
#
# A sector begins with a header (magic, first sequence, chain before it) and holds 102 records of 40 bytes. A slot whose
# write was cut stays void: the same sequence number is written to the next slot. The oldest sector is erased when a new
# one is needed, and a new sector begins with the pump's state, so that nothing that matters is only in an old one.

import hashlib
import struct
from array import array

from pump.wire import CHAIN_BYTES, RECORD_BYTES, const

SECTOR_BYTES = const(4096)
_HEADER_BYTES = const(16)
_SLOTS = const(102)
_MAGIC = b"DBJ1"
_BODY_BYTES = const(32)
_NONE = const(0x3FFFFFFF)
_ERASED = b"\xff" * RECORD_BYTES
_FORMAT = "<IHIBBIIIII"


class Journal:
    """Appends and reads records of a board's flash between `address` and `address + sectors * 4096`."""

    def __init__(self, board, clock, address, sectors):
        self._board = board
        self._clock = clock
        self._address = address
        self._firsts = array("i", [_NONE] * sectors)
        self._chain = bytes(CHAIN_BYTES)
        self._record = bytearray(RECORD_BYTES)
        self._check = bytearray(RECORD_BYTES)
        self._sector = -1
        self._slot = _SLOTS
        self.next = 0
        self.voids = 0
        self.damaged = 0
        self.failed = False
        self.on_new_sector = None
        self._trial = None

    def chain(self):
        return self._chain

    def first(self):
        """Sequence number of the oldest record that is held."""
        oldest = _NONE
        for first in self._firsts:
            oldest = min(oldest, first)
        return self.next if oldest == _NONE else oldest

    # Reading back after a reset

    def scan(self, visit):
        """Read all sectors, oldest first, and call visit(fields) for each sound record."""
        for sector in range(len(self._firsts)):
            self._firsts[sector] = self._header(sector)[0]
        self._drop_torn_erase()
        sector = self._extreme(False)
        if sector < 0:
            return
        self.next, self._chain = self._header(sector)
        while self._enter(sector):
            self._sector = sector
            self._scan_sector(sector, visit)
            sector = (sector + 1) % len(self._firsts)

    def _header(self, sector):
        header = bytearray(_HEADER_BYTES)
        self._board.flash_read(self._address + sector * SECTOR_BYTES, header)
        first = struct.unpack("<I", header[4:8])[0]
        if header[:4] != _MAGIC or first >= _NONE:
            return _NONE, b""
        return first, bytes(header[8:])

    def _extreme(self, newest):
        at = -1
        for sector in range(len(self._firsts)):
            first = self._firsts[sector]
            if first != _NONE and (at < 0 or (first > self._firsts[at]) == newest):
                at = sector
        return at

    def _enter(self, sector):
        first, chain = self._header(sector)
        if self._firsts[sector] == _NONE or first < self.next:
            return False
        if first == self.next and chain == self._chain:
            self._trial = None
            return True
        if self._erased(sector, 0, _SLOTS):
            # The header was cut while it was written; the sector holds nothing yet.
            self._firsts[sector] = _NONE
            return False
        # The last records of the sector before were damaged: go on from what this one says.
        self.damaged += 1
        self.next = first
        self._chain = chain
        self._trial = None
        return True

    def _erased(self, sector, slot, end):
        for at in range(slot, end):
            self._board.flash_read(self._slot_address(sector, at), self._check)
            if self._check != _ERASED:
                return False
        return True

    def _drop_torn_erase(self):
        # Only when the newest sector is full may the oldest be half erased; what it held was due to go.
        oldest = self._extreme(False)
        newest = self._extreme(True)
        if oldest < 0 or (newest + 1) % len(self._firsts) != oldest or self._erased(newest, _SLOTS - 1, _SLOTS):
            return
        self.next, self._chain = self._header(oldest)
        self._scan_sector(oldest, _ignore)
        following = (oldest + 1) % len(self._firsts)
        if self.damaged or self.voids or self.next != self._firsts[following]:
            self._firsts[oldest] = _NONE
        self.damaged = 0
        self.voids = 0

    def _scan_sector(self, sector, visit):
        end = 0
        self._trial = None
        for slot in range(_SLOTS):
            self._board.flash_read(self._slot_address(sector, slot), self._record)
            if self._record == _ERASED:
                continue
            end = slot + 1
            if self._accept():
                visit(struct.unpack(_FORMAT, self._record[:_BODY_BYTES]))
        self._slot = end

    def _accept(self):
        """Whether the record in hand is sound. One that is not is void (its number comes again) or damaged (the next
        one chains to what it says)."""
        record = self._record
        sequence = struct.unpack_from("<I", record, 0)[0]
        stored = bytes(record[_BODY_BYTES:])
        link = self._link(self._chain, record)
        if sequence != self.next or link != stored:
            if not self._follows_damage(record, sequence, stored):
                self.voids += 1
                self._trial = (stored, link)
                return False
            self.voids -= 1
            self.damaged += 1
            self.next += 1
        self._trial = None
        self._chain = stored
        self.next += 1
        return True

    def _follows_damage(self, record, sequence, stored):
        # Either the body or the chain value of the record before was hit: the other one still leads here.
        if self._trial is None or sequence != self.next + 1:
            return False
        return stored in (self._link(self._trial[0], record), self._link(self._trial[1], record))

    def _link(self, chain, record):
        digest = hashlib.sha256(chain)
        digest.update(record[:_BODY_BYTES])
        return digest.digest()[:CHAIN_BYTES]

    # Writing

    def append(self, kind, code, a, b, c, d, e):
        """Write one record durably; return its sequence number. Sets `failed` when the flash does not take it."""
        if self._slot >= _SLOTS:
            self._open_sector()
        struct.pack_into(
            _FORMAT, self._record, 0, self.next, self._clock.day, self._clock.ms, kind, code, a, b, c, d, e
        )
        chain = self._link(self._chain, self._record)
        self._record[_BODY_BYTES:] = chain
        while not self._program():
            if self._slot >= _SLOTS:
                self.failed = True
                return self.next
        self._chain = chain
        self.next += 1
        return self.next - 1

    def _program(self):
        address = self._slot_address(self._sector, self._slot)
        self._slot += 1
        self._board.flash_write(address, self._record)
        self._board.flash_read(address, self._check)
        return self._check == self._record

    def _open_sector(self):
        self._sector = (self._sector + 1) % len(self._firsts)
        self._firsts[self._sector] = _NONE
        address = self._address + self._sector * SECTOR_BYTES
        self._board.flash_erase(address)
        self._board.flash_write(address, _MAGIC + struct.pack("<I", self.next) + self._chain)
        self._firsts[self._sector] = self.next
        self._slot = 0
        if self.on_new_sector is not None:
            self.on_new_sector()

    def _slot_address(self, sector, slot):
        return self._address + sector * SECTOR_BYTES + _HEADER_BYTES + slot * RECORD_BYTES

    # Reading for the host

    def read(self, sequence, record):
        """Read the record of a sequence number into `record`; return whether it is there."""
        sector = -1
        for at in range(len(self._firsts)):
            first = self._firsts[at]
            if first <= sequence and (sector < 0 or first > self._firsts[sector]):
                sector = at
        if sector < 0 or sequence >= self.next:
            return False
        wanted = struct.pack("<I", sequence)
        found = False
        for slot in range(sequence - self._firsts[sector], _SLOTS):
            self._board.flash_read(self._slot_address(sector, slot), self._check)
            if self._check[:4] == wanted:
                # Void slots come before the one that was taken in their place.
                record[:] = self._check
                found = True
            elif found:
                break
        return found


def _ignore(_fields):
    pass
