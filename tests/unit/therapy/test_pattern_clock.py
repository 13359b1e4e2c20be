"""The clock of a flex pattern: it slews after the calendar, keeps weekdays, and leaves no step of a day out."""

from __future__ import annotations

import datetime
from fractions import Fraction

import pytest
from dosebench.base.units import DAY_MS, HOUR_MS
from dosebench.therapy.pattern_clock import SLEW_MAX_MS, PatternClock
from hypothesis import given
from hypothesis import strategies as st

EPOCH = datetime.date(2000, 1, 1)


def at(days: int, ms: int) -> PatternClock:
    clock = PatternClock()
    clock.set_calendar(days, ms)
    return clock


def test_a_new_clock_knows_nothing_until_it_is_set() -> None:
    clock = PatternClock()
    assert not clock.known
    clock.set_calendar(3, 5 * HOUR_MS)
    assert clock.known
    assert (clock.at_ms, clock.lag_ms, clock.speed) == (3 * DAY_MS + 5 * HOUR_MS, 0, 1)
    assert clock.steady_ms() is None


@given(st.integers(0, 60_000), st.integers(0, DAY_MS - 1))
def test_weekday_and_time_of_day_are_those_of_the_calendar(days: int, ms: int) -> None:
    clock = at(days, ms)
    assert clock.weekday == (EPOCH + datetime.timedelta(days)).weekday()
    assert clock.day_ms == ms


@pytest.mark.parametrize(
    ("shift_ms", "speed", "after_ms"),
    [
        (2 * HOUR_MS, Fraction(2), 2 * HOUR_MS),
        (-2 * HOUR_MS, Fraction(1, 2), 4 * HOUR_MS),
        (1, Fraction(2), 1),
        (-1, Fraction(1, 2), 2),
        (SLEW_MAX_MS, Fraction(2), SLEW_MAX_MS),
    ],
)
def test_a_clock_that_is_set_makes_the_difference_good_by_its_speed(
    shift_ms: int, speed: Fraction, after_ms: int
) -> None:
    clock = at(10, 12 * HOUR_MS)
    clock.set_calendar(*divmod(10 * DAY_MS + 12 * HOUR_MS + shift_ms, DAY_MS))
    assert clock.at_ms == 10 * DAY_MS + 12 * HOUR_MS, "it does not jump"
    assert clock.speed == speed
    assert clock.steady_ms() == after_ms
    clock.pass_time(after_ms)
    assert (clock.lag_ms, clock.speed) == (0, 1)
    assert clock.at_ms == 10 * DAY_MS + 12 * HOUR_MS + shift_ms + after_ms


@pytest.mark.parametrize("shift_ms", [SLEW_MAX_MS + 1, -SLEW_MAX_MS - 1, 3 * DAY_MS])
def test_a_larger_difference_is_a_correction_of_the_date(shift_ms: int) -> None:
    clock = at(10, 12 * HOUR_MS)
    there = 10 * DAY_MS + 12 * HOUR_MS + shift_ms
    clock.set_calendar(*divmod(there, DAY_MS))
    assert (clock.at_ms, clock.lag_ms) == (there, 0)


def test_a_reset_loses_the_time_and_the_next_setting_is_taken_as_it_is() -> None:
    clock = at(10, 12 * HOUR_MS)
    clock.set_calendar(10, 13 * HOUR_MS)
    clock.lose_time()
    assert (clock.known, clock.lag_ms, clock.speed) == (False, 0, 1)
    clock.set_calendar(10, 14 * HOUR_MS)
    assert (clock.at_ms, clock.lag_ms) == (10 * DAY_MS + 14 * HOUR_MS, 0)


def test_setting_it_again_while_it_slews_counts_from_where_it_is() -> None:
    clock = at(10, 12 * HOUR_MS)
    clock.set_calendar(10, 14 * HOUR_MS)
    clock.pass_time(HOUR_MS)
    assert (clock.at_ms % DAY_MS, clock.lag_ms) == (14 * HOUR_MS, HOUR_MS)
    clock.set_calendar(10, 14 * HOUR_MS)
    assert clock.lag_ms == 0


@pytest.mark.parametrize(
    ("shift_ms", "until_ms", "wanted"),
    [(0, HOUR_MS, HOUR_MS), (HOUR_MS, HOUR_MS, HOUR_MS // 2), (-HOUR_MS, HOUR_MS, 2 * HOUR_MS), (HOUR_MS, 3, 2)],
)
def test_how_long_until_a_time_of_day_at_the_present_speed(shift_ms: int, until_ms: int, wanted: int) -> None:
    clock = at(10, 12 * HOUR_MS)
    clock.set_calendar(10, 12 * HOUR_MS + shift_ms)
    assert clock.ms_until(12 * HOUR_MS + until_ms) == wanted


@given(st.lists(st.tuples(st.integers(1, 6 * HOUR_MS), st.integers(-6 * HOUR_MS, 6 * HOUR_MS)), min_size=1, max_size=8))
def test_it_never_goes_back_and_ends_at_the_calendar(acts: list[tuple[int, int]]) -> None:
    clock, calendar = at(100, 0), 100 * DAY_MS
    for run_ms, shift_ms in acts:
        left = run_ms
        while left:
            stretch = min(left, clock.steady_ms() or left)
            before = clock.at_ms
            clock.pass_time(stretch)
            assert before < clock.at_ms <= before + 2 * stretch
            left -= stretch
        calendar += run_ms
        assert clock.at_ms + clock.lag_ms == pytest.approx(calendar, abs=1)
        calendar = max(calendar + shift_ms, 0)
        clock.set_calendar(*divmod(calendar, DAY_MS))
    while clock.lag_ms:
        steady = clock.steady_ms()
        assert steady
        clock.pass_time(steady)
        calendar += steady
        if abs(clock.lag_ms) < 1:
            break
    assert abs(clock.at_ms - calendar) <= 1
