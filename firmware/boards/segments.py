# The flash contract on files: one file for each sector of 4096 bytes.
#
# A file system that copies on write (littlefs) makes every close a commit: after a cut the file is what it was, or what
# was written. A file holds the sector from its beginning to the last byte that was written, and ends there; what lies
# behind the end reads as erased. Records are appended, so a record costs what littlefs needs for an append: about one
# erase. A file system that is missing, or full, is not for this file to put right: what did not reach the flash is seen
# by whoever reads it back.

import os

from const import const

_SECTOR_BYTES = const(4096)
# A byte at a time, blanking a sector takes a chip 40 ms.
_BLANK_BYTES = const(256)
_BLANK = memoryview(b"\xff" * _BLANK_BYTES)


class Segments:
    def __init__(self, directory):
        self._directory = directory
        # The sector that was read last, as it was in the file: a scan looks at a hundred places of one.
        self._image = bytearray(_SECTOR_BYTES)
        self._held = -1
        # The sectors that have files. To look for one that is not there takes a chip 30 ms, and a journal has sixty.
        self._there = set()
        try:
            os.mkdir(directory)
        except OSError:
            # It is there; if it is not, the first write is seen to fail.
            pass
        self._look()

    def _look(self):
        try:
            for entry in os.ilistdir(self._directory):
                if entry[0].isdigit():
                    self._there.add(int(entry[0]))
        except OSError:
            # Then nothing in it could be read either.
            pass

    def _path(self, sector):
        return self._directory + "/" + str(sector)

    def read(self, address, buffer):
        at = address % _SECTOR_BYTES
        sector = address // _SECTOR_BYTES
        if sector not in self._there:
            _blank(buffer, 0)
            return
        if sector != self._held:
            self._hold(sector)
        buffer[:] = memoryview(self._image)[at : at + len(buffer)]

    def _hold(self, sector):
        self._held = -1
        image = self._image
        count = 0
        try:
            with open(self._path(sector), "rb") as file:
                count = file.readinto(image)
        except OSError:
            # It cannot be read.
            pass
        _blank(image, count)
        self._held = sector

    def write(self, address, data):
        """Clear bits, as flash does."""
        before = bytearray(len(data))
        self.read(address, before)
        new = bytes([old & bits for old, bits in zip(before, data)])
        if new == before:
            return
        # What is read from here on comes from the file again.
        sector, self._held = address // _SECTOR_BYTES, -1
        self._there.add(sector)
        try:
            self._program(self._path(sector), address % _SECTOR_BYTES, new)
        except OSError:
            pass

    def _program(self, path, at, data):
        end = _bytes_of(path)
        with open(path, "r+b" if end else "wb") as file:
            if at > end:
                file.seek(end)
                file.write(b"\xff" * (at - end))
            else:
                file.seek(at)
            file.write(data)

    def erase(self, address):
        path = self._path(address // _SECTOR_BYTES)
        self._held = -1
        if _bytes_of(path) == 0:
            return
        try:
            with open(path, "wb"):
                pass
        except OSError:
            pass


def _blank(buffer, at):
    """As erased, from there to the end."""
    end = len(buffer)
    while at < end:
        count = min(_BLANK_BYTES, end - at)
        buffer[at : at + count] = _BLANK[:count]
        at += count


def _bytes_of(path):
    try:
        return os.stat(path)[6]
    except OSError:
        return 0
