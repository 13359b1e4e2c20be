# The protocol's port: a UART, or the USB serial port that is otherwise the REPL's.

import select
import sys
import time

from const import const
from machine import UART, Pin
from pump.wire import FRAME_BYTES_MAX

# Two of the longest frames each way: one in work, one behind it.
_BUFFER_BYTES = 2 * FRAME_BYTES_MAX
# Longer than a frame takes at 9600 baud: a write that is refused for so long is dropped.
_WRITE_MS = const(2000)
_BITS_A_BYTE_MS = const(10_000)


class Port:
    def __init__(self, stream):
        self._poller = select.poll()
        self._poller.register(stream, select.POLLIN)

    def wait(self, ms):
        """Sleep until a byte is there, at most `ms`; return whether one is. Allocates nothing: ipoll() reuses what
        it gives."""
        for _ in self._poller.ipoll(ms):
            return True
        return False


class UartPort(Port):
    def __init__(self, given):
        self._uart = UART(
            given["id"],
            baudrate=given["baud"],
            tx=Pin(given["tx"]),
            rx=Pin(given["rx"]),
            txbuf=_BUFFER_BYTES,
            rxbuf=_BUFFER_BYTES,
            timeout=_WRITE_MS,
        )
        super().__init__(self._uart)
        self._baud = given["baud"]
        self._frame_ms = self._line_ms(FRAME_BYTES_MAX)
        # Looked at in every turn: a difference of ticks turns round after six days.
        self._sending = False
        self._idle_at = 0

    def _line_ms(self, count):
        return count * _BITS_A_BYTE_MS // self._baud + 1

    def read(self, buffer):
        self._left_ms()
        count = self._uart.any()
        if count == 0:
            return 0
        # No more than what is there: a read of more waits for it.
        return self._uart.readinto(buffer, min(count, len(buffer))) or 0

    def write(self, data):
        self._idle_at = time.ticks_add(time.ticks_ms(), self._left_ms() + self._line_ms(len(data)))
        self._sending = True
        rest = memoryview(data)
        while len(rest) > 0:
            sent = self._uart.write(rest)
            if not sent:
                return
            rest = rest[sent:]

    def _left_ms(self):
        # No family says how full its transmit buffer is; the line's speed does.
        if not self._sending:
            return 0
        left = time.ticks_diff(self._idle_at, time.ticks_ms())
        self._sending = left > 0
        return left if self._sending else 0

    def busy_ms(self):
        left = self._left_ms() - self._frame_ms
        return left if left > 0 else 0


class UsbPort(Port):
    """Bytes of the USB serial port come one by one: asked for more than there are, it waits."""

    def __init__(self):
        super().__init__(sys.stdin)
        self._in = sys.stdin.buffer
        self._out = sys.stdout.buffer
        self._byte = bytearray(1)

    def read(self, buffer):
        count = 0
        while count < len(buffer) and self.wait(0):
            self._in.readinto(self._byte)
            buffer[count] = self._byte[0]
            count += 1
        return count

    def write(self, data):
        self._out.write(data)

    def busy_ms(self):
        # The driver takes what the host fetches; a host that fetches nothing is not waited for.
        return 0


def port(given):
    return UsbPort() if given["kind"] == "usb" else UartPort(given)
