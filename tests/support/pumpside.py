"""A pump on a twin, driven through its serial link, for tests that compare it with what it should do."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

from dosebench.link.client import PumpClient, RefusedError, program_hash
from dosebench.link.command_ids import MemoryIds
from dosebench.profile.device_config import seal_config
from dosebench.twin.persistent import profile_settings
from dosebench.twin.runtimes import RuntimeName
from dosebench.twin.serial_port import Serial
from dosebench.twin.twin import Twin
from dosebench_protocol.codec import decode_struct, encode_struct
from dosebench_protocol.records import UNKNOWN_STEPS, Record, decode_records
from dosebench_protocol.tables import HASH_HEAD_BYTES

DAY_MS = 86_400_000

THERAPY: dict[str, Any] = {
    "format": 2,
    "therapy_id": b"test-one",
    "step_nl_num": 250,
    "step_nl_den": 1,
    "mode": "continuous",
    "basal_num": 1,
    "basal_den": 54_000,
    "minimum_num": 1,
    "minimum_den": 450_000,
    "bolus_num": 1,
    "bolus_den": 9_000,
    "bolus_steps_max": 500,
    "reservoir_steps": 160_000,
    "low_steps": 8_000,
    "empty_steps": 4_000,
    "stability_days": 0,
    "on_low": "keep",
    "on_cap": "minimum_rate",
    "square_steps_max": 500,
    "patient_steps": 0,
    "patient_num": 0,
    "patient_den": 0,
    "patient_lockout_ms": 0,
    "patient_per_day": 0,
    "periodic_steps": 0,
    "periodic_ms": 0,
    "periodic_num": 0,
    "periodic_den": 0,
    "prime_steps_max": 0,
    "prime_num": 0,
    "prime_den": 0,
    "path_version": 0,
    "path_nl": 0,
    "stall_retry_minutes": 0,
    "bridge_steps": 0,
    "bridge_num": 0,
    "bridge_den": 0,
    "change_permille_max": 0,
    "weekdays": bytes(7),
    "caps": [{"minutes": 60, "ng": 2_000_000}, {"minutes": 1440, "ng": 12_000_000}],
    "rates": [],
    "flex": [],
    "titration": [],
}

DRUG: dict[str, Any] = {
    "drug": b"baclofen",
    "step_ng_num": 500,
    "step_ng_den": 1,
    "bridge_ng_num": 0,
    "bridge_ng_den": 0,
}
"""The one drug of these programs."""


def examples(few: int, times: int = 50) -> int:
    """How many examples a property takes: `few` in `make test`, `times` as many in `make campaign`, and an eighth for
    each mutant of `make mutation`."""
    if os.environ.get("DOSEBENCH_HYPOTHESIS") == "mutation":
        return max(1, few // 8)
    return times * few if os.environ.get("DOSEBENCH_LONG") else few


def therapy(**changes: Any) -> bytes:
    """An encoded program for the implant-40 profile. Figures of its one drug are named as in `DRUG`; a cap is of that
    drug unless it says so; `hour_ng_max` and `day_ng_max` stand for the two caps."""
    made = THERAPY | DRUG | changes
    drug = {name: made.pop(name) for name in DRUG}
    name = drug.pop("drug")
    made = {"drugs": [{"name_bytes": len(name), **drug}], "drug_names": name} | made
    hour, day = made.pop("hour_ng_max", None), made.pop("day_ng_max", None)
    if hour is not None or day is not None:
        caps = [2_000_000 if hour is None else hour, 12_000_000 if day is None else day]
        made["caps"] = [{"minutes": 60, "ng": caps[0]}, {"minutes": 1440, "ng": caps[1]}]
    made["caps"] = [{"drug": 0} | cap for cap in made["caps"]]
    return encode_struct("program", **made)


class Client(PumpClient):
    """A client that says of each dose what its program says of it: tests of what differs send frames of their own."""

    program = b""
    """What doses are computed from: the program that this client committed, else the one that it reads from the pump.
    """

    step_volume: dict[str, Any] | None = None
    """Volume of a step, as refills state it; None asks the pump each time."""

    def commit_program(self, program: bytes) -> dict[str, Any]:
        """Put the staged program in force."""
        self.program = program
        return super().commit_program(program)

    def give_bolus(self, steps: int) -> dict[str, Any]:
        """Deliver `steps` on top of the basal."""
        return self._run_command("bolus", steps=steps, **self._computed(steps))

    def square_bolus(self, steps: int, duration_ms: int) -> dict[str, Any]:
        """Deliver `steps` evenly over `duration_ms`."""
        return self._run_command("square_bolus", steps=steps, duration_ms=duration_ms, **self._computed(steps))

    def give_priming(self, steps: int) -> dict[str, Any]:
        """Deliver the priming bolus that is armed."""
        return self._run_command("prime", steps=steps, **self._computed(steps))

    def record_refill(self, steps: int, withdrawn_steps: int | None = None) -> dict[str, Any]:
        """State what the reservoir holds."""
        volume = self.step_volume or self.read_status()
        volume = {name: volume[name] for name in ("step_nl_num", "step_nl_den")}
        withdrawn = UNKNOWN_STEPS if withdrawn_steps is None else withdrawn_steps
        return self._run_command("refill", steps=steps, withdrawn_steps=withdrawn, **volume)

    def _computed(self, steps: int) -> dict[str, Any]:
        try:
            self.program = self.program or self.read_program()[1]
        except RefusedError:
            # It has no program: what is sent does not matter.
            return {"program_hash": bytes(HASH_HEAD_BYTES), "ng": 0}
        return computed(self.program, steps)


def computed(program: bytes, steps: int) -> dict[str, Any]:
    """What a dose of `steps` was computed from, as its command says."""
    drug = decode_struct("program", program)["drugs"][0]
    ng = steps * drug["step_ng_num"] // drug["step_ng_den"]
    return {"program_hash": program_hash(program)[:HASH_HEAD_BYTES], "ng": ng}


@dataclass
class PumpSide:
    """A twin, a client on its serial line, and the exact volume that it should have delivered.

    Attributes:
        ideal: Basal steps that were due at `at_ms` of pump time.
        boluses: (start in ms, steps, steps per ms) of every bolus.
    """

    twin: Twin
    client: Client
    ideal: Fraction = Fraction(0)
    at_ms: int = 0
    rate: Fraction = Fraction(0)
    running: bool = False
    boluses: list[tuple[int, int, Fraction]] = field(default_factory=list)
    boot_ms: int = 0

    @property
    def pump_ms(self) -> int:
        """Pump time: what the journal knew at the last boot, and the milliseconds since then."""
        machine = self.twin.machine
        return self.boot_ms + (machine.now_us - machine.booted_us) // 1000

    def reset(self) -> None:
        """Lose power for a second, boot, and find out from the journal where pump time goes on."""
        self.twin.power_cycle(off_s=1)
        self.client.connect()
        boot = next(record for record in reversed(self.records()) if record.kind == "boot")
        self.boot_ms = boot.day * DAY_MS + boot.ms

    def settle(self) -> None:
        """Let time stand at a whole second, so that runs on different interpreters stay together.

        The hello reply names the interpreter, and is not of the same length on all.
        """
        self.twin.advance_us((self.twin.machine.now_us // 5_000_000 + 1) * 5_000_000)

    def program(self, **changes: Any) -> None:
        """Stage and commit a therapy."""
        data = therapy(**changes)
        self.client.stage_program(data)
        outcome = self.client.commit_program(data)
        made = THERAPY | changes
        self._at(outcome)
        self.rate = Fraction(made["basal_num"], made["basal_den"])

    def refill(self, steps: int, withdrawn: int | None = None) -> None:
        """Fill the true reservoir to so many steps, and tell the pump."""
        plant = self.twin.plant
        plant.refill_reservoir(steps * plant.settings.step_nl)
        self.client.record_refill(steps, withdrawn)

    def start(self) -> None:
        self._at(self.client.start_delivery())
        self.running = True

    def stop(self) -> None:
        self._at(self.client.stop_delivery())
        self.running = False

    def bolus(self, steps: int) -> None:
        outcome = self.client.give_bolus(steps)
        self.boluses.append((self._time(outcome), steps, Fraction(1, 9_000)))

    def _time(self, outcome: dict[str, Any]) -> int:
        record = self.records(outcome["record"])[0]
        return record.day * DAY_MS + record.ms

    def _at(self, outcome: dict[str, Any]) -> None:
        self.move_to(self._time(outcome))

    def move_to(self, ms: int) -> None:
        """Carry the basal's ideal volume forward to pump time `ms`."""
        if self.running:
            self.ideal += (ms - self.at_ms) * self.rate
        self.at_ms = ms

    def deviation(self) -> Fraction:
        """Steps that the motor made, less those that were due now."""
        self.move_to(self.pump_ms)
        ideal = self.ideal
        for start, steps, rate in self.boluses:
            ideal += min(Fraction(steps), (self.at_ms - start) * rate)
        return len(self.twin.plant.steps_us) - ideal

    def bolus_under_way(self) -> bool:
        """Whether the last bolus has steps left."""
        return bool(self.boluses) and (self.at_ms - self.boluses[-1][0]) * self.boluses[-1][2] < self.boluses[-1][1]

    def records(self, first: int = 0) -> list[Record]:
        """Journal records from `first` on, over the serial link."""
        return decode_records(b"".join(self.client.read_journal(first)))


@contextmanager
def pump(
    runtime: RuntimeName = "cpython", *, seed: int = 0, profile: str = "implant-40", **config: int
) -> Iterator[PumpSide]:
    """A fresh pump of a profile, connected; `config` replaces figures of its profile.

    There is no watchdog unless `config` says so: proving it costs a second boot.
    """
    settings = profile_settings(profile, runtime, seed)
    settings.config = seal_config(settings.config | {"watchdog_ms": 0} | config)
    with Twin(settings) as twin:
        twin.power_on()
        client = Client(Serial(twin=twin, baudrate=twin.machine.baud, timeout=0.1), MemoryIds())
        client.connect()
        side = PumpSide(twin, client)
        side.settle()
        yield side
