# Files that live in the twin: a close is a commit, as on littlefs.

import io

from world import FILE_READ, FILE_WRITE, WORLD

ENOENT = 2
ENOSPC = 28

FILE_BYTES = 8192
# More than any profile asks for.
SECTORS = 128


class Files:
    def __init__(self):
        self._into = bytearray(FILE_BYTES)

    def mount(self, readonly, mkfs):
        pass

    def content(self, path):
        length = WORLD.call(FILE_READ, 0, 0, 0, path.encode(), self._into)
        if length < 0:
            raise OSError(ENOENT)
        return memoryview(self._into)[:length]

    def open(self, path, mode):
        if mode == "r":
            return io.StringIO(bytes(self.content(path)).decode())
        if mode == "rb":
            return io.BytesIO(self.content(path))
        return File(path, b"" if mode == "wb" else self.content(path))

    def stat(self, path):
        return (0x8000, 0, 0, 0, 0, 0, len(self.content(path)), 0, 0, 0)

    def ilistdir(self, path):
        # The twin lists nothing: the pump's sectors are asked for by their names.
        for sector in range(SECTORS):
            try:
                size = len(self.content(path + "/" + str(sector)))
            except OSError:
                continue
            yield str(sector), 0x8000, 0, size

    def mkdir(self, path):
        pass


class File:
    def __init__(self, path, content):
        self._path = path
        self._content = bytearray(content)
        self._at = 0

    def seek(self, at):
        self._at = at

    def write(self, data):
        content, at = self._content, self._at
        self._at += len(data)
        if self._at > len(content):
            content.extend(bytes(self._at - len(content)))
        content[at : self._at] = data

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if WORLD.powered():
            raise RuntimeError("flash is written while the motor is on")
        if WORLD.call(FILE_WRITE, 0, 0, 0, self._path.encode() + b"\0" + self._content):
            raise OSError(ENOSPC)
