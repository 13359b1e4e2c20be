# The journal: fixed records in a ring of flash sectors, gap-free sequence, hash chain.
#
# A sector begins with a header (seal, first sequence, chain before it) and holds 102 records of 40 bytes. A slot whose
# write was cut stays void: the same sequence number is written to the next slot. The oldest sector is erased when a new
# one is needed; the ledger repeats at the head of the new one what the journal must not lose.
#
# Seal and chain show of every bit whether it is the one that was written. One flipped bit in a header or in a record is
# found by trying them all, and corrected; that happens at boot only, and only where seal or chain do not match.

import hashlib
import struct
from array import array

from const import const

from pump.storage.records import NOT_WRITTEN, RECORD_FORMAT
from pump.wire import CHAIN_BYTES, RECORD_BYTES

SECTOR_BYTES = const(4096)
_HEADER_BYTES = const(16)
_SLOTS = const(102)
_MAGIC = b"DBJ3"
# Of the releases up to 0.2: the words of their records mean something else.
_OLD_MAGIC = b"DBJ2"
_SEAL_BYTES = const(4)
_BODY_BYTES = const(32)
_NONE = const(0x3FFFFFFF)
_ERASED = b"\xff" * RECORD_BYTES
_BLOT = bytes(RECORD_BYTES)
_NO_SEAL = bytes(_HEADER_BYTES)
_NO_HEADER = b"\xff" * _HEADER_BYTES


class Journal:
    """Appends and reads records of a board's flash between `address` and `address + sectors * 4096`.

    Of the last scan: `voids` slots whose write was cut, `damaged` headers and records that were not as written, and
    records of the two newest sectors that are `lost` because more than one bit was wrong. `failed`: the flash rejected
    a record. Without sectors the journal is closed and stores nothing. `foreign`: the flash holds a journal of another
    version, so this one is closed and leaves the flash as it is.
    """

    def __init__(self, board, clock, address, sectors):
        self._board = board
        self._clock = clock
        self._address = address
        self._firsts = array("i", [_NONE] * sectors)
        self._chain = bytes(CHAIN_BYTES)
        self._record = bytearray(RECORD_BYTES)
        self._check = bytearray(RECORD_BYTES)
        self._doubtful = bytearray(RECORD_BYTES)
        self._probe = bytearray(RECORD_BYTES)
        self._head = bytearray(_HEADER_BYTES)
        self._sector = -1
        self._slot = _SLOTS
        self.next = 0
        self.voids = 0
        self.damaged = 0
        self.lost = 0
        self.failed = False
        self.foreign = False
        # Where the next run continues.
        self._run_next = -1
        self._run_sector = 0
        self._run_slot = 0
        self._number = bytearray(4)
        self._trial = None
        self._unset_bit = False

    def checked(self):
        return (self._address,)

    def chain(self):
        return self._chain

    def close(self):
        """Store nothing from now on, and leave the flash as it is."""
        self._firsts = array("i")

    def sectors(self):
        return len(self._firsts)

    def opened_sectors(self):
        """Number of sectors that were opened so far, each with one erase. Void slots are not counted."""
        return (self.next + _SLOTS - 1) // _SLOTS

    def first(self):
        """Sequence number of the oldest record that the flash holds."""
        oldest = _NONE
        for first in self._firsts:
            oldest = min(oldest, first)
        return self.next if oldest == _NONE else oldest

    # Reading back after a reset

    def scan(self, visit):
        """Reads all sectors, oldest first, and calls visit(fields) for each valid record."""
        for sector in range(len(self._firsts)):
            self._firsts[sector] = self._read_first(sector)
        if self.foreign:
            self.close()
            return
        self._secure_newest_header()
        self._drop_torn_erase()
        sector = self._find_end(False)
        if sector < 0:
            return
        self.next = self._firsts[sector]
        self._read_header(sector)
        self._chain = bytes(self._head[8:])
        before = here = known = 0
        while self._enter_sector(sector):
            self._sector = sector
            self._scan_sector(sector, visit)
            before, here = here, self.lost - known
            known = self.lost
            sector = (sector + 1) % len(self._firsts)
        # A sector begins with all that matters of those before it. The newest may have been cut before it had.
        self.lost = before + here
        self._secure_newest_record()

    def _read_header(self, sector):
        """Reads a header into _head. Returns (whether it is one, whether a bit of it had to be corrected)."""
        head = self._head
        self._board.flash_read(self._address + sector * SECTOR_BYTES, head)
        if _is_sealed(head):
            return True, False
        if head == _NO_HEADER:
            return False, False
        if _make_seal(_OLD_MAGIC, head) == head[:_SEAL_BYTES]:
            self.foreign = True
            return False, False
        mended = _mend_bit(head, _is_sealed) >= 0
        return mended, mended

    def _read_first(self, sector):
        if not self._read_header(sector)[0]:
            return _NONE
        return struct.unpack_from("<I", self._head, _SEAL_BYTES)[0]

    def _find_end(self, newest):
        at = -1
        for sector in range(len(self._firsts)):
            first = self._firsts[sector]
            if first != _NONE and (at < 0 or (first > self._firsts[at]) == newest):
                at = sector
        return at

    def _enter_sector(self, sector):
        first = self._firsts[sector]
        if first == _NONE or first < self.next:
            return False
        if self._read_header(sector)[1]:
            self.damaged += 1
        chain = bytes(self._head[8:])
        if first != self.next or chain != self._chain:
            # Records of the sector before are lost: continue from what this header says.
            self.damaged += 1
            self.lost += 1
            self.next = first
            self._chain = chain
        return True

    def _is_erased(self, sector, slot):
        self._board.flash_read(self._slot_address(sector, slot), self._check)
        return self._check == _ERASED

    def _drop_torn_erase(self):
        # The oldest sector can be half erased only when the newest is full; its records were to be erased anyway.
        oldest = self._find_end(False)
        newest = self._find_end(True)
        if oldest < 0 or (newest + 1) % len(self._firsts) != oldest or self._is_erased(newest, _SLOTS - 1):
            return
        self.next = self._firsts[oldest]
        self._read_header(oldest)
        self._chain = bytes(self._head[8:])
        self._scan_sector(oldest, _ignore_record)
        following = (oldest + 1) % len(self._firsts)
        if self.lost or self.next != self._firsts[following]:
            self._firsts[oldest] = _NONE
        self.damaged = 0
        self.voids = 0
        self.lost = 0

    def _scan_sector(self, sector, visit):
        end = 0
        self._trial = None
        for slot in range(_SLOTS):
            self._board.flash_read(self._slot_address(sector, slot), self._record)
            if self._record == _ERASED:
                continue
            end = slot + 1
            if self._accept_record(visit):
                visit(struct.unpack(RECORD_FORMAT, self._record[:_BODY_BYTES]))
        following = (sector + 1) % len(self._firsts)
        if self._trial is not None and self._firsts[following] != self.next:
            # The last record of all, or of a sector, has no successor to tell a void one from a damaged one.
            mended = self._mend_record(visit)
            if mended and self._unset_bit and self._firsts[following] != self.next:
                # A cut leaves a bit that was not programmed, too; _secure_newest_record() programs it.
                self.damaged -= 1
        self._slot = end

    def _accept_record(self, visit):
        """Returns whether the record in hand is valid. One that is not is void (its number is used again) or damaged
        (the next record chains to it)."""
        record = self._record
        if not self._is_valid(record):
            sequence = struct.unpack_from("<I", record, 0)[0]
            stored = bytes(record[_BODY_BYTES:])
            if not self._follows_damaged(record, sequence, stored):
                self.voids += 1
                self._trial = (stored, self._chain_value(self._chain, record))
                self._doubtful[:] = record
                return False
            if not self._mend_record(visit):
                self.voids -= 1
                self.damaged += 1
                self.lost += 1
                self.next += 1
        self._trial = None
        self._doubtful[:] = record
        self._follow(record)
        return True

    def _follow(self, record):
        self._chain = bytes(record[_BODY_BYTES:])
        self.next += 1

    def _is_valid(self, record):
        return (
            struct.unpack_from("<I", record, 0)[0] == self.next
            and self._chain_value(self._chain, record) == record[_BODY_BYTES:]
        )

    def _mend_record(self, visit):
        """Accepts the doubtful record, which was valid once, if one bit of it is wrong. Returns whether it did."""
        bit = _mend_bit(self._doubtful, self._is_valid)
        if bit < 0:
            return False
        self._unset_bit = not self._doubtful[bit >> 3] >> (bit & 7) & 1
        self._trial = None
        self.voids -= 1
        self.damaged += 1
        self._follow(self._doubtful)
        visit(struct.unpack(RECORD_FORMAT, self._doubtful[:_BODY_BYTES]))
        return True

    def _follows_damaged(self, record, sequence, stored):
        # A flip met either the body or the chain value of the record before: the other one still leads here.
        if self._trial is None or sequence != self.next + 1:
            return False
        return stored in (self._chain_value(self._trial[0], record), self._chain_value(self._trial[1], record))

    def _chain_value(self, chain, record):
        digest = hashlib.sha256(chain)
        digest.update(memoryview(record)[:_BODY_BYTES])
        return digest.digest()[:CHAIN_BYTES]

    def _secure_newest_record(self):
        # A write that was interrupted just before its end can read as valid now and not later, or the other way round.
        # So the newest record is programmed once more, or invalidated, and its meaning cannot change later.
        if self._slot:
            blot = self._trial is not None
            self._board.flash_write(self._slot_address(self._sector, self._slot - 1), _BLOT if blot else self._doubtful)

    def _secure_newest_header(self):
        # The same for the header of a sector that holds no record yet.
        newest = self._find_end(True)
        if newest < 0 or not self._is_erased(newest, 0):
            return
        valid = self._read_header(newest)[0]
        if not valid:
            self._firsts[newest] = _NONE
        self._board.flash_write(self._address + newest * SECTOR_BYTES, self._head if valid else _NO_SEAL)

    # Writing

    def needs_sector(self):
        """Returns whether the next record has no room in the newest sector. A flash that rejected a record is not asked
        again before the next reset."""
        return self._slot >= _SLOTS and not self.failed and len(self._firsts) != 0

    def open_sector(self):
        """Erases the oldest sector and begins it anew; returns whether the flash did so."""
        self._sector = (self._sector + 1) % len(self._firsts)
        self._firsts[self._sector] = _NONE
        address = self._address + self._sector * SECTOR_BYTES
        self._board.flash_erase(address)
        header = _make_header(self.next, self._chain)
        self._board.flash_write(address, header)
        written = bytearray(len(header))
        self._board.flash_read(address, written)
        self.failed = written != header
        self._firsts[self._sector] = self.next
        self._slot = 0
        return not self.failed

    def append(self, kind, code, a, b, c, d, e):
        """Writes one record durably. Returns its sequence number, or NOT_WRITTEN when the newest sector has no room or
        the flash rejects the record."""
        if self.failed or self._slot >= _SLOTS:
            return NOT_WRITTEN
        struct.pack_into(
            RECORD_FORMAT, self._record, 0, self.next, self._clock.day, self._clock.ms, kind, code, a, b, c, d, e
        )
        chain = self._chain_value(self._chain, self._record)
        self._record[_BODY_BYTES:] = chain
        while not self._program_slot():
            if self._slot >= _SLOTS:
                self.failed = True
                return NOT_WRITTEN
        self._chain = chain
        self.next += 1
        return self.next - 1

    def _program_slot(self):
        address = self._slot_address(self._sector, self._slot)
        self._slot += 1
        self._board.flash_write(address, self._record)
        self._board.flash_read(address, self._check)
        return self._check == self._record

    def _slot_address(self, sector, slot):
        return self._address + sector * SECTOR_BYTES + _HEADER_BYTES + slot * RECORD_BYTES

    # Reading for the host

    def read(self, sequence, record):
        """Reads the record of a sequence number into `record`; returns whether it exists. One flipped bit in it is
        corrected, and counted in `damaged`."""
        sector = self._sector_of(sequence)
        if sector < 0 or sequence >= self.next:
            return False
        if sequence == self._firsts[sector]:
            before = -1
            self._read_header(sector)
            chain = self._head[8:]
        else:
            before = self._find_slot(sector, sequence - 1)
            chain = self._check[_BODY_BYTES:]
            if before < 0:
                return self._find_slot(sector, sequence, record) >= 0
        if self._find_slot(sector, sequence, record) < 0 and before + 1 < _SLOTS:
            # The flip may have met the number itself: the record follows the one before it.
            self._board.flash_read(self._slot_address(sector, before + 1), record)
        return self._judge_record(sequence, chain, record)

    def _sector_of(self, sequence):
        sector = -1
        for at in range(len(self._firsts)):
            first = self._firsts[at]
            if first <= sequence and (sector < 0 or first > self._firsts[sector]):
                sector = at
        return sector

    def _find_slot(self, sector, sequence, record=None):
        """Slot of a sequence number, or -1. Its content is in `record` afterwards, by default in _check."""
        check = self._check if record is None else record
        found = -1
        for slot in range(sequence - self._firsts[sector], _SLOTS):
            self._board.flash_read(self._slot_address(sector, slot), self._probe)
            if _has_number(self._probe, sequence):
                # Void slots precede the one that replaced them.
                check[:] = self._probe
                found = slot
            elif found >= 0:
                break
        return found

    def _judge_record(self, sequence, chain, record):
        if _has_number(record, sequence) and self._chain_value(chain, record) == record[_BODY_BYTES:]:
            return True

        def is_valid(data):
            return _has_number(data, sequence) and self._chain_value(chain, data) == data[_BODY_BYTES:]

        if _mend_bit(record, is_valid) >= 0:
            self.damaged += 1
            return True
        return _has_number(record, sequence)

    def read_run(self, sequence, buffer):
        """Reads records from a sequence number on as the flash holds them, without checks: those that follow each other
        in one sector and fit into `buffer`. Returns their number."""
        sector = self._sector_of(sequence)
        if sector < 0 or sequence >= self.next:
            return 0
        slot = sequence - self._firsts[sector]
        if self._run_next == sequence and self._run_sector == sector:
            # Void slots have shifted it; the last run found them already.
            slot = self._run_slot
        while slot < _SLOTS:
            count = min(len(buffer) // RECORD_BYTES, _SLOTS - slot)
            self._board.flash_read(self._slot_address(sector, slot), memoryview(buffer)[: count * RECORD_BYTES])
            count = self._count_in_order(buffer, count, sequence)
            if count and slot + count < _SLOTS:
                self._board.flash_read(self._slot_address(sector, slot + count), self._number)
                if _has_number(self._number, sequence + count - 1):
                    # Void slots precede the one that replaced them.
                    count -= 1
            if count:
                self._run_next = sequence + count
                self._run_sector = sector
                self._run_slot = slot + count
                return count
            slot += 1
        return 0

    def _count_in_order(self, buffer, count, sequence):
        """Number of the `count` records that bear the numbers from `sequence` on."""
        at = 0
        while at < count and sequence + at < self.next and _has_number(buffer, sequence + at, at * RECORD_BYTES):
            at += 1
        return at


def _make_header(first, chain):
    content = struct.pack("<I", first) + chain
    return hashlib.sha256(_MAGIC + content).digest()[:_SEAL_BYTES] + content


def _make_seal(magic, head):
    return hashlib.sha256(magic + head[_SEAL_BYTES:]).digest()[:_SEAL_BYTES]


def _is_sealed(head):
    return _make_seal(_MAGIC, head) == head[:_SEAL_BYTES]


def _has_number(record, sequence, at=0):
    # Byte by byte: unpacking allocates, and this is called for every slot.
    return (
        record[at] == sequence & 0xFF
        and record[at + 1] == sequence >> 8 & 0xFF
        and record[at + 2] == sequence >> 16 & 0xFF
        and record[at + 3] == sequence >> 24
    )


def _mend_bit(data, is_valid):
    """Flips each bit of `data` until is_valid(data); returns the bit, or -1 when one flip is not enough."""
    for bit in range(8 * len(data)):
        data[bit >> 3] ^= 1 << (bit & 7)
        if is_valid(data):
            return bit
        data[bit >> 3] ^= 1 << (bit & 7)
    return -1


def _ignore_record(_fields):
    pass
