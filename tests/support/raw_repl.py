"""A port with MicroPython's raw REPL behind it, in this process; `board` runs what is sent to it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from dosebench.flashing.errors import BoardError
from dosebench.flashing.repl import BANNER

Runner = Callable[[str], bytes]


class RawRepl:
    """The port.

    Args:
        run: Runs code; returns what it prints. A BoardError becomes the traceback that a board prints.
        deaf: How many tries to interrupt it go unheard: a pump that runs.
    """

    def __init__(self, run: Runner = lambda _: b"", *, deaf: int = 0) -> None:
        self.run = run
        self.deaf = deaf
        self.port = "/dev/board"
        self.timeout: float | None = None
        self.is_raw = False
        self.is_open = True
        self.sent: list[bytes] = []
        self.code: list[str] = []
        self.lost: type[Exception] | None = None
        self.said = b""
        self._out = bytearray()
        self._typed = bytearray()

    def write(self, data: bytes) -> int:
        self._check()
        self.sent.append(bytes(data))
        if b"\x03" in data:
            if self.deaf:
                self.deaf -= 1
                self._out += self.said
                return len(data)
            self.is_raw = False
        if not self.is_raw and b"\x01" not in data:
            return len(data)
        if data.endswith(b"\x05A\x01"):
            self._out += b"R\x00"
        elif data.endswith(b"\x01"):
            self.is_raw = True
            self._out += BANNER + b">"
        elif data.endswith(b"\x02"):
            self.is_raw = False
        else:
            self._type(data)
        return len(data)

    def _type(self, data: bytes) -> None:
        self._typed += data
        if not data.endswith(b"\x04"):
            return
        code, self._typed = self._typed[:-1].decode(), bytearray()
        self.code.append(code)
        try:
            said, wrong = self.run(code), b""
        except BoardError as error:
            said, wrong = b"", f"Traceback (most recent call last):\n{error}\n".encode()
        self._out += b"OK" + said + b"\x04" + wrong + b"\x04>"

    def read(self, size: int = 1) -> bytes:
        self._check()
        data = bytes(self._out[:size])
        del self._out[:size]
        return data

    @property
    def in_waiting(self) -> int:
        self._check()
        return len(self._out)

    def _check(self) -> None:
        if self.lost is not None:
            raise self.lost("the port went away")

    def flush(self) -> None:
        self._check()

    def close(self) -> None:
        self.is_open = False

    def __enter__(self) -> Any:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
