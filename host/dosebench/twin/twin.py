"""The twin: one simulated board, its physics and its clock."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from hashlib import sha256
from random import Random
from types import TracebackType
from typing import Any, Final

from dosebench_protocol.codec import KEYED_ROLES

from dosebench.base.errors import DosebenchError
from dosebench.profile.device_config import mark_commissioned
from dosebench.twin.faults import Value
from dosebench.twin.flash import CutPlan, Flash, PowerCut, When
from dosebench.twin.machine import Machine, WatchdogBite
from dosebench.twin.plant import Plant, PlantSettings
from dosebench.twin.runtimes import ProcessRuntime, Runtime, RuntimeName, boot_firmware, default_runtime

DAY_US: Final = 86_400_000_000
IDLE_RUNS_MAX: Final = 20_000
"""Runs of the firmware without any passing of time after which it is taken to spin."""
RESET_CAUSES: Final = {"power_on": 1, "brown_out": 2, "watchdog": 3, "software": 4}


class TwinError(DosebenchError):
    """The bench asked for something that the twin cannot do, or the firmware spins."""


@dataclass
class TwinSettings:
    """What a twin is made of.

    Attributes:
        config: The profile's figures for the firmware (`Profile.device_config()`).
        runtime: Interpreter of the firmware; None takes the best that is installed.
        seed: Decides noise and torn flash writes; the same seed and acts give the same run.
        baud: Of the pump's UART, in bits per second.
        plant: Constants of the physics.
        device_id: Four bytes; None derives them from the seed.
        keys: Key of each role; an empty mapping makes an unpaired board, None keys that `derived_keys` gives again.
    """

    config: dict[str, Any]
    runtime: RuntimeName | None = None
    seed: int = 0
    baud: int = 115_200
    plant: PlantSettings = field(default_factory=PlantSettings)
    device_id: bytes | None = None
    keys: Mapping[str, bytes] | None = None


def derived_keys(device_id: bytes) -> dict[str, bytes]:
    """Keys of a board that ends with its port: the same for the same id, so that a run can be repeated. No secret."""
    return {role: sha256(b"simulated " + role.encode() + device_id).digest() for role in KEYED_ROLES}


class Twin:
    """A simulated pump. Time stands still except inside `advance_time` and what calls it; usable as a context
    manager."""

    def __init__(self, settings: TwinSettings) -> None:
        self.settings = settings
        self.runtime_name: RuntimeName = settings.runtime or default_runtime()
        device_id = settings.device_id or (0xDB000000 | settings.seed & 0xFFFFFF).to_bytes(4, "big")
        flash = Flash(int(settings.config["flash_sectors"]), seed=settings.seed)
        plant = Plant(settings.plant, seed=settings.seed)
        self.machine = Machine(settings.config, device_id, flash, plant, baud=settings.baud)
        self.machine.keys = derived_keys(device_id) if settings.keys is None else settings.keys
        self.machine.random_bytes = Random(settings.seed).randbytes
        self._runtime: Runtime | None = None
        self._wake_us = 0
        self._cut_short = False
        # How the firmware is started; a twin that is kept puts its own way here.
        self.booter: Callable[[], Runtime] = lambda: boot_firmware(self.machine, self.runtime_name)

    # Power

    @property
    def powered(self) -> bool:
        """Whether the firmware runs."""
        return self._runtime is not None

    def power_on(self, cause: str = "power_on") -> Twin:
        """Boot the firmware. It does what is due at once; no time passes but what its flash takes."""
        if self._runtime is not None:
            raise TwinError("the twin is powered already")
        self.start_firmware(self.booter(), cause)
        return self

    def start_firmware(self, runtime: Runtime, cause: str) -> None:
        """Drive a firmware that has just been started."""
        self._begin_boot(cause)
        self.attach_firmware(runtime)
        self.advance_us(0)
        if self.powered:
            # As whoever flashes a pump does, once it has booted.
            self.machine.config = mark_commissioned(self.machine.config)

    def detach_firmware(self) -> None:
        """Let go of a firmware process without ending it."""
        if isinstance(self._runtime, ProcessRuntime):
            self._runtime.detach_child()
        self._runtime = None

    def _begin_boot(self, cause: str) -> None:
        self.machine.begin_boot(RESET_CAUSES[cause])
        self._cut_short = False
        self._wake_us = self.machine.now_us

    def attach_firmware(self, runtime: Runtime, wake_us: int | None = None) -> None:
        """Drive this firmware from now on; `wake_us` says when it wants to wake, if it waits already."""
        self._runtime = runtime
        if wake_us is not None:
            self._wake_us = wake_us

    @property
    def wake_us(self) -> int:
        """When the firmware wants to wake, in microseconds of virtual time."""
        return self._wake_us

    def power_off(self) -> None:
        """Cut the power, wherever the firmware is. Flash, reservoir and time stay."""
        if self._runtime is not None:
            self._runtime.cut_power()
            self._runtime = None

    def power_cycle(self, off_s: float = 0.0, cause: str = "brown_out") -> None:
        """Cut the power, let `off_s` seconds pass, and boot again."""
        self.power_off()
        self.machine.now_us += round(off_s * 1e6)
        self.power_on(cause)

    def cut_at(self, operation: int, when: When) -> None:
        """Cut the power at flash operation number `operation` of the twin's life (see `flash_operations`)."""
        self.machine.flash.cut = CutPlan(operation, when)

    @property
    def flash_operations(self) -> int:
        """Flash writes and erases so far."""
        return self.machine.flash.operations

    # Time

    @property
    def now_s(self) -> float:
        """Virtual time, in seconds since the twin was made."""
        return self.machine.now_us / 1e6

    def advance_time(self, seconds: float) -> None:
        """Let `seconds` of virtual time pass."""
        self.advance_us(self.machine.now_us + round(seconds * 1e6))

    def advance_us(self, until_us: int, stop: Callable[[], bool] | None = None) -> None:
        """Let virtual time pass until `until_us`, or until `stop()` is true.

        Raises TwinError when the firmware spins. A planned power cut ends the firmware and lets time go on.
        """
        machine = self.machine
        spins = 0
        while True:
            if self._runtime is not None and self._is_wake_due():
                before = machine.now_us
                self._run_firmware(self._runtime)
                spins = spins + 1 if machine.now_us == before else 0
                if spins > IDLE_RUNS_MAX:
                    raise TwinError(f"the firmware spins at {machine.now_us} us: it wants to run without an end")
                continue
            if self._is_watchdog_due():
                self._reset_board()
                if machine.now_us <= until_us:
                    continue
            if machine.now_us >= until_us or (stop is not None and stop()):
                self.plant.account_until(machine.now_us)
                return
            machine.now_us = min(until_us, self._next_event(stop is not None))
            spins = 0

    def _is_watchdog_due(self) -> bool:
        deadline = self.machine.watchdog_us
        return self._runtime is not None and deadline is not None and self.machine.now_us >= deadline

    def _reset_board(self) -> None:
        """The watchdog resets the board; its next boot is due now."""
        self.power_off()
        self.plant.faults.hang = False
        self._begin_boot("watchdog")
        self.attach_firmware(self.booter())

    def _is_wake_due(self) -> bool:
        if self._cut_short or self.plant.faults.hang:
            return False
        arrived = self.machine.to_device.next_us()
        now = self.machine.now_us
        # A sleeping board notices a byte at its next millisecond.
        return now >= self._wake_us or (arrived is not None and self.machine.tick_after_us(arrived) <= now)

    def _next_event(self, watch_host: bool) -> int:
        machine = self.machine
        events = [] if self._runtime is None else self._board_events()
        to_host = machine.to_host.next_us()
        if watch_host and to_host is not None:
            events.append(to_host)
        later = [at for at in events if at > machine.now_us]
        return min(later, default=machine.now_us + DAY_US)

    def _board_events(self) -> list[int]:
        machine = self.machine
        events = [self._wake_us]
        arrived = machine.to_device.next_us()
        if arrived is not None:
            events.append(machine.tick_after_us(arrived))
        if machine.watchdog_us is not None:
            events.append(machine.watchdog_us)
        return events

    def _run_firmware(self, runtime: Runtime) -> None:
        try:
            delay_ms = runtime.run_turn()
        except PowerCut:
            self.power_off()
            return
        except WatchdogBite:
            self._cut_short = True
            return
        self._wake_us = self.machine.wake_at_us(delay_ms)

    # The host's end of the serial line

    def host_write(self, data: bytes) -> None:
        """Put bytes on the line towards the pump."""
        self.machine.send_bytes(self.machine.to_device, data)

    def host_read(self, limit: int) -> bytes:
        """Bytes that have arrived from the pump by now."""
        return self.machine.to_host.take_bytes(self.machine.now_us, limit)

    # What only a bench can see

    @property
    def plant(self) -> Plant:
        """The physics: reservoir, motor, battery, catheter."""
        return self.machine.plant

    @property
    def flash(self) -> Flash:
        """The flash chip."""
        return self.machine.flash

    def set_fault(self, name: str, value: Value | str | None = None) -> None:
        """Break something from now on, or mend it: `name` of `faults.KINDS` or `none` for all, and the fault's value.

        Without a value it takes its usual one; 0, False or "off" end it. Raises FaultError.
        """
        self.plant.set_fault(name, value, self.machine.now_us)

    def step_times_ms(self) -> list[int]:
        """Virtual time of every step that the motor made, in milliseconds."""
        return [at // 1000 for at in self.plant.steps_us]

    def close(self) -> None:
        """Cut the power and give the process back."""
        self.power_off()

    def __enter__(self) -> Twin:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


@contextmanager
def one_core() -> Iterator[None]:
    """Keep this thread, and the firmware processes it starts, on one core: a bus round trip takes as little as a fifth.

    How much it helps depends on where the system would have put them (`make bench`). Does nothing where the system has
    no affinity calls.
    """
    if not hasattr(os, "sched_setaffinity"):
        yield
        return
    allowed = os.sched_getaffinity(0)
    cores = sorted(allowed)
    os.sched_setaffinity(0, {cores[os.getpid() % len(cores)]})
    try:
        yield
    finally:
        os.sched_setaffinity(0, allowed)
