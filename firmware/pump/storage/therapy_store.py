# The therapy store: two copies of the program in force, each with generation and hash.
#
# The journal's commit record is what makes a program the therapy; the copies only hold it. Cut anywhere, one copy of
# the committed generation is whole.

import hashlib
import struct

from pump.wire import THERAPY_BYTES_MAX, const

_MAGIC = b"DBTH"
_HEADER = "<4sIHHI"
_HEADER_BYTES = const(32)
_PAGE_BYTES = const(256)
_HASH_BYTES = const(16)


def program_hash(data):
    return hashlib.sha256(data).digest()[:_HASH_BYTES]


class TherapyStore:
    """Copies at two sector addresses. load() and save() allocate; they run at boot and at commit only."""

    def __init__(self, board, addresses):
        self._board = board
        self._addresses = addresses
        self.program = b""
        self.generation = 0
        self._hash = b""
        self.mended = 0

    def load(self, generation, hash_head):
        """Take a copy of the generation that the journal committed. Return whether there is one."""
        for address in self._addresses:
            program = self._read(address, generation)
            if program is not None and program_hash(program)[:4] == hash_head:
                self._hold(program, generation)
                return True
        return False

    def sound(self):
        """Whether the program in RAM is the one that was taken."""
        return not self.program or program_hash(self.program) == self._hash

    def damaged(self):
        """Number of a copy that is not the program in force, or -1."""
        for at, address in enumerate(self._addresses):
            if self.program and self._read(address, self.generation) != self.program:
                return at
        return -1

    def mend(self, at):
        """Write one copy anew; return whether the flash took it."""
        self.mended += 1
        return self._write(self._addresses[at], self.program, self.generation)

    def any(self):
        """Whether a copy of any generation is there."""
        header = bytearray(_HEADER_BYTES)
        for address in self._addresses:
            self._board.flash_read(address, header)
            if header[:4] == _MAGIC:
                return True
        return False

    def _hold(self, program, generation):
        self.program = program
        self.generation = generation
        self._hash = program_hash(program)

    def save(self, program, generation):
        """Write the first copy of a new generation and read it back. The old one stays whole in the second."""
        return self._write(self._addresses[generation & 1], program, generation)

    def adopt(self, program, generation):
        """The commit is durable: hold the new program, and bring the second copy to it."""
        self._hold(program, generation)
        return self._mend()

    def _mend(self):
        whole = True
        for address in self._addresses:
            if self._read(address, self.generation) != self.program:
                whole = self._write(address, self.program, self.generation) and whole
        return whole

    def _read(self, address, generation):
        header = bytearray(_HEADER_BYTES)
        self._board.flash_read(address, header)
        magic, found, length, _, _ = struct.unpack(_HEADER, header[:16])
        if magic != _MAGIC or found != generation or length > THERAPY_BYTES_MAX:
            return None
        program = bytearray(length)
        self._board.flash_read(address + _HEADER_BYTES, program)
        program = bytes(program)
        if header[16:] != self._seal(program, generation):
            return None
        return program

    def _seal(self, program, generation):
        return program_hash(struct.pack("<IH", generation, len(program)) + program)

    def _write(self, address, program, generation):
        header = struct.pack(_HEADER, _MAGIC, generation, len(program), 0, 0) + self._seal(program, generation)
        image = header + program
        self._board.flash_erase(address)
        # The page with the header comes last: a copy cut short has none.
        last = (len(image) - 1) // _PAGE_BYTES * _PAGE_BYTES
        for offset in range(last, -1, -_PAGE_BYTES):
            self._board.flash_write(address + offset, image[offset : offset + _PAGE_BYTES])
        return self._read(address, generation) == program
