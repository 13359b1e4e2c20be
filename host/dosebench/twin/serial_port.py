"""The serial port of a twin, for pyserial: `sim://` and `sim://NAME`.

`sim://` makes a twin that ends with the port. `sim://NAME` keeps flash, plant, time and the running firmware between
commands. Options follow a question mark: `sim://bench?profile=implant-20&runtime=wasm&seed=3&baud=9600`.

Time belongs to the reader: `read()` moves virtual time to the next byte or to its timeout, and `monotonic()` is the
clock that deadlines are measured on. Nothing waits for real.
"""

from __future__ import annotations

import os
import random
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final

from serial import SerialBase, SerialException  # type: ignore[attr-defined,unused-ignore]

if TYPE_CHECKING:
    from dosebench.twin.twin import Twin

POLL_US: Final = 1000
"""What asking for `in_waiting` costs when nothing waits, so that a polling program does not stand still."""
BLOCKING_READ_S: Final = 86_400.0
"""Longest virtual time that a read without a timeout waits for a byte."""


class Serial(SerialBase):  # type: ignore[misc,unused-ignore]
    """A port in the sense of pyserial. `twin` is the simulated pump behind it."""

    BAUDRATES = SerialBase.BAUDRATES

    def __init__(self, *args: Any, twin: Twin | None = None, **kwargs: Any) -> None:
        self.twin: Twin | None = twin
        self._release: Callable[[], None] | None = None
        self._rng = random.Random(0)
        self._nonces = random.Random(1)
        self._kept = False
        super().__init__(*args, **kwargs)
        if twin is not None:
            self.is_open = True

    def open(self) -> None:
        """Find or make the twin that the URL names. Raises SerialException."""
        if self.is_open:
            raise SerialException("Port is already open.")
        from dosebench.base.errors import DosebenchError  # noqa: PLC0415
        from dosebench.twin.persistent import SimOptions, open_url  # noqa: PLC0415

        try:
            self.twin, self._release = open_url(str(self.portstr))
            self._kept = bool(SimOptions.parse_url(str(self.portstr)).name)
        except DosebenchError as error:
            raise SerialException(str(error)) from error
        self.is_open = True

    def close(self) -> None:
        """Let go of the twin: a nameless one loses its power, a named one is kept as it is."""
        if not self.is_open:
            return
        self.is_open = False
        release, self._release = self._release, None
        if release is not None:
            release()

    def _reconfigure_port(self, force_update: bool = False) -> None:
        del force_update

    def _open_twin(self) -> Twin:
        if not self.is_open or self.twin is None:
            raise SerialException("Attempting to use a port that is not open")
        return self.twin

    @property
    def keys(self) -> Mapping[str, bytes] | None:
        """Keys of a board that was made with this port and ends with it; None of a kept one, whose keys the host's
        store has."""
        return None if self._kept else self._open_twin().machine.keys

    def nonce(self, length: int) -> bytes:
        """Random bytes for a session: the same in every run; from the system for a kept board."""
        return os.urandom(length) if self._kept else self._nonces.randbytes(length)

    def monotonic(self) -> float:
        """Seconds on the clock of this port: virtual time."""
        return self._open_twin().now_s

    @property
    def in_waiting(self) -> int:
        """Bytes that can be read now. Moves time a little when there are none."""
        twin = self._open_twin()
        line = twin.machine.to_host
        count = line.count_arrived(twin.machine.now_us)
        if count == 0:
            twin.advance_us(twin.machine.now_us + POLL_US)
            count = line.count_arrived(twin.machine.now_us)
        return count

    def read(self, size: int = 1) -> bytes:
        """Up to `size` bytes; moves virtual time until they are there or the timeout is over."""
        twin = self._open_twin()
        timeout = BLOCKING_READ_S if self.timeout is None else float(self.timeout)
        deadline = twin.machine.now_us + round(timeout * 1e6)
        line = twin.machine.to_host
        data = self._garble_heard(twin.host_read(size))
        while len(data) < size and twin.machine.now_us < deadline:
            twin.advance_us(deadline, stop=lambda: line.count_arrived(twin.machine.now_us) > 0)
            data += self._garble_heard(twin.host_read(size - len(data)))
        if self.timeout is None and len(data) < size:
            raise SerialException(f"a read without a timeout got nothing in {BLOCKING_READ_S:.0f} s of virtual time")
        return data

    def write(self, data: Any) -> int:
        """Put bytes on the line; they arrive in their time while somebody reads or advances."""
        twin = self._open_twin()
        data = bytes(data)
        twin.host_write(self._garble_sent(data))
        return len(data)

    def _garble_sent(self, data: bytes) -> bytes:
        from dosebench.twin.uart import garble_bytes  # noqa: PLC0415

        return garble_bytes(data, int(self.baudrate), self._open_twin().machine.baud, self._rng)

    def _garble_heard(self, data: bytes) -> bytes:
        from dosebench.twin.uart import garble_bytes  # noqa: PLC0415

        return garble_bytes(data, self._open_twin().machine.baud, int(self.baudrate), self._rng)

    def flush(self) -> None:
        """Let virtual time pass until everything written has arrived."""
        twin = self._open_twin()
        twin.advance_us(max(twin.machine.now_us, twin.machine.to_device.idle_us()))

    def reset_input_buffer(self) -> None:
        """Drop what has arrived."""
        self._open_twin().host_read(1 << 30)

    def reset_output_buffer(self) -> None:
        """Nothing is held back here: what was written is on the line."""
        self._open_twin()

    cts = dsr = cd = property(lambda _self: True)
    ri = property(lambda _self: False)
    out_waiting = property(lambda _self: 0)

    def _update_rts_state(self) -> None:
        """The simulated line has no control wires."""

    def _update_dtr_state(self) -> None:
        """The simulated line has no control wires."""

    def _update_break_state(self) -> None:
        """The simulated line has no control wires."""
