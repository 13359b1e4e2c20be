"""Every step against the perfect pump: exact steps, a lost one, what is not judged, and losses of power."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise

import pytest
from dosebench.simulation.deviation import CHUNK_MS, Boot, Disturbance, Stretch, judge_stretches
from dosebench.therapy.expected_delivery import Expected
from programs import example

EVERY_MS = 54_000
HALF = Fraction(1, 2)
DAY_MS = 86_400_000
START_MS = 20_000
"""Virtual time at which delivery starts; pump time is 5 s less."""
BOOT = Boot(5_000, 0)


def expected(until_ms: int = DAY_MS) -> Expected:
    made = Expected()
    made.pump.commit_program(START_MS - BOOT.shift_ms, example())
    made.pump.start_delivery(START_MS - BOOT.shift_ms)
    made.advance_to(until_ms)
    return made


def steps(count: int, start_ms: int = START_MS) -> list[int]:
    """A step at the middle of each of its periods."""
    return [start_ms + EVERY_MS // 2 + at * EVERY_MS for at in range(count)]


def judged(times: list[int], *disturbed: Disturbance, end_ms: int = START_MS + 100 * EVERY_MS) -> list[Stretch]:
    return judge_stretches(expected(), [BOOT], times, end_ms, disturbed)


def test_steps_in_the_middle_of_their_periods_are_half_a_step_off_at_most() -> None:
    (only,) = judged(steps(100))
    assert (only.from_ms, only.to_ms, only.why) == (BOOT.virtual_ms, START_MS + 100 * EVERY_MS, "")
    assert only.deviation == HALF


@pytest.mark.parametrize("lost", [0, 50, 99])
def test_a_lost_step_is_seen(lost: int) -> None:
    times = steps(100)
    del times[lost]
    (only,) = judged(times)
    assert only.deviation is not None
    assert 1 <= only.deviation <= Fraction(3, 2)


def test_a_step_that_is_late_is_seen_by_how_much() -> None:
    times = steps(100)
    times[30] += 5_401
    (only,) = judged(times)
    assert only.deviation == HALF + Fraction(1, 10)


def test_a_time_that_is_disturbed_is_not_judged_and_what_follows_is_judged_from_there() -> None:
    stall = Disturbance(START_MS + 40 * EVERY_MS, START_MS + 60 * EVERY_MS, "stall")
    times = [at for at in steps(100) if not stall.from_ms < at < stall.to_ms]
    before, between, after = judged(times, stall)
    assert (before.deviation, after.deviation) == (HALF, HALF)
    assert (between.deviation, between.why) == (None, "stall")
    assert (between.from_ms, between.to_ms) == (stall.from_ms, stall.to_ms)
    assert before.to_ms == between.from_ms
    assert after.from_ms == between.to_ms


def test_a_stop_without_a_length_may_withhold_one_step() -> None:
    moment = START_MS + 40 * EVERY_MS + EVERY_MS // 2
    times = steps(100)
    times.remove(moment)
    before, stop, after = judged(times, Disturbance(moment, moment, "leak"))
    assert (stop.from_ms, stop.to_ms, stop.why) == (moment, moment, "leak")
    assert before.deviation == HALF
    assert after.deviation == HALF


def test_disturbances_that_overlap_or_lie_outside_are_cut() -> None:
    end = START_MS + 100 * EVERY_MS
    parts = judged(
        steps(100),
        Disturbance(0, START_MS, "before"),
        Disturbance(START_MS + EVERY_MS, START_MS + 9 * EVERY_MS, "one"),
        Disturbance(START_MS + 5 * EVERY_MS, START_MS + 12 * EVERY_MS, "two"),
        Disturbance(end - EVERY_MS, end + EVERY_MS, "after"),
    )
    assert [part.why for part in parts] == ["before", "", "one", "two", "", "after"]
    assert parts[0].from_ms == BOOT.virtual_ms
    assert parts[-1].to_ms == end
    assert all(one.to_ms == two.from_ms for one, two in pairwise(parts))


def test_a_loss_of_power_begins_a_stretch_at_the_pump_time_of_its_boot() -> None:
    cut_ms = START_MS + 50 * EVERY_MS + 10_000
    again = Boot(cut_ms + 7_000, cut_ms - BOOT.shift_ms)
    made = expected(cut_ms - BOOT.shift_ms)
    made.record_reset(again.pump_ms, titration_day=0, bridge_left=0, periodic_ms=0)
    made.advance_to(DAY_MS)
    times = steps(50) + steps(40, again.virtual_ms)
    first, second = judge_stretches(made, [BOOT, again], times, again.virtual_ms + 40 * EVERY_MS, [])
    assert (first.to_ms, second.from_ms) == (again.virtual_ms, again.virtual_ms)
    assert second.deviation == HALF
    assert first.deviation is not None
    assert first.deviation <= HALF + Fraction(7_000, EVERY_MS)
    assert again.shift_ms == BOOT.shift_ms + 7_000


def test_long_runs_are_judged_in_chunks_with_the_same_result() -> None:
    days = 2 * CHUNK_MS // DAY_MS + 5
    count = days * DAY_MS // EVERY_MS
    times = steps(count)
    times[count // 2] += 5_401
    (only,) = judge_stretches(expected(days * DAY_MS), [BOOT], times, START_MS + count * EVERY_MS, [])
    assert only.deviation == HALF + Fraction(1, 10)
