# The store of the program in force: two copies, each with generation and hash.
#
# The commit record in the journal puts a program into force; the copies only hold it. After a power cut at any point,
# one copy of the committed generation is complete.

import hashlib
import struct

from const import const

from pump.wire import PROGRAM_BYTES_MAX, id_low

_MAGIC = b"DBTH"
_HEADER = "<4sIHHI"
_HEADER_BYTES = const(32)
_PAGE_BYTES = const(256)
_HASH_BYTES = const(16)


def program_hash(data):
    return hashlib.sha256(data).digest()[:_HASH_BYTES]


class TherapyStore:
    """Copies at two sector addresses. Loading and saving allocate; they happen at boot and at commit only."""

    def __init__(self, board, addresses):
        self._board = board
        self._addresses = addresses
        self.program = b""
        self.generation = 0
        self._hash = b""
        self.mended = 0

    def load_program(self, generation, hash_head):
        """Reads a copy of the generation that the journal committed. Returns whether one exists."""
        for address in self._addresses:
            program = self._read_copy(address, generation)
            if program is not None and id_low(program_hash(program)) == hash_head:
                self._set_program(program, generation)
                return True
        return False

    def checked(self):
        return (self._addresses,)

    def is_intact(self):
        """Returns whether the program in RAM is the one that was loaded or adopted."""
        return not self.program or program_hash(self.program) == self._hash

    def holds_program(self, hash_head):
        """Whether the hash of the program in force begins with these bytes."""
        return bool(self.program) and self._hash[: len(hash_head)] == hash_head

    def find_damaged(self):
        """Number of a copy that differs from the program in force, or -1."""
        for at, address in enumerate(self._addresses):
            if self.program and self._read_copy(address, self.generation) != self.program:
                return at
        return -1

    def mend_copy(self, at):
        """Writes one copy again; returns whether the flash accepted it."""
        self.mended += 1
        return self._write_copy(self._addresses[at], self.program, self.generation)

    def has_copy(self):
        """Returns whether a copy of any generation exists."""
        header = bytearray(_HEADER_BYTES)
        for address in self._addresses:
            self._board.flash_read(address, header)
            if header[:4] == _MAGIC:
                return True
        return False

    def _set_program(self, program, generation):
        self.program = program
        self.generation = generation
        self._hash = program_hash(program)

    def save_program(self, program, generation):
        """Writes the first copy of a new generation and reads it back. The old program stays complete in the second."""
        return self._write_copy(self._addresses[generation & 1], program, generation)

    def adopt_program(self, program, generation):
        """Holds a program whose commit is durable, and writes its second copy."""
        self._set_program(program, generation)
        return self._mend_copies()

    def _mend_copies(self):
        written = True
        for address in self._addresses:
            if self._read_copy(address, self.generation) != self.program:
                written = self._write_copy(address, self.program, self.generation) and written
        return written

    def _read_copy(self, address, generation):
        header = bytearray(_HEADER_BYTES)
        self._board.flash_read(address, header)
        magic, found, length, _, _ = struct.unpack(_HEADER, header[:16])
        if magic != _MAGIC or found != generation or length > PROGRAM_BYTES_MAX:
            return None
        program = bytearray(length)
        self._board.flash_read(address + _HEADER_BYTES, program)
        program = bytes(program)
        if header[16:] != self._make_seal(program, generation):
            return None
        return program

    def _make_seal(self, program, generation):
        return program_hash(struct.pack("<IH", generation, len(program)) + program)

    def _write_copy(self, address, program, generation):
        header = struct.pack(_HEADER, _MAGIC, generation, len(program), 0, 0) + self._make_seal(program, generation)
        image = header + program
        self._board.flash_erase(address)
        # The page with the header comes last, so that an interrupted copy has none.
        last = (len(image) - 1) // _PAGE_BYTES * _PAGE_BYTES
        for offset in range(last, -1, -_PAGE_BYTES):
            self._board.flash_write(address + offset, image[offset : offset + _PAGE_BYTES])
        return self._read_copy(address, generation) == program
