"""The main job in virtual time: program a simulated pump, let days pass, download its journal, judge every step.

The firmware runs on the interpreter that is asked for and is reached only through its serial port. Every step that the
simulated motor made is held against `reference.Timeline`; nothing is rounded and no tolerance is added.
"""

from __future__ import annotations

import hashlib
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from fractions import Fraction
from importlib.metadata import version
from typing import Any, Final

from dosebench_protocol.records import Record, RecordError, decode_records

from dosebench.client import MemoryIds, PumpClient
from dosebench.diff import disagreements
from dosebench.errors import DosebenchError
from dosebench.history import DAY_MS
from dosebench.ports import READ_TIMEOUT_S
from dosebench.program import Program, Reading
from dosebench.reference import Bolus, Segment, Timeline
from dosebench.simport import Serial
from dosebench.store import verify_held
from dosebench.twin.named import profile_settings
from dosebench.twin.runtimes import RuntimeName
from dosebench.twin.twin import Twin, one_core

SETTLED_MS: Final = 5_000
"""Virtual time at which programming begins. The length of the hello reply depends on the runtime, and with it the time
that it takes on the wire; from here on all runtimes have the same time."""

CALENDAR: Final = datetime(2026, 1, 1, 8, 0)
"""What the simulated pump's calendar is set to."""

SLICE_MS: Final = DAY_MS // 4
"""How much virtual time passes between two calls of `progress`."""

HALF: Final = Fraction(1, 2)

BOLUS_LATE_MS: Final = 200
"""How late a step may be while a bolus runs: one motor makes the steps of both streams one after the other (100 ms),
and a record may be written (45 ms for an erase) just when a step is due. Does not apply to the basal alone."""

Progress = Callable[[float, float], None]


class SimulationError(DosebenchError):
    """The simulated pump did not do what was asked; the text says what."""


@dataclass(frozen=True)
class BolusOrder:
    """A bolus of `steps` motor steps, asked for `after_ms` after the start of delivery."""

    after_ms: int
    steps: int


@dataclass(frozen=True)
class SimulationResult:
    """What a simulation showed. Volumes in mL, times in ms since the start of delivery.

    Attributes:
        runtime, seed, days: What was asked.
        program: The therapy.
        step_times_ms: When each motor step began.
        start_ms: Pump time at which delivery started.
        timeline: The exact schedule, in pump time.
        max_deviation: Largest distance between steps made and schedule, in steps.
        limit: What it may be: 1/2 for the basal, more while boluses run.
        journal: Raw records, as downloaded.
        journal_whole: Whether sequence and hash chain of the journal hold.
        counted_steps: Lifetime steps by the pump's own count at the end.
        made_steps: Lifetime steps of the simulated motor at that moment.
        alarms: Every alarm that was raised: (name, ms since the start).
        expected_alarms: Names of those that the schedule explains.
        runtime_version, firmware: As the pump told.
        wall_s: Seconds that the simulated days took.
    """

    runtime: RuntimeName
    seed: int
    days: float
    program: Program
    step_times_ms: list[int]
    start_ms: int
    timeline: Timeline
    max_deviation: Fraction
    limit: Fraction
    journal: list[bytes]
    journal_whole: bool
    counted_steps: tuple[int, int]
    made_steps: int
    alarms: list[tuple[str, int]]
    expected_alarms: frozenset[str]
    runtime_version: str
    firmware: str
    wall_s: float

    @property
    def end_ms(self) -> int:
        """Pump time at which the simulation ended."""
        return self.start_ms + round(self.days * DAY_MS)

    @property
    def expected_steps(self) -> Fraction:
        """Steps that a perfect pump would have made."""
        return self.timeline.ideal_steps(self.end_ms)

    @property
    def unexpected_alarms(self) -> list[str]:
        """Names of alarms that should not have been."""
        return sorted({name for name, _ in self.alarms} - self.expected_alarms)

    @property
    def records(self) -> list[Record]:
        """The journal, decoded."""
        return decode_records(b"".join(self.journal))

    @property
    def events(self) -> dict[str, int]:
        """How many journal records there are of each kind."""
        return dict(sorted(Counter(record.kind for record in self.records).items()))

    def faults(self) -> list[str]:
        """What is wrong, as sentences; empty when all is well."""
        found = []
        if self.max_deviation > self.limit:
            found.append(f"a step was {float(self.max_deviation):.6g} steps off; {self.limit} are allowed")
        found += [f"the alarm {name} should not have been" for name in self.unexpected_alarms]
        low, high = self.counted_steps
        if not low <= self.made_steps <= high:
            found.append(f"the pump counted {low} to {high} steps, the motor made {self.made_steps}")
        if not self.journal_whole:
            found.append("the hash chain of the journal is broken")
        return found

    def to_json(self) -> dict[str, Any]:
        """JSON values under stable keys; docs/CLI.md lists them."""
        step_ml = self.program.step_nl / 10**6
        faults = self.faults()
        return {
            "ok": not faults,
            "faults": faults,
            "runtime": self.runtime,
            "runtime_version": self.runtime_version,
            "firmware": self.firmware,
            "dosebench": version("dosebench"),
            "seed": self.seed,
            "days": self.days,
            "drug": self.program.drug.decode(errors="replace"),
            "daily_dose_ug": float(self.program.daily_ng / 1000),
            "steps": len(self.step_times_ms),
            "expected_steps": float(self.expected_steps),
            "delivered_ml": float(len(self.step_times_ms) * step_ml),
            "expected_ml": float(self.expected_steps * step_ml),
            "delivered_ug": float(len(self.step_times_ms) * self.program.step_ng / 1000),
            "max_deviation_steps": float(self.max_deviation),
            "max_deviation_exact": str(self.max_deviation),
            "limit_steps": float(self.limit),
            "counted_steps": {"low": self.counted_steps[0], "high": self.counted_steps[1]},
            "journal_hash": hashlib.sha256(b"".join(self.journal)).hexdigest(),
            "journal_records": len(self.journal),
            "journal_whole": self.journal_whole,
            "events": self.events,
            "alarms": [{"alarm": name, "day": round(at / DAY_MS, 4)} for name, at in self.alarms],
            "unexpected_alarms": self.unexpected_alarms,
            "refill": self._refill(),
            "pump_days_per_second": round(self.days / self.wall_s, 2),
            "wall_s": round(self.wall_s, 3),
        }

    def _refill(self) -> dict[str, Any]:
        reading = self.program.reading()
        return {"due_days": reading.refill_days, "limited_by": reading.refill_limit}


def simulate(
    program: Program,
    profile: str,
    days: float,
    runtime: RuntimeName | None = None,
    seed: int = 0,
    *,
    progress: Progress | None = None,
    boluses: Sequence[BolusOrder] = (),
) -> SimulationResult:
    """Run a program on a simulated pump.

    Args:
        program: The therapy, as `check` built it.
        profile: Name of the pump profile that it was built for.
        days: Virtual days of delivery, above zero; rounded to a millisecond.
        runtime: Interpreter of the firmware; None takes the best that is installed.
        seed: Decides noise; the same seed gives the same journal on every runtime.
        progress: Called with days done and days in all.
        boluses: Clinician boluses, in order of time.

    Raises:
        DosebenchError: The pump refused, or its own reading of the program differs from the host's.
    """
    if days <= 0:
        raise SimulationError("a simulation needs more than zero days")
    settings = profile_settings(profile, runtime, seed)
    with one_core(), Twin(settings).power_on() as twin:
        port = Serial(twin=twin, baudrate=settings.baud, timeout=READ_TIMEOUT_S)
        run = _Run(twin, PumpClient(port, MemoryIds()), program, round(days * DAY_MS), progress)
        return run.all(boluses)


def same_reading(program: Program, answer: dict[str, Any]) -> Reading:
    """The device's reading of a staged program. Raises SimulationError when it is not the host's.

    Args:
        program: What was staged.
        answer: The reply to `therapy_verify`.
    """
    theirs = Reading(**answer)
    if names := disagreements(program.reading(), theirs):
        raise SimulationError(f"host and pump read the program differently: {', '.join(names)}")
    return theirs


class _Run:
    """One simulation under way."""

    def __init__(
        self, twin: Twin, client: PumpClient, program: Program, length_ms: int, progress: Progress | None
    ) -> None:
        self.twin = twin
        self.client = client
        self.program = program
        self.length_ms = length_ms
        self.progress = progress
        self.start_ms = 0
        self.boluses: list[Bolus] = []

    def all(self, boluses: Sequence[BolusOrder]) -> SimulationResult:
        hello = self.client.connect()
        self.twin.advance_us(SETTLED_MS * 1000)
        self._program()
        self.start_ms = self._moment(self.client.start())
        began = time.perf_counter()
        for order in boluses:
            self._advance(self.start_ms + order.after_ms)
            outcome = self.client.bolus(order.steps)
            self.boluses.append(Bolus(self._moment(outcome), order.steps, self.program.bolus_rate))
        self._advance(self.start_ms + self.length_ms)
        return self._judge(hello, time.perf_counter() - began)

    def _program(self) -> None:
        encoded = self.program.encode()
        same_reading(self.program, self.client.stage(encoded))
        self.client.commit(encoded)
        self.client.set_clock(CALENDAR)

    def _moment(self, outcome: dict[str, Any]) -> int:
        """Pump time at which a command took effect: that of its record, in whole milliseconds.

        The firmware stamps a record with its clock at the beginning of the run of its loop in which it carries the
        command out, and its schedule counts from the same reading of the clock. A new twin's pump time is its virtual
        time.
        """
        raw = next(iter(self.client.journal(outcome["record"])))
        record = decode_records(raw)[0]
        return record.day * DAY_MS + record.ms

    def _advance(self, until_ms: int) -> None:
        now_ms = self.twin.machine.now_us // 1000
        while now_ms < until_ms:
            now_ms = min(now_ms + SLICE_MS, until_ms)
            self.twin.advance_us(now_ms * 1000)
            if self.progress is not None:
                self.progress(max(0, now_ms - self.start_ms) / DAY_MS, self.length_ms / DAY_MS)

    def _judge(self, hello: dict[str, Any], wall_s: float) -> SimulationResult:
        end_ms = self.start_ms + self.length_ms
        steps = [at for at in self.twin.step_times_ms() if at <= end_ms]
        battery_low = self.twin.machine.config["battery_low_mv"] > self.twin.plant.battery_mv(end_ms * 1000)
        timeline, expected = self._schedule(steps)
        journal = list(self.client.journal())
        status = self.client.status()
        return SimulationResult(
            runtime=self.twin.runtime_name,
            seed=self.twin.settings.seed,
            days=self.length_ms / DAY_MS,
            program=self.program,
            step_times_ms=steps,
            start_ms=self.start_ms,
            timeline=timeline,
            max_deviation=timeline.max_deviation(steps, self.start_ms, end_ms),
            limit=self._limit(),
            journal=journal,
            journal_whole=_whole(journal),
            counted_steps=(status["low_steps"], status["high_steps"]),
            made_steps=self.twin.plant.encoder(),
            alarms=self._alarms(journal),
            expected_alarms=frozenset(expected | ({"battery_low"} if battery_low else set())),
            runtime_version=hello["runtime"].decode(),
            firmware=f"{hello['firmware_major']}.{hello['firmware_minor']}.{hello['firmware_patch']}",
            wall_s=wall_s,
        )

    def _schedule(self, steps: list[int]) -> tuple[Timeline, set[str]]:
        """The exact schedule, and the alarms that it explains.

        The reservoir reaches a level with one certain step; what the therapy says about a low level applies from the
        moment of that step.
        """
        program = self.program
        segments = [Segment(self.start_ms, program.rate)]
        expected = set()
        to_low = program.reservoir_steps - program.low_steps
        if to_low <= len(steps):
            expected.add("reservoir_low")
            low_ms = steps[to_low - 1] if to_low else self.start_ms
            if program.on_low == "minimum_rate":
                segments.append(Segment(low_ms, Fraction(program.minimum_num, program.minimum_den)))
            elif program.on_low == "stop":
                segments.append(Segment(low_ms, Fraction(0)))
        to_empty = program.reservoir_steps - program.empty_steps
        if to_empty <= len(steps):
            expected.add("reservoir_empty")
            segments.append(Segment(steps[to_empty - 1], Fraction(0)))
        return Timeline(tuple(segments), tuple(self.boluses)), expected

    def _limit(self) -> Fraction:
        if not self.boluses:
            return HALF
        return 2 * HALF + BOLUS_LATE_MS * (self.program.rate + self.program.bolus_rate)

    def _alarms(self, journal: list[bytes]) -> list[tuple[str, int]]:
        raised = []
        for record in decode_records(b"".join(journal)):
            if record.kind == "alarm_raised":
                at = record.day * DAY_MS + record.ms - self.start_ms
                raised += [(name, at) for name in record.fields["raised"]]
        return raised


def _whole(journal: list[bytes]) -> bool:
    try:
        verify_held(decode_records(b"".join(journal)))
    except RecordError:
        return False
    return True


def reading_json(reading: Reading) -> dict[str, Any]:
    """A reading as JSON values: ids in hex, the drug as text."""
    values = asdict(reading)
    values["drug"] = reading.drug.decode(errors="replace")
    return {name: value.hex() if isinstance(value, bytes) else value for name, value in values.items()}
