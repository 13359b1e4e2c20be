"""The main job in virtual time: program a simulated pump, let days pass, download its journal, judge every step.

The firmware runs on the interpreter that is asked for and is reached only through its serial port. Every step that the
simulated motor made is held against a perfect pump (`referencepump`) that is told the same commands at the pump time of
their journal records; nothing is rounded, and no tolerance is added while only the basal runs.
"""

from __future__ import annotations

import hashlib
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from importlib.metadata import version
from typing import Any, Final, Literal

from dosebench_protocol.records import Record, RecordError, decode_records

from dosebench.base.errors import DosebenchError
from dosebench.journal.history import DAY_MS, pump_ms
from dosebench.journal.store import verify_held
from dosebench.link.client import EPOCH, PumpClient, RefusedError
from dosebench.profile.load import load_profile
from dosebench.profile.model import Profile
from dosebench.profile.power import charges_uah
from dosebench.simulation.run import CALENDAR, FLASH_MS, Progress, VirtualRun, power_pump
from dosebench.therapy.energy import usage_per_day
from dosebench.therapy.expected_delivery import Expected
from dosebench.therapy.program import Program
from dosebench.twin.runtimes import RuntimeName
from dosebench.twin.twin import Twin

SLICE_MS: Final = DAY_MS // 4
"""How much virtual time passes between two calls of `progress`."""


class SimulationError(DosebenchError):
    """The simulated pump did not do what was asked; the text says what."""


@dataclass(frozen=True)
class BolusOrder:
    """A bolus that is asked for `after_ms` after the start of delivery.

    Attributes:
        after_ms: When.
        steps: Motor steps; a patient bolus has those of the program.
        kind: Who asks for what.
        duration_ms: Of a square bolus.
    """

    after_ms: int
    steps: int = 0
    kind: Literal["clinician", "patient", "square"] = "clinician"
    duration_ms: int = 0


def patient_orders(every_ms: int, days: float) -> Iterator[BolusOrder]:
    """A patient who asks for a bolus every `every_ms`, for the first time one such time after the start."""
    for after_ms in range(every_ms, round(days * DAY_MS), every_ms):
        yield BolusOrder(after_ms, kind="patient")


@dataclass(frozen=True)
class Refused:
    """A bolus that the pump refused, `t_ms` of pump time, for `reason`."""

    t_ms: int
    order: BolusOrder
    reason: str


@dataclass(frozen=True)
class SimulationResult:
    """What a simulation showed. Volumes in mL, times in ms since the start of delivery.

    Attributes:
        runtime, seed, days: What was asked.
        program: The therapy.
        step_times_ms: When each motor step began.
        start_ms: Pump time at which delivery started.
        expected: What a perfect pump did, in pump time.
        refused: Boluses that the pump refused.
        disagreements: Boluses that only one of the pump and the perfect pump gave, as sentences.
        max_deviation: Largest distance between steps made and expected, in steps.
        limit: What it may be: 1/2 where only the basal ran, more where boluses did.
        journal: Raw records, as downloaded.
        journal_whole: Whether sequence and hash chain of the journal hold.
        counted_steps: Lifetime steps by the pump's own count at the end.
        made_steps: Lifetime steps of the simulated motor at that moment.
        alarms: Every alarm that was raised: (name, ms since the start).
        expected_alarms: Names of those that the schedule explains.
        runtime_version, firmware: As the pump told.
        used_uah: Charge that the plant counted during the delivery, in uAh.
        estimated_uah: What `energy` says of the same days and doses.
        wall_s: Seconds that the simulated days took.
    """

    runtime: RuntimeName
    seed: int
    days: float
    program: Program
    step_times_ms: list[int]
    start_ms: int
    expected: Expected
    refused: list[Refused]
    disagreements: list[str]
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
    used_uah: float
    estimated_uah: float
    wall_s: float

    @property
    def end_ms(self) -> int:
        """Pump time at which the simulation ended."""
        return self.start_ms + round(self.days * DAY_MS)

    @property
    def expected_steps(self) -> Fraction:
        """Steps that a perfect pump would have made."""
        return self.expected.ideal_steps(self.end_ms)

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

    @property
    def boluses(self) -> dict[str, int]:
        """How many boluses of each kind began, and how many the pump refused."""
        begun = Counter(given.kind for given in self.expected.given)
        kinds = {kind: begun[kind] for kind in ("clinician", "patient", "periodic", "square")}
        return kinds | {"refused": len(self.refused)}

    def drug_ng(self, steps: Fraction | int) -> Fraction:
        """Drug in the first `steps` of the delivery: while a bridge lasts, a step holds the old drug."""
        bridged = min(Fraction(steps), Fraction(self.program.bridge_steps))
        return bridged * self.program.bridge_ng + (steps - bridged) * self.program.step_ng

    def list_faults(self) -> list[str]:
        """What is wrong, as sentences; empty when all is well."""
        found = []
        if self.max_deviation > self.limit:
            found.append(f"a step was {float(self.max_deviation):.6g} steps off; {self.limit} are allowed")
        if "dose_cap" in self.unexpected_alarms:
            found.append("a dose cap was reached, and drug was held back")
        found += self.disagreements
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
        faults = self.list_faults()
        return {
            "ok": not faults,
            "faults": faults,
            "runtime": self.runtime,
            "runtime_version": self.runtime_version,
            "firmware": self.firmware,
            "dosebench": version("dosebench"),
            "seed": self.seed,
            "days": self.days,
            "drug": self.program.drug.name.decode(errors="replace"),
            "daily_dose_ug": float(self.program.daily_ng / 1000),
            "steps": len(self.step_times_ms),
            "expected_steps": float(self.expected_steps),
            "delivered_ml": float(len(self.step_times_ms) * step_ml),
            "expected_ml": float(self.expected_steps * step_ml),
            "delivered_ug": float(self.drug_ng(len(self.step_times_ms)) / 1000),
            "max_deviation_steps": float(self.max_deviation),
            "max_deviation_exact": str(self.max_deviation),
            "limit_steps": float(self.limit),
            "counted_steps": {"low": self.counted_steps[0], "high": self.counted_steps[1]},
            "journal_hash": hashlib.sha256(b"".join(self.journal)).hexdigest(),
            "journal_records": len(self.journal),
            "journal_whole": self.journal_whole,
            "events": self.events,
            "boluses": self.boluses,
            "alarms": [{"alarm": name, "day": round(at / DAY_MS, 4)} for name, at in self.alarms],
            "unexpected_alarms": self.unexpected_alarms,
            "refill": self._summarize_refill(),
            "charge": {"used_uah": self.used_uah, "estimated_uah": self.estimated_uah},
            "pump_days_per_second": round(self.days / self.wall_s, 2),
            "wall_s": round(self.wall_s, 3),
        }

    def _summarize_refill(self) -> dict[str, Any]:
        reading = self.program.expected_reading()
        return {"due_days": reading.refill_days, "limited_by": reading.refill_limit}


def simulate_days(
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
        program: The therapy, as `check_regimen` built it.
        profile: Name of the pump profile that it was built for.
        days: Virtual days of delivery, above zero; rounded to a millisecond.
        runtime: Interpreter of the firmware; None takes the best that is installed.
        seed: Decides noise; the same seed gives the same journal on every runtime.
        progress: Called with days done and days in all.
        boluses: Boluses that are asked for, in order of time.

    Raises:
        DosebenchError: The pump refused, or its own reading of the program differs from the host's.
    """
    if days <= 0:
        raise SimulationError("a simulation needs more than zero days")
    with power_pump(program, profile, runtime, seed) as (twin, client):
        run = _Run(twin, client, program, round(days * DAY_MS), progress=progress)
        return run.run_all(load_profile(profile), boluses)


@dataclass
class _Asked:
    """What the pump was asked for while it delivered: (pump time, order), and why it refused one."""

    given: list[tuple[int, BolusOrder]] = field(default_factory=list)
    refused: list[Refused] = field(default_factory=list)


class _Run(VirtualRun):
    """One simulation under way."""

    slice_ms = SLICE_MS

    def __init__(
        self, twin: Twin, client: PumpClient, program: Program, length_ms: int, *, progress: Progress | None
    ) -> None:
        super().__init__(twin, client, program, length_ms, progress=progress)
        self.booted_shift_ms = 0
        self.asked = _Asked()
        self.expected = Expected()
        self.disagreements: list[str] = []

    def run_all(self, profile: Profile, boluses: Sequence[BolusOrder]) -> SimulationResult:
        self.connect_pump()
        self.booted_shift_ms = self.shift_ms()
        self._start_delivery(self._time_of(self.begin_therapy()))
        began, fresh_uah = time.perf_counter(), self._used_uah()
        for order in boluses:
            self.advance_to(self.start_ms + order.after_ms)
            self._ask_bolus(order)
        self.advance_to(self.end_ms)
        used_uah, wall_s = self._used_uah() - fresh_uah, time.perf_counter() - began
        return self._judge_run(profile, used_uah, wall_s)

    def _start_delivery(self, committed_ms: int) -> None:
        since = CALENDAR - EPOCH
        set_ms = self._time_of(self.client.set_clock(CALENDAR))
        self.start_ms = self._time_of(self.client.start_delivery())
        pump = self.expected.pump
        pump.commit_program(committed_ms, self.program)
        pump.set_clock(set_ms, since.days, since.seconds * 1000)
        pump.start_delivery(self.start_ms)

    def _ask_bolus(self, order: BolusOrder) -> None:
        """Ask for a bolus, and keep when and whether it was given. Other refusals than those of a bolus are errors."""
        client = self.client
        try:
            if order.kind == "patient":
                outcome = client.patient_bolus()
            elif order.kind == "square":
                outcome = client.square_bolus(order.steps, order.duration_ms)
            else:
                outcome = client.give_bolus(order.steps)
        except RefusedError as error:
            last = self._time_of({"record": client.journal_info()["next"] - 1})
            self.asked.refused.append(Refused(last, order, error.reason))
            return
        self.asked.given.append((self._time_of(outcome), order))

    def _time_of(self, outcome: dict[str, Any]) -> int:
        """Virtual time at which a command took effect."""
        return self.record_ms(outcome) + self.booted_shift_ms

    def _used_uah(self) -> float:
        return self.twin.plant.used_uah(self.twin.machine.now_us)

    def _estimated_uah(self, profile: Profile) -> float:
        """Charge for the days and doses of the perfect pump."""
        days, given = self.length_ms / DAY_MS, self.expected.given
        bolus_steps = sum(bolus.steps for bolus in given)
        basal = float(self.expected.ideal_steps(self.end_ms)) - bolus_steps
        per_day = usage_per_day(profile, basal / days, bolus_steps / days, len(given) / days)
        return days * sum(charges_uah(profile, per_day).values())

    def _judge_run(self, profile: Profile, used_uah: float, wall_s: float) -> SimulationResult:
        end_ms = self.end_ms
        steps = [at for at in self.twin.step_times_ms() if at <= end_ms]
        config = self.twin.machine.config
        battery_low = config["battery_low_mv"] > self.twin.plant.battery_mv(end_ms * 1000)
        alarms = self._replay_events(steps, end_ms)
        journal = list(self.client.read_journal())
        status = self.client.read_status()
        return SimulationResult(
            runtime=self.twin.runtime_name,
            seed=self.twin.settings.seed,
            days=self.length_ms / DAY_MS,
            program=self.program,
            step_times_ms=steps,
            start_ms=self.start_ms,
            expected=self.expected,
            refused=self.asked.refused,
            disagreements=self.disagreements,
            max_deviation=self.expected.pump.max_deviation(steps, self.start_ms, end_ms),
            limit=self.expected.allowed_deviation(int(config["step_ms"]) + FLASH_MS),
            journal=journal,
            journal_whole=_is_chain_intact(journal),
            counted_steps=(status["low_steps"], status["high_steps"]),
            made_steps=self.twin.plant.read_encoder(),
            alarms=self._list_alarms(journal),
            expected_alarms=frozenset(alarms | ({"battery_low"} if battery_low else set())),
            runtime_version=self.runtime_version,
            firmware=self.firmware,
            used_uah=used_uah,
            estimated_uah=self._estimated_uah(profile),
            wall_s=wall_s,
        )

    def _replay_events(self, steps: list[int], end_ms: int) -> set[str]:
        """Let the perfect pump live through the same events; return the alarms that these explain.

        The reservoir reaches a level with one certain step; what the therapy says about a low level applies from the
        moment of that step. A bolus that a dose cap forbids is an alarm, and the perfect pump knows no caps.
        """
        events: list[tuple[int, int, Callable[[int], None]]] = []
        for at, order in self.asked.given:
            events.append((at, 1, lambda t_ms, order=order: self._compare_bolus(t_ms, order, "")))  # type: ignore[misc]
        alarms: set[str] = set()
        for refused in self.asked.refused:
            events.append((refused.t_ms, 1, lambda t_ms, no=refused: self._expect_refusal(t_ms, no, alarms)))  # type: ignore[misc]
        program = self.program
        to_low, to_empty = (program.reservoir_steps - left for left in (program.low_steps, program.empty_steps))
        if to_low <= len(steps):
            low_ms = steps[to_low - 1] if to_low else self.start_ms
            events.append((low_ms, 0, lambda t_ms: self._expect_alarm(t_ms, "reservoir_low", alarms)))
        if to_empty <= len(steps):
            events.append((steps[to_empty - 1], 0, lambda t_ms: self._expect_empty(t_ms, alarms)))
        for at, _, event in sorted(events, key=lambda event: event[:2]):
            self.expected.advance_to(at)
            event(at)
        self.expected.advance_to(end_ms)
        return alarms

    def _expect_alarm(self, t_ms: int, name: str, alarms: set[str]) -> None:
        alarms.add(name)
        self.expected.apply_alarms(t_ms, alarms)

    def _expect_empty(self, t_ms: int, alarms: set[str]) -> None:
        alarms.add("reservoir_empty")
        if self.end_ms - t_ms >= self.twin.machine.config["stopped_ms"]:
            alarms.add("pump_stopped")
        self.expected.pump.stop_delivery(t_ms)

    def _expect_refusal(self, t_ms: int, refused: Refused, alarms: set[str]) -> None:
        if refused.reason == "bolus_over_cap":
            self._expect_alarm(t_ms, "dose_cap", alarms)
        elif refused.reason != "safe_state":
            self._compare_bolus(t_ms, refused.order, refused.reason)

    def _compare_bolus(self, t_ms: int, order: BolusOrder, reason: str) -> None:
        """Ask the perfect pump too; `reason` is why the real one refused, empty where it did not."""
        pump = self.expected.pump
        if order.kind == "patient":
            given = pump.ask_patient_bolus(t_ms)
        elif order.kind == "square":
            given = pump.ask_square_bolus(t_ms, order.steps, order.duration_ms)
        else:
            given = pump.ask_bolus(t_ms, order.steps)
        if given == bool(reason):
            when = f"the {order.kind} bolus {(t_ms - self.start_ms) / 60_000:.1f} min after the start"
            verb = f"was refused ({reason}) and should have been given" if reason else "should have been refused"
            self.disagreements.append(f"{when} {verb}")

    def _list_alarms(self, journal: list[bytes]) -> list[tuple[str, int]]:
        raised = []
        for record in decode_records(b"".join(journal)):
            if record.kind == "alarm_raised":
                at = pump_ms(record) + self.booted_shift_ms - self.start_ms
                raised.append((record.alarm, at))
        return raised


def _is_chain_intact(journal: list[bytes]) -> bool:
    try:
        verify_held(decode_records(b"".join(journal)))
    except RecordError:
        return False
    return True
