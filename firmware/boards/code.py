# The hash of the code as the board holds it: whole at boot, then again in pieces.
#
# A chip takes the better part of a second for all of it, and a step may be due. So a look at it later gives what the
# last pass found, and begins the next one, which goes on between turns. The other place that knows the rule is
# dosebench.image.source.

import hashlib
import os

from const import const

_PIECE_BYTES = const(2048)
_DIGEST_BYTES = const(32)
_DIRECTORY = const(0x4000)


class Code:
    """SHA-256 over path, length and content of every Python file below `root`, in the order of the paths."""

    def __init__(self, root):
        self._root = root
        self._files = []
        self._file = None
        self._digest = None
        self._piece = bytearray(_PIECE_BYTES)
        self._found = b""

    def hash(self):
        """What the last pass found; the first is made now."""
        if not self._found:
            self._begin()
            while self._digest is not None:
                self.work()
        elif self._digest is None:
            self._begin()
        return self._found

    def _begin(self):
        self._files = sorted(self._below(""), reverse=True)
        self._digest = hashlib.sha256()

    def _below(self, directory):
        found = []
        for entry in os.ilistdir(self._root + "/" + directory):
            path = directory + entry[0]
            if entry[1] == _DIRECTORY:
                found += self._below(path + "/")
            elif path.endswith(".py") or path.endswith(".mpy"):
                found.append(path)
        return found

    def work(self):
        """A piece of the pass that is under way, if one is."""
        if self._digest is None:
            return
        try:
            if self._file is None and self._files:
                self._open(self._files.pop())
            self._add()
        except OSError:
            # A file that cannot be read is no code that was flashed.
            self._end(bytes(_DIGEST_BYTES))

    def _open(self, path):
        full = self._root + "/" + path
        self._digest.update((path + "\0" + str(os.stat(full)[6]) + "\0").encode())
        # It stays open from piece to piece.
        self._file = open(full, "rb")  # noqa: SIM115

    def _add(self):
        count = 0 if self._file is None else self._file.readinto(self._piece)
        if count:
            self._digest.update(memoryview(self._piece)[:count])
        if count < _PIECE_BYTES:
            self._close()
            if not self._files:
                self._end(self._digest.digest())

    def _close(self):
        if self._file is not None:
            self._file.close()
            self._file = None

    def _end(self, found):
        self._close()
        self._digest = None
        self._found = found
