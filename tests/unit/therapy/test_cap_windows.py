"""How many steps a window can hold: by hand, against brute force, and against a slewed clock."""

from __future__ import annotations

import math
from fractions import Fraction

import pytest
from dosebench.base.units import DAY_MS, HOUR_MS, MINUTE_MS
from dosebench.therapy.cap_windows import BUCKETS, DayPattern, counted_ms, flex_slack, flex_steps, window_steps
from hypothesis import given
from hypothesis import strategies as st

STEP_A_MINUTE = Fraction(1, MINUTE_MS)


def test_a_window_counts_one_of_its_buckets_more() -> None:
    assert BUCKETS == 240
    assert counted_ms(HOUR_MS) == HOUR_MS + HOUR_MS // 240
    assert counted_ms(239) == 239
    assert counted_ms(240) == 241


@pytest.mark.parametrize(
    ("rate", "span_ms", "steps"),
    [
        (STEP_A_MINUTE, HOUR_MS, 61),
        (STEP_A_MINUTE * 4, HOUR_MS, 242),
        (Fraction(0), DAY_MS, 1),
        (Fraction(1, DAY_MS), HOUR_MS, 1),
        (Fraction(240, 241 * MINUTE_MS), HOUR_MS, 61),
    ],
)
def test_a_basal_at_one_rate(rate: Fraction, span_ms: int, steps: int) -> None:
    assert window_steps(rate, span_ms) == steps


@given(st.integers(1, 5_000), st.integers(1, 100_000), st.integers(1, 3_000_000), st.integers(0, 10**6))
def test_no_stretch_of_an_even_basal_holds_more(num: int, den: int, span_ms: int, start_ms: int) -> None:
    rate = Fraction(num, den * 1000)
    within = math.floor(rate * (start_ms + counted_ms(span_ms))) - math.floor(rate * start_ms)
    assert within <= window_steps(rate, span_ms)


@pytest.mark.parametrize(("every_ms", "count"), [(HOUR_MS, 2), (HOUR_MS + 1, 1), (25 * MINUTE_MS, 3), (DAY_MS, 1)])
def test_periodic_boluses_at_both_ends_of_a_window_count(every_ms: int, count: int) -> None:
    assert window_steps(Fraction(0), HOUR_MS, 40, every_ms) == 1 + 40 * count
    assert window_steps(Fraction(0), HOUR_MS, 0, every_ms) == 1


# Flex


def pattern(*steps: tuple[int, int]) -> DayPattern:
    """Steps of a day: minute, and steps per hour."""
    return [(minute, Fraction(rate, HOUR_MS)) for minute, rate in steps]


def test_a_pattern_at_one_rate_is_a_basal_at_one_rate() -> None:
    rate = Fraction(60, HOUR_MS)
    for span in (HOUR_MS, 6 * HOUR_MS, DAY_MS, 2 * DAY_MS):
        assert flex_steps([pattern((0, 60))], span) == math.floor(rate * counted_ms(span)) + 1


def test_an_hour_that_is_high_is_not_a_day_that_is_high() -> None:
    spike = [pattern((0, 10), (600, 100), (660, 10))]
    # Of the day's 330 steps beyond 10 an hour there are 90, which a slewing clock may bring twice, on two days.
    window = counted_ms(DAY_MS)
    days, rest = divmod(2 * window, DAY_MS)
    above = 90 + min(Fraction(rest, HOUR_MS) * 90, 90) / days
    assert flex_steps(spike, DAY_MS) == math.floor(Fraction(10, HOUR_MS) * window + 2 * days * above) + 2
    assert flex_steps(spike, DAY_MS) < math.floor(Fraction(100, HOUR_MS) * window) // 3
    assert flex_steps(spike, HOUR_MS) == math.floor(Fraction(100, HOUR_MS) * counted_ms(HOUR_MS)) + 1


def test_of_several_patterns_the_largest_counts_at_each_minute() -> None:
    early, late = pattern((0, 50), (60, 10)), pattern((0, 10), (720, 50), (780, 10))
    together = flex_steps([early, late], DAY_MS)
    assert together == flex_steps([pattern((0, 50), (60, 10), (720, 50), (780, 10))], DAY_MS)
    assert max(flex_steps([early], DAY_MS), flex_steps([late], DAY_MS)) < together


HOURS = st.lists(st.integers(0, 120), min_size=24, max_size=24)


@given(HOURS, st.integers(1, 2 * DAY_MS), st.integers(0, DAY_MS), st.sampled_from([Fraction(1, 2), 1, 2]))
def test_no_window_at_any_speed_of_the_clock_holds_more(
    rates: list[int], span_ms: int, start_ms: int, speed: Fraction | int
) -> None:
    made = pattern(*((60 * hour, rate) for hour, rate in enumerate(rates)))
    at, left, held = Fraction(start_ms), Fraction(counted_ms(span_ms)), Fraction(0)
    while left > 0:
        hour = int(at // HOUR_MS) % 24
        stretch = min(left, (HOUR_MS - at % HOUR_MS) / speed)
        held += stretch * Fraction(rates[hour], HOUR_MS)
        at, left = at + stretch * speed, left - stretch
    assert held <= flex_steps([made], span_ms)


@given(HOURS, st.integers(1, 2 * DAY_MS))
def test_patterns_never_demand_more_than_their_largest_rate(rates: list[int], span_ms: int) -> None:
    made = [pattern(*((60 * hour, rate) for hour, rate in enumerate(rates)))]
    largest = Fraction(max(rates), HOUR_MS)
    assert window_steps(largest, span_ms, patterns=made) <= window_steps(largest, span_ms)


@pytest.mark.parametrize(
    ("rate", "slack"),
    [
        # 2^17 steps in 2^29 ms are the most that a part of that length can hold.
        (Fraction(1, 4_096 + 1), 1),
        (Fraction(1, 900), 1 + (5 * counted_ms(DAY_MS) + 4 * MINUTE_MS) // (1 << 26)),
        (Fraction(0), 1),
    ],
)
def test_the_pumps_bound_may_be_a_little_above(rate: Fraction, slack: int) -> None:
    assert flex_slack(rate, DAY_MS) == slack


def test_the_slack_grows_with_the_window_and_the_rate() -> None:
    rates = [Fraction(1, 60_000), Fraction(1, 6_000), Fraction(1, 600), Fraction(1, 60)]
    assert [flex_slack(rate, 2 * DAY_MS) for rate in rates] == sorted(flex_slack(rate, 2 * DAY_MS) for rate in rates)
    assert flex_slack(rates[-1], HOUR_MS) < flex_slack(rates[-1], DAY_MS)
