"""Results of runs that a test writes itself: no pump stands behind them."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from typing import Any

from dosebench.journal.history import History, Point
from dosebench.simulation.days import SimulationResult
from dosebench.simulation.deviation import Stretch
from dosebench.simulation.scenario_file import Event, EventTable, Scenario
from dosebench.simulation.scenario_result import Done, Sample, ScenarioResult
from dosebench.therapy.expected_delivery import Expected
from journals import chained, named
from programs import example

DAY_MS = 86_400_000
HOUR_MS = 3_600_000
EVERY_MS = 54_000
STEPS_A_DAY = 1_600


def event(act: str = "", at_ms: int = 0, line: int = 7, **table: Any) -> Event:
    """An event as a scenario file says it."""
    return Event(at_ms, line, act, EventTable.model_validate(table))


def done(act: str, at_ms: int, outcome: str = "done", /, table: dict[str, Any] | None = None, **details: Any) -> Done:
    """An act that was carried out or refused."""
    return Done(at_ms, act, event(act, at_ms, **(table or {})), outcome, details)


def sample(at_ms: int, **changes: Any) -> Sample:
    """The pump of `example()` at a moment of undisturbed delivery from 40 mL."""
    steps = at_ms * STEPS_A_DAY // DAY_MS
    left = 40e6 - 250.0 * steps
    made = Sample(
        at_ms=at_ms, true_nl=left, reckoned_nl=left, measured_nl=left + 1_000, battery_mv=3_600, battery_left=0.9,
        pressure_kpa=1.0, steps_per_day=float(STEPS_A_DAY), steps=steps, delivered_nl=250.0 * steps, lost_nl=0.0,
        held_nl=0.0, delivery="running",
    )  # fmt: skip
    return replace(made, **changes)


def expected(until_ms: int) -> Expected:
    """A perfect pump that delivers `example()` from 0 on."""
    made = Expected()
    made.pump.commit_program(0, example())
    made.pump.start_delivery(0)
    made.advance_to(until_ms)
    return made


def scenario_run(days: float = 10, **changes: Any) -> ScenarioResult:
    """The result of a scenario without incident; `changes` to it, and `events`, `alarms_allowed` and `starts_at_ms` to
    its scenario."""
    length_ms = round(days * DAY_MS)
    scenario = Scenario(
        file="a.toml",
        title=changes.pop("title", "A case"),
        length_ms=length_ms,
        starts_at_ms=changes.pop("starts_at_ms", 0),
        sample_ms=6 * HOUR_MS,
        alarms=frozenset(changes.pop("alarms_allowed", ())),
        events=tuple(changes.pop("events", ())),
    )
    made = round(days * STEPS_A_DAY)
    run = ScenarioResult(
        scenario=scenario,
        profile="implant-40",
        runtime="cpython",
        seed=0,
        runtime_version="cpython 3.11",
        firmware="0.2.0",
        programs=[(0, example())],
        records=[],
        journal_whole=True,
        samples=[sample(at_ms) for at_ms in range(0, length_ms + 1, 6 * HOUR_MS)],
        acts=[],
        alarms=[],
        verdicts=[],
        stretches=[Stretch(0, length_ms, Fraction(1, 2))],
        limit=Fraction(1, 2),
        history=History(expected(length_ms), (Point(0, 0, 0), Point(length_ms, made, made)), example(), (), 0, ()),
        charges_uah={"idle": 300.0, "motor": 700.0, "tone": 0.0},
        battery_uah=1_200_000.0,
        counted_steps=(made, made),
        made_steps=made,
        wall_s=2.0,
    )
    return replace(run, **changes)


def simulated(days: float = 1, **changes: Any) -> SimulationResult:
    """The result of a simulation in which every step came in the middle of its period."""
    end_ms = round(days * DAY_MS)
    steps = list(range(EVERY_MS // 2, end_ms, EVERY_MS))
    records = chained([named("boot"), named("start"), named("lease", 10), named("lease", 20)])
    result = SimulationResult(
        runtime="cpython",
        seed=3,
        days=days,
        program=example(),
        step_times_ms=steps,
        start_ms=0,
        expected=expected(end_ms),
        refused=[],
        disagreements=[],
        max_deviation=Fraction(1, 2),
        limit=Fraction(1, 2),
        journal=[record.to_bytes() for record in records],
        journal_whole=True,
        counted_steps=(len(steps), len(steps)),
        made_steps=len(steps),
        alarms=[],
        expected_alarms=frozenset(),
        runtime_version="cpython 3.11",
        firmware="0.2.0",
        used_uah=150.0,
        estimated_uah=151.0,
        wall_s=0.5,
    )
    return replace(result, **changes)
