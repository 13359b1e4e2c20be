"""A simulated pump that is programmed, started and left to deliver: what every run in virtual time has in common.

`days` lets days pass on it, `scenario` lets things happen to it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from typing import Any, Final

from dosebench_protocol.records import decode_records

from dosebench.base.units import DAY_MS
from dosebench.journal.history import pump_ms
from dosebench.link.client import PumpClient
from dosebench.link.command_ids import MemoryIds
from dosebench.link.ports import READ_TIMEOUT_S
from dosebench.therapy.program import Drug, Program
from dosebench.therapy.reading import same_reading
from dosebench.twin.persistent import profile_settings
from dosebench.twin.runtimes import RuntimeName
from dosebench.twin.serial_port import Serial
from dosebench.twin.twin import Twin, one_core

SETTLED_MS: Final = 5_000
"""Virtual time at which programming begins. The length of the hello reply depends on the runtime, and with it the time
that it takes on the wire; from here on all runtimes have the same time."""

CALENDAR: Final = datetime(2026, 1, 1, 8, 0)
"""What the simulated pump's calendar is set to."""

FLASH_MS: Final = 100
"""How long the writing of a record may hold up a step while a bolus runs: the erase of two sectors (45 ms each)."""

Progress = Callable[[float, float], None]
"""Called with days done and days in all."""


@contextmanager
def power_pump(
    program: Program, profile: str, runtime: RuntimeName | None, seed: int
) -> Iterator[tuple[Twin, PumpClient]]:
    """A new simulated pump and a client at its port. Its reservoir holds what the program says that it holds, so that
    what a level sensor sees agrees with what the pump reckons.

    Args:
        program: The therapy that the pump is for.
        profile: Name of the pump profile.
        runtime: Interpreter of the firmware; None takes the best that is installed.
        seed: Decides noise; the same seed gives the same journal on every runtime.
    """
    settings = profile_settings(profile, runtime, seed)
    settings.plant.fill_nl = float(program.reservoir_steps * program.step_nl)
    with one_core(), Twin(settings).power_on() as twin:
        port = Serial(twin=twin, baudrate=settings.baud, timeout=READ_TIMEOUT_S)
        yield twin, PumpClient(port, MemoryIds())


def before_bridge(program: Program) -> Program:
    """What a new pump is programmed with before a program with a bridge: the old drug, and no delivery.

    A bridge is carried out only by a pump whose therapy in force holds the drug that the bridge says.
    """
    ratio = program.bridge_ng / program.step_ng
    return replace(
        program,
        mode="stopped",
        drugs=tuple(Drug(drug.name, drug.bridge_ng_num, drug.bridge_ng_den) for drug in program.drugs),
        caps=tuple(replace(cap, ng=int(cap.ng * ratio)) for cap in program.caps),
        bridge_steps=0,
        periodic_steps=0,
    )


class VirtualRun:
    """One run under way. Virtual times are in ms since the twin was made; delivery starts at `start_ms`.

    Args:
        twin, client: The pump, new and powered.
        program: The therapy that the run begins with.
        length_ms: How long delivery is watched.
        progress: Called with days done and days in all.
    """

    slice_ms = DAY_MS
    """Most virtual time between two calls of `progress`."""

    def __init__(
        self, twin: Twin, client: PumpClient, program: Program, length_ms: int, *, progress: Progress | None
    ) -> None:
        self.twin = twin
        self.client = client
        self.program = program
        self.length_ms = length_ms
        self.progress = progress
        self.start_ms = 0
        self.runtime_version = ""
        self.firmware = ""

    @property
    def end_ms(self) -> int:
        """Virtual time at which the run ends."""
        return self.start_ms + self.length_ms

    def connect_pump(self) -> None:
        """Connect, and let the time pass until programming begins."""
        hello = self.client.connect()
        self.runtime_version = hello["runtime"].decode()
        self.firmware = f"{hello['firmware_major']}.{hello['firmware_minor']}.{hello['firmware_patch']}"
        self.twin.advance_us(SETTLED_MS * 1000)

    def begin_therapy(self) -> dict[str, Any]:
        """Put the first program in force, after the old drug's where it begins with a bridge; outcome of its commit.

        Raises:
            DosebenchError: The pump refused, or its own reading of the program differs from the host's.
        """
        if self.program.bridge_steps:
            self.put_in_force(before_bridge(self.program))
        return self.put_in_force(self.program)

    def put_in_force(self, program: Program) -> dict[str, Any]:
        """Stage and commit a program; outcome of the commit. Raises DosebenchError, as `begin_therapy`."""
        encoded = program.encode_program()
        same_reading(program, self.client.stage_program(encoded))
        return self.client.commit_program(encoded)

    def shift_ms(self) -> int:
        """Virtual time less pump time, which is behind by what the boots took; asks the pump for its last boot."""
        return self.twin.machine.booted_us // 1000 - self.client.boot_ms()

    def record_ms(self, outcome: dict[str, Any]) -> int:
        """Pump time at which a command took effect: that of its record, in whole milliseconds.

        The firmware stamps a record with its clock at the beginning of the run of its loop in which it carries the
        command out, and its schedule counts from the same reading of the clock.
        """
        return pump_ms(decode_records(next(iter(self.client.read_journal(outcome["record"]))))[0])

    def advance_to(self, until_ms: int) -> None:
        """Let virtual time pass until `until_ms`."""
        now_ms = self.twin.machine.now_us // 1000
        while now_ms < until_ms:
            now_ms = min(now_ms + self.slice_ms, until_ms)
            self.twin.advance_us(now_ms * 1000)
            if self.progress is not None:
                self.progress(max(0, now_ms - self.start_ms) / DAY_MS, self.length_ms / DAY_MS)
