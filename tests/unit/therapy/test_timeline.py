"""The exact reference against brute force, and an integer scheduler against the reference."""

from __future__ import annotations

import math
import time
from fractions import Fraction

import pytest
from dosebench.therapy.timeline import Bolus, Segment, Timeline
from hypothesis import given
from hypothesis import strategies as st

rates = st.builds(Fraction, st.integers(0, 40), st.integers(1, 120)).filter(lambda rate: rate <= 1)
segments = st.lists(st.tuples(st.integers(0, 300), rates), max_size=4).map(
    lambda items: tuple(Segment(t_ms, rate) for t_ms, rate in sorted(items, key=lambda item: item[0]))
)
boluses = st.lists(
    st.builds(Bolus, st.integers(0, 300), st.integers(0, 20), rates.filter(lambda rate: rate > 0)), max_size=3
).map(tuple)


def ideal_by_the_millisecond(timeline: Timeline, end_ms: int) -> list[Fraction]:
    """Ideal steps at 0, 1, ... end_ms, one millisecond after the other; boluses by their own formula."""
    ideal = [Fraction(0)]
    for t_ms in range(end_ms):
        rate = Fraction(0)
        for segment in timeline.segments:
            if segment.t_ms <= t_ms:
                rate = segment.rate
        ideal.append(ideal[-1] + rate)
    for bolus in timeline.boluses:
        for t_ms in range(end_ms + 1):
            ideal[t_ms] += min(Fraction(bolus.steps), max(0, t_ms - bolus.t_ms) * bolus.rate)
    return ideal


def scheduler_steps(num: int, den: int, start_ms: int, end_ms: int) -> list[int]:
    """When a pump that starts at `start_ms` makes its steps, millisecond by millisecond."""
    accumulator, steps = den // 2, []
    for t_ms in range(start_ms + 1, end_ms + 1):
        accumulator += num
        if accumulator >= den:
            accumulator -= den
            steps.append(t_ms)
    return steps


@given(segments, boluses)
def test_ideal_equals_brute_force(parts: tuple[Segment, ...], extra: tuple[Bolus, ...]) -> None:
    timeline = Timeline(parts, extra)
    assert [timeline.ideal_steps(t_ms) for t_ms in range(401)] == ideal_by_the_millisecond(timeline, 400)


@given(segments, boluses, st.lists(st.integers(0, 400), max_size=30).map(sorted), st.integers(0, 200))
def test_deviation_equals_brute_force(
    parts: tuple[Segment, ...], extra: tuple[Bolus, ...], steps: list[int], start_ms: int
) -> None:
    timeline = Timeline(parts, extra)
    steps = [t_ms for t_ms in steps if t_ms >= start_ms]
    ideal = ideal_by_the_millisecond(timeline, 400)
    worst = max(
        abs(sum(step <= t_ms for step in steps) - (ideal[t_ms] - ideal[start_ms])) for t_ms in range(start_ms, 401)
    )
    assert timeline.max_deviation(steps, start_ms, 400) == worst


@pytest.mark.requirement("R1")
@given(st.integers(1, 300), st.integers(1, 3000), st.integers(0, 50))
def test_the_integer_scheduler_is_never_more_than_half_a_step_off(num: int, den: int, start_ms: int) -> None:
    num = min(num, den)
    end_ms = start_ms + 2000
    timeline = Timeline((Segment(start_ms, Fraction(num, den)),))
    assert timeline.max_deviation(scheduler_steps(num, den, start_ms, end_ms), start_ms, end_ms) <= Fraction(1, 2)


@pytest.mark.requirement("R1")
def test_a_lost_step_and_a_second_of_delay_are_seen() -> None:
    num, den, end_ms = 1, 54_000, 100 * 54_000
    timeline = Timeline((Segment(0, Fraction(num, den)),))
    steps = [math.ceil((k * den - den // 2) / num) for k in range(1, 101)]
    assert timeline.max_deviation(steps, 0, end_ms) == Fraction(1, 2)
    assert timeline.max_deviation(steps[:-1], 0, end_ms) == 1
    assert timeline.max_deviation(steps[:50] + steps[51:], 0, end_ms) == Fraction(3, 2) - Fraction(1, den)
    late = [*steps[:50], steps[50] + 1000, *steps[51:]]
    assert timeline.max_deviation(late, 0, end_ms) == Fraction(1, 2) + Fraction(999, den)


def test_a_bolus_on_top_has_its_own_half_step() -> None:
    basal, bolus = Fraction(1, 1000), Bolus(5000, 10, Fraction(1, 100))
    timeline = Timeline((Segment(0, basal),), (bolus,))
    steps = sorted(scheduler_steps(1, 1000, 0, 20_000) + scheduler_steps(1, 100, 5000, 6000))
    assert timeline.ideal_steps(20_000) == 30
    assert timeline.ideal_steps(5500) == Fraction(55, 10) + 5
    assert timeline.max_deviation(steps, 0, 20_000) <= 1
    assert timeline.max_deviation(steps[:-3], 0, 20_000) > 1


def test_a_bolus_of_no_steps_changes_nothing() -> None:
    assert Timeline((), (Bolus(5, 0, Fraction(1, 3)),)).max_deviation([], 0, 10) == 0


def test_fifty_thousand_steps_and_a_thousand_changes_in_well_under_a_second() -> None:
    num, den = 961, 432_432_000
    steps = [-(-(k * den - den // 2) // num) for k in range(1, 50_001)]
    parts = tuple(Segment(index * steps[-1] // 1000, Fraction(num, den)) for index in range(1000))
    begin = time.perf_counter()
    assert Timeline(parts).max_deviation(steps, 0, steps[-1]) <= Fraction(1, 2)
    assert time.perf_counter() - begin < 2, "a bound that a loaded machine keeps; 0.2 s is usual"


@pytest.mark.parametrize(
    ("steps", "start_ms", "end_ms", "words"),
    [([5, 4], 0, 10, "order"), ([11], 0, 10, "outside"), ([1], 2, 10, "outside"), ([], 10, 10, "below")],
)
def test_wrong_arguments(steps: list[int], start_ms: int, end_ms: int, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        Timeline().max_deviation(steps, start_ms, end_ms)


def test_wrong_timelines() -> None:
    with pytest.raises(ValueError, match="order"):
        Timeline((Segment(5, Fraction(1)), Segment(4, Fraction(1))))
    with pytest.raises(ValueError, match="negative"):
        Timeline((Segment(5, Fraction(-1)),))
    with pytest.raises(ValueError, match="above zero"):
        Timeline((), (Bolus(0, 3, Fraction(0)),))
