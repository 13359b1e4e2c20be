"""Expected delivery of a journal: perfect pumps from one loss of power to the next."""

from __future__ import annotations

from fractions import Fraction

import pytest
from commandline import EXAMPLES
from dosebench.regimen.check import load_regimen
from dosebench.therapy.expected_delivery import HALF, Expected, limit_of
from dosebench.therapy.program import Program

DAY_MS = 86_400_000


@pytest.fixture(scope="module")
def program() -> Program:
    """1600 steps a day."""
    found = load_regimen(EXAMPLES / "c5-baclofen-800.toml").program
    assert found is not None
    return found


@pytest.fixture
def running(program: Program) -> Expected:
    """A pump that delivers from the beginning."""
    expected = Expected()
    expected.pump.commit_program(0, program)
    expected.pump.start_delivery(0)
    return expected


def test_steps_of_all_pumps_add_up(running: Expected) -> None:
    assert running.ideal_steps(DAY_MS) == 1600
    running.record_reset(2 * DAY_MS, titration_day=0, bridge_left=0, periodic_ms=0)
    assert running.ideal_steps(3 * DAY_MS) == 4800
    assert running.ideal_steps(Fraction(DAY_MS, 2)) == 800
    assert running.resets == 1


def test_a_bolus_that_a_reset_cut_is_over(running: Expected) -> None:
    running.pump.ask_bolus(0, 50)
    running.advance_to(9_000)
    before = running.ideal_steps(9_000)
    running.record_reset(9_000, titration_day=0, bridge_left=0, periodic_ms=0)
    assert running.pump.running_bolus is None
    assert running.ideal_steps(9_000 + DAY_MS) == before + 1600
    assert [given.kind for given in running.given] == ["clinician"]


def test_the_corners_are_the_curve(running: Expected) -> None:
    running.pump.ask_bolus(0, 50)
    running.advance_to(DAY_MS)
    times = [t_ms for t_ms, _ in running.corners]
    assert times == sorted(times)
    assert running.corners[-1] == (DAY_MS, 1650)


def test_half_a_step_is_allowed_until_a_bolus_runs(running: Expected) -> None:
    running.advance_to(DAY_MS)
    assert running.allowed_deviation(200) == HALF
    running.pump.ask_bolus(DAY_MS, 50)
    assert 3 * HALF < running.allowed_deviation(200) < 4 * HALF


@pytest.mark.parametrize(
    ("alarms", "limit"),
    [
        ((), "none"),
        (("battery_low",), "none"),
        (("reservoir_low",), "none"),
        (("dose_cap",), "minimum_rate"),
        (("reservoir_low", "dose_cap"), "minimum_rate"),
        (("over_infusion", "leak"), "minimum_rate"),
    ],
)
def test_alarms_limit_the_basal(program: Program, alarms: tuple[str, ...], limit: str) -> None:
    assert limit_of(program, alarms) == limit
