"""A pump on a twin, driven through its serial link, for tests that compare it with what it should do."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

from dosebench.client import MemoryIds, PumpClient
from dosebench.simport import Serial
from dosebench.twin.named import profile_settings
from dosebench.twin.runtimes import RuntimeName
from dosebench.twin.twin import Twin
from dosebench_protocol.codec import encode_struct
from dosebench_protocol.records import Record, decode_records

DAY_MS = 86_400_000

THERAPY: dict[str, Any] = {
    "format": 1,
    "therapy_id": b"test-one",
    "drug": b"baclofen",
    "step_ng_num": 500,
    "step_ng_den": 1,
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
    "hour_ng_max": 2_000_000,
    "day_ng_max": 12_000_000,
    "reservoir_steps": 160_000,
    "low_steps": 8_000,
    "empty_steps": 4_000,
    "stability_days": 0,
    "on_low": "keep",
}


def therapy(**changes: Any) -> bytes:
    """An encoded therapy for the implant-40 profile."""
    return encode_struct("therapy", **(THERAPY | changes))


@dataclass
class PumpSide:
    """A twin, a client on its serial line, and the exact volume that it should have delivered.

    Attributes:
        ideal: Basal steps that were due at `at_ms` of pump time.
        boluses: (start in ms, steps, steps per ms) of every bolus.
    """

    twin: Twin
    client: PumpClient
    ideal: Fraction = Fraction(0)
    at_ms: int = 0
    rate: Fraction = Fraction(0)
    running: bool = False
    boluses: list[tuple[int, int, Fraction]] = field(default_factory=list)

    @property
    def pump_ms(self) -> int:
        """Pump time on the first boot: milliseconds since it was powered."""
        machine = self.twin.machine
        return (machine.now_us - machine.booted_us) // 1000

    def settle(self) -> None:
        """Let time stand at a whole second, so that runs on different interpreters stay together.

        The hello reply names the interpreter, and is not of the same length on all.
        """
        self.twin.advance_us((self.twin.machine.now_us // 5_000_000 + 1) * 5_000_000)

    def program(self, **changes: Any) -> None:
        """Stage and commit a therapy."""
        data = therapy(**changes)
        self.client.stage(data)
        outcome = self.client.commit(data)
        made = THERAPY | changes
        self._at(outcome)
        self.rate = Fraction(made["basal_num"], made["basal_den"])

    def start(self) -> None:
        self._at(self.client.start())
        self.running = True

    def stop(self) -> None:
        self._at(self.client.stop())
        self.running = False

    def bolus(self, steps: int) -> None:
        outcome = self.client.bolus(steps)
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
        return decode_records(b"".join(self.client.journal(first)))


@contextmanager
def pump(runtime: RuntimeName = "cpython", *, seed: int = 0, **config: int) -> Iterator[PumpSide]:
    """A fresh pump of the implant-40 profile, connected; `config` replaces figures of its profile."""
    settings = profile_settings("implant-40", runtime, seed)
    settings.config.update(config)
    with Twin(settings) as twin:
        twin.power_on()
        client = PumpClient(Serial(twin=twin, baudrate=twin.machine.baud, timeout=0.1), MemoryIds())
        client.connect()
        side = PumpSide(twin, client)
        side.settle()
        yield side
