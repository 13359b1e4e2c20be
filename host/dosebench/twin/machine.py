"""The simulated hardware: answers the bench bus, and moves virtual time by what each operation takes."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from random import Random
from typing import Any, Final

from dosebench_protocol.tables import FRAME_BYTES_MAX

from dosebench.base.errors import DosebenchError
from dosebench.image.source import code_hash
from dosebench.twin.bus import Op, pack_reply
from dosebench.twin.flash import Flash
from dosebench.twin.plant import Plant
from dosebench.twin.uart import Line, Noise, garble_bytes

TICKS_MASK: Final = 0x3FFFFFFF
TICKS_AT_BOOT: Final = TICKS_MASK - 60_000
"""Boards start at 0; the twin starts a minute before the counter wraps, so that every run crosses a wrap."""
READS_PER_RUN_MAX: Final = 200_000
"""Flash reads, which take no virtual time, in one run of the firmware before it is taken to spin: some thirty times the
records of a full journal of 256 KiB."""


class SpinError(DosebenchError):
    """The firmware runs without an end and without letting time pass."""


class WatchdogBite(BaseException):
    """The watchdog resets the board inside an operation. Not an Exception: no firmware code can catch it."""


@dataclass(slots=True)
class Machine:
    """One board at one moment of virtual time.

    Attributes:
        config: What `boards` hands to the firmware as its profile.
        device_id: Four bytes.
        flash, plant: The parts that outlive a power cut.
        baud: Of the pump's UART.
        now_us: Virtual time since the twin was made.
        booted_us: When the firmware was last started.
        boots_us: When it was started since this object was made, in order.
        reset_cause: What the firmware is told (number of `ResetCause`).
        code: Hash of the code that was flashed; a boot finds what is there then.
        watchdog_us: When the watchdog bites; None while it is not armed.
        keys: Key of each role, as they were flashed; without any the board is unpaired.
        random_bytes: The board's random generator: so many bytes.
    """

    config: dict[str, Any]
    device_id: bytes
    flash: Flash
    plant: Plant
    baud: int = 115_200
    now_us: int = 0
    booted_us: int = 0
    boots_us: list[int] = field(default_factory=list)
    reset_cause: int = 1
    code: bytes = field(default_factory=code_hash)
    watchdog_us: int | None = None
    _reads: int = 0
    keys: Mapping[str, bytes] = field(default_factory=dict)
    random_bytes: Callable[[int], bytes] = field(default_factory=lambda: Random(0).randbytes)
    _line_rng: Random = field(default_factory=lambda: Random(0))
    to_device: Line = field(init=False)
    to_host: Line = field(init=False)

    def __post_init__(self) -> None:
        self.to_device = Line(self.baud, buffer_bytes=65_536)
        self.to_host = Line(self.baud)

    def begin_boot(self, cause: int) -> None:
        """The board starts: its counter, its watchdog and what it has received begin anew."""
        self.booted_us = self.now_us
        self.boots_us.append(self.now_us)
        self.reset_cause = cause
        self.watchdog_us = None
        self._reads = 0
        self.code = code_hash()
        self.to_device.clear_bytes()

    def read_ticks(self) -> int:
        """The firmware's millisecond counter, which wraps at 2^30."""
        return (self._ticks_at(self.now_us) + TICKS_AT_BOOT) & TICKS_MASK

    def _ticks_at(self, at_us: int) -> int:
        return (at_us - self.booted_us) * (1_000_000 + self.plant.settings.clock_ppm) // 1_000_000_000

    def _us_of_tick(self, since_boot: int) -> int:
        return self.booted_us - (-since_boot * 1_000_000_000 // (1_000_000 + self.plant.settings.clock_ppm))

    def tick_after_us(self, at_us: int) -> int:
        """When the firmware's counter next moves, at `at_us` or later."""
        ticks = self._ticks_at(at_us)
        return self._us_of_tick(ticks if self._us_of_tick(ticks) == at_us else ticks + 1)

    def wait_reply(self) -> bytes:
        """Header that ends a WAIT at the present time."""
        self._reads = 0
        self.plant.wake_up(self.now_us)
        return pack_reply(0, self.read_ticks(), 0, self.plant.read_encoder())

    def wake_at_us(self, delay_ms: int) -> int:
        """When a WAIT of `delay_ms` that begins now is over: on a tick of the firmware's counter."""
        return self._us_of_tick(self._ticks_at(self.now_us) + delay_ms)

    @property
    def code_flipped(self) -> bool:
        """Whether a bit of the code that the board holds differs from what was flashed: the fault `code_flip`."""
        return self.plant.faults.code_flip

    @code_flipped.setter
    def code_flipped(self, flipped: bool) -> None:
        self.plant.faults.code_flip = flipped

    def handle_operation(self, op: int, a: int, b: int, c: int, payload: bytes) -> tuple[bytes, bytes]:
        """Carry out one operation (not WAIT); return the header and payload of its reply."""
        value = 0
        out = b""
        if op == Op.MOTOR:
            value = self._run_motor(a, b, c)
        elif op == Op.UART_READ:
            out = self.to_device.take_bytes(self.now_us, a)
        elif op == Op.UART_WRITE:
            self.send_bytes(self.to_host, payload)
        elif op == Op.FLASH_READ:
            self._count_read()
            out = self.flash.read(a, b)
        elif op == Op.FLASH_WRITE:
            self._pass_flash(self.flash.write(a, payload))
        elif op == Op.FLASH_ERASE:
            usual_us = self.flash.erase(a)
            self._pass_flash(round(self.plant.faults.erase_time * 1000) or usual_us)
        elif op == Op.ADC:
            value = self.plant.sample_mv(a, self.now_us)
        elif op != Op.MOTOR_OFF:
            value, out = self._handle_rare(op, a)
        return pack_reply(len(out), self.read_ticks(), value, self.plant.read_encoder()), out

    def _run_motor(self, steps: int, step_ms: int, on_ms_max: int) -> int:
        done = 0
        while done < steps and (done + 1) * step_ms <= on_ms_max:
            self.plant.make_step(self.now_us)
            self._pass_time(step_ms * 1000)
            done += 1
        return done

    def _handle_rare(self, op: int, a: int) -> tuple[int, bytes]:
        """Reply value and payload of the operations that are not part of every turn of the loop."""
        if op == Op.COUNTER:
            return self.plant.flow_count(self.now_us), b""
        if op == Op.WATCHDOG:
            self.watchdog_us = self.now_us + a * 1000 if a else None
        elif op == Op.DRIVER:
            # The bus carries one call at a time, so outside of MOTOR the driver is on only by a fault.
            return int(self.plant.faults.driver_stuck), b""
        elif op == Op.CODE:
            held = bytearray(self.code)
            held[0] ^= self.code_flipped
            return 0, bytes(held)
        elif op == Op.HELLO:
            return 0, self._describe_board()
        elif op == Op.TONE:
            self.plant.sound_tone(a, self.now_us)
        elif op == Op.RANDOM:
            return 0, self.random_bytes(a)
        elif op == Op.UART_BUSY:
            return self._uart_busy_ms(), b""
        else:
            raise ValueError(f"the firmware asked for operation {op}, which the bench bus does not have")
        return 0, b""

    def _uart_busy_ms(self) -> int:
        frame_us = FRAME_BYTES_MAX * 10_000_000 // self.baud
        waiting_us = self.to_host.idle_us() - self.now_us
        return max(0, -(-(waiting_us - frame_us) // 1000))

    def _pass_flash(self, us: int) -> None:
        self.plant.flash_us += us
        began = self.now_us
        self._pass_time(us)
        if self.plant.faults.rx_overrun:
            self.to_device.drop_overrun(began, self.now_us, self.plant.faults.rx_overrun)

    def send_bytes(self, line: Line, data: bytes) -> None:
        """Put bytes on one direction of the serial line, as good as it is."""
        faults = self.plant.faults
        if faults.line_cut:
            return
        if faults.line_baud != 1:
            data = garble_bytes(data, round(self.baud * faults.line_baud), self.baud, self._line_rng)
        # The faults are in 1000 bytes, the shares of the noise in one.
        noise = Noise(
            faults.line_flip / 1000, faults.line_drop / 1000, faults.line_insert / 1000, faults.line_repeat / 1000
        )
        line.send_bytes(
            self.now_us + round(faults.line_delay * 1000), noise.hurt_bytes(data, self._line_rng) if noise else data
        )

    def _pass_time(self, us: int) -> None:
        """Let time pass inside an operation."""
        self.plant.busy_us += us
        self.now_us += us
        if self.watchdog_us is not None and self.now_us >= self.watchdog_us:
            raise WatchdogBite

    def _count_read(self) -> None:
        self._reads += 1
        if self._reads <= READS_PER_RUN_MAX:
            return
        if self.watchdog_us is None:
            raise SpinError(f"the firmware spins at {self.now_us} us: it reads flash without an end")
        # The reads of a real board would have taken that long.
        self.now_us = max(self.now_us, self.watchdog_us)
        raise WatchdogBite

    def _describe_board(self) -> bytes:
        told = {"config": self.config, "device_id": list(self.device_id), "reset_cause": self.reset_cause}
        told["code_hash"] = self.code.hex()
        told["keys"] = {role: key.hex() for role, key in self.keys.items()}
        return json.dumps(told, separators=(",", ":")).encode()
