"""What a run of a scenario showed: samples, acts, alarms, verdicts, and what is wrong with them."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from fractions import Fraction
from typing import Any

from dosebench_protocol.records import Record

from dosebench.base import units
from dosebench.journal.history import History
from dosebench.simulation.deviation import Stretch
from dosebench.simulation.run import CALENDAR
from dosebench.simulation.scenario_file import Event, Scenario
from dosebench.therapy.program import Program
from dosebench.twin.runtimes import RuntimeName


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
        ended: "ended" by itself, "cleared" by a person, "displaced" by a more urgent alarm, or "on".
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

    def list_faults(self) -> list[str]:
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


def day_of(at_ms: int) -> int:
    """Day of the bench's calendar, counted from the day of the start."""
    return ((CALENDAR + timedelta(milliseconds=at_ms)).date() - CALENDAR.date()).days


def calendar_of(at_ms: int) -> str:
    """Local date and time of the bench's calendar, `at_ms` after the start of delivery."""
    return (CALENDAR + timedelta(milliseconds=at_ms)).strftime("%Y-%m-%d %H:%M")
