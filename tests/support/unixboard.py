"""A board on this machine: MicroPython's unix port at its REPL, with a littlefs of its own, on a PTY or TCP port.

What goes through the line is passed on byte by byte, as a USB-UART bridge does. `machine.reset()` ends the process, and
a new one boots from the same flash; `cut()` does that at any moment. Ctrl-C interrupts what runs.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import socket
import subprocess
import sys
import termios
import threading
import tty
from pathlib import Path
from typing import Any, Final

from dosebench.image.source import firmware_dir

PROLOGUE: Final = Path(__file__).with_name("unixboard_boot.py")
BLOCK_BYTES: Final = 4096
BLOCKS: Final = 212
"""Of the file system of a Pico W: 848 KiB."""


class UnixBoard:
    """One board. `port` is what a host opens.

    Args:
        directory: Where its flash lies.
        tcp: A TCP port instead of a pseudo-terminal.
        blocks: Of 4096 bytes, of its flash.
        heap: Of MicroPython, such as "512k".
        bus: Two FIFOs, to the board and from it: what the firmware on it does reaches a twin there.
        told: What it says of itself: family, and name, version and mpy where they are not those of the unix port.
    """

    def __init__(
        self,
        directory: Path,
        *,
        tcp: bool = False,
        blocks: int = BLOCKS,
        heap: str = "512k",
        bus: tuple[Path, Path] | None = None,
        **told: Any,
    ) -> None:
        self.image = directory / "board.img"
        if not self.image.exists():
            self.image.write_bytes(b"\xff" * blocks * BLOCK_BYTES)
        options = [str(self.image), str(blocks), json.dumps({"family": "rp2", "bus": [*map(str, bus or ())]} | told)]
        argv = ["micropython", "-X", f"heapsize={heap}", "-i", str(PROLOGUE), *options, str(firmware_dir())]
        self._command = [sys.executable, "-c", f"import sys, micropython_unix as m; sys.argv = {argv!r}; m.main()"]
        self._process: subprocess.Popen[bytes] | None = None
        self.boots = 0
        self.said = b""
        self._power = threading.Lock()
        self._inner, self._inner_slave = os.openpty()
        tty.setraw(self._inner_slave)
        mode = termios.tcgetattr(self._inner_slave)
        # MicroPython takes this away while it reads a line, and gives it back while it runs something.
        mode[3] |= termios.ISIG
        termios.tcsetattr(self._inner_slave, termios.TCSANOW, mode)
        self._running_mode = mode
        self._server: socket.socket | None = None
        self._peer: socket.socket | None = None
        if tcp:
            self._server = socket.create_server(("127.0.0.1", 0))
            self.port = f"socket://127.0.0.1:{self._server.getsockname()[1]}"
            self._outer = -1
        else:
            self._outer, self._outer_slave = os.openpty()
            tty.setraw(self._outer_slave)
            self.port = os.ttyname(self._outer_slave)
        self._stop_reader, self._stop_writer = os.pipe()
        self._thread = threading.Thread(target=self._carry, daemon=True)
        self._boot()
        self._thread.start()

    def _boot(self) -> None:
        termios.tcsetattr(self._inner_slave, termios.TCSANOW, self._running_mode)
        termios.tcflush(self._inner_slave, termios.TCIOFLUSH)
        slave = self._inner_slave
        self._process = subprocess.Popen(
            self._command,
            stdin=slave,
            stdout=slave,
            stderr=slave,
            start_new_session=True,
            # Python would end by a Ctrl-C that comes before MicroPython listens for it.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_IGN),  # noqa: PLW1509
        )
        self.boots += 1

    def cut(self) -> None:
        """Cut the power, and give it back."""
        with self._power:
            self._end()
            self._boot()

    def _end(self) -> None:
        assert self._process is not None
        self._process.kill()
        self._process.wait()

    def _carry(self) -> None:
        """Pass bytes on, and boot what has been reset."""
        while True:
            watched = [self._inner, self._stop_reader, *(end for end in (self._host_end(), self._server) if end)]
            ready, _, _ = select.select(watched, [], [], 0.05)
            if self._stop_reader in ready:
                return
            if self._server in ready and self._server is not None:
                self._peer, _ = self._server.accept()
                self._peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if self._host_end() in ready:
                self._to_board(self._read_host())
            if self._inner in ready:
                data = os.read(self._inner, 4096)
                self.said += data
                self._to_host(data)
            with self._power:
                if self._process is not None and self._process.poll() is not None:
                    self._boot()

    def _host_end(self) -> Any:
        return self._peer if self._server is not None else self._outer

    def _read_host(self) -> bytes:
        if self._peer is None:
            return os.read(self._outer, 4096)
        data = self._peer.recv(4096)
        if not data:
            self._peer.close()
            self._peer = None
        return data

    def _to_board(self, data: bytes) -> None:
        assert self._process is not None
        interrupted = False
        for number, part in enumerate(data.split(b"\x03")):
            if number and termios.tcgetattr(self._inner_slave)[3] & termios.ISIG:
                # Once: to a chip a second Ctrl-C is the same interrupt, and the unix port ends by one that comes
                # before it has seen the first.
                if not interrupted:
                    with contextlib.suppress(ProcessLookupError):
                        self._process.send_signal(signal.SIGINT)
                interrupted = True
            elif number:
                os.write(self._inner, b"\x03")
            os.write(self._inner, part)

    def _to_host(self, data: bytes) -> None:
        if self._server is None:
            # What nobody reads is lost, as on a wire.
            if select.select([], [self._outer], [], 0)[1]:
                os.write(self._outer, data)
        elif self._peer is not None:
            with contextlib.suppress(OSError):
                self._peer.sendall(data)

    def close(self) -> None:
        """Take the board away."""
        os.write(self._stop_writer, b"x")
        self._thread.join()
        self._end()
        ends = [self._inner, self._inner_slave, self._stop_reader, self._stop_writer]
        if self._server is None:
            ends += [self._outer, self._outer_slave]
        else:
            self._server.close()
        if self._peer is not None:
            self._peer.close()
        for end in ends:
            os.close(end)
