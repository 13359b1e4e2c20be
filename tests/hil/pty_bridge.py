"""A simulated pump on a pseudo-terminal, in real time or faster: to a host program it is a board on a serial port."""

from __future__ import annotations

import os
import select
import threading
import time
import tty
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from dosebench.twin.named import profile_settings
from dosebench.twin.twin import Twin

TICK_S: Final = 0.001
READ_BYTES: Final = 4096


class Bridge(threading.Thread):
    """Moves bytes between a PTY and a twin whose time runs at `speed` times real time.

    Attributes:
        error: What ended it before its time, or None.
    """

    def __init__(self, twin: Twin, master: int, speed: float) -> None:
        super().__init__(daemon=True)
        self._twin = twin
        self._master = master
        self._speed = speed
        self._stopping = threading.Event()
        self.error: BaseException | None = None

    def run(self) -> None:
        """Until `stop()`: the twin is touched by this thread only."""
        began, first_us = time.monotonic(), self._twin.machine.now_us
        try:
            while not self._stopping.is_set():
                self._tick(first_us + round((time.monotonic() - began) * self._speed * 1e6))
        except BaseException as error:
            self.error = error
            raise

    def _tick(self, until_us: int) -> None:
        readable, _, _ = select.select([self._master], [], [], TICK_S)
        if readable:
            self._twin.host_write(os.read(self._master, READ_BYTES))
        if until_us > self._twin.machine.now_us:
            self._twin.advance_us(until_us)
        if heard := self._twin.host_read(READ_BYTES):
            os.write(self._master, heard)

    def stop(self) -> None:
        """End the thread and wait for it."""
        self._stopping.set()
        self.join()


@contextmanager
def pump_on_pty(speed: float, runtime: str = "unix", seed: int = 0) -> Iterator[str]:
    """A powered pump on a PTY; gives the path of the PTY. Raises what broke the simulation, if something did."""
    master, slave = os.openpty()
    tty.setraw(slave)
    with Twin(profile_settings("implant-40", runtime, seed)).power_on() as twin:
        bridge = Bridge(twin, master, speed)
        bridge.start()
        try:
            yield os.ttyname(slave)
        finally:
            bridge.stop()
            os.close(master)
            os.close(slave)
    if bridge.error is not None:
        raise bridge.error
