"""Expectations of a scenario become verdicts: outcomes, states, amounts to a step, and alarms in their time."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import pytest
from dosebench.simulation.expectations import Seen, looks_at_pump, of_alarms, of_outcome, of_state
from dosebench.simulation.scenario_file import Event, EventTable
from dosebench.simulation.scenario_result import AlarmSpan
from programs import example

DAY_MS = 86_400_000


def event(act: str = "", at_ms: int = 0, **table: Any) -> Event:
    return Event(at_ms, 7, act, EventTable.model_validate(table))


def seen(**changes: Any) -> Seen:
    """1600 steps a day of 500 ng and 250 nL."""
    given = {"at_ms": 5, "delivery": "running", "rate": Fraction(1600, DAY_MS), "steps": 1600, "program": example()}
    return Seen(**given | changes)


@pytest.mark.parametrize(
    ("act", "expect", "outcome", "met"),
    [
        ("bolus", None, "done", None),
        ("bolus", None, "refused: lockout", False),
        ("patient_bolus", None, "refused: lockout", None),
        ("patient_bolus", "done", "refused: lockout", False),
        ("bolus", "done", "done", True),
        ("bolus", "refused", "done", False),
        ("bolus", "refused", "refused: lockout", True),
        ("bolus", "refused: lockout", "refused: lockout", True),
        ("bolus", "refused: lockout", "refused: busy", False),
        ("bolus", "refused: lockout", "done", False),
    ],
)
def test_outcomes(act: str, expect: str | None, outcome: str, met: bool | None) -> None:
    found = list(of_outcome(event(act, expect=expect) if expect else event(act), 3, outcome))
    assert [one.met for one in found] == ([] if met is None else [met])
    for one in found:
        assert (one.at_ms, one.line) == (3, 7)
        assert act.replace("_", " ") in one.asked
        assert outcome in one.found


@pytest.mark.parametrize("key", ["expect_state", "expect_rate", "expect_delivered"])
def test_some_expectations_look_at_the_pump(key: str) -> None:
    value = {"expect_state": "running", "expect_rate": "800 ug/day", "expect_delivered": "800 ug"}[key]
    assert looks_at_pump(event(**{key: value}).table)
    assert not looks_at_pump(event(expect_alarm="leak").table)
    assert not looks_at_pump(event().table)


def test_a_state_is_met_by_its_name() -> None:
    (one,) = of_state(event(expect_state="running"), seen())
    assert one.met
    (other,) = of_state(event(expect_state="running"), seen(delivery="safe"))
    assert not other.met
    assert "safe" in other.found


@pytest.mark.parametrize(
    ("table", "met"),
    [
        ({"expect_rate": "800 ug/day"}, True),
        ({"expect_rate": "0.4 mL/day"}, True),
        ({"expect_rate": "800.001 ug/day"}, False),
        ({"expect_rate": "801 ug/day", "tolerance": "1 ug/day"}, True),
        ({"expect_rate": "801.1 ug/day", "tolerance": "1 ug/day"}, False),
        ({"expect_delivered": "800 ug"}, True),
        ({"expect_delivered": "0.4 mL"}, True),
        ({"expect_delivered": "800.5 ug"}, True),
        ({"expect_delivered": "800.6 ug"}, False),
        ({"expect_delivered": "810 ug", "tolerance": "10 ug"}, True),
        ({"expect_delivered": "810.1 ug", "tolerance": "10 ug"}, False),
        ({"expect_delivered": "810 ug", "tolerance": "5 uL"}, True),
        ({"expect_delivered": "810.1 ug", "tolerance": "5 uL"}, False),
    ],
)
def test_a_rate_is_exact_and_an_amount_to_a_step_unless_a_tolerance_says_more(table: dict[str, str], met: bool) -> None:
    (one,) = of_state(event(**table), seen())
    assert one.met is met


def test_a_tolerance_of_the_other_kind_leaves_the_usual_one() -> None:
    rate, amount = of_state(event(expect_rate="800 ug/day", expect_delivered="900 ug", tolerance="100 ug"), seen())
    assert (rate.met, amount.met) == (True, True)
    rate, amount = of_state(event(expect_rate="801 ug/day", expect_delivered="800.6 ug", tolerance="1 ug/day"), seen())
    assert (rate.met, amount.met) == (True, False)


def test_what_was_found_is_shown_in_the_unit_that_was_asked_for() -> None:
    (one,) = of_state(event(expect_delivered="1 mL"), seen())
    assert "0.4 mL" in one.found
    (one,) = of_state(event(expect_delivered="1 mg"), seen())
    assert "0.8 mg" in one.found


SPANS = [
    AlarmSpan("leak", 100, 200, "ended"),
    AlarmSpan("leak", 60_000, None, "on"),
    AlarmSpan("occlusion", 500, 900, "ended"),
]


@pytest.mark.parametrize(
    ("at_ms", "name", "within", "met"),
    [
        (100, "leak", None, True),
        (99, "leak", None, False),
        (0, "leak", "100 ms", True),
        (0, "leak", "99 ms", False),
        (101, "leak", "1 min", True),
        (60_001, "leak", "1 day", False),
        (0, "battery_low", "1 day", False),
        (0, "occlusion", "1 s", True),
    ],
)
def test_an_alarm_comes_in_its_time_after_the_event(at_ms: int, name: str, within: str | None, met: bool) -> None:
    table = {"expect_alarm": name} | ({"within": within} if within else {})
    (one,) = of_alarms([event(at_ms=at_ms, **table)], SPANS)
    assert one.met is met
    assert name in one.asked
    assert (one.at_ms, one.line) == (at_ms, 7)


def test_events_that_expect_no_alarm_have_no_verdict() -> None:
    assert of_alarms([event(), event("bolus", expect="done")], SPANS) == []
