"""The far end of a serial line that this host serves: a PTY or a TCP port."""

from __future__ import annotations

import contextlib
import os
import select
import socket
import termios
from abc import ABC, abstractmethod
from pathlib import Path
from typing import Final

from dosebench.base.errors import DosebenchError

UNREAD_BYTES_MAX: Final = 65_536

class LiveError(DosebenchError):
    """The port that other programs should use cannot be opened."""


class Endpoint(ABC):
    """The host's end of the simulated serial line."""

    name: str
    """What to give as `--port`."""

    @abstractmethod
    def receive_bytes(self, seconds: float) -> bytes:
        """What another program wrote; at most `seconds` of waiting for it."""

    @abstractmethod
    def send_bytes(self, data: bytes) -> int:
        """Take bytes for the other program; return how many were taken."""

    @abstractmethod
    def close(self) -> None:
        """Give the port back."""

    def read_baud(self) -> int | None:
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

    def receive_bytes(self, seconds: float) -> bytes:
        ready, _, _ = select.select([self._master], [], [], seconds)
        return os.read(self._master, 65_536) if ready else b""

    def send_bytes(self, data: bytes) -> int:
        try:
            return os.write(self._master, data)
        except BlockingIOError:
            return 0

    def read_baud(self) -> int | None:
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

    def receive_bytes(self, seconds: float) -> bytes:
        watched = [self._server, *([self._peer] if self._peer else [])]
        ready, _, _ = select.select(watched, [], [], seconds)
        if self._server in ready:
            self._accept_client()
        return self._read_client() if self._peer in ready else b""

    def _accept_client(self) -> None:
        peer, _ = self._server.accept()
        if self._peer is not None:
            peer.close()
            return
        peer.setblocking(False)
        peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._peer = peer

    def _read_client(self) -> bytes:
        data = b""
        if self._peer is not None:
            with contextlib.suppress(BlockingIOError, ConnectionError):
                data = self._peer.recv(65_536)
                if not data:
                    self._drop_client()
        return data

    def _drop_client(self) -> None:
        if self._peer is not None:
            self._peer.close()
            self._peer = None

    def send_bytes(self, data: bytes) -> int:
        if self._peer is None:
            return len(data)
        try:
            return self._peer.send(data)
        except BlockingIOError:
            return 0
        except ConnectionError:
            self._drop_client()
            return len(data)

    def close(self) -> None:
        self._drop_client()
        self._server.close()
