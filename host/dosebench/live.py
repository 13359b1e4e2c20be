"""A simulated board in real time, on a pseudo-terminal or a TCP port, for programs that know nothing of twins.

Virtual time follows the wall clock at N times its speed. Bytes that nobody reads are lost after a while, as on a wire.
"""

from __future__ import annotations

import contextlib
import os
import random
import select
import socket
import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Final

from dosebench.base.errors import DosebenchError
from dosebench.twin.uart import garble

if TYPE_CHECKING:
    from dosebench.twin.twin import Twin

BUSY_S: Final = 0.002
IDLE_S: Final = 0.02
"""How long to sleep between two looks at the clock: while bytes flow, and when the line is quiet."""
QUIET_AFTER_S: Final = 0.5
TURN_S: Final = 0.05
"""Most real time that one move of virtual time stands for; a twin that cannot keep up runs as fast as it can."""
UNREAD_BYTES_MAX: Final = 65_536


class LiveError(DosebenchError):
    """The port that other programs should use cannot be opened."""


class Endpoint(ABC):
    """The host's end of the simulated serial line."""

    name: str
    """What to give as `--port`."""

    @abstractmethod
    def wait(self, seconds: float) -> bytes:
        """What another program wrote; at most `seconds` of waiting for it."""

    @abstractmethod
    def send(self, data: bytes) -> int:
        """Take bytes for the other program; return how many were taken."""

    @abstractmethod
    def close(self) -> None:
        """Give the port back."""

    def baud(self) -> int | None:
        """Baud rate that the other program has set; None where the port has none."""
        return None


class PtyEndpoint(Endpoint):
    """A pseudo-terminal; `link` makes a symbolic link to it with a name that stays.

    Raises LiveError where the system has no pseudo-terminals, or when something that is no link has the link's name.
    """

    def __init__(self, link: Path | None = None) -> None:
        try:
            import pty  # noqa: PLC0415
            import tty  # noqa: PLC0415
        except ImportError:
            raise LiveError("this system has no pseudo-terminals", hint="use `dosebench sim --tcp PORT`") from None
        self._link = link
        if link is not None and not link.is_symlink() and link.exists():
            raise LiveError(f"{link} exists and is no link", hint="choose another name for --link")
        self._master, self._slave = pty.openpty()
        tty.setraw(self._slave)
        os.set_blocking(self._master, False)
        self.name = os.ttyname(self._slave)
        if link is not None:
            link.unlink(missing_ok=True)
            link.symlink_to(self.name)

    def wait(self, seconds: float) -> bytes:
        ready, _, _ = select.select([self._master], [], [], seconds)
        return os.read(self._master, 65_536) if ready else b""

    def send(self, data: bytes) -> int:
        try:
            return os.write(self._master, data)
        except BlockingIOError:
            return 0

    def baud(self) -> int | None:
        import termios  # noqa: PLC0415

        code = termios.tcgetattr(self._slave)[5]
        for name in dir(termios):
            if name[0] == "B" and name[1:].isdecimal() and getattr(termios, name) == code:
                return int(name[1:]) or None
        return None

    def close(self) -> None:
        if self._link is not None and self._link.is_symlink():
            self._link.unlink()
        os.close(self._master)
        os.close(self._slave)


class TcpEndpoint(Endpoint):
    """A TCP port for one program at a time, which others reach as `socket://HOST:PORT`. Raises LiveError."""

    def __init__(self, address: str, port: int) -> None:
        try:
            self._server = socket.create_server((address, port))
        except OSError as error:
            raise LiveError(
                f"cannot listen at {address}:{port}: {error.strerror}",
                hint="choose another --tcp PORT; 0 takes a free one",
            ) from error
        self._peer: socket.socket | None = None
        self.name = f"socket://{address}:{self._server.getsockname()[1]}"

    def wait(self, seconds: float) -> bytes:
        watched = [self._server, *([self._peer] if self._peer else [])]
        ready, _, _ = select.select(watched, [], [], seconds)
        if self._server in ready:
            self._accept()
        return self._read() if self._peer in ready else b""

    def _accept(self) -> None:
        peer, _ = self._server.accept()
        if self._peer is not None:
            peer.close()
            return
        peer.setblocking(False)
        peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._peer = peer

    def _read(self) -> bytes:
        data = b""
        if self._peer is not None:
            with contextlib.suppress(BlockingIOError, ConnectionError):
                data = self._peer.recv(65_536)
                if not data:
                    self._drop()
        return data

    def _drop(self) -> None:
        if self._peer is not None:
            self._peer.close()
            self._peer = None

    def send(self, data: bytes) -> int:
        if self._peer is None:
            return len(data)
        try:
            return self._peer.send(data)
        except BlockingIOError:
            return 0
        except ConnectionError:
            self._drop()
            return len(data)

    def close(self) -> None:
        self._drop()
        self._server.close()


class Live:
    """A powered twin behind an endpoint, at `speed` times real time (above zero)."""

    def __init__(self, twin: Twin, endpoint: Endpoint, speed: float = 1.0) -> None:
        self._twin = twin
        self._endpoint = endpoint
        self._speed = speed
        self._unread = b""
        self._rng = random.Random(twin.settings.seed)
        self._busy_until = 0.0

    def run(self, going: Callable[[], bool] = lambda: True) -> None:
        """Run until `going()` is false, or until an exception such as KeyboardInterrupt ends it."""
        before = time.monotonic()
        while going():
            now = time.monotonic()
            self._move(min(now - before, TURN_S))
            before = now
            self._hear(self._endpoint.wait(BUSY_S if now < self._busy_until else IDLE_S))

    def _move(self, real_s: float) -> None:
        """Let virtual time pass, and give on what the pump says in it."""
        twin = self._twin
        line = twin.machine.to_host
        until = twin.machine.now_us + round(real_s * self._speed * 1e6)
        while True:
            twin.advance_us(until, stop=lambda: line.arrived(twin.machine.now_us) > 0)
            self._say(twin.host_read(UNREAD_BYTES_MAX))
            if twin.machine.now_us >= until:
                return

    def _say(self, data: bytes) -> None:
        baud = self._endpoint.baud()
        if data and baud is not None:
            data = garble(data, self._twin.machine.baud, baud, self._rng)
        self._unread = (self._unread + data)[-UNREAD_BYTES_MAX:]
        if self._unread:
            self._busy_until = time.monotonic() + QUIET_AFTER_S
            self._unread = self._unread[self._endpoint.send(self._unread) :]

    def _hear(self, data: bytes) -> None:
        if not data:
            return
        baud = self._endpoint.baud()
        if baud is not None:
            data = garble(data, baud, self._twin.machine.baud, self._rng)
        self._busy_until = time.monotonic() + QUIET_AFTER_S
        self._twin.host_write(data)
