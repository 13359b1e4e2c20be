"""The simulated hardware: answers the bench bus, and moves virtual time by what each operation takes."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any, Final

from dosebench.twin.bus import Op, pack_reply
from dosebench.twin.flash import Flash
from dosebench.twin.plant import Plant
from dosebench.twin.uart import Line

TICKS_MASK: Final = 0x3FFFFFFF
TICKS_AT_BOOT: Final = TICKS_MASK - 60_000
"""Boards start at 0; the twin starts a minute before the counter wraps, so that every run crosses a wrap."""


@dataclass
class Machine:
    """One board at one moment of virtual time.

    Attributes:
        config: What `boards` hands to the firmware as its profile.
        device_id: Four bytes.
        flash, plant: The parts that outlive a power cut.
        baud: Of the pump's UART.
        now_us: Virtual time since the twin was made.
        booted_us: When the firmware was last started.
        reset_cause: What the firmware is told (number of `ResetCause`).
    """

    config: dict[str, Any]
    device_id: bytes
    flash: Flash
    plant: Plant
    baud: int = 115_200
    now_us: int = 0
    booted_us: int = 0
    reset_cause: int = 1
    to_device: Line = field(init=False)
    to_host: Line = field(init=False)

    def __post_init__(self) -> None:
        self.to_device = Line(self.baud, buffer_bytes=65_536)
        self.to_host = Line(self.baud)

    def ticks(self) -> int:
        """The firmware's millisecond counter, which wraps at 2^30."""
        return ((self.now_us - self.booted_us) // 1000 + TICKS_AT_BOOT) & TICKS_MASK

    def wait_reply(self) -> bytes:
        """Header that ends a WAIT at the present time."""
        self.plant.wakes += 1
        self.plant.run_away(self.now_us)
        return pack_reply(0, self.ticks(), 0, self.plant.encoder())

    def wake_at_us(self, delay_ms: int) -> int:
        """When a WAIT of `delay_ms` that begins now is over: on a tick of the firmware's counter."""
        since_boot = (self.now_us - self.booted_us) // 1000 + delay_ms
        return self.booted_us + since_boot * 1000

    def handle(self, op: int, a: int, b: int, c: int, payload: bytes) -> tuple[bytes, bytes]:
        """Carry out one operation (not WAIT); return the header and payload of its reply."""
        value = 0
        out = b""
        if op == Op.MOTOR:
            value = self._motor(a, b, c)
        elif op == Op.UART_READ:
            out = self.to_device.take(self.now_us, a)
        elif op == Op.UART_WRITE:
            self.to_host.send(self.now_us, payload)
        elif op == Op.FLASH_READ:
            out = self.flash.read(a, b)
        elif op == Op.FLASH_WRITE:
            self.now_us += self.flash.write(a, payload)
        elif op == Op.FLASH_ERASE:
            self.now_us += self.flash.erase(a)
        elif op == Op.ADC:
            value = self.plant.battery_mv(self.now_us)
        elif op == Op.HELLO:
            out = self._hello()
        elif op == Op.TONE:
            self.plant.tones.append((self.now_us, a))
        elif op != Op.MOTOR_OFF:
            raise ValueError(f"the firmware asked for operation {op}, which the bench bus does not have")
        return pack_reply(len(out), self.ticks(), value, self.plant.encoder()), out

    def _motor(self, steps: int, step_ms: int, on_ms_max: int) -> int:
        done = 0
        while done < steps and (done + 1) * step_ms <= on_ms_max:
            self.plant.step(self.now_us)
            self.now_us += step_ms * 1000
            done += 1
        return done

    def _hello(self) -> bytes:
        told = {"config": self.config, "device_id": list(self.device_id), "reset_cause": self.reset_cause}
        return json.dumps(told, separators=(",", ":")).encode()
