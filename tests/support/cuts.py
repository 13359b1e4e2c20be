"""The power fails at every flash operation of a scenario: what was in the flash, and what must hold on the next boot.

The scenario runs once, and every flash operation is written down with the content before it. What a cut leaves follows
from that: the content before, torn or after the operation. A fresh pump then boots from it. The same again, with the
operations of that boot, gives the cuts at depth two.
"""

from __future__ import annotations

import hashlib
from array import array
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Literal

from dosebench.link.command_ids import MemoryIds
from dosebench.profile.device_config import mark_commissioned, seal_config
from dosebench.twin.flash import Flash, PowerCut
from dosebench.twin.persistent import profile_settings
from dosebench.twin.serial_port import Serial
from dosebench.twin.twin import Twin
from dosebench_protocol.tables import ENUMS
from pumpside import Client, PumpSide, therapy

When = Literal["before", "torn", "after"]
WHENS: tuple[When, ...] = ("before", "torn", "after")
BOLUS = 40
RATES = {1: 54_000, 2: 60_000, 3: 72_000}
"""Basal of each generation: ms per step."""
CONFIG = {
    "flash_sectors": 6,
    "fault_sectors": 2,
    "lease_ms": 600_000,
    "resets_max": 1_000,
    "watchdog_ms": 0,
    "disagree_steps": 1 << 29,
}
"""Two sectors in each ring, so that each wrap erases half of it; leases of ten minutes. Refills are only said, so the
sensor of the level may disagree."""
LEASE_STEPS = 12
SLOTS = 102
HOUR_US = 3_600_000_000
FAULT_KINDS = {ENUMS["RecordKind"][name] for name in ("alarm_raised", "alarm_ended", "alarm_cleared")}
ALARMS = {number: name for name, number in ENUMS["Alarm"].items()}
HARMLESS = {"clock_unknown", "reservoir_low"}
"""Alarms that a cut may leave on: no cut is damage."""


@dataclass
class Told:
    """What the pump had confirmed when an operation began.

    Attributes:
        act: What was asked of it and not confirmed yet.
        generation, running: Therapy and delivery, as confirmed.
        records, faults: Every record of journal and fault ring that it has reported, by number.
    """

    act: str = ""
    generation: int = 0
    running: bool = False
    records: dict[int, bytes] = field(default_factory=dict)
    faults: dict[int, bytes] = field(default_factory=dict)


@dataclass
class Operation:
    """One write (`data`) or erase of flash, and what was true when it began."""

    before: bytes
    address: int
    data: bytes | None
    told: Told
    steps_us: array[int]
    now_us: int

    @property
    def opens_or_commits(self) -> bool:
        """Whether it belongs to a commit or to the opening of a sector, which are cut at depth two."""
        return self.data is None or len(self.data) != 40 or self.told.act.startswith("program")


class Recorder(Flash):
    """Flash that writes down every operation."""

    def watch(self, side: PumpSide, told: Told, into: list[Operation]) -> None:
        self._side, self._told, self._into = side, told, into

    def _note(self, address: int, data: bytes | None) -> None:
        if hasattr(self, "_into"):
            twin = self._side.twin
            told = replace(self._told, records=dict(self._told.records), faults=dict(self._told.faults))
            self._into.append(
                Operation(bytes(self.data), address, data, told, array("q", twin.plant.steps_us), twin.machine.now_us)
            )

    def write(self, address: int, data: bytes) -> int:
        self._note(address, bytes(data))
        return super().write(address, data)

    def erase(self, address: int) -> int:
        self._note(address, None)
        return super().erase(address)


def content(operation: Operation, when: When, seed: int) -> Flash:
    """What a cut of this operation leaves in flash."""
    flash = Recorder(len(operation.before) // 4096, seed=seed, data=bytearray(operation.before))
    if when == "before":
        return flash
    if when == "torn":
        flash.cut_next("torn")
    try:
        if operation.data is None:
            flash.erase(operation.address)
        else:
            flash.write(operation.address, operation.data)
    except PowerCut:
        pass
    return flash


@contextmanager
def fresh(flash: Flash | None = None, steps_us: array[int] | None = None, now_us: int = 0) -> Iterator[PumpSide]:
    """A pump that is not powered yet: new, or with this flash and this past."""
    settings = profile_settings("implant-40", "cpython", 0)
    settings.config = seal_config(settings.config | CONFIG)
    with Twin(settings) as twin:
        twin.machine.flash = flash or Recorder(CONFIG["flash_sectors"])
        if flash is not None:
            twin.machine.config = mark_commissioned(twin.machine.config)
            twin.plant.steps_us = array("q", steps_us or ())
            twin.machine.now_us = now_us
        client = Client(Serial(twin=twin, baudrate=twin.machine.baud, timeout=0.1), MemoryIds())
        yield PumpSide(twin, client)


def ring(side: PumpSide, name: str) -> dict[int, bytes]:
    """All records that a ring holds, by number, as its journal reads them."""
    held = getattr(side.twin._runtime.pump.ledger, name)  # type: ignore[union-attr]
    found = {}
    record = bytearray(40)
    for sequence in range(held.first(), held.next):
        if held.read(sequence, record):
            found[sequence] = bytes(record)
    return found


class Scenario:
    """Programs, doses, alarms, and wraps both rings. `variant` 1 and 2 fill the rings to other places before."""

    def __init__(self, variant: int) -> None:
        self.variant = variant
        self.told = Told()
        self.operations: list[Operation] = []

    def run(self) -> None:
        with fresh() as side:
            side.twin.power_on()
            side.client.connect()
            flash = side.twin.flash
            assert isinstance(flash, Recorder)
            self._fill(side)
            flash.watch(side, self.told, self.operations)
            self._acts(side)

    def _act(self, side: PumpSide, name: str, **confirmed: Any) -> None:
        self.told.act = name
        getattr(self, "_" + name.partition(" ")[0])(side)
        for key, value in confirmed.items():
            setattr(self.told, key, value)
        self.told.act = ""
        self.told.records |= ring(side, "journal")
        self.told.faults |= ring(side, "faults")

    def _fill(self, side: PumpSide) -> None:
        """Before the first cut: alarms until the fault ring is nearly full; the journal is where the variant says."""
        self._act(side, "program 1", generation=1)
        while self._next(side, "faults") < 2 * SLOTS - 5 - 2 * self.variant:
            self._act(side, "alarm")
        while self._next(side, "journal") % SLOTS != (60, 80, 97)[self.variant]:
            side.client.set_clock(datetime(2026, 1, 1))

    @staticmethod
    def _next(side: PumpSide, name: str) -> int:
        return int(getattr(side.twin._runtime.pump.ledger, name).next)  # type: ignore[union-attr]

    def _acts(self, side: PumpSide) -> None:
        act = self._act
        act(side, "start", running=True)
        act(side, "wait")
        act(side, "program 2", generation=2)
        act(side, "bolus")
        for _ in range(4):
            act(side, "alarm")
        act(side, "wait")
        act(side, "patient" if self.variant == 1 else "square")
        act(side, "long")
        act(side, "program 3", generation=3)
        act(side, "stop", running=False)
        act(side, "start", running=True)
        act(side, "long")
        act(side, "alarm")
        act(side, "cancel")

    def _program(self, side: PumpSide) -> None:
        side.program(**program_of(self.told.generation + 1))

    def _start(self, side: PumpSide) -> None:
        side.client.start_delivery()

    def _stop(self, side: PumpSide) -> None:
        side.client.stop_delivery()

    def _bolus(self, side: PumpSide) -> None:
        side.client.give_bolus(BOLUS)

    def _patient(self, side: PumpSide) -> None:
        side.client.patient_bolus()

    def _square(self, side: PumpSide) -> None:
        side.client.square_bolus(BOLUS, 1_800_000)

    def _cancel(self, side: PumpSide) -> None:
        side.client.give_bolus(BOLUS)
        side.twin.advance_time(60)
        side.client.bolus_cancel()

    def _alarm(self, side: PumpSide) -> None:
        side.client.record_refill(6_000)
        side.client.record_refill(160_000)

    def _wait(self, side: PumpSide) -> None:
        side.twin.advance_time(5_400)

    def _long(self, side: PumpSide) -> None:
        side.twin.advance_time(6 * 3_600)


def program_of(generation: int) -> dict[str, Any]:
    """What the therapy of a generation changes."""
    patient = {"patient_steps": BOLUS, "patient_num": 1, "patient_den": 9_000, "patient_lockout_ms": 600_000}
    return {"basal_den": RATES[generation], "patient_per_day": 20, **patient}


@dataclass
class Campaign:
    """Boots from what cuts left, and looks. `states` holds a hash of every flash that was booted from.

    What is left after one operation is what is left before the next: the same flash with the same past is booted once.
    """

    states: set[bytes] = field(default_factory=set)
    seen: set[tuple[bytes, int, str, int]] = field(default_factory=set)

    def boot(self, operation: Operation, when: When, seed: int) -> list[Operation]:
        """Boot after a cut and check everything. Returns the flash operations of that boot."""
        flash = content(operation, when, seed)
        state, told = hashlib.sha256(flash.data).digest(), operation.told
        self.states.add(state)
        past = (state, len(operation.steps_us), told.act, max(told.records, default=0))
        if past in self.seen:
            return []
        self.seen.add(past)
        made: list[Operation] = []
        with fresh(flash, operation.steps_us, operation.now_us) as side:
            assert isinstance(flash, Recorder)
            flash.watch(side, operation.told, made)
            side.twin.power_on("brown_out")
            check(side, operation.told)
        return made


def ways(operations: list[Operation], stride: int, seeds: Sequence[int]) -> Iterator[tuple[Operation, When, int]]:
    """Every way to cut every `stride`-th operation; only a torn one depends on the seed."""
    for operation in operations[::stride]:
        for when in WHENS:
            for seed in seeds if when == "torn" else (0,):
                yield operation, when, seed


def cut_once(scenario: Scenario, stride: int, seeds: Sequence[int]) -> set[bytes]:
    """Cuts every `stride`-th operation of a scenario. Returns the flash states that were booted from."""
    campaign = Campaign()
    for operation, when, seed in ways(scenario.operations, stride, seeds):
        campaign.boot(operation, when, seed)
    return campaign.states


def cut_twice(scenario: Scenario, stride: int, seeds: Sequence[int]) -> set[bytes]:
    """Cuts every `stride`-th operation that opens or commits, and then every operation of the boot that follows."""
    campaign = Campaign()
    first = [operation for operation in scenario.operations if operation.opens_or_commits]
    for operation, when, seed in ways(first, stride, seeds):
        for again, when_again, seed_again in ways(campaign.boot(operation, when, seed), 1, seeds):
            campaign.boot(again, when_again, 1_000 * (seed + 1) + seed_again)
    return campaign.states


def check(side: PumpSide, told: Told) -> None:
    """What must hold on the boot after a cut, whatever the firmware was doing."""
    pump = side.twin._runtime.pump  # type: ignore[union-attr]
    ledger, true = pump.ledger, len(side.twin.plant.steps_us)
    assert ledger.facts.low <= true <= ledger.facts.high, (ledger.facts.low, true, ledger.facts.high)
    assert ledger.facts.high - ledger.facts.low <= 2 * (LEASE_STEPS + BOLUS)
    assert told.generation <= ledger.facts.generation <= told.generation + told.act.startswith("program")
    assert pump.store.program == therapy(**program_of(ledger.facts.generation))
    assert pump.store.generation == ledger.facts.generation
    # A copy that was cut at its last bits may read as whole now and not later: the other one is.
    assert any(pump.store._read_copy(at, ledger.facts.generation) == pump.store.program for at in pump.store._addresses)
    alarms = {ALARMS[number] for number in ledger.facts.latched}
    assert alarms <= HARMLESS, alarms
    assert ledger.facts.running == told.running or told.act in ("start", "stop")
    assert (ledger.facts.bolus_left, ledger.facts.square_left) == (0, 0)
    check_records(side, told)
    check_windows(side)
    check_goes_on(side)


def check_records(side: PumpSide, told: Told) -> None:
    """Every record that was reported and not overwritten is there, byte for byte, and every fault has one copy."""
    held = {name: ring(side, name) for name in ("journal", "faults")}
    for name, reported in (("journal", told.records), ("faults", told.faults)):
        ends = getattr(side.twin._runtime.pump.ledger, name)  # type: ignore[union-attr]
        assert list(held[name]) == list(range(ends.first(), ends.next))
        last = max(reported, default=-1)
        assert last < ends.next
        assert ends.next - ends.first() >= min(ends.next, SLOTS)
        wanted = {sequence: data for sequence, data in reported.items() if sequence >= ends.first()}
        assert wanted.items() <= held[name].items()
    copies = [int.from_bytes(data[28:32], "little") for data in held["faults"].values()]
    assert copies == sorted(set(copies))
    faults = [sequence for sequence, data in held["journal"].items() if data[10] in FAULT_KINDS]
    assert set(faults) - set(copies) == {sequence for sequence in faults if sequence < copies[0]}


def check_windows(side: PumpSide) -> None:
    """No window holds less than what was delivered within it."""
    guard = side.twin._runtime.pump.delivery.guard  # type: ignore[union-attr]
    now = side.twin.machine.now_us
    for (_, minutes), window in zip(guard._spans, guard._caps, strict=True):
        within = sum(1 for at in side.twin.plant.steps_us if at > now - minutes * 60_000_000)
        assert window.sum >= within, (minutes, window.sum, within)


def check_goes_on(side: PumpSide) -> None:
    """The therapy goes on at its rate, without catching up and without the bolus."""
    ledger = side.twin._runtime.pump.ledger  # type: ignore[union-attr]
    before, running = len(side.twin.plant.steps_us), ledger.facts.running
    side.twin.advance_time(3_600)
    made = len(side.twin.plant.steps_us) - before
    expected = 3_600_000 / RATES[ledger.facts.generation] if running else 0
    assert abs(made - expected) <= 1, (made, expected)
    assert ledger.facts.low <= len(side.twin.plant.steps_us) <= ledger.facts.high
