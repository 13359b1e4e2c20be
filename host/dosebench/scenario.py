"""Run a scenario: a simulated pump, what the bench does to it over time, and the record that is kept of all of it.

The pump runs the real firmware and is reached through its serial port; faults, power cuts and the true content of the
reservoir are the bench's. The journal is pulled long before it would wrap, so that the whole chain is held at the end.
"""

from __future__ import annotations

import time
from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from fractions import Fraction
from functools import partial
from typing import Any, Final

from dosebench_protocol.alarms import ALARMS
from dosebench_protocol.records import Record, RecordError, decode_records, verify_chain

from dosebench import units
from dosebench.client import PumpClient, RefusedError
from dosebench.commandids import MemoryIds
from dosebench.errors import DosebenchError
from dosebench.history import DAY_MS, History, build, pump_ms
from dosebench.ports import READ_TIMEOUT_S
from dosebench.program import Program
from dosebench.scenariofile import Event, EventTable, Scenario
from dosebench.simport import Serial
from dosebench.simulate import CALENDAR, FLASH_MS, SETTLED_MS, before_bridge, same_reading
from dosebench.stretches import Boot, Disturbance, Stretch, judge
from dosebench.twin.named import profile_settings
from dosebench.twin.runtimes import RuntimeName
from dosebench.twin.twin import Twin, one_core
from dosebench.units import MINUTE_MS

SLICE_MS: Final = DAY_MS
"""Most virtual time between two calls of `progress`."""
CLOSE_LOOKS_MS: Final = tuple(MINUTE_MS * 2**n for n in range(12))
"""Samples after what the bench breaks or mends, besides the regular ones: up to a day and a half later."""
PULL_SHARE: Final = 4
"""The journal is pulled when a quarter of what it holds is new."""
RECORDS_PER_SECTOR: Final = 102
MOTOR_FAULTS: Final = {"stall", "slip", "runaway", "driver_stuck", "hang"}
"""Faults with which the motor does not turn as it is told."""
SPILL_FAULTS: Final = {
    "step_volume_factor", "occlusion", "leak", "disconnect", "free_flow", "air"
}  # fmt: skip
"""Faults with which the steps are right and what leaves the catheter is not."""

Progress = Callable[[float, float], None]


@dataclass(frozen=True)
class Sample:
    """The pump and its physics at one moment, `at_ms` after the start of delivery. Volumes in nL.

    Attributes:
        true_nl, reckoned_nl, measured_nl: Content of the reservoir: what is in it, what the pump reckons, what its
            level sensor says; None where the pump does not know, or has no such sensor.
        battery_mv: As the pump measures it. battery_left: share of its charge that is truly left.
        pressure_kpa: At the catheter's inlet, above the atmosphere; true.
        steps_per_day: The basal rate that the pump says it runs at.
        steps: Motor steps since the start.
        delivered_nl, lost_nl: What left the catheter's tip since the start, and what a leak lost.
        held_nl: What the line holds back.
        delivery: What the pump says that it does.
    """

    at_ms: int
    true_nl: float
    reckoned_nl: float | None
    measured_nl: float | None
    battery_mv: int
    battery_left: float
    pressure_kpa: float
    steps_per_day: float
    steps: int
    delivered_nl: float
    lost_nl: float
    held_nl: float
    delivery: str


@dataclass(frozen=True)
class Done:
    """An act of the scenario: when it took effect, and what came of it.

    Attributes:
        at_ms: Since the start of delivery.
        act: Its name; for the end of a fault that was set for a time, "mend".
        event: What the file says.
        outcome: "done", or "refused: REASON".
        details: Figures that go with it, by name.
    """

    at_ms: int
    act: str
    event: Event
    outcome: str = "done"
    details: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Verdict:
    """An expectation of the scenario: `asked` in words, whether it was met, and what was `found`."""

    at_ms: int
    line: int
    asked: str
    met: bool
    found: str


@dataclass(frozen=True)
class AlarmSpan:
    """An alarm that was on. Times since the start of delivery; `to_ms` is None where it is still on.

    Attributes:
        ended: "ended" by itself, "cleared" by a person, or "on".
    """

    name: str
    from_ms: int
    to_ms: int | None
    ended: str


@dataclass(frozen=True)
class ScenarioResult:
    """What a scenario showed. Times in ms since the start of delivery, where nothing else is said.

    Attributes:
        scenario, profile, runtime, seed: What was asked.
        runtime_version, firmware: As the pump told.
        programs: Every therapy that was in force, with its beginning.
        records: The whole journal, with the time of each record by the bench's clock.
        journal_whole: Whether sequence and hash chain hold from the first record on.
        samples, acts, alarms, verdicts: The record.
        stretches: Every step against the perfect pump, in virtual time since `start_ms`.
        limit: Largest distance that is allowed, in steps.
        history: What the journal says was asked for, as perfect pumps.
        charges_uah: Charge by what took it, over the whole life.
        battery_uah: What a fresh battery holds.
        counted_steps, made_steps: By the pump and by the motor.
        wall_s: Seconds that the scenario took.
    """

    scenario: Scenario
    profile: str
    runtime: RuntimeName
    seed: int
    runtime_version: str
    firmware: str
    programs: list[tuple[int, Program]]
    records: list[tuple[int, Record]]
    journal_whole: bool
    samples: list[Sample]
    acts: list[Done]
    alarms: list[AlarmSpan]
    verdicts: list[Verdict]
    stretches: list[Stretch]
    limit: Fraction
    history: History
    charges_uah: dict[str, float]
    battery_uah: float
    counted_steps: tuple[int, int]
    made_steps: int
    wall_s: float

    @property
    def length_ms(self) -> int:
        """How long delivery was watched."""
        return self.scenario.length_ms

    @property
    def worst(self) -> Fraction:
        """Largest distance from the perfect pump wherever it was judged, in steps."""
        return max((each.deviation for each in self.stretches if each.deviation is not None), default=Fraction(0))

    @property
    def not_judged(self) -> list[Stretch]:
        """Times whose steps were not judged, with the reason."""
        return [each for each in self.stretches if each.deviation is None and each.to_ms > each.from_ms]

    @property
    def stops(self) -> list[Stretch]:
        """Moments at which a fault stopped the pump, and may have withheld the step that was due."""
        return [each for each in self.stretches if each.deviation is None and each.to_ms == each.from_ms]

    def unexpected_alarms(self) -> list[AlarmSpan]:
        """Alarms that neither an event expects nor the file allows."""
        expected = {event.table.expect_alarm for event in self.scenario.events} | self.scenario.alarms
        return [span for span in self.alarms if span.name not in expected]

    def faults(self) -> list[str]:
        """What is wrong, as sentences; empty when all is well."""
        found = [
            f"line {verdict.line}, {units.show_span(verdict.at_ms)} after the start: expected {verdict.asked}, but "
            f"{verdict.found}"
            for verdict in self.verdicts
            if not verdict.met
        ]
        if self.worst > self.limit:
            found.append(f"a step was {float(self.worst):.6g} steps off; {float(self.limit):.4g} are allowed")
        found += self.history.disagreements
        names: dict[str, int] = {}
        for span in self.unexpected_alarms():
            names.setdefault(span.name, span.from_ms)
        found += [f"the alarm {name} on day {day_of(at)} is not expected by the scenario" for name, at in names.items()]
        low, high = self.counted_steps
        if not low <= self.made_steps <= high:
            found.append(f"the pump counted {low} to {high} steps, the motor made {self.made_steps}")
        if not self.journal_whole:
            found.append("the journal that was pulled is not whole")
        return found


def run(
    scenario: Scenario,
    program: Program,
    profile: str,
    runtime: RuntimeName | None = None,
    seed: int = 0,
    *,
    progress: Progress | None = None,
) -> ScenarioResult:
    """Run a scenario on a simulated pump.

    Args:
        scenario: What happens.
        program: The therapy that it begins with, built for `profile`.
        profile: Name of the pump profile.
        runtime: Interpreter of the firmware; None takes the best that is installed.
        seed: Decides noise; the same seed gives the same journal on every runtime.
        progress: Called with days done and days in all.

    Raises:
        DosebenchError: The pump refused the first therapy, or reads it differently.
    """
    settings = profile_settings(profile, runtime, seed)
    # Filled as the program says, so that what the level sensor sees agrees with what the pump reckons.
    settings.plant.fill_nl = float(program.reservoir_steps * program.step_nl)
    with one_core(), Twin(settings).power_on() as twin:
        port = Serial(twin=twin, baudrate=settings.baud, timeout=READ_TIMEOUT_S)
        return _Run(twin, PumpClient(port, MemoryIds()), scenario, program, progress).all(profile)


class _Run:
    """One scenario under way. Virtual times are in ms since the twin was made."""

    def __init__(
        self, twin: Twin, client: PumpClient, scenario: Scenario, program: Program, progress: Progress | None
    ) -> None:
        self.twin = twin
        self.client = client
        self.scenario = scenario
        self.program = program
        self.progress = progress
        self.start_ms = 0
        self.delivered_before = (0, 0.0, 0.0)
        self.journal: list[bytes] = []
        self.programs: list[tuple[int, Program]] = []
        self.known = {program.program_hash()[:4]: program}
        self.samples: list[Sample] = []
        self.acts: list[Done] = []
        self.verdicts: list[Verdict] = []
        self.disturbed: list[Disturbance] = []
        self.motor_fault_ms: int | None = None

    # The course of time

    def all(self, profile: str) -> ScenarioResult:
        hello = self.client.connect()
        self.twin.advance_us(SETTLED_MS * 1000)
        self._begin()
        began = time.perf_counter()
        for at_ms, act in self._timeline():
            self._advance(self.start_ms + at_ms)
            act()
        self._advance(self.start_ms + self.scenario.length_ms)
        self._sample()
        return self._result(hello, profile, time.perf_counter() - began)

    def _begin(self) -> None:
        if self.program.bridge_steps:
            before = before_bridge(self.program)
            self.known[before.program_hash()[:4]] = before
            self._stage(before)
        self._stage(self.program)
        self.client.set_clock(CALENDAR)
        if self.twin.machine.config["service_months"]:
            self.client.implant(CALENDAR.date())
        moment = self._moment(self.client.start())
        self.start_ms = moment
        plant = self.twin.plant
        now_us = self.twin.machine.now_us
        self.delivered_before = (plant.encoder(), plant.delivered_nl(now_us), plant.lost_nl)
        self.programs.append((0, self.program))
        self._sample()

    def _stage(self, program: Program) -> dict[str, Any]:
        encoded = program.encode()
        same_reading(program, self.client.stage(encoded))
        self.known[program.program_hash()[:4]] = program
        return self.client.commit(encoded)

    def _timeline(self) -> list[tuple[int, Callable[[], None]]]:
        """What is due when, since the start of delivery.

        At the same moment: a look at the physics before the bench changes them, ends of faults, events, samples.
        """
        length = self.scenario.length_ms
        plan: list[tuple[int, int, Callable[[], None]]] = []
        changes: set[int] = set()
        for event in self.scenario.events:
            plan.append((event.at_ms, 1, partial(self._event, event)))
            if event.act in ("fault", "mend", "brown_out"):
                changes.add(event.at_ms)
            lasting = event.table.lasting
            if lasting is not None and event.at_ms + lasting <= length:
                plan.append((event.at_ms + lasting, 0, partial(self._mend_after, event)))
                changes.add(event.at_ms + lasting)
        looks = set(range(self.scenario.sample_ms, length, self.scenario.sample_ms))
        looks |= {at_ms + later for at_ms in changes for later in CLOSE_LOOKS_MS}
        plan += [(at_ms, 2, self._sample) for at_ms in looks if at_ms < length]
        plan += [(at_ms, -1, self._sample) for at_ms in changes]
        return [(at_ms, act) for at_ms, _, act in sorted(plan, key=lambda item: item[:2])]

    def _advance(self, until_ms: int) -> None:
        now_ms = self.twin.machine.now_us // 1000
        while now_ms < until_ms:
            now_ms = min(now_ms + SLICE_MS, until_ms)
            self.twin.advance_us(now_ms * 1000)
            if self.progress is not None:
                self.progress(max(0, now_ms - self.start_ms) / DAY_MS, self.scenario.length_ms / DAY_MS)

    @property
    def now_ms(self) -> int:
        """Time since the start of delivery."""
        return self.twin.machine.now_us // 1000 - self.start_ms

    def _moment(self, outcome: dict[str, Any]) -> int:
        """Virtual time of a command's record."""
        record = decode_records(next(iter(self.client.journal(outcome["record"]))))[0]
        return pump_ms(record) + self.twin.machine.booted_us // 1000 - self.client.boot_ms()

    # The record

    def _sample(self) -> None:
        status, plant = self.client.status(), self.twin.plant
        now_us = self.twin.machine.now_us
        steps, delivered, lost = self.delivered_before
        level = [row["value"] for row in self.client.sensors() if row["sensor"] == "level"]
        step_nl = float(self.program.step_nl)
        reckoned = status["reservoir_steps"] if status["reservoir_known"] else None
        self.samples.append(
            Sample(
                at_ms=self.now_ms,
                true_nl=plant.reservoir_nl(),
                reckoned_nl=None if reckoned is None else reckoned * step_nl,
                measured_nl=level[0] * step_nl if level and level[0] is not None else None,
                battery_mv=status["battery_mv"],
                battery_left=max(0.0, 1 - plant.used_uah(now_us) / plant.settings.battery_uah),
                pressure_kpa=plant.pressure_kpa(now_us),
                steps_per_day=status["rate_num"] / status["rate_den"] * DAY_MS,
                steps=plant.encoder() - steps,
                delivered_nl=plant.delivered_nl(now_us) - delivered,
                lost_nl=plant.lost_nl - lost,
                held_nl=plant.held_at(now_us),
                delivery=str(status["delivery"]),
            )
        )
        held = self.client.journal_info()["next"] - len(self.journal)
        if held > self.twin.machine.config["flash_sectors"] * RECORDS_PER_SECTOR // PULL_SHARE:
            self._pull()

    def _pull(self) -> None:
        self.journal += self.client.journal(len(self.journal))

    # Acts

    def _event(self, event: Event) -> None:
        outcome = "done"
        details: dict[str, Any] = {}
        at_ms = self.now_ms
        if event.act:
            try:
                details = getattr(self, f"_do_{event.act}")(event) or {}
            except RefusedError as error:
                outcome = f"refused: {error.reason}"
        self.acts.append(Done(at_ms, event.act or "note", event, outcome, details))
        self._judge_outcome(event, at_ms, outcome)
        self._judge_now(event)

    def _do_patient_bolus(self, event: Event) -> dict[str, Any]:
        del event
        return {"steps": self.client.patient_bolus()["accepted"]}

    def _do_bolus(self, event: Event) -> dict[str, Any]:
        assert event.table.bolus is not None
        return {"steps": self.client.bolus(self._steps(event.table.bolus))["accepted"]}

    def _do_square(self, event: Event) -> dict[str, Any]:
        assert event.table.square is not None
        assert event.table.over is not None
        return {"steps": self.client.square_bolus(self._steps(event.table.square), event.table.over)["accepted"]}

    def _do_cancel(self, event: Event) -> None:
        (self.client.square_cancel if event.table.cancel == "square" else self.client.bolus_cancel)()

    def _do_refill(self, event: Event) -> dict[str, Any]:
        table, plant = event.table, self.twin.plant
        assert table.refill is not None
        before_nl, withdrawn = plant.reservoir_nl(), None
        if table.withdrawn is not None:
            taken = before_nl if table.withdrawn == "measured" else float(table.withdrawn.value)
            withdrawn = int(taken / float(self.program.step_nl))
        said = int(table.refill.value / self.program.step_nl)
        truly = table.refill if table.truly is None else table.truly
        plant.refill(float(truly.value), self.twin.machine.now_us)
        status = self.client.status()
        details = {
            "expected_nl": float(status["reservoir_steps"] * self.program.step_nl),
            "withdrawn_nl": None if withdrawn is None else float(withdrawn * self.program.step_nl),
            "filled_nl": float(said * self.program.step_nl),
            "truly_nl": float(truly.value),
        }
        self.client.refill(said, withdrawn)
        return details

    def _do_set_clock(self, event: Event) -> dict[str, Any]:
        local = event.table.set_clock
        if local is True or local is None:
            local = CALENDAR + timedelta(milliseconds=self.now_ms)
        self.client.set_clock(local)
        return {"local_time": local.isoformat(timespec="seconds")}

    def _do_start(self, event: Event) -> None:
        del event
        self.client.start()

    def _do_stop(self, event: Event) -> None:
        del event
        self.client.stop()

    def _do_program(self, event: Event) -> dict[str, Any]:
        assert event.program is not None
        before = self.program
        self._stage(event.program)
        self.program = event.program
        self.programs.append((self.now_ms, self.program))
        return {"before_ug": float(before.daily_ng / 1000), "after_ug": float(self.program.daily_ng / 1000)}

    def _do_clear(self, event: Event) -> dict[str, Any]:
        names = list(event.table.clear or self.client.status()["alarms"])
        self.client.alarm_clear(names)
        return {"alarms": names}

    def _do_silence(self, event: Event) -> None:
        assert event.table.silence is not None
        self.client.alarm_silence(event.table.silence)

    def _do_fault(self, event: Event) -> None:
        for name, value in event.table.fault or ():
            self.twin.fault(name, value)
        self._follow_motor(", ".join(name for name, _ in event.table.fault or ()))

    def _do_mend(self, event: Event) -> dict[str, Any]:
        return self._mend(event.table.mend or ())

    def _mend_after(self, event: Event) -> None:
        at_ms = self.now_ms
        details = self._mend([name for name, _ in event.table.fault or ()])
        self.acts.append(Done(at_ms, "mend", event, "done", details))

    def _mend(self, names: Sequence[str]) -> dict[str, Any]:
        plant, now_us = self.twin.plant, self.twin.machine.now_us
        held = plant.held_at(now_us)
        ended = sorted(plant.faults.present() if "none" in names else set(names))
        for name in ended:
            self.twin.fault(name, "off")
        self._follow_motor("")
        return {"held_nl": held, "faults": ended}

    def _follow_motor(self, names: str) -> None:
        """Keep from when to when the motor does not turn as it is told."""
        broken = MOTOR_FAULTS & set(self.twin.plant.faults.present())
        now = self.twin.machine.now_us // 1000
        if broken and self.motor_fault_ms is None:
            self.motor_fault_ms, self._motor_why = now, names
        elif not broken and self.motor_fault_ms is not None:
            self.disturbed.append(Disturbance(self.motor_fault_ms, now, self._motor_why))
            self.motor_fault_ms = None

    def _do_brown_out(self, event: Event) -> dict[str, Any]:
        assert event.table.brown_out is not None
        self._pull()
        self.twin.power_cycle(event.table.brown_out / 1000)
        status = self.client.status()
        return {"off_ms": event.table.brown_out, "low": status["low_steps"], "high": status["high_steps"]}

    def _steps(self, amount: units.Quantity) -> int:
        worth = self.program.step_ng if amount.dimension is units.MASS else self.program.step_nl
        return int(amount.value / worth)

    # Expectations

    def _judge_outcome(self, event: Event, at_ms: int, outcome: str) -> None:
        asked = event.table.expect
        if asked is None and (event.act == "patient_bolus" or not outcome.startswith("refused")):
            return
        met = asked is not None and (outcome == asked or (asked == "refused" and outcome.startswith("refused")))
        name = event.act.replace("_", " ")
        self.verdicts.append(
            Verdict(at_ms, event.line, f"the {name} to be {asked or 'done'}", met, f"it was {outcome}")
        )

    def _judge_now(self, event: Event) -> None:
        table = event.table
        if table.expect_state is None and table.expect_rate is None and table.expect_delivered is None:
            return
        status, at_ms = self.client.status(), self.now_ms
        if table.expect_state is not None:
            found = str(status["delivery"])
            asked, met = f"the pump to be {table.expect_state}", found == table.expect_state
            self.verdicts.append(Verdict(at_ms, event.line, asked, met, f"it is {found}"))
        if table.expect_rate is not None:
            rate = Fraction(status["rate_num"], status["rate_den"])
            self._judge_amount(event, "a rate of", table.expect_rate, rate, self._within(table, Fraction(0)))
        if table.expect_delivered is not None:
            steps = Fraction(self.twin.plant.encoder() - self.delivered_before[0])
            tolerance = self._within(table, Fraction(1))
            self._judge_amount(event, "delivered:", table.expect_delivered, steps, tolerance)

    def _within(self, table: EventTable, usual: Fraction) -> Fraction:
        return usual if table.tolerance is None else self._in_steps(table.tolerance)

    def _in_steps(self, amount: units.Quantity) -> Fraction:
        drug = amount.dimension in (units.MASS, units.MASS_RATE)
        return amount.value / (self.program.step_ng if drug else self.program.step_nl)

    def _judge_amount(
        self, event: Event, what: str, asked: units.Quantity, steps: Fraction, tolerance: Fraction
    ) -> None:
        met = abs(steps - self._in_steps(asked)) <= tolerance
        drug = asked.dimension in (units.MASS, units.MASS_RATE)
        found = steps * (self.program.step_ng if drug else self.program.step_nl)
        shown = units.show(found, units.split(asked.text)[1])
        self.verdicts.append(Verdict(self.now_ms, event.line, f"{what} {asked.text}", met, f"it is {shown}"))

    # The end

    def _result(self, hello: dict[str, Any], profile: str, wall_s: float) -> ScenarioResult:
        self._pull()
        twin, plant = self.twin, self.twin.plant
        end_ms = self.start_ms + self.scenario.length_ms
        raw = decode_records(b"".join(self.journal))
        boots = _boots(raw, twin.machine.boots_us)
        history = build(raw, self.known.get)
        assert history is not None
        timed = _timed(raw, boots, self.start_ms)
        self._close_disturbances(timed, end_ms)
        steps = array("q", (at // 1000 for at in plant.steps_us))
        steps = steps[: bisect_right(steps, end_ms)]
        stretches = judge(history.expected, boots, steps, end_ms, sorted(self.disturbed, key=lambda d: d.from_ms))
        status = self.client.status()
        alarms = _alarm_spans(timed)
        self.verdicts += _alarm_verdicts(self.scenario.events, alarms)
        return ScenarioResult(
            scenario=self.scenario,
            profile=profile,
            runtime=twin.runtime_name,
            seed=twin.settings.seed,
            runtime_version=hello["runtime"].decode(),
            firmware=f"{hello['firmware_major']}.{hello['firmware_minor']}.{hello['firmware_patch']}",
            programs=self.programs,
            records=timed,
            journal_whole=_whole(raw),
            samples=self.samples,
            acts=self.acts,
            alarms=alarms,
            verdicts=sorted(self.verdicts, key=lambda verdict: verdict.at_ms),
            stretches=[
                Stretch(each.from_ms - self.start_ms, each.to_ms - self.start_ms, each.deviation, each.why)
                for each in stretches
            ],
            limit=history.expected.allowed(int(twin.machine.config["step_ms"]) + FLASH_MS),
            history=history,
            charges_uah=plant.charges_uah(twin.machine.now_us),
            battery_uah=plant.settings.battery_uah,
            counted_steps=(status["low_steps"], status["high_steps"]),
            made_steps=plant.encoder(),
            wall_s=wall_s,
        )

    def _close_disturbances(self, timed: list[tuple[int, Record]], end_ms: int) -> None:
        if self.motor_fault_ms is not None:
            self.disturbed.append(Disturbance(self.motor_fault_ms, end_ms, self._motor_why))
        self.disturbed += _held_back(timed, self.start_ms, end_ms)
        self.disturbed += _safe_stops(timed, self.start_ms)


def _boots(records: Sequence[Record], boots_us: Sequence[int]) -> list[Boot]:
    """Each boot's record beside the bench's own time of it."""
    found = [pump_ms(record) for record in records if record.kind == "boot"]
    if len(found) != len(boots_us):
        raise DosebenchError(f"the firmware was started {len(boots_us)} times, its journal holds {len(found)} boots")
    return [Boot(at_us // 1000, at) for at_us, at in zip(boots_us, found, strict=True)]


def _timed(records: Sequence[Record], boots: Sequence[Boot], start_ms: int) -> list[tuple[int, Record]]:
    """Each record with its time since the start of delivery by the bench's clock."""
    timed, at = [], -1
    for record in records:
        if record.kind == "boot":
            at += 1
        timed.append((pump_ms(record) + boots[max(at, 0)].shift_ms - start_ms, record))
    return timed


def _whole(records: Sequence[Record]) -> bool:
    try:
        verify_chain(records)
    except RecordError:
        return False
    return bool(records) and records[0].sequence == 0


def _safe_stops(timed: Sequence[tuple[int, Record]], start_ms: int) -> list[Disturbance]:
    """Moments at which an alarm stopped delivery at once: a step that was due then is not made (R10)."""
    found = []
    for at_ms, record in timed:
        if record.kind == "alarm_raised":
            safe = [name for name in record.fields["raised"] if ALARMS[name].effect == "safe"]
            found += [Disturbance(at_ms + start_ms, at_ms + start_ms, name) for name in safe[:1]]
    return found


def _held_back(timed: Sequence[tuple[int, Record]], start_ms: int, end_ms: int) -> list[Disturbance]:
    """Times in which a full dose window held basal back, until its alarm is cleared: no schedule knows how much."""
    found: list[Disturbance] = []
    since: tuple[int, int] | None = None
    missed = 0
    for at_ms, record in timed:
        fields = record.fields
        missed = fields.get("missed_steps", missed)
        if record.kind == "alarm_raised" and "dose_cap" in fields["raised"] and since is None:
            since = (at_ms, missed)
        elif record.kind == "alarm_cleared" and "dose_cap" in fields["cleared"] and since is not None:
            found += [Disturbance(since[0] + start_ms, at_ms + start_ms, "dose_cap")] if missed != since[1] else []
            since = None
    if since is not None and missed != since[1]:
        found.append(Disturbance(since[0] + start_ms, end_ms, "dose_cap"))
    return found


def _alarm_spans(timed: Sequence[tuple[int, Record]]) -> list[AlarmSpan]:
    """Every alarm from its raising to its end, in order of time."""
    on: dict[str, int] = {}
    spans = []
    for at_ms, record in timed:
        fields = record.fields
        if record.kind == "alarm_raised":
            for name in fields["raised"]:
                on.setdefault(name, at_ms)
        ended = fields.get("ended" if record.kind == "alarm_ended" else "cleared", ())
        for name in ended if record.kind in ("alarm_ended", "alarm_cleared") else ():
            if name in on:
                spans.append(AlarmSpan(name, on.pop(name), at_ms, record.kind.removeprefix("alarm_")))
    spans += [AlarmSpan(name, at_ms, None, "on") for name, at_ms in on.items()]
    return sorted(spans, key=lambda span: span.from_ms)


def _alarm_verdicts(events: Sequence[Event], alarms: Sequence[AlarmSpan]) -> list[Verdict]:
    verdicts = []
    for event in events:
        name = event.table.expect_alarm
        if name is None:
            continue
        within = event.table.within or 0
        times = [span.from_ms for span in alarms if span.name == name]
        place = bisect_left(times, event.at_ms)
        asked = f"the alarm {name}" + (f" within {units.show_span(within)}" if within else "")
        if place == len(times):
            verdicts.append(Verdict(event.at_ms, event.line, asked, False, "it never came after that"))
            continue
        late = times[place] - event.at_ms
        verdicts.append(
            Verdict(event.at_ms, event.line, asked, late <= within, f"it came after {units.show_span(late)}")
        )
    return verdicts


def day_of(at_ms: int) -> int:
    """Day of the bench's calendar, counted from the day of the start."""
    return ((CALENDAR + timedelta(milliseconds=at_ms)).date() - CALENDAR.date()).days


def calendar_of(at_ms: int) -> str:
    """Local date and time of the bench's calendar, `at_ms` after the start of delivery."""
    return (CALENDAR + timedelta(milliseconds=at_ms)).strftime("%Y-%m-%d %H:%M")
