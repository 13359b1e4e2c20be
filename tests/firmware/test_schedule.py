"""The scheduler: exact for ever, in small ints."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pump.schedule import Schedule, Track
from pump.whole import mul_div
from pump.wire import FRACTION_MAX
from small import SMALL_MAX, SmallInt

parts = st.one_of(st.integers(1, FRACTION_MAX), st.integers(1, 1000))
rates = st.tuples(parts, parts).filter(lambda rate: rate[0] <= rate[1]).map(lambda r: (SmallInt(r[0]), SmallInt(r[1])))
times = st.integers(0, SMALL_MAX).map(SmallInt)


def walk(track: Track, ms: int) -> int:
    """Advance as the controller does: from step to step. Returns the steps."""
    steps = 0
    while ms > 0:
        part = min(ms, track.due_ms())
        steps += track.advance(SmallInt(part))
        ms -= part
    return steps


@given(st.integers(0, SMALL_MAX), st.integers(0, SMALL_MAX), st.integers(1, FRACTION_MAX))
def test_mul_div_is_exact_and_small(a: int, b: int, c: int) -> None:
    quotient, remainder = mul_div(SmallInt(a), SmallInt(b), SmallInt(c))
    assert remainder == a * b % c
    assert quotient == min(a * b // c, SMALL_MAX)


@pytest.mark.requirement("R1")
@settings(deadline=None)
@given(rates, st.lists(st.integers(1, 5_000_000), max_size=6))
def test_delivered_is_never_more_than_half_a_step_from_ideal(rate: tuple[int, int], waits: list[int]) -> None:
    track = Track()
    track.restart(*rate)
    exact = Fraction(int(rate[0]), int(rate[1]))
    passed = steps = 0
    for wait in waits:
        # Not more than some thousand steps: the property does not depend on how many.
        part = min(wait, int(2_000 / exact) + 1)
        steps += walk(track, part)
        passed += part
        assert abs(steps - passed * exact) <= Fraction(1, 2)


@given(rates, times)
def test_due_ms_is_the_first_moment_with_a_step(rate: tuple[int, int], wait: int) -> None:
    track = Track()
    track.restart(*rate)
    track.advance(SmallInt(min(wait, 10_000)))
    due = track.due_ms()
    if due > 1:
        assert track.advance(SmallInt(due - 1)) == 0
        assert track.due_ms() == 1
    assert track.advance(SmallInt(1)) >= 1


@pytest.mark.requirement("R1")
@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(rates, st.integers(0, 3_000)), min_size=1, max_size=60))
def test_rate_changes_keep_the_fraction_of_a_step(changes: list[tuple[tuple[int, int], int]]) -> None:
    track = Track()
    track.restart(*changes[0][0])
    ideal = Fraction(0)
    steps = 0
    for rate, wait in changes:
        track.retune(*rate)
        steps += walk(track, wait)
        ideal += wait * Fraction(int(rate[0]), int(rate[1]))
        # A change loses less than 2^-29 of the unit that its denominator counts in.
        assert abs(steps - ideal) <= Fraction(1, 2) + Fraction(len(changes), FRACTION_MAX)


def test_ten_thousand_changes_do_not_drift() -> None:
    track = Track()
    ideal = Fraction(0)
    steps = 0
    for turn in range(10_000):
        rate = (7, 54_001 + turn % 13)
        (track.retune if turn else track.restart)(*rate)
        steps += walk(track, 1_777)
        ideal += 1_777 * Fraction(*rate)
    assert abs(steps - ideal) <= Fraction(1, 2) + Fraction(10_000, FRACTION_MAX)


@given(rates, rates, st.integers(1, 300))
def test_a_bolus_delivers_its_steps_and_leaves_the_basal_alone(
    basal: tuple[int, int], bolus: tuple[int, int], dose: int
) -> None:
    with_bolus, alone = Schedule(), Schedule()
    for schedule in (with_bolus, alone):
        schedule.basal.restart(*basal)
        schedule.running = True
    with_bolus.start_bolus(1, dose, *bolus)
    boluses = 0
    for _ in range(4 * dose):
        wait = with_bolus.next_ms()
        for schedule in (with_bolus, alone):
            schedule.begin()
            schedule.advance(wait)
        assert with_bolus.basal_due == alone.basal_due
        boluses += with_bolus.bolus_due
        with_bolus.bolus_left -= with_bolus.bolus_due
        if not with_bolus.bolus_left:
            break
    assert boluses <= dose
    assert boluses + with_bolus.bolus_left == dose


@pytest.mark.requirement("R15")
def test_an_overdue_bolus_becomes_longer_and_never_denser() -> None:
    schedule = Schedule()
    schedule.start_bolus(1, 10, 1, 1_000)
    schedule.advance(5_000)
    assert schedule.bolus_due == 1
    assert schedule.bolus_left == 10
