"""A simulated board in real time, on a pseudo-terminal or a TCP port, for programs that know nothing of twins.

Virtual time follows the wall clock at N times its speed. Bytes that nobody reads are lost after a while, as on a wire.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from dosebench.link.endpoint import UNREAD_BYTES_MAX, Endpoint
from dosebench.twin.uart import garble_bytes

if TYPE_CHECKING:
    from dosebench.twin.twin import Twin

BUSY_S: Final = 0.002
IDLE_S: Final = 0.02
"""How long to sleep between two looks at the clock: while bytes flow, and when the line is quiet."""
QUIET_AFTER_S: Final = 0.5
TURN_S: Final = 0.05
"""Most real time that one move of virtual time stands for; a twin that cannot keep up runs as fast as it can."""


class Live:
    """A powered twin behind an endpoint, at `speed` times real time (above zero)."""

    def __init__(self, twin: Twin, endpoint: Endpoint, speed: float = 1.0) -> None:
        self._twin = twin
        self._endpoint = endpoint
        self._speed = speed
        self._unread = b""
        self._rng = random.Random(twin.settings.seed)
        self._busy_until = 0.0

    def run_until(self, going: Callable[[], bool] = lambda: True) -> None:
        """Run until `going()` is false, or until an exception such as KeyboardInterrupt ends it."""
        before = time.monotonic()
        while going():
            now = time.monotonic()
            self._pass_time(min(now - before, TURN_S))
            before = now
            self._receive_bytes(self._endpoint.receive_bytes(BUSY_S if now < self._busy_until else IDLE_S))

    def _pass_time(self, real_s: float) -> None:
        """Let virtual time pass, and give on what the pump says in it."""
        twin = self._twin
        line = twin.machine.to_host
        until = twin.machine.now_us + round(real_s * self._speed * 1e6)
        while True:
            twin.advance_us(until, stop=lambda: line.count_arrived(twin.machine.now_us) > 0)
            self._send_bytes(twin.host_read(UNREAD_BYTES_MAX))
            if twin.machine.now_us >= until:
                return

    def _send_bytes(self, data: bytes) -> None:
        baud = self._endpoint.read_baud()
        if data and baud is not None:
            data = garble_bytes(data, self._twin.machine.baud, baud, self._rng)
        self._unread = (self._unread + data)[-UNREAD_BYTES_MAX:]
        if self._unread:
            self._busy_until = time.monotonic() + QUIET_AFTER_S
            self._unread = self._unread[self._endpoint.send_bytes(self._unread) :]

    def _receive_bytes(self, data: bytes) -> None:
        if not data:
            return
        baud = self._endpoint.read_baud()
        if baud is not None:
            data = garble_bytes(data, baud, self._twin.machine.baud, self._rng)
        self._busy_until = time.monotonic() + QUIET_AFTER_S
        self._twin.host_write(data)
