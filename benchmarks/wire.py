"""The journal over a line: how much of what the line could carry, and against `mpremote fs cp` of the same bytes.

Shares of the line's capacity are taken in virtual time, from the first byte of the request to the last record, and
repeat exactly. The comparison is in real time: every contestant is a process that connects, copies the same bytes to a
file and ends, over the same proxy, which lets bytes pass at the baud rate. Behind it is the simulated pump, or the REPL
of the unix MicroPython (`resume`: that REPL has no soft reset, for which a plain connect waits for ever).
"""

from __future__ import annotations

import os
import select
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import Final

from dosebench.journal.download import Coding, download_records
from dosebench.link.client import PumpClient
from dosebench.link.command_ids import MemoryIds
from dosebench.link.endpoint import TcpEndpoint
from dosebench.profile.device_config import seal_config
from dosebench.twin.live import Live
from dosebench.twin.persistent import profile_settings
from dosebench.twin.serial_port import Serial
from dosebench.twin.twin import Twin
from dosebench.twin.uart import Line

from .measure import Figure, interleave_rounds, ratio_figure
from .therapy import PROFILE, encode_program

CODINGS: Final[tuple[Coding, ...]] = ("whole", "delta")
BAUDS: Final = (115_200, 921_600)
DAYS: Final = 40
ROUNDS: Final = 3
CAPACITY_MIN: Final = {"whole": 0.95, "delta": 2.5}
GAIN_MIN: Final = {"whole": 2.8, "delta": 6.0}
TOLERANCE: Final = 0.02
REAL_TOLERANCE: Final = 0.5
"""Wide: `mpremote` waits in steps of milliseconds, and a busy machine makes them longer."""
BIN: Final = Path(sys.executable).parent
BENCH_BAUD: Final = 4_000_000
"""Of the pump's own line in real time: the proxy is what holds its bytes back."""


def measure_figures(rounds: int = ROUNDS) -> list[Figure]:
    """Shares of the line's capacity, and how many times faster than `mpremote fs cp`."""
    shares = [line_share(baud, coding) for baud in BAUDS for coding in CODINGS]
    return [*shares, *compare_real(rounds)]


def grow_journal(days: int, baud: int) -> Twin:
    """A pump that has delivered for some days, with a bolus every other day."""
    settings = profile_settings(PROFILE, "cpython", 0, baud)
    settings.config = seal_config(settings.config | {"watchdog_ms": 0})
    twin = Twin(settings).power_on()
    client = client_of(twin)
    client.stage_program(encode_program())
    client.commit_program(encode_program())
    client.start_delivery()
    for day in range(days):
        twin.advance_time(86_400)
        if day % 2 == 0:
            client.give_bolus(20 + day)
    client.close()
    return twin


def client_of(twin: Twin) -> PumpClient:
    """A client at the twin's own port."""
    client = PumpClient(Serial(twin=twin, baudrate=twin.machine.baud, timeout=0.1), MemoryIds())
    client.connect()
    return client


def line_share(baud: int, coding: Coding) -> Figure:
    """Bytes of records a second, in units of the bytes a second that the line carries."""
    with grow_journal(DAYS, baud) as twin:
        client = client_of(twin)
        began = twin.now_s
        data = b"".join(download_records(client, coding=coding))
        capacity = (twin.now_s - began) * baud / 10
    name = "payload" if coding == "whole" else "decoded bytes"
    title = f"log: {name} / line capacity, {coding} records, {baud} baud"
    return Figure(title, len(data) / capacity, "ratio", "higher", TOLERANCE, limit=CAPACITY_MIN[coding])


def compare_real(rounds: int) -> list[Figure]:
    """`mpremote fs cp` in units of our download, of the same bytes over the same proxy in the same rounds."""
    baud = BAUDS[0]
    with ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        twin = stack.enter_context(grow_journal(DAYS, BENCH_BAUD))
        data = b"".join(client_of(twin).read_journal())
        (directory / "journal").write_bytes(data)
        pump = stack.enter_context(pace_line(stack.enter_context(serve_board(twin)), baud))
        repl = stack.enter_context(pace_line(stack.enter_context(serve_micropython(directory)), baud))
        out = directory / "copy"
        peer = [str(BIN / "mpremote"), "connect", repl, "resume", "fs", "cp", ":journal", str(out)]
        lines = {"mpremote fs cp": peer}
        lines |= {coding: [sys.executable, "-m", "benchmarks.pull", pump, str(out), coding] for coding in CODINGS}
        times = interleave_rounds(
            {name: partial(time_copy, line, out, data) for name, line in lines.items()}, rounds, 1
        )
    found = []
    for coding in CODINGS:
        once = ratio_figure("", times, ("mpremote fs cp", coding), REAL_TOLERANCE)
        title = f"log: mpremote fs cp / {coding} records, {baud} baud, real time"
        limit = GAIN_MIN[coding]
        found.append(Figure(title, once.value, "ratio", "higher", REAL_TOLERANCE, once.spread, limit))
    capacity = [len(data) / (taken * baud / 10) for taken in times["mpremote fs cp"]]
    return [*found, Figure("log: line capacity that mpremote fs cp uses", sum(capacity) / len(capacity), "ratio")]


def time_copy(command: list[str], out: Path, wanted: bytes) -> float:
    """Seconds of a process that copies the bytes to `out`."""
    out.unlink(missing_ok=True)
    began = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, timeout=600)
    taken = time.perf_counter() - began
    if len(out.read_bytes()) < len(wanted) or out.read_bytes()[: len(wanted)] != wanted:
        raise AssertionError(f"{command} copied something else")
    return taken


@contextmanager
def keep_running(act: Callable[[Callable[[], bool]], None]) -> Iterator[None]:
    """A thread that acts for as long as it is asked to."""
    going = True
    thread = threading.Thread(target=act, args=(lambda: going,), daemon=True)
    thread.start()
    try:
        yield
    finally:
        going = False
        thread.join()


@contextmanager
def serve_board(twin: Twin) -> Iterator[int]:
    """The simulated pump in real time: a descriptor of its end of the line."""
    endpoint = TcpEndpoint("127.0.0.1", 0)
    with keep_running(Live(twin, endpoint).run_until):
        link = socket.create_connection(("127.0.0.1", int(endpoint.name.rpartition(":")[2])))
        try:
            yield link.fileno()
        finally:
            link.close()
    endpoint.close()


@contextmanager
def serve_micropython(directory: Path) -> Iterator[int]:
    """The REPL of the unix MicroPython in a directory: a descriptor of its end of the line."""
    import pty  # noqa: PLC0415
    import tty  # noqa: PLC0415

    master, slave = pty.openpty()
    tty.setraw(slave)
    process = subprocess.Popen([str(BIN / "micropython")], stdin=slave, stdout=slave, stderr=slave, cwd=directory)
    try:
        yield master
    finally:
        process.kill()
        process.wait()
        os.close(master)
        os.close(slave)


@contextmanager
def pace_line(device: int, baud: int) -> Iterator[str]:
    """A pseudo-terminal whose bytes pass to and from `device` at the baud rate: its name."""
    import pty  # noqa: PLC0415
    import tty  # noqa: PLC0415

    master, slave = pty.openpty()
    tty.setraw(slave)
    with keep_running(partial(pass_on, device, master, baud)):
        yield os.ttyname(slave)
    os.close(master)
    os.close(slave)


def pass_on(device: int, host: int, baud: int, going: Callable[[], bool]) -> None:
    """Pass bytes on in both directions, each in its time."""
    lines = {device: (Line(baud), host), host: (Line(baud), device)}
    while going():
        ready, _, _ = select.select([device, host], [], [], 0.0005)
        now_us = time.monotonic_ns() // 1000
        for source, (line, target) in lines.items():
            if source in ready:
                line.send_bytes(now_us, os.read(source, 65_536))
            if due := line.take_bytes(now_us, 65_536):
                os.write(target, due)
