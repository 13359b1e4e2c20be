"""What is wrong with a run of a scenario, in sentences; and days of its calendar."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import pytest
from dosebench.simulation.deviation import Stretch
from dosebench.simulation.scenario_result import AlarmSpan, ScenarioResult, Verdict, calendar_of, day_of
from scenario_runs import DAY_MS, HOUR_MS, event, scenario_run


def test_a_run_without_incident_has_no_faults() -> None:
    run = scenario_run()
    assert run.list_faults() == []
    assert (run.length_ms, run.worst, run.not_judged, run.stops) == (10 * DAY_MS, Fraction(1, 2), [], [])


def faults(run: ScenarioResult) -> str:
    (only,) = run.list_faults()
    return only


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"verdicts": [Verdict(HOUR_MS, 12, "the alarm leak", False, "it never came")]}, "line 12"),
        ({"stretches": [Stretch(0, 5, Fraction(3, 4))]}, "0.75 steps"),
        ({"alarms": [AlarmSpan("leak", DAY_MS, None, "on")]}, "leak on day 1"),
        ({"counted_steps": (3, 9)}, "3 to 9"),
        ({"made_steps": 5}, "made 5"),
        ({"journal_whole": False}, "not whole"),
    ],
)
def test_each_fault_is_a_sentence(changes: dict[str, object], words: str) -> None:
    assert words in faults(scenario_run(**changes))


def test_disagreements_of_the_journal_are_faults() -> None:
    run = scenario_run()
    assert faults(replace(run, history=replace(run.history, disagreements=("it disagrees",)))) == "it disagrees"


def test_expectations_that_were_met_are_none() -> None:
    assert scenario_run(verdicts=[Verdict(0, 1, "x", True, "y")]).list_faults() == []


def test_an_unsure_count_holds_the_true_one() -> None:
    assert scenario_run(counted_steps=(15_990, 16_010)).list_faults() == []


@pytest.mark.parametrize(
    "changes",
    [{"alarms_allowed": ["leak"]}, {"events": [event("fault", fault="leak=0.5", expect_alarm="leak")]}],
)
def test_alarms_that_are_allowed_or_expected(changes: dict[str, object]) -> None:
    spans = [
        AlarmSpan("leak", 5, 9, "ended"),
        AlarmSpan("occlusion", 7, None, "on"),
        AlarmSpan("occlusion", 8, 9, "on"),
    ]
    run = scenario_run(alarms=spans, **changes)
    assert [span.name for span in run.unexpected_alarms()] == ["occlusion", "occlusion"]
    assert len(run.list_faults()) == 1, "each name is told once"


def test_stretches_are_judged_not_judged_or_stops() -> None:
    parts = [
        Stretch(0, 5, Fraction(1, 4)),
        Stretch(5, 9, None, "stall"),
        Stretch(9, 9, None, "leak"),
        Stretch(9, 20, Fraction(1, 3)),
    ]
    run = scenario_run(stretches=parts)
    assert (run.worst, run.not_judged, run.stops) == (Fraction(1, 3), [parts[1]], [parts[2]])
    assert scenario_run(stretches=[]).worst == 0


def test_days_begin_at_midnight_and_delivery_in_the_morning() -> None:
    assert calendar_of(0) == "2026-01-01 08:00"
    assert [day_of(hours * HOUR_MS) for hours in (0, 15, 16, 39, 40)] == [0, 0, 1, 1, 2]
    assert calendar_of(16 * HOUR_MS) == "2026-01-02 00:00"
